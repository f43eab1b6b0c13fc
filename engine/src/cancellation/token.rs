//! Requests for cancellation.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};

/// The cancellation of one task. It is requested at most once; requests after the first
/// change nothing (I-16).
///
/// The request reaches a running body as one `Cancelled` error at its next slice start,
/// and from then on at every await and every host operation. If the time that is over for the
/// body is what the request comes from, it reaches it as `DeadlineExceeded` instead: one cause
/// is thrown once, wherever slices end (semantics.md C7).
#[derive(Debug)]
pub struct Token {
    /// Number of the task.
    task: u32,
    state: AtomicU8,
    /// Whether the task has ended for everybody: nothing can be requested of it any more.
    is_over: AtomicBool,
    /// Whether no more of it may run.
    is_aborted: AtomicBool,
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
    /// The token of a task, by its number.
    pub(crate) fn new(task: u32) -> Token {
        Token {
            task,
            state: AtomicU8::new(NONE),
            is_over: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
        }
    }

    /// Number of the task that it cancels.
    pub fn task(&self) -> u32 {
        self.task
    }

    /// Whether the task has ended, so that a request is not noted any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    pub(super) fn set_over(&self) {
        self.is_over.store(true, SeqCst);
    }

    /// Asks that no more of the task runs. Returns whether this was the first time.
    pub(crate) fn request_abort(&self) -> bool {
        !self.is_aborted.swap(true, SeqCst)
    }

    /// Whether no more of the task may run.
    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(SeqCst)
    }

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
