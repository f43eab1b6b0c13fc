//! What tells heaps apart, and where a root provider is at home.

use std::fmt;
use std::sync::{OnceLock, Weak};

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};

use crate::heap::Heap;
use crate::roots::RootProvider;

/// Tells the heaps of a process apart, those that are gone included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeapId(u64);

impl HeapId {
    /// None that a heap has.
    pub(crate) const NONE: HeapId = HeapId(0);

    pub(crate) fn next() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(1);
        HeapId(MADE.fetch_add(1, Ordering::Relaxed))
    }
}

/// Which heap a [`RootProvider`] is made for, and whether that enumerates it.
///
/// A provider is enumerated as long as the `Arc` lives that was registered. Safe code may take
/// it out of there (`Arc::into_inner`); then its roots are none any more, and
/// [`check`](Home::check) says so.
pub struct Home {
    heap: HeapId,
    registered: OnceLock<Weak<dyn RootProvider>>,
}

impl Home {
    /// In this heap, not registered yet.
    pub fn new(heap: &Heap) -> Self {
        Home {
            heap: heap.id(),
            registered: OnceLock::new(),
        }
    }

    pub(crate) fn heap(&self) -> HeapId {
        self.heap
    }

    /// Notes the registration.
    pub(crate) fn register(&self, provider: Weak<dyn RootProvider>) {
        let registered = self.registered.set(provider);
        assert!(registered.is_ok(), "a root provider is registered once");
    }

    /// Makes sure that the provider belongs to this heap, and is enumerated by it.
    ///
    /// # Panics
    /// If it is not.
    #[inline]
    pub fn check(&self, heap: &Heap) {
        if self.heap != heap.id() {
            not_of_this_heap();
        }
        let registered = self.registered.get();
        if registered.is_none_or(|provider| provider.strong_count() == 0) {
            not_registered();
        }
    }
}

#[cold]
fn not_of_this_heap() -> ! {
    panic!("the root provider is one of another heap");
}

#[cold]
fn not_registered() -> ! {
    panic!("the root provider is not registered, or was taken out of what was");
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("heap", &self.heap)
            .field("is_registered", &self.registered.get().is_some())
            .finish()
    }
}
