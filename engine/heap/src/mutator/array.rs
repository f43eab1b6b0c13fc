//! Arrays: a length and a storage object that is replaced when it is full.
//!
//! ```text
//! storage   places before head | elements, as many as the length | places behind
//!           all nil            | head …                          | all nil
//! ```
//!
//! Free places at both ends make both ends cheap: pushing and popping, inserting and removing
//! at the front take constant time, on average over many. Elsewhere the shorter side moves.
//!
//! Who reads an array in parallel with a change sees either storage, each filled before
//! it was published; the index is checked against the capacity of the one it sees (I-2). The
//! head lies in the storage, so that it is always the one of the places that are looked at. A
//! place that is just given up holds nil: who finds nil looks again under the lock, so that
//! nobody sees a nil that nobody stored.

use gcrucible_platform::planted;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::{Offset, Value};

pub(super) const ARRAY_WORDS: u32 = 4;

/// Arrays of at most so many elements shift all of them rather than get a storage with free
/// places in front: it would cost more than it saves.
const SHIFTED_LEN: u32 = 16;

/// Capacity of the storage that takes the place of a full one.
pub(super) fn grown_capacity(capacity: u32, needed: u32) -> u32 {
    capacity.saturating_mul(2).max(4).max(needed)
}

/// The storage of an array, looked at.
#[derive(Clone, Copy)]
pub(super) struct Storage {
    pub(super) at: Offset,
    pub(super) capacity: u32,
    /// Place of the first element.
    pub(super) head: u32,
}

impl Storage {
    /// Where in the storage object element `index` is.
    #[inline(always)]
    pub(super) fn word(self, index: u32) -> u32 {
        raw::STORAGE_FIRST + self.head + index
    }

    /// Elements that fit behind the head.
    #[inline(always)]
    pub(super) fn room(self) -> u32 {
        self.capacity.saturating_sub(self.head)
    }
}

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

    pub(super) fn array_object(&self, capacity: u32) -> Result<Offset, NeedsMemory> {
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

    /// Storage for `capacity` elements, all nil; its head is its first place.
    pub(super) fn storage(&self, capacity: u32) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::ArrayStorage, 0, HEADER_WORDS + capacity)?;
        self.initialise_nil(at, raw::STORAGE_FIRST, capacity);
        Ok(self.reference(at))
    }

    #[inline]
    pub(super) fn storage_of(&self, array: Offset) -> Option<Storage> {
        let storage = self.get(array, raw::ARRAY_STORAGE);
        if !storage.is_object() {
            return None;
        }
        let at = self.offset(storage);
        let size = self.region().header(at).size_words();
        Some(Storage {
            at,
            capacity: size.saturating_sub(HEADER_WORDS),
            head: self.head_of(at),
        })
    }

    /// The head of a storage.
    #[inline(always)]
    pub(super) fn head_of(&self, storage: Offset) -> u32 {
        self.region().raw(storage + raw::STORAGE_HEAD) as u32
    }

    /// Says where the first element of a storage is; the other half of the word is the site.
    pub(super) fn set_head(&self, storage: Offset, head: u32) {
        let word = self.region().raw(storage + raw::STORAGE_HEAD);
        let kept = word & !u64::from(u32::MAX);
        self.region()
            .set_raw(storage + raw::STORAGE_HEAD, kept | u64::from(head));
    }

    #[inline]
    pub(super) fn len_of(&self, array: Offset) -> u32 {
        self.region().raw(array + raw::ARRAY_LEN) as u32
    }

    pub(super) fn set_len(&self, array: Offset, len: u32) {
        self.region()
            .set_raw(array + raw::ARRAY_LEN, u64::from(len));
    }

    /// Number of elements.
    #[inline]
    pub fn array_len(&self, array: Value<'p>) -> Option<u32> {
        self.as_kind(array, Kind::Array).map(|at| self.len_of(at))
    }

    /// Number of elements, and how many fit without another storage when they are pushed.
    pub fn array_room(&self, array: Value<'p>) -> Option<(u32, u32)> {
        let at = self.as_kind(array, Kind::Array)?;
        let room = self.storage_of(at).map_or(0, Storage::room);
        Some((self.len_of(at), room))
    }

    /// Elements that its storage has places for, those given up in front included.
    pub fn array_places(&self, array: Value<'p>) -> Option<u32> {
        let at = self.as_kind(array, Kind::Array)?;
        Some(self.storage_of(at).map_or(0, |storage| storage.capacity))
    }

    /// Element `index`; `None` too if it is out of bounds.
    #[inline]
    pub fn array_get(&self, array: Value<'p>, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        if index >= self.len_of(at) {
            return None;
        }
        let storage = self.get(at, raw::ARRAY_STORAGE);
        if !storage.is_object() {
            return None;
        }
        let storage = self.offset(storage);
        let word =
            u64::from(self.head_of(storage)) + u64::from(index) + u64::from(raw::STORAGE_FIRST);
        if word >= u64::from(self.region().header(storage).size_words()) {
            return None;
        }
        let value = self.get(storage, word as u32);
        if value.is_nil() && self.heap.is_parallel() {
            return self.array_get_locked(at, index);
        }
        Some(value)
    }

    /// The same, while nobody changes the array.
    #[cold]
    fn array_get_locked(&self, array: Offset, index: u32) -> Option<Value<'p>> {
        let _locked = self.lock(array);
        let storage = self.storage_of(array)?;
        (index < self.len_of(array).min(storage.room()))
            .then(|| self.get(storage.at, storage.word(index)))
    }

    /// Stores element `index`; false if it is out of bounds or no array.
    ///
    /// It is a call, because of the interpreter's hot loop: what the lock, the barrier and the
    /// places of the storage need would push the loop's own variables out of the registers.
    #[inline(never)]
    pub fn array_set(&self, array: Value<'p>, index: u32, value: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        match self.storage_of(at) {
            Some(storage) if index < self.len_of(at).min(storage.room()) => {
                if planted!(B04a, self.needs_mark(storage.at, value.word())) {
                    self.set_after_barrier(storage.at, storage.word(index), value);
                    return true;
                }
                self.set(storage.at, storage.word(index), value);
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
        let storage = self.with_room(at, len, 1)?;
        if planted!(B04b, self.needs_mark(storage.at, value.word())) {
            self.set_after_barrier(storage.at, storage.word(len), value);
        } else {
            self.set(storage.at, storage.word(len), value);
        }
        self.set_len(at, len + 1);
        Ok(true)
    }

    /// Storage with room for `more` elements beyond `len`; published if it is new.
    pub(super) fn with_room(
        &self,
        array: Offset,
        len: u32,
        more: u32,
    ) -> Result<Storage, NeedsMemory> {
        let old = self.storage_of(array);
        let needed = len.saturating_add(more);
        if let Some(storage) = old.filter(|storage| needed <= storage.room()) {
            return Ok(storage);
        }
        // Of a queue, which gives up places in front and needs some behind, only the elements
        // count: or its storage would grow for ever.
        let capacity = match old {
            Some(Storage {
                head: 0, capacity, ..
            }) => capacity,
            Some(old) if planted!(B298) => old.capacity,
            Some(_) => len,
            None => 0,
        };
        let wanted = grown_capacity(capacity, needed);
        self.replace_storage(array, len, needed, wanted, 0)
    }

    /// A new storage of `capacity` places that holds the first `len` elements from place
    /// `head` on, published. The array will have `needed` elements.
    fn replace_storage(
        &self,
        array: Offset,
        len: u32,
        needed: u32,
        capacity: u32,
        head: u32,
    ) -> Result<Storage, NeedsMemory> {
        let old = self.storage_of(array);
        let at = match self.allocate(Kind::ArrayStorage, 0, HEADER_WORDS + capacity) {
            Ok(at) => at,
            Err(needs) => {
                if planted!(B26) {
                    self.set_len(array, needed);
                }
                return Err(needs);
            }
        };
        if planted!(B35) {
            self.set(array, raw::ARRAY_STORAGE, self.reference(at));
            self.reserve(capacity.min(self.region().block_words() / 2))?;
        }
        let kept = old.map_or(0, |old| len.min(old.room()));
        let first = raw::STORAGE_FIRST + head;
        self.set_head(at, head);
        self.initialise_nil(at, raw::STORAGE_FIRST, head);
        if let Some(old) = old {
            for index in 0..kept {
                // The new storage is young: a plain store.
                self.initialise(at, first + index, &[self.get(old.at, old.word(index))]);
            }
        }
        self.initialise_nil(at, first + kept, capacity - head - kept);
        self.set(array, raw::ARRAY_STORAGE, self.reference(at));
        Ok(Storage { at, capacity, head })
    }

    /// Removes and returns the last element.
    pub fn array_pop(&self, array: Value<'p>) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        let _locked = self.lock(at);
        let last = self.len_of(at).checked_sub(1)?;
        let storage = self.storage_of(at)?;
        if last >= storage.room() {
            return None;
        }
        let value = self.get(storage.at, storage.word(last));
        self.set_len(at, last);
        self.region().slot(storage.at + storage.word(last)).clear();
        Some(value)
    }

    /// Inserts an element before `index`, at most the length; false if out of bounds or
    /// no array. The elements on the shorter side move.
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
        let is_front = index < len - index;
        if is_front && let Some(storage) = self.with_room_in_front(at, len)? {
            // One place further to the front, and the elements before `index` with it.
            let storage = Storage {
                head: storage.head - 1,
                ..storage
            };
            for to in 0..index {
                self.shift(storage, to + 1, to);
            }
            self.set_inserted(storage, index, value);
            self.set_head(storage.at, storage.head);
        } else {
            let storage = self.with_room(at, len, 1)?;
            for to in (index + 1..=len).rev() {
                self.shift(storage, to - 1, to);
            }
            self.set_inserted(storage, index, value);
        }
        self.set_len(at, len + 1);
        Ok(true)
    }

    /// How many elements [`Mutator::array_insert`] at `index` moves.
    pub fn array_insert_moves(&self, array: Value<'p>, index: u32) -> u32 {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return 0;
        };
        let len = self.len_of(at);
        let behind = len.saturating_sub(index);
        let storage = self.storage_of(at);
        let (head, room) = storage.map_or((0, 0), |storage| (storage.head, storage.room()));
        match index < behind {
            true if head > 0 => index,
            true if len > SHIFTED_LEN => len,
            _ if len < room => behind,
            _ => len,
        }
    }

    /// How many elements [`Mutator::array_remove`] at `index` moves.
    pub fn array_remove_moves(&self, array: Value<'p>, index: u32) -> u32 {
        let len = self.array_len(array).unwrap_or(0);
        index.min(len.saturating_sub(index))
    }

    /// Storage with a free place before its first element, published if it is new; `None` for
    /// an array so short that its elements had better move behind.
    fn with_room_in_front(&self, array: Offset, len: u32) -> Result<Option<Storage>, NeedsMemory> {
        let Some(old) = self.storage_of(array) else {
            return Ok(None);
        };
        if old.head > 0 {
            return Ok(Some(old));
        }
        if len <= SHIFTED_LEN {
            return Ok(None);
        }
        // Half as many free places as elements on either side: whichever end is used next,
        // so many elements come there before all move again.
        let capacity = grown_capacity(len, len + 1);
        let head = (capacity - len).div_ceil(2);
        self.replace_storage(array, len, len + 1, capacity, head)
            .map(Some)
    }

    /// Stores an element where the others have made room for it.
    fn set_inserted(&self, storage: Storage, index: u32, value: Value<'p>) {
        if planted!(B04c, self.needs_mark(storage.at, value.word())) {
            return self.set_after_barrier(storage.at, storage.word(index), value);
        }
        self.set(storage.at, storage.word(index), value);
    }

    /// Moves an element within a storage.
    fn shift(&self, storage: Storage, from: u32, to: u32) {
        let moved = self.get(storage.at, storage.word(from));
        // Elements change their card when they shift, so this is a store like any.
        self.set(storage.at, storage.word(to), moved);
    }

    /// Removes and returns element `index`; `None` if it is out of bounds. The elements on the
    /// shorter side move.
    pub fn array_remove(&self, array: Value<'p>, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(array, Kind::Array)?;
        let _locked = self.lock(at);
        let storage = self.storage_of(at)?;
        let len = self.len_of(at).min(storage.room());
        if index >= len {
            return None;
        }
        let removed = self.get(storage.at, storage.word(index));
        if index < len / 2 {
            for to in (1..=index).rev() {
                self.shift(storage, to - 1, to);
            }
            // What is empty begins at its first place again.
            let head = if len == 1 { 0 } else { storage.head + 1 };
            self.set_head(storage.at, head);
            self.set_len(at, len - 1);
            self.region().slot(storage.at + storage.word(0)).clear();
        } else {
            for from in index + 1..len {
                self.shift(storage, from, from - 1);
            }
            self.set_len(at, len - 1);
            self.region()
                .slot(storage.at + storage.word(len - 1))
                .clear();
        }
        Some(removed)
    }

    /// Removes all elements; false if it is no array.
    pub fn array_clear(&self, array: Value<'p>) -> bool {
        let Some(at) = self.as_kind(array, Kind::Array) else {
            return false;
        };
        let _locked = self.lock(at);
        self.set_len(at, 0);
        self.region().slot(at + raw::ARRAY_STORAGE).clear();
        true
    }
}
