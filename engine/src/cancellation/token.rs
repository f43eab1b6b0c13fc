//! Requests for cancellation.

use std::sync::Arc;

use gcrucible_platform::StopToken;
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};

/// The cancellation of one task. It is requested at most once; requests after the first
/// change nothing (I-16).
///
/// The request reaches a running body as one `Cancelled` error at its next slice start,
/// and from then on at every await and every host operation. If the time that is over for the
/// body is what the request comes from, it reaches it as `DeadlineExceeded` instead: one cause
/// is thrown once, wherever slices end (semantics.md C7).
///
/// Two things get a grace time then: a host operation under way, to end by itself (its stop
/// token fires), and the body that got the error, to end.
#[derive(Debug)]
pub struct Token {
    /// Number of the task.
    task: u32,
    state: AtomicU8,
    /// Whether the task has ended for everybody: nothing can be requested of it any more.
    is_over: AtomicBool,
    /// When it was requested, in milliseconds of the engine's time. Set before the state.
    requested_ms: AtomicU64,
    /// Since when the body has had the time to end, once the request is answered.
    body_since_ms: AtomicU64,
    /// Whether that has begun.
    has_body_begun: AtomicBool,
    /// The stop tokens of the task's host operations under way. Who requests holds the lock, so
    /// that none is missed.
    stops: Mutex<Vec<StopToken>>,
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
            requested_ms: AtomicU64::new(0),
            body_since_ms: AtomicU64::new(0),
            has_body_begun: AtomicBool::new(false),
            stops: Mutex::default(),
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

    /// Requests cancellation. If this is the first request, gives the stop tokens that the
    /// caller fires.
    pub fn request(&self, now_ms: u64) -> Option<Vec<StopToken>> {
        self.begin(REQUESTED, now_ms)
    }

    /// The same for a body that throws the error of the time which the request comes from.
    pub fn request_timed(&self, now_ms: u64) -> Option<Vec<StopToken>> {
        self.begin(TIMED, now_ms)
    }

    fn begin(&self, state: u8, now_ms: u64) -> Option<Vec<StopToken>> {
        let mut stops = self.stops.lock();
        if self.is_requested() {
            return None;
        }
        self.requested_ms.store(now_ms, SeqCst);
        self.body_since_ms.store(now_ms, SeqCst);
        self.state.store(state, SeqCst);
        Some(std::mem::take(&mut *stops))
    }

    /// When it was requested, in milliseconds of the engine's time, if it was.
    pub fn requested_ms(&self) -> Option<u64> {
        self.is_requested().then(|| self.requested_ms.load(SeqCst))
    }

    /// Watches a host operation until the guard drops: its stop token fires with the request, or
    /// now if that has come.
    pub(crate) fn watch(self: &Arc<Self>, stop: &StopToken) -> Watched {
        let mut stops = self.stops.lock();
        let is_late = self.is_requested();
        if planted!(B67) || planted!(B74, is_late) {
            // Nobody tells the operation that it is to end.
        } else if is_late {
            drop(stops);
            stop.fire();
        } else {
            stops.push(stop.clone());
        }
        Watched {
            token: Arc::clone(self),
            stop: stop.clone(),
            is_late,
        }
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

    /// Since when the body has had the time to end, in milliseconds of the engine's time: once
    /// the request was thrown inside it, or found no memory for that, or is answered by an error of
    /// the body's own.
    pub(crate) fn body_since_ms(&self) -> Option<u64> {
        let is_answered = matches!(self.state.load(SeqCst), TIMED | DELIVERED);
        let has_begun = is_answered || self.has_body_begun.load(SeqCst);
        has_begun.then(|| self.body_since_ms.load(SeqCst))
    }

    /// The body's time begins anew: it waits for what has a grace time of its own.
    pub(crate) fn restart_body(&self, now_ms: u64) {
        self.body_since_ms.store(now_ms, SeqCst);
    }

    /// The body has waited since `began_ms` for others that are cancelled, too, which is not its
    /// time.
    pub(crate) fn put_body_off(&self, began_ms: u64, now_ms: u64) {
        let since = self.body_since_ms.load(SeqCst);
        let waited = now_ms.saturating_sub(began_ms.max(since));
        self.body_since_ms
            .store(since.saturating_add(waited), SeqCst);
    }

    /// There is no memory for the error of the request. The body's time begins all the same.
    pub(crate) fn begin_body(&self, now_ms: u64) {
        if !self.has_body_begun.swap(true, SeqCst) {
            self.body_since_ms.store(now_ms, SeqCst);
        }
    }

    /// Notes that it was thrown.
    pub fn set_delivered(&self, now_ms: u64) {
        if !self.has_body_begun.swap(true, SeqCst) {
            self.body_since_ms.store(now_ms, SeqCst);
        }
        self.state.store(DELIVERED, SeqCst);
    }
}

/// A host operation that a request for its task reaches, until this drops.
#[derive(Debug)]
pub(crate) struct Watched {
    token: Arc<Token>,
    stop: StopToken,
    is_late: bool,
}

impl Watched {
    /// Whether the request had come by the time the operation began.
    pub(crate) fn is_late(&self) -> bool {
        self.is_late
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.token.stops.lock().retain(|stop| !stop.is(&self.stop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_told_once_and_what_has_ended_is_not() {
        let token = Arc::new(Token::new(1));
        let [first, second, third] = [(); 3].map(|()| StopToken::default());
        let _first = token.watch(&first);
        drop(token.watch(&second));
        let stops = token.request(7).expect("the first request");
        assert_eq!(stops.len(), 1);
        assert!(stops[0].is(&first));
        assert!(token.request(8).is_none());
        assert_eq!(token.requested_ms(), Some(7));
        assert!(!third.has_fired());
        let _third = token.watch(&third);
        assert!(third.has_fired() && !second.has_fired());
    }

    #[test]
    fn the_time_of_a_body_begins_when_it_is_thrown() {
        let token = Token::new(1);
        token.request(7);
        assert_eq!(token.body_since_ms(), None);
        token.set_delivered(9);
        assert_eq!(token.body_since_ms(), Some(9));
        let timed = Token::new(2);
        timed.request_timed(7);
        assert_eq!(timed.body_since_ms(), Some(7));
    }
}
