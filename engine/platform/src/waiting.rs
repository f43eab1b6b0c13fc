//! Waiting on a thread of the host's, which is none of the platform's.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A thread that waits.
struct Parked {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

thread_local! {
    /// One for all waits of a thread: who is waited for in many short waits keeps one waker.
    static PARKED: OnceCell<Arc<Parked>> = const { OnceCell::new() };
}

/// Runs a future on the calling thread until it ends, for at most `limit`; `None` if it has not
/// ended by then. It is polled at least once. No runtime is needed for it, nor touched.
pub fn wait_for<F: Future>(future: F, limit: Option<Duration>) -> Option<F::Output> {
    let parked = PARKED.with(|parked| {
        let parked = parked.get_or_init(|| {
            Arc::new(Parked {
                thread: std::thread::current(),
                is_woken: AtomicBool::new(false),
            })
        });
        Arc::clone(parked)
    });
    let waker = Waker::from(Arc::clone(&parked));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let clock = Clock::start();
    loop {
        parked.is_woken.store(false, Ordering::Release);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        while !parked.is_woken.load(Ordering::Acquire) {
            match limit {
                None => std::thread::park(),
                Some(limit) => {
                    let left = limit.saturating_sub(clock.elapsed());
                    if left.is_zero() {
                        return None;
                    }
                    std::thread::park_timeout(left);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_future_or_the_time() {
        assert_eq!(wait_for(async { 1 }, Some(Duration::ZERO)), Some(1));
        assert_eq!(wait_for(async { 1 }, None), Some(1));
        let never = std::future::pending::<()>;
        assert_eq!(wait_for(never(), Some(Duration::ZERO)), None);
        assert_eq!(wait_for(never(), Some(Duration::from_millis(1))), None);
    }

    #[test]
    fn it_is_woken_from_another_thread() {
        let mut is_begun = false;
        let waits = std::future::poll_fn(move |cx| {
            if std::mem::replace(&mut is_begun, true) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            let other = crate::sync::thread::spawn("test", move || waker.wake());
            drop(other.expect("a thread"));
            Poll::Pending
        });
        assert_eq!(wait_for(waits, Some(Duration::MAX)), Some(()));
    }
}
