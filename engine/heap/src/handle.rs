//! Handles: objects that the host keeps alive, counted.

use std::collections::{BTreeMap, BTreeSet};

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::heap::Heap;
use crate::identity::HeapId;
use crate::object::Kind;
use crate::permit::SharedPermit;
use crate::roots::{RootAudit, RootKind, RootTracer};
use crate::slot::Slot;
use crate::tlab::Tlab;
use crate::value::{Value, Word};

/// One protect of a value, undone by [`Heap::unprotect`], exactly once (I-8). It is a root of the
/// heap's own, and knows which heap that is.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a handle that is dropped without unprotect keeps its object for ever"]
pub struct Handle {
    /// Whose table it is a place of.
    heap: HeapId,
    index: u32,
}

/// The protected values. A value that is protected several times has one entry with a
/// count.
#[derive(Debug, Default)]
pub(crate) struct HandleTable {
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    entries: Vec<Entry>,
    /// The entries in use by the word that they keep; a collection changes the words.
    by_word: BTreeMap<u64, u32>,
    /// The others.
    free: BTreeSet<u32>,
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    count: u32,
    /// Kind of the object, `value` for an immediate.
    kind: &'static str,
}

impl Places {
    /// Counts one protect of a word, whose object is of this kind; returns its place.
    fn add(&mut self, word: Word, kind: &'static str) -> u32 {
        let index = match self.by_word.get(&word.0) {
            Some(&index) => index,
            None => {
                let index = self.free.pop_first().unwrap_or_else(|| {
                    self.entries.push(Entry {
                        slot: Slot::of(Word::NIL),
                        count: 0,
                        kind,
                    });
                    self.entries.len() as u32 - 1
                });
                self.by_word.insert(word.0, index);
                index
            }
        };
        let entry = &mut self.entries[index as usize];
        entry.slot.set(word);
        entry.kind = kind;
        entry.count += 1;
        index
    }

    /// Undoes one.
    fn remove(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        assert!(entry.count > 0, "a handle of this heap counts at least one");
        entry.count -= 1;
        if entry.count > 0 {
            return;
        }
        let word = entry.slot.get();
        entry.slot.clear();
        if !planted!(B278) {
            self.by_word.remove(&word.0);
        }
        self.free.insert(index);
        // What was there at the peak is not kept.
        while self.entries.last().is_some_and(|entry| entry.count == 0) {
            self.entries.pop();
            self.free.remove(&(self.entries.len() as u32));
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    fn used(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.count > 0)
    }
}

impl HandleTable {
    /// Traces every entry in use.
    pub(crate) fn trace(&self, tracer: &mut dyn RootTracer) {
        let mut places = self.places.lock();
        for entry in places.used() {
            if planted!(B20e, entry.slot.is_object()) {
                tracer.slot(RootKind::Handle, &Slot::of(entry.slot.get()));
                continue;
            }
            tracer.slot(RootKind::Handle, &entry.slot);
        }
        let places = &mut *places;
        let entries = places.entries.iter().zip(0..);
        let used = entries.filter(|(entry, _)| entry.count > 0);
        let words = used.map(|(entry, index)| (entry.slot.get().0, index));
        if !planted!(B279) {
            places.by_word = words.collect();
        }
    }

    pub(crate) fn list(&self, audit: &mut RootAudit<'_>) {
        let places = self.places.lock();
        for index in 0..places.entries.len() {
            if places.entries[index].count != 0 {
                audit.root(RootKind::Handle, &places.entries[index].slot);
            }
        }
    }

    /// What is wrong with the tables that find entries: each entry in use is found by its word,
    /// the others are free.
    pub(crate) fn audit(&self) -> Option<String> {
        let places = self.places.lock();
        let used = places.used().count();
        let is_found = |(index, entry): (u32, &Entry)| {
            entry.count == 0 || places.by_word.get(&entry.slot.get().0) == Some(&index)
        };
        let lost = (0..).zip(&places.entries).find(|&it| !is_found(it));
        if let Some((index, entry)) = lost {
            return Some(format!(
                "entry {index}, {:?}, is not found",
                entry.slot.get()
            ));
        }
        let by_word = places.by_word.len();
        if by_word != used {
            return Some(format!("{by_word} entries are found, {used} are in use"));
        }
        let is_free = |&index: &u32| {
            let entry = places.entries.get(index as usize);
            entry.is_some_and(|entry| entry.count == 0)
        };
        let free = places.free.iter().filter(|&index| is_free(index)).count();
        let is_complete = free == places.free.len() && free + used == places.entries.len();
        (!is_complete).then(|| {
            let (all, free) = (places.entries.len(), places.free.len());
            format!("{free} entries are free and {used} in use of {all}")
        })
    }

    /// Two entries for one object mean that one of them lost track of it.
    pub(crate) fn has_duplicates(&self) -> bool {
        let places = self.places.lock();
        let mut seen: Vec<u64> = places.used().map(|e| e.slot.get().0).collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        seen.len() != all
    }
}

impl SharedPermit<'_> {
    /// Keeps what `value` refers to alive, and counts it.
    pub fn protect(&self, value: Value<'_>) -> Handle {
        let heap = self.heap();
        let word = value.word();
        let kind = word
            .is_object()
            .then(|| heap.region().header(word.offset()).kind().map(Kind::name));
        let kind = kind.flatten().unwrap_or("value");
        Handle {
            heap: heap.id(),
            index: heap.handles.places.lock().add(word, kind),
        }
    }

    /// Makes a handle keep `value` instead of what it kept: the new value is protected, then
    /// the old one unprotected, so that nothing is lost when both are the same.
    ///
    /// # Panics
    /// If the handle belongs to another heap, here and below.
    pub fn reprotect(&self, handle: Handle, value: Value<'_>) -> Handle {
        let heap = self.heap();
        let renewed = self.protect(value);
        if planted!(B32, handle != renewed) {
            let entry = &mut heap.handles.places.lock().entries[heap.index(&handle)];
            entry.count = entry.count.saturating_sub(1).max(1);
        }
        heap.unprotect(handle);
        renewed
    }

    /// A handle on a deep copy of what `handle` keeps. The entry is taken before the copy
    /// is made, so that it cannot fail for want of one afterwards.
    ///
    /// # Errors
    /// When a collection is due first; nothing is protected then.
    pub fn protect_copy<C: Checks>(
        &self,
        handle: &Handle,
        tlab: &Tlab,
    ) -> Result<Handle, NeedsMemory> {
        let original = self.protected(handle);
        let place = self.protect(Value::NIL);
        match self.mutator::<C>(tlab).deep_copy(original) {
            Ok(copy) => Ok(self.reprotect(place, copy)),
            Err(needs) => {
                if !planted!(B33) {
                    self.heap().unprotect(place);
                }
                Err(needs)
            }
        }
    }

    /// What a handle keeps.
    pub fn protected(&self, handle: &Handle) -> Value<'_> {
        let heap = self.heap();
        let places = heap.handles.places.lock();
        Value::from_word(places.entries[heap.index(handle)].slot.get())
    }
}

impl Heap {
    /// Undoes one protect, at any time.
    ///
    /// # Panics
    /// If the handle belongs to another heap, here and below.
    pub fn unprotect(&self, handle: Handle) {
        let index = self.index(&handle);
        self.handles.places.lock().remove(index as u32);
    }

    /// How often the object of a handle is protected now, by this handle and others.
    pub fn protect_count(&self, handle: &Handle) -> u32 {
        let index = self.index(handle);
        self.handles.places.lock().entries[index].count
    }

    /// The place of a handle. Another heap's mean nothing here.
    fn index(&self, handle: &Handle) -> usize {
        assert!(
            handle.heap == self.id(),
            "the handle is one of another heap"
        );
        handle.index as usize
    }

    /// Protect counts by kind of object; immediates count as `value`.
    pub(crate) fn protected_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for entry in self.handles.places.lock().used() {
            *counts.entry(entry.kind).or_default() += u64::from(entry.count);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the audit finds fault after `falsify` on a table of two entries in use and a free
    /// one.
    fn is_found(falsify: impl FnOnce(&mut Places)) -> bool {
        let table = HandleTable::default();
        {
            let mut places = table.places.lock();
            let word = |int| Value::int32(int).word();
            let first = places.add(word(1), "value");
            places.add(word(2), "value");
            places.add(word(2), "value");
            places.add(word(3), "value");
            places.remove(first);
            falsify(&mut places);
        }
        table.audit().is_some()
    }

    #[test]
    fn entries_that_are_not_found_or_not_free_are_found() {
        assert!(!is_found(|_| {}));
        assert!(is_found(|places| places.by_word.clear()));
        assert!(is_found(|places| {
            places.by_word.insert(Value::int32(1).word().0, 0);
        }));
        assert!(is_found(|places| places.free.clear()));
        assert!(is_found(|places| places.entries[2].slot.clear()));
    }
}
