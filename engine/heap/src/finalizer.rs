//! Finalizers: functions to be called with an object once nothing strong leads to it.
//!
//! A registration holds its object weakly and its function strongly. The collection that
//! would free the object keeps it instead, after it has cleared the weak references to it,
//! and moves the registration to the queue: all that one collection finds, in one step and
//! in order of registration. From then on the queue holds the object. Who takes an entry
//! from the queue calls the function; the object is then like any other.
//!
//! Not handled: weak maps, finalizers of the host.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_platform::sync::{Mutex, MutexGuard};

use crate::checks::Checks;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::permit::SharedPermit;
use crate::roots::{RootAudit, RootKind, RootTracer};
use crate::value::{Slot, Value, Word};

/// What a finalizer belongs to: the heap only keeps it.
pub type FinalizerOwner = Arc<dyn Any + Send + Sync>;

impl<'p, C: Checks> Mutator<'p, C> {
    /// Has `function` called with `object` once nothing strong leads to it, and returns the
    /// number of the registration: 1 for the first. `None`, without effect, if `object` is
    /// an immediate.
    pub fn add_finalizer(&self, object: Value<'p>, function: Value<'p>) -> Option<u64> {
        self.add_finalizer_of(None, object, function)
    }

    /// The same for an owner, which who calls the function wants to know, and which the
    /// registration keeps alive.
    pub fn add_finalizer_of(
        &self,
        owner: Option<FinalizerOwner>,
        object: Value<'p>,
        function: Value<'p>,
    ) -> Option<u64> {
        if !object.is_object() {
            return None;
        }
        let mut table = self.heap().finalizers.lock();
        table.registered_ever += 1;
        let entry = Finalizer {
            number: table.registered_ever,
            object: Slot::nil(),
            function: Slot::nil(),
            owner,
        };
        entry.object.set(object.word());
        entry.function.set(function.word());
        table.registered.push(entry);
        Some(table.registered_ever)
    }
}

impl Heap {
    /// Number of the registration that is first in the queue.
    pub fn next_finalizer(&self) -> Option<u64> {
        let table = self.finalizers.lock();
        table.queue.front().map(|entry| entry.number)
    }

    /// Number and owner of the registration that is first in the queue.
    pub fn next_finalizer_of(&self) -> Option<(u64, Option<FinalizerOwner>)> {
        let table = self.finalizers.lock();
        let first = table.queue.front();
        first.map(|entry| (entry.number, entry.owner.clone()))
    }

    /// Takes the first registration from the queue, under the permit that `_permit` stands
    /// for: its function and its object.
    pub fn take_finalizer<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
    ) -> Option<(Value<'p>, Value<'p>)> {
        let entry = self.finalizers.lock().queue.pop_front()?;
        let value = |slot: &Slot| Value::from_word(slot.get());
        Some((value(&entry.function), value(&entry.object)))
    }

    /// Forgets all registrations, those in the queue too: none of them is ever called.
    pub fn drop_finalizers(&self) {
        let (registered, queue) = {
            let mut table = self.finalizers.lock();
            let table = &mut *table;
            (
                std::mem::take(&mut table.registered),
                std::mem::take(&mut table.queue),
            )
        };
        // Their owners go after the lock.
        drop((registered, queue));
    }
}

/// One registration.
#[derive(Debug)]
pub(crate) struct Finalizer {
    pub(crate) number: u64,
    pub(crate) object: Slot,
    function: Slot,
    owner: Option<FinalizerOwner>,
}

/// The registrations of a heap.
#[derive(Debug, Default)]
pub(crate) struct FinalizerTable {
    table: Mutex<Table>,
}

/// See [`FinalizerTable`].
#[derive(Debug, Default)]
pub(crate) struct Table {
    registered_ever: u64,
    /// Their objects are held weakly. In order of registration.
    registered: Vec<Finalizer>,
    /// Their objects are held.
    queue: VecDeque<Finalizer>,
}

impl FinalizerTable {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }

    /// Traces what the table holds strongly.
    pub(crate) fn trace(&self, tracer: &mut dyn RootTracer) {
        let table = self.lock();
        for entry in &table.registered {
            tracer.slot(RootKind::Finalizer, &entry.function);
        }
        for entry in &table.queue {
            tracer.slot(RootKind::Finalizer, &entry.function);
            if seeded_bugs::is_on(Bug::B38b) {
                // B-38b: what is in the queue is kept, the queue still names its old place.
                let copy = Slot::nil();
                copy.copy_from(&entry.object);
                tracer.slot(RootKind::Finalizable, &copy);
                if copy.get() != entry.object.get() {
                    seeded_bugs::note_triggered(Bug::B38b);
                }
                continue;
            }
            tracer.slot(RootKind::Finalizable, &entry.object);
        }
    }

    pub(crate) fn audit(&self, audit: &mut RootAudit<'_>) {
        let table = self.lock();
        let queued = table.queue.len();
        for index in 0..queued {
            audit.root(RootKind::Finalizable, &table.queue[index].object);
            audit.root(RootKind::Finalizer, &table.queue[index].function);
        }
        for index in 0..table.registered.len() {
            audit.root(RootKind::Finalizer, &table.registered[index].function);
        }
    }

    /// What is held weakly: number and object.
    pub(crate) fn weakly_held(&self) -> Vec<(u64, Word)> {
        let table = self.lock();
        let held = table.registered.iter();
        held.map(|entry| (entry.number, entry.object.get()))
            .collect()
    }
}

impl Table {
    /// Forwards the objects that `survivor` knows; the registrations of all others go to the
    /// queue, in order, unforwarded. Returns how many.
    pub(crate) fn settle(&mut self, survivor: impl Fn(Word) -> Option<Word>) -> usize {
        let before = self.queue.len();
        for entry in std::mem::take(&mut self.registered) {
            if let Some(word) = survivor(entry.object.get()) {
                entry.object.set(word);
                self.registered.push(entry);
                continue;
            }
            self.queue.push_back(entry);
        }
        self.queue.len() - before
    }

    /// The last `count` of the queue.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = &Finalizer> {
        self.queue.range(self.queue.len() - count..)
    }

    /// Registers the last `count` of the queue once more, for a seeded bug.
    pub(crate) fn register_again(&mut self, count: usize) {
        let from = self.queue.len() - count;
        for entry in self.queue.range(from..) {
            let again = Finalizer {
                number: entry.number,
                object: Slot::nil(),
                function: Slot::nil(),
                owner: entry.owner.clone(),
            };
            again.object.copy_from(&entry.object);
            again.function.copy_from(&entry.function);
            self.registered.push(again);
        }
    }
}
