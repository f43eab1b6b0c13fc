//! The instructions of the bytecode.
//!
//! ```text
//! hot          the common cases of instructions, in one loop
//! fusion       code as that loop reads it
//! run          the run loop: fuel, ends of a slice, throws
//! instruction  each instruction in full, a function for each
//! arithmetic   operators on numbers and text
//! objects      making, reading and writing objects
//! types        what `is` and typed handlers ask for
//! iteration    iterators and the protocol of `for`
//! calls        what can be called, methods, steps
//! tasks        spawning, awaiting, cancelling, squads, guards
//! explain      what errors say about the instruction they come from
//! ```
//!
//! What can stop an instruction is an `Err` of [`Stop`]. An instruction allocates before
//! it changes anything, so that one that found no memory can simply run again.

mod arithmetic;
mod calls;
mod explain;
pub(crate) mod fusion;
mod hot;
mod instruction;
mod iteration;
mod objects;
mod run;
mod tasks;
mod types;

use std::sync::Arc;

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, MapStoreError, Mutator, NeedsMemory, Sizes, Slot, Value};
use gcrucible_platform::HostRequest;

use crate::exception::Trace;
use crate::program::LoadedProgram;
use crate::realm::Realm;
use crate::slice::{Change, SliceEnd};
use crate::stack::Registers;
use crate::work::Work;

pub(crate) use objects::key;
pub(crate) use run::{Takes, run};
pub use types::type_name;

/// What instructions of one slice share.
pub(crate) struct Context<'p, C: Checks> {
    pub(crate) m: Mutator<'p, C>,
    pub(crate) program: &'p LoadedProgram,
    pub(crate) realm: &'p Arc<Realm>,
    pub(crate) exchange: &'p Slot,
    pub(crate) task: u32,
    pub(crate) max_frames: usize,
    pub(crate) is_cancel_requested: bool,
    /// The channel or mutex that the task was woken for.
    pub(crate) turn: Option<u64>,
    /// Milliseconds since the engine began.
    pub(crate) now_ms: u64,
    /// Tasks of the run that have not settled.
    pub(crate) open_tasks: u32,
    /// What the program was started with.
    pub(crate) args: &'p [String],
    /// What belongs to the run, if this is its root.
    pub(crate) locals: Option<&'p Slot>,
    /// The longest text that could become a string of this heap, in bytes.
    pub(crate) text_bytes_max: usize,
    /// The most bytes of data that a host operation is given.
    pub(crate) data_bytes_max: u64,
    /// What instructions do beyond their own cost.
    pub(crate) work: &'p Work,
}

/// What a slice does to the world outside of its heap and stack.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) printed: Vec<String>,
    pub(crate) changed: Vec<Change>,
    pub(crate) took_turn: bool,
    pub(crate) cancel: Vec<u64>,
    pub(crate) interrupts: Vec<String>,
    pub(crate) awaited: Vec<u64>,
    pub(crate) host: Option<HostRequest>,
    pub(crate) trace: Vec<(u16, u32)>,
    /// The future whose failure it is that nobody caught.
    pub(crate) failed: Option<u64>,
    /// Failed futures that were awaited.
    pub(crate) seen: Vec<u64>,
    pub(crate) skipped_steps: u32,
    pub(crate) finishing: bool,
    /// The state of the task's random numbers.
    pub(crate) random: u64,
}

impl Effects {
    /// Notes that a channel or mutex has changed.
    pub(crate) fn note_change<'p, C: Checks>(&mut self, cx: &Context<'p, C>, object: Value<'p>) {
        // What is there already is looked through.
        cx.work.charge(self.changed.len() as u32 / 16);
        let Some((id, version)) = cx.m.wait_version(object) else {
            return;
        };
        self.took_turn |= cx.turn == Some(id);
        let (takes, puts) = available(cx, object);
        let now = Change {
            object: id,
            takes,
            puts,
            version,
        };
        match self.changed.iter_mut().find(|change| change.object == id) {
            Some(change) => *change = now,
            None => self.changed.push(now),
        }
    }

    /// Notes that the task has acquired a mutex, which is no change that somebody waits for.
    pub(crate) fn note_acquired<'p, C: Checks>(&mut self, cx: &Context<'p, C>, mutex: Value<'p>) {
        if self.changed.is_empty() && cx.turn.is_none() {
            return;
        }
        let Some((id, _)) = cx.m.wait_version(mutex) else {
            return;
        };
        self.took_turn |= cx.turn == Some(id);
        if let Some(change) = self.changed.iter_mut().find(|change| change.object == id) {
            change.takes = 0;
        }
    }
}

/// How many could take something from a channel or mutex, and how many put something into it.
fn available<'p, C: Checks>(cx: &Context<'p, C>, object: Value<'p>) -> (u32, u32) {
    let (Some(len), Some(capacity)) = (cx.m.channel_len(object), cx.m.channel_capacity(object))
    else {
        return (1, 0);
    };
    match cx.m.channel_is_closed(object) {
        Some(true) => (u32::MAX, u32::MAX),
        _ => (len, capacity.saturating_sub(len)),
    }
}

/// Why an instruction did not simply end.
#[derive(Debug)]
pub(crate) enum Stop<'p> {
    /// It throws an error of this kind, with this payload.
    Raise(ErrorKind, Value<'p>),
    /// It throws this value.
    Throw(Value<'p>),
    /// It throws a value on that was thrown before, with the trace of that.
    ThrowOn(Value<'p>, Box<Trace>),
    /// It found no memory: no effect, no cost.
    NeedsMemory(NeedsMemory),
    /// A safepoint was taken: no effect, no cost.
    Safepoint,
    /// It got further, but is not done: no cost but that of its work. It runs again.
    Unfinished,
    /// It is executed and ends the slice.
    End(SliceEnd),
    /// It must wait: it costs its fuel and runs again.
    Wait(SliceEnd),
}

impl From<NeedsMemory> for Stop<'_> {
    fn from(needs: NeedsMemory) -> Self {
        Stop::NeedsMemory(needs)
    }
}

impl From<ErrorKind> for Stop<'_> {
    fn from(kind: ErrorKind) -> Self {
        Stop::Raise(kind, Value::NIL)
    }
}

impl From<MapStoreError> for Stop<'_> {
    fn from(error: MapStoreError) -> Self {
        match error {
            MapStoreError::NeedsMemory(needs) => needs.into(),
            MapStoreError::InvalidKey => ErrorKind::InvalidKey.into(),
            MapStoreError::NotAMap => ErrorKind::TypeError.into(),
        }
    }
}

/// The result of an instruction that makes a value.
pub(crate) type Made<'p> = Result<Value<'p>, Stop<'p>>;

/// Whether an allocating instruction goes past its safepoint without asking: it ended the
/// slice before there.
#[derive(Clone, Copy)]
pub(crate) struct Safepoint {
    pub(crate) is_passed: bool,
}

impl<'p, C: Checks> Context<'p, C> {
    /// A new error that the machine raises.
    #[cold]
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        payload: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        if kind == ErrorKind::OutOfMemory {
            // Made beforehand, one for all: nothing can be allocated now.
            return Ok(self.m.load(self.program.out_of_memory()));
        }
        let message = self.m.load(self.program.message(kind));
        self.m.error(kind as u8, message, payload)
    }

    /// An error with a message of its own. Both are asked for at once: a string that was
    /// made in vain would be made in vain again.
    #[cold]
    pub(crate) fn error_saying(
        &self,
        kind: ErrorKind,
        message: &str,
        payload: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        let mut sizes = Sizes::default();
        let _grant = self.m.grant(sizes.string(message.len()).error())?;
        let message = self.m.string(message)?;
        self.m.error(kind as u8, message, payload)
    }

    /// The start of an instruction that allocates: ends the slice if somebody asked for
    /// it. Without it a collector would wait for as long as a machine only allocates.
    #[inline(always)]
    pub(crate) fn safepoint(&self, safepoint: Safepoint) -> Result<(), Stop<'p>> {
        if self.m.is_poll_requested() && !safepoint.is_passed {
            return Err(Stop::Safepoint);
        }
        Ok(())
    }

    /// Passes the values of `count` registers from `first` on to `body`.
    pub(crate) fn with_values<T>(
        &self,
        registers: Registers<'_, C>,
        first: Reg,
        count: usize,
        body: impl FnOnce(&[Value<'p>]) -> T,
    ) -> T {
        const FEW: usize = 8;
        let slots = registers.range(first, count);
        if count <= FEW {
            let mut values = [Value::NIL; FEW];
            for (value, slot) in values.iter_mut().zip(slots) {
                *value = self.m.load_root(slot);
            }
            body(&values[..count])
        } else {
            let values: Vec<Value<'p>> = slots.iter().map(|slot| self.m.load_root(slot)).collect();
            body(&values)
        }
    }
}

/// The function and instruction that an object was allocated at, as debug modes report
/// it: the function's number, then the lower half of the instruction's.
pub(crate) fn site(function: u16, pc: usize) -> u32 {
    u32::from(function) << 16 | (pc as u32 & 0xFFFF)
}
