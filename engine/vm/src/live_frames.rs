//! Which registers of a machine's frames are alive.
//!
//! A frame can go on at its next instruction, at the target of a handler that it has open, and
//! where a completion of it resumes. What is alive at any of these is alive in it
//! ([`gcrucible_bytecode::live`] has the argument).

use gcrucible_bytecode::{Function, Reg, RegisterSet};
use gcrucible_platform::planted;

use crate::exception::CompletionKind;
use crate::frame::{Control, Frame};

/// Goes over the frames of a machine from the top one down, each with its registers that are
/// alive.
pub(crate) struct LiveFrames<'c> {
    control: &'c Control,
    functions: &'c [Function],
    /// Frames that are still to come.
    frames: usize,
    /// Handlers of these.
    handlers: usize,
    /// Completions of these.
    completions: usize,
    /// The register of the next frame that gets the result of the one above.
    result: Option<Reg>,
}

impl<'c> LiveFrames<'c> {
    pub(crate) fn of(control: &'c Control, functions: &'c [Function]) -> Self {
        LiveFrames {
            control,
            functions,
            frames: control.frames.len(),
            handlers: control.handlers.len(),
            completions: control.completions.len(),
            result: None,
        }
    }
}

impl Iterator for LiveFrames<'_> {
    type Item = (Frame, RegisterSet);

    fn next(&mut self) -> Option<Self::Item> {
        let depth = self.frames;
        self.frames = depth.checked_sub(1)?;
        let frame = self.control.frames[self.frames];
        let function = &self.functions[usize::from(frame.function)];
        let mut alive = alive_at(function, frame.pc, self.result);
        // What is interrupted goes on where it stands; a caller waits for a result.
        let is_called = frame.flags & (Frame::INTERRUPT | Frame::BOTTOM) == 0
            || planted!(B294, frame.flags & Frame::INTERRUPT != 0);
        self.result = is_called.then_some(frame.result);
        while let Some(handler) = self
            .handlers
            .checked_sub(1)
            .map(|at| &self.control.handlers[at])
            && handler.frames as usize >= depth
        {
            self.handlers -= 1;
            let caught = alive_at(function, handler.target, handler.kind.register());
            if !planted!(B160a, caught.first_beyond(&alive).is_some()) {
                alive.add_all(&caught);
            }
        }
        while let Some(completion) = self
            .completions
            .checked_sub(1)
            .map(|at| &self.control.completions[at])
            && completion.depth as usize >= depth
        {
            self.completions -= 1;
            let resumed = match completion.kind {
                CompletionKind::Resume { pc } => alive_at(function, pc, None),
                CompletionKind::ResumeWith { pc, register, .. } => {
                    alive_at(function, pc, Some(register))
                }
                CompletionKind::Throw { .. } => continue,
            };
            if !planted!(B160b, resumed.first_beyond(&alive).is_some()) {
                alive.add_all(&resumed);
            }
        }
        Some((frame, alive))
    }
}

/// What is alive where a function goes on at `pc` with `written` written.
fn alive_at(function: &Function, pc: u32, written: Option<Reg>) -> RegisterSet {
    let mut alive = function.live.at(function.registers, pc as usize);
    if let Some(register) = written {
        alive.remove(register);
    }
    alive
}
