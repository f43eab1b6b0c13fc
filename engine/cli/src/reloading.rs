//! A program that is loaded anew from its files, as `run --hot` and `serve` do.

use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{Engine, ReloadOptions, Tick};

/// How often an entry that does not settle is looked at, while a new version waits for it.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// An engine and the files that its program comes from.
pub(crate) struct Reloading {
    engine: Engine,
    /// What was asked for last, unless it has failed: then it is worth another try.
    newest: Option<Arc<VerifiedProgram>>,
    /// Whether the last look found an entry that had not settled, or none was taken since a
    /// reload was asked for. What the engine says now is no substitute: an entry that has settled
    /// since that look is pending no more, but nobody has seen to it.
    is_look_due: bool,
    /// Number of the realm that was current at the last look.
    current: u32,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The version that is current has become so since the last look: its top level has settled
    /// well.
    NewVersion,
    /// An entry has failed, which has been said.
    Failure,
    /// There is no news.
    Nothing,
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
    pub(crate) fn new(engine: Engine, first: Arc<VerifiedProgram>) -> Self {
        Reloading {
            current: engine.realm().number(),
            engine,
            newest: Some(first),
            is_look_due: true,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Looks after the entry, as [`Engine::tick`] does. There may be more to see at once, unless
    /// there is no news.
    pub(crate) async fn look(&mut self) -> Seen {
        let mut tick = self.engine.tick().await;
        if tick == Tick::Idle && self.is_look_due {
            // What was deferred may have begun at this tick.
            tick = self.engine.tick().await;
        }
        self.is_look_due = tick == Tick::Pending;
        if tick == Tick::Rejected {
            self.newest = None;
        }
        // A request for the next version may have made one current, too.
        let current = self.engine.realm().number();
        let before = std::mem::replace(&mut self.current, current);
        match tick {
            Tick::Fulfilled => Seen::NewVersion,
            _ if current != before => Seen::NewVersion,
            Tick::Rejected => Seen::Failure,
            Tick::Idle | Tick::Pending => Seen::Nothing,
        }
    }

    /// Asks for the version that the files have now.
    pub(crate) async fn reload(
        &mut self,
        made: Result<VerifiedProgram, String>,
        unchanged: Unchanged,
    ) {
        let made = match made {
            Ok(program)
                if unchanged == Unchanged::Keep && Some(&program) == self.newest.as_deref() =>
            {
                if let Err(failure) = self.engine.load_unchanged_entry().await {
                    say!("error: {failure}");
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
        self.is_look_due = true;
        self.engine.reload(made, ReloadOptions::default()).await;
    }

    /// Waits until it is worth while to look again; for ever if there is nothing to see.
    pub(crate) async fn under_way(&self) {
        if !self.is_look_due {
            return std::future::pending().await;
        }
        tokio::select! {
            () = self.engine.entry_ended() => {}
            () = tokio::time::sleep(LOOKS_EVERY) => {}
        }
    }
}
