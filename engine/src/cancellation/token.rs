//! Requests for cancellation.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The cancellation of one task. It is requested at most once; requests after the first
/// change nothing (I-16).
///
/// The request reaches a running body as one `Cancelled` error at its next slice start,
/// and from then on at every await and every host operation.
#[derive(Debug, Default)]
pub struct Token {
    is_requested: AtomicBool,
    is_delivered: AtomicBool,
}

impl Token {
    /// Requests cancellation. Returns whether this was the first request.
    pub fn request(&self) -> bool {
        !self.is_requested.swap(true, SeqCst)
    }

    /// Whether cancellation was requested.
    pub fn is_requested(&self) -> bool {
        self.is_requested.load(SeqCst)
    }

    /// Whether the request still has to be thrown inside the body.
    pub fn is_undelivered(&self) -> bool {
        self.is_requested() && !self.is_delivered.load(SeqCst)
    }

    /// Notes that it was thrown.
    pub fn set_delivered(&self) {
        self.is_delivered.store(true, SeqCst);
    }
}
