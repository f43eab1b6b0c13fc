//! What a host does again and again in one process, which must not make that grow.

use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{Engine, EngineOptions, Outcome, TokioPlatform};
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::HeapConfig;

/// A thing that is done many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// A call of a function that allocates nothing, so that nothing is ever collected for it.
    Call,
    /// A preload that is dropped while its top level waits.
    DroppedPreload,
    /// A fork that answers and leaves an object with a finalizer behind.
    ForkWithFinalizer,
}

impl Repeated {
    /// All of them.
    pub const ALL: [Repeated; 3] = [
        Repeated::Call,
        Repeated::DroppedPreload,
        Repeated::ForkWithFinalizer,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Repeated::Call => "calls",
            Repeated::DroppedPreload => "dropped-preloads",
            Repeated::ForkWithFinalizer => "forks-with-finalizers",
        }
    }

    /// How often it is done.
    pub fn times(self) -> u64 {
        match self {
            Repeated::Call => 1_000_000,
            Repeated::DroppedPreload => 100_000,
            Repeated::ForkWithFinalizer => 500_000,
        }
    }
}

const SOURCE: &str = r#"
fn f() { return 1 }
let kept = [nil]
let seen = 0
let all = channel(1000)
fn handle(n) {
  kept[0] = [n]
  finalizer(kept[0], |v| { all.try_send(v[0]) })
  return n
}
fn let_go() { while all.try_receive() != nil { } }
"#;

const PRELOAD: &str = "let f = spawn (|| sleep(1000))()\nsleep(1000)";

/// A process in which one of them is done.
#[derive(Debug)]
pub struct Process {
    engine: Engine,
    platform: Arc<TokioPlatform>,
    preload: Arc<VerifiedProgram>,
}

impl Process {
    /// With the heap of 64 MiB that a small server has.
    ///
    /// # Panics
    /// If the program does not start.
    pub fn new() -> Process {
        let compiled = |text: &str| {
            let program = compile(&Source::new("bench.crux", text));
            Arc::new(program.unwrap_or_else(|errors| panic!("{errors}")))
        };
        let platform = Arc::new(TokioPlatform::new(2).expect("threads start"));
        let options = EngineOptions {
            heap: HeapConfig {
                limit_bytes: 64 << 20,
                // All its pages are soon touched once.
                nursery_bytes: 512 << 10,
                ..HeapConfig::default()
            },
            ..EngineOptions::default()
        };
        let engine = Engine::new(compiled(SOURCE), &options, Arc::clone(&platform) as _, None);
        let engine = engine.expect("an engine");
        let init = platform.block_on(engine.start_init());
        let init = init.expect("nothing runs yet");
        assert_eq!(platform.block_on(init.join()), Outcome::Returned);
        Process {
            engine,
            platform,
            preload: compiled(PRELOAD),
        }
    }

    /// Does it so many times, and tells the number after each tenth of them, when what was begun
    /// has ended: how many finalizers wait at a moment is chance.
    ///
    /// # Panics
    /// If it does not go well.
    pub fn repeat(&self, what: Repeated, times: u64, mut told: impl FnMut(u64)) {
        let engine = &self.engine;
        self.platform.block_on(async {
            for time in 1..=times {
                match what {
                    Repeated::Call => {
                        let call = engine.start_call(1, "f", &[]).expect("its id is free");
                        assert_eq!(call.join().await, Outcome::Returned);
                    }
                    Repeated::DroppedPreload => {
                        let begun = engine.start_preload(Arc::clone(&self.preload)).await;
                        drop(begun.expect("it is loaded").expect("nothing else runs"));
                        // It ends when its top level has seen the cancellation.
                        while engine.open_call_count() > 0 {
                            tokio::task::yield_now().await;
                        }
                        engine.tick().await;
                    }
                    Repeated::ForkWithFinalizer => {
                        let fork = engine.fork_for_serving().await.expect("there is memory");
                        let call = fork.start_call(1, "handle", &[1]).expect("its id is free");
                        assert_eq!(call.join().await, Outcome::Returned);
                        drop((call, fork));
                        if time % 500 == 0 {
                            let call = engine.start_call(2, "let_go", &[]);
                            call.expect("its id is free").join().await;
                        }
                    }
                }
                if time % (times / 10) == 0 {
                    while engine.open_call_count() > 0 {
                        tokio::task::yield_now().await;
                    }
                    told(time);
                }
            }
        });
    }
}

impl Default for Process {
    fn default() -> Self {
        Process::new()
    }
}
