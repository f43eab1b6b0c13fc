//! What the heap has done and what it holds.

use std::collections::BTreeMap;

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    (counted { $($(#[$doc:meta])* $counter:ident,)* } looked up { $($(#[$rest_doc:meta])* $rest:ident: $type:ty,)* }) => {
        /// Numbers of a heap. Counts are since its creation.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct HeapStats {
            $($(#[$doc])* pub $counter: u64,)*
            $($(#[$rest_doc])* pub $rest: $type,)*
        }

        impl HeapStats {
            /// What is counted, by name.
            pub const COUNTED: &'static [(&'static str, fn(&HeapStats) -> u64)] =
                &[$((stringify!($counter), |stats| stats.$counter),)*];
        }

        /// The counters behind [`HeapStats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $counter: Counter,)* }

        impl Counters {
            /// What was counted; the rest is empty.
            pub(crate) fn read(&self) -> HeapStats {
                HeapStats { $($counter: self.$counter.get(),)* ..HeapStats::default() }
            }
        }
    };
}

// What is counted where it happens, and what [`crate::Heap::stats`] looks up elsewhere.
stats! {
    counted {
        /// Minor collections.
        collections_minor,
        /// Major collections.
        collections_major,
        /// Objects that collections moved.
        objects_moved,
        /// Objects that became old.
        objects_promoted,
        /// Objects that a collection could not copy.
        objects_kept,
        /// Weak references that collections cleared.
        weak_cleared,
        /// Finalizers that collections queued.
        finalizers_queued,
        /// Dead objects made zombies.
        zombies,
        /// Bytes filled with a pattern.
        bytes_scribbled,
        /// Dead registers overwritten with poison.
        registers_poisoned,
        /// Verifier passes.
        verifications,
        /// Stores that marked a card.
        cards_marked,
        /// Allocation buffers handed out.
        tlab_refills,
        /// Safepoints at which a mode was asked for a collection.
        safepoints,
    }
    looked up {
        /// Allocations that failed because a mode said so.
        faults: u64,
        /// Bytes of blocks in use.
        used_bytes: u64,
        /// Bytes of blocks that have memory, those in use and those that are kept for the next
        /// collection.
        resident_bytes: u64,
        /// Bytes outside of blocks that are charged to the limit.
        external_bytes: u64,
        /// Versions of programs whose compile-time objects are there.
        versions: u64,
        /// Root providers on the list, dead ones included that were not forgotten yet.
        root_providers: u64,
        /// Protect counts of live handles by object kind.
        protected_by_kind: BTreeMap<&'static str, u64>,
    }
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
