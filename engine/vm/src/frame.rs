//! Frames, and the control state of a machine that they are part of.

use gcrucible_bytecode::{Program, Reg};
use gcrucible_heap::Checks;

use crate::exception::{Completion, Handler};
use crate::scope::Scopes;
use crate::stack::{Registers, Stack};

/// A function in execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Its first slot on the stack.
    pub(crate) base: u32,
    /// The next instruction; while the frame runs, the run loop has it.
    pub(crate) pc: u32,
    /// Index into the program's functions.
    pub(crate) function: u16,
    /// Number of its registers.
    pub(crate) registers: u8,
    /// The caller's register that gets the result.
    pub(crate) result: Reg,
    /// What is special about its return; zero if nothing is.
    pub(crate) flags: u8,
}

impl Frame {
    /// No caller waits for it.
    pub(crate) const BOTTOM: u8 = 1;
    /// It has scopes, or had some.
    pub(crate) const SCOPES: u8 = 2;
    /// It runs an interrupt handler.
    pub(crate) const INTERRUPT: u8 = 4;
}

/// A sleep or host operation that the machine stands at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// The register that gets what the engine leaves in the exchange slot.
    pub(crate) result: Option<Reg>,
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
    pub(crate) scopes: Scopes,
    /// What the machine stands at.
    pub(crate) operation: Option<Operation>,
    /// Whether every instruction goes to its own function.
    #[cfg(test)]
    pub(crate) is_without_hot_loop: bool,
    /// Values thrown in this slice.
    pub(crate) thrown: u32,
    /// Of these, values that a `catch` got.
    pub(crate) caught: u32,
}

impl Control {
    pub(crate) fn new(grace_ms: u64) -> Self {
        Control {
            stack: Stack::new(),
            frames: Vec::new(),
            handlers: Vec::new(),
            completions: Vec::new(),
            scopes: Scopes::new(grace_ms),
            operation: None,
            #[cfg(test)]
            is_without_hot_loop: false,
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
        self.stack.registers(frame.base as usize, frame.registers)
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
            flags: Frame::BOTTOM,
        });
    }

    /// Pushes a frame of `function` for the running frame, which calls it without arguments
    /// for the register `result`. Callee and parameters are nil.
    pub(crate) fn call_bare(&mut self, function: u16, registers: u8, result: Reg) {
        let base = self.stack.push(registers, None);
        self.frames.push(Frame {
            base,
            pc: 0,
            function,
            registers,
            result,
            flags: 0,
        });
    }

    /// Pushes a frame of `function` that the running frame calls: callee and `argc`
    /// arguments come from its registers from `callee` on, the result goes to `result`.
    /// Returns the frame's base.
    #[inline(always)]
    pub(crate) fn call(
        &mut self,
        function: u16,
        registers: u8,
        callee: Reg,
        argc: u8,
        result: Reg,
    ) -> usize {
        let from = self.top().base as usize + 1 + usize::from(callee);
        let base = self.stack.push(registers, Some((from, argc)));
        self.frames.push(Frame {
            base,
            pc: 0,
            function,
            registers,
            result,
            flags: 0,
        });
        base as usize
    }

    /// Pushes a frame of a method that the running frame calls: receiver and `argc` arguments
    /// come from its registers from `base` on, the result goes to `base`. The callee is nil.
    /// Returns the frame's base.
    #[inline(always)]
    pub(crate) fn call_method(
        &mut self,
        function: u16,
        registers: u8,
        base: Reg,
        argc: u8,
    ) -> usize {
        let from = self.top().base as usize + 1 + usize::from(base);
        let count = 1 + usize::from(argc);
        let frame = self.stack.push(registers, None);
        self.stack.copy(from, frame as usize + 1, count);
        self.frames.push(Frame {
            base: frame,
            pc: 0,
            function,
            registers,
            result: base,
            flags: 0,
        });
        frame as usize
    }

    /// Whether a frame with so many registers fits without growing anything.
    #[inline(always)]
    pub(crate) fn has_room(&self, registers: u8) -> bool {
        self.frames.len() < self.frames.capacity() && self.stack.has_room(registers)
    }

    /// Bytes that frames and what belongs to them take beyond what a new machine has. What was
    /// there at the peak is not kept.
    pub(crate) fn trim(&mut self) -> u64 {
        const KEPT: usize = 1024;
        let grown = self.stack.trim();
        if self.frames.capacity() > KEPT && self.frames.len() < self.frames.capacity() / 4 {
            self.frames.shrink_to(self.frames.capacity() / 2);
        }
        let frames = self.frames.capacity() * size_of::<Frame>();
        let handlers = self.handlers.capacity() * size_of::<Handler>();
        let completions = self.completions.capacity() * size_of::<Completion>();
        let scopes = self.scopes.bytes();
        (grown + frames + handlers + completions + scopes) as u64
    }

    /// Pops the running frame and returns it.
    #[inline(always)]
    pub(crate) fn leave(&mut self) -> Frame {
        let frame = self.frames.pop().expect("a running task has a frame");
        self.stack.truncate(frame.base as usize);
        frame
    }

    /// Drops all frames that are deeper than `depth` of them.
    pub(crate) fn drop_frames(&mut self, depth: usize) {
        if let Some(dropped) = self.frames.get(depth) {
            self.stack.truncate(dropped.base as usize);
            self.frames.truncate(depth);
        }
    }
}
