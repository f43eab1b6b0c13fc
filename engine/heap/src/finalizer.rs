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
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use gcrucible_platform::planted;
use gcrucible_platform::sync::{Mutex, MutexGuard};

use crate::account::Charge;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::heap::Heap;
use crate::mutator::Mutator;
use crate::permit::SharedPermit;
use crate::roots::{RootAudit, RootKind, RootTracer};
use crate::slot::Slot;
use crate::value::{Value, Word};

/// What a finalizer belongs to: the heap only keeps it.
pub type FinalizerOwner = Arc<dyn Any + Send + Sync>;

impl<'p, C: Checks> Mutator<'p, C> {
    /// Has `function` called with `object` once nothing strong leads to it, and returns the
    /// number of the registration: 1 for the first. `None`, without effect, if `object` is
    /// an immediate.
    ///
    /// # Errors
    /// When the heap's limit has no room for the registration.
    pub fn add_finalizer(
        &self,
        object: Value<'p>,
        function: Value<'p>,
    ) -> Result<Option<u64>, NeedsMemory> {
        self.add_finalizer_of(None, object, function)
    }

    /// The same for an owner, which who calls the function wants to know. The registration keeps
    /// the owner, but not what it is a root of: once registrations alone hold an owner that is a
    /// [root provider](crate::RootProvider), that counts for nothing, and comes back to life
    /// with the object for the call.
    ///
    /// # Errors
    /// When the heap's limit has no room for the registration.
    pub fn add_finalizer_of(
        &self,
        owner: Option<FinalizerOwner>,
        object: Value<'p>,
        function: Value<'p>,
    ) -> Result<Option<u64>, NeedsMemory> {
        if !object.is_object() {
            return Ok(None);
        }
        let account = self.tlab.account.as_ref();
        let charge = self.heap().charge(account, Finalizer::BYTES)?;
        let mut table = self.heap().finalizers.lock();
        table.registered_ever += 1;
        let entry = Finalizer {
            number: table.registered_ever,
            object: Slot::of(object.word()),
            function: Slot::of(function.word()),
            owner,
            charge,
        };
        table.registered.push(entry);
        Ok(Some(table.registered_ever))
    }
}

impl SharedPermit<'_> {
    /// Takes the first registration from the queue: its function and its object.
    pub fn take_finalizer(&self) -> Option<(Value<'_>, Value<'_>)> {
        let mut table = self.heap().finalizers.lock();
        let entry = table.queue.pop_front()?;
        let value = |slot: &Slot| Value::from_word(slot.get());
        let taken = (value(&entry.function), value(&entry.object));
        if planted!(B38) {
            table.registered.push(entry);
        }
        Some(taken)
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

    /// Bytes that registrations are charged for, those in the queue too.
    pub fn finalizer_bytes(&self) -> u64 {
        let table = self.finalizers.lock();
        let all = table.registered.iter().chain(&table.queue);
        all.map(|entry| entry.charge.bytes()).sum()
    }

    /// Gives up registrations in the queue until at most `max` of those are left whose owners
    /// `is_counted` says so of: the newest of the owners that have most. The first of the queue
    /// stays. Returns how many.
    pub fn give_up_finalizers(
        &self,
        max: usize,
        is_counted: impl Fn(&FinalizerOwner) -> bool,
    ) -> usize {
        let given_up = {
            let mut table = self.finalizers.lock();
            if table.queue.len() <= max {
                return 0;
            }
            table.give_up(max, is_counted)
        };
        // Their owners go after the lock.
        given_up.len()
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
    charge: Charge,
}

impl Finalizer {
    /// What one takes, and its part of the lists that grow by doubling.
    const BYTES: u64 = 2 * size_of::<Finalizer>() as u64;
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
            if planted!(B38b) {
                tracer.slot(RootKind::Finalizable, &Slot::of(entry.object.get()));
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

/// What tells owners apart: where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnerId(usize);

pub(crate) fn owner_id<T: ?Sized>(owner: &Arc<T>) -> OwnerId {
    OwnerId(Arc::as_ptr(owner).cast::<()>() as usize)
}

impl Table {
    /// The owners that nothing but registrations holds. What is in the queue does not count as
    /// one: its call is to come. Nobody else can get hold of such an owner.
    pub(crate) fn lone_owners(&self) -> BTreeSet<OwnerId> {
        let mut counts: BTreeMap<OwnerId, (usize, usize)> = BTreeMap::new();
        for owner in self.registered.iter().filter_map(|it| it.owner.as_ref()) {
            let holders = || (0, Arc::strong_count(owner));
            counts.entry(owner_id(owner)).or_insert_with(holders).0 += 1;
        }
        let lone = counts.into_iter().filter(|(_, (known, all))| known == all);
        lone.map(|(owner, _)| owner).collect()
    }

    /// The owners of the registrations for whose objects `survives` says so.
    pub(crate) fn owners_of(&self, survives: impl Fn(Word) -> bool) -> BTreeSet<OwnerId> {
        let registered = self.registered.iter();
        let kept = registered.filter(|it| survives(it.object.get()));
        kept.filter_map(|it| it.owner.as_ref().map(owner_id))
            .collect()
    }

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

    fn give_up(
        &mut self,
        max: usize,
        is_counted: impl Fn(&FinalizerOwner) -> bool,
    ) -> Vec<Finalizer> {
        let owner = |entry: &Finalizer| {
            entry
                .owner
                .as_ref()
                .filter(|it| is_counted(it))
                .map(owner_id)
        };
        let mut counts: BTreeMap<OwnerId, usize> = BTreeMap::new();
        for owner in self.queue.iter().filter_map(owner) {
            *counts.entry(owner).or_default() += 1;
        }
        // As many as each may keep: all that have more lose what they have beyond that.
        let mut sizes: Vec<usize> = counts.values().copied().collect();
        sizes.sort_unstable();
        let (mut left, mut owners) = (max, sizes.len());
        let mut most = usize::MAX;
        for size in sizes {
            if size > left / owners {
                most = left / owners;
                break;
            }
            left -= size;
            owners -= 1;
        }
        let mut seen: BTreeMap<OwnerId, usize> = BTreeMap::new();
        let mut given_up = Vec::new();
        for (at, entry) in std::mem::take(&mut self.queue).into_iter().enumerate() {
            let nth = owner(&entry).map_or(0, |owner| {
                let nth = seen.entry(owner).or_default();
                *nth += 1;
                *nth
            });
            if at > 0 && nth > most {
                given_up.push(entry);
            } else {
                self.queue.push_back(entry);
            }
        }
        given_up
    }

    /// The last `count` of the queue.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = &Finalizer> {
        self.queue.range(self.queue.len() - count..)
    }
}
