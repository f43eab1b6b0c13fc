//! What a program prints, and the trace of its steps.

use std::io::ErrorKind;
use std::sync::Arc;

use gcrucible_engine::{
    CallHandle, EngineEvent, NeedsMemory, Observer, Platform, ReloadStep, TraceFrame,
};
use gcrucible_vm::SliceEnd;

use crate::lines;

/// Writes lines to standard output. When they are not taken there is nothing left to do, and the
/// process ends: without a word if whoever read them has enough.
pub(crate) fn print(text: &str) {
    let Err(error) = lines::out(text) else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe {
        say!("error: standard output: {error}");
    }
    std::process::exit(crate::Exit::Output as i32);
}

/// Writes lines, all at once if they are short: what is long is not put together once more.
fn print_lines(lines: &[String]) {
    /// Bytes from which a line is long.
    const LONG: usize = 64 << 10;
    let mut text = String::new();
    // No other thread's line comes between a long one and its end.
    let _own = std::io::stdout().lock();
    for line in lines {
        if line.len() >= LONG {
            print(&std::mem::take(&mut text));
            print(line);
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    if !text.is_empty() {
        print(&text);
    }
}

/// Writes what the program prints to standard output, and its steps to standard error if
/// they are wanted.
pub(crate) struct Output {
    /// There if steps are wanted; tells the time.
    trace: Option<Arc<dyn Platform>>,
}

impl Output {
    pub(crate) fn new(trace: Option<Arc<dyn Platform>>) -> Arc<Self> {
        Arc::new(Output { trace })
    }
}

impl Observer for Output {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::Slice { outcome, .. } = event {
            print_lines(&outcome.printed);
        }
        if let EngineEvent::Reload { version, step } = event {
            report_version(*version, step);
        }
        if let EngineEvent::FinalizerFailed { call, text, .. } = event {
            say!("error: uncaught {text} (in a finalizer)");
            report_trace(&call.trace());
        }
        if let EngineEvent::Unobserved { text, trace, .. } = event {
            say!("error: uncaught {text}\n  in a task that nobody awaited");
            report_trace(trace);
        }
        if let Some(platform) = &self.trace
            && let Some(step) = describe(event)
        {
            say!("[{} ms] {step}", platform.now().as_millis());
        }
    }
}

/// Says what became of a version of the program.
fn report_version(version: u32, step: &ReloadStep) {
    match step {
        ReloadStep::Begun => {}
        ReloadStep::Swapped => say!("reload: version {version} runs"),
        ReloadStep::Deferred => {
            say!("reload: version {version} waits for a top level that has not ended");
        }
        ReloadStep::Failed(failure) if version == 1 => say!("error: {failure}"),
        ReloadStep::Failed(failure) => {
            say!("{failure}\nreload: version {version} failed, the one before goes on");
        }
    }
}

/// Says what nobody caught, and where it was thrown.
pub(crate) async fn report(handle: &CallHandle) {
    say!("error: uncaught {}", handle.uncaught().await);
    report_trace(&handle.call().trace());
}

pub(crate) fn report_trace(trace: &[TraceFrame]) {
    for (at, frame) in trace.iter().enumerate() {
        if at < FRAMES_FIRST || at + FRAMES_LAST >= trace.len() {
            say!("  {}", frame.line());
        } else if at == FRAMES_FIRST {
            say!("  … {} more", trace.len() - FRAMES_FIRST - FRAMES_LAST);
        }
    }
}

/// Of a long trace, the frames that are shown: innermost and outermost.
const FRAMES_FIRST: usize = 10;
const FRAMES_LAST: usize = 5;

/// A step in words; `None` for one that nobody wants to see.
fn describe(event: &EngineEvent<'_>) -> Option<String> {
    Some(match event {
        EngineEvent::CallStarted { call, finalizer } => match finalizer {
            Some(_) => format!("task {}: a finalizer starts", call.task()),
            None => format!("task {}: a call starts", call.task()),
        },
        // It is said without being asked for.
        EngineEvent::FinalizerFailed { .. }
        | EngineEvent::Unobserved { .. }
        | EngineEvent::Reload { .. } => return None,
        EngineEvent::RequestRefused { id } => {
            format!(
                "request {id:?}: refused, too many are under way",
                id = id.as_str()
            )
        }
        EngineEvent::RequestBegan { id, fork, call, .. } => {
            let (id, task) = (id.as_str(), call.task());
            format!("request {id:?}: served by task {task} in fork {fork}")
        }
        EngineEvent::Disconnected { id, .. } => {
            format!("request {:?}: its client is gone", id.as_str())
        }
        EngineEvent::RequestEnded { id, outcome, .. } => {
            format!("request {:?}: ended: {outcome:?}", id.as_str())
        }
        EngineEvent::CallEnded { call, outcome } => {
            format!("task {}: the call ended: {outcome:?}", call.task())
        }
        EngineEvent::Slice {
            task,
            input,
            outcome,
            ..
        } => {
            let mut text = format!("task {task}: ");
            if let Some(signal) = input.interrupt.as_ref().filter(|_| outcome.interrupted) {
                text.push_str(&format!("handles {signal}; "));
            }
            if let Some(error) = input.deliver.filter(|_| outcome.delivered) {
                text.push_str(&format!("gets {}; ", error.name()));
            }
            text.push_str(&format!("{} instructions", outcome.instructions));
            match outcome.end {
                SliceEnd::Fuel | SliceEnd::Yielded => {}
                SliceEnd::Safepoint | SliceEnd::Resume | SliceEnd::Cancel => {}
                SliceEnd::NeedsMemory { words } => {
                    text.push_str(&format!(", needs {words} words of memory"));
                }
                SliceEnd::Spawn { .. } => text.push_str(", spawns"),
                SliceEnd::Await { future } => text.push_str(&format!(", awaits future {future}")),
                SliceEnd::AwaitMany { .. } => {
                    text.push_str(&format!(", awaits futures {:?}", outcome.awaited));
                }
                SliceEnd::Wait { object, .. } => {
                    text.push_str(&format!(", waits for object {object}"));
                }
                SliceEnd::Sleep { ms } => text.push_str(&format!(", sleeps {ms} ms")),
                SliceEnd::Host => {
                    let name = outcome.host.as_ref().map_or("?", |host| &host.name);
                    text.push_str(&format!(", begins {name}"));
                }
                SliceEnd::Collect => text.push_str(", asks for a collection"),
                SliceEnd::Returned => text.push_str(", returns"),
                SliceEnd::Threw => text.push_str(", throws"),
            }
            text
        }
        EngineEvent::Registered {
            task,
            future,
            runner,
            ..
        } => {
            format!("task {task}: future {future} runs as task {runner}")
        }
        EngineEvent::AwaitResolved { task, .. }
        | EngineEvent::AwaitManyResolved { task }
        | EngineEvent::WaitResolved { task, .. } => format!("task {task}: need not wait"),
        EngineEvent::InterruptRaised { task, signal } => format!("task {task}: {signal} is due"),
        EngineEvent::BodyEnded { task } => format!("task {task}: its body ended"),
        EngineEvent::WaitBegan { task, object } => format!("task {task}: waits for {object}"),
        EngineEvent::HostBegan { task } => format!("task {task}: the operation begins"),
        EngineEvent::Aborted { task } => format!("task {task}: aborted, its grace time is over"),
        EngineEvent::HostEnded { task, result } => match result {
            Ok(_) => format!("task {task}: the operation ended"),
            Err(message) => format!("task {task}: the operation failed: {message}"),
        },
        EngineEvent::HostPanicked { task, message } => {
            format!("task {task}: the host panicked: {message}")
        }
        EngineEvent::CancelRequested { task } => format!("task {task}: cancellation requested"),
        EngineEvent::Forked { template, fork, .. } => {
            format!("fork {fork} of {template}")
        }
        EngineEvent::ForkDropped { fork } => format!("fork {fork} is dropped"),
        EngineEvent::Settled { future, state } => format!("future {future}: {state:?}"),
        EngineEvent::SettleRefused { future } => format!("future {future}: refused"),
        EngineEvent::Woken { task } => format!("task {task}: woken"),
        EngineEvent::MemoryRefused { task, words, .. } => {
            let (words, is_side_by_side) = NeedsMemory::parts(*words);
            let side = if is_side_by_side { " side by side" } else { "" };
            format!("task {task}: no memory for {words} words{side}")
        }
        EngineEvent::Collected { report } => format!(
            "collection: {:?}, {} objects moved, {} promoted",
            report.kind, report.moved, report.promoted
        ),
    })
}
