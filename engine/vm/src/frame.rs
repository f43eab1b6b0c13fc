//! Frames, and the control state of a machine that they are part of.

use gcrucible_bytecode::{Program, Reg};
use gcrucible_heap::Checks;

use crate::exception::{Completion, Handler};
use crate::stack::{Registers, Stack};

/// A function in execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Its first slot on the stack.
    pub(crate) base: usize,
    /// The next instruction; while the frame runs, the run loop has it.
    pub(crate) pc: u32,
    /// Index into the program's functions.
    pub(crate) function: u16,
    /// Number of its registers.
    pub(crate) registers: u8,
    /// The caller's register that gets the result.
    pub(crate) result: Reg,
}

/// Everything that calls and throws change: where a task stands.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) stack: Stack,
    /// Outermost first.
    pub(crate) frames: Vec<Frame>,
    /// Innermost last, of all frames.
    pub(crate) handlers: Vec<Handler>,
    /// Innermost last, of all frames.
    pub(crate) completions: Vec<Completion>,
    /// Values thrown in this slice.
    pub(crate) thrown: u32,
    /// Of these, values that a `catch` got.
    pub(crate) caught: u32,
}

impl Control {
    pub(crate) fn new() -> Self {
        Control {
            stack: Stack::new(),
            frames: Vec::new(),
            handlers: Vec::new(),
            completions: Vec::new(),
            thrown: 0,
            caught: 0,
        }
    }

    /// The running frame.
    #[inline(always)]
    pub(crate) fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a running task has a frame")
    }

    /// The registers of the running frame.
    #[inline(always)]
    pub(crate) fn registers<C: Checks>(&self) -> Registers<'_, C> {
        let frame = self.frames.last().expect("a running task has a frame");
        self.stack.registers(frame.base, frame.registers)
    }

    /// Pushes a frame of `function` for which no caller waits. Callee and arguments are
    /// nil.
    pub(crate) fn enter(&mut self, program: &Program, function: u16) {
        let registers = program.functions[usize::from(function)].registers;
        let base = self.stack.push(registers, None);
        self.frames.push(Frame {
            base,
            pc: 0,
            function,
            registers,
            result: 0,
        });
    }

    /// Pushes a frame of `function` that the running frame calls: callee and `argc`
    /// arguments come from its registers from `callee` on, the result goes to `result`.
    #[inline(always)]
    pub(crate) fn call(
        &mut self,
        function: u16,
        registers: u8,
        callee: Reg,
        argc: u8,
        result: Reg,
    ) {
        let from = self.top().base + 1 + usize::from(callee);
        let base = self.stack.push(registers, Some((from, argc)));
        self.frames.push(Frame {
            base,
            pc: 0,
            function,
            registers,
            result,
        });
    }

    /// Whether a frame with so many registers fits without growing anything.
    #[inline(always)]
    pub(crate) fn has_room(&self, registers: u8) -> bool {
        self.frames.len() < self.frames.capacity() && self.stack.has_room(registers)
    }

    /// Pops the running frame and returns it.
    #[inline(always)]
    pub(crate) fn leave(&mut self) -> Frame {
        let frame = self.frames.pop().expect("a running task has a frame");
        self.stack.truncate(frame.base);
        frame
    }

    /// Drops all frames that are deeper than `depth` of them.
    pub(crate) fn drop_frames(&mut self, depth: usize) {
        if let Some(dropped) = self.frames.get(depth) {
            self.stack.truncate(dropped.base);
            self.frames.truncate(depth);
        }
    }
}
