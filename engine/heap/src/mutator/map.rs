//! Maps: insertion order, hash index, one storage object.
//!
//! ```text
//! map       len 32 | next sequence number 32, storage
//! storage   capacity n, used, n entries of key and value,
//!           index: 2n half-words, sequence numbers: n half-words
//! ```
//!
//! An index half-word is 0 or an entry's number plus one; probing is linear. A removed
//! entry's key is a hole, its index half-word stays until the storage is rebuilt. Each
//! entry has a sequence number that survives rebuilding, so that iterators keep their
//! place.
//!
//! Keys: nil, bools, numbers, strings by value, all else by identity hash, which moves
//! with the object; no address is ever hashed.

use gcrucible_platform::seeded_bugs::Bug;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::{Offset, Value, Word};

const MAP_WORDS: u32 = 4;

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
}

fn storage_words(capacity: u32) -> u32 {
    raw::MAP_FIRST + capacity * 2 + capacity + capacity / 2
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A new empty map.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn map(&self) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Map, 0, MAP_WORDS)?;
        self.region().set_raw(at + raw::MAP_LEN, 0);
        self.initialise(at, raw::MAP_STORAGE, &[Value::NIL]);
        Ok(self.reference(at))
    }

    /// A new map with these keys and values; a later key wins over an equal one.
    ///
    /// # Errors
    /// When a collection is due first, and for a NaN key; nothing has changed then.
    pub fn map_of(&self, pairs: &[(Value<'p>, Value<'p>)]) -> Result<Value<'p>, MapStoreError> {
        // Storage doubles until all pairs fit. All of it is asked for at once: an
        // operation that is held up at its second allocation again and again never ends.
        let mut sizes = vec![MAP_WORDS];
        let mut capacity = 0;
        while capacity < pairs.len() as u32 {
            capacity = (capacity * 2).max(4);
            sizes.push(storage_words(capacity));
        }
        let _grant = self.grant(sizes)?;
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

    fn len_and_sequence(&self, map: Offset) -> (u32, u32) {
        let word = self.region().raw(map + raw::MAP_LEN);
        (word as u32, (word >> 32) as u32)
    }

    fn set_len_and_sequence(&self, map: Offset, len: u32, sequence: u32) {
        self.region().set_raw(
            map + raw::MAP_LEN,
            u64::from(len) | u64::from(sequence) << 32,
        );
    }

    /// Hash of a key; `None` for NaN.
    fn hash_key(&self, key: Value<'p>) -> Option<u32> {
        let bits = if let Some(int) = self.as_int(key) {
            int as u64
        } else if let Some(float) = key.as_float() {
            if float.is_nan() {
                return None;
            }
            // A float that equals an int hashes like it.
            if float.fract() == 0.0 && float.abs() < 9.3e18 {
                float as i64 as u64
            } else {
                float.to_bits()
            }
        } else if let Some(text) = self.text(key) {
            // FNV-1a; collision attacks are not a concern of a stress engine's maps.
            let fnv =
                |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
            text.as_bytes().iter().fold(0xCBF2_9CE4_8422_2325, fnv)
        } else if key.is_object() {
            u64::from(self.identity_hash(key)) ^ 0x9E37_79B9_7F4A_7C15
        } else {
            key.word().0
        };
        Some((bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32)
    }

    /// The entry of a key.
    fn find(&self, table: Table, key: Value<'p>, hash: u32) -> Option<u32> {
        let mask = table.index_len() - 1;
        let mut probe = hash & mask;
        loop {
            let half = self.half(table, probe);
            if half == 0 {
                return None;
            }
            let entry = half - 1;
            let word = self.region().slot(table.at + table.key(entry)).get();
            if word != Word::HOLE && self.are_equal(self.checked_key(word), key) {
                return Some(entry);
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
        while self.half(table, probe) != 0 {
            probe = (probe + 1) & mask;
        }
        self.set_half(table, probe, entry + 1);
    }

    /// Number of live entries.
    pub fn map_len(&self, map: Value<'p>) -> Option<u32> {
        self.as_kind(map, Kind::Map)
            .map(|at| self.len_and_sequence(at).0)
    }

    /// The value of a key, if the map has it.
    pub fn map_get(&self, map: Value<'p>, key: Value<'p>) -> Option<Value<'p>> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let table = self.table(at)?;
        let entry = self.find(table, key, self.hash_key(key)?)?;
        Some(self.get(table.at, table.value(entry)))
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
        if let Some((table, entry)) = old.and_then(|t| self.find(t, key, hash).map(|e| (t, e))) {
            self.set(table.at, table.value(entry), value, Bug::B06b);
            return Ok(());
        }
        let table = match old.filter(|&table| self.used(table) < table.capacity) {
            Some(table) => table,
            None => self.rebuild(at, old)?,
        };
        let (len, sequence) = self.len_and_sequence(at);
        let entry = self.used(table);
        self.set(table.at, table.key(entry), key, Bug::B06a);
        self.set(table.at, table.value(entry), value, Bug::B06a);
        self.set_half(table, table.index_len() + entry, sequence);
        self.region()
            .set_raw(table.at + raw::MAP_USED, u64::from(entry + 1));
        self.index_entry(table, entry, hash);
        self.set_len_and_sequence(at, len + 1, sequence.wrapping_add(1));
        Ok(())
    }

    /// New storage with room, the live entries copied into it and published.
    fn rebuild(&self, map: Offset, old: Option<Table>) -> Result<Table, NeedsMemory> {
        let (len, _) = self.len_and_sequence(map);
        let capacity = (len * 2).next_power_of_two().max(4);
        let words = storage_words(capacity);
        let at = self.allocate(Kind::MapStorage, 0, words)?;
        let table = Table { at, capacity };
        self.region()
            .set_raw(at + raw::MAP_CAPACITY, u64::from(capacity));
        self.initialise_nil(at, raw::MAP_FIRST, capacity * 2);
        self.region()
            .fill(at + raw::MAP_FIRST + capacity * 2, at + words, 0);
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
                let sequence = self.half(old, old.index_len() + from);
                self.set_half(table, table.index_len() + entry, sequence);
                let hash = self.hash_key(key).expect("a key in a map is no NaN");
                self.index_entry(table, entry, hash);
                entry += 1;
            }
        }
        self.region().set_raw(at + raw::MAP_USED, u64::from(entry));
        self.set(map, raw::MAP_STORAGE, self.reference(at), Bug::B06a);
        Ok(table)
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
        let entry = self.find(table, key, self.hash_key(key)?)?;
        let value = self.get(table.at, table.value(entry));
        self.region()
            .slot(table.at + table.key(entry))
            .set(Word::HOLE);
        self.region().slot(table.at + table.value(entry)).clear();
        let (len, sequence) = self.len_and_sequence(at);
        self.set_len_and_sequence(at, len - 1, sequence);
        Some(value)
    }

    /// Removes all entries; false if it is no map.
    pub fn map_clear(&self, map: Value<'p>) -> bool {
        let Some(at) = self.as_kind(map, Kind::Map) else {
            return false;
        };
        let _locked = self.lock(at);
        let (_, sequence) = self.len_and_sequence(at);
        self.region().slot(at + raw::MAP_STORAGE).clear();
        self.set_len_and_sequence(at, 0, sequence);
        true
    }

    /// The first live entry at or after `position` in insertion order: the position after
    /// it, its key, its value. Positions are stable: a walk sees later insertions, and no
    /// entry twice.
    pub fn map_next(&self, map: Value<'p>, position: u32) -> Option<(u32, Value<'p>, Value<'p>)> {
        let at = self.as_kind(map, Kind::Map)?;
        let _locked = self.lock(at);
        let table = self.table(at)?;
        let used = self.used(table);
        let sequence = |entry: u32| self.half(table, table.index_len() + entry);
        // Sequence numbers rise with the entries: binary search for the first one.
        let (mut from, mut to) = (0, used);
        while from < to {
            let middle = (from + to) / 2;
            if sequence(middle) < position {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        (from..used).find_map(|entry| {
            let key = self.region().slot(table.at + table.key(entry)).get();
            (key != Word::HOLE).then(|| {
                let value = self.get(table.at, table.value(entry));
                (sequence(entry) + 1, self.checked_key(key), value)
            })
        })
    }
}
