//! An engine on real threads: a program, a heap under stress, and an eye on both.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod clockwork;

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_engine::{
    CallHandle, Capabilities, Engine, EngineEvent, EngineOptions, Observer, Outcome,
};
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{Checked, FutureState, HeapConfig, VerifyLevel};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::tokio_platform::TokioPlatform;
use gcrucible_vm::display;

/// A heap that meets its boundaries often: every collection moves what the tasks use.
pub(crate) fn small_heap() -> HeapConfig {
    HeapConfig {
        nursery_bytes: 16 << 10,
        limit_bytes: 16 << 20,
        ..HeapConfig::tiny()
    }
}

/// A program on an engine whose tasks run on several threads.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) watch: Arc<Watch>,
    platform: Arc<TokioPlatform>,
}

impl World {
    /// Compiles a program and runs its top level. Slices have `fuel` instructions.
    pub(crate) fn new(workers: usize, fuel: u32, modes: &str, source: &str) -> World {
        let platform = TokioPlatform::with_fuel(workers, fuel).expect("threads start");
        Self::on(platform, modes, source)
    }

    /// The same on a platform made before.
    pub(crate) fn on(platform: TokioPlatform, modes: &str, source: &str) -> World {
        let source = Source::new("main.crux", source);
        let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
        let platform = Arc::new(platform);
        let watch = Arc::<Watch>::default();
        let options = EngineOptions {
            heap: small_heap(),
            debug: modes.parse().expect("heap modes"),
            max_frames: 200,
            capabilities: Capabilities::all(),
            args: vec![
                std::env::temp_dir()
                    .join(format!("crux-{}.txt", std::process::id()))
                    .display()
                    .to_string(),
            ],
            ..EngineOptions::default()
        };
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&watch) as _),
        )
        .expect("an engine");
        let world = World {
            engine,
            watch,
            platform,
        };
        let init = world.platform.block_on(world.engine.start_init());
        let init = init.expect("nothing runs yet");
        assert_eq!(
            world.join(&init),
            Outcome::Returned,
            "{}",
            world.value(&init)
        );
        world
    }

    /// Starts a call that must be accepted.
    pub(crate) fn call(&self, id: u32, function: &str, args: &[i64]) -> CallHandle {
        self.engine
            .start_call(id, function, args)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits for the end of a call.
    pub(crate) fn join(&self, handle: &CallHandle) -> Outcome {
        self.platform.block_on(handle.join())
    }

    /// Runs a future on this thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.platform.block_on(future)
    }

    /// The display text of what a call ended with.
    pub(crate) fn value(&self, handle: &CallHandle) -> String {
        let permit = self.platform.block_on(self.engine.heap().shared());
        let m = permit.reader::<Checked>();
        display(&m, self.engine.program().program(), handle.call().value(&m))
    }

    /// Calls a function, waits, and gives the display text of what it returned.
    pub(crate) fn returned(&self, id: u32, function: &str, args: &[i64]) -> String {
        let handle = self.call(id, function, args);
        assert_eq!(
            self.join(&handle),
            Outcome::Returned,
            "{}",
            self.value(&handle)
        );
        self.value(&handle)
    }

    /// Waits until the tasks have printed that many lines.
    pub(crate) fn wait_for_lines(&self, count: usize) {
        while self.watch.seen.lock().lines < count {
            gcrucible_platform::sync::thread::yield_now();
        }
    }

    /// Waits until every future is settled and every call has ended, then looks at the
    /// heap and at what was seen on the way.
    pub(crate) fn finish(self) {
        let is_at_rest = || {
            self.engine.active_future_count() == 0
                && self.engine.open_call_count() == 0
                && self.engine.open_task_count() == 0
        };
        while !is_at_rest() {
            gcrucible_platform::sync::thread::yield_now();
        }
        assert_eq!(self.engine.waiting_tasks(), []);
        let heap = self.engine.heap();
        let mut permit = self.platform.block_on(heap.exclusive());
        assert_eq!(permit.verify(VerifyLevel::Full), []);
        drop(permit);
        let seen = self.watch.seen.lock();
        assert_eq!(seen.violations, Vec::<String>::new());
        assert_eq!(seen.settled_twice, Vec::<u64>::new());
    }
}

/// Notes what must never happen, and what the tests ask for.
#[derive(Default)]
pub(crate) struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    violations: Vec<String>,
    settled: BTreeMap<u64, FutureState>,
    settled_twice: Vec<u64>,
    collections: usize,
    lines: usize,
}

impl Watch {
    /// Collections so far.
    pub(crate) fn collections(&self) -> usize {
        self.seen.lock().collections
    }

    /// Futures that settled in a state so far.
    pub(crate) fn settled(&self, state: FutureState) -> usize {
        self.seen
            .lock()
            .settled
            .values()
            .filter(|&&settled| settled == state)
            .count()
    }
}

impl Observer for Watch {
    fn event(&self, event: &EngineEvent<'_>) {
        let mut seen = self.seen.lock();
        match event {
            EngineEvent::Collected { report } => {
                seen.collections += 1;
                seen.violations
                    .extend(report.violations.iter().map(ToString::to_string));
            }
            EngineEvent::Slice { outcome, .. } => seen.lines += outcome.printed.len(),
            EngineEvent::Settled { future, state } => {
                let before = seen.settled.insert(*future, *state);
                seen.settled_twice.extend(before.map(|_| *future));
            }
            _ => {}
        }
    }
}
