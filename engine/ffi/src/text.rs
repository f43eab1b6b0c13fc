//! Text with its length, both ways.

use std::ffi::c_char;

use crate::status::{Failure, bad_argument};

/// Text that is lent to the caller: a zero byte stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Text(Box<[u8]>);

impl Text {
    pub(crate) fn new(text: impl Into<String>) -> Text {
        let mut text: String = text.into();
        text.reserve_exact(1);
        text.push('\0');
        Text(text.into_boxed_str().into_boxed_bytes())
    }

    pub(crate) fn as_str(&self) -> &str {
        // It was made from text.
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() - 1
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..self.len()]
    }

    /// The text for the caller: its length goes to `len`. Null without a place for that if the
    /// text has zero bytes in it, since the caller would take it for shorter than it is.
    ///
    /// # Safety
    /// `len` is null or can be written.
    pub(crate) unsafe fn lend(&self, len: *mut usize) -> *const c_char {
        if len.is_null() {
            if self.bytes().contains(&0) {
                return std::ptr::null();
            }
        } else {
            // SAFETY: what the caller owes.
            unsafe { *len = self.len() };
        }
        self.0.as_ptr().cast()
    }
}

/// No text for the caller.
///
/// # Safety
/// `len` is null or can be written.
pub(crate) unsafe fn lend_none(len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: what the caller owes.
        unsafe { *len = 0 };
    }
    std::ptr::null()
}

/// Text of the caller; null is the empty text if `len` is 0.
///
/// # Safety
/// `text` is null or points to `len` bytes that outlive `'a`.
pub(crate) unsafe fn text<'a>(
    text: *const c_char,
    len: usize,
    what: &str,
) -> Result<&'a str, Failure> {
    if text.is_null() {
        return match len {
            0 => Ok(""),
            _ => Err(bad_argument(&format!("{what} is null, expected text"))),
        };
    }
    if isize::try_from(len).is_err() {
        let message = format!("{what} has a length of {len} bytes, which is no length");
        return Err(bad_argument(&message));
    }
    // SAFETY: what the caller owes; no object is longer than `isize::MAX`.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        bad_argument(&format!("{what} is not UTF-8 text (byte {at})"))
    })
}
