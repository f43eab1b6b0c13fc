//! An engine with threads of its own.

use std::ffi::c_char;
use std::sync::Arc;

use gcrucible_engine::{CallError, Engine, EngineOptions, Outcome};
use gcrucible_frontend::Source;
use gcrucible_heap::{HeapConfig, HeapDebug};
use gcrucible_platform::tokio_platform::TokioPlatform;

use crate::error::GcrError;
use crate::status::{Failure, GcrStatus, bad_argument, guarded, object, quietly, text, write};

/// A program on an engine. Free it with `gcr_engine_free`.
#[derive(Debug)]
pub struct GcrEngine {
    pub(crate) engine: Engine,
    pub(crate) platform: Arc<TokioPlatform>,
}

/// What an engine is made with. All zero and null is a good choice.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct GcrOptions {
    /// Threads that run tasks; 0 for two.
    pub workers: u32,
    /// Bytes that the program may keep alive; 0 for the usual limit.
    pub heap_limit_bytes: u64,
    /// Debug modes of the heap, such as `zombie,scribble,collect=safepoint`; null for none.
    pub heap_modes: *const c_char,
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

/// Compiles `source` (named `path` in messages), makes an engine and runs the top level.
/// `options` may be null.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_engine_new(
    path: *const c_char,
    source: *const c_char,
    options: *const GcrOptions,
    out: *mut *mut GcrEngine,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (path, source) = unsafe { (text(path, "the path")?, text(source, "the source")?) };
        // SAFETY: what the caller owes.
        let options = unsafe { options.as_ref() };
        let modes = match options.map(|options| options.heap_modes) {
            // SAFETY: what the caller owes.
            Some(modes) if !modes.is_null() => unsafe { text(modes, "the heap modes")? },
            _ => "",
        };
        if out.is_null() {
            return Err(bad_argument("the place for the engine is null"));
        }
        let workers = options.map_or(0, |options| options.workers);
        let limit = options.map_or(0, |options| options.heap_limit_bytes);
        let engine = GcrEngine::new(path, source, modes, workers, limit)?;
        // SAFETY: what the caller owes.
        unsafe { write(out, Box::into_raw(Box::new(engine))) };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

impl GcrEngine {
    fn new(
        path: &str,
        source: &str,
        modes: &str,
        workers: u32,
        limit_bytes: u64,
    ) -> Result<GcrEngine, Failure> {
        let debug: HeapDebug = modes
            .parse()
            .map_err(|error| bad_argument(&format!("heap modes `{modes}`: {error}")))?;
        let source = Source::new(path, source);
        let program = gcrucible_frontend::compile(&source)
            .map_err(|errors| (GcrStatus::BadSource, errors.render(&source, false)))?;
        let failed = |why: String| (GcrStatus::EngineFailed, why);
        let workers = if workers == 0 { 2 } else { workers as usize };
        let platform = TokioPlatform::new(workers).map_err(|error| failed(error.to_string()))?;
        let platform = Arc::new(platform);
        let mut heap = HeapConfig::default();
        if limit_bytes > 0 {
            heap.limit_bytes = limit_bytes;
        }
        let options = EngineOptions {
            heap,
            debug,
            ..EngineOptions::default()
        };
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            None,
        )
        .map_err(|error| failed(error.to_string()))?;
        let made = GcrEngine { engine, platform };
        let init = made
            .platform
            .block_on(made.engine.start_init())
            .map_err(|error| call_failure(&error))?;
        match made.platform.block_on(init.join()) {
            Outcome::Returned => Ok(made),
            Outcome::Threw | Outcome::Cancelled | Outcome::Panicked => {
                let text = made.platform.block_on(init.text());
                Err((GcrStatus::Threw, format!("the top level failed: {text}")))
            }
        }
    }
}

/// The status and message of a refused call.
pub(crate) fn call_failure(error: &CallError) -> Failure {
    let status = match error {
        CallError::DuplicateCallId(_) => GcrStatus::DuplicateCallId,
        CallError::CallNotFound(_) => GcrStatus::CallNotFound,
        CallError::FutureNotFound(_) => GcrStatus::BadArgument,
        CallError::UnknownExport(_) => GcrStatus::UnknownExport,
        CallError::ArgumentTooLarge(_) => GcrStatus::BadArgument,
        CallError::ArgumentTooDeep => GcrStatus::NotData,
        CallError::OutOfMemory => GcrStatus::OutOfMemory,
    };
    (status, error.to_string())
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
        // SAFETY: what the caller owes.
        let engine = unsafe { object(engine, "the engine")? };
        let cancelled = engine.engine.cancel_call(id);
        cancelled.map_err(|error| call_failure(&error))
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Numbers of an engine; all zero for null.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_stats(engine: *const GcrEngine) -> GcrStats {
    // SAFETY: what the caller owes.
    let Some(GcrEngine { engine, .. }) = (unsafe { engine.as_ref() }) else {
        return GcrStats::default();
    };
    quietly(GcrStats::default(), || {
        let heap = engine.heap().stats();
        GcrStats {
            active_futures: engine.active_future_count() as u64,
            open_calls: engine.open_call_count() as u64,
            protected_objects: heap.protected_by_kind.values().sum(),
            collections_minor: heap.collections_minor,
            collections_major: heap.collections_major,
            used_bytes: heap.used_bytes,
        }
    })
}

/// Stops and frees an engine; calls in progress are dropped. Calls and handles of it must
/// have been freed before.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_engine_free(engine: *mut GcrEngine) {
    if !engine.is_null() {
        // SAFETY: it came from `gcr_engine_new`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(engine) }));
    }
}
