//! Permits: nothing touches the heap without one.
//!
//! A *shared* permit allocates, reads and writes; many may be held at once. The
//! *exclusive* one collects; it excludes all others. Getting one may wait, hence is async;
//! holding one never waits for anything else. A [`Value`](crate::Value) borrows the
//! shared permit it was read under, and whatever may collect needs that permit back.
//!
//! Who asks for the exclusive permit goes before new shared ones, so a stream of shared
//! permits cannot starve it. That also means that a task which holds a shared permit must
//! not ask for a second one: it would wait behind a collector that waits for it.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gcrucible_platform::sync::Mutex;

use crate::checks::Checks;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::tlab::Tlab;

/// Counts permits and lets who must wait, wait.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
}

#[derive(Debug, Default)]
struct GateState {
    shared: u32,
    is_exclusive: bool,
    exclusive_waiting: u32,
    wakers: VecDeque<Waker>,
}

impl Gate {
    fn try_shared(&self, state: &mut GateState) -> bool {
        let is_free = !state.is_exclusive && state.exclusive_waiting == 0;
        state.shared += u32::from(is_free);
        is_free
    }

    fn release_shared(&self) {
        let mut state = self.state.lock();
        assert!(state.shared > 0, "a shared permit was released twice");
        state.shared -= 1;
        if state.shared == 0 {
            wake_all(state);
        }
    }

    fn release_exclusive(&self) {
        let mut state = self.state.lock();
        assert!(
            state.is_exclusive,
            "the exclusive permit was released twice"
        );
        state.is_exclusive = false;
        wake_all(state);
    }
}

/// Wakes all who wait, after the lock is released.
fn wake_all(mut state: gcrucible_platform::sync::MutexGuard<'_, GateState>) {
    let wakers = std::mem::take(&mut state.wakers);
    drop(state);
    for waker in wakers {
        waker.wake();
    }
}

/// The right to allocate, read and write.
#[derive(Debug)]
pub struct SharedPermit<'h> {
    heap: &'h Heap,
}

impl<'h> SharedPermit<'h> {
    /// Access to objects, for the holder that owns `tlab`.
    #[inline]
    pub fn mutator<'p, C: Checks>(&'p self, tlab: &'p Tlab) -> Mutator<'p, C> {
        Mutator::new(self.heap, tlab)
    }

    /// Lets a waiting collector go first, if there is one, and holds a permit again
    /// afterwards. Needs the permit back from every [`Value`](crate::Value).
    pub async fn safepoint(&mut self) {
        if self.heap.gate.state.lock().exclusive_waiting == 0 {
            return;
        }
        self.heap.gate.release_shared();
        // If this future is dropped while it waits, the permit must not be released a
        // second time: the guard puts the count back in order.
        let mut guard = Renewal {
            heap: self.heap,
            is_renewed: false,
        };
        std::future::poll_fn(|cx| poll_shared(self.heap, cx)).await;
        guard.is_renewed = true;
    }

    /// The heap it is a permit of.
    pub fn heap(&self) -> &'h Heap {
        self.heap
    }
}

/// Makes up for a renewal that was given up: the permit's own drop will release.
struct Renewal<'h> {
    heap: &'h Heap,
    is_renewed: bool,
}

impl Drop for Renewal<'_> {
    fn drop(&mut self) {
        if !self.is_renewed {
            self.heap.gate.state.lock().shared += 1;
        }
    }
}

impl Drop for SharedPermit<'_> {
    fn drop(&mut self) {
        self.heap.gate.release_shared();
    }
}

/// The right to collect. All shared permits are out of the way while it lives.
#[derive(Debug)]
pub struct ExclusivePermit<'h> {
    heap: &'h Heap,
    /// A collection runs from start to end on the thread that has the permit.
    not_send: PhantomData<*const ()>,
}

impl<'h> ExclusivePermit<'h> {
    /// The heap it is a permit of.
    pub fn heap(&self) -> &'h Heap {
        self.heap
    }
}

impl Drop for ExclusivePermit<'_> {
    fn drop(&mut self) {
        self.heap.gate.release_exclusive();
    }
}

impl Heap {
    /// A shared permit, if there is one without waiting.
    pub fn try_shared(&self) -> Option<SharedPermit<'_>> {
        let got = self.gate.try_shared(&mut self.gate.state.lock());
        got.then(|| SharedPermit { heap: self })
    }

    /// A shared permit for a moment, ahead of a collector that waits: while one collects, the
    /// thread waits for it. For hosts that cannot await; who holds it must not wait for
    /// anything.
    pub fn shared_now(&self) -> SharedPermit<'_> {
        loop {
            {
                let mut state = self.gate.state.lock();
                if !state.is_exclusive {
                    state.shared += 1;
                    return SharedPermit { heap: self };
                }
            }
            std::thread::yield_now();
        }
    }

    /// A shared permit.
    pub async fn shared(&self) -> SharedPermit<'_> {
        std::future::poll_fn(|cx| poll_shared(self, cx)).await;
        SharedPermit { heap: self }
    }

    /// The exclusive permit, if nobody holds any.
    pub fn try_exclusive(&self) -> Option<ExclusivePermit<'_>> {
        let mut state = self.gate.state.lock();
        if state.shared > 0 || state.is_exclusive {
            return None;
        }
        state.is_exclusive = true;
        Some(ExclusivePermit {
            heap: self,
            not_send: PhantomData,
        })
    }

    /// The exclusive permit. The caller must hold no shared one.
    pub fn exclusive(&self) -> impl Future<Output = ExclusivePermit<'_>> + Send {
        WaitExclusive {
            heap: self,
            is_waiting: false,
        }
    }

    /// Whether somebody waits for the exclusive permit: slices end at the next safepoint.
    #[inline]
    pub fn is_collector_waiting(&self) -> bool {
        self.collector_waiting
            .load(std::sync::atomic::Ordering::Relaxed)
            > 0
    }
}

fn poll_shared(heap: &Heap, cx: &mut Context<'_>) -> Poll<()> {
    let mut state = heap.gate.state.lock();
    if heap.gate.try_shared(&mut state) {
        return Poll::Ready(());
    }
    state.wakers.push_back(cx.waker().clone());
    Poll::Pending
}

/// The wait for the exclusive permit; giving it up takes the claim back.
struct WaitExclusive<'h> {
    heap: &'h Heap,
    is_waiting: bool,
}

impl WaitExclusive<'_> {
    fn stop_waiting(&mut self, state: &mut GateState) {
        if self.is_waiting {
            self.is_waiting = false;
            state.exclusive_waiting -= 1;
            self.heap
                .collector_waiting
                .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl<'h> Future for WaitExclusive<'h> {
    type Output = ExclusivePermit<'h>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExclusivePermit<'h>> {
        let heap = self.heap;
        let mut state = heap.gate.state.lock();
        if state.shared == 0 && !state.is_exclusive {
            self.stop_waiting(&mut state);
            state.is_exclusive = true;
            return Poll::Ready(ExclusivePermit {
                heap,
                not_send: PhantomData,
            });
        }
        if !self.is_waiting {
            self.is_waiting = true;
            state.exclusive_waiting += 1;
            heap.collector_waiting
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        state.wakers.push_back(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for WaitExclusive<'_> {
    fn drop(&mut self) {
        if self.is_waiting {
            let heap = self.heap;
            let mut state = heap.gate.state.lock();
            self.stop_waiting(&mut state);
            // Shared requests may have queued up behind this one.
            wake_all(state);
        }
    }
}
