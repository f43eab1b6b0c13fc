//! `crux run`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use gcrucible_engine::{CallHandle, Deadlock, Engine, Outcome, Platform, TokioPlatform};

use crate::Exit;
use crate::options::RunOptions;
use crate::output::{self, Output};
use crate::program;
use crate::signals::Signals;

/// The id of the call of `main`.
const MAIN: u32 = 0;

/// The most tasks of a deadlock that are shown.
const TASKS_SHOWN: usize = 20;

/// Runs a program: its top level, then `main()` if there is one. A program with `main` ends
/// when that and what it started have ended; one without when what its top level started
/// has.
pub(crate) fn run(options: &RunOptions) -> Exit {
    // What a program needs once for something large is not the process's for ever: its memory
    // is bounded by the heap's limit.
    gcrucible_platform::memory::return_large_blocks();
    let mut engine_options = match options.heap.engine() {
        Ok(engine_options) => engine_options,
        Err(exit) => return exit,
    };
    engine_options.args = options.args.clone();
    let program = match program::load(&options.file) {
        Ok(program) => program,
        Err(exit) => return exit,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let platform = match TokioPlatform::new(threads) {
        Ok(platform) => Arc::new(platform),
        Err(error) => return refuse(&format!("no threads: {error}")),
    };
    let has_main = program.entry_export("main").is_some();
    let clock: Arc<dyn Platform> = Arc::clone(&platform) as _;
    let output = Output::new(options.trace.then(|| Arc::clone(&clock)));
    let engine = match Engine::new(Arc::new(program), &engine_options, clock, Some(output)) {
        Ok(engine) => engine,
        Err(error) => return refuse(&error.to_string()),
    };
    platform.block_on(async {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return refuse(&format!("signals cannot be handled: {error}")),
        };
        let init = engine.start_init().await;
        let init = init.expect("a new engine runs nothing");
        let mut exit = finish(&engine, &init, &mut signals, !has_main).await;
        if exit == Exit::Ok && has_main {
            let main = engine.start_call(MAIN, "main", &[]);
            let main = main.expect("the program exports `main`, and its id is free");
            exit = finish(&engine, &main, &mut signals, false).await;
        }
        // What failed and was not awaited is said at the end, if not before.
        engine.report_failures();
        exit
    })
}

/// Who waits for whom, a line for each task.
fn lines(deadlock: &Deadlock) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (at, task) in deadlock.tasks.iter().enumerate() {
        if at == TASKS_SHOWN {
            lines.push(format!("  … {} more", deadlock.tasks.len() - TASKS_SHOWN));
            break;
        }
        lines.push(format!("  {task}"));
    }
    lines.join("\n")
}

fn refuse(message: &str) -> Exit {
    say!("error: {message}");
    Exit::Failed
}

/// Waits for the end of a call, or of its whole run, and says how it ended if that was not
/// well. The first signal is the program's; the second ends it.
async fn finish(
    engine: &Engine,
    call: &CallHandle,
    signals: &mut Signals,
    whole_run: bool,
) -> Exit {
    let join = async {
        match whole_run {
            true => call.join_run().await,
            false => call.join().await,
        }
    };
    let mut join = std::pin::pin!(join);
    let mut deadlocked = std::pin::pin!(engine.deadlocked());
    let mut is_stuck = false;
    let mut is_signalled = false;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut join => break outcome,
            deadlock = &mut deadlocked, if !is_stuck => {
                // What is left when the call has just ended waits for nothing that matters.
                let ended = poll_fn(|cx| Poll::Ready(join.as_mut().poll(cx)));
                if let Poll::Ready(outcome) = ended.await {
                    break outcome;
                }
                let handled: Vec<&str> = Signals::NAMES
                    .into_iter()
                    .filter(|name| deadlock.handled_signals.iter().any(|signal| signal == name))
                    .collect();
                if handled.is_empty() {
                    say!("error: deadlock, every task waits for what never comes\n{}", lines(&deadlock));
                    return Exit::Deadlock;
                }
                // That may be what the program is there for. It is said once.
                if !is_signalled {
                    say!("note: every task waits, and only {} can change that\n{}", handled.join(" or "), lines(&deadlock));
                }
                is_stuck = true;
            }
            signal = signals.next() => {
                let id = call.call().id();
                let is_taken = !is_signalled && match engine.interrupt(id, signal) {
                    Ok(true) => true,
                    // No handler can see it: the program is asked to end.
                    Ok(false) => engine.cancel_call(id).is_ok(),
                    Err(_) => false,
                };
                if !is_taken {
                    std::process::exit(Exit::Interrupted as i32);
                }
                is_signalled = true;
                is_stuck = false;
                deadlocked.set(engine.deadlocked());
                say!("{signal}: the program has been told; once more ends it");
            }
        }
    };
    match outcome {
        Outcome::Returned => Exit::Ok,
        Outcome::Threw => {
            output::report(call).await;
            Exit::Failed
        }
        Outcome::Panicked => {
            say!("error: a host operation panicked: {}", call.text().await);
            output::report_trace(&call.call().trace());
            Exit::Failed
        }
        Outcome::Cancelled => Exit::Interrupted,
    }
}
