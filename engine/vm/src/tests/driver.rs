//! A small engine for tests: runs a program's tasks in turn and collects when a slice
//! says so.

use std::collections::VecDeque;
use std::sync::Arc;

use gcrucible_bytecode::{ErrorKind, VerifiedProgram};
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{
    Checked, Checks, CollectionKind, FutureState, Heap, HeapConfig, HeapDebug, Holder, NeedsMemory,
    SharedPermit, Slot, Tlab, Unchecked, Value,
};

use crate::roots::ROOTS;
use crate::{HostValue, Realm, SliceEnd, SliceInput, Vm, VmOptions, display, host_value};

/// How a program is run.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: HeapConfig,
    pub(super) debug: HeapDebug,
    pub(super) fuel: u32,
    pub(super) max_frames: usize,
    /// Runs the code in the checked copy even if no mode needs it.
    pub(super) is_checked: bool,
    /// Executes each instruction in its own function.
    pub(super) is_without_hot_loop: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            config: HeapConfig::tiny(),
            debug: HeapDebug::default(),
            fuel: 1_000_000,
            max_frames: Vm::MAX_FRAMES,
            is_checked: true,
            is_without_hot_loop: false,
        }
    }
}

impl Setup {
    pub(super) fn with_modes(modes: &str) -> Self {
        Setup {
            debug: modes.parse().expect("modes are well formed"),
            ..Setup::default()
        }
    }
}

/// What a program did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// All lines, in the order of printing.
    pub(super) printed: Vec<String>,
    /// The display text of the value that `main` returned or threw.
    pub(super) result: String,
    pub(super) is_thrown: bool,
    pub(super) instructions: u64,
    /// Ends of slices that were for memory.
    pub(super) memory_stops: u32,
    /// Ends of slices at safepoints.
    pub(super) safepoints: u32,
    /// Steps that let their spent budget pass.
    pub(super) skipped_steps: u32,
}

/// Compiles source text, which must be right.
pub(super) fn program(text: &str) -> Arc<VerifiedProgram> {
    let source = Source {
        path: "main.crux".into(),
        text: text.to_owned(),
    };
    match compile(&source) {
        Ok(program) => Arc::new(program),
        Err(diagnostics) => panic!("the test program is wrong:\n{diagnostics}"),
    }
}

/// Runs `text` and then its function `main`, if it has one.
pub(super) fn run(text: &str, setup: &Setup) -> Output {
    run_program(program(text), setup)
}

/// Runs `text` and returns what it printed.
pub(super) fn printed(text: &str) -> Vec<String> {
    let output = run(text, &Setup::default());
    assert!(!output.is_thrown, "threw {}", output.result);
    output.printed
}

/// The value of an expression, as text.
pub(super) fn value_of(expression: &str) -> String {
    let text = format!("fn main() {{ return {expression} }}");
    let output = run(&text, &Setup::default());
    assert!(!output.is_thrown, "threw {}", output.result);
    output.result
}

/// What a function body throws, as text.
pub(super) fn thrown_by(body: &str) -> String {
    let text = format!("fn main() {{ {body} }}");
    let output = run(&text, &Setup::default());
    assert!(output.is_thrown, "returned {}", output.result);
    without_detail(&output.result).to_owned()
}

/// The display text of an error up to the words of its kind. What follows them is shown by a
/// program of the conformance suite.
pub(super) fn without_detail(text: &str) -> &str {
    let words = |kind: &&ErrorKind| {
        let rest = text.strip_prefix(kind.name())?.strip_prefix(": ")?;
        let rest = rest.strip_prefix(kind.message())?;
        rest.starts_with(": ").then(|| text.len() - rest.len())
    };
    let kinds = ErrorKind::ALL
        .iter()
        .filter(|kind| !kind.message().is_empty());
    kinds
        .clone()
        .find_map(|kind| words(&kind))
        .map_or(text, |end| &text[..end])
}

/// Runs a verified program, and once more without the hot loop, which makes no difference.
pub(super) fn run_program(program: Arc<VerifiedProgram>, setup: &Setup) -> Output {
    let output = run_once(program.clone(), setup);
    let setup = Setup {
        is_without_hot_loop: true,
        ..setup.clone()
    };
    assert_eq!(output, run_once(program, &setup), "without the hot loop");
    output
}

fn run_once(program: Arc<VerifiedProgram>, setup: &Setup) -> Output {
    if setup.is_checked || setup.debug.needs_checks() {
        World::<Checked>::new(program, setup).run()
    } else {
        World::<Unchecked>::new(program, setup).run()
    }
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Future(u64),
    Object(u64),
    Time(u64),
}

struct Task {
    vm: Arc<Vm>,
    /// Its future, in register 0.
    future: Holder,
    /// Futures, channels or mutexes of which one must settle or change first.
    waits_for: Vec<Wait>,
    is_cancelled: bool,
    deliver: Option<ErrorKind>,
    /// The deadline that it inherited.
    deadline: Option<u64>,
    interrupt: Option<String>,
    operation_over: bool,
    /// Collections since it last got on.
    collections: u32,
}

struct World<'t, C> {
    heap: Arc<Heap>,
    realm: Arc<Realm>,
    setup: &'t Setup,
    registry: Holder,
    /// Index is task number and future id.
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    output: Output,
    now_ms: u64,
    /// Whether tasks that are added are roots of a run.
    roots_are_made: bool,
    /// The task whose run signals are for.
    root: usize,
    checks: std::marker::PhantomData<C>,
}

impl<'t, C: Checks> World<'t, C> {
    fn new(program: Arc<VerifiedProgram>, setup: &'t Setup) -> Self {
        let heap = Heap::new(setup.config, setup.debug.clone()).expect("there is address space");
        let permit = heap.try_shared().expect("nobody else has a permit");
        let realm = Realm::load(&permit, program).expect("the program loads");
        drop(permit);
        World {
            registry: Holder::registry(&heap, "registry", 1),
            heap,
            realm,
            setup,
            tasks: Vec::new(),
            ready: VecDeque::new(),
            output: Output::default(),
            now_ms: 0,
            roots_are_made: true,
            root: 0,
            checks: std::marker::PhantomData,
        }
    }

    fn run(mut self) -> Output {
        let init = self.add_task(|vm| vm.start_init());
        self.run_task(init);
        self.realm.freeze();
        let Some(main) = self.realm.program().entry_export("main") else {
            return self.output;
        };
        let heap = self.heap.clone();
        let main = self.add_task(|vm| {
            let permit = heap.try_shared().expect("nobody collects");
            vm.start_global(&permit, main, &[]);
        });
        self.run_task(main);
        self.output
    }

    fn add_task(&mut self, start: impl FnOnce(&Vm)) -> usize {
        let number = self.tasks.len();
        let options = VmOptions {
            max_frames: self.setup.max_frames,
            seed: number as u64,
            args: Arc::new(["one".to_owned(), "two".to_owned()]),
            is_root: self.roots_are_made,
            ..VmOptions::default()
        };
        let vm = Vm::with_options(&self.heap, self.realm.clone(), number as u32, options);
        vm.state.lock().control.is_without_hot_loop = self.setup.is_without_hot_loop;
        start(&vm);
        let future = Holder::new(&self.heap, "future", 1);
        self.tasks.push(Task {
            vm,
            future: future.clone(),
            waits_for: Vec::new(),
            is_cancelled: false,
            deliver: None,
            deadline: None,
            interrupt: None,
            operation_over: false,
            collections: 0,
        });
        let registry = self.registry.clone();
        self.allocating(|permit| {
            let m = permit.mutator::<C>(registry.tlab());
            m.store(&future.registers()[0], m.future(number as u64)?);
            Ok(())
        });
        self.ready.push_back(number);
        number
    }

    fn shared(&self) -> SharedPermit<'_> {
        self.heap.try_shared().expect("nobody collects")
    }

    fn allocating(&mut self, action: impl Fn(&SharedPermit<'_>) -> Result<(), NeedsMemory>) {
        for _ in 0..3 {
            if action(&self.shared()).is_ok() {
                return;
            }
            self.collect(CollectionKind::Major);
        }
        panic!("there is no memory for the engine's own objects");
    }

    fn collect(&mut self, kind: CollectionKind) {
        let mut permit = self.heap.try_exclusive().expect("nobody has a permit");
        let report = permit.collect(kind);
        assert!(report.violations.is_empty(), "{:?}", report.violations);
    }

    /// Runs tasks in turn until `last` has ended. When all wait, time goes on.
    fn run_task(&mut self, last: usize) {
        self.root = last;
        self.roots_are_made = false;
        loop {
            while let Some(number) = self.ready.pop_front() {
                self.slice(number, number == last);
            }
            let times = self.tasks.iter().flat_map(|task| &task.waits_for);
            let times = times.filter_map(|wait| match wait {
                Wait::Time(at) => Some(*at),
                _ => None,
            });
            let Some(next) = times.min() else { break };
            self.now_ms = self.now_ms.max(next);
            let now = self.now_ms;
            self.wake(|wait| matches!(wait, Wait::Time(at) if at <= now));
        }
        self.roots_are_made = true;
        assert!(
            self.state(last) != FutureState::Pending,
            "every task waits for another"
        );
    }

    fn state(&self, task: usize) -> FutureState {
        let permit = self.shared();
        let m = permit.mutator::<C>(self.registry.tlab());
        let future = m.load(&self.tasks[task].future.registers()[0]);
        m.future_state(future).expect("it is a future").0
    }

    fn slice(&mut self, number: usize, is_main: bool) {
        let task = &mut self.tasks[number];
        let vm = task.vm.clone();
        let input = SliceInput {
            fuel: self.setup.fuel,
            deliver: task.deliver,
            cancel_requested: task.is_cancelled,
            now_ms: self.now_ms,
            inherited_deadline: task.deadline,
            interrupt: task.interrupt.clone(),
            operation_over: std::mem::take(&mut task.operation_over),
            ..SliceInput::default()
        };
        let permit = self.heap.try_shared().expect("nobody collects");
        let outcome = vm.run_slice::<C>(&permit, input);
        drop(permit);
        let task = &mut self.tasks[number];
        if outcome.delivered {
            task.deliver = None;
        }
        if outcome.interrupted {
            task.interrupt = None;
        }
        assert!(outcome.instructions <= self.setup.fuel);
        // How often a task has to wait depends on who goes first.
        let waits = matches!(
            outcome.end,
            SliceEnd::Await { .. } | SliceEnd::AwaitMany { .. } | SliceEnd::Wait { .. }
        );
        self.output.instructions += u64::from(outcome.instructions) - u64::from(waits);
        self.output.printed.extend(outcome.printed);
        self.output.skipped_steps += outcome.skipped_steps;
        if outcome.instructions > 0 || outcome.delivered || outcome.advanced {
            task.collections = 0;
        }
        for signal in outcome.interrupts {
            self.tasks[self.root].interrupt = Some(signal);
            self.interrupt_wait(self.root);
        }
        for future in outcome.cancel {
            self.cancel(future as usize);
        }
        for object in outcome.changed.iter().map(|change| change.object) {
            self.wake(|wait| wait == Wait::Object(object));
        }
        let deadline = vm.deadline().map(Wait::Time);
        let task = &mut self.tasks[number];
        match outcome.end {
            SliceEnd::Fuel | SliceEnd::Yielded => self.ready.push_back(number),
            SliceEnd::Sleep { ms } => {
                task.operation_over = true;
                let at = self.now_ms + ms;
                task.waits_for = vec![Wait::Time(deadline_or(at, vm.deadline()))];
            }
            SliceEnd::Host => {
                let request = outcome.host.expect("a host operation has a request");
                match request.name.as_str() {
                    "echo" => {
                        task.operation_over = true;
                        let args = HostValue::Array(request.args);
                        let tlab = Tlab::new(&self.heap, 0);
                        self.allocating(|permit| {
                            let m = permit.mutator::<C>(&tlab);
                            vm.store_exchange(&m, host_value::build(&args, &m)?);
                            Ok(())
                        });
                    }
                    _ => task.deliver = Some(ErrorKind::HostError),
                }
                self.ready.push_back(number);
            }
            SliceEnd::Resume => panic!("this engine interrupts no operation"),
            SliceEnd::Safepoint => {
                self.output.safepoints += 1;
                if let Some(kind) = self.heap.at_safepoint() {
                    self.collect(kind);
                }
                self.ready.push_front(number);
            }
            SliceEnd::NeedsMemory { words } => {
                assert!(words > 0);
                self.output.memory_stops += 1;
                task.collections += 1;
                match task.collections {
                    1 => self.collect(CollectionKind::Minor),
                    2 => self.collect(CollectionKind::Major),
                    3 => task.deliver = Some(ErrorKind::OutOfMemory),
                    _ => panic!("there is no memory for an error"),
                }
                self.ready.push_front(number);
            }
            SliceEnd::Collect => {
                self.collect(CollectionKind::Major);
                self.ready.push_front(number);
            }
            SliceEnd::Spawn { detached } => {
                self.spawn(&vm, detached);
                self.ready.push_front(number);
            }
            SliceEnd::Cancel => {
                let future = self.id_in(vm.exchange(ROOTS));
                self.ready.push_front(number);
                self.cancel(future);
            }
            SliceEnd::Await { future } => {
                task.waits_for = [Wait::Future(future)].into_iter().chain(deadline).collect();
                assert_eq!(self.id_in(vm.exchange(ROOTS)), future as usize);
                self.wake_if_settled(number);
            }
            SliceEnd::AwaitMany { drain } => {
                assert!(!drain || deadline.is_none());
                let futures = outcome.awaited.into_iter().map(Wait::Future);
                task.waits_for = futures.chain(deadline).collect();
                self.wake_if_settled(number);
            }
            SliceEnd::Wait { object, .. } => {
                task.waits_for = [Wait::Object(object)].into_iter().chain(deadline).collect();
            }
            SliceEnd::Returned => self.settle(number, FutureState::Ready, is_main),
            SliceEnd::Threw => {
                let state = match self.tasks[number].is_cancelled {
                    true => FutureState::Cancelled,
                    false => FutureState::Error,
                };
                self.settle(number, state, is_main);
            }
        }
    }

    /// The id of the future in a slot.
    fn id_in(&self, slot: &Slot) -> usize {
        let permit = self.shared();
        let m = permit.mutator::<C>(self.registry.tlab());
        m.future_id(m.load_root(slot)).expect("it is a future") as usize
    }

    /// Wakes a task at once that waits for a future which is settled.
    fn wake_if_settled(&mut self, number: usize) {
        let waits = self.tasks[number].waits_for.clone();
        let is_settled = |wait: &Wait| match wait {
            Wait::Future(id) => self.state(*id as usize) != FutureState::Pending,
            _ => false,
        };
        if waits.iter().any(is_settled) {
            self.interrupt_wait(number);
        }
    }

    /// Lets a task run that waits.
    fn interrupt_wait(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        if !task.operation_over && !task.waits_for.is_empty() {
            task.waits_for.clear();
            self.ready.push_back(number);
        }
    }

    fn cancel(&mut self, future: usize) {
        self.tasks[future].is_cancelled = true;
        if !self.tasks[future].waits_for.is_empty() {
            self.tasks[future].waits_for.clear();
            self.ready.push_back(future);
        }
    }

    fn spawn(&mut self, vm: &Vm, detached: bool) {
        let deadline = vm.inheritable_deadline().filter(|_| !detached);
        let heap = self.heap.clone();
        let task = self.add_task(|new| {
            let permit = heap.try_shared().expect("nobody collects");
            let m = permit.reader::<C>();
            let call = vm.load_exchange(&m);
            let count = m.unscheduled_args(call).expect("it is unscheduled");
            let part = |index| m.unscheduled_part(call, index).expect("it has this part");
            let args: Vec<Value<'_>> = (1..=count).map(part).collect();
            new.start_call(&permit, part(0), &args);
        });
        self.tasks[task].deadline = deadline;
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.reader::<C>();
        vm.store_exchange(&m, m.load(&self.tasks[task].future.registers()[0]));
    }

    fn settle(&mut self, number: usize, state: FutureState, is_main: bool) {
        let heap = self.heap.clone();
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<C>(self.registry.tlab());
        let value = self.tasks[number].vm.load_exchange(&m);
        if is_main {
            self.output.result = display(&m, self.realm.program(), value);
            self.output.is_thrown = state != FutureState::Ready;
        }
        let payload = if state == FutureState::Cancelled {
            Value::NIL
        } else {
            value
        };
        let future = m.load_root(&self.tasks[number].future.registers()[0]);
        assert!(m.future_settle(future, state, payload));
        self.wake(|wait| wait == Wait::Future(number as u64));
    }

    fn wake(&mut self, is_news: impl Fn(Wait) -> bool) {
        for (number, task) in self.tasks.iter_mut().enumerate() {
            if task.waits_for.iter().any(|&wait| is_news(wait)) {
                task.waits_for.clear();
                self.ready.push_back(number);
            }
        }
    }
}

/// The earlier of a time and a deadline.
fn deadline_or(at: u64, deadline: Option<u64>) -> u64 {
    deadline.map_or(at, |deadline| at.min(deadline))
}
