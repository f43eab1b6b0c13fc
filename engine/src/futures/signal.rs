//! A flag that a task waits for.

use std::task::{Poll, Waker};

use gcrucible_platform::sync::Mutex;

/// Set by whoever has news for a task; the task waits for it and clears it. Several may
/// wait for one: all are woken, and the first to look clears it.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_set: bool,
    is_waited: bool,
    wakers: Vec<Waker>,
}

impl Signal {
    /// Sets the flag and wakes the task that waits for it. Returns whether this is what
    /// made a waiting task ready.
    pub(crate) fn notify(&self) -> bool {
        let (wakers, is_first) = {
            let mut state = self.state.lock();
            let is_first = state.is_waited && !state.is_set;
            state.is_set = true;
            (std::mem::take(&mut state.wakers), is_first)
        };
        for waker in wakers {
            waker.wake();
        }
        is_first
    }

    /// Says whether the task waits from now on, for [`Signal::notify`] to tell.
    pub(crate) fn set_waited(&self, is_waited: bool) {
        self.state.lock().is_waited = is_waited;
    }

    /// Forgets old news. What comes after this is not missed.
    pub(crate) fn reset(&self) {
        self.state.lock().is_set = false;
    }

    /// Ready when the flag is set, which clears it.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.is_set) {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }

    /// Waits for the flag.
    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll(cx.waker())).await;
    }
}
