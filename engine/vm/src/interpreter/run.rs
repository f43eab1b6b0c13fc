//! The run loop: fuel, the hot loop, and one instruction at a time of what that declines.

use std::ops::ControlFlow;

use gcrucible_bytecode::{Function, Op, Reg};
use gcrucible_heap::{Checks, NeedsMemory, Slot, Value};
use gcrucible_platform::planted;

use super::calls::Callee;
use super::hot::{Limits, Position, run_hot};
use super::{Context, Effects, Safepoint, Stop, site};
use crate::exception::{CompletionKind, Thrown, Trace, Unwound};
use crate::feedback::Site;
use crate::frame::Control;
use crate::roots::ROOTS;
use crate::slice::SliceEnd;
use crate::stack::Registers;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) end: SliceEnd,
    /// Fuel that is left.
    pub(crate) left: u32,
    /// Instructions executed. They and the work charged for make up the fuel that is spent.
    pub(crate) executed: u32,
    /// What the next slice does with what the engine leaves in the exchange slot.
    pub(crate) takes: Takes,
}

/// What a machine waits for in the exchange slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// The future of a spawned call goes to the register; the scopes hear of it unless it is
    /// detached.
    Future {
        register: Reg,
        detached: bool,
    },
}

/// Where an instruction that was executed leads.
#[derive(Debug)]
pub(super) enum Flow {
    /// To the one behind it.
    Next,
    /// Past that one.
    Skip,
    /// To that instruction of the function.
    Goto(u32),
    /// Into the frame that it has pushed.
    Enter,
    /// To where the top frame stands.
    Resume,
    /// To the one behind it, in a later slice.
    End(SliceEnd, Takes),
    /// Out of the slice; where the frames stand is right already, or there are none.
    Over(SliceEnd),
}

/// What an instruction comes to.
pub(super) type Executed<'p> = Result<Flow, Stop<'p>>;

/// A run in execution. Its methods in [`instruction`](super::instruction) are the instructions,
/// one each.
pub(super) struct Run<'r, 'p, C: Checks> {
    pub(super) cx: &'r Context<'p, C>,
    pub(super) control: &'r mut Control,
    pub(super) effects: &'r mut Effects,
    functions: &'p [Function],
    /// The function of the instruction in execution.
    pub(super) function: u16,
    /// The instruction behind it.
    pub(super) pc: usize,
    /// The fuel that was given.
    given: u32,
    /// The same, lowered by what is charged, as `left` is: their difference is the instructions
    /// executed.
    fuel: u32,
    left: u32,
    /// Instructions that the task had executed before.
    executed_before: u64,
    /// Whether the safepoint of the first instruction has been taken.
    is_passed: bool,
}

/// Executes instructions of the running frame, and of those it calls, until the slice
/// ends. `left` is the fuel; `is_passed` says that the safepoint of the first instruction
/// has been taken.
pub(crate) fn run<'p, C: Checks>(
    cx: &Context<'p, C>,
    control: &mut Control,
    effects: &mut Effects,
    left: u32,
    is_passed: bool,
) -> Ended {
    let executed_before = control.scopes.executed;
    let mut run = Run {
        functions: cx.program.program().functions.as_slice(),
        function: 0,
        pc: control.top().pc as usize,
        given: left,
        fuel: left,
        left,
        executed_before,
        is_passed,
        cx,
        control,
        effects,
    };
    let mut ended = run.go_to_the_end();
    ended.left = ended.left.saturating_sub(cx.work.take());
    control.scopes.executed = executed_before + u64::from(ended.executed);
    ended
}

impl<'p, C: Checks> Run<'_, 'p, C> {
    fn go_to_the_end(&mut self) -> Ended {
        loop {
            self.take_charged();
            let is_out = self.run_hot();
            if is_out {
                match self.out_of_fuel() {
                    ControlFlow::Break(ended) => return ended,
                    ControlFlow::Continue(Next::Loop) => continue,
                    ControlFlow::Continue(Next::Instruction) => {}
                }
            }
            let op = self.op();
            self.left -= 1;
            self.pc += 1;
            match self.execute(op) {
                Ok(Flow::Next) => {}
                Ok(Flow::Skip) => self.pc += 1,
                Ok(Flow::Goto(target)) => self.pc = target as usize,
                Ok(Flow::Enter) => self.pc = 0,
                Ok(Flow::Resume) => self.pc = self.control.top().pc as usize,
                Ok(Flow::End(end, takes)) => {
                    self.control.top().pc = self.pc as u32;
                    return Ended {
                        takes,
                        ..self.ended(end)
                    };
                }
                Ok(Flow::Over(end)) => return self.ended(end),
                Err(stop) => {
                    if let ControlFlow::Break(ended) = self.stopped(op, stop) {
                        return ended;
                    }
                }
            }
        }
    }

    /// Takes what was charged for work from the fuel.
    #[inline(always)]
    fn take_charged(&mut self) {
        let charged = self.cx.work.take();
        if charged > 0 {
            // Mostly nothing is.
            let charged = charged.min(self.left);
            self.fuel -= charged;
            self.left -= charged;
        }
    }

    /// Has the hot loop execute what it can. Whether it had no fuel for more.
    #[inline(always)]
    fn run_hot(&mut self) -> bool {
        let held_back = self.held_back();
        #[cfg(test)]
        if self.control.is_without_hot_loop {
            self.function = self.control.top().function;
            return self.left == held_back;
        }
        let limits = Limits {
            frames: if self.control.scopes.has_call_budget {
                0
            } else {
                self.cx.max_frames
            },
        };
        let position = Position {
            pc: self.pc,
            left: self.left - held_back,
        };
        let Position { pc, left } = run_hot(self.cx, self.control, position, limits);
        self.pc = pc;
        self.left = left + held_back;
        self.function = self.control.top().function;
        left == 0
    }

    /// How much of the fuel the hot loop must not use, because a step's instructions are spent
    /// before.
    #[inline(always)]
    fn held_back(&self) -> u32 {
        if self.control.scopes.instructions_end == u64::MAX {
            return 0;
        }
        self.held_back_for_steps()
    }

    fn held_back_for_steps(&self) -> u32 {
        if planted!(B73, self.fuel == 1) {
            return 0;
        }
        let end = self.control.scopes.instructions_end;
        let allowed = end.saturating_sub(self.executed());
        u64::from(self.left).saturating_sub(allowed) as u32
    }

    /// The hot loop has stopped for want of fuel: the slice ends, or a step that is spent throws,
    /// or the next instruction is executed all the same.
    #[cold]
    fn out_of_fuel(&mut self) -> ControlFlow<Ended, Next> {
        // What the hot loop had no fuel for is there for a step that is spent. Where work
        // took the fuel, such a step throws first, too, as it would with more of it: that
        // there is work to be charged for is nothing that a program sees.
        let executed = self.executed_before + u64::from(self.fuel);
        let is_over = executed >= self.control.scopes.instructions_end;
        let is_spent = self.left > 0 || self.fuel < self.given && is_over;
        let is_drain = matches!(self.op(), Op::DrainSquad { .. });
        if !is_spent || self.left == 0 && is_drain {
            self.control.top().pc = self.pc as u32;
            return ControlFlow::Break(self.ended(SliceEnd::Fuel));
        }
        if is_drain {
            return ControlFlow::Continue(Next::Instruction);
        }
        self.control.top().pc = self.pc as u32;
        self.control.scopes.executed = self.executed();
        let error = match self.cx.exhausted(&self.control.scopes) {
            Ok(error) => error,
            Err(NeedsMemory { words }) => {
                return ControlFlow::Break(self.ended(SliceEnd::NeedsMemory { words }));
            }
        };
        self.control.scopes.spend_instructions(self.cx.now_ms);
        let mut thrown = Thrown::from(error);
        let unwound = self.control.throw(self.cx, self.effects, &mut thrown);
        match unwound {
            Ok(unwound) => {
                self.go_on(&unwound)?;
                ControlFlow::Continue(Next::Loop)
            }
            Err(NeedsMemory { words }) => {
                ControlFlow::Break(self.ended(SliceEnd::NeedsMemory { words }))
            }
        }
    }

    /// Goes on where a throw led to.
    fn go_on(&mut self, unwound: &Unwound) -> ControlFlow<Ended> {
        match unwound {
            Unwound::Uncaught => return ControlFlow::Break(self.ended(SliceEnd::Threw)),
            Unwound::HandlerEnded if self.control.operation.is_some() => {
                return ControlFlow::Break(self.ended(SliceEnd::Resume));
            }
            Unwound::GoOn | Unwound::HandlerEnded => {}
        }
        self.pc = self.control.top().pc as usize;
        ControlFlow::Continue(())
    }

    /// What comes of an instruction that stopped. Nothing of it has happened yet, but of one that
    /// ended.
    fn stopped(&mut self, op: Op, stop: Stop<'p>) -> ControlFlow<Ended> {
        let mut trace = None;
        let thrown = match stop {
            Stop::End(end) => {
                self.control.top().pc = self.pc as u32;
                return ControlFlow::Break(self.ended(end));
            }
            Stop::Throw(value) => Ok(value),
            Stop::ThrowOn(value, taken) => {
                trace = Some(*taken);
                Ok(value)
            }
            Stop::Raise(kind, payload) => {
                let raised = self.here().raised(kind, payload, op, self.registers());
                raised.map_err(|NeedsMemory { words }| SliceEnd::NeedsMemory { words })
            }
            Stop::NeedsMemory(NeedsMemory { words }) => Err(SliceEnd::NeedsMemory { words }),
            Stop::Safepoint => Err(SliceEnd::Safepoint),
            Stop::Unfinished => Err(SliceEnd::Fuel),
            Stop::Wait(end) => {
                self.control.top().pc = self.pc as u32 - 1;
                return ControlFlow::Break(self.ended(end));
            }
        };
        self.control.top().pc = self.pc as u32 - 1;
        match thrown {
            Ok(value) => self.thrown(op, value, trace),
            Err(end) => self.not_executed(end),
        }
    }

    /// Throws a value for an instruction.
    #[cold]
    fn thrown(&mut self, op: Op, value: Value<'p>, trace: Option<Trace>) -> ControlFlow<Ended> {
        let failed = self.cx.failed_future(op, self.registers(), value);
        self.effects.seen.extend(failed);
        let mut thrown = Thrown {
            value,
            trace,
            failed,
        };
        let here = self.here();
        match self.control.throw(&here, self.effects, &mut thrown) {
            Ok(unwound) => self.go_on(&unwound),
            Err(NeedsMemory { words }) => {
                // The end of a `finally` block has taken its completion already.
                if let Some(trace) = thrown.trace {
                    let slot = Slot::nil(ROOTS);
                    self.cx.m.store(&slot, value);
                    let value = slot;
                    self.control
                        .push_completion(CompletionKind::Throw { value, trace });
                }
                self.not_executed(SliceEnd::NeedsMemory { words })
            }
        }
    }

    /// The slice ends, and the instruction has cost nothing.
    fn not_executed(&mut self, end: SliceEnd) -> ControlFlow<Ended> {
        self.left += 1;
        ControlFlow::Break(self.ended(end))
    }

    fn ended(&self, end: SliceEnd) -> Ended {
        Ended {
            end,
            left: self.left,
            executed: self.fuel - self.left,
            takes: Takes::Nothing,
        }
    }

    /// The next instruction.
    #[inline(always)]
    fn op(&self) -> Op {
        self.functions[usize::from(self.function)].code[self.pc]
    }

    /// The code of the running function.
    pub(super) fn code(&self) -> &'p [Op] {
        &self.functions[usize::from(self.function)].code
    }

    /// Instructions that the task has executed.
    #[inline(always)]
    fn executed(&self) -> u64 {
        self.executed_before + u64::from(self.fuel - self.left)
    }

    /// The registers of the running frame.
    #[inline(always)]
    pub(super) fn registers(&self) -> Registers<'_, C> {
        self.control.registers()
    }

    /// Reads a register.
    #[inline(always)]
    pub(super) fn get(&self, register: Reg) -> Value<'p> {
        self.registers().get(&self.cx.m, register)
    }

    /// Writes a register, and goes on.
    #[inline(always)]
    pub(super) fn set(&self, register: Reg, value: Value<'p>) -> Executed<'p> {
        self.registers().set(&self.cx.m, register, value);
        Ok(Flow::Next)
    }

    /// The same context, noting this instruction as the place of what it allocates.
    #[inline(always)]
    pub(super) fn here(&self) -> Context<'p, C> {
        Context {
            m: self.cx.m.at_site(site(self.function, self.pc - 1)),
            ..*self.cx
        }
    }

    /// The site of the instruction in execution, if there was a number for it.
    #[inline(always)]
    pub(super) fn site(&self) -> Option<&'p Site> {
        let program = self.cx.program;
        let op = program.entry(self.function).code[self.pc - 1];
        op.site().map(|site| program.site(site))
    }

    /// The safepoint of the instruction in execution.
    #[inline(always)]
    pub(super) fn safepoint(&self) -> Safepoint {
        Safepoint {
            is_passed: self.is_passed && self.left + 1 == self.fuel,
        }
    }

    /// Takes that safepoint, if somebody waits for it.
    #[inline(always)]
    pub(super) fn poll(&self) -> Result<(), Stop<'p>> {
        self.cx.safepoint(self.safepoint())
    }

    /// Whether one more call is allowed; the number of instructions executed is what a
    /// step that is entered counts from.
    #[inline(always)]
    pub(super) fn check_call(&mut self) -> Result<(), Stop<'p>> {
        self.control.scopes.executed = self.executed();
        let frames = self.control.frames.len();
        self.cx.check_call(frames, &mut self.control.scopes)
    }

    /// What a waiting instruction looks at before anything else.
    #[inline(always)]
    pub(super) fn check_wait(&mut self) -> Result<(), Stop<'p>> {
        let here = self.here();
        self.control.scopes.check_wait(&here, self.effects)
    }

    /// Enters a callee, its arguments in registers from `first` on.
    #[inline(always)]
    pub(super) fn enter(
        &mut self,
        callee: Callee<'p>,
        first: Reg,
        argc: u8,
        result: Reg,
    ) -> Executed<'p> {
        self.control.top().pc = self.pc as u32;
        self.cx.enter(self.control, callee, first, argc, result);
        Ok(Flow::Enter)
    }
}

/// What the run loop does without fuel.
enum Next {
    /// Goes round once more.
    Loop,
    /// Executes the next instruction.
    Instruction,
}
