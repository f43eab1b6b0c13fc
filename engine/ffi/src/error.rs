//! Why something failed.

use std::ffi::{CString, c_char};

use crate::status::{GcrStatus, quietly};

/// A status with a message for people. Free it with `gcr_error_free`.
#[derive(Debug)]
pub struct GcrError {
    status: GcrStatus,
    message: CString,
}

impl GcrError {
    pub(crate) fn new(status: GcrStatus, message: String) -> *mut GcrError {
        let message = c_string(message);
        Box::into_raw(Box::new(GcrError { status, message }))
    }
}

/// The text as C wants it; a zero byte in it becomes a space.
pub(crate) fn c_string(text: String) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// The status of an error; `Ok` for null.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_error_status(error: *const GcrError) -> GcrStatus {
    // SAFETY: null, or an error that the caller has not freed.
    unsafe { error.as_ref() }.map_or(GcrStatus::Ok, |error| error.status)
}

/// The message of an error, as long as that is not freed; an empty one for null.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_error_message(error: *const GcrError) -> *const c_char {
    // SAFETY: null, or an error that the caller has not freed.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Frees an error.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_error_free(error: *mut GcrError) {
    if !error.is_null() {
        // SAFETY: it came from `GcrError::new`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(error) }));
    }
}
