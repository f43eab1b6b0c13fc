//! Slots: the places outside of the heap that refer to objects, and the right to make them.
//!
//! Whoever keeps a reference outside of the heap owes the collector something that no type can
//! check: that it is told of the place. So a slot cannot be made without a [`RootRight`], and that
//! cannot be had without a word in unsafe code that the rules below are kept. Safe code has
//! values, which end with their permit; [handles](crate::Handle), which are roots of the heap
//! itself; and the [registers](crate::Register) of a [`Holder`](crate::Holder).

use std::fmt;

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};

use crate::mutator::Mutator;
use crate::object::pattern;
use crate::value::{Value, Word};

/// The right to make slots, and to use those of others that have it.
///
/// # Rules
/// Whoever claims it owes, for each slot that is made with it:
///
/// 1. *Traced.* At each collection after which the slot is read again, a registered
///    [`RootProvider`](crate::RootProvider) passes it to the tracer. (One that is filled and read
///    under one permit needs no provider.)
/// 2. *At home.* It is filled and read under permits of one heap: that of its provider.
/// 3. *Copied under a permit.* What one slot holds is copied or moved to another only while
///    somebody holds a shared permit: a collection in between would forward one of them alone.
///    ([`Slot::clear`] may come at any time.)
/// 4. *Kept.* Neither the right nor a slot is lent to safe code outside of the crate that
///    claimed it, unless that code shows the right itself.
///
/// ```compile_fail,E0133
/// let right = gcrucible_heap::RootRight::claim(); // error: unsafe
/// ```
///
/// ```compile_fail,E0061
/// let slot = gcrucible_heap::Slot::nil(); // error: it takes the right
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RootRight(());

impl RootRight {
    /// Claims the right.
    ///
    /// # Safety
    /// The caller keeps the rules above.
    pub const unsafe fn claim() -> Self {
        RootRight(())
    }

    /// The heap's own: its tables are traced by the collector itself, and its [`Holder`]s are
    /// providers.
    ///
    /// [`Holder`]: crate::Holder
    pub(crate) const OWN: RootRight = RootRight(());
}

/// A place outside of the heap that holds a value: a root, once a provider passes it to the
/// collector. It is read and written through a [`Mutator`](crate::Mutator), under a permit.
///
/// Slots are atomics, because some are shared: stores release and loads acquire, so that who
/// sees an object sees it filled (I-2). The collector forwards a slot only if it still holds what
/// was looked at, so that one may be [cleared](Slot::clear) at any time.
#[repr(transparent)]
pub struct Slot(AtomicU64);

impl Slot {
    /// A slot that holds nil.
    pub const fn nil(_: RootRight) -> Self {
        Self(AtomicU64::new(Word::NIL.0))
    }

    /// A slot that holds an immediate value.
    ///
    /// # Panics
    /// If the value is a reference.
    pub fn immediate(_: RootRight, value: Value<'_>) -> Self {
        assert!(!value.is_object(), "a reference needs a permit");
        Self(AtomicU64::new(value.word().0))
    }

    /// One of the heap's own.
    pub(crate) fn of(word: Word) -> Self {
        Self(AtomicU64::new(word.0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn set(&self, word: Word) {
        self.0.store(word.0, Ordering::Release);
    }

    /// What a collection does: stores `after` where `before` was, unless somebody has cleared
    /// the slot in between, which needs no permit.
    #[inline(always)]
    pub(crate) fn forward(&self, before: Word, after: Word) {
        let exchange =
            self.0
                .compare_exchange(before.0, after.0, Ordering::Release, Ordering::Relaxed);
        debug_assert!(
            exchange.is_ok() || self.is_nil(),
            "only clearing needs no permit"
        );
    }

    /// Makes it hold nil, at any time.
    #[inline]
    pub fn clear(&self) {
        self.set(Word::NIL);
    }

    /// Overwrites what nobody reads again with poison, which the checked copy refuses to read;
    /// under a permit (rule 3).
    pub fn poison(&self, _: RootRight) {
        self.set(pattern::DEAD_REGISTER);
    }

    /// Whether it holds nil.
    pub fn is_nil(&self) -> bool {
        self.get() == Word::NIL
    }

    /// Whether it holds a reference to an object.
    pub fn is_object(&self) -> bool {
        self.get().is_object()
    }

    /// Moves what `from` holds into this slot and leaves nil there; under a permit (rule 3).
    pub fn take_from(&self, from: &Slot) {
        self.set(from.get());
        from.clear();
    }

    /// Makes it hold what `from` holds; under a permit (rule 3).
    #[inline(always)]
    pub fn copy_from(&self, from: &Slot) {
        self.set(from.get());
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

mod sealed {
    use super::{RootRight, Slot};
    use crate::heap::Heap;

    pub trait Place {
        /// The slot, for somebody with a permit of `heap`.
        fn slot(&self, _: RootRight, heap: &Heap) -> &Slot;
    }

    impl Place for Slot {
        #[inline(always)]
        fn slot(&self, _: RootRight, _: &Heap) -> &Slot {
            self
        }
    }

    impl Place for crate::holder::Register {
        #[inline(always)]
        fn slot(&self, _: RootRight, heap: &Heap) -> &Slot {
            self.of(heap.id())
        }
    }
}

/// What a mutator loads from and stores to: a [`Slot`], which whoever lends it vouches for, or a
/// [`Register`](crate::Register), which knows its heap.
pub trait Place: sealed::Place {}

impl<P: sealed::Place> Place for P {}

impl<'p, C: crate::Checks> Mutator<'p, C> {
    /// Reads a root.
    ///
    /// # Panics
    /// If it is a register of another heap, here and below.
    #[inline(always)]
    pub fn load(&self, place: &impl Place) -> Value<'p> {
        self.checked(place.slot(RootRight::OWN, self.heap()).get())
    }

    /// Writes a root. Roots need no barrier.
    #[inline(always)]
    pub fn store(&self, place: &impl Place, value: Value<'p>) {
        place.slot(RootRight::OWN, self.heap()).set(value.word());
    }

    /// Reads a root slot.
    #[inline(always)]
    pub fn load_root(&self, slot: &impl Place) -> Value<'p> {
        self.load(slot)
    }
}
