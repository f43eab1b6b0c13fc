//! A slice in execution: its begin, the run loop, and what comes after the last frame.

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, NeedsMemory, Value};
use gcrucible_platform::planted;

use crate::exception::{Thrown, Unwound};
use crate::frame::{Frame, Operation};
use crate::interpreter::{Context, Effects, Stop, Takes, run};
use crate::live_frames::LiveFrames;
use crate::roots::ROOTS;
use crate::scope::{Interrupt, ScopeKind, Scopes};
use crate::slice::{SliceEnd, SliceInput};
use crate::vm::{HANDLER_TIMEOUT_MS, Start, State, Vm};

/// A slice in execution.
pub(crate) struct Slice<'p, 's, C: Checks> {
    pub(crate) vm: &'p Vm,
    pub(crate) cx: Context<'p, C>,
    pub(crate) effects: Effects,
    pub(crate) state: &'s mut State,
    pub(crate) left: u32,
    /// Instructions executed.
    pub(crate) executed: u32,
    pub(crate) delivered: bool,
    pub(crate) interrupted: bool,
}

impl<'p, C: Checks> Slice<'p, '_, C> {
    /// Runs it to its end.
    pub(crate) fn run(&mut self, input: &SliceInput) -> SliceEnd {
        if let Err(end) = self.begin(input) {
            return end;
        }
        loop {
            if self.state.control.frames.is_empty() {
                match self.enter() {
                    Ok(()) => {}
                    Err(end) => return end,
                }
            }
            let is_passed = std::mem::take(&mut self.state.is_safepoint_passed);
            let ended = run(
                &self.cx,
                &mut self.state.control,
                &mut self.effects,
                self.left,
                is_passed,
            );
            if ended.end == (SliceEnd::AwaitMany { drain: true }) {
                self.state.control.scopes.begin_draining(self.cx.now_ms);
            }
            let is_first = ended.executed == 0;
            self.left = ended.left;
            self.executed += ended.executed;
            self.state.takes = ended.takes;
            self.state.is_safepoint_passed = match ended.end {
                SliceEnd::Safepoint => true,
                // The instruction runs again, and its safepoint is behind it.
                SliceEnd::NeedsMemory { .. } => is_passed && is_first,
                _ => false,
            };
            match ended.end {
                SliceEnd::Returned if self.goes_on() => {}
                end @ (SliceEnd::Returned | SliceEnd::Threw) => {
                    self.end();
                    return end;
                }
                end => return end,
            }
        }
    }

    /// What comes before the first instruction, in the order that [`SliceInput`] says.
    fn begin(&mut self, input: &SliceInput) -> Result<(), SliceEnd> {
        let ended = self.take_exchange(input);
        let scopes = &mut self.state.control.scopes;
        scopes.end_draining(self.cx.now_ms);
        scopes.note_failures(&self.cx, &mut self.effects, &input.failed_squads);
        if let Some(signal) = &input.interrupt {
            self.interrupt(signal)?;
        }
        let control = &self.state.control;
        let is_draining = self.vm.is_draining(control);
        let is_refused = is_draining || !control.scopes.interrupts.is_empty();
        let scopes = &mut self.state.control.scopes;
        if input.deliver == Some(ErrorKind::OutOfMemory) {
            scopes.note_no_memory(self.cx.now_ms);
        }
        if !is_draining {
            scopes.mark_cuts(self.cx.now_ms);
        }
        match input.deliver {
            Some(ErrorKind::Cancelled) if is_refused => {}
            Some(kind) => {
                let delivered = self.deliver(kind, input.deliver_message.as_deref());
                // Its error found no memory: it stands at the operation until that is thrown,
                // whatever comes first.
                if let Err(SliceEnd::NeedsMemory { .. }) = delivered
                    && kind == ErrorKind::HostError
                    && !planted!(B305)
                {
                    self.state.control.operation = ended;
                }
                delivered?;
            }
            None => {}
        }
        // Each throw may lead to the end of a squad, which neither of them disturbs.
        for check in [Scopes::check_cut, Scopes::check_due] {
            if !self.vm.is_draining(&self.state.control) {
                let scopes = &mut self.state.control.scopes;
                if let Err(stop) = check(scopes, &self.cx, &mut self.effects) {
                    self.throw_at(stop)?;
                }
            }
        }
        match self.state.control.operation {
            Some(_) => Err(SliceEnd::Resume),
            None => Ok(()),
        }
    }

    /// Stores what the engine left in the exchange slot where it belongs. Gives the operation that
    /// is over with that.
    fn take_exchange(&mut self, input: &SliceInput) -> Option<Operation> {
        let control = &mut self.state.control;
        match std::mem::replace(&mut self.state.takes, Takes::Nothing) {
            Takes::Future { register, detached } => {
                let future = self.cx.m.load_root(&self.vm.exchange);
                control.registers::<C>().set(&self.cx.m, register, future);
                self.vm.exchange.clear();
                match future.is_nil() {
                    _ if detached => {}
                    true => control.scopes.forget_spawned(&self.cx),
                    false => control.scopes.note_spawned(&self.cx, future),
                }
                None
            }
            Takes::Nothing => {
                let ended = control.operation.take_if(|_| input.operation_over);
                if let Some(register) = ended.as_ref().and_then(|operation| operation.result) {
                    let registers = control.registers::<C>();
                    registers.slot(register).take_from(&self.vm.exchange);
                }
                self.vm.exchange.clear();
                ended
            }
        }
    }

    /// Pushes a frame of the program's interrupt function, if the signal can be dispatched.
    fn interrupt(&mut self, signal: &str) -> Result<(), SliceEnd> {
        let program = self.vm.realm.program();
        let control = &mut self.state.control;
        let is_running = control
            .scopes
            .interrupts
            .iter()
            .any(|at| at.signal == signal);
        let Some(function) = program.interrupt else {
            return Ok(());
        };
        if !self.vm.options.is_root || control.frames.is_empty() || is_running {
            return Ok(());
        }
        let text = self.cx.m.string(signal).map_err(needs_memory)?;
        // The handler has its own; what it interrupts begins anew behind it.
        self.cx.work.forget();
        control.scopes.interrupts.push(Interrupt {
            signal: signal.to_owned(),
            frames: control.frames.len(),
            handlers: control.handlers.len(),
            completions: control.completions.len(),
            scopes: control.scopes.scopes.len(),
            operation: control.operation.take(),
        });
        let registers = program.functions[usize::from(function)].registers;
        control.call_bare(function, registers, 0);
        control.top().flags = Frame::INTERRUPT;
        let end_ms = self.cx.now_ms.saturating_add(HANDLER_TIMEOUT_MS);
        let at_ms = (!planted!(B89)).then_some(end_ms);
        control.push_scope(at_ms, ScopeKind::Interrupt);
        let registers = control.registers::<C>();
        registers
            .callee()
            .copy_from(self.vm.program().function(function));
        registers.set(&self.cx.m, 0, text);
        self.state.is_safepoint_passed = false;
        self.interrupted = true;
        Ok(())
    }

    /// Throws an error for the engine.
    fn deliver(&mut self, kind: ErrorKind, message: Option<&str>) -> Result<(), SliceEnd> {
        let error = match message {
            None => self.cx.error(kind, Value::NIL),
            Some(message) => self.cx.error_saying(kind, message, Value::NIL),
        };
        let error = error.map_err(needs_memory)?;
        self.delivered = true;
        self.throw_at(Stop::Throw(error))
    }

    /// Throws where the machine stands, at no cost. The end of the slice if nobody catches
    /// it, or if the machine then stands at an operation.
    fn throw_at(&mut self, stop: Stop<'p>) -> Result<(), SliceEnd> {
        let value = match stop {
            Stop::Throw(value) => value,
            Stop::NeedsMemory(needs) => return Err(needs_memory(needs)),
            _ => unreachable!("a throw has its error"),
        };
        self.state.is_safepoint_passed = false;
        // What is thrown at an operation ends it, and is thrown by its instruction.
        if self.state.control.operation.take().is_some() {
            let top = self.state.control.top();
            top.pc = top.pc.saturating_sub(1);
        }
        let mut thrown = Thrown::from(value);
        let control = &mut self.state.control;
        match control.throw(&self.cx, &mut self.effects, &mut thrown) {
            Ok(Unwound::GoOn | Unwound::HandlerEnded) => Ok(()),
            Ok(Unwound::Uncaught) => {
                self.end();
                Err(SliceEnd::Threw)
            }
            Err(needs) => Err(needs_memory(needs)),
        }
    }

    /// A frame without a caller has returned: whether there is more to run.
    fn goes_on(&mut self) -> bool {
        if let Start::Init { next } = self.state.start {
            // The module's top level has ended.
            self.vm.realm.freeze_modules(next);
            if next < self.vm.realm.program().modules.len() {
                self.vm.exchange.clear();
                return true;
            }
        }
        let program = self.vm.realm.program();
        let Some(finish) = program.finish else {
            return false;
        };
        if self.state.is_finishing || self.vm.locals.is_nil() {
            return false;
        }
        self.state.is_finishing = true;
        self.effects.finishing = true;
        self.state.control.enter(program, finish);
        let registers = self.state.control.registers::<C>();
        registers
            .callee()
            .copy_from(self.vm.program().function(finish));
        registers.slot(0).take_from(&self.vm.exchange);
        true
    }

    /// Overwrites the registers that no frame reads again: what reads one all the same takes for
    /// alive what the map of live registers calls dead.
    pub(crate) fn poison_dead(&self) {
        let control = &self.state.control;
        let mut poisoned = 0;
        for (frame, alive) in LiveFrames::of(control, &self.vm.realm.program().functions) {
            let slots = control.stack.frame(frame.base as usize, frame.registers);
            for (register, slot) in (0..=Reg::MAX).zip(&slots[1..]) {
                if !alive.has(register) {
                    slot.poison(ROOTS);
                    poisoned += 1;
                }
            }
        }
        self.cx.m.heap().note_poisoned(poisoned);
    }

    /// Nothing is left to run.
    fn end(&mut self) {
        self.state.start = Start::None;
        self.state.is_finishing = false;
        self.vm.locals.clear();
    }

    /// Pushes the frame of what is to be started.
    fn enter(&mut self) -> Result<(), SliceEnd> {
        let program = self.vm.realm.program();
        let m = &self.cx.m;
        match &mut self.state.start {
            Start::None => unreachable!("a slice needs something to run"),
            Start::Init { next } => {
                let init = program.modules[*next].init;
                *next += 1;
                self.state.control.enter(program, init);
                let registers = self.state.control.registers::<C>();
                registers
                    .callee()
                    .copy_from(self.vm.program().function(init));
                Ok(())
            }
            Start::Call { callee, args } => {
                match self.cx.callable(m.load_root(callee), args.len()) {
                    Ok(entered) => {
                        self.state.control.enter(program, entered.function);
                        let registers = self.state.control.registers::<C>();
                        m.store(registers.callee(), entered.closure);
                        let shift = usize::from(entered.receiver.is_some());
                        let parameters = registers.range(0, shift + args.len());
                        if let Some(receiver) = entered.receiver {
                            m.store(&parameters[0], receiver);
                        }
                        for (parameter, arg) in parameters[shift..].iter().zip(args) {
                            parameter.take_from(arg);
                        }
                        self.state.start = Start::None;
                        Ok(())
                    }
                    Err(kind) => {
                        let callee = m.load_root(callee);
                        let error = self.cx.refused(kind, callee, args.len());
                        let error = error.map_err(needs_memory)?;
                        self.throw_at(Stop::Throw(error))
                    }
                }
            }
        }
    }
}

fn needs_memory(needs: NeedsMemory) -> SliceEnd {
    SliceEnd::NeedsMemory { words: needs.words }
}
