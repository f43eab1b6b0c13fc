//! Requests for cancellation.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

/// The cancellation of one task. It is requested at most once; requests after the first
/// change nothing (I-16).
///
/// The request reaches a running body as one `Cancelled` error at its next slice start,
/// and from then on at every await and every host operation. If the time that is over for the
/// body is what the request comes from, it reaches it as `DeadlineExceeded` instead: one cause
/// is thrown once, wherever slices end (semantics.md C7).
#[derive(Debug, Default)]
pub struct Token {
    state: AtomicU8,
}

/// Nobody has requested it.
const NONE: u8 = 0;
/// Requested, and still to be thrown.
const REQUESTED: u8 = 1;
/// Requested by a time that the body itself throws the error of.
const TIMED: u8 = 2;
/// Requested and thrown.
const DELIVERED: u8 = 3;

impl Token {
    /// Requests cancellation. Returns whether this was the first request.
    pub fn request(&self) -> bool {
        self.begin(REQUESTED)
    }

    /// The same for a body that throws the error of the time which the request comes from.
    pub fn request_timed(&self) -> bool {
        self.begin(TIMED)
    }

    fn begin(&self, state: u8) -> bool {
        self.state
            .compare_exchange(NONE, state, SeqCst, SeqCst)
            .is_ok()
    }

    /// Whether cancellation was requested.
    pub fn is_requested(&self) -> bool {
        self.state.load(SeqCst) != NONE
    }

    /// Whether the request still has to be thrown inside the body.
    pub fn is_undelivered(&self) -> bool {
        self.state.load(SeqCst) == REQUESTED
    }

    /// Whether nothing of the request was thrown: a body that has not begun never begins.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state.load(SeqCst), REQUESTED | TIMED)
    }

    /// What seeded bug B-72 does: takes the request back. Whether there was one.
    pub(crate) fn clear(&self) -> bool {
        self.state.swap(NONE, SeqCst) != NONE
    }

    /// Notes that it was thrown.
    pub fn set_delivered(&self) {
        self.state.store(DELIVERED, SeqCst);
    }
}
