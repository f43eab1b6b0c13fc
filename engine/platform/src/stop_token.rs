//! Asks an operation of the host to end by itself.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// Tells an operation that nobody wants its result any more. It fires at most once; clones are
/// the same token. An operation that heeds it ends early, by itself; one that does not gets the
/// engine's grace time, and is dropped at its end.
#[derive(Clone, Default)]
pub struct StopToken {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    has_fired: bool,
    wakers: Vec<Waker>,
}

impl StopToken {
    /// Whether it has fired.
    pub fn has_fired(&self) -> bool {
        self.state.lock().has_fired
    }

    /// Fires it, and wakes who waits for that.
    pub fn fire(&self) {
        let wakers = {
            let mut state = self.state.lock();
            state.has_fired = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ready when it has fired; else the context's waker is woken then.
    pub fn poll_fired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.has_fired {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until it has fired.
    pub async fn fired(&self) {
        poll_fn(|cx| self.poll_fired(cx)).await;
    }

    /// Whether both are the same token.
    pub fn is(&self, other: &StopToken) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl fmt::Debug for StopToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_fired = self.has_fired();
        f.debug_struct("StopToken")
            .field("has_fired", &has_fired)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::pin::pin;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_once() {
        let token = StopToken::default();
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let mut fired = pin!(token.fired());
        assert!(fired.as_mut().poll(&mut cx).is_pending());
        assert!(fired.as_mut().poll(&mut cx).is_pending());
        let clone = token.clone();
        clone.fire();
        clone.fire();
        assert_eq!(count.0.load(SeqCst), 1);
        assert!(fired.as_mut().poll(&mut cx).is_ready());
        assert!(token.has_fired() && token.is(&clone));
        assert!(!token.is(&StopToken::default()));
    }
}
