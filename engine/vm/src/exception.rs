//! Throwing: handlers, completions, unwinding, traces.
//!
//! A handler remembers how deep frames, completions and scopes were when it was pushed; the
//! registers in use follow from the frames. A throw restores them all (I-9). A completion
//! says how to go on behind a `finally` block, and holds the value that is in flight
//! through it, with its trace.
//!
//! Besides handlers, two kinds of frames stop a throw: that of a step whose budget is spent,
//! as its boundary says, and that of an interrupt handler, below which nothing is unwound.

use gcrucible_bytecode::{Boundary, ErrorKind, Op, Reg};
use gcrucible_heap::{Checks, Kind, NeedsMemory, Slot, Value};
use gcrucible_platform::planted;

use crate::display::write_display;
use crate::frame::{Control, Frame};
use crate::interpreter::{Context, Effects};
use crate::roots::ROOTS;
use crate::scope::{Cut, Leaving, ScopeKind};

/// Where a value was thrown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// Function and instruction of each frame, innermost first.
    pub(crate) frames: Vec<(u16, u32)>,
    /// The future that failed with it, if it came with an await of that.
    pub(crate) failed: Option<u64>,
}

/// Where a throw goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    /// Frames at the push: the handler's frame is the last of them.
    pub(crate) frames: u32,
    /// Completions at the push.
    completions: u32,
    /// Scopes at the push.
    scopes: u32,
    pub(crate) target: u32,
    pub(crate) kind: HandlerKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum HandlerKind {
    /// The value is stored in the register.
    Catch(Reg),
    /// The same, for values of a type only.
    CatchIf(Reg, u16),
    /// The value goes into a completion.
    Finally,
}

/// How to go on behind a `finally` block.
#[derive(Debug)]
pub(crate) struct Completion {
    /// Number of frames up to and including that of the block.
    pub(crate) depth: u32,
    pub(crate) kind: CompletionKind,
}

#[derive(Debug)]
pub(crate) enum CompletionKind {
    /// Go on at the instruction.
    Resume { pc: u32 },
    /// Put the value back into the register and go on at the instruction.
    ResumeWith { pc: u32, register: Reg, value: Slot },
    /// Throw the value on.
    Throw { value: Slot, trace: Trace },
}

impl HandlerKind {
    /// The register that gets what is caught.
    pub(crate) fn register(self) -> Option<Reg> {
        match self {
            HandlerKind::Catch(register) | HandlerKind::CatchIf(register, _) => Some(register),
            HandlerKind::Finally => None,
        }
    }
}

impl Completion {
    /// The value in flight.
    pub(crate) fn value(&self) -> Option<&Slot> {
        match &self.kind {
            CompletionKind::Resume { .. } => None,
            CompletionKind::ResumeWith { value, .. } | CompletionKind::Throw { value, .. } => {
                Some(value)
            }
        }
    }
}

/// A value on its way to a handler.
#[derive(Debug)]
pub(crate) struct Thrown<'p> {
    pub(crate) value: Value<'p>,
    /// Its trace, if it was thrown before and passed a `finally` block.
    pub(crate) trace: Option<Trace>,
    /// The future that failed with it, if this is an await of that.
    pub(crate) failed: Option<u64>,
}

impl<'p> From<Value<'p>> for Thrown<'p> {
    /// One that is thrown for the first time.
    fn from(value: Value<'p>) -> Self {
        Thrown {
            value,
            trace: None,
            failed: None,
        }
    }
}

/// Where a throw went.
#[derive(Debug)]
pub(crate) enum Unwound {
    /// The top frame goes on.
    GoOn,
    /// An interrupt handler has ended; the frame below goes on.
    HandlerEnded,
    /// Nobody caught it: no frame is left.
    Uncaught,
}

/// What stops a throw.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Index of a handler.
    Handler(usize),
    /// Index of the scope of a step.
    Boundary(usize, Boundary),
    /// The innermost interrupt handler's frame.
    Interrupt,
    Nothing,
}

impl Control {
    /// Pushes a handler of the running frame.
    pub(crate) fn push_handler(&mut self, kind: HandlerKind, target: u32) {
        self.handlers.push(Handler {
            frames: self.frames.len() as u32,
            completions: self.completions.len() as u32,
            scopes: self.scopes.scopes.len() as u32,
            target,
            kind,
        });
    }

    /// Pushes a completion of the running frame.
    pub(crate) fn push_completion(&mut self, kind: CompletionKind) {
        let depth = self.frames.len() as u32;
        self.completions.push(Completion { depth, kind });
    }

    /// Throws a value: unwinds to what stops it, hands it over there and sets the next
    /// instruction. The top frame's is that which throws.
    ///
    /// # Errors
    /// When the error that an escalating step makes of it finds no memory. Nothing has
    /// changed then.
    #[cold]
    pub(crate) fn throw<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
        thrown: &mut Thrown<'p>,
    ) -> Result<Unwound, NeedsMemory> {
        loop {
            let target = self.target(cx, thrown.value);
            let escalated = match target {
                Target::Boundary(index, Boundary::Escalate) => {
                    Some(self.escalated(cx, index, thrown.value)?)
                }
                _ => None,
            };
            self.thrown += 1;
            cx.work.forget();
            // Taking the trace and unwinding go over the frames.
            cx.work.charge(self.frames.len() as u32 / 16);
            let is_caught = matches!(
                target,
                Target::Handler(index) if !matches!(self.handlers[index].kind, HandlerKind::Finally)
            );
            // A catch forgets it; then there is no need to take it.
            if !is_caught
                && !matches!(target, Target::Boundary(_, Boundary::Continue))
                && thrown.trace.is_none()
                && !planted!(B95a)
            {
                thrown.trace = Some(self.trace_of(thrown));
            }
            if planted!(B95b, is_caught && effects.trace.is_empty()) {
                effects.trace = self.trace();
            }
            match target {
                Target::Handler(index) => {
                    let trace = thrown.trace.take();
                    self.unwind_to_handler(cx, effects, index, thrown.value, trace);
                    return Ok(Unwound::GoOn);
                }
                Target::Boundary(index, _) => {
                    let result = self.unwind_to_step(cx, effects, index);
                    let Some(error) = escalated else {
                        self.registers().set(&cx.m, result, Value::NIL);
                        effects.skipped_steps += 1;
                        return Ok(Unwound::GoOn);
                    };
                    // The frame below is the one with the call of the step.
                    let top = self.top();
                    top.pc = top.pc.saturating_sub(1);
                    thrown.value = error;
                }
                Target::Interrupt => {
                    let mut line = "interrupt handler failed: ".to_owned();
                    let program = cx.program.program();
                    write_display(&cx.m, program, thrown.value, &mut line, cx.text_bytes_max);
                    effects.printed.push(line);
                    self.end_interrupt(cx, effects);
                    return Ok(Unwound::HandlerEnded);
                }
                Target::Nothing => {
                    self.drop_all(cx, effects);
                    let trace = thrown.trace.take().unwrap_or_default();
                    if !planted!(B95b, !effects.trace.is_empty()) {
                        effects.trace = trace.frames;
                    }
                    effects.failed = trace.failed;
                    cx.m.store(cx.exchange, thrown.value);
                    return Ok(Unwound::Uncaught);
                }
            }
        }
    }

    /// Drops everything that a task has: guards are released.
    pub(crate) fn drop_all<C: Checks>(&mut self, cx: &Context<'_, C>, effects: &mut Effects) {
        self.scopes.pop(cx, effects, 0, Leaving::Throw { depth: 0 });
        // A seeded bug may have left some.
        self.scopes.scopes.clear();
        self.handlers.clear();
        self.completions.clear();
        self.scopes.interrupts.clear();
        self.operation = None;
        self.drop_frames(0);
    }

    /// Ends the innermost interrupt handler, by its return or by a throw. What it interrupted
    /// goes on.
    pub(crate) fn end_interrupt<C: Checks>(&mut self, cx: &Context<'_, C>, effects: &mut Effects) {
        let Some(interrupt) = self.scopes.interrupts.last() else {
            return;
        };
        let depth = interrupt.frames as u32;
        let (frames, scopes) = (interrupt.frames, interrupt.scopes);
        self.handlers.truncate(interrupt.handlers);
        if !planted!(B221, self.completions.len() > interrupt.completions) {
            self.completions.truncate(interrupt.completions);
        }
        self.scopes
            .pop(cx, effects, scopes, Leaving::Throw { depth });
        self.drop_frames(frames);
        self.operation = self
            .scopes
            .interrupts
            .pop()
            .and_then(|ended| ended.operation);
    }

    /// What stops a throw of `value`.
    fn target<'p, C: Checks>(&self, cx: &Context<'p, C>, value: Value<'p>) -> Target {
        let (floor, lowest) = match self.scopes.interrupts.last() {
            Some(interrupt) => (interrupt.handlers, interrupt.frames),
            None => (0, 0),
        };
        let cut = self.scopes.cut();
        let mut found = None;
        for index in (floor..self.handlers.len()).rev() {
            if cut.is_some_and(|cut| index >= cut.handlers) && !self.drains(cx, index) {
                continue;
            }
            let takes = match self.handlers[index].kind {
                HandlerKind::Catch(_) => true,
                HandlerKind::CatchIf(_, type_id) => cx.is(value, type_id) || planted!(B84),
                HandlerKind::Finally => {
                    let is_cancelled = |(kind, _, _)| kind == ErrorKind::Cancelled as u8;
                    !planted!(B85, cx.m.error_parts(value).is_some_and(is_cancelled))
                }
            };
            if takes {
                found = Some(index);
                break;
            }
        }
        let depth = found.map_or(lowest as u32, |index| self.handlers[index].frames);
        if let Some(boundary) = self.boundary(cx, value, depth, cut) {
            return boundary;
        }
        match found {
            Some(index) => Target::Handler(index),
            None if !self.scopes.interrupts.is_empty() => Target::Interrupt,
            None => Target::Nothing,
        }
    }

    /// Whether a handler is that of a squad, which waits for the children.
    fn drains<C: Checks>(&self, cx: &Context<'_, C>, index: usize) -> bool {
        let handler = &self.handlers[index];
        let frame = (handler.frames as usize).checked_sub(1);
        let Some(frame) = frame.and_then(|frame| self.frames.get(frame)) else {
            return false;
        };
        let code = &cx.program.program().functions[usize::from(frame.function)].code;
        matches!(
            code.get(handler.target as usize),
            Some(Op::DrainSquad { .. })
        )
    }

    /// The innermost step deeper than `depth` frames that stops `value`, none inside of what was
    /// cut.
    fn boundary<'p, C: Checks>(
        &self,
        cx: &Context<'p, C>,
        value: Value<'p>,
        depth: u32,
        cut: Option<Cut>,
    ) -> Option<Target> {
        let exhausted = ErrorKind::StepExhausted as u8;
        let is_exhausted = |(kind, _, _)| kind == exhausted;
        if self.scopes.scopes.is_empty() || !cx.m.error_parts(value).is_some_and(is_exhausted) {
            return None;
        }
        let steps = &cx.program.program().steps;
        let scopes = self.scopes.scopes.iter().enumerate().rev();
        let mut deeper = scopes.take_while(|(_, scope)| scope.depth > depth);
        deeper.find_map(|(index, scope)| match scope.kind {
            _ if cut.is_some_and(|cut| cut.scope.is_none_or(|cut| cut < index)) => None,
            ScopeKind::Step { step, .. } if scope.has_thrown => {
                match steps[usize::from(step)].boundary {
                    Boundary::Fail => None,
                    boundary => Some(Target::Boundary(index, boundary)),
                }
            }
            _ => None,
        })
    }

    /// The error that an escalating step makes of one that reached its frame.
    fn escalated<'p, C: Checks>(
        &self,
        cx: &Context<'p, C>,
        scope: usize,
        error: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        let ScopeKind::Step { step, caller, .. } = self.scopes.scopes[scope].kind else {
            unreachable!("only steps have boundaries")
        };
        let text = cx.escalation(step, caller);
        cx.error_saying(ErrorKind::StepEscalated, &text, error)
    }

    fn unwind_to_handler<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
        index: usize,
        value: Value<'p>,
        trace: Option<Trace>,
    ) {
        let handler = self.handlers[index];
        self.handlers.truncate(index);
        let leaving = Leaving::Throw {
            depth: handler.frames,
        };
        self.scopes
            .pop(cx, effects, handler.scopes as usize, leaving);
        self.drop_frames(handler.frames as usize);
        self.completions.truncate(handler.completions as usize);
        let top = self.top();
        top.pc = handler.target;
        match handler.kind {
            HandlerKind::Catch(register) | HandlerKind::CatchIf(register, _) => {
                self.caught += 1;
                if planted!(B82) {
                    let count = usize::from(self.top().registers);
                    let slots = self.registers::<C>().range(0, count).iter().rev();
                    let kind = |slot: &Slot| cx.m.kind(cx.m.load_root(slot));
                    let mut iterators =
                        slots.filter(|slot| slot.is_object() && kind(slot) == Some(Kind::Iterator));
                    if let (Some(inner), Some(outer)) = (iterators.next(), iterators.next()) {
                        outer.copy_from(inner);
                    }
                }
                self.registers().set(&cx.m, register, value);
            }
            HandlerKind::Finally => {
                let in_flight = Slot::nil(ROOTS);
                cx.m.store(&in_flight, value);
                let trace = trace.unwrap_or_else(|| Trace {
                    frames: self.trace(),
                    failed: None,
                });
                self.push_completion(CompletionKind::Throw {
                    value: in_flight,
                    trace,
                });
            }
        }
    }

    /// Unwinds the frame of the step with this scope, and gives the register that its caller
    /// wants the result in.
    fn unwind_to_step<C: Checks>(
        &mut self,
        cx: &Context<'_, C>,
        effects: &mut Effects,
        scope: usize,
    ) -> Reg {
        let mut depth = self.scopes.scopes[scope].depth;
        if planted!(B88, depth < self.frames.len() as u32) {
            depth = self.frames.len() as u32;
        }
        while self.handlers.last().is_some_and(|at| at.frames >= depth) {
            self.handlers.pop();
        }
        while self.completions.last().is_some_and(|at| at.depth >= depth) {
            self.completions.pop();
        }
        let keep = self.scopes.above(depth);
        self.scopes
            .pop(cx, effects, keep, Leaving::Throw { depth: depth - 1 });
        let result = self.frames[depth as usize - 1].result;
        self.drop_frames(depth as usize - 1);
        result
    }

    /// Where a value is thrown now.
    fn trace_of(&self, thrown: &Thrown<'_>) -> Trace {
        Trace {
            frames: self.trace(),
            failed: thrown.failed,
        }
    }

    /// Where every frame stands: the top one at its next instruction, one that called at the
    /// call, one that was interrupted at its next instruction.
    pub(crate) fn trace(&self) -> Vec<(u16, u32)> {
        let mut trace = Vec::with_capacity(self.frames.len());
        let mut has_called = 0;
        for frame in self.frames.iter().rev() {
            trace.push((frame.function, frame.pc.saturating_sub(has_called)));
            has_called = u32::from(frame.flags & Frame::INTERRUPT == 0);
        }
        trace
    }
}
