//! Permits: nothing touches the heap without one.
//!
//! A *shared* permit allocates, reads and writes; many may be held at once. The
//! *exclusive* one collects; it excludes all others. Getting one may wait, hence is async;
//! holding one never waits for anything else. A [`Value`](crate::Value) borrows the shared permit it was read
//! under, so none outlives it. What a permit is for are its methods: there is no way to name
//! another heap than its own.
//!
//! Who asks for the exclusive permit goes before new shared ones, so a stream of shared
//! permits cannot starve it; and who waits for a shared one at the end of a collection goes before
//! the next collector, so a stream of collections starves nobody. That also means that a task which holds a shared permit must
//! not ask for a second one: it would wait behind a collector that waits for it.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::books;
use crate::checks::Checks;
use crate::collector;
use crate::debug_mode::{CollectionKind, VerifyLevel};
use crate::fault;
use crate::gate::{Granted, Shared};
use crate::heap::{CollectionReport, Heap};
use crate::identity::HeapId;
use crate::mutator::Mutator;
use crate::tlab::{Buffer, Tlab};
use crate::verifier::{self, Violation};

/// The right to allocate, read and write.
///
/// # Rules
/// The types and a few looks see to these:
///
/// 1. A value, and a mutator, ends with the permit, which a collection needs to have ended.
/// 2. One permit at a time allocates in a buffer: the first [mutator](SharedPermit::mutator) of
///    it *leases* the buffer until the permit ends, and another permit is refused it.
/// 3. A thread holds permits of one heap at a time, and neither a permit nor a value leaves its
///    thread. So a value that a thread has is one of any permit that the thread has.
/// 4. Without [`Heap::set_parallel`] permits are held by one thread at a time.
///
/// ```compile_fail,E0277
/// # use gcrucible_heap::*;
/// # let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).unwrap();
/// let permit = heap.try_shared().unwrap();
/// gcrucible_platform::sync::thread::scope(|scope| {
///     scope.spawn(|| permit.heap()); // error: a permit stays on its thread
/// });
/// ```
#[derive(Debug)]
pub struct SharedPermit<'h> {
    heap: &'h Heap,
    kind: Shared,
    /// What tells it apart among all of its heap.
    number: u64,
    /// The buffer that it leased first, and all others.
    leased: OnceCell<Arc<Buffer>>,
    leased_too: RefCell<Vec<Arc<Buffer>>>,
    not_send: PhantomData<*const ()>,
}

impl<'h> SharedPermit<'h> {
    fn new(heap: &'h Heap, granted: Granted) -> Self {
        Held::add(heap.id());
        SharedPermit {
            heap,
            kind: granted.kind,
            number: granted.number,
            leased: OnceCell::new(),
            leased_too: RefCell::default(),
            not_send: PhantomData,
        }
    }

    /// Access to objects, for the holder that owns `tlab`: its buffer is this permit's from now
    /// on, until that ends.
    ///
    /// # Panics
    /// If the buffer is one of another heap, or another permit has it.
    #[inline]
    pub fn mutator<'p, C: Checks>(&'p self, tlab: &'p Tlab) -> Mutator<'p, C> {
        let buffer = tlab.buffer();
        if !buffer.is_leased_to(self.number) {
            self.lease(buffer);
        }
        Mutator::new(self.heap, buffer)
    }

    fn lease(&self, buffer: &Arc<Buffer>) {
        buffer.begin_lease(self.heap.id(), self.number);
        if let Err(buffer) = self.leased.set(Arc::clone(buffer)) {
            self.leased_too.borrow_mut().push(buffer);
        }
    }

    /// Access to objects for as long as `act` runs: a buffer that several holders share is then
    /// free for the next. The caller sees to it that only one of them tries at a time.
    ///
    /// # Panics
    /// As [`SharedPermit::mutator`]; also if `act` asks for the same buffer.
    pub fn with_mutator<C: Checks, R>(
        &self,
        tlab: &Tlab,
        act: impl FnOnce(&Mutator<'_, C>) -> R,
    ) -> R {
        /// In the number of a lease that ends before its permit.
        const BRIEF: u64 = 1 << 63;
        struct Lease<'b>(&'b Buffer);
        impl Drop for Lease<'_> {
            fn drop(&mut self) {
                self.0.end_lease();
            }
        }
        let buffer = tlab.buffer();
        let _lease = (!buffer.is_leased_to(self.number)).then(|| {
            buffer.begin_lease(self.heap.id(), self.number | BRIEF);
            Lease(buffer)
        });
        act(&Mutator::new(self.heap, buffer))
    }

    /// Access to objects that allocates none, which needs no buffer.
    #[inline]
    pub fn reader<'p, C: Checks>(&'p self) -> Mutator<'p, C> {
        Mutator::new(self.heap, self.heap.reader_buffer())
    }

    /// The heap it is a permit of.
    pub fn heap(&self) -> &'h Heap {
        self.heap
    }
}

impl Drop for SharedPermit<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.leased.get() {
            buffer.end_lease();
        }
        for buffer in self.leased_too.get_mut() {
            buffer.end_lease();
        }
        Held::remove();
        self.heap.gate.release_shared(self.kind);
    }
}

/// Of which heap the thread holds shared permits, and how many.
#[derive(Clone, Copy)]
struct Held {
    heap: HeapId,
    count: u32,
}

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held { heap: HeapId::NONE, count: 0 }) };
}

impl Held {
    /// # Panics
    /// If the thread holds permits of another heap.
    fn check(heap: HeapId) {
        let held = HELD.get();
        assert!(
            held.count == 0 || held.heap == heap,
            "a thread holds permits of one heap at a time"
        );
    }

    fn add(heap: HeapId) {
        let count = HELD.get().count + 1;
        HELD.set(Held { heap, count });
    }

    fn remove() {
        let held = HELD.get();
        HELD.set(Held {
            count: held.count - 1,
            ..held
        });
    }
}

/// What tells the thread apart from all others that live.
pub(crate) fn this_thread() -> usize {
    HELD.with(|held| std::ptr::from_ref(held).addr())
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

    /// Collects, in place, from start to end; verifies before and after as the modes say.
    ///
    /// # Panics
    /// As whatever panics in its middle, a [`RootProvider`](crate::RootProvider) for one. Objects
    /// are half moved then: the heap is [broken](Heap::broken). Of a broken heap nothing is
    /// collected any more.
    pub fn collect(&mut self, kind: CollectionKind) -> CollectionReport {
        if let Some(why) = self.heap.broken() {
            panic!("a collection broke the heap: {why}");
        }
        match catch_unwind(AssertUnwindSafe(|| collector::collect(self.heap, kind))) {
            Ok(report) => report,
            Err(panic) => {
                self.heap.gate.break_down(&fault::message_of(&*panic));
                resume_unwind(panic)
            }
        }
    }

    /// Looks at the whole heap with the level given, and says what is broken.
    pub fn verify(&mut self, level: VerifyLevel) -> Vec<Violation> {
        self.heap.flush_tlabs();
        verifier::verify(self.heap, level)
    }

    /// Compares the heap's books (blocks in use and their lists, the nursery, large objects, the
    /// table of starts, handles, accounts) with what is really there, and says what is wrong.
    pub fn audit(&mut self) -> Vec<Violation> {
        self.heap.flush_tlabs();
        books::audit(self.heap, false)
    }

    /// Live objects by kind name, by a walk over all blocks: exact only right after a
    /// major collection.
    pub fn census(&mut self) -> Vec<(&'static str, u64)> {
        self.heap.flush_tlabs();
        verifier::census(self.heap)
    }
}

impl Drop for ExclusivePermit<'_> {
    fn drop(&mut self) {
        self.heap.gate.release_exclusive();
    }
}

impl Heap {
    /// A shared permit, if there is one without waiting; none of a broken heap.
    ///
    /// # Panics
    /// If the thread holds a permit of another heap, here and below; or another thread one of
    /// this heap, which is not [parallel](Heap::set_parallel).
    pub fn try_shared(&self) -> Option<SharedPermit<'_>> {
        Held::check(self.id());
        let granted = self.gate.try_shared()?;
        Some(SharedPermit::new(self, granted))
    }

    /// A shared permit for a moment, for a host that cannot await: the thread waits for
    /// collections, and for collectors that wait. It must not be one that a collector needs to go
    /// on.
    ///
    /// # Panics
    /// If the thread holds a permit already: a collector could wait for that for ever. If a
    /// collection [broke the heap](Heap::broken).
    pub fn shared_now(&self) -> SharedPermit<'_> {
        Held::check(self.id());
        assert!(
            HELD.get().count == 0,
            "a thread that holds a permit waits for no other"
        );
        SharedPermit::new(self, self.gate.wait_shared())
    }

    /// A shared permit.
    ///
    /// # Panics
    /// If a collection [broke the heap](Heap::broken).
    pub async fn shared(&self) -> SharedPermit<'_> {
        let granted = WaitShared::new(self).await;
        SharedPermit::new(self, granted)
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
    pub fn broken(&self) -> Option<Arc<str>> {
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
    type Output = Granted;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Granted> {
        let heap = self.heap;
        Held::check(heap.id());
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
