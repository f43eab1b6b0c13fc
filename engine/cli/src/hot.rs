//! `crux run --hot`: reloads the program whenever one of its files changes.
//!
//! A version whose top level has settled well becomes the current one. If it exports `main`,
//! that is called then; `main` of the version before is cancelled first. A version that does
//! not compile, or whose top level fails, is reported, and the old one goes on.

use std::path::Path;
use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{
    CallHandle, CallKind, Engine, EngineOptions, Outcome, Platform, TokioPlatform,
};

use crate::Exit;
use crate::options::RunOptions;
use crate::output::{self, Output};
use crate::program::{self, Made};
use crate::reloading::{Reloading, Seen, Unchanged};
use crate::signals::Signals;
use crate::watch::Watch;

/// Runs a program until Ctrl-C.
pub(crate) fn run(options: &RunOptions) -> Exit {
    gcrucible_platform::memory::return_large_blocks();
    let mut engine_options = match options.heap.engine() {
        Ok(engine_options) => engine_options,
        Err(exit) => return exit,
    };
    engine_options.args = options.args.clone();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let platform = match TokioPlatform::new(threads) {
        Ok(platform) => Arc::new(platform),
        Err(error) => return refuse(&format!("no threads: {error}")),
    };
    let clock: Arc<dyn Platform> = Arc::clone(&platform) as _;
    let output = Output::new(options.trace.then(|| Arc::clone(&clock)));
    platform.block_on(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return refuse(&format!("signals cannot be handled: {error}")),
        };
        let mut watch = match Watch::new() {
            Ok(watch) => watch,
            Err(error) => return refuse(&format!("files cannot be watched: {error}")),
        };
        let first = first_program(&options.file, &mut watch, &mut signals).await;
        let Some(program) = first else {
            return Exit::Interrupted;
        };
        let hot = Hot::new(&options.file, program, &engine_options, clock, output);
        match hot {
            Ok(hot) => hot.run(watch, signals).await,
            Err(message) => refuse(&message),
        }
    })
}

fn refuse(message: &str) -> Exit {
    say!("error: {message}");
    Exit::Failed
}

/// Waits for a program that compiles. `None` after Ctrl-C.
async fn first_program(
    file: &Path,
    watch: &mut Watch,
    signals: &mut Signals,
) -> Option<Arc<VerifiedProgram>> {
    loop {
        // What changes from here on is seen, whatever was read before.
        let Made { program, paths } = program::make(file);
        watch.set_files(&paths);
        match program {
            Ok(program) => return Some(Arc::new(program)),
            Err(report) => crate::lines::err(&report),
        }
        tokio::select! {
            () = watch.changed() => {}
            _ = signals.next() => return None,
        }
    }
}

/// A program that is reloaded.
struct Hot<'f> {
    reloading: Reloading,
    file: &'f Path,
    main: Option<CallHandle>,
    /// The id of the next call of `main`.
    next_call: u32,
}

impl<'f> Hot<'f> {
    fn new(
        file: &'f Path,
        program: Arc<VerifiedProgram>,
        options: &EngineOptions,
        platform: Arc<dyn Platform>,
        output: Arc<Output>,
    ) -> Result<Self, String> {
        let engine = Engine::new(Arc::clone(&program), options, platform, Some(output))
            .map_err(|error| error.to_string())?;
        Ok(Hot {
            reloading: Reloading::new(engine, program),
            file,
            main: None,
            next_call: 0,
        })
    }

    fn engine(&self) -> &Engine {
        self.reloading.engine()
    }

    async fn run(mut self, mut watch: Watch, mut signals: Signals) -> Exit {
        let init = match self.engine().start_init().await {
            Ok(init) => init,
            Err(error) => return refuse(&error.to_string()),
        };
        init.detach();
        let mut is_signalled = false;
        loop {
            while self.look().await {}
            if is_signalled && self.main.is_none() && !self.engine().is_entry_pending() {
                return Exit::Interrupted;
            }
            tokio::select! {
                () = watch.changed() => self.reload(&mut watch).await,
                () = self.reloading.under_way() => {}
                outcome = main_ended(&self.main) => self.report(outcome).await,
                signal = signals.next() => {
                    if is_signalled || !self.tell(signal) {
                        return Exit::Interrupted;
                    }
                    is_signalled = true;
                    say!("{signal}: the program has been told; once more ends it");
                }
            }
        }
    }

    /// Looks after the entry. Whether there may be more to see at once.
    async fn look(&mut self) -> bool {
        let seen = self.reloading.look().await;
        if seen == Seen::NewVersion {
            self.call_main().await;
        }
        seen != Seen::Nothing
    }

    /// Asks for a new version, if the files have one.
    async fn reload(&mut self, watch: &mut Watch) {
        let Made { program, paths } = program::make(self.file);
        watch.set_files(&paths);
        self.reloading.reload(program, Unchanged::Keep).await;
    }

    /// Calls `main` of the version that is current now, once the one before has ended.
    async fn call_main(&mut self) {
        if let Some(old) = self.main.take() {
            // It may have ended already; it has to end before the next begins.
            let _ = self.engine().cancel_call(old.call().id());
            old.join().await;
        }
        let id = self.next_call;
        self.next_call = self.next_call.wrapping_add(1) % CallKind::HOST_IDS;
        // A version without `main` has done its work.
        self.main = self.engine().start_call(id, "main", &[]).ok();
    }

    /// Says how `main` ended if that was not well.
    async fn report(&mut self, outcome: Outcome) {
        let Some(main) = self.main.take() else { return };
        match outcome {
            Outcome::Returned | Outcome::Cancelled => {}
            Outcome::Threw => output::report(&main).await,
            Outcome::Panicked => {
                say!("error: a host operation panicked: {}", main.text().await);
            }
        }
    }

    /// Tells what runs of a signal. Whether anything did.
    fn tell(&self, signal: &str) -> bool {
        let main = self.main.as_ref().map(|main| main.call().id());
        let entry = self
            .engine()
            .is_entry_pending()
            .then_some(CallKind::Init.id());
        let Some(id) = main.or(entry) else {
            return false;
        };
        match self.engine().interrupt(id, signal) {
            Ok(true) => true,
            // No handler can see it: the program is asked to end.
            Ok(false) => self.engine().cancel_call(id).is_ok(),
            Err(_) => false,
        }
    }
}

async fn main_ended(main: &Option<CallHandle>) -> Outcome {
    match main {
        Some(main) => main.join().await,
        None => std::future::pending().await,
    }
}
