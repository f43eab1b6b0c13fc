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

use gcrucible_heap::{Checks, FutureState, Handle, Heap, SharedPermit, Value};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

/// The promise of the entry module's evaluation, protected.
#[derive(Debug, Default)]
pub(super) struct EntrySlot {
    promise: Mutex<Option<Handle>>,
}

impl EntrySlot {
    /// Stores a promise.
    pub(super) fn set(&self, permit: &SharedPermit<'_>, promise: Value<'_>) {
        self.put(permit.heap(), permit.protect(promise));
    }

    /// Empties the slot.
    pub(super) fn clear(&self, heap: &Heap) {
        if let Some(old) = self.take() {
            heap.unprotect(old);
        }
    }

    /// Empties the slot; what was in it is still protected.
    pub(super) fn take(&self) -> Option<Handle> {
        self.promise.lock().take()
    }

    /// The one setter. The new promise is protected already, so that it is alive whatever the
    /// old one was; that one is given back here.
    fn put(&self, heap: &Heap, promise: Handle) {
        let old = {
            let mut held = self.promise.lock();
            if planted!(B102, held.as_ref() == Some(&promise)) {
                return;
            }
            held.replace(promise)
        };
        if let Some(old) = old {
            heap.unprotect(old);
        }
    }

    /// Whether no promise is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.promise.lock().is_none()
    }

    /// The state of the promise; none if there is none.
    pub(super) fn state<C: Checks>(&self, permit: &SharedPermit<'_>) -> Option<FutureState> {
        let held = self.promise.lock();
        let promise = permit.protected(held.as_ref()?);
        let state = permit.reader::<C>().future_state(promise);
        state.map(|(state, _)| state)
    }

    /// Stores the promise that is there once more.
    pub(super) fn keep(&self, permit: &SharedPermit<'_>) {
        let promise = {
            let held = self.promise.lock();
            held.as_ref().map(|handle| permit.protected(handle))
        };
        if let Some(promise) = promise {
            self.set(permit, promise);
        }
    }
}
