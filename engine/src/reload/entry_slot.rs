//! The slot of the entry's promise.
//!
//! The promise of the entry's evaluation is asked for at every tick, long after the task that
//! evaluates it has ended, so the slot keeps it alive. Every store goes through one setter: the
//! new value is protected and the old one unprotected exactly when the slot is set, so that at
//! rest there is one protect for a slot that has a promise, and none for an empty one (I-21,
//! I-22). Who stores:
//!
//! | store | value |
//! |---|---|
//! | the entry, each preload, a reload | the promise of the evaluation that begins |
//! | an override of the entry | the same, only if the slot is empty |
//! | an entry with nothing to evaluate | the promise that is there, else a settled one |
//! | test isolation, shutdown | none |

use gcrucible_heap::{Checks, FutureState, Handle, Heap, SharedPermit, Slot, Unchecked, Value};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use crate::roots::ROOTS;

/// The promise of the entry module's evaluation, protected.
#[derive(Debug, Default)]
pub(super) struct EntrySlot {
    promise: Mutex<Held>,
}

/// Who stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// The entry that the engine was made with, or a new version of it.
    Entry,
    /// A program that runs before the entry.
    Preload,
    /// An entry in place of that which the engine was made with.
    Override,
    /// An entry that has nothing to evaluate.
    Nothing,
    /// A test that is not to see the entry of the last one.
    Isolation,
    /// The engine's end.
    Shutdown,
}

/// What is in the slot.
#[derive(Debug)]
struct Held {
    protected: Option<Handle>,
    /// What B-101 keeps instead, outside of all roots.
    bare: Slot,
}

impl Default for Held {
    fn default() -> Self {
        Held {
            protected: None,
            bare: Slot::nil(ROOTS),
        }
    }
}

impl EntrySlot {
    /// Stores a promise.
    pub(super) fn set(&self, permit: &SharedPermit<'_>, store: Store, promise: Value<'_>) {
        let heap = permit.heap();
        if planted!(B101a, store == Store::Entry)
            || planted!(B101b, store == Store::Preload)
            || planted!(B101c, store == Store::Override)
        {
            let bare = Slot::nil(ROOTS);
            permit.reader::<Unchecked>().store(&bare, promise);
            return self.put(heap, None, bare);
        }
        self.put(heap, Some(permit.protect(promise)), Slot::nil(ROOTS));
    }

    /// Empties the slot.
    pub(super) fn clear(&self, heap: &Heap, store: Store) {
        if planted!(B101d, store == Store::Isolation) {
            self.promise.lock().protected = None;
            return;
        }
        if planted!(B104, store == Store::Shutdown) {
            return;
        }
        self.put(heap, None, Slot::nil(ROOTS));
    }

    /// The one setter. The new promise is protected already, so that it is alive whatever the
    /// old one was; that one is given back here.
    fn put(&self, heap: &Heap, protected: Option<Handle>, bare: Slot) {
        let old = {
            let mut held = self.promise.lock();
            let is_same = held.protected.is_some() && held.protected == protected;
            if planted!(B102, is_same) {
                return;
            }
            std::mem::replace(&mut *held, Held { protected, bare })
        };
        if let Some(old) = old.protected {
            heap.unprotect(old);
        }
    }

    /// Whether no promise is in it.
    pub(super) fn is_empty(&self) -> bool {
        let held = self.promise.lock();
        held.protected.is_none() && held.bare.is_nil()
    }

    /// The state of the promise; none if there is none.
    pub(super) fn state<C: Checks>(&self, permit: &SharedPermit<'_>) -> Option<FutureState> {
        let m = permit.reader::<C>();
        let held = self.promise.lock();
        let promise = match &held.protected {
            Some(handle) => permit.protected(handle),
            None => m.load_root(&held.bare),
        };
        m.future_state(promise).map(|(state, _)| state)
    }

    /// Stores the promise that is there once more.
    pub(super) fn keep(&self, permit: &SharedPermit<'_>) {
        let promise = {
            let held = self.promise.lock();
            let handle = held.protected.as_ref();
            handle.map(|handle| permit.protected(handle))
        };
        if let Some(promise) = promise {
            self.set(permit, Store::Nothing, promise);
        }
    }
}
