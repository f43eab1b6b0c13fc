//! Calls by id.

use std::ffi::c_char;
use std::sync::Arc;

use gcrucible_engine::{Argument, CallHandle, CallKind, HostValue, Outcome, Unfit};

use crate::engine::{GcrEngine, Running, limit, report};
use crate::error::GcrError;
use crate::objects::{find, list, unlist};
use crate::status::{
    Failure, GcrStatus, bad_argument, call_failure, giving, guarded, place, quietly,
};
use crate::text::text;
use crate::value::GcrValue;

/// A call in progress or ended. Free it with `gcr_call_free`.
#[derive(Debug)]
pub struct GcrCall {
    _opaque: [u8; 0],
}

/// A call, and the engine that it runs on.
#[derive(Debug)]
pub(crate) struct CallState {
    // Dropped first: that cancels it.
    pub(crate) handle: CallHandle,
    pub(crate) running: Arc<Running>,
}

/// More arguments than this are taken for a mistake.
const ARGS_MAX: usize = 1 << 16;

/// The arguments of a call.
///
/// # Safety
/// `args` points to `count` values, each null or unfreed, or is null itself.
pub(crate) unsafe fn arguments(
    args: *const *const GcrValue,
    count: usize,
) -> Result<Vec<Argument>, Failure> {
    if args.is_null() && count > 0 {
        return Err(bad_argument("the arguments are null"));
    }
    if count > ARGS_MAX {
        let message = format!("{count} arguments: expected at most {ARGS_MAX}");
        return Err(bad_argument(&message));
    }
    let argument = |index| {
        // SAFETY: what the caller owes.
        let arg = unsafe { (*args.add(index)).as_ref() };
        arg.map_or(Argument::Data(Default::default()), GcrValue::argument)
    };
    Ok((0..count).map(argument).collect())
}

/// Refuses the ids that a host does not use.
pub(crate) fn checked_id(id: u32) -> Result<(), Failure> {
    match id < CallKind::HOST_IDS {
        true => Ok(()),
        false => Err(bad_argument(&format!(
            "{id} is a call id of the engine's own: expected less than {}",
            CallKind::HOST_IDS
        ))),
    }
}

/// Starts a call of an exported function under an id of the caller's choice, less than 2^32 - 2,
/// with `count` arguments, which stay the caller's. It does not wait.
///
/// # Safety
/// See the rules of the crate; `args` points to `count` values, each of which may be null for
/// nil, or is null itself if `count` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call(
    engine: *const GcrEngine,
    id: u32,
    function: *const c_char,
    function_len: usize,
    args: *const *const GcrValue,
    count: usize,
    out: *mut *mut GcrCall,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let (function, out, args) = unsafe {
            let function = text(function, function_len, "the function")?;
            (function, place(out, "the call")?, arguments(args, count)?)
        };
        checked_id(id)?;
        let running = find(engine)?;
        let started = running.wait(running.engine.call_with(id, function, &args))?;
        *out = list(CallState {
            handle: started.map_err(|error| call_failure(&error))?,
            running,
        });
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
        let call = find(call)?;
        let late = || format!("call {} has not ended yet", call.handle.call().id());
        let join = call.handle.join();
        call.running.wait_within(join, limit(timeout_ms), late)?;
        call.returned()
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

impl CallState {
    /// Fails unless the call returned.
    pub(crate) fn returned(&self) -> Result<(), Failure> {
        self.running.open()?;
        let id = self.handle.call().id();
        match self.handle.call().outcome() {
            Some(Outcome::Returned) => Ok(()),
            Some(Outcome::Threw) => {
                let text = self.running.wait(report(&self.handle))?;
                // Whatever wraps it on its way out, a cancellation is one.
                match self.handle.call().is_cancelled() {
                    true => Err((GcrStatus::Cancelled, text)),
                    false => Err((GcrStatus::Threw, text)),
                }
            }
            Some(Outcome::Panicked) => {
                let cause = self.running.wait(self.handle.text())?;
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

/// A value as data; `text` gives what it shows when it is none.
pub(crate) fn plain(
    data: Result<HostValue, Unfit>,
    text: impl FnOnce() -> Result<String, Failure>,
) -> Result<*mut GcrValue, Failure> {
    match data {
        Ok(data) => Ok(GcrValue::raw(data)),
        Err(Unfit::NoData) => Err((
            GcrStatus::NotData,
            format!("`{}` is no plain data", text()?),
        )),
        Err(why) => Err((GcrStatus::NotData, why.to_string())),
    }
}

/// The value that a call returned, as data. Of what is none, `gcr_protect` gives a handle.
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
        let call = find(call)?;
        call.returned()?;
        let data = call.running.wait(call.handle.try_data())?;
        plain(data, || call.running.wait(call.handle.text()))
    };
    // SAFETY: what the caller owes.
    unsafe { giving(out, "the value", error, body) }
}

/// Requests cancellation of this very call, whoever has its id by now. Harmless if repeated, and
/// if it has ended.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_call_cancel(
    call: *const GcrCall,
    error: *mut *mut GcrError,
) -> GcrStatus {
    let body = || {
        let call = find(call)?;
        call.running.open()?;
        call.handle.cancel();
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Frees a call. One that has not ended is cancelled, and its tasks with it.
#[unsafe(no_mangle)]
pub extern "C" fn gcr_call_free(call: *mut GcrCall) {
    quietly((), || drop(unlist(call)));
}
