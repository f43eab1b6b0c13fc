//! Copies that are made in steps, with collections between them: what is too much for one go.
//!
//! ```text
//! note   an object that is met for the first time is copied at once, word by word, an array
//!        or map together with its storage and under its lock
//! link   of each copy, one after the other, the parts that are copied become their copies
//! ```
//!
//! At any time each copy is an object like any other; it may be moved and promoted, so stores
//! into it take the barrier. Between two steps other machines may change what is not copied
//! yet. So a copy of many objects is not what they were at one moment, but each of them, an
//! array with its elements or a map with its entries, is.

use std::collections::VecDeque;

use gcrucible_platform::planted;

use super::Mutator;
use super::copy::Reach;
use super::memo::Memo;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Forked, HEADER_WORDS, Kind, raw};
use crate::slot::{RootRight, Slot};
use crate::value::{Offset, Value, Word};

/// Units of work for an object that is copied, and for so many of its words.
const UNITS_PER_OBJECT: u32 = 6;
const WORDS_PER_UNIT: u32 = 4;

/// A copy under way. Between two steps it has roots, so it takes the right to have some.
#[derive(Debug)]
pub struct Copying {
    pub(super) reach: Reach,
    roots: Box<[Slot]>,
    /// How many of the roots have been looked at.
    noted: usize,
    originals: Vec<Slot>,
    /// The copy of each original.
    copies: Vec<Slot>,
    memo: Memo,
    /// Copies, and storages of copies, whose parts are still the originals.
    unlinked: VecDeque<Slot>,
    /// The next slot of the first of these; 0 if it has not begun.
    at: u32,
    /// Whether keys of that storage were replaced, whose hashes differ then.
    has_new_keys: bool,
    /// Copies of mutexes and weak references, which become others than their originals at the
    /// end: then the targets of weak references are known, and their ids are those that a copy
    /// in one go would have given them.
    renewed: Vec<Slot>,
    /// Futures and channels that a fork shares.
    pub(super) shared: Vec<Slot>,
    /// Whether a stream was met.
    pub(super) has_stream: bool,
}

impl Copying {
    /// Begins a deep copy of a value.
    pub fn of_value(_: RootRight, value: Value<'_>) -> Self {
        let root = Slot::of(value.word());
        Copying::new(Reach::Value, Box::new([root]))
    }

    /// Begins a fork of what these root slots reach.
    pub fn of_fork(_: RootRight, originals: &[Slot]) -> Self {
        let copy = |from: &Slot| Slot::of(from.get());
        Copying::new(Reach::Fork, originals.iter().map(copy).collect())
    }

    pub(super) fn new(reach: Reach, roots: Box<[Slot]>) -> Self {
        Copying {
            reach,
            roots,
            noted: 0,
            originals: Vec::new(),
            copies: Vec::new(),
            memo: Memo::default(),
            unlinked: VecDeque::new(),
            at: 0,
            has_new_keys: false,
            renewed: Vec::new(),
            shared: Vec::new(),
            has_stream: false,
        }
    }

    /// Passes all its roots on. They must be roots between two steps.
    pub fn roots(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        self.roots.iter().for_each(&mut *root);
        self.originals.iter().for_each(&mut *root);
        if planted!(B140, !self.copies.is_empty()) {
            return;
        }
        self.copies.iter().for_each(&mut *root);
        self.unlinked.iter().for_each(&mut *root);
        self.renewed.iter().for_each(&mut *root);
        self.shared.iter().for_each(&mut *root);
    }

    /// The same roots, listed by other code for the verifier.
    pub fn audit(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        for list in [&self.shared, &self.renewed, &self.copies, &self.originals] {
            for slot in list {
                root(slot);
            }
        }
        for index in 0..self.unlinked.len() {
            root(&self.unlinked[index]);
        }
        for index in 0..self.roots.len() {
            root(&self.roots[index]);
        }
    }

    /// Goes on with about so many units of work, and takes what it did from `units`. Returns
    /// whether the copy is done, but for its [end](Self::renew).
    ///
    /// # Errors
    /// When a collection is due first; it goes on behind that.
    pub fn step<C: Checks>(
        &mut self,
        m: &Mutator<'_, C>,
        units: &mut u32,
    ) -> Result<bool, NeedsMemory> {
        while *units > 0 {
            if let Some(root) = self.roots.get(self.noted) {
                let root = root.get();
                self.note(m, root, units)?;
                self.noted += 1;
            } else if !self.link(m, units)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many objects are copied so far.
    pub fn copied_count(&self) -> usize {
        self.copies.len()
    }

    /// What root `index` has become, once the copy is done.
    pub fn result<'p, C: Checks>(&self, m: &Mutator<'p, C>, index: usize) -> Value<'p> {
        let root = self.roots[index].get();
        m.checked(self.number_of(m, root).map_or(root, |number| {
            let copy = &self.copies[number as usize];
            copy.get()
        }))
    }

    fn number_of<C: Checks>(&self, m: &Mutator<'_, C>, word: Word) -> Option<u32> {
        if word == Word::HOLE || !word.is_object() {
            return None;
        }
        // Who was never asked for its hash was never copied. Storages have something else in its
        // place, which must stay as it is.
        let hash = m.known_hash(m.checked(word))?;
        self.memo.find(hash, word.offset(), &self.originals)
    }

    /// Whether an object is one of those that are copied.
    pub(super) fn has<C: Checks>(&self, m: &Mutator<'_, C>, word: Word) -> bool {
        self.number_of(m, word).is_some()
    }

    /// What a word is in the copy. Its object is copied now if it has to be and was not.
    fn note<C: Checks>(
        &mut self,
        m: &Mutator<'_, C>,
        word: Word,
        units: &mut u32,
    ) -> Result<Word, NeedsMemory> {
        if word == Word::HOLE {
            return Ok(word);
        }
        let value = m.checked(word);
        if !value.is_object() {
            return Ok(word);
        }
        let at = word.offset();
        let Some(kind) = m.region().header(at).kind() else {
            return Ok(word);
        };
        if !m.is_copied(self.reach, at, kind) {
            if self.reach == Reach::Fork {
                let fork = kind.layout().fork;
                self.has_stream |= fork == Forked::Refused;
                if fork == Forked::Followed {
                    let shared = Slot::of(word);
                    self.shared.push(shared);
                }
            }
            return Ok(word);
        }
        let hash = m.identity_hash(value);
        *units = units.saturating_sub(1);
        if let Some(number) = self.memo.find(hash, at, &self.originals) {
            return Ok(self.copies[number as usize].get());
        }
        let copy = self.copied(m, at, kind, units)?;
        self.memo.insert(hash, self.originals.len() as u32);
        self.originals.push(Slot::of(word));
        self.copies.push(Slot::of(copy.word()));
        match kind {
            Kind::Mutex | Kind::Weak => self.renewed.push(Slot::of(copy.word())),
            _ => self.unlinked.push_back(Slot::of(copy.word())),
        }
        Ok(copy.word())
    }

    /// A copy of one object, its parts the originals; of an array or map with a storage of its
    /// own, which is still to be linked.
    fn copied<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        at: Offset,
        kind: Kind,
        units: &mut u32,
    ) -> Result<Value<'p>, NeedsMemory> {
        let size = m.region().header(at).size_words();
        let storage_at = match kind {
            Kind::Array => raw::ARRAY_STORAGE,
            Kind::Map => raw::MAP_STORAGE,
            _ => {
                *units = units.saturating_sub(UNITS_PER_OBJECT + size / WORDS_PER_UNIT);
                let copy = m.allocate(kind, m.region().header(at).shape(), size)?;
                m.copy_words(at, copy, size);
                return Ok(m.reference(copy));
            }
        };
        loop {
            let storage = m.region().slot(at + storage_at).get();
            let words = match storage.is_object() {
                true => m.region().header(storage.offset()).size_words(),
                false => 0,
            };
            // Both are there before the lock is taken, under which nothing is allocated.
            let _grant = m.grant([size].into_iter().chain((words > 0).then_some(words)))?;
            let copy = m.allocate(kind, m.region().header(at).shape(), size)?;
            m.copy_words(at, copy, size);
            m.initialise(copy, storage_at, &[Value::NIL]);
            let storage_kind = match kind {
                Kind::Array => Kind::ArrayStorage,
                _ => Kind::MapStorage,
            };
            let storage_copy = match words {
                0 => None,
                _ => Some(m.allocate(storage_kind, 0, words)?),
            };
            *units = units.saturating_sub(2 * UNITS_PER_OBJECT + words / WORDS_PER_UNIT);
            let _locked = m.lock(at);
            let now = m.region().slot(at + storage_at).get();
            if now != storage {
                // Another machine has put another storage there.
                match (kind, storage_copy) {
                    (Kind::Map, Some(made)) => m.empty_map_storage(made),
                    (_, Some(made)) => {
                        m.region()
                            .fill(made + HEADER_WORDS, made + words, Word::NIL.0);
                    }
                    (_, None) => {}
                }
                continue;
            }
            m.copy_words(at, copy, size);
            if let Some(made) = storage_copy {
                m.copy_words(storage.offset(), made, words);
                if kind == Kind::Array {
                    m.copy_head(m.head_of(storage.offset()), made);
                }
                m.initialise(copy, storage_at, &[m.reference(made)]);
            }
            return Ok(m.reference(copy));
        }
    }

    /// Links the next part of a copy; false if there is none.
    fn link<C: Checks>(
        &mut self,
        m: &Mutator<'_, C>,
        units: &mut u32,
    ) -> Result<bool, NeedsMemory> {
        let Some(copy) = self.unlinked.front() else {
            return Ok(false);
        };
        let copy = copy.get().offset();
        if let Some(storage_at) = match m.region().header(copy).kind() {
            Some(Kind::Array) => Some(raw::ARRAY_STORAGE),
            Some(Kind::Map) => Some(raw::MAP_STORAGE),
            _ => None,
        } {
            // Its one part is a copy; what that refers to comes when it is its turn.
            let storage = m.region().slot(copy + storage_at).get();
            if storage.is_object() {
                let slot = Slot::of(storage);
                self.unlinked.push_back(slot);
            }
            self.unlinked.pop_front();
            *units = units.saturating_sub(1);
            return Ok(true);
        }
        let (first, end) = m.slot_range(copy);
        let mut index = self.at.max(first);
        let is_map = m.region().header(copy).kind() == Some(Kind::MapStorage);
        while index < end {
            if *units == 0 {
                self.at = index;
                return Ok(true);
            }
            let word = m.region().slot(copy + index).get();
            let kind = m.region().header(copy).kind();
            if word.is_object() && !planted!(B287, kind == Some(Kind::Iterator)) {
                self.at = index;
                let linked = self.note(m, word, units)?;
                if linked != word {
                    m.write_barrier(copy, copy + index, linked);
                    m.region().slot(copy + index).set(linked);
                    self.has_new_keys |= is_map && (index - raw::MAP_FIRST).is_multiple_of(2);
                }
            }
            if index.is_multiple_of(WORDS_PER_UNIT) {
                *units = units.saturating_sub(1);
            }
            index += 1;
        }
        if std::mem::take(&mut self.has_new_keys) && !planted!(B282) {
            // Keys by identity have other hashes now.
            m.rebuild_index(copy);
            *units = units.saturating_sub(end - first);
        }
        self.at = 0;
        self.unlinked.pop_front();
        *units = units.saturating_sub(1);
        Ok(true)
    }

    /// Gives copied mutexes and weak references ids of their own, and makes these refer to the
    /// copies of their targets. The end of a copy that is kept.
    pub fn renew<C: Checks>(&mut self, m: &Mutator<'_, C>) {
        for renewed in std::mem::take(&mut self.renewed) {
            let copy = renewed.get().offset();
            if m.region().header(copy).kind() == Some(Kind::Mutex) {
                m.renew_mutex(copy);
                continue;
            }
            let target = Word(m.region().raw(copy + raw::WEAK_TARGET));
            let number = self.number_of(m, target);
            let number = number.map(|number| self.copies[number as usize].get());
            m.renew_weak_to(self.reach, copy, number);
        }
    }
}
