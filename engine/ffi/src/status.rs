//! Status codes, and the boundary that no panic crosses.

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::GcrError;

/// How a function ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum GcrStatus {
    /// As asked.
    Ok = 0,
    /// A pointer is null, a string no UTF-8, a mode unknown.
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
    /// The time was over before the call had ended; it goes on.
    TimedOut = 8,
    /// The call has not ended yet.
    Running = 9,
    /// The call ended with an error that nobody caught.
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
}

/// A failure on its way to the caller.
pub(crate) type Failure = (GcrStatus, String);

pub(crate) fn bad_argument(what: &str) -> Failure {
    (GcrStatus::BadArgument, what.to_owned())
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
            // SAFETY: what the caller owes.
            unsafe { write(error, std::ptr::null_mut()) };
            return GcrStatus::Ok;
        }
        Ok(Err(failure)) => failure,
        Err(panic) => (GcrStatus::Internal, panic_message(&*panic)),
    };
    // SAFETY: what the caller owes.
    unsafe { write(error, GcrError::new(status, message)) };
    status
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

/// Writes through an `out` pointer, if it is not null; else the value is forgotten, which
/// only happens to nulls and errors that nobody wants.
///
/// # Safety
/// `out` is null or can be written.
pub(crate) unsafe fn write<T>(out: *mut *mut T, value: *mut T) {
    if !out.is_null() {
        // SAFETY: what the caller owes.
        unsafe { *out = value };
    } else if !value.is_null() {
        // SAFETY: `value` came from `Box::into_raw`, and nobody else has it.
        drop(unsafe { Box::from_raw(value) });
    }
}

/// A string of the caller.
///
/// # Safety
/// `text` is null or a string that ends with a zero byte and outlives `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(bad_argument(&format!("{what} is null, expected a string")));
    }
    // SAFETY: what the caller owes.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|_| bad_argument(&format!("{what} is no UTF-8")))
}

/// A borrowed object of the caller.
///
/// # Safety
/// `pointer` is null or points to a `T` that outlives `'a`.
pub(crate) unsafe fn object<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    // SAFETY: what the caller owes.
    unsafe { pointer.as_ref() }.ok_or_else(|| bad_argument(&format!("{what} is null")))
}
