//! Throwing: handlers, completions, unwinding.
//!
//! A handler remembers how deep frames and completions were when it was pushed; the
//! registers in use follow from the frames. A throw restores both (I-9). A completion
//! says how to go on behind a `finally` block, and holds the value that is in flight
//! through it.

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, Mutator, Slot, Value};
use gcrucible_platform::seeded_bugs::{self, Bug};

use crate::frame::Control;

/// Where a throw goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    /// Frames at the push: the handler's frame is the last of them.
    frames: usize,
    /// Completions at the push.
    completions: usize,
    target: u32,
    kind: HandlerKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum HandlerKind {
    /// The value is stored in the register.
    Catch(Reg),
    /// The value goes into a completion.
    Finally,
}

/// How to go on behind a `finally` block.
#[derive(Debug)]
pub(crate) enum Completion {
    /// Go on at the instruction.
    Resume { pc: u32 },
    /// Put the value back into the register and go on at the instruction.
    ResumeWith { pc: u32, register: Reg, value: Slot },
    /// Throw the value on.
    Throw { value: Slot },
}

impl Completion {
    /// The value in flight.
    pub(crate) fn value(&self) -> Option<&Slot> {
        match self {
            Completion::Resume { .. } => None,
            Completion::ResumeWith { value, .. } | Completion::Throw { value } => Some(value),
        }
    }
}

impl Control {
    /// Pushes a handler of the running frame.
    pub(crate) fn push_handler(&mut self, kind: HandlerKind, target: u32) {
        self.handlers.push(Handler {
            frames: self.frames.len(),
            completions: self.completions.len(),
            target,
            kind,
        });
    }

    /// Throws `value`: unwinds to the innermost handler, stores or keeps the value and
    /// sets the frame's next instruction. False if there is no handler: then no frame is
    /// left.
    #[cold]
    pub(crate) fn throw<'p, C: Checks>(&mut self, m: &Mutator<'p, C>, value: Value<'p>) -> bool {
        self.thrown += 1;
        while let Some(handler) = self.handlers.pop() {
            // B-85: a cancellation goes past `finally` without running it.
            if matches!(handler.kind, HandlerKind::Finally) && skips_finally(m, value) {
                continue;
            }
            self.drop_frames(handler.frames);
            self.completions.truncate(handler.completions);
            self.top().pc = handler.target;
            match handler.kind {
                HandlerKind::Catch(register) => {
                    self.caught += 1;
                    self.registers().set(m, register, value);
                }
                HandlerKind::Finally => {
                    let in_flight = Slot::nil();
                    m.store(&in_flight, value);
                    self.completions
                        .push(Completion::Throw { value: in_flight });
                }
            }
            return true;
        }
        self.drop_frames(0);
        self.completions.clear();
        false
    }
}

/// Whether B-85 is on and `value` is a cancellation.
fn skips_finally<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>) -> bool {
    let is_cancelled = |(kind, _, _)| kind == ErrorKind::Cancelled as u8;
    if seeded_bugs::is_on(Bug::B85) && m.error_parts(value).is_some_and(is_cancelled) {
        seeded_bugs::note_triggered(Bug::B85);
        return true;
    }
    false
}
