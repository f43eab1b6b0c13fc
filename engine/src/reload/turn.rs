//! One caller after the other, across waits.

use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::futures::Signal;

/// A lock that may be held while its holder waits. Whoever takes it holds no permit.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    is_taken: AtomicBool,
    free: Signal,
}

/// The turn, until this drops.
pub(crate) struct TurnGuard<'t>(&'t Turn);

impl Turn {
    /// Waits until nobody else has the turn, and takes it.
    pub(crate) async fn take(&self) -> TurnGuard<'_> {
        // Who gives it back says so after it is free: none of that is missed.
        while self.is_taken.swap(true, SeqCst) {
            self.free.wait().await;
        }
        TurnGuard(self)
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        self.0.is_taken.store(false, SeqCst);
        self.0.free.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let turn = Turn::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(turn.take());
        let Poll::Ready(guard) = first.as_mut().poll(&mut cx) else {
            panic!("nobody has it");
        };
        let mut second = pin!(turn.take());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(guard);
        assert!(second.as_mut().poll(&mut cx).is_ready());
    }
}
