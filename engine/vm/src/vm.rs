//! One task's machine.

use std::fmt;
use std::sync::Arc;

use gcrucible_bytecode::Op;
use gcrucible_heap::{
    Checks, Heap, Home, Mutator, RootProvider, RootRight, SharedPermit, Slot, Tlab, Unchecked,
    Value,
};
use gcrucible_platform::sync::Mutex;

use crate::execution::Slice;
use crate::frame::Control;
use crate::host_value;
use crate::interpreter::{Context, Effects, Takes};
use crate::program::LoadedProgram;
use crate::realm::Realm;
use crate::roots::ROOTS;
use crate::slice::{Change, SliceInput, SliceOutcome};
use crate::work::{Progress, Work};

/// A virtual machine: runs one call, or a program's initialisation, in slices.
///
/// Nothing of it is touched outside of slices but its [exchange slot](Vm::exchange).
pub struct Vm {
    pub(crate) task: u32,
    pub(crate) realm: Arc<Realm>,
    pub(crate) tlab: Tlab,
    pub(crate) home: Home,
    pub(crate) exchange: Slot,
    /// What belongs to the run of which this is the root.
    pub(crate) locals: Slot,
    pub(crate) state: Mutex<State>,
    pub(crate) options: VmOptions,
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
    /// Milliseconds that what runs inside of a deadline, a step, a squad or an interrupt handler
    /// may go on after that has thrown its error in it. After that nothing inside catches any more.
    pub grace_ms: u64,
}

impl Default for VmOptions {
    /// The root of a run, with [`Vm::MAX_FRAMES`].
    fn default() -> Self {
        VmOptions {
            max_frames: Vm::MAX_FRAMES,
            seed: 0,
            args: Arc::new([]),
            is_root: true,
            grace_ms: 250,
        }
    }
}

/// What a machine keeps from slice to slice.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) control: Control,
    pub(crate) start: Start,
    /// What becomes of what the engine leaves in the exchange slot.
    pub(crate) takes: Takes,
    /// Whether the next instruction's safepoint has been taken.
    pub(crate) is_safepoint_passed: bool,
    /// Whether the bottom frame is that of the program's finish function.
    pub(crate) is_finishing: bool,
    /// The state of the task's random numbers.
    pub(crate) random: u64,
    /// What the next instruction has so far.
    pub(crate) progress: Option<Box<Progress>>,
    /// Steps that have led to it.
    pub(crate) steps: u32,
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

    /// A machine that runs in `realm`, registered with `heap`. Identity hashes of the objects
    /// that it sees first start at `task << 12`.
    pub fn new(heap: &Heap, realm: Arc<Realm>, task: u32) -> Arc<Vm> {
        Self::with_options(heap, realm, task, VmOptions::default())
    }

    /// The same, made to order.
    pub fn with_options(heap: &Heap, realm: Arc<Realm>, task: u32, options: VmOptions) -> Arc<Vm> {
        realm.home().check(heap);
        let tlab = Tlab::of_account(heap, task << 12, realm.account().cloned());
        let vm = Arc::new(Vm {
            task,
            realm,
            tlab,
            home: Home::new(heap),
            exchange: Slot::nil(ROOTS),
            locals: Slot::nil(ROOTS),
            state: Mutex::new(State {
                control: Control::new(options.grace_ms),
                start: Start::None,
                takes: Takes::Nothing,
                is_safepoint_passed: false,
                is_finishing: false,
                random: options.seed,
                progress: None,
                steps: 0,
            }),
            options: VmOptions {
                max_frames: options.max_frames.max(1),
                ..options
            },
        });
        heap.add_provider(&vm);
        vm
    }

    /// The realm that it runs in.
    pub fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }

    pub(crate) fn program(&self) -> &LoadedProgram {
        self.realm.loaded()
    }

    /// The slot through which machine and engine hand values to each other; see
    /// [`SliceEnd`](crate::SliceEnd).
    pub fn exchange(&self, _: RootRight) -> &Slot {
        &self.exchange
    }

    /// What is in the exchange slot.
    ///
    /// # Panics
    /// If the mutator is one of another heap, here and below.
    pub fn load_exchange<'p, C: Checks>(&self, m: &Mutator<'p, C>) -> Value<'p> {
        self.home.check(m.heap());
        m.load(&self.exchange)
    }

    /// Leaves a value in the exchange slot.
    pub fn store_exchange<'p, C: Checks>(&self, m: &Mutator<'p, C>, value: Value<'p>) {
        self.home.check(m.heap());
        m.store(&self.exchange, value);
    }

    /// Empties the exchange slot, at any time.
    pub fn clear_exchange(&self) {
        self.exchange.clear();
    }

    /// Makes the next slices run all modules' initialisers in order.
    ///
    /// # Panics
    /// If the machine has something to run.
    pub fn start_init(&self) {
        self.start(Start::Init { next: 0 });
    }

    /// Makes the next slices call `callee`. The first one throws `NotCallable` or `WrongArity`
    /// if the arguments do not fit.
    ///
    /// # Panics
    /// If the machine has something to run, or the permit is one of another heap.
    pub fn start_call<'p>(
        &self,
        permit: &'p SharedPermit<'_>,
        callee: Value<'p>,
        args: &[Value<'p>],
    ) {
        self.home.check(permit.heap());
        let m = permit.reader::<Unchecked>();
        let root = |&value: &Value<'p>| {
            let slot = Slot::nil(ROOTS);
            m.store(&slot, value);
            slot
        };
        self.start(Start::Call {
            callee: root(&callee),
            args: args.iter().map(root).collect(),
        });
    }

    /// The same with a function that a module-level variable of the realm holds.
    pub fn start_global<'p>(&self, permit: &'p SharedPermit<'_>, global: u16, args: &[Value<'p>]) {
        let callee = self
            .realm
            .load_global(&permit.reader::<Unchecked>(), global);
        self.start_call(permit, callee, args);
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
    }

    /// Function and index of the next instruction of the top frame; of the first
    /// initialiser, or (0, 0), if there is none yet or no more.
    pub fn position(&self) -> (u16, u32) {
        let state = self.state.lock();
        if let Some(frame) = state.control.frames.last() {
            return (frame.function, frame.pc);
        }
        let module = match state.start {
            Start::Init { next } => self.realm.program().modules.get(next),
            Start::None | Start::Call { .. } => None,
        };
        (module.map_or(0, |module| module.init), 0)
    }

    /// Function and instruction of each frame, innermost first: of the top one the next
    /// instruction, of one that called the call.
    pub fn trace(&self) -> Vec<(u16, u32)> {
        self.state.lock().control.trace()
    }

    /// When the machine is to be woken from a wait: by the earliest of its deadlines that has
    /// not thrown yet, or when the grace time of one that has is over, in milliseconds since the
    /// engine began. None where it drains a squad.
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

    /// Whether an interrupt handler runs.
    pub fn is_in_handler(&self) -> bool {
        !self.state.lock().control.scopes.interrupts.is_empty()
    }

    /// Whether the next instruction waits for the end of a squad.
    pub fn drains_squad(&self) -> bool {
        self.is_draining(&self.state.lock().control)
    }

    /// The number of the squad that a task which is spawned now belongs to, if it does: what
    /// [`SliceInput::failed_squads`] names it by.
    pub fn squad(&self) -> Option<u32> {
        self.state.lock().control.scopes.squad_number()
    }

    /// Whether a slice would throw because a child of a squad has failed.
    pub fn has_failed_squad(&self) -> bool {
        self.state.lock().control.scopes.has_failed_squad()
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

    /// Whether the frame that runs next stands at one of them.
    pub fn is_at_operation(&self) -> bool {
        self.state.lock().control.operation.is_some()
    }

    /// Whether a slice would dispatch this signal.
    pub fn can_dispatch(&self, signal: &str) -> bool {
        let state = self.state.lock();
        self.options.is_root
            && self.realm.program().interrupt.is_some()
            && !state.control.frames.is_empty()
            && !state
                .control
                .scopes
                .interrupts
                .iter()
                .any(|at| at.signal == signal)
    }

    /// Whether the run of which this is the root has a handler of this signal.
    pub fn handles<C: Checks>(&self, permit: &SharedPermit<'_>, signal: &str) -> bool {
        self.home.check(permit.heap());
        let m = permit.reader::<C>();
        let handlers = text_entry(&m, m.load_root(&self.locals), "interrupts");
        let handlers = handlers.and_then(|handlers| text_entry(&m, handlers, signal));
        handlers.is_some_and(|handlers| m.array_len(handlers).is_some_and(|len| len > 0))
    }

    /// The signals that the run of which this is the root has handlers of, in the order in which
    /// the program named them.
    pub fn handled<C: Checks>(&self, permit: &SharedPermit<'_>) -> Vec<String> {
        self.home.check(permit.heap());
        let m = permit.reader::<C>();
        let mut signals = Vec::new();
        if let Some(handlers) = text_entry(&m, m.load_root(&self.locals), "interrupts") {
            let mut position = 0;
            while let Some((next, signal, of_it)) = m.map_next(handlers, position) {
                position = next;
                if m.array_len(of_it).is_some_and(|len| len > 0) {
                    signals.extend(m.text(signal).map(str::to_owned));
                }
            }
        }
        signals
    }

    /// Drops everything that an aborted task has, at no further instruction: its guards are
    /// released. Returns the mutexes that changed.
    pub fn abandon<C: Checks>(&self, permit: &SharedPermit<'_>) -> Vec<Change> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let work = Work::default();
        let cx = self.context::<C>(permit, &SliceInput::default(), &work);
        let mut effects = Effects::default();
        state.control.drop_all(&cx, &mut effects);
        state.start = Start::None;
        state.takes = Takes::Nothing;
        state.progress = None;
        self.exchange.clear();
        self.locals.clear();
        effects.changed
    }

    /// Bytes that it takes for frames beyond those of a new machine, and for a text that it puts
    /// together outside of the heap. Gives some of those of frames back if few of them are used.
    pub fn grown_bytes(&self) -> u64 {
        let mut state = self.state.lock();
        let progress = state.progress.as_ref();
        let outside = progress.map_or(0, |it| it.outside_bytes());
        state.control.trim() + outside as u64
    }

    /// Whether the next instruction drains a squad.
    pub(crate) fn is_draining(&self, control: &Control) -> bool {
        let Some(frame) = control.frames.last() else {
            return false;
        };
        let code = &self.realm.program().functions[usize::from(frame.function)].code;
        matches!(code.get(frame.pc as usize), Some(Op::DrainSquad { .. }))
    }

    fn context<'p, C: Checks>(
        &'p self,
        permit: &'p SharedPermit<'_>,
        input: &SliceInput,
        work: &'p Work,
    ) -> Context<'p, C> {
        self.home.check(permit.heap());
        Context {
            m: permit.mutator::<C>(&self.tlab),
            program: self.realm.loaded(),
            realm: &self.realm,
            exchange: &self.exchange,
            task: self.task,
            max_frames: self.options.max_frames,
            is_cancel_requested: input.cancel_requested,
            turn: input.turn,
            now_ms: input.now_ms,
            open_tasks: input.open_tasks,
            args: &self.options.args,
            locals: self.options.is_root.then_some(&self.locals),
            text_bytes_max: usize::try_from(permit.heap().config().limit_bytes)
                .unwrap_or(usize::MAX),
            data_bytes_max: host_value::bytes_max(permit.heap().config()),
            work,
        }
    }

    /// Runs until something is to be decided by the engine.
    ///
    /// # Panics
    /// If there is nothing to run, or the permit is one of another heap; in the checked copy also with a
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
        let step = permit.heap().debug().units_of_step(state.steps);
        let work = Work::new(step, state.progress.take());
        let mut slice = Slice {
            vm: self,
            cx: self.context::<C>(permit, &input, &work),
            effects: Effects {
                random: state.random,
                ..Effects::default()
            },
            state,
            left: input.fuel,
            executed: 0,
            delivered: false,
            interrupted: false,
        };
        let end = slice.run(&input);
        if permit.heap().debug().poison_dead {
            slice.poison_dead();
        }
        let Slice {
            left,
            executed,
            delivered,
            interrupted,
            effects,
            ..
        } = slice;
        let discarded = work.take_discarded();
        let (advanced, progress) = work.into_parts();
        state.random = effects.random;
        state.steps = match &progress {
            Some(_) => state.steps.saturating_add(1),
            None => 0,
        };
        state.progress = progress;
        SliceOutcome {
            end,
            instructions: executed,
            charged: input.fuel - left - executed,
            advanced,
            unfinished: state.progress.is_some(),
            delivered,
            interrupted,
            printed: effects.printed,
            thrown: state.control.thrown,
            caught: state.control.caught,
            changed: effects.changed,
            took_turn: effects.took_turn,
            cancel: effects.cancel,
            interrupts: effects.interrupts,
            awaited: effects.awaited,
            host: effects.host,
            discarded,
            trace: effects.trace,
            failed: effects.failed,
            seen: effects.seen,
            skipped_steps: effects.skipped_steps,
            finishing: effects.finishing,
        }
    }
}

/// The value of a map under a text, found without making that a string.
fn text_entry<'p, C: Checks>(m: &Mutator<'p, C>, map: Value<'p>, name: &str) -> Option<Value<'p>> {
    let mut position = 0;
    while let Some((next, key, value)) = m.map_next(map, position) {
        if m.text(key).is_some_and(|key| key == name) {
            return Some(value);
        }
        position = next;
    }
    None
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
