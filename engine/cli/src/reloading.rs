//! A program that is loaded anew from its files, as `run --hot` and `serve` do.

use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::Program;
use gcrucible_engine::{Engine, ReloadOptions, Tick};

/// How often an entry that does not settle is looked at, while a new version waits for it.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// An engine and the files that its program comes from.
pub(crate) struct Reloading {
    engine: Engine,
    /// What was asked for last, unless it has failed: then it is worth another try.
    newest: Option<Arc<Program>>,
}

/// What a reload does with files that say what they said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// Nothing: they are watched, and many a change of a file is none of its text.
    Keep,
    /// The same as with any others: somebody has asked for it.
    #[cfg_attr(
        not(feature = "serve"),
        expect(dead_code, reason = "only a served program is reloaded by a signal")
    )]
    Reload,
}

impl Reloading {
    /// The engine's first program was made from the files as they are.
    pub(crate) fn new(engine: Engine, first: Arc<Program>) -> Self {
        let newest = Some(first);
        Reloading { engine, newest }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Looks after the entry, as [`Engine::tick`] does.
    pub(crate) async fn look(&mut self) -> Tick {
        let tick = self.engine.tick().await;
        if tick == Tick::Rejected {
            self.newest = None;
        }
        tick
    }

    /// Asks for the version that the files have now.
    pub(crate) async fn reload(&mut self, made: Result<Program, String>, unchanged: Unchanged) {
        let made = match made {
            Ok(program)
                if unchanged == Unchanged::Keep && Some(&program) == self.newest.as_deref() =>
            {
                if let Err(failure) = self.engine.load_unchanged_entry().await {
                    eprintln!("error: {failure}");
                }
                return;
            }
            Ok(program) => {
                let program = Arc::new(program);
                self.newest = Some(Arc::clone(&program));
                Ok(program)
            }
            Err(report) => Err(report),
        };
        self.engine.reload(made, ReloadOptions::default()).await;
    }

    /// Waits until it is worth while to look again; for ever if no entry is pending.
    pub(crate) async fn under_way(&self) {
        if !self.engine.is_entry_pending() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = self.engine.entry_ended() => {}
            () = tokio::time::sleep(LOOKS_EVERY) => {}
        }
    }
}
