//! Copying what some roots reach: what deep copies and forks have in common.
//!
//! ```text
//! look   breadth first: each object to be copied gets a number, and its words are taken down
//! make   memory for all copies is asked for at once; then they are filled from those words
//! ```
//!
//! Nothing collects between the first look and the last store, because it all happens under
//! one permit and memory is asked for as a whole: refused, the look begins anew after the
//! collection. Other machines may change the originals meanwhile. So each object is read
//! once, an array or map under its lock and together with its storage: a copy is what the
//! original was at one moment, and never shares a storage with it.

use gcrucible_platform::planted;

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Copied, Forked, HEADER_WORDS, Kind, Slots, raw};
use crate::space::Generation;
use crate::value::{Offset, Value, Word};

/// Units of work for an object that is copied, and words of it for one unit.
const UNITS_PER_MEMBER: usize = 6;
const WORDS_PER_UNIT: usize = 4;

/// What is copied and what is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Values: functions and everything that tasks share are the same in the copy.
    Value,
    /// All that can change, captured variables included. Channels and futures are shared on
    /// purpose, what cannot change for free.
    Fork,
}

/// What the roots of a copy reach.
#[derive(Debug)]
pub(super) struct Graph {
    reach: Reach,
    members: Vec<Member>,
    /// The words of the members behind their headers, one after the other.
    words: Vec<u64>,
    numbers: Numbers,
    /// Futures and channels that a fork shares, each once or more.
    pub(super) shared: Vec<Offset>,
    /// Whether a stream was met.
    pub(super) has_stream: bool,
}

/// An object to be copied.
#[derive(Clone, Copy, Debug)]
struct Member {
    at: Offset,
    size: u32,
    /// Where its words are.
    words: usize,
    /// Place of the first element, of the storage of an array.
    head: u32,
    is_read: bool,
}

impl Graph {
    fn new(reach: Reach) -> Self {
        Graph {
            reach,
            members: Vec::with_capacity(64),
            words: Vec::with_capacity(256),
            numbers: Numbers::default(),
            shared: Vec::new(),
            has_stream: false,
        }
    }

    /// Whether an object is one of those to be copied.
    pub(super) fn has(&self, at: Offset) -> bool {
        self.numbers.get(at).is_some()
    }

    /// The number of the object that a word leads to, if that is to be copied.
    fn number(&self, word: Word) -> Option<usize> {
        let number = word.is_object().then(|| self.numbers.get(word.offset()));
        number.flatten().map(|number| number as usize)
    }
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// First and last-plus-one slot of an object that holds strong references.
    pub(super) fn slot_range(&self, at: Offset) -> (u32, u32) {
        let header = self.region().header(at);
        slots_of(header.kind(), header.size_words(), |word| {
            self.region().raw(at + word)
        })
    }

    /// Finds everything that is to be copied with these roots.
    ///
    /// What it takes is taken from `units`; `None` if they do not suffice.
    pub(super) fn look(
        &self,
        roots: impl IntoIterator<Item = Word>,
        reach: Reach,
        units: &mut u32,
    ) -> Option<Graph> {
        let mut graph = Graph::new(reach);
        for word in roots {
            self.note(&mut graph, word);
        }
        let mut next = 0;
        while next < graph.members.len() {
            let noted = (graph.members.len() - next) * UNITS_PER_MEMBER;
            let words = graph.words.len() / WORDS_PER_UNIT;
            if noted + words > *units as usize {
                return None;
            }
            *units = units.checked_sub(UNITS_PER_MEMBER as u32)?;
            self.read(&mut graph, next);
            let Member {
                at, size, words, ..
            } = graph.members[next];
            let kind = self.region().header(at).kind();
            if planted!(
                B28,
                reach == Reach::Value && kind == Some(Kind::Unscheduled)
            ) {
                next += 1;
                continue;
            }
            let behind = words.wrapping_sub(HEADER_WORDS as usize);
            let word_of = |index: u32| behind.wrapping_add(index as usize);
            let (first, end) = slots_of(kind, size, |index| graph.words[word_of(index)]);
            for index in first..end {
                let word = Word(graph.words[word_of(index)]);
                let to = || self.kind(Value::from_word(word));
                let is_way_back =
                    || kind == Some(Kind::MapStorage) && graph.number(word) == Some(0);
                let is_container = || matches!(to(), Some(Kind::Array | Kind::Map));
                if planted!(B31, reach == Reach::Value && is_way_back()) {
                    next = 0;
                }
                if planted!(B112, kind == Some(Kind::Cell) && to() == Some(Kind::Stream))
                    || reach == Reach::Fork
                        && kind == Some(Kind::Instance)
                        && planted!(B113, is_container())
                {
                    continue;
                }
                self.note(&mut graph, word);
            }
            next += 1;
        }
        let words = u32::try_from(graph.words.len() / WORDS_PER_UNIT).unwrap_or(u32::MAX);
        *units = units.checked_sub(words)?;
        Some(graph)
    }

    /// Gives an object a number, if it is to be copied and has none.
    fn note(&self, graph: &mut Graph, word: Word) {
        if word == Word::HOLE {
            return;
        }
        let value = self.checked(word);
        if !value.is_object() {
            return;
        }
        let at = self.offset(value);
        if graph.numbers.get(at).is_some() {
            return;
        }
        let header = self.region().header(at);
        let Some(kind) = header.kind() else { return };
        if !self.is_copied(graph.reach, at, kind) {
            if graph.reach == Reach::Fork {
                let fork = kind.layout().fork;
                graph.has_stream |= fork == Forked::Refused;
                if fork == Forked::Followed {
                    graph.shared.push(at);
                }
            }
            return;
        }
        let size = header.size_words();
        graph.numbers.insert(at, graph.members.len() as u32);
        graph.members.push(Member {
            at,
            size,
            words: graph.words.len(),
            head: 0,
            is_read: false,
        });
        let end = graph.words.len() + (size - HEADER_WORDS) as usize;
        graph.words.resize(end, 0);
    }

    /// Whether objects of a kind are copied, here at `at`.
    pub(super) fn is_copied(&self, reach: Reach, at: Offset, kind: Kind) -> bool {
        match reach {
            // An enum value without payload: nothing in it could differ, and programs expect
            // it to be the one object that its name stands for.
            Reach::Value => {
                (kind.layout().copy == Copied::Copied || planted!(B153, kind == Kind::Bound))
                    && self.region().header(at).size_words() > HEADER_WORDS
            }
            Reach::Fork => {
                if planted!(B110, kind == Kind::Cell) {
                    return false;
                }
                kind.layout().fork == Forked::Copied
                    && self.region().block_at(at).generation() != Some(Generation::Immortal)
            }
        }
    }

    /// Takes the words of a member down; with an array or map, those of its storage.
    fn read(&self, graph: &mut Graph, number: usize) {
        let Member {
            at, words, is_read, ..
        } = graph.members[number];
        if is_read {
            return;
        }
        let storage_at = match self.region().header(at).kind() {
            Some(Kind::Array) => raw::ARRAY_STORAGE,
            Some(Kind::Map) => raw::MAP_STORAGE,
            _ => return self.take_down(graph, number),
        };
        let _locked = self.lock(at);
        self.take_down(graph, number);
        let storage = Word(graph.words[words + (storage_at - HEADER_WORDS) as usize]);
        self.note(graph, storage);
        if let Some(storage) = storage
            .is_object()
            .then(|| graph.numbers.get(storage.offset()))
            .flatten()
        {
            self.take_down(graph, storage as usize);
        }
    }

    fn take_down(&self, graph: &mut Graph, number: usize) {
        let Member {
            at, size, words, ..
        } = graph.members[number];
        graph.members[number].is_read = true;
        if self.region().header(at).kind() == Some(Kind::ArrayStorage) {
            graph.members[number].head = self.head_of(at);
        }
        for index in 0..size - HEADER_WORDS {
            let word = self.region().slot(at + HEADER_WORDS + index).get();
            graph.words[words + index as usize] = word.0;
        }
    }

    /// Makes the copies: their places, in the order of the numbers.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub(super) fn make(&self, graph: &Graph) -> Result<Vec<Offset>, NeedsMemory> {
        let members = &graph.members;
        let _grant = self.grant(members.iter().map(|member| member.size))?;
        let mut copies = Vec::with_capacity(members.len());
        for number in 0..members.len() {
            copies.push(self.unlinked_copy(graph, number)?);
        }
        for (number, &copy) in copies.iter().enumerate() {
            self.link(graph, &copies, copy, number);
        }
        for &copy in &copies {
            if self.region().header(copy).kind() == Some(Kind::MapStorage) {
                self.rebuild_index(copy);
            }
        }
        Ok(copies)
    }

    /// An object with the words of a member, which still lead to the originals.
    fn unlinked_copy(&self, graph: &Graph, number: usize) -> Result<Offset, NeedsMemory> {
        let Member {
            at,
            size,
            words,
            head,
            ..
        } = graph.members[number];
        let header = self.region().header(at);
        let kind = header.kind().expect("a copied object has a kind");
        let copy = self.allocate(kind, header.shape(), size)?;
        if kind == Kind::ArrayStorage {
            self.copy_head(head, copy);
        }
        for index in 0..size - HEADER_WORDS {
            let word = graph.words[words + index as usize];
            self.region().set_raw(copy + HEADER_WORDS + index, word);
        }
        Ok(copy)
    }

    /// Makes a copy of member `number` refer to copies, where its original refers to originals.
    fn link(&self, graph: &Graph, copies: &[Offset], copy: Offset, number: usize) {
        let header = self.region().header(copy);
        match header.kind() {
            Some(Kind::Mutex) => self.renew_mutex(copy),
            Some(Kind::Weak) => self.renew_weak(graph, copies, copy),
            _ => {}
        }
        let (first, end) = self.slot_range(copy);
        for index in first..end {
            let word = Word(self.region().raw(copy + index));
            let met = || graph.number(word).filter(|&met| met < number);
            if (planted!(
                B29,
                graph.reach == Reach::Value && met().is_some_and(|met| met > 0)
            ) || planted!(B111, graph.reach == Reach::Fork && met().is_some())
                || planted!(
                    B92,
                    self.kind(Value::from_word(word)) == Some(Kind::Closure)
                ))
                && let Some(met) = met()
                && let Ok(again) = self.unlinked_copy(graph, met)
            {
                self.link(graph, copies, again, met);
                self.initialise(copy, index, &[self.reference(again)]);
                continue;
            }
            let to = self.linked(graph, copies, word);
            // The copy is as young as what it refers to: a plain store.
            self.initialise(copy, index, &[Value::from_word(to)]);
        }
    }

    /// What a word of an original becomes in a copy.
    pub(super) fn linked(&self, graph: &Graph, copies: &[Offset], word: Word) -> Word {
        match graph.number(word) {
            Some(number) => self.reference(copies[number]).word(),
            None => word,
        }
    }

    /// A copied mutex is another one, and nobody holds it.
    pub(super) fn renew_mutex(&self, copy: Offset) {
        self.region()
            .set_raw(copy + raw::WAIT_ID, self.next_wait_id());
        self.region().set_raw(copy + raw::WAIT_VERSION, 0);
        self.region().set_raw(copy + raw::MUTEX_HOLDER, 0);
    }

    /// A copied weak reference is another one. It refers to the copy of its target, wherever
    /// that was met, before or after it; without one to the target itself. But a fork must not
    /// lead to what is the template's alone: there it refers to nothing.
    fn renew_weak(&self, graph: &Graph, copies: &[Offset], copy: Offset) {
        self.region()
            .set_raw(copy + raw::WAIT_ID, self.next_wait_id());
        let word = Word(self.region().raw(copy + raw::WEAK_TARGET));
        if !word.is_object() {
            return;
        }
        let number = graph.numbers.get(word.offset());
        let copied = number.map(|number| self.reference(copies[number as usize]).word());
        let target = self.weak_target_of_copy(graph.reach, word, copied);
        self.initialise(copy, raw::WEAK_TARGET, &[target]);
    }

    /// The same, given the copy of its target if there is one.
    pub(super) fn renew_weak_to(&self, reach: Reach, copy: Offset, copied: Option<Word>) {
        self.region()
            .set_raw(copy + raw::WAIT_ID, self.next_wait_id());
        let slot = self.region().slot(copy + raw::WEAK_TARGET);
        let word = slot.get();
        if word.is_object() {
            let target = self.weak_target_of_copy(reach, word, copied);
            self.write_barrier(copy, copy + raw::WEAK_TARGET, target.word());
            slot.set(target.word());
        }
    }

    /// The copy of a storage has its first element where the original has it.
    pub(super) fn copy_head(&self, head: u32, copy: Offset) {
        if planted!(B150, head > 0) {
            return;
        }
        self.set_head(copy, head);
    }

    fn weak_target_of_copy(&self, reach: Reach, target: Word, copied: Option<Word>) -> Value<'p> {
        if planted!(B152, copied.is_some() && reach == Reach::Value) {
            return Value::from_word(target);
        }
        if let Some(copy) = copied {
            return Value::from_word(copy);
        }
        let kind = self.region().header(target.offset()).kind();
        let is_shared = kind.is_some_and(|kind| {
            kind.layout().fork != Forked::Refused && !self.is_copied(reach, target.offset(), kind)
        });
        match is_shared || reach == Reach::Value {
            true => Value::from_word(target),
            false => Value::NIL,
        }
    }

    /// Copies what stands behind the header of an object into one that nobody else sees.
    pub(super) fn copy_words(&self, from: Offset, to: Offset, size: u32) {
        for index in HEADER_WORDS..size {
            let word = self.region().slot(from + index).get();
            self.region().set_raw(to + index, word.0);
        }
    }

    /// Fills the storage of a map that is given up again.
    pub(super) fn empty_map_storage(&self, storage: Offset) {
        let size = self.region().header(storage).size_words();
        let capacity = super::map::capacity_of(size);
        let slots = storage + raw::MAP_FIRST + capacity * 2;
        self.region()
            .set_raw(storage + raw::MAP_CAPACITY, u64::from(capacity));
        self.region().set_raw(storage + raw::MAP_USED, 0);
        self.region()
            .fill(storage + raw::MAP_FIRST, slots, Word::NIL.0);
        self.region().fill(slots, storage + size, 0);
    }

    /// Builds a copied map storage's index anew: keys by identity have other hashes now.
    pub(super) fn rebuild_index(&self, storage: Offset) {
        let capacity = self.region().raw(storage + raw::MAP_CAPACITY) as u32;
        let index = storage + raw::MAP_FIRST + capacity * 2;
        self.region().fill(index, index + capacity, 0);
        self.reindex(storage, capacity);
    }
}

/// First and last-plus-one slot of an object of a kind that hold strong references; `raw`
/// reads its raw words.
fn slots_of(kind: Option<Kind>, size: u32, raw: impl Fn(u32) -> u64) -> (u32, u32) {
    match kind.map(|kind| kind.layout().slots) {
        None | Some(Slots::None | Slots::Weak(_)) => (0, 0),
        Some(Slots::From(first)) => (first, size),
        Some(Slots::Counted {
            first,
            count_at,
            per_unit,
        }) => (first, first + raw(count_at) as u32 * per_unit),
    }
}

/// Numbers of objects by their places: open addressing, for a copy must be quick.
#[derive(Debug, Default)]
struct Numbers {
    /// Place and number plus one; 0 where nothing is. A power of two, at most half full.
    entries: Vec<(Offset, u32)>,
    len: usize,
}

impl Numbers {
    fn probe(&self, at: Offset) -> usize {
        let mask = self.entries.len() - 1;
        let hash = u64::from(at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut place = hash as usize & mask;
        while self.entries[place].1 != 0 && self.entries[place].0 != at {
            place = (place + 1) & mask;
        }
        place
    }

    fn get(&self, at: Offset) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        self.entries[self.probe(at)].1.checked_sub(1)
    }

    fn insert(&mut self, at: Offset, number: u32) {
        if self.len * 2 >= self.entries.len() {
            let more = vec![(0, 0); (self.entries.len() * 2).max(128)];
            let before = std::mem::replace(&mut self.entries, more);
            for entry in before {
                if entry.1 != 0 {
                    let place = self.probe(entry.0);
                    self.entries[place] = entry;
                }
            }
        }
        let place = self.probe(at);
        self.entries[place] = (at, number + 1);
        self.len += 1;
    }
}
