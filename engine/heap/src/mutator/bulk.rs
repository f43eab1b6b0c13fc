//! Operations on whole runs of array elements.

use gcrucible_platform::planted;

use super::Mutator;
use super::array::Storage;
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
            self.set_extended(storage, len + index, value);
        }
        self.set_len(at, len + more);
        Ok(true)
    }

    /// Appends the elements of `other`, which may be the array itself, from `from` to before
    /// `to`, as far as there are such; false if either is no array.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn array_append(
        &self,
        array: Value<'p>,
        other: Value<'p>,
        from: u32,
        to: u32,
    ) -> Result<bool, NeedsMemory> {
        let (Some(at), Some(other)) = (
            self.as_kind(array, Kind::Array),
            self.as_kind(other, Kind::Array),
        ) else {
            return Ok(false);
        };
        // In the order in which `array_extend` locks them.
        let _first = self.lock(at.min(other));
        let _second = (at != other).then(|| self.lock(at.max(other)));
        let Some(source) = self.storage_of(other) else {
            return Ok(true);
        };
        let to = to.min(self.len_of(other)).min(source.room());
        let len = self.len_of(at);
        let storage = self.with_room(at, len, to.saturating_sub(from))?;
        for index in from..to {
            let value = self.get(source.at, source.word(index));
            self.set_extended(storage, len + index - from, value);
        }
        self.set_len(at, len + to.saturating_sub(from));
        Ok(true)
    }

    /// Stores an element of a run behind the others.
    fn set_extended(&self, storage: Storage, index: u32, value: Value<'p>) {
        if planted!(B94a, self.needs_mark(storage.at, value.word())) {
            return self.set_after_barrier(storage.at, storage.word(index), value);
        }
        self.set(storage.at, storage.word(index), value);
    }

    /// Makes room for `more` elements; false if it is no array.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn array_reserve(&self, array: Value<'p>, more: u32) -> Result<bool, NeedsMemory> {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return Ok(false);
        };
        let _locked = self.lock(at);
        self.with_room(at, self.len_of(at), more)?;
        Ok(true)
    }

    /// Stores `value` as every element; false if it is no array.
    pub fn array_fill(&self, array: Value<'p>, value: Value<'p>) -> bool {
        self.array_fill_range(array, value, 0, u32::MAX)
    }

    /// The same for the elements from `from` to before `to`, as far as there are such.
    pub fn array_fill_range(&self, array: Value<'p>, value: Value<'p>, from: u32, to: u32) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        if let Some(storage) = self.storage_of(at) {
            let to = to.min(self.len_of(at)).min(storage.room());
            let count = to.saturating_sub(from);
            if count > 0 && self.needs_mark(storage.at, value.word()) && !planted!(B94b) {
                self.will_store_range(storage.at, storage.word(from), count);
            }
            for index in from..to {
                self.set_after_barrier(storage.at, storage.word(index), value);
            }
        }
        true
    }

    /// Puts the elements in opposite order; false if it is no array.
    pub fn array_reverse(&self, array: Value<'p>) -> bool {
        let count = self.array_len(array).unwrap_or(0);
        self.array_swap_range(array, count, 0, count / 2)
    }

    /// Swaps the elements from `from` to before `to` with those as far from the end of the
    /// first `count` ones, as far as there are such.
    pub fn array_swap_range(&self, array: Value<'p>, count: u32, from: u32, to: u32) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        if let Some(storage) = self.storage_of(at) {
            let count = count.min(self.len_of(at)).min(storage.room());
            let to = to.min(count / 2);
            let swapped = to.saturating_sub(from);
            if swapped == 0 {
                return true;
            }
            // Elements change their cards.
            if !planted!(B11b, self.region().block_at(storage.at).is_old()) {
                self.will_store_range(storage.at, storage.word(from), swapped);
                self.will_store_range(storage.at, storage.word(count - to), swapped);
            }
            for low in from..to {
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
            let skipped = if planted!(B297, source.head > 0) {
                source.head
            } else {
                0
            };
            let value = self.get(source.at, source.word(from + index) - skipped);
            // The new storage is young: a plain store.
            self.initialise(storage, raw::STORAGE_FIRST + index, &[value]);
        }
        self.set_len(slice, count);
        Ok(Some(self.reference(slice)))
    }
}
