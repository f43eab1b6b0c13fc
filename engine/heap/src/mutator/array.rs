//! Arrays: a length and a storage object that is replaced when it is full.
//!
//! Who reads an array in parallel with a change sees either storage, each filled before
//! it was published; the index is checked against the capacity of the one it sees (I-2).

use gcrucible_platform::seeded_bugs::Bug;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::{Offset, Value};

const ARRAY_WORDS: u32 = 4;

impl<'p, C: Checks> Mutator<'p, C> {
    /// A new array with these elements.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn array(&self, elements: &[Value<'p>]) -> Result<Value<'p>, NeedsMemory> {
        let len = elements.len() as u32;
        let at = self.array_object(len)?;
        let storage = self.region().slot(at + raw::ARRAY_STORAGE).get();
        if len > 0 {
            self.initialise(storage.offset(), raw::STORAGE_FIRST, elements);
            self.region().set_raw(at + raw::ARRAY_LEN, u64::from(len));
        }
        Ok(self.reference(at))
    }

    /// A new empty array with room for `capacity` elements.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn array_with_capacity(&self, capacity: u32) -> Result<Value<'p>, NeedsMemory> {
        self.array_object(capacity).map(|at| self.reference(at))
    }

    fn array_object(&self, capacity: u32) -> Result<Offset, NeedsMemory> {
        let storage_words = (capacity > 0).then_some(HEADER_WORDS + capacity);
        let _grant = self.grant([ARRAY_WORDS].into_iter().chain(storage_words))?;
        let storage = match storage_words {
            Some(_) => self.storage(capacity)?,
            None => Value::NIL,
        };
        let at = self.allocate(Kind::Array, 0, ARRAY_WORDS)?;
        self.region().set_raw(at + raw::ARRAY_LEN, 0);
        self.initialise(at, raw::ARRAY_STORAGE, &[storage]);
        Ok(at)
    }

    /// Storage for `capacity` elements, all nil.
    fn storage(&self, capacity: u32) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::ArrayStorage, 0, HEADER_WORDS + capacity)?;
        self.initialise_nil(at, raw::STORAGE_FIRST, capacity);
        Ok(self.reference(at))
    }

    /// Storage and its capacity.
    fn storage_of(&self, array: Offset) -> Option<(Offset, u32)> {
        let storage = self.get(array, raw::ARRAY_STORAGE);
        if !storage.is_object() {
            return None;
        }
        let at = self.offset(storage);
        Some((
            at,
            self.region()
                .header(at)
                .size_words()
                .saturating_sub(HEADER_WORDS),
        ))
    }

    #[inline]
    fn len_of(&self, array: Offset) -> u32 {
        self.region().raw(array + raw::ARRAY_LEN) as u32
    }

    fn set_len(&self, array: Offset, len: u32) {
        self.region()
            .set_raw(array + raw::ARRAY_LEN, u64::from(len));
    }

    /// Number of elements.
    #[inline]
    pub fn array_len(&self, array: Value<'p>) -> Option<u32> {
        self.as_kind(array, Kind::Array).map(|at| self.len_of(at))
    }

    /// Element `index`; `None` too if it is out of bounds.
    #[inline]
    pub fn array_get(&self, array: Value<'p>, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        if index >= self.len_of(at) {
            return None;
        }
        let (storage, capacity) = self.storage_of(at)?;
        (index < capacity).then(|| self.get(storage, raw::STORAGE_FIRST + index))
    }

    /// Stores element `index`; false if it is out of bounds or no array.
    #[inline]
    pub fn array_set(&self, array: Value<'p>, index: u32, value: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        match self.storage_of(at) {
            Some((storage, capacity)) if index < self.len_of(at).min(capacity) => {
                self.set(storage, raw::STORAGE_FIRST + index, value, Bug::B04a);
                true
            }
            _ => false,
        }
    }

    /// Appends an element; false if it is no array.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn array_push(&self, array: Value<'p>, value: Value<'p>) -> Result<bool, NeedsMemory> {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return Ok(false);
        };
        let _locked = self.lock(at);
        let len = self.len_of(at);
        let storage = self.with_room(at, len)?;
        self.set(storage, raw::STORAGE_FIRST + len, value, Bug::B04b);
        self.set_len(at, len + 1);
        Ok(true)
    }

    /// Storage with room for one more than `len` elements; published if it is new.
    fn with_room(&self, array: Offset, len: u32) -> Result<Offset, NeedsMemory> {
        let old = self.storage_of(array);
        let capacity = old.map_or(0, |(_, capacity)| capacity);
        if let Some((storage, _)) = old.filter(|_| len < capacity) {
            return Ok(storage);
        }
        let grown = self.storage((capacity * 2).max(4))?;
        let at = self.offset(grown);
        if let Some((storage, _)) = old {
            for index in raw::STORAGE_FIRST..raw::STORAGE_FIRST + len.min(capacity) {
                // The new storage is young: a plain store.
                self.initialise(at, index, &[self.get(storage, index)]);
            }
        }
        self.set(array, raw::ARRAY_STORAGE, grown, Bug::B04d);
        Ok(at)
    }

    /// Removes and returns the last element.
    pub fn array_pop(&self, array: Value<'p>) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        let _locked = self.lock(at);
        let last = self.len_of(at).checked_sub(1)?;
        let (storage, capacity) = self.storage_of(at)?;
        if last >= capacity {
            return None;
        }
        let value = self.get(storage, raw::STORAGE_FIRST + last);
        self.region()
            .slot(storage + raw::STORAGE_FIRST + last)
            .clear();
        self.set_len(at, last);
        Some(value)
    }

    /// Inserts an element before `index`, at most the length; false if out of bounds or
    /// no array.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn array_insert(
        &self,
        array: Value<'p>,
        index: u32,
        value: Value<'p>,
    ) -> Result<bool, NeedsMemory> {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return Ok(false);
        };
        let _locked = self.lock(at);
        let len = self.len_of(at);
        if index > len {
            return Ok(false);
        }
        let storage = self.with_room(at, len)?;
        for to in (index + 1..=len).rev() {
            let moved = self.get(storage, raw::STORAGE_FIRST + to - 1);
            self.set(storage, raw::STORAGE_FIRST + to, moved, Bug::B04c);
        }
        self.set(storage, raw::STORAGE_FIRST + index, value, Bug::B04c);
        self.set_len(at, len + 1);
        Ok(true)
    }

    /// Removes and returns element `index`; `None` if it is out of bounds.
    pub fn array_remove(&self, array: Value<'p>, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        let _locked = self.lock(at);
        let len = self.len_of(at);
        let (storage, capacity) = self.storage_of(at)?;
        if index >= len.min(capacity) {
            return None;
        }
        let removed = self.get(storage, raw::STORAGE_FIRST + index);
        for from in index + 1..len.min(capacity) {
            let moved = self.get(storage, raw::STORAGE_FIRST + from);
            // Elements change their card when they shift, so this is a store like any.
            self.set(storage, raw::STORAGE_FIRST + from - 1, moved, Bug::B04a);
        }
        self.region()
            .slot(storage + raw::STORAGE_FIRST + len - 1)
            .clear();
        self.set_len(at, len - 1);
        Some(removed)
    }

    /// Removes all elements; false if it is no array.
    pub fn array_clear(&self, array: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        self.region().slot(at + raw::ARRAY_STORAGE).clear();
        self.set_len(at, 0);
        true
    }
}
