//! Maps: insertion order, hash index, one storage object.
//!
//! ```text
//! map       len, next sequence number, storage
//! storage   capacity n, used, n entries of key and value,
//!           index: 2n half-words, sequence numbers: n words
//! ```
//!
//! An index half-word is 0, an entry's number plus one, or that of an entry which was removed;
//! probing is linear. A removed entry's key is a hole until the storage is rebuilt, and its
//! value the number of an entry behind it at which a search for the next live one goes on;
//! each search makes the ways shorter that it went, so that a map of which most is removed is
//! walked as quickly as any. Each entry has a sequence number that survives rebuilding, so that
//! iterators keep their place; no map lives long enough to use up 64 bits of them.
//!
//! Keys: nil, bools, numbers, strings by value, all else by identity hash, which moves
//! with the object; no address is ever hashed. The hash is [keyed](crate::hashing).

use gcrucible_platform::planted;

use super::{Mutator, Sizes};
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::{Offset, Value, Word};

pub(super) const MAP_WORDS: u32 = 5;

/// Index half-word of a removed entry: the search goes on, a new entry may take its place.
const REMOVED: u32 = u32::MAX;

/// Why a store into a map failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapStoreError {
    /// A collection is due first; nothing has changed.
    NeedsMemory(NeedsMemory),
    /// NaN is no key.
    InvalidKey,
    /// It is no map.
    NotAMap,
}

impl From<NeedsMemory> for MapStoreError {
    fn from(needs: NeedsMemory) -> Self {
        MapStoreError::NeedsMemory(needs)
    }
}

/// A map's storage, looked at.
#[derive(Clone, Copy)]
struct Table {
    at: Offset,
    capacity: u32,
}

impl Table {
    fn key(self, entry: u32) -> u32 {
        raw::MAP_FIRST + entry * 2
    }

    fn value(self, entry: u32) -> u32 {
        raw::MAP_FIRST + entry * 2 + 1
    }

    /// Half-word `index` after the entries.
    fn half(self, index: u32) -> (Offset, u32) {
        (
            self.at + raw::MAP_FIRST + self.capacity * 2 + index / 2,
            (index % 2) * 32,
        )
    }

    fn index_len(self) -> u32 {
        self.capacity * 2
    }

    /// Word of the sequence number of an entry.
    fn sequence(self, entry: u32) -> u32 {
        raw::MAP_FIRST + self.capacity * 3 + entry
    }
}

/// Where a key was found.
#[derive(Clone, Copy)]
struct Found {
    entry: u32,
    /// Its place in the index.
    probe: u32,
}

fn storage_words(capacity: u32) -> u32 {
    raw::MAP_FIRST + capacity * 4
}

/// The capacity of a storage of so many words.
pub(super) fn capacity_of(words: u32) -> u32 {
    (words - raw::MAP_FIRST) / 4
}

/// Words of the storages that a map has one after the other, until so many entries fit.
pub(super) fn storage_sizes(entries: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(4u32), |capacity| Some(capacity * 2))
        .scan(0, move |before, capacity| {
            (std::mem::replace(before, capacity) < entries).then_some(capacity)
        })
        .map(storage_words)
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A new empty map.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn map(&self) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Map, 0, MAP_WORDS)?;
        self.region().set_raw(at + raw::MAP_LEN, 0);
        self.region().set_raw(at + raw::MAP_SEQUENCE, 0);
        self.initialise(at, raw::MAP_STORAGE, &[Value::NIL]);
        Ok(self.reference(at))
    }

    /// A new empty map with room for so many entries.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn map_with_capacity(&self, entries: u32) -> Result<Value<'p>, NeedsMemory> {
        if entries == 0 {
            return self.map();
        }
        let capacity = entries.next_power_of_two().max(4);
        let _grant = self.grant([storage_words(capacity), MAP_WORDS])?;
        let table = self.new_table(capacity)?;
        self.region().set_raw(table.at + raw::MAP_USED, 0);
        let at = self.allocate(Kind::Map, 0, MAP_WORDS)?;
        self.region().set_raw(at + raw::MAP_LEN, 0);
        self.region().set_raw(at + raw::MAP_SEQUENCE, 0);
        self.initialise(at, raw::MAP_STORAGE, &[self.reference(table.at)]);
        Ok(self.reference(at))
    }

    /// A new map with these keys and values; a later key wins over an equal one.
    ///
    /// # Errors
    /// When a collection is due first, and for a NaN key; nothing has changed then.
    pub fn map_of(&self, pairs: &[(Value<'p>, Value<'p>)]) -> Result<Value<'p>, MapStoreError> {
        // All of it is asked for at once: an operation that is held up at its second
        // allocation again and again never ends.
        let _grant = self.grant(Sizes::default().map(pairs.len() as u32))?;
        let map = self.map()?;
        for &(key, value) in pairs {
            self.map_set(map, key, value)?;
        }
        Ok(map)
    }

    fn half(&self, table: Table, index: u32) -> u32 {
        let (word, shift) = table.half(index);
        (self.region().raw(word) >> shift) as u32
    }

    fn set_half(&self, table: Table, index: u32, half: u32) {
        let (word, shift) = table.half(index);
        let kept = self.region().raw(word) & !(0xFFFF_FFFF << shift);
        self.region().set_raw(word, kept | u64::from(half) << shift);
    }

    fn table(&self, map: Offset) -> Option<Table> {
        let storage = self.get(map, raw::MAP_STORAGE);
        if !storage.is_object() {
            return None;
        }
        let at = self.offset(storage);
        Some(Table {
            at,
            capacity: self.region().raw(at + raw::MAP_CAPACITY) as u32,
        })
    }

    fn used(&self, table: Table) -> u32 {
        self.region().raw(table.at + raw::MAP_USED) as u32
    }

    fn map_len_of(&self, map: Offset) -> u32 {
        self.region().raw(map + raw::MAP_LEN) as u32
    }

    fn set_map_len(&self, map: Offset, len: u32) {
        self.region().set_raw(map + raw::MAP_LEN, u64::from(len));
    }

    fn sequence(&self, table: Table, entry: u32) -> u64 {
        self.region().raw(table.at + table.sequence(entry))
    }

    fn set_sequence(&self, table: Table, entry: u32, sequence: u64) {
        self.region()
            .set_raw(table.at + table.sequence(entry), sequence);
    }

    /// Hash of a key; `None` for NaN.
    fn hash_key(&self, key: Value<'p>) -> Option<u32> {
        let hash = if let Some(int) = self.as_int(key) {
            self.heap.hashing.word(int as u64)
        } else if let Some(float) = key.as_float() {
            if float.is_nan() {
                return None;
            }
            // A float that equals an int hashes like it.
            self.heap
                .hashing
                .word(if float.fract() == 0.0 && float.abs() < 9.3e18 {
                    float as i64 as u64
                } else {
                    float.to_bits()
                })
        } else if let Some(text) = self.text(key) {
            self.heap.hashing.text(text.as_bytes())
        } else if key.is_object() {
            // Numbers in a row, apart from the ints that are just as small.
            let identity = u64::from(self.identity_hash(key));
            self.heap.hashing.word(identity ^ 0x9E37_79B9_7F4A_7C15)
        } else {
            self.heap.hashing.word(key.word().0)
        };
        Some((hash >> 32) as u32)
    }

    /// The entry of a key.
    fn find(&self, table: Table, key: Value<'p>, hash: u32) -> Option<Found> {
        let mask = table.index_len() - 1;
        let mut probe = hash & mask;
        loop {
            let half = self.half(table, probe);
            if half == 0 {
                return None;
            }
            if half != REMOVED {
                let entry = half - 1;
                let word = self.region().slot(table.at + table.key(entry)).get();
                if self.are_equal(self.checked_key(word), key) {
                    return Some(Found { entry, probe });
                }
            }
            probe = (probe + 1) & mask;
        }
    }

    fn checked_key(&self, word: Word) -> Value<'p> {
        self.checked(word)
    }

    fn index_entry(&self, table: Table, entry: u32, hash: u32) {
        let mask = table.index_len() - 1;
        let mut probe = hash & mask;
        while !matches!(self.half(table, probe), 0 | REMOVED) {
            probe = (probe + 1) & mask;
        }
        self.set_half(table, probe, entry + 1);
    }

    /// Number of live entries.
    pub fn map_len(&self, map: Value<'p>) -> Option<u32> {
        self.as_kind(map, Kind::Map).map(|at| self.map_len_of(at))
    }

    /// The value of a key, if the map has it.
    pub fn map_get(&self, map: Value<'p>, key: Value<'p>) -> Option<Value<'p>> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let table = self.table(at)?;
        let found = self.find(table, key, self.hash_key(key)?)?;
        Some(self.get(table.at, table.value(found.entry)))
    }

    /// Inserts or updates.
    ///
    /// # Errors
    /// See [`MapStoreError`].
    pub fn map_set(
        &self,
        map: Value<'p>,
        key: Value<'p>,
        value: Value<'p>,
    ) -> Result<(), MapStoreError> {
        let at = self.as_kind(map, Kind::Map).ok_or(MapStoreError::NotAMap)?;
        let _locked = self.lock(at);
        let hash = self.hash_key(key).ok_or(MapStoreError::InvalidKey)?;
        let old = self.table(at);
        if let Some(table) = old
            && let Some(found) = self.find(table, key, hash)
        {
            if planted!(B06b, self.needs_mark(table.at, value.word())) {
                self.set_after_barrier(table.at, table.value(found.entry), value);
                return Ok(());
            }
            self.set(table.at, table.value(found.entry), value);
            return Ok(());
        }
        let table = match old.filter(|&table| self.used(table) < table.capacity) {
            Some(table) => table,
            None => self.rebuild(at, old)?,
        };
        let sequence = self.region().raw(at + raw::MAP_SEQUENCE);
        let entry = self.used(table);
        self.set(table.at, table.key(entry), key);
        if planted!(B06a, self.needs_mark(table.at, value.word())) {
            self.set_after_barrier(table.at, table.value(entry), value);
        } else {
            self.set(table.at, table.value(entry), value);
        }
        self.set_sequence(table, entry, sequence);
        self.region()
            .set_raw(table.at + raw::MAP_USED, u64::from(entry + 1));
        self.index_entry(table, entry, hash);
        self.region().set_raw(at + raw::MAP_SEQUENCE, sequence + 1);
        self.set_map_len(at, self.map_len_of(at) + 1);
        Ok(())
    }

    /// New storage with room, the live entries copied into it and published.
    fn rebuild(&self, map: Offset, old: Option<Table>) -> Result<Table, NeedsMemory> {
        let len = self.map_len_of(map);
        let table = self.new_table((len * 2).next_power_of_two().max(4))?;
        let at = table.at;
        let mut entry = 0;
        if let Some(old) = old {
            for from in 0..self.used(old) {
                let key = self.region().slot(old.at + old.key(from)).get();
                if key == Word::HOLE {
                    continue;
                }
                let (key, value) = (self.checked_key(key), self.get(old.at, old.value(from)));
                // The new storage is young: plain stores.
                self.initialise(at, table.key(entry), &[key, value]);
                let sequence = self.sequence(old, from);
                let is_new = planted!(B268, sequence != u64::from(entry));
                self.set_sequence(table, entry, if is_new { entry.into() } else { sequence });
                let hash = self.hash_key(key).expect("a key in a map is no NaN");
                self.index_entry(table, entry, hash);
                entry += 1;
            }
        }
        self.region().set_raw(at + raw::MAP_USED, u64::from(entry));
        self.set(map, raw::MAP_STORAGE, self.reference(at));
        Ok(table)
    }

    /// New storage without entries; how many are used is not said yet.
    fn new_table(&self, capacity: u32) -> Result<Table, NeedsMemory> {
        let words = storage_words(capacity);
        let at = self.allocate(Kind::MapStorage, 0, words)?;
        self.region()
            .set_raw(at + raw::MAP_CAPACITY, u64::from(capacity));
        self.initialise_nil(at, raw::MAP_FIRST, capacity * 2);
        self.region()
            .fill(at + raw::MAP_FIRST + capacity * 2, at + words, 0);
        Ok(Table { at, capacity })
    }

    /// Fills the empty index of a copied storage.
    pub(super) fn reindex(&self, storage: Offset, capacity: u32) {
        let table = Table {
            at: storage,
            capacity,
        };
        for entry in 0..self.used(table) {
            let key = self.region().slot(storage + table.key(entry)).get();
            if key != Word::HOLE {
                let hash = self
                    .hash_key(self.checked_key(key))
                    .expect("a key is no NaN");
                self.index_entry(table, entry, hash);
            }
        }
    }

    /// Removes a key and returns its value.
    pub fn map_remove(&self, map: Value<'p>, key: Value<'p>) -> Option<Value<'p>> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let table = self.table(at)?;
        let Found { entry, probe } = self.find(table, key, self.hash_key(key)?)?;
        let value = self.get(table.at, table.value(entry));
        self.region()
            .slot(table.at + table.key(entry))
            .set(Word::HOLE);
        let mut next = entry + 1;
        if planted!(B151, next < self.used(table)) {
            next += 1;
        }
        if !planted!(B266, value.is_object()) {
            self.set_next(table, entry, next);
        }
        self.set_half(table, probe, REMOVED);
        self.set_map_len(at, self.map_len_of(at) - 1);
        Some(value)
    }

    /// Says where the search for a live entry goes on from a removed one.
    fn set_next(&self, table: Table, removed: u32, next: u32) {
        let next = Value::small_int(i64::from(next)).expect("32 bits need no box");
        // An int is no reference: there is no barrier.
        self.set_after_barrier(table.at, table.value(removed), next);
    }

    /// The first live entry from `entry` on, or the number of all in use.
    fn live_from(&self, table: Table, entry: u32) -> u32 {
        let used = self.used(table);
        let next = |at: u32| {
            let key = self.region().slot(table.at + table.key(at)).get();
            if key != Word::HOLE {
                return None;
            }
            let next = self.get(table.at, table.value(at)).as_small_int();
            Some(next.map_or(at + 1, |next| next as u32))
        };
        let mut live = entry;
        while live < used
            && let Some(next) = next(live)
        {
            live = next;
        }
        // Who comes the same way goes straight there.
        let mut passed = entry;
        while passed < live
            && let Some(next) = next(passed)
        {
            self.set_next(table, passed, live);
            passed = next;
        }
        live
    }

    /// Removes all entries; false if it is no map.
    pub fn map_clear(&self, map: Value<'p>) -> bool {
        let Some(at) = self.as_kind(map, Kind::Map) else {
            return false;
        };
        let _locked = self.lock(at);
        // The sequence numbers go on: an iterator is to see what is inserted from now on.
        self.region().slot(at + raw::MAP_STORAGE).clear();
        if planted!(B267, self.region().raw(at + raw::MAP_SEQUENCE) > 0) {
            self.region().set_raw(at + raw::MAP_SEQUENCE, 0);
        }
        self.set_map_len(at, 0);
        true
    }

    /// The first live entry at or after `position` in insertion order: the position after
    /// it, its key, its value. Positions are stable: a walk sees later insertions, and no
    /// entry twice.
    pub fn map_next(&self, map: Value<'p>, position: u64) -> Option<(u64, Value<'p>, Value<'p>)> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let table = self.table(at)?;
        let entry = self.live_from(table, self.entry_from(table, position));
        self.live_entry(table, entry)
            .map(|(key, value)| (self.sequence(table, entry) + 1, key, value))
    }

    /// The first entry in use whose sequence number is not below `position`, or the number of
    /// all in use.
    fn entry_from(&self, table: Table, position: u64) -> u32 {
        let used = self.used(table);
        if used == 0 {
            return 0;
        }
        // Sequence numbers rise by one from entry to entry, by more where removed ones were
        // left out of the storage: mostly it is the one that is as far behind the first.
        let distance = position.saturating_sub(self.sequence(table, 0));
        let (mut from, mut to) = (0, u32::try_from(distance).map_or(used, |at| at.min(used)));
        if to == 0 || to < used && self.sequence(table, to) == position {
            return to;
        }
        while from < to {
            let middle = from + (to - from) / 2;
            if self.sequence(table, middle) < position {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    fn live_entry(&self, table: Table, entry: u32) -> Option<(Value<'p>, Value<'p>)> {
        if entry >= self.used(table) {
            return None;
        }
        let key = self.region().slot(table.at + table.key(entry)).get();
        Some((
            self.checked_key(key),
            self.get(table.at, table.value(entry)),
        ))
    }

    /// All keys and values at one moment, in insertion order; `None` if it is no map.
    pub fn map_entries(&self, map: Value<'p>) -> Option<Vec<(Value<'p>, Value<'p>)>> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let mut entries = Vec::with_capacity(self.map_len_of(at) as usize);
        if let Some(table) = self.table(at) {
            let mut next = self.live_from(table, 0);
            while let Some(entry) = self.live_entry(table, next) {
                entries.push(entry);
                next = self.live_from(table, next + 1);
            }
        }
        Some(entries)
    }
}
