//! A small engine for tests: runs a program's tasks in turn and collects when a slice
//! says so.

use std::collections::VecDeque;
use std::sync::Arc;

use gcrucible_bytecode::{ErrorKind, Program};
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{
    Checked, Checks, CollectionKind, FutureState, Heap, HeapConfig, HeapDebug, Holder, NeedsMemory,
    SharedPermit, Slot, Unchecked, Value,
};

use crate::{LoadedProgram, SliceEnd, SliceInput, Vm, display};

/// How a program is run.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) config: HeapConfig,
    pub(super) debug: HeapDebug,
    pub(super) fuel: u32,
    pub(super) max_frames: usize,
    /// Runs the code in the checked copy even if no mode needs it.
    pub(super) is_checked: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            config: HeapConfig::tiny(),
            debug: HeapDebug::default(),
            fuel: 1_000_000,
            max_frames: Vm::MAX_FRAMES,
            is_checked: true,
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
}

/// Compiles source text, which must be right.
pub(super) fn program(text: &str) -> Arc<Program> {
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
    output.result
}

pub(super) fn run_program(program: Arc<Program>, setup: &Setup) -> Output {
    if setup.is_checked || setup.debug.needs_checks() {
        World::<Checked>::new(program, setup).run()
    } else {
        World::<Unchecked>::new(program, setup).run()
    }
}

struct Task {
    vm: Arc<Vm>,
    /// Its future, in register 0.
    future: Arc<Holder>,
    waits_for: Option<u64>,
    is_cancelled: bool,
    deliver: Option<ErrorKind>,
    /// Collections since it last got on.
    collections: u32,
}

struct World<'t, C> {
    heap: Arc<Heap>,
    program: Arc<LoadedProgram>,
    setup: &'t Setup,
    registry: Arc<Holder>,
    /// Index is task number and future id.
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    output: Output,
    checks: std::marker::PhantomData<C>,
}

impl<'t, C: Checks> World<'t, C> {
    fn new(program: Arc<Program>, setup: &'t Setup) -> Self {
        let heap = Heap::new(setup.config, setup.debug.clone()).expect("there is address space");
        let permit = heap.try_shared().expect("nobody else has a permit");
        let program = LoadedProgram::load(&heap, &permit, program).expect("the program loads");
        drop(permit);
        World {
            registry: Holder::registry(&heap, "registry", 1),
            heap,
            program,
            setup,
            tasks: Vec::new(),
            ready: VecDeque::new(),
            output: Output::default(),
            checks: std::marker::PhantomData,
        }
    }

    fn run(mut self) -> Output {
        let init = self.add_task(|vm| vm.start_init());
        self.run_task(init);
        self.program.freeze();
        let Some(main) = self.program.program().entry_export("main") else {
            return self.output;
        };
        let callee = self.program.clone();
        let main = self.add_task(|vm| vm.start_call(callee.global(main), &[]));
        self.run_task(main);
        self.output
    }

    fn add_task(&mut self, start: impl FnOnce(&Vm)) -> usize {
        let number = self.tasks.len();
        let vm = Vm::with_max_frames(
            &self.heap,
            self.program.clone(),
            number as u32,
            self.setup.max_frames,
        );
        start(&vm);
        let future = Holder::new(&self.heap, "future", 1);
        self.tasks.push(Task {
            vm,
            future: future.clone(),
            waits_for: None,
            is_cancelled: false,
            deliver: None,
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
        let report = self.heap.collect(&mut permit, kind);
        assert!(report.violations.is_empty(), "{:?}", report.violations);
    }

    /// Runs tasks in turn until `last` has ended.
    fn run_task(&mut self, last: usize) {
        while let Some(number) = self.ready.pop_front() {
            self.slice(number, number == last);
        }
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
        };
        let outcome = vm.run_slice::<C>(&self.heap.try_shared().expect("nobody collects"), input);
        let task = &mut self.tasks[number];
        if outcome.delivered {
            task.deliver = None;
        }
        assert!(outcome.instructions <= input.fuel);
        self.output.instructions += u64::from(outcome.instructions);
        self.output.printed.extend(outcome.printed);
        if outcome.instructions > 0 || outcome.delivered {
            task.collections = 0;
        }
        match outcome.end {
            SliceEnd::Fuel | SliceEnd::Yielded | SliceEnd::Sleep { .. } => {
                self.ready.push_back(number);
            }
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
            SliceEnd::Spawn => {
                self.spawn(&vm);
                self.ready.push_front(number);
            }
            SliceEnd::Cancel => {
                let future = self.id_in(vm.exchange());
                self.tasks[future].is_cancelled = true;
                self.ready.push_front(number);
                self.wake(|waiter| waiter == future);
            }
            SliceEnd::Await { future } => {
                assert_eq!(self.id_in(vm.exchange()), future as usize);
                self.tasks[number].waits_for = Some(future);
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

    fn spawn(&mut self, vm: &Vm) {
        let permit = self.heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<C>(self.registry.tlab());
        let call = m.load_root(vm.exchange());
        let count = m.unscheduled_args(call).expect("it is unscheduled");
        let part = |index| {
            let slot = Slot::nil();
            m.store(
                &slot,
                m.unscheduled_part(call, index).expect("it has this part"),
            );
            slot
        };
        let callee = part(0);
        let args: Vec<Slot> = (1..=count).map(part).collect();
        drop(permit);
        let task = self.add_task(|vm| vm.start_call(&callee, &args));
        vm.exchange()
            .copy_from(&self.tasks[task].future.registers()[0]);
    }

    fn settle(&mut self, number: usize, state: FutureState, is_main: bool) {
        let heap = self.heap.clone();
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<C>(self.registry.tlab());
        let value = m.load_root(self.tasks[number].vm.exchange());
        if is_main {
            self.output.result = display(&m, self.program.program(), value);
            self.output.is_thrown = state != FutureState::Ready;
        }
        let payload = if state == FutureState::Cancelled {
            Value::NIL
        } else {
            value
        };
        let future = m.load_root(&self.tasks[number].future.registers()[0]);
        assert!(m.future_settle(future, state, payload));
        let woken: Vec<usize> = (0..self.tasks.len())
            .filter(|&waiter| self.tasks[waiter].waits_for == Some(number as u64))
            .collect();
        self.wake(|waiter| woken.contains(&waiter));
    }

    fn wake(&mut self, is_woken: impl Fn(usize) -> bool) {
        for (number, task) in self.tasks.iter_mut().enumerate() {
            if is_woken(number) && task.waits_for.take().is_some() {
                self.ready.push_back(number);
            }
        }
    }
}
