//! Operations on whole runs of array elements.

use gcrucible_platform::seeded_bugs::Bug;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::{Offset, Value};

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
        // What the other array holds now, read before this one is locked: two locks held at
        // once could be taken in opposite order by somebody else.
        let source = self.storage_of(from);
        let more = source.map_or(0, |(_, capacity)| self.len_of(from).min(capacity));
        let _locked = self.lock(at);
        let Some((source, _)) = source.filter(|_| more > 0) else {
            return Ok(true);
        };
        let len = self.len_of(at);
        let storage = self.with_room(at, len, more)?;
        self.copy_elements(source, 0, storage, len, more, Bug::B94a);
        self.set_len(at, len + more);
        Ok(true)
    }

    /// Copies a run of elements between storages, or within one if the runs do not overlap.
    /// The barrier is taken for each element.
    fn copy_elements(
        &self,
        source: Offset,
        from: u32,
        storage: Offset,
        to: u32,
        count: u32,
        path: Bug,
    ) {
        for index in 0..count {
            let value = self.get(source, raw::STORAGE_FIRST + from + index);
            self.set(storage, raw::STORAGE_FIRST + to + index, value, path);
        }
    }

    /// Stores `value` as every element; false if it is no array.
    pub fn array_fill(&self, array: Value<'p>, value: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        if let Some((storage, capacity)) = self.storage_of(at) {
            let count = self.len_of(at).min(capacity);
            if self.needs_mark(storage, value.word()) {
                self.will_store_range(storage, raw::STORAGE_FIRST, count, Bug::B94b);
            }
            for index in 0..count {
                self.set_after_barrier(storage, raw::STORAGE_FIRST + index, value);
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
        if let Some((storage, capacity)) = self.storage_of(at) {
            let count = self.len_of(at).min(capacity);
            // Elements change their cards.
            self.will_store_range(storage, raw::STORAGE_FIRST, count, Bug::B11b);
            for low in 0..count / 2 {
                let high = count - 1 - low;
                let first = self.get(storage, raw::STORAGE_FIRST + low);
                let last = self.get(storage, raw::STORAGE_FIRST + high);
                self.set_after_barrier(storage, raw::STORAGE_FIRST + low, last);
                self.set_after_barrier(storage, raw::STORAGE_FIRST + high, first);
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
        if let Some((source, capacity)) = self.storage_of(at).filter(|_| count > 0) {
            let storage = self
                .region()
                .slot(slice + raw::ARRAY_STORAGE)
                .get()
                .offset();
            for index in 0..count.min(capacity.saturating_sub(from)) {
                let value = self.get(source, raw::STORAGE_FIRST + from + index);
                // The new storage is young: a plain store.
                self.initialise(storage, raw::STORAGE_FIRST + index, &[value]);
            }
            self.set_len(slice, count);
        }
        Ok(Some(self.reference(slice)))
    }
}
