//! Operations on whole runs of array elements.

use gcrucible_platform::seeded_bugs::Bug;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::Value;

impl<'p, C: Checks> Mutator<'p, C> {
    /// Appends the elements of `other`, which may be the array itself; false if either is
    /// no array.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn array_extend(&self, array: Value<'p>, other: Value<'p>) -> Result<bool, NeedsMemory> {
        let (Some(at), Some(from)) = (
            self.as_kind(array, Kind::Array),
            self.as_kind(other, Kind::Array),
        ) else {
            return Ok(false);
        };
        // Both are held, or what the other one holds could go while it is copied. The one that
        // lies first is locked first, so that nobody who does the same the other way round
        // waits for this one; nothing moves while a permit is held.
        let _first = self.lock(at.min(from));
        let _second = (at != from).then(|| self.lock(at.max(from)));
        let source = self.storage_of(from);
        let more = source.map_or(0, |source| self.len_of(from).min(source.room()));
        let Some(source) = source.filter(|_| more > 0) else {
            return Ok(true);
        };
        let len = self.len_of(at);
        let storage = self.with_room(at, len, more)?;
        for index in 0..more {
            let value = self.get(source.at, source.word(index));
            self.set(storage.at, storage.word(len + index), value, Bug::B94a);
        }
        self.set_len(at, len + more);
        Ok(true)
    }

    /// Stores `value` as every element; false if it is no array.
    pub fn array_fill(&self, array: Value<'p>, value: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        if let Some(storage) = self.storage_of(at) {
            let count = self.len_of(at).min(storage.room());
            if self.needs_mark(storage.at, value.word()) {
                self.will_store_range(storage.at, storage.word(0), count, Bug::B94b);
            }
            for index in 0..count {
                self.set_after_barrier(storage.at, storage.word(index), value);
            }
        }
        true
    }

    /// Puts the elements in opposite order; false if it is no array.
    pub fn array_reverse(&self, array: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        if let Some(storage) = self.storage_of(at) {
            let count = self.len_of(at).min(storage.room());
            // Elements change their cards.
            self.will_store_range(storage.at, storage.word(0), count, Bug::B11b);
            for low in 0..count / 2 {
                let (low, high) = (storage.word(low), storage.word(count - 1 - low));
                let (first, last) = (self.get(storage.at, low), self.get(storage.at, high));
                self.set_after_barrier(storage.at, low, last);
                self.set_after_barrier(storage.at, high, first);
            }
        }
        true
    }

    /// A new array of the elements from `from` to before `to`; `None` if they are out of
    /// bounds or in wrong order, or if it is no array.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn array_slice(
        &self,
        array: Value<'p>,
        from: u32,
        to: u32,
    ) -> Result<Option<Value<'p>>, NeedsMemory> {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return Ok(None);
        };
        if from > to || to > self.len_of(at) {
            return Ok(None);
        }
        let count = to - from;
        let slice = self.array_object(count)?;
        if count == 0 {
            return Ok(Some(self.reference(slice)));
        }
        // Only now: nothing is allocated under a lock that others wait for. So the array may
        // have become shorter.
        let _locked = self.lock(at);
        let source = self.storage_of(at);
        let Some(source) = source.filter(|source| to <= self.len_of(at).min(source.room())) else {
            return Ok(None);
        };
        let storage = self
            .region()
            .slot(slice + raw::ARRAY_STORAGE)
            .get()
            .offset();
        for index in 0..count {
            let value = self.get(source.at, source.word(from + index));
            // The new storage is young: a plain store.
            self.initialise(storage, raw::STORAGE_FIRST + index, &[value]);
        }
        self.set_len(slice, count);
        Ok(Some(self.reference(slice)))
    }
}
