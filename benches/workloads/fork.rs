//! Forks of a template for serving.

use std::fmt::Write as _;
use std::sync::Arc;

use gcrucible_engine::{Engine, EngineOptions, Fork, Outcome, TokioPlatform};
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::CollectionKind;

/// An initialised program to be forked.
#[derive(Debug)]
pub struct Template {
    engine: Engine,
    platform: Arc<TokioPlatform>,
}

impl Template {
    /// A program of so many module-level variables: every second is a closure over a counter
    /// and a table that several share, the others are arrays, maps, instances and text.
    ///
    /// # Panics
    /// If the program does not start.
    pub fn new(globals: usize) -> Template {
        let mut text = String::from(
            "class Route { method, path, calls }
             fn handler(table, name) {
               let calls = 0
               return |n| { calls += 1; table[name] = calls; return n }
             }
             let table = {}\n",
        );
        for global in 0..globals - 1 {
            let value = match global % 8 {
                1 => format!("[{global}, \"a\", nil]"),
                3 => format!("{{\"id\": {global}, \"tags\": [1, 2]}}"),
                5 => format!("Route {{ method: \"GET\", path: \"/{global}\", calls: [] }}"),
                7 => format!("\"text {global}\""),
                _ => format!("handler(table, \"h{global}\")"),
            };
            writeln!(text, "let g{global} = {value}").expect("text takes all");
        }
        let program = compile(&Source::new("bench.crux", &text));
        let program = program.unwrap_or_else(|errors| panic!("{errors}"));
        let platform = Arc::new(TokioPlatform::new(1).expect("a thread starts"));
        let options = EngineOptions::default();
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            None,
        )
        .expect("an engine");
        let init = platform.block_on(engine.start_init());
        let init = init.expect("nothing runs yet");
        assert_eq!(platform.block_on(init.join()), Outcome::Returned);
        // What is served is there for long.
        for _ in 0..2 {
            engine.try_collect(CollectionKind::Major);
        }
        Template { engine, platform }
    }

    /// A fork; dropped, it is gone at the next collection.
    ///
    /// # Panics
    /// If the heap has no room for it.
    pub fn fork(&self) -> Fork {
        let fork = self.platform.block_on(self.engine.fork_for_serving());
        fork.expect("a fork of what was made to be forked")
    }
}
