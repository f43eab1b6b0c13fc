//! The instructions of the bytecode.
//!
//! ```text
//! hot          instructions that cannot stop
//! run          all others: fuel, safepoints, ends of a slice, throws
//! arithmetic   operators on numbers and text
//! objects      making, reading and writing objects, iteration
//! calls        methods, spawning, awaiting
//! ```
//!
//! What can stop an instruction is an `Err` of [`Stop`]. An instruction allocates before
//! it changes anything, so that one that found no memory can simply run again.

mod arithmetic;
mod calls;
mod hot;
mod objects;
mod run;

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, MapStoreError, Mutator, NeedsMemory, Slot, Value};

use crate::program::LoadedProgram;
use crate::slice::SliceEnd;
use crate::stack::Registers;

pub(crate) use objects::key;
pub(crate) use run::run;

/// What instructions of one slice share.
pub(crate) struct Context<'p, C: Checks> {
    pub(crate) m: Mutator<'p, C>,
    pub(crate) program: &'p LoadedProgram,
    pub(crate) exchange: &'p Slot,
    pub(crate) max_frames: usize,
    pub(crate) is_cancel_requested: bool,
    /// The longest text that could become a string of this heap, in bytes.
    pub(crate) text_bytes_max: usize,
}

/// Why an instruction did not simply end.
#[derive(Debug)]
pub(crate) enum Stop<'p> {
    /// It throws an error of this kind, with this payload.
    Raise(ErrorKind, Value<'p>),
    /// It throws this value.
    Throw(Value<'p>),
    /// It found no memory: no effect, no cost.
    NeedsMemory(NeedsMemory),
    /// A safepoint was taken: no effect, no cost.
    Safepoint,
    /// It is executed and ends the slice.
    End(SliceEnd),
    /// It must wait: no cost, it runs again.
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

    /// The start of an instruction that allocates: ends the slice if somebody asked for
    /// it. Without it a collector would wait for as long as a machine only allocates.
    #[inline(always)]
    pub(crate) fn safepoint(&self, safepoint: Safepoint) -> Result<(), Stop<'p>> {
        if self.m.is_poll_requested() && !safepoint.is_passed {
            return Err(Stop::Safepoint);
        }
        Ok(())
    }

    /// The function that a call of `callee` with `argc` arguments enters.
    pub(crate) fn callable(&self, callee: Value<'p>, argc: usize) -> Result<u16, ErrorKind> {
        let function = self
            .m
            .closure_function(callee)
            .ok_or(ErrorKind::NotCallable)?;
        let arity = self.program.program().functions[usize::from(function)].arity;
        if usize::from(arity) == argc {
            Ok(function)
        } else {
            Err(ErrorKind::WrongArity)
        }
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
