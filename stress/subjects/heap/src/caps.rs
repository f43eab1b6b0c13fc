//! What a heap says that it can do.

/// Capabilities of a heap. What is not claimed is not generated, and not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps(u32);

impl Caps {
    /// Nothing but allocation, fields and roots; no cycles are made.
    pub const NONE: Caps = Caps(0);
    /// Garbage in cycles is collected.
    pub const CYCLES: Caps = Caps(1);
    /// Weak roots: [`downgrade`](crate::HeapSubject::downgrade), `upgrade`, `clone_weak`.
    pub const WEAK: Caps = Caps(1 << 1);
    /// Weak references inside nodes: `set_weak`, `get_weak`.
    pub const WEAK_FIELDS: Caps = Caps(1 << 2);
    /// A value that lives as long as a key does: `ephemeron`.
    pub const EPHEMERONS: Caps = Caps(1 << 3);
    /// Nodes are finalized before they are dropped: [`Probe::finalizing`](crate::Probe::finalizing).
    pub const FINALIZERS: Caps = Caps(1 << 4);
    /// A finalizer may make dying nodes reachable again.
    pub const RESURRECTION: Caps = Caps(1 << 5);
    /// The `Drop` of a node may look at its fields: [`Probe::dropping`](crate::Probe::dropping).
    pub const DROP_LOOKS: Caps = Caps(1 << 6);
    /// The `Drop` of a node may use the heap.
    pub const DROP_USES: Caps = Caps(1 << 7);
    /// A finalizer may use the heap.
    pub const FINALIZER_USES: Caps = Caps(1 << 8);
    /// Callbacks may begin a collection.
    pub const NESTED_COLLECT: Caps = Caps(1 << 9);
    /// The `Drop` of a node, or its finalizer, may panic.
    pub const PANICS: Caps = Caps(1 << 10);
    /// Tracing a node may panic: [`Probe::tracing`](crate::Probe::tracing).
    pub const TRACE_PANICS: Caps = Caps(1 << 11);
    /// Nodes with many fields.
    pub const ARRAYS: Caps = Caps(1 << 12);
    /// Minor collections.
    pub const GENERATIONS: Caps = Caps(1 << 13);
    /// Collections in steps.
    pub const INCREMENTAL: Caps = Caps(1 << 14);
    /// Roots may be dropped on other threads: `unroot_elsewhere`.
    pub const THREADS: Caps = Caps(1 << 15);
    /// A heap refuses references of another one: `accepts`.
    pub const OWNED: Caps = Caps(1 << 16);
    /// A full collection drops all that cannot be reached. Without it nothing is said to leak.
    pub const PROMPT: Caps = Caps(1 << 17);
    /// The heap can be told to fail allocations: `fail_allocations`.
    pub const FAILURES: Caps = Caps(1 << 18);
    /// Chains of ten thousand nodes.
    pub const DEEP: Caps = Caps(1 << 19);
    /// Callbacks of `Drop` may clone a field's reference and keep it as a root.
    pub const DROP_TAKES: Caps = Caps(1 << 20);

    /// These and those.
    pub const fn and(self, other: Caps) -> Caps {
        Caps(self.0 | other.0)
    }

    /// These without those.
    pub const fn without(self, other: Caps) -> Caps {
        Caps(self.0 & !other.0)
    }

    /// Whether all of those are among these.
    pub const fn has(self, other: Caps) -> bool {
        self.0 & other.0 == other.0
    }
}
