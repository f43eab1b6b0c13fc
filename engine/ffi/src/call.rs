//! Calls by id.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_engine::{CallHandle, Engine, Outcome, Unfit};
use gcrucible_platform::tokio_platform::TokioPlatform;

use crate::engine::{GcrEngine, call_failure};
use crate::error::GcrError;
use crate::status::{Failure, GcrStatus, bad_argument, guarded, object, quietly, text, write};
use crate::value::GcrValue;

/// A call in progress or ended. Free it with `gcr_call_free`.
#[derive(Debug)]
pub struct GcrCall {
    pub(crate) handle: CallHandle,
    pub(crate) engine: Engine,
    pub(crate) platform: Arc<TokioPlatform>,
}

/// Starts a call of an exported function under an id of the caller's choice, with `count`
/// arguments, which stay the caller's. It does not wait.
///
/// # Safety
/// See the rules of the crate; `args` points to `count` values, each of which may be null for
/// nil, or is null itself if `count` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call(
    engine: *const GcrEngine,
    id: u32,
    function: *const c_char,
    args: *const *const GcrValue,
    count: usize,
    out: *mut *mut GcrCall,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (engine, function) = unsafe {
            (
                object(engine, "the engine")?,
                text(function, "the function")?,
            )
        };
        if out.is_null() || (args.is_null() && count > 0) {
            return Err(bad_argument(
                "the arguments or the place for the call are null",
            ));
        }
        let mut values = Vec::new();
        for index in 0..count {
            // SAFETY: `args` points to `count` values, each null or unfreed.
            let arg = unsafe { (*args.add(index)).as_ref() };
            values.push(arg.map(|arg| arg.value.clone()).unwrap_or_default());
        }
        let started = engine
            .platform
            .block_on(engine.engine.call(id, function, &values));
        let call = GcrCall {
            handle: started.map_err(|error| call_failure(&error))?,
            engine: engine.engine.clone(),
            platform: Arc::clone(&engine.platform),
        };
        // SAFETY: what the caller owes.
        unsafe { write(out, Box::into_raw(Box::new(call))) };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Waits until a call has ended, for at most `timeout_ms` milliseconds, for ever if that is
/// negative. `Ok` if it returned; else `Threw`, `Cancelled` or `TimedOut`, and `error` says
/// more.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call_wait(
    call: *const GcrCall,
    timeout_ms: i64,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let call = unsafe { object(call, "the call")? };
        let is_over = call.platform.block_on(async {
            match u64::try_from(timeout_ms) {
                Err(_) => {
                    call.handle.join().await;
                    true
                }
                Ok(ms) => {
                    let limit = Duration::from_millis(ms);
                    tokio::time::timeout(limit, call.handle.join())
                        .await
                        .is_ok()
                }
            }
        });
        if !is_over {
            let message = format!("call {} has not ended yet", call.handle.call().id());
            return Err((GcrStatus::TimedOut, message));
        }
        call.returned()
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

impl GcrCall {
    /// Fails unless the call returned.
    pub(crate) fn returned(&self) -> Result<(), Failure> {
        let id = self.handle.call().id();
        match self.handle.call().outcome() {
            Some(Outcome::Returned) => Ok(()),
            Some(Outcome::Threw) => {
                let mut text = self.platform.block_on(self.handle.uncaught());
                for frame in self.handle.call().trace() {
                    text += &format!("\n  {}", frame.line());
                }
                // Whatever wraps it on its way out, a cancellation is one.
                match self.handle.call().is_cancelled() {
                    true => Err((GcrStatus::Cancelled, text)),
                    false => Err((GcrStatus::Threw, text)),
                }
            }
            Some(Outcome::Panicked) => {
                let cause = self.platform.block_on(self.handle.text());
                let message = format!("a host operation of call {id} panicked: {cause}");
                Err((GcrStatus::Panicked, message))
            }
            Some(Outcome::Cancelled) => {
                Err((GcrStatus::Cancelled, format!("call {id} was cancelled")))
            }
            None => Err((GcrStatus::Running, format!("call {id} has not ended yet"))),
        }
    }
}

/// The value that a call returned, as data.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call_value(
    call: *const GcrCall,
    out: *mut *mut GcrValue,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let call = unsafe { object(call, "the call")? };
        if out.is_null() {
            return Err(bad_argument("the place for the value is null"));
        }
        call.returned()?;
        let data = match call.platform.block_on(call.handle.try_data()) {
            Ok(data) => data,
            Err(Unfit::NoData) => {
                let text = call.platform.block_on(call.handle.text());
                return Err((GcrStatus::NotData, format!("`{text}` is no plain data")));
            }
            Err(why) => return Err((GcrStatus::NotData, why.to_string())),
        };
        // SAFETY: what the caller owes.
        unsafe { write(out, GcrValue::raw(data)) };
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Frees a call. One that has not ended is cancelled, and its tasks with it.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call_free(call: *mut GcrCall) {
    if !call.is_null() {
        // SAFETY: it came from `gcr_call`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(call) }));
    }
}
