//! A flag that a task waits for.

use std::task::{Poll, Waker};

use gcrucible_platform::sync::Mutex;

/// Set by whoever has news for a task; the task waits for it and clears it.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_set: bool,
    waker: Option<Waker>,
}

impl Signal {
    /// Sets the flag and wakes the task that waits for it.
    pub(crate) fn notify(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.is_set = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
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
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Waits for the flag.
    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll(cx.waker())).await;
    }
}
