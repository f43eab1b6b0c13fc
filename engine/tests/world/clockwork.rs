//! An engine of one thread and virtual time: the same steps each time.

use std::sync::Arc;

use gcrucible_engine::{
    CallHandle, Engine, EngineEvent, EngineOptions, Fork, ForkError, HostValue, Observer, Outcome,
    Platform as _, Source, VirtualPlatform, compile,
};
use gcrucible_heap::{HeapConfig, VerifyLevel};
use gcrucible_platform::sync::Mutex;

use super::small_heap;

/// A program on it.
pub(crate) struct Clockwork {
    pub(crate) engine: Engine,
    pub(crate) platform: Arc<VirtualPlatform>,
    printed: Arc<Printed>,
}

#[derive(Default)]
struct Printed(Mutex<Vec<String>>);

impl Observer for Printed {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::Slice { outcome, .. } = event {
            self.0.lock().extend(outcome.printed.iter().cloned());
        }
    }
}

impl Clockwork {
    /// Compiles a program and runs its top level until nobody is ready.
    pub(crate) fn new(platform: VirtualPlatform, source: &str) -> Clockwork {
        let modes = "collect=seeded:3:50,verify=quick";
        Clockwork::on_heap(small_heap(), modes, platform, source)
    }

    /// The same on a heap of these sizes under these modes.
    pub(crate) fn on_heap(
        heap: HeapConfig,
        modes: &str,
        platform: VirtualPlatform,
        source: &str,
    ) -> Clockwork {
        let program = compile(&Source::new("main.crux", source));
        let program = program.unwrap_or_else(|errors| panic!("{errors}"));
        let platform = Arc::new(platform);
        let printed = Arc::<Printed>::default();
        let options = EngineOptions {
            heap,
            debug: modes.parse().expect("modes"),
            ..EngineOptions::default()
        };
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&printed) as _),
        )
        .expect("an engine");
        let world = Clockwork {
            engine,
            platform,
            printed,
        };
        let init = world.platform.block_on(world.engine.start_init());
        let init = init.expect("nothing runs yet");
        world.settle();
        let outcome = init.call().outcome();
        assert_eq!(outcome, Some(Outcome::Returned), "{}", world.text(&init));
        world
    }

    /// Starts `main`.
    pub(crate) fn main(&self) -> CallHandle {
        let main = self.engine.start_call(0, "main", &[]);
        main.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes steps until nobody is ready; no time passes.
    pub(crate) fn settle(&self) {
        while self.platform.step() {}
    }

    /// Takes steps and lets time pass until `ms`; nobody is ready then.
    pub(crate) fn run_until(&self, ms: u64) {
        self.settle();
        while let Some(at) = self.platform.next_timer()
            && at.as_millis() <= u128::from(ms)
        {
            self.platform.fire_next_timer();
            self.settle();
        }
    }

    /// Takes steps until nothing is left to do.
    pub(crate) fn run(&self) {
        assert!(self.platform.run(1_000_000), "it does not end");
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u128 {
        self.platform.now().as_millis()
    }

    /// What has been printed since this was asked last.
    pub(crate) fn printed(&self) -> Vec<String> {
        std::mem::take(&mut self.printed.0.lock())
    }

    /// The value of a call that has ended.
    pub(crate) fn data(&self, handle: &CallHandle) -> Option<HostValue> {
        ready(handle.data())
    }

    /// The display text of the same.
    pub(crate) fn text(&self, handle: &CallHandle) -> String {
        ready(handle.text())
    }

    /// A fork of the program.
    pub(crate) fn fork(&self) -> Result<Fork, ForkError> {
        ready(self.engine.fork_for_serving())
    }

    /// What a function of a fork returns, as text.
    pub(crate) fn returned(&self, fork: &Fork, function: &str, args: &[i64]) -> String {
        let call = fork.start_call(7, function, args);
        let call = call.unwrap_or_else(|error| panic!("{error}"));
        self.run();
        self.text(&call)
    }

    /// What a function of the engine's own realm returns, as text.
    pub(crate) fn own(&self, function: &str, args: &[i64]) -> String {
        let call = self.engine.start_call(7, function, args);
        let call = call.unwrap_or_else(|error| panic!("{error}"));
        self.run();
        self.text(&call)
    }

    /// Looks at an engine at rest.
    pub(crate) fn finish(self) {
        assert_eq!(self.engine.active_future_count(), 0);
        assert_eq!(self.engine.open_task_count(), 0);
        assert_eq!(self.engine.open_call_count(), 0);
        assert_eq!(self.engine.waiting_tasks(), []);
        assert_eq!(self.engine.blocked_tasks(), []);
        assert_eq!(self.platform.next_timer(), None);
        let heap = self.engine.heap();
        let mut permit = heap.try_exclusive().expect("nobody runs");
        assert_eq!(permit.verify(VerifyLevel::Full), []);
    }
}

/// Polls of a future that waits for nobody: what takes several steps lets others go first.
const STEPS_MAX: usize = 100_000;

/// What a future gives that has no reason to wait.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..STEPS_MAX {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("nobody holds a permit")
}
