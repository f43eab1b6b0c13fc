//! Who may touch the heap, and who waits for that.
//!
//! The permit of a collector that waits is *handed over*: when the last shared permit goes, the
//! gate gives the exclusive one to the collector that has waited longest, and wakes it. Were it
//! only told that it may try, others could come before it each time it does. A collector that
//! was given the permit and goes away gives it back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use gcrucible_platform::sync::{Condvar, Mutex, MutexGuard};

/// Counts permits and lets who must wait, wait.
///
/// # Invariants
/// 1. `shared > 0` and `is_exclusive` exclude each other.
/// 2. `granted` is the ticket of a collector that has the exclusive permit and does not know yet.
/// 3. The gate of a broken heap is closed for ever: `is_exclusive` stays.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Threads that cannot await wait for this.
    opened: Condvar,
    /// Collectors that wait, for slices to look at without the lock.
    waiting: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    shared: u32,
    is_exclusive: bool,
    /// Collectors that wait, those that came first in front.
    collectors: VecDeque<(u64, Waker)>,
    /// The ticket that was given out last.
    ticket: u64,
    granted: Option<u64>,
    /// Who waits for a shared permit.
    wakers: Vec<Waker>,
    /// What broke the heap.
    broken: Option<Arc<str>>,
}

impl State {
    /// Whether there are shared permits. Who asks for the exclusive one goes before.
    fn is_open(&self) -> bool {
        !self.is_exclusive && self.collectors.is_empty()
    }

    /// # Panics
    /// If the heap is broken.
    fn refuse_if_broken(&self) {
        if let Some(why) = &self.broken {
            panic!("a collection broke the heap: {why}");
        }
    }
}

impl Gate {
    /// A shared permit, if there is one without waiting.
    pub(crate) fn try_shared(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = state.is_open();
        state.shared += u32::from(is_open);
        is_open
    }

    /// One more shared permit for somebody who has one.
    pub(crate) fn add_shared(&self) {
        self.state.lock().shared += 1;
    }

    /// A shared permit, as soon as there is one.
    ///
    /// # Panics
    /// If the heap is broken.
    pub(crate) fn poll_shared(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.is_open() {
            state.shared += 1;
            return Poll::Ready(());
        }
        state.refuse_if_broken();
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The same for a thread that cannot await.
    ///
    /// # Panics
    /// If the heap is broken.
    pub(crate) fn wait_shared(&self) {
        let mut state = self.state.lock();
        while !state.is_open() {
            state.refuse_if_broken();
            self.opened.wait(&mut state);
        }
        state.shared += 1;
    }

    /// Gives a shared permit back.
    pub(crate) fn release_shared(&self) {
        let mut state = self.state.lock();
        assert!(state.shared > 0, "a shared permit was released twice");
        state.shared -= 1;
        if state.shared == 0 {
            self.pass_on(state);
        }
    }

    /// Whether somebody has a shared permit.
    pub(crate) fn is_shared(&self) -> bool {
        self.state.lock().shared > 0
    }

    /// The exclusive permit, if nobody has any.
    pub(crate) fn try_exclusive(&self) -> bool {
        let mut state = self.state.lock();
        let is_free = state.shared == 0 && !state.is_exclusive;
        state.is_exclusive |= is_free;
        is_free
    }

    /// The exclusive permit, as soon as nobody has any and it is this collector's turn.
    /// `ticket` is none until it has to wait for that.
    ///
    /// # Panics
    /// If the heap is broken.
    pub(crate) fn poll_exclusive(
        &self,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        let Some(number) = *ticket else {
            if state.shared == 0 && !state.is_exclusive {
                state.is_exclusive = true;
                return Poll::Ready(());
            }
            state.refuse_if_broken();
            state.ticket += 1;
            *ticket = Some(state.ticket);
            let place = (state.ticket, cx.waker().clone());
            state.collectors.push_back(place);
            self.waiting.store(state.collectors.len() as u32, Relaxed);
            return Poll::Pending;
        };
        if state.granted == Some(number) {
            state.granted = None;
            *ticket = None;
            return Poll::Ready(());
        }
        state.refuse_if_broken();
        if let Some((_, waker)) = state.collectors.iter_mut().find(|(it, _)| *it == number) {
            waker.clone_from(cx.waker());
        }
        Poll::Pending
    }

    /// A collector that waits goes away; it may have been given the permit meanwhile.
    pub(crate) fn give_up(&self, ticket: u64) {
        let mut state = self.state.lock();
        if state.granted == Some(ticket) {
            state.granted = None;
            state.is_exclusive = false;
        } else {
            state.collectors.retain(|&(it, _)| it != ticket);
            self.waiting.store(state.collectors.len() as u32, Relaxed);
        }
        if state.shared == 0 {
            self.pass_on(state);
        } else if state.is_open() {
            // Shared requests may have queued up behind it.
            self.wake_shared(state);
        }
    }

    /// Gives the exclusive permit back.
    pub(crate) fn release_exclusive(&self) {
        let mut state = self.state.lock();
        assert!(
            state.is_exclusive,
            "the exclusive permit was released twice"
        );
        if state.broken.is_some() {
            return;
        }
        state.is_exclusive = false;
        self.pass_on(state);
    }

    /// Closes the gate for ever; called by who has the exclusive permit. Whoever waits learns
    /// why, and so does whoever asks from now on.
    pub(crate) fn break_down(&self, why: &str) {
        let mut state = self.state.lock();
        state.broken.get_or_insert_with(|| why.into());
        state.is_exclusive = true;
        let collectors = std::mem::take(&mut state.collectors);
        self.waiting.store(0, Relaxed);
        self.wake_shared(state);
        for (_, waker) in collectors {
            waker.wake();
        }
    }

    /// What broke the heap, if something did.
    pub(crate) fn broken(&self) -> Option<Arc<str>> {
        self.state.lock().broken.clone()
    }

    /// Whether a collector waits.
    #[inline(always)]
    pub(crate) fn is_collector_waiting(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// Nobody has a permit: the first collector gets it, or else all who wait may try.
    fn pass_on(&self, mut state: MutexGuard<'_, State>) {
        if state.is_exclusive {
            return;
        }
        let Some((ticket, waker)) = state.collectors.pop_front() else {
            return self.wake_shared(state);
        };
        self.waiting.store(state.collectors.len() as u32, Relaxed);
        state.is_exclusive = true;
        state.granted = Some(ticket);
        drop(state);
        waker.wake();
    }

    /// Wakes all who wait for a shared permit, after the lock is released.
    fn wake_shared(&self, mut state: MutexGuard<'_, State>) {
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.opened.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }
}
