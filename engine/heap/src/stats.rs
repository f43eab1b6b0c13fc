//! What the heap has done and what it holds.

use std::collections::BTreeMap;

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};

/// Numbers of a heap. Counts are since its creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Minor collections.
    pub collections_minor: u64,
    /// Major collections.
    pub collections_major: u64,
    /// Objects that collections moved.
    pub objects_moved: u64,
    /// Objects that became old.
    pub objects_promoted: u64,
    /// Objects that a collection could not copy.
    pub objects_kept: u64,
    /// Weak references that collections cleared.
    pub weak_cleared: u64,
    /// Finalizers that collections queued.
    pub finalizers_queued: u64,
    /// Dead objects made zombies.
    pub zombies: u64,
    /// Bytes filled with a pattern.
    pub bytes_scribbled: u64,
    /// Verifier passes.
    pub verifications: u64,
    /// Stores that marked a card.
    pub cards_marked: u64,
    /// Allocation buffers handed out.
    pub tlab_refills: u64,
    /// Allocations that failed because a mode said so.
    pub faults: u64,
    /// Safepoints at which a mode was asked for a collection.
    pub safepoints: u64,
    /// Bytes of blocks in use.
    pub used_bytes: u64,
    /// Bytes of blocks that have memory, those in use and those that are kept for the next
    /// collection.
    pub resident_bytes: u64,
    /// Bytes outside of blocks that are charged to the limit.
    pub external_bytes: u64,
    /// Versions of programs whose compile-time objects are there.
    pub versions: u64,
    /// Root providers on the list, dead ones included that were not forgotten yet.
    pub root_providers: u64,
    /// Protect counts of live handles by object kind.
    pub protected_by_kind: BTreeMap<&'static str, u64>,
}

/// The counters behind [`HeapStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) collections_minor: Counter,
    pub(crate) collections_major: Counter,
    pub(crate) objects_moved: Counter,
    pub(crate) objects_promoted: Counter,
    pub(crate) objects_kept: Counter,
    pub(crate) weak_cleared: Counter,
    pub(crate) finalizers_queued: Counter,
    pub(crate) zombies: Counter,
    pub(crate) bytes_scribbled: Counter,
    pub(crate) verifications: Counter,
    pub(crate) cards_marked: Counter,
    pub(crate) tlab_refills: Counter,
    pub(crate) safepoints: Counter,
}

/// A count that several threads may raise.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        // Not a read-modify-write: counts are raised on hot paths, and a lost one under
        // contention is worth less than the locked instruction.
        self.0
            .store(self.0.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
