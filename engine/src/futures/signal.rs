//! A flag that a task waits for.

use std::sync::Arc;
use std::task::{Poll, Waker};

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use crate::deadlock::Busy;

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
    /// The count of tasks that can go on, which the one that waits for this is part of.
    busy: Option<Arc<Busy>>,
    /// Whether it is missing there, because it cannot go on without this.
    is_missing: bool,
    wakers: Vec<Waker>,
}

impl State {
    fn count_again(&mut self) {
        if std::mem::take(&mut self.is_missing)
            && let Some(busy) = &self.busy
        {
            busy.enter();
        }
    }
}

impl Signal {
    /// Sets the flag and wakes the task that waits for it. Returns whether this is what
    /// made a waiting task ready.
    pub(crate) fn notify(&self) -> bool {
        let (wakers, is_first) = {
            let mut state = self.state.lock();
            let is_first = state.is_waited && !state.is_set;
            state.is_set = true;
            state.count_again();
            (std::mem::take(&mut state.wakers), is_first)
        };
        for waker in wakers {
            waker.wake();
        }
        is_first
    }

    /// The task waits from now on, as [`Signal::notify`] will tell. If it waits for nothing else
    /// it does not count among those that can go on until the flag is set.
    pub(crate) fn begin_wait(&self, is_all: bool) {
        let mut state = self.state.lock();
        state.is_waited = true;
        if (is_all || planted!(B211, !is_all))
            && !state.is_set
            && !state.is_missing
            && let Some(busy) = &state.busy
        {
            busy.leave();
            state.is_missing = true;
        }
    }

    /// The task does not wait any more, whatever woke it.
    pub(crate) fn end_wait(&self) {
        let mut state = self.state.lock();
        state.is_waited = false;
        state.count_again();
    }

    /// The task that waits for it is one of these.
    pub(crate) fn count_in(&self, busy: &Arc<Busy>) {
        self.state.lock().busy = Some(Arc::clone(busy));
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
