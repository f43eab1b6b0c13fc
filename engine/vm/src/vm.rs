//! One task's machine.

use std::fmt;
use std::sync::{Arc, Weak};

use gcrucible_bytecode::{ErrorKind, Op};
use gcrucible_heap::{Checks, Heap, NeedsMemory, SharedPermit, Slot, Tlab, Value};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_platform::sync::Mutex;

use crate::exception::{Thrown, Unwound};
use crate::frame::{Control, Frame};
use crate::interpreter::{Context, Effects, Stop, Takes, run};
use crate::program::LoadedProgram;
use crate::scope::{Interrupt, ScopeKind};
use crate::slice::{SliceEnd, SliceInput, SliceOutcome};

/// A virtual machine: runs one call, or a program's initialisation, in slices.
///
/// Nothing of it is touched outside of slices but its [exchange slot](Vm::exchange).
pub struct Vm {
    pub(crate) task: u32,
    pub(crate) program: Arc<LoadedProgram>,
    pub(crate) tlab: Tlab,
    pub(crate) exchange: Slot,
    /// What belongs to the run of which this is the root.
    pub(crate) locals: Slot,
    pub(crate) state: Mutex<State>,
    options: VmOptions,
}

/// How a machine is made.
#[derive(Clone, Debug)]
pub struct VmOptions {
    /// A call that needs more frames (at least one) throws `StackOverflow`.
    pub max_frames: usize,
    /// Where the task's random numbers begin.
    pub seed: u64,
    /// What `sys.args()` gives.
    pub args: Arc<[String]>,
    /// Whether it is the root of a run: only then it has hooks and handles interrupts.
    pub is_root: bool,
}

impl Default for VmOptions {
    /// The root of a run, with [`Vm::MAX_FRAMES`].
    fn default() -> Self {
        VmOptions {
            max_frames: Vm::MAX_FRAMES,
            seed: 0,
            args: Arc::new([]),
            is_root: true,
        }
    }
}

/// What a machine keeps from slice to slice.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) control: Control,
    pub(crate) start: Start,
    /// What becomes of what the engine leaves in the exchange slot.
    takes: Takes,
    /// Whether the next instruction's safepoint has been taken.
    is_safepoint_passed: bool,
    /// Whether the bottom frame is that of the program's finish function.
    is_finishing: bool,
    /// The state of the task's random numbers.
    random: u64,
}

/// What is still to be started.
#[derive(Debug)]
pub(crate) enum Start {
    None,
    /// The initialisers of the modules from this one on.
    Init {
        next: usize,
    },
    Call {
        callee: Slot,
        args: Box<[Slot]>,
    },
}

/// Milliseconds that an interrupt handler may run.
pub const HANDLER_TIMEOUT_MS: u64 = 1000;

impl Vm {
    /// The most frames of a task, unless [`VmOptions`] say otherwise.
    pub const MAX_FRAMES: usize = 200;

    /// The most frames of a task in production.
    pub const MAX_FRAMES_PRODUCTION: usize = 10_000;

    /// A machine for `program`, registered with `heap`. Identity hashes of the objects
    /// that it sees first start at `task << 12`.
    pub fn new(heap: &Heap, program: Arc<LoadedProgram>, task: u32) -> Arc<Vm> {
        Self::with_options(heap, program, task, VmOptions::default())
    }

    /// The same, made to order.
    pub fn with_options(
        heap: &Heap,
        program: Arc<LoadedProgram>,
        task: u32,
        options: VmOptions,
    ) -> Arc<Vm> {
        let vm = Arc::new(Vm {
            task,
            program,
            tlab: Tlab::new(task << 12),
            exchange: Slot::nil(),
            locals: Slot::nil(),
            state: Mutex::new(State {
                control: Control::new(),
                start: Start::None,
                takes: Takes::Nothing,
                is_safepoint_passed: false,
                is_finishing: false,
                random: options.seed,
            }),
            options: VmOptions {
                max_frames: options.max_frames.max(1),
                ..options
            },
        });
        let weak: Weak<Vm> = Arc::downgrade(&vm);
        heap.add_provider(weak);
        vm
    }

    /// The program it runs.
    pub fn program(&self) -> &Arc<LoadedProgram> {
        &self.program
    }

    /// The slot through which machine and engine hand values to each other; see
    /// [`SliceEnd`].
    pub fn exchange(&self) -> &Slot {
        &self.exchange
    }

    /// Makes the next slices run all modules' initialisers in order.
    ///
    /// # Panics
    /// If the machine has something to run.
    pub fn start_init(&self) {
        self.start(Start::Init { next: 0 });
    }

    /// Makes the next slices call `callee`. Both it and the arguments are copied. The
    /// first slice throws `NotCallable` or `WrongArity` if they do not fit.
    ///
    /// # Panics
    /// If the machine has something to run.
    pub fn start_call(&self, callee: &Slot, args: &[Slot]) {
        let copy = |from: &Slot| {
            let slot = Slot::nil();
            slot.copy_from(from);
            slot
        };
        self.start(Start::Call {
            callee: copy(callee),
            args: args.iter().map(copy).collect(),
        });
    }

    fn start(&self, start: Start) {
        let mut state = self.state.lock();
        assert!(
            state.control.frames.is_empty(),
            "a machine runs one call at a time"
        );
        assert!(
            matches!(state.start, Start::None),
            "a machine is started once for a call"
        );
        state.start = start;
        state.is_safepoint_passed = false;
        self.exchange.clear();
        // B-87: the hooks of a run that failed run at the end of the next one.
        if self.options.is_root && seeded_bugs::is_on(Bug::B87) {
            self.locals.take_from(self.program.left_locals());
        }
    }

    /// Function and index of the next instruction of the top frame; of the first
    /// initialiser, or (0, 0), if there is none yet or no more.
    pub fn position(&self) -> (u16, u32) {
        let state = self.state.lock();
        if let Some(frame) = state.control.frames.last() {
            return (frame.function, frame.pc);
        }
        let module = match state.start {
            Start::Init { next } => self.program.program().modules.get(next),
            Start::None | Start::Call { .. } => None,
        };
        (module.map_or(0, |module| module.init), 0)
    }

    /// When the machine is to be woken from a wait: the earliest of its deadlines that has
    /// not thrown yet, in milliseconds since the engine began. None where it drains a squad.
    pub fn deadline(&self) -> Option<u64> {
        let state = self.state.lock();
        match self.is_draining(&state.control) {
            true => None,
            false => state.control.scopes.deadline(),
        }
    }

    /// What a task inherits that is spawned now and not detached: the earliest of the
    /// deadlines, thrown or not. The times of steps and interrupt handlers are not inherited.
    pub fn inheritable_deadline(&self) -> Option<u64> {
        self.state.lock().control.scopes.inheritable_deadline()
    }

    /// How many sleeps and host operations the machine stands at, those included in whose
    /// middle an interrupt handler runs.
    pub fn operations(&self) -> usize {
        let state = self.state.lock();
        let control = &state.control;
        let kept = control
            .scopes
            .interrupts
            .iter()
            .filter(|at| at.operation.is_some());
        kept.count() + usize::from(control.operation.is_some())
    }

    /// Whether a slice would dispatch this signal.
    pub fn can_dispatch(&self, signal: &str) -> bool {
        let state = self.state.lock();
        self.options.is_root
            && self.program.program().interrupt.is_some()
            && !state.control.frames.is_empty()
            && !state
                .control
                .scopes
                .interrupts
                .iter()
                .any(|at| at.signal == signal)
    }

    /// Drops everything that an aborted task has, at no further instruction: its guards are
    /// released. Returns the ids of the mutexes that changed.
    pub fn abandon<C: Checks>(&self, permit: &SharedPermit<'_>) -> Vec<u64> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let cx = self.context::<C>(permit, &SliceInput::default());
        let mut effects = Effects::default();
        state.control.drop_all(&cx, &mut effects);
        state.start = Start::None;
        state.takes = Takes::Nothing;
        self.exchange.clear();
        self.locals.clear();
        effects.changed
    }

    fn is_draining(&self, control: &Control) -> bool {
        let Some(frame) = control.frames.last() else {
            return false;
        };
        let code = &self.program.program().functions[usize::from(frame.function)].code;
        matches!(code.get(frame.pc as usize), Some(Op::DrainSquad { .. }))
    }

    fn context<'p, C: Checks>(
        &'p self,
        permit: &'p SharedPermit<'_>,
        input: &SliceInput,
    ) -> Context<'p, C> {
        Context {
            m: permit.mutator::<C>(&self.tlab),
            program: &self.program,
            exchange: &self.exchange,
            task: self.task,
            max_frames: self.options.max_frames,
            is_cancel_requested: input.cancel_requested,
            now_ms: input.now_ms,
            open_tasks: input.open_tasks,
            args: &self.options.args,
            locals: self.options.is_root.then_some(&self.locals),
            text_bytes_max: usize::try_from(permit.heap().config().limit_bytes)
                .unwrap_or(usize::MAX),
        }
    }

    /// Runs until something is to be decided by the engine.
    ///
    /// # Panics
    /// If there is nothing to run; in the checked copy also with a
    /// [`HeapFault`](gcrucible_heap::HeapFault) when a stale reference is met.
    pub fn run_slice<C: Checks>(
        &self,
        permit: &SharedPermit<'_>,
        input: SliceInput,
    ) -> SliceOutcome {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        assert!(
            !state.control.frames.is_empty() || !matches!(state.start, Start::None),
            "a slice needs something to run"
        );
        state.control.thrown = 0;
        state.control.caught = 0;
        state.control.scopes.inherited_deadline = input.inherited_deadline;
        let mut slice = Slice {
            vm: self,
            cx: self.context::<C>(permit, &input),
            effects: Effects {
                random: state.random,
                ..Effects::default()
            },
            state,
            left: input.fuel,
            delivered: false,
            interrupted: false,
        };
        let end = slice.run(&input);
        let (left, delivered, interrupted) = (slice.left, slice.delivered, slice.interrupted);
        let effects = slice.effects;
        state.random = effects.random;
        SliceOutcome {
            end,
            instructions: input.fuel - left,
            delivered,
            interrupted,
            printed: effects.printed,
            thrown: state.control.thrown,
            caught: state.control.caught,
            changed: effects.changed,
            cancel: effects.cancel,
            interrupts: effects.interrupts,
            awaited: effects.awaited,
            host: effects.host,
            trace: effects.trace,
            skipped_steps: effects.skipped_steps,
            finishing: effects.finishing,
        }
    }
}

/// A slice in execution.
struct Slice<'p, 's, C: Checks> {
    vm: &'p Vm,
    cx: Context<'p, C>,
    effects: Effects,
    state: &'s mut State,
    left: u32,
    delivered: bool,
    interrupted: bool,
}

impl<'p, C: Checks> Slice<'p, '_, C> {
    fn run(&mut self, input: &SliceInput) -> SliceEnd {
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
            let is_first = ended.left == self.left;
            self.left = ended.left;
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
                    self.end(end);
                    return end;
                }
                end => return end,
            }
        }
    }

    /// What comes before the first instruction, in the order that [`SliceInput`] says.
    fn begin(&mut self, input: &SliceInput) -> Result<(), SliceEnd> {
        self.take_exchange(input);
        if let Some(signal) = &input.interrupt {
            self.interrupt(signal)?;
        }
        let control = &self.state.control;
        let is_draining = self.vm.is_draining(control);
        let is_refused = is_draining || !control.scopes.interrupts.is_empty();
        match input.deliver {
            Some(ErrorKind::Cancelled) if is_refused => {}
            Some(kind) => self.deliver(kind, input.deliver_message.as_deref())?,
            None => {}
        }
        if !self.vm.is_draining(&self.state.control) {
            let checked = self
                .state
                .control
                .scopes
                .check_due(&self.cx, &mut self.effects);
            if let Err(stop) = checked {
                self.throw_at(stop)?;
            }
        }
        match self.state.control.operation {
            Some(_) => Err(SliceEnd::Resume),
            None => Ok(()),
        }
    }

    /// Stores what the engine left in the exchange slot where it belongs.
    fn take_exchange(&mut self, input: &SliceInput) {
        let control = &mut self.state.control;
        match std::mem::replace(&mut self.state.takes, Takes::Nothing) {
            Takes::Future { register, detached } => {
                let future = self.cx.m.load_root(&self.vm.exchange);
                control.registers::<C>().set(&self.cx.m, register, future);
                self.vm.exchange.clear();
                if !detached {
                    control.scopes.note_spawned(&self.cx, future);
                }
            }
            Takes::Nothing => match control.operation.take_if(|_| input.operation_over) {
                Some(operation) => {
                    if let Some(register) = operation.result {
                        let registers = control.registers::<C>();
                        registers.slot(register).take_from(&self.vm.exchange);
                    }
                    self.vm.exchange.clear();
                }
                None => self.vm.exchange.clear(),
            },
        }
    }

    /// Pushes a frame of the program's interrupt function, if the signal can be dispatched.
    fn interrupt(&mut self, signal: &str) -> Result<(), SliceEnd> {
        let program = self.vm.program.program();
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
        // B-89: nothing stops a handler that overruns.
        let at_ms = if seeded_bugs::is_on(Bug::B89) {
            seeded_bugs::note_triggered(Bug::B89);
            None
        } else {
            Some(self.cx.now_ms.saturating_add(HANDLER_TIMEOUT_MS))
        };
        control.push_scope(at_ms, ScopeKind::Interrupt);
        let registers = control.registers::<C>();
        registers
            .callee()
            .copy_from(self.vm.program.function(function));
        registers.set(&self.cx.m, 0, text);
        self.state.is_safepoint_passed = false;
        self.interrupted = true;
        Ok(())
    }

    /// Throws an error for the engine.
    fn deliver(&mut self, kind: ErrorKind, message: Option<&str>) -> Result<(), SliceEnd> {
        let error = match message {
            None => self.cx.error(kind, Value::NIL),
            Some(message) => self
                .cx
                .m
                .string(message)
                .and_then(|message| self.cx.m.error(kind as u8, message, Value::NIL)),
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
        let mut thrown = Thrown { value, trace: None };
        let control = &mut self.state.control;
        match control.throw(&self.cx, &mut self.effects, &mut thrown) {
            Ok(Unwound::GoOn | Unwound::HandlerEnded) => Ok(()),
            Ok(Unwound::Uncaught) => {
                self.end(SliceEnd::Threw);
                Err(SliceEnd::Threw)
            }
            Err(needs) => Err(needs_memory(needs)),
        }
    }

    /// A frame without a caller has returned: whether there is more to run.
    fn goes_on(&mut self) -> bool {
        if let Start::Init { next } = self.state.start {
            // The module's top level has ended.
            self.vm.program.freeze_modules(next);
            if next < self.vm.program.program().modules.len() {
                self.vm.exchange.clear();
                return true;
            }
        }
        let program = self.vm.program.program();
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
            .copy_from(self.vm.program.function(finish));
        // B-86: the run returns what the hooks were given, not what they made of it.
        if seeded_bugs::is_on(Bug::B86) {
            registers.slot(0).copy_from(&self.vm.exchange);
            self.state.control.unfinished.take_from(&self.vm.exchange);
        } else {
            registers.slot(0).take_from(&self.vm.exchange);
        }
        true
    }

    /// Nothing is left to run.
    fn end(&mut self, end: SliceEnd) {
        self.state.start = Start::None;
        if self.state.is_finishing && seeded_bugs::is_on(Bug::B86) && end == SliceEnd::Returned {
            seeded_bugs::note_triggered(Bug::B86);
            self.vm.exchange.take_from(&self.state.control.unfinished);
        }
        self.state.is_finishing = false;
        // B-87: what belonged to a run that failed stays.
        if end == SliceEnd::Threw && seeded_bugs::is_on(Bug::B87) && !self.vm.locals.is_nil() {
            seeded_bugs::note_triggered(Bug::B87);
            self.vm.program.left_locals().take_from(&self.vm.locals);
        }
        self.vm.locals.clear();
    }

    /// Pushes the frame of what is to be started.
    fn enter(&mut self) -> Result<(), SliceEnd> {
        let program = self.vm.program.program();
        let m = &self.cx.m;
        match &mut self.state.start {
            Start::None => unreachable!("a slice needs something to run"),
            Start::Init { next } => {
                let init = program.modules[*next].init;
                *next += 1;
                self.state.control.enter(program, init);
                let registers = self.state.control.registers::<C>();
                registers.callee().copy_from(self.vm.program.function(init));
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
                        let error = self.cx.error(kind, Value::NIL).map_err(needs_memory)?;
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

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (function, pc) = self.position();
        f.debug_struct("Vm")
            .field("task", &self.task)
            .field("function", &function)
            .field("pc", &pc)
            .finish_non_exhaustive()
    }
}
