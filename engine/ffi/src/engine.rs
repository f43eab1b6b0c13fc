//! An engine with threads of its own.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_engine::{CallHandle, Engine, EngineOptions, Outcome};
use gcrucible_frontend::Source;
use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};
use gcrucible_platform::tokio_platform::TokioPlatform;
use gcrucible_platform::waiting::wait_for;

use crate::error::GcrError;
use crate::objects::{find, list, unlist};
use crate::options::{Chosen, GcrOptions};
use crate::print::{Printer, may_wait};
use crate::status::{Failure, GcrStatus, call_failure, giving, guarded, place, quietly};
use crate::text::text;

/// A program on an engine. Free it with `gcr_engine_free`.
#[derive(Debug)]
pub struct GcrEngine {
    _opaque: [u8; 0],
}

/// An engine, its threads, and the run of its top level.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) engine: Engine,
    platform: Arc<TokioPlatform>,
    top_level: CallHandle,
    printer: Printer,
    is_closed: AtomicBool,
}

/// Numbers of an engine, exact when nothing runs.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct GcrStats {
    /// Futures that have not settled.
    pub active_futures: u64,
    /// Calls that have not ended.
    pub open_calls: u64,
    /// Protects that were not undone. One is the engine's own: the promise of its entry module.
    pub protected_objects: u64,
    /// Minor collections so far.
    pub collections_minor: u64,
    /// Major collections so far.
    pub collections_major: u64,
    /// Bytes of heap blocks in use.
    pub used_bytes: u64,
}

/// Compiles `source` (named `path` in messages), makes an engine and runs the top level to its
/// end, however long that takes. `options` may be null.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_engine_new(
    path: *const c_char,
    path_len: usize,
    source: *const c_char,
    source_len: usize,
    options: *const GcrOptions,
    out: *mut *mut GcrEngine,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (path, source, out) = unsafe {
            let path = text(path, path_len, "the path")?;
            let source = text(source, source_len, "the source")?;
            (path, source, place(out, "the engine")?)
        };
        let engine = Running::new(path, source, options)?;
        engine.wait_for_top_level(None)?;
        *out = list(engine);
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// The same, which does not wait for the top level: `gcr_engine_wait` does. Until that has ended
/// well, functions that it defines may not be there to be called.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_engine_start(
    path: *const c_char,
    path_len: usize,
    source: *const c_char,
    source_len: usize,
    options: *const GcrOptions,
    out: *mut *mut GcrEngine,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (path, source, out) = unsafe {
            let path = text(path, path_len, "the path")?;
            let source = text(source, source_len, "the source")?;
            (path, source, place(out, "the engine")?)
        };
        *out = list(Running::new(path, source, options)?);
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Waits until the top level has ended, for at most `timeout_ms` milliseconds, for ever if that
/// is negative. `Ok` if it ended well; else `Threw`, `Cancelled` or `TimedOut`.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_engine_wait(
    engine: *const GcrEngine,
    timeout_ms: i64,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || find(engine)?.wait_for_top_level(limit(timeout_ms));
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// How long to wait; for ever if it is negative.
pub(crate) fn limit(timeout_ms: i64) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

impl Running {
    fn new(path: &str, source: &str, options: *const GcrOptions) -> Result<Running, Failure> {
        may_wait()?;
        let chosen = match options.is_null() {
            true => Chosen::default(),
            false => find(options)?.lock().clone(),
        };
        let source = Source::new(path, source);
        let program = gcrucible_frontend::compile(&source)
            .map_err(|errors| (GcrStatus::BadSource, errors.render(&source, false)))?;
        let failed = |why: String| (GcrStatus::EngineFailed, why);
        let platform = TokioPlatform::new(chosen.workers);
        let platform = Arc::new(platform.map_err(|error| failed(error.to_string()))?);
        let printer = Printer::new(chosen.print);
        let options = EngineOptions {
            heap: chosen.heap,
            debug: chosen.debug,
            args: chosen.args,
            capabilities: chosen.capabilities,
            output: printer.output(),
            ..EngineOptions::default()
        };
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            None,
        );
        let engine = engine.map_err(|error| failed(error.to_string()))?;
        let started = wait_for(engine.start_init(), None);
        let started = started.ok_or_else(|| failed("the top level did not start".to_owned()))?;
        Ok(Running {
            top_level: started.map_err(|error| call_failure(&error))?,
            engine,
            platform,
            printer,
            is_closed: AtomicBool::new(false),
        })
    }

    /// Fails if the engine was freed.
    pub(crate) fn open(&self) -> Result<(), Failure> {
        match self.is_closed.load(SeqCst) {
            true => Err((GcrStatus::Closed, "the engine was freed".to_owned())),
            false => Ok(()),
        }
    }

    /// Waits for what does not take long.
    pub(crate) fn wait<F: Future>(&self, future: F) -> Result<F::Output, Failure> {
        self.wait_within(future, None, || "it has not ended yet".to_owned())
    }

    /// Waits for at most so long; `late` says what took longer.
    pub(crate) fn wait_within<F: Future>(
        &self,
        future: F,
        limit: Option<Duration>,
        late: impl FnOnce() -> String,
    ) -> Result<F::Output, Failure> {
        may_wait()?;
        self.open()?;
        let ended = wait_for(future, limit);
        // What it ended with may come of that.
        self.open()?;
        ended.ok_or_else(|| (GcrStatus::TimedOut, late()))
    }

    fn wait_for_top_level(&self, limit: Option<Duration>) -> Result<(), Failure> {
        let late = || "the top level has not ended yet".to_owned();
        let status = match self.wait_within(self.top_level.join(), limit, late)? {
            Outcome::Returned => return Ok(()),
            Outcome::Cancelled => {
                let message = "the top level was cancelled".to_owned();
                return Err((GcrStatus::Cancelled, message));
            }
            Outcome::Threw if self.top_level.call().is_cancelled() => GcrStatus::Cancelled,
            Outcome::Threw => GcrStatus::Threw,
            Outcome::Panicked => GcrStatus::Panicked,
        };
        let text = self.wait(report(&self.top_level))?;
        Err((status, format!("the top level failed: {text}")))
    }

    fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.printer.close();
        self.platform.shut_down();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a call ended with, and where it was thrown.
pub(crate) async fn report(call: &CallHandle) -> String {
    let mut text = call.uncaught().await;
    for frame in call.call().trace() {
        text += &format!("\n  {}", frame.line());
    }
    text
}

/// Requests cancellation of the call with this id. Harmless if repeated.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_cancel(
    engine: *const GcrEngine,
    id: u32,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let engine = find(engine)?;
        engine.open()?;
        let cancelled = engine.engine.cancel_call(id);
        cancelled.map_err(|error| call_failure(&error))
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Numbers of an engine.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_stats(
    engine: *const GcrEngine,
    out: *mut GcrStats,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let found = find(engine)?;
        found.open()?;
        let heap = found.engine.heap().stats();
        Ok(GcrStats {
            active_futures: found.engine.active_future_count() as u64,
            open_calls: found.engine.open_call_count() as u64,
            protected_objects: heap.protected_by_kind.values().sum(),
            collections_minor: heap.collections_minor,
            collections_major: heap.collections_major,
            used_bytes: heap.used_bytes,
        })
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the numbers", error, body) }
}

/// Stops and frees an engine: what runs is dropped, who waits for it is told `Closed`, and so is
/// who uses its calls and handles, which are freed as ever. It waits for callbacks that run,
/// unless it is called within one.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_engine_free(engine: *mut GcrEngine) {
    quietly((), || {
        if let Some(engine) = unlist(engine) {
            engine.close();
        }
    });
}
