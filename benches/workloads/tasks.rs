//! Tasks that are spawned and awaited: on threads, on the simulated platform, and tokio's.

use std::sync::Arc;

use gcrucible_crux_subjects::executor::simulated_platform::SimulatedPlatform;
use gcrucible_engine::{CallHandle, Engine, EngineOptions, Outcome};
use gcrucible_frontend::{Source, compile};
use gcrucible_platform::{Platform, TokioPlatform};

const PROGRAM: &str = "
fn child(n) { return n }

fn one_by_one(count) {
  let sum = 0
  for i in 0..count { sum += await spawn child(i) }
  return sum
}

fn together(count) {
  let futures = []
  for i in 0..count { futures.push(spawn child(i)) }
  let sum = 0
  for f in futures { sum += await f }
  return sum
}
";

/// Threads of the production platform.
const WORKERS: usize = 2;

/// How tasks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each is awaited before the next is spawned.
    OneByOne,
    /// All are spawned before the first is awaited.
    Together,
}

impl Order {
    fn function(self) -> &'static str {
        match self {
            Order::OneByOne => "one_by_one",
            Order::Together => "together",
        }
    }
}

fn engine(platform: Arc<dyn Platform>) -> Engine {
    let program =
        compile(&Source::new("bench.crux", PROGRAM)).unwrap_or_else(|errors| panic!("{errors}"));
    let options = EngineOptions::default();
    Engine::new(Arc::new(program), &options, platform, None).expect("an engine")
}

/// An engine on threads.
#[derive(Debug)]
pub struct OnThreads {
    engine: Engine,
    platform: Arc<TokioPlatform>,
}

impl Default for OnThreads {
    fn default() -> Self {
        let platform = Arc::new(TokioPlatform::new(WORKERS).expect("threads start"));
        let engine = engine(Arc::clone(&platform) as _);
        let made = OnThreads { engine, platform };
        let init = made.platform.block_on(made.engine.start_init());
        let init = init.expect("nothing runs yet");
        made.join(&init);
        made
    }
}

impl OnThreads {
    /// Spawns and awaits `count` tasks.
    pub fn run(&self, order: Order, count: i64) {
        let call = self
            .engine
            .start_call(0, order.function(), &[count])
            .expect("a free id");
        self.join(&call);
    }

    fn join(&self, call: &CallHandle) {
        assert_eq!(self.platform.block_on(call.join()), Outcome::Returned);
    }
}

/// An engine on the simulated platform, whose tasks run in order of their creation.
pub struct Simulated {
    engine: Engine,
    platform: Arc<SimulatedPlatform>,
}

impl Default for Simulated {
    fn default() -> Self {
        let platform = SimulatedPlatform::new(&[], [0; 2]);
        let engine = engine(Arc::clone(&platform) as _);
        let made = Simulated { engine, platform };
        let init = made.platform.ready_now(made.engine.start_init());
        let init = init.expect("nothing runs yet");
        made.run_until_ended(&init);
        made
    }
}

impl Simulated {
    /// Spawns and awaits `count` tasks.
    pub fn run(&self, order: Order, count: i64) {
        let call = self
            .engine
            .start_call(0, order.function(), &[count])
            .expect("a free id");
        self.run_until_ended(&call);
        // Ended tasks stay listed until the platform is cleared.
        self.platform.clear();
    }

    fn run_until_ended(&self, call: &CallHandle) {
        let mut ready = Vec::new();
        while call.call().outcome().is_none() {
            ready.clear();
            self.platform.ready(&mut ready);
            let first = ready
                .first()
                .expect("somebody is ready until the call ends");
            self.platform.step(first.actor, TokioPlatform::FUEL);
        }
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
}

/// Tokio's own tasks: what [`OnThreads`] is measured against.
#[derive(Debug)]
pub struct Tokio(tokio::runtime::Runtime);

impl Default for Tokio {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .build()
            .expect("threads start");
        Tokio(runtime)
    }
}

impl Tokio {
    /// Spawns and awaits `count` tasks, from a task.
    ///
    /// # Panics
    /// If the tasks' numbers do not add up.
    pub fn run(&self, order: Order, count: i64) {
        let parent = self.0.spawn(async move {
            let mut sum = 0;
            match order {
                Order::OneByOne => {
                    for i in 0..count {
                        sum += tokio::spawn(async move { i }).await.expect("no panic");
                    }
                }
                Order::Together => {
                    let tasks: Vec<_> =
                        (0..count).map(|i| tokio::spawn(async move { i })).collect();
                    for task in tasks {
                        sum += task.await.expect("no panic");
                    }
                }
            }
            sum
        });
        let sum = self.0.block_on(parent).expect("no panic");
        assert_eq!(sum, count * (count - 1) / 2);
    }
}
