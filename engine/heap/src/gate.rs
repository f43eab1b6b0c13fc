//! Who may touch the heap, and who waits for that.
//!
//! The permit of a collector that waits is *handed over*: when the last shared permit goes, the
//! gate gives the exclusive one to the collector that has waited longest, and wakes it. Were it
//! only told that it may try, others could come before it each time it does. A collector that
//! was given the permit and goes away gives it back.
//!
//! A collection that ends hands shared permits over in the same way, to all who wait by then:
//! that is a *round*. The next collector comes after it, and until then no slice is told that one
//! waits, or each would end before it got anywhere. So collectors and the others take turns, and
//! a program that makes others collect without a pause keeps nobody out. Who was handed a permit
//! must be polled soon, or dropped, as with any fair lock. Where one thread does everything,
//! whoever decides who runs next may want to try it otherwise: there are no rounds then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gcrucible_platform::sync::atomic::{AtomicU32, Ordering::Relaxed};
use gcrucible_platform::sync::{Condvar, Mutex, MutexGuard};

use crate::permit::this_thread;

/// Counts permits and lets who must wait, wait.
///
/// # Invariants
/// 1. `shared > 0` and `is_exclusive` exclude each other.
/// 2. `granted` is the ticket of a collector that has the exclusive permit and does not know yet.
/// 3. The gate of a broken heap is closed for ever: `is_exclusive` stays.
/// 4. `shared` counts the permits of a round from its beginning, `round` those that were not
///    given back, and `admitted` those that their holders do not know of yet.
/// 5. Without `is_parallel` the threads of all shared permits are one, `thread`.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Threads that cannot await wait for this.
    opened: Condvar,
    /// Collectors that wait, for slices to look at without the lock; none during a round.
    waiting: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    shared: u32,
    /// How many there have ever been.
    numbered: u64,
    /// Whether several threads may have permits at once. Then there are rounds.
    is_parallel: bool,
    /// Who has the shared permits of a heap that is not parallel.
    thread: usize,
    is_exclusive: bool,
    /// Collectors that wait, those that came first in front.
    collectors: VecDeque<(u64, Waker)>,
    /// The ticket that was given out last.
    ticket: u64,
    granted: Option<u64>,
    /// Who waits for a shared permit, in order.
    waiters: BTreeMap<u64, Waker>,
    /// Threads that do.
    threads: u32,
    round: u32,
    admitted: BTreeSet<u64>,
    admitted_threads: u32,
    /// What broke the heap.
    broken: Option<Arc<str>>,
}

/// A shared permit that somebody gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    pub(crate) kind: Shared,
    /// What tells it apart from all others of the gate; not 0.
    pub(crate) number: u64,
}

/// What a shared permit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// One that was there to be taken.
    Taken,
    /// One of a round.
    OfRound,
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

    /// Counts a shared permit that the calling thread takes.
    ///
    /// # Panics
    /// If another thread has one, and the heap is not parallel.
    fn take(&mut self) -> Granted {
        if !self.is_parallel {
            self.hold();
        }
        self.shared += 1;
        self.number(Shared::Taken)
    }

    /// The calling thread is the one that has the permits.
    fn hold(&mut self) {
        if self.shared == 0 {
            self.thread = this_thread();
        }
        assert!(
            self.thread == this_thread(),
            "another thread holds a permit of a heap that is not parallel"
        );
    }

    fn number(&mut self, kind: Shared) -> Granted {
        self.numbered += 1;
        let number = self.numbered;
        Granted { kind, number }
    }

    fn has_waiters(&self) -> bool {
        self.threads > 0 || !self.waiters.is_empty()
    }

    fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }
}

impl Gate {
    /// From now on permits may be held by several threads at once, or not. What is held is under
    /// the old rule, so nothing is.
    ///
    /// # Panics
    /// If it is to change, and somebody has a shared permit.
    pub(crate) fn set_parallel(&self, is_parallel: bool) {
        let mut state = self.state.lock();
        assert!(
            state.shared == 0 || state.is_parallel == is_parallel,
            "whether a heap is parallel is said before anybody has a permit"
        );
        state.is_parallel = is_parallel;
    }

    /// A shared permit, if there is one without waiting.
    pub(crate) fn try_shared(&self) -> Option<Granted> {
        let mut state = self.state.lock();
        state.is_open().then(|| state.take())
    }

    /// A shared permit, as soon as there is one. `ticket` is none until it has to wait for that.
    ///
    /// # Panics
    /// If the heap is broken.
    pub(crate) fn poll_shared(
        &self,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Granted> {
        let mut state = self.state.lock();
        let number = ticket.take();
        if number.is_some_and(|number| state.admitted.remove(&number)) {
            return Poll::Ready(state.number(Shared::OfRound));
        }
        if state.is_open() {
            if let Some(number) = number {
                state.waiters.remove(&number);
            }
            return Poll::Ready(state.take());
        }
        state.refuse_if_broken();
        // Who was woken in vain stands at the end again.
        let known = number.filter(|number| state.waiters.contains_key(number));
        let number = known.unwrap_or_else(|| state.next_ticket());
        *ticket = Some(number);
        state.waiters.insert(number, cx.waker().clone());
        Poll::Pending
    }

    /// Somebody does not wait for a shared permit any more, and may have been given one.
    pub(crate) fn give_up_shared(&self, ticket: u64) {
        let mut state = self.state.lock();
        if state.admitted.remove(&ticket) {
            drop(state);
            self.release_shared(Shared::OfRound);
        } else {
            state.waiters.remove(&ticket);
        }
    }

    /// The same for a thread that cannot await.
    ///
    /// # Panics
    /// If the heap is broken.
    pub(crate) fn wait_shared(&self) -> Granted {
        let mut state = self.state.lock();
        if state.is_open() {
            return state.take();
        }
        state.threads += 1;
        loop {
            if state.broken.is_some() {
                state.threads -= 1;
                state.refuse_if_broken();
            }
            self.opened.wait(&mut state);
            if state.admitted_threads > 0 {
                state.admitted_threads -= 1;
                return state.number(Shared::OfRound);
            }
            if state.is_open() {
                state.threads -= 1;
                return state.take();
            }
        }
    }

    /// Gives a shared permit back.
    pub(crate) fn release_shared(&self, permit: Shared) {
        let mut state = self.state.lock();
        assert!(state.shared > 0, "a shared permit was released twice");
        state.shared -= 1;
        if permit == Shared::OfRound {
            state.round -= 1;
            self.tell(&state);
        }
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
            let number = state.next_ticket();
            *ticket = Some(number);
            state.collectors.push_back((number, cx.waker().clone()));
            self.tell(&state);
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
            self.tell(&state);
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
        if state.is_parallel && state.has_waiters() {
            return self.begin_round(state);
        }
        self.pass_on(state);
    }

    /// Closes the gate for ever; called by who has the exclusive permit. Whoever waits learns
    /// why, and so does whoever asks from now on.
    pub(crate) fn break_down(&self, why: &str) {
        let mut state = self.state.lock();
        state.broken.get_or_insert_with(|| why.into());
        state.is_exclusive = true;
        let collectors = std::mem::take(&mut state.collectors);
        self.tell(&state);
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

    /// Lets slices know whether a collector waits for them.
    fn tell(&self, state: &State) {
        let waiting = match state.round {
            0 => state.collectors.len() as u32,
            _ => 0,
        };
        self.waiting.store(waiting, Relaxed);
    }

    /// Nobody has a permit: the first collector gets it, or else all who wait may try.
    fn pass_on(&self, mut state: MutexGuard<'_, State>) {
        if state.is_exclusive {
            return;
        }
        let Some((ticket, waker)) = state.collectors.pop_front() else {
            return self.wake_shared(state);
        };
        self.tell(&state);
        state.is_exclusive = true;
        state.granted = Some(ticket);
        drop(state);
        waker.wake();
    }

    /// Gives all who wait for a shared permit one.
    fn begin_round(&self, mut state: MutexGuard<'_, State>) {
        let waiters = std::mem::take(&mut state.waiters);
        state.admitted.extend(waiters.keys());
        let threads = std::mem::take(&mut state.threads);
        state.admitted_threads += threads;
        let permits = waiters.len() as u32 + threads;
        state.round += permits;
        state.shared += permits;
        self.tell(&state);
        drop(state);
        if threads > 0 {
            self.opened.notify_all();
        }
        waiters.into_values().for_each(Waker::wake);
    }

    /// Wakes all who wait for a shared permit, after the lock is released.
    fn wake_shared(&self, mut state: MutexGuard<'_, State>) {
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        self.opened.notify_all();
        waiters.into_values().for_each(Waker::wake);
    }
}
