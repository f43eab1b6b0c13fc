//! What a heap must be able to do to be tested.

use serde::{Deserialize, Serialize};

use super::caps::Caps;
use super::probe::{Look, Probe};

/// A node that is to be allocated. The heap's own node type takes both parts.
#[derive(Debug)]
pub struct Node {
    /// Notices what happens to the node. It belongs into the node, and drops with it.
    pub probe: Probe,
    /// How many fields it has, all empty; up to [`HeapSubject::FIELDS_MAX`].
    pub fields: usize,
}

/// An allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// A collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Collect {
    /// Of everything.
    Full,
    /// Of the young ([`Caps::GENERATIONS`]).
    Minor,
    /// One step of an incremental one ([`Caps::INCREMENTAL`]).
    Step,
}

/// Settings of a heap that a program is run with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    /// Allocations after which a heap that collects by itself may do so; 0: as it likes.
    pub threshold: u32,
    /// The harness collects everything before each allocation.
    pub collects_always: bool,
    /// For whatever else the heap can be set to.
    pub extra: u8,
}

/// A heap that can be tested.
///
/// # Contract
/// 1. The node of [`HeapSubject::alloc`] owns the probe and drops it once, with itself.
/// 2. A `Ref` is a root: what it refers to lives at least as long. Dropping it (or
///    [`HeapSubject::unroot`]) unroots.
/// 3. Methods whose capability is not in [`HeapSubject::CAPS`] are never called.
/// 4. With a capability by which callbacks use the heap, every method may be called while another
///    one runs, on the same thread; thus they take `&self`. A heap that needs `&mut` keeps itself in
///    a `RefCell` and does not claim these.
/// 5. Equal programs make the heap do the same: no addresses, clocks or seeds of hash tables decide.
///
/// A heap that breaks it by itself (allocation always fails, a reference is not the same as
/// itself, `new` panics) is told so in a finding.
pub trait HeapSubject: Sized + 'static {
    /// The name of the subject, in reports and files: lower case, with dashes.
    const NAME: &'static str;
    /// What it can do.
    const CAPS: Caps;
    /// Fields that a node has at the most, at least 1.
    const FIELDS_MAX: usize = 3;

    /// How often each program runs, until one of the runs fails. More than once only for a heap that
    /// breaks rule 5, because its hash tables have seeds of their own: its findings replay more surely then.
    const RUNS: u32 = 1;

    /// A strong root held by the host.
    type Ref: 'static;
    /// A weak one; `()` without [`Caps::WEAK`].
    type Weak: 'static;

    /// A heap without nodes.
    fn new(knobs: &Knobs) -> Self;

    /// Allocates a node.
    ///
    /// # Errors
    /// There is no memory. Without [`HeapSubject::fail_allocations`] that is a finding.
    fn alloc(&self, node: Node) -> Result<Self::Ref, NoMemory>;

    /// What the node's probe says: [`Probe::look`].
    fn look(&self, at: &Self::Ref) -> Look;

    /// What a field refers to, as a new root.
    fn get(&self, at: &Self::Ref, field: usize) -> Option<Self::Ref>;

    /// Makes a field refer to something else, or to nothing.
    fn set(&self, at: &Self::Ref, field: usize, to: Option<&Self::Ref>);

    /// Whether both refer to one node.
    fn same(&self, one: &Self::Ref, other: &Self::Ref) -> bool;

    /// Another root of the same node.
    fn clone_root(&self, root: &Self::Ref) -> Self::Ref;

    /// Gives a root back.
    fn unroot(&self, root: Self::Ref) {
        drop(root);
    }

    /// Collects.
    fn collect(&self, how: Collect);

    /// The heap's own checker, if it has one.
    ///
    /// # Errors
    /// What is wrong.
    fn verify(&self) -> Result<(), String> {
        Ok(())
    }

    /// A weak reference ([`Caps::WEAK`]).
    fn downgrade(&self, _root: &Self::Ref) -> Self::Weak {
        missing("WEAK", "downgrade")
    }

    /// The node of a weak reference, if it lives ([`Caps::WEAK`]).
    fn upgrade(&self, _weak: &Self::Weak) -> Option<Self::Ref> {
        missing("WEAK", "upgrade")
    }

    /// Another weak reference of the same node ([`Caps::WEAK`]).
    fn clone_weak(&self, _weak: &Self::Weak) -> Self::Weak {
        missing("WEAK", "clone_weak")
    }

    /// Makes a node's one weak field refer to something else ([`Caps::WEAK_FIELDS`]).
    fn set_weak(&self, _at: &Self::Ref, _to: Option<&Self::Weak>) {
        missing("WEAK_FIELDS", "set_weak")
    }

    /// What a node's one weak field holds ([`Caps::WEAK_FIELDS`]).
    fn get_weak(&self, _at: &Self::Ref) -> Option<Self::Weak> {
        missing("WEAK_FIELDS", "get_weak")
    }

    /// Keeps the value alive as long as the key is ([`Caps::EPHEMERONS`]).
    fn ephemeron(&self, _key: &Self::Ref, _value: &Self::Ref) {
        missing("EPHEMERONS", "ephemeron")
    }

    /// Drops a root on another thread, and waits for that ([`Caps::THREADS`]).
    fn unroot_elsewhere(&self, _root: Self::Ref) {
        missing("THREADS", "unroot_elsewhere")
    }

    /// Whether a root is one of this heap ([`Caps::OWNED`]). A heap that panics catches it here.
    fn accepts(&self, _root: &Self::Ref) -> bool {
        missing("OWNED", "accepts")
    }

    /// Lets the next allocations fail ([`Caps::FAILURES`]).
    fn fail_allocations(&self, _count: u32) {
        missing("FAILURES", "fail_allocations")
    }
}

/// What a node lets its callbacks do with its fields. The heap's node type implements it.
pub trait Inside<H: HeapSubject> {
    /// What is in a field; `None` for nothing, or if the heap refuses to show it.
    fn look(&self, field: usize) -> Option<Look>;

    /// A new root of what is in a field ([`Caps::RESURRECTION`], [`Caps::DROP_TAKES`]).
    fn take(&self, _field: usize) -> Option<H::Ref> {
        None
    }
}

fn missing<T>(capability: &str, method: &str) -> T {
    panic!("the heap claims {capability}, but does not implement `{method}`")
}
