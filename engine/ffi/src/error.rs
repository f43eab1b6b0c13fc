//! Why something failed.

use std::ffi::c_char;

use crate::status::{GcrStatus, quietly};
use crate::text::{Text, lend_none};

/// A status with a message for people. Free it with `gcr_error_free`.
#[derive(Debug)]
pub struct GcrError {
    status: GcrStatus,
    message: Text,
    /// The same for who does not ask for the length: zero bytes are shown as `\0`.
    shown: Option<Text>,
}

impl GcrError {
    pub(crate) fn raw(status: GcrStatus, message: String) -> *mut GcrError {
        let shown = message.contains('\0');
        Box::into_raw(Box::new(GcrError {
            status,
            shown: shown.then(|| Text::new(message.replace('\0', "\\0"))),
            message: Text::new(message),
        }))
    }
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

/// The message of an error, as long as that is not freed; null for null. `len` gets its
/// length; if `len` is null, zero bytes in the message are shown as `\0`.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_error_message(
    error: *const GcrError,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: null, or an error that the caller has not freed; `len` is what the caller owes.
    unsafe {
        match error.as_ref() {
            None => lend_none(len),
            Some(error) if len.is_null() => {
                error.shown.as_ref().unwrap_or(&error.message).lend(len)
            }
            Some(error) => error.message.lend(len),
        }
    }
}

/// Frees an error.
///
/// # Safety
/// See the rules of the crate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gcr_error_free(error: *mut GcrError) {
    if !error.is_null() {
        // SAFETY: it came from `GcrError::raw`, and is freed once.
        quietly((), || drop(unsafe { Box::from_raw(error) }));
    }
}
