//! Status codes, and the boundary that no panic crosses.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gcrucible_engine::CallError;

use crate::error::GcrError;

/// How a function ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum GcrStatus {
    /// As asked.
    Ok = 0,
    /// A pointer is null, freed or of another type, a text no UTF-8, a number out of its range,
    /// a mode unknown.
    BadArgument = 1,
    /// The source does not compile; the message holds all diagnostics.
    BadSource = 2,
    /// The engine could not be made.
    EngineFailed = 3,
    /// The program exports no such function.
    UnknownExport = 4,
    /// A call with that id has not ended yet; it goes on undisturbed.
    DuplicateCallId = 5,
    /// No call with that id is in progress.
    CallNotFound = 6,
    /// The heap has no room for the arguments.
    OutOfMemory = 7,
    /// The time was over before the call, or the top level, had ended; it goes on.
    TimedOut = 8,
    /// The call has not ended yet.
    Running = 9,
    /// The call, or the top level, ended with an error that nobody caught.
    Threw = 10,
    /// The call was cancelled, or ended with the cancellation of what it waited for, whatever
    /// errors wrap that.
    Cancelled = 11,
    /// The value is no plain data, or nested too deep.
    NotData = 12,
    /// The engine panicked.
    Internal = 13,
    /// The call ended because a host operation panicked in it.
    Panicked = 14,
    /// The engine that it belongs to was freed.
    Closed = 15,
    /// It was made before a `fork()`, and this is the child.
    Forked = 16,
    /// It would wait within a callback, which the engine waits for.
    InCallback = 17,
}

/// A failure on its way to the caller.
pub(crate) type Failure = (GcrStatus, String);

pub(crate) fn bad_argument(what: &str) -> Failure {
    (GcrStatus::BadArgument, what.to_owned())
}

/// The status and message of a refused call.
pub(crate) fn call_failure(error: &CallError) -> Failure {
    let status = match error {
        CallError::DuplicateCallId(_) => GcrStatus::DuplicateCallId,
        CallError::CallNotFound(_) => GcrStatus::CallNotFound,
        CallError::FutureNotFound(_)
        | CallError::ArgumentTooLarge(_)
        | CallError::ForeignObject => GcrStatus::BadArgument,
        CallError::UnknownExport(_) => GcrStatus::UnknownExport,
        CallError::ArgumentTooDeep => GcrStatus::NotData,
        CallError::OutOfMemory => GcrStatus::OutOfMemory,
    };
    (status, error.to_string())
}

/// Runs the body of a function of the API: its failure, or its panic, becomes a status and,
/// where the caller wants one, an error.
///
/// # Safety
/// `error` is null or can be written.
pub(crate) unsafe fn guarded(
    error: *mut *mut GcrError,
    body: impl FnOnce() -> Result<(), Failure>,
) -> GcrStatus {
    let (status, message) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {
            if !error.is_null() {
                // SAFETY: what the caller owes.
                unsafe { *error = std::ptr::null_mut() };
            }
            return GcrStatus::Ok;
        }
        Ok(Err(failure)) => failure,
        Err(panic) => (GcrStatus::Internal, panic_message(&*panic)),
    };
    if !error.is_null() {
        // SAFETY: what the caller owes.
        unsafe { *error = GcrError::raw(status, message) };
    }
    status
}

/// The same for a function that gives something: puts what the body gives into its place, which
/// is looked at first. `what` names it in an error.
///
/// # Safety
/// `out` and `error` are null or can be written.
pub(crate) unsafe fn giving<T>(
    out: *mut T,
    what: &str,
    error: *mut *mut GcrError,
    body: impl FnOnce() -> Result<T, Failure>,
) -> GcrStatus {
    let body = || {
        // SAFETY: what the caller owes.
        let out = unsafe { place(out, what)? };
        *out = body()?;
        Ok(())
    };
    // SAFETY: what the caller owes.
    unsafe { guarded(error, body) }
}

/// Runs a body that only frees or looks; its panic is swallowed.
pub(crate) fn quietly<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|&text| text.to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the engine panicked".to_owned())
}

/// The place for what a function gives, which is never null.
///
/// # Safety
/// `out` is null or can be written, for `'a` by nobody else.
pub(crate) unsafe fn place<'a, T>(out: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: what the caller owes.
    unsafe { out.as_mut() }.ok_or_else(|| bad_argument(&format!("the place for {what} is null")))
}
