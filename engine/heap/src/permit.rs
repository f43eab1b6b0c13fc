//! Permits: nothing touches the heap without one.
//!
//! A *shared* permit allocates, reads and writes; many may be held at once. The
//! *exclusive* one collects; it excludes all others. Getting one may wait, hence is async;
//! holding one never waits for anything else. A [`Value`](crate::Value) borrows the
//! shared permit it was read under, and whatever may collect needs that permit back.
//!
//! Who asks for the exclusive permit goes before new shared ones, so a stream of shared
//! permits cannot starve it; and who waits for a shared one at the end of a collection goes before
//! the next collector, so a stream of collections starves nobody. That also means that a task which holds a shared permit must
//! not ask for a second one: it would wait behind a collector that waits for it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::checks::Checks;
use crate::gate::Shared;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::tlab::Tlab;

/// The right to allocate, read and write.
#[derive(Debug)]
pub struct SharedPermit<'h> {
    heap: &'h Heap,
    kind: Shared,
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
        if !self.heap.gate.is_collector_waiting() {
            return;
        }
        self.heap
            .gate
            .release_shared(std::mem::replace(&mut self.kind, Shared::Taken));
        // If this future is dropped while it waits, the permit must not be released a
        // second time: the guard puts the count back in order.
        let mut guard = Renewal {
            heap: self.heap,
            is_renewed: false,
        };
        self.kind = WaitShared::new(self.heap).await;
        guard.is_renewed = true;
    }

    /// One more permit, for what takes its own: a collector that waits does not come between.
    #[must_use]
    pub fn another(&self) -> SharedPermit<'h> {
        self.heap.gate.add_shared();
        SharedPermit {
            heap: self.heap,
            kind: Shared::Taken,
        }
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
            self.heap.gate.add_shared();
        }
    }
}

impl Drop for SharedPermit<'_> {
    fn drop(&mut self) {
        self.heap.gate.release_shared(self.kind);
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
    /// A shared permit, if there is one without waiting; none of a broken heap.
    pub fn try_shared(&self) -> Option<SharedPermit<'_>> {
        let got = self.gate.try_shared();
        got.then(|| SharedPermit {
            heap: self,
            kind: Shared::Taken,
        })
    }

    /// A shared permit for a moment, for a host that cannot await: the thread waits for
    /// collections, and for collectors that wait. It must hold no permit (who has one takes
    /// [another](SharedPermit::another)), and must not be one that a collector needs to go on.
    ///
    /// # Panics
    /// If a collection [broke the heap](Heap::broken).
    pub fn shared_now(&self) -> SharedPermit<'_> {
        let kind = self.gate.wait_shared();
        SharedPermit { heap: self, kind }
    }

    /// A shared permit.
    ///
    /// # Panics
    /// If a collection [broke the heap](Heap::broken).
    pub async fn shared(&self) -> SharedPermit<'_> {
        let kind = WaitShared::new(self).await;
        SharedPermit { heap: self, kind }
    }

    /// The exclusive permit, if nobody holds any; none of a broken heap.
    pub fn try_exclusive(&self) -> Option<ExclusivePermit<'_>> {
        self.gate.try_exclusive().then(|| ExclusivePermit {
            heap: self,
            not_send: PhantomData,
        })
    }

    /// The exclusive permit. The caller must hold no shared one. Polled, the future panics if a
    /// collection [broke the heap](Heap::broken).
    pub fn exclusive(&self) -> impl Future<Output = ExclusivePermit<'_>> + Send {
        WaitExclusive {
            heap: self,
            ticket: None,
        }
    }

    /// Whether somebody waits for the exclusive permit: slices end at the next safepoint.
    #[inline]
    pub fn is_collector_waiting(&self) -> bool {
        self.gate.is_collector_waiting()
    }

    /// What broke the heap: the message of a collection that panicked in its middle. Objects are
    /// half moved then, so nobody gets a permit any more.
    pub fn broken(&self) -> Option<std::sync::Arc<str>> {
        self.gate.broken()
    }
}

/// The wait for a shared permit; giving it up gives back what was handed over meanwhile.
struct WaitShared<'h> {
    heap: &'h Heap,
    ticket: Option<u64>,
}

impl<'h> WaitShared<'h> {
    fn new(heap: &'h Heap) -> Self {
        WaitShared { heap, ticket: None }
    }
}

impl Future for WaitShared<'_> {
    type Output = Shared;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Shared> {
        let heap = self.heap;
        heap.gate.poll_shared(&mut self.ticket, cx)
    }
}

impl Drop for WaitShared<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.heap.gate.give_up_shared(ticket);
        }
    }
}

/// The wait for the exclusive permit; giving it up takes the claim back.
struct WaitExclusive<'h> {
    heap: &'h Heap,
    ticket: Option<u64>,
}

impl<'h> Future for WaitExclusive<'h> {
    type Output = ExclusivePermit<'h>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExclusivePermit<'h>> {
        let heap = self.heap;
        let granted = heap.gate.poll_exclusive(&mut self.ticket, cx);
        granted.map(|()| ExclusivePermit {
            heap,
            not_send: PhantomData,
        })
    }
}

impl Drop for WaitExclusive<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.heap.gate.give_up(ticket);
        }
    }
}
