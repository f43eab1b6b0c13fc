//! The independent look at the whole heap.
//!
//! It enumerates roots through [`RootProvider::audit`], walks
//! fields with a walker of its own that reads the layout table, and believes nothing that
//! the collector computed. So a bug in the tracer's enumeration does not hide itself here.
//!
//! `quick` follows every reference from the roots: its target must be a live object of a
//! live block, with a sound header and the block's tag, and an old object's reference to a
//! young one must lie in a dirty card. `full` also walks every block: each object,
//! reachable or not, allocation buffers, canaries, side tables, leftover flags.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use gcrucible_platform::sync::atomic::Ordering;

use crate::books;
use crate::debug_mode::VerifyLevel;
use crate::heap::{Heap, mix};
use crate::identity::HeapId;
use crate::object::{HEADER_WORDS, Header, Kind, Slots, pattern, raw};
use crate::roots::{RootAudit, RootKind, RootProvider};
use crate::space::{BlockUse, Generation, Region};
use crate::value::{Offset, Word};

/// At most so many violations are reported by one pass.
const MOST: usize = 8;

/// One broken claim about the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which claim: `dangling_reference`, `missing_card`, ….
    pub check: &'static str,
    /// Kind and slot that hold the broken edge, in terms that survive moves:
    /// `instance.field`, `root local`.
    pub site: String,
    /// One sentence with the details.
    pub message: String,
    /// A path from a root to the broken edge, outermost first.
    pub path: Vec<String>,
}

impl Violation {
    /// One without a path.
    pub(crate) fn new(check: &'static str, site: String, message: String) -> Violation {
        Violation {
            check,
            site,
            message,
            path: Vec::new(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.check, self.site, self.message)?;
        for step in &self.path {
            write!(f, "\n    via {step}")?;
        }
        Ok(())
    }
}

/// Looks at the heap, which must be stopped and its buffers flushed.
pub(crate) fn verify(heap: &Heap, level: VerifyLevel) -> Vec<Violation> {
    look(heap, level, false, false)
}

/// The same before or after a collection. Right after a major one there is nothing in the heap that the
/// roots do not lead to. The quick look passes over compile-time roots if nothing has come or gone
/// since it last looked at them, but for one collection of a few: constants are most of the roots
/// of small programs.
pub(crate) fn verify_sampled(
    heap: &Heap,
    level: VerifyLevel,
    is_after_major: bool,
) -> Vec<Violation> {
    look(heap, level, is_after_major, level == VerifyLevel::Quick)
}

fn look(heap: &Heap, level: VerifyLevel, is_after_major: bool, samples: bool) -> Vec<Violation> {
    heap.counters.verifications.add(1);
    let mut verifier = Verifier::new(
        heap,
        std::mem::take(&mut heap.region().scratch.lock().verifier),
    );
    let providers = heap.providers();
    let versions = Some(Versions::of(heap, &providers));
    let number = heap.collection.load(Ordering::Relaxed);
    verifier.passes_over_versions = samples
        && verifier.looked_at == versions
        && !mix(number).is_multiple_of(COLLECTIONS_PER_LOOK_AT_VERSIONS);
    verifier.looked_at = versions;
    verifier.follow_roots(&providers);
    if level == VerifyLevel::Full && verifier.violations.is_empty() {
        verifier.walk_blocks(is_after_major);
        verifier.check_buffers();
        verifier.check_side_tables();
        if verifier.violations.is_empty() {
            verifier.violations = books::audit(heap, is_after_major);
        }
    }
    heap.region().scratch.lock().verifier = Scratch {
        seen: verifier.seen,
        work: verifier.work,
        roots: verifier.roots,
        looked_at: verifier.looked_at,
    };
    verifier.violations
}

/// Buffers that one look leaves to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    seen: Vec<u64>,
    work: Vec<Offset>,
    roots: Vec<(RootKind, Word)>,
    looked_at: Option<Versions>,
}

/// Of so many collections the quick look at one goes over compile-time roots, whether something has
/// come or gone or not: they should not change, which is what a look is for.
const COLLECTIONS_PER_LOOK_AT_VERSIONS: u64 = 8;

/// What must have changed for compile-time objects to be others, or to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Versions {
    heap: HeapId,
    opened: u32,
    open: u64,
    providers: usize,
}

impl Versions {
    fn of(heap: &Heap, providers: &[Arc<dyn RootProvider>]) -> Versions {
        let allocator = heap.allocator.lock();
        Versions {
            heap: heap.id(),
            opened: allocator.opened_versions(),
            open: allocator.open_versions(),
            providers: providers.iter().filter(|it| it.is_compile_time()).count(),
        }
    }
}

/// Objects by kind, by a walk over all blocks in use.
pub(crate) fn census(heap: &Heap) -> Vec<(&'static str, u64)> {
    let region = heap.region();
    let mut counts = [0u64; Kind::ALL.len()];
    for block in 0..region.used_end() {
        match region.block(block).usage() {
            BlockUse::Objects(generation) if generation != Generation::Immortal => {
                // A broken block is the verifier's business; the census counts what it can.
                let _ = region.walk_block(block, |_, header| {
                    counts[usize::from(header.kind_number()) - 1] += 1;
                });
            }
            BlockUse::LargeHead(generation) if generation != Generation::Immortal => {
                let header = region.header(region.block_start(block));
                if let Some(kind) = header.kind() {
                    counts[kind as usize - 1] += 1;
                }
            }
            _ => {}
        }
    }
    let named = Kind::ALL
        .into_iter()
        .map(|kind| (kind.name(), counts[kind as usize - 1]));
    named
        .filter(|&(name, count)| count > 0 && name != Kind::Filler.name())
        .collect()
}

struct Verifier<'h> {
    heap: &'h Heap,
    region: &'h Region,
    has_tags: bool,
    /// One bit for each word of the used part of the region.
    seen: Vec<u64>,
    work: Vec<Offset>,
    /// The roots of one provider.
    roots: Vec<(RootKind, Word)>,
    /// What there was when it looked at compile-time roots, or passed over them.
    looked_at: Option<Versions>,
    passes_over_versions: bool,
    violations: Vec<Violation>,
    /// Referrer and slot through which each object was first met; only when a path is
    /// wanted.
    parents: Option<HashMap<Offset, (Option<Offset>, String)>>,
}

impl<'h> Verifier<'h> {
    fn new(heap: &'h Heap, scratch: Scratch) -> Self {
        let region = heap.region();
        let words = region.block_start(region.used_end()) as usize;
        let Scratch {
            mut seen,
            mut work,
            roots,
            looked_at,
        } = scratch;
        seen.clear();
        seen.resize(words / 64 + 1, 0);
        work.clear();
        Verifier {
            heap,
            region,
            has_tags: heap.debug().tags,
            seen,
            work,
            roots,
            looked_at,
            passes_over_versions: false,
            violations: Vec::new(),
            parents: None,
        }
    }

    fn report(&mut self, check: &'static str, site: String, message: String) {
        if self.violations.len() < MOST {
            self.violations.push(Violation::new(check, site, message));
        }
    }

    /// Follows every reference from the roots. A second pass that remembers referrers is
    /// made only to name a path to what the first pass found.
    fn follow_roots(&mut self, providers: &[Arc<dyn RootProvider>]) {
        self.follow(providers);
        if !self.violations.is_empty() {
            self.seen.fill(0);
            self.violations.clear();
            self.parents = Some(HashMap::new());
            self.follow(providers);
        }
    }

    fn follow(&mut self, providers: &[Arc<dyn RootProvider>]) {
        let mut roots = std::mem::take(&mut self.roots);
        roots.clear();
        let passes_over = self.passes_over_versions;
        for provider in providers {
            if passes_over && provider.is_compile_time() {
                continue;
            }
            provider.audit(&mut RootAudit { seen: &mut roots });
            for (kind, word) in roots.drain(..) {
                self.root(kind, word);
            }
        }
        self.heap.handles.list(&mut RootAudit { seen: &mut roots });
        self.heap
            .finalizers
            .audit(&mut RootAudit { seen: &mut roots });
        for (kind, word) in roots.drain(..) {
            self.root(kind, word);
        }
        self.roots = roots;
        for (number, word) in self.heap.finalizers.weakly_held() {
            // It may be dead, but must still be there: its finalizer will be given it.
            if let Some(problem) = self.problem(word) {
                let message = format!("{word:?}, of registration {number}, {problem}");
                self.report(problem.check(), "finalizer table".to_owned(), message);
            }
        }
        while let Some(at) = self.work.pop() {
            self.object(at);
        }
    }

    fn root(&mut self, kind: RootKind, word: Word) {
        let site = || format!("root {}", kind.name());
        if let Some(problem) = self.problem(word) {
            let message = format!("{word:?} {problem}");
            self.report(problem.check(), site(), message);
        } else if word.is_object() {
            self.meet(word.offset(), None, site);
        }
    }

    fn meet(&mut self, at: Offset, referrer: Option<Offset>, slot: impl FnOnce() -> String) {
        let (index, bit) = ((at / 64) as usize, 1u64 << (at % 64));
        if self.seen[index] & bit != 0 {
            return;
        }
        self.seen[index] |= bit;
        self.work.push(at);
        if let Some(parents) = &mut self.parents {
            parents.insert(at, (referrer, slot()));
        }
    }

    /// What is wrong with a reference, if anything is.
    fn problem(&self, word: Word) -> Option<Problem> {
        if !word.is_object() {
            return (!word.is_well_formed()).then_some(if word.is_poison() {
                Problem::Poison
            } else {
                Problem::NotAValue
            });
        }
        let at = word.offset();
        if at >= self.region.block_start(self.region.used_end()) {
            return Some(Problem::OutOfRegion);
        }
        let block = self.region.block_at(at);
        let start = self.region.block_start(self.region.block_of(at));
        match block.usage() {
            BlockUse::Free | BlockUse::LargeTail => return Some(Problem::FreeMemory),
            BlockUse::Quarantined => {
                let header = self.region.header(at);
                return Some(if header.has(Header::FORWARDED) {
                    Problem::Forwarded
                } else if header.has(Header::ZOMBIE) {
                    Problem::Zombie
                } else {
                    Problem::FreeMemory
                });
            }
            BlockUse::LargeHead(_) if at != start => return Some(Problem::NotAnObject),
            BlockUse::LargeHead(_) | BlockUse::Objects(_) => {}
        }
        if at - start >= block.top() {
            return Some(Problem::AboveTop);
        }
        if self.has_tags && word.tag() != block.epoch() {
            return Some(Problem::StaleTag);
        }
        let header = self.region.header(at);
        let size = header.size_words();
        match header.kind() {
            None | Some(Kind::Filler) => return Some(Problem::NotAnObject),
            Some(_) if header.has(Header::FORWARDED) => return Some(Problem::Forwarded),
            Some(_) if header.has(Header::ZOMBIE) => return Some(Problem::Zombie),
            Some(_) => {}
        }
        if size < HEADER_WORDS || at - start + size > block.top() {
            return Some(Problem::BadSize);
        }
        None
    }

    /// Checks one object and the references in it.
    fn object(&mut self, at: Offset) {
        let header = self.region.header(at);
        let kind = header
            .kind()
            .expect("only sound objects are put on the work list");
        let is_old = self.region.block_at(at).is_old();
        let is_immortal = self.region.block_at(at).generation() == Some(Generation::Immortal);
        if let Some(message) = self.body_problem(at, kind, header) {
            self.report("bad_body", kind.name().to_owned(), message);
            return;
        }
        let (first, count) = walk_slots(self.region, at, kind, header);
        for index in 0..count {
            let offset = at + first + index;
            let word = Word(self.region.raw(offset));
            if let Some(problem) = self.problem(word) {
                let message = format!("{word:?} {problem}");
                self.edge(problem.check(), at, kind, index, message);
                continue;
            }
            if !word.is_object() {
                continue;
            }
            let target = self.region.block_at(word.offset());
            if is_immortal && target.generation() != Some(Generation::Immortal) {
                let message = "an immortal object refers to the movable heap".to_owned();
                self.edge("immortal_refers_out", at, kind, index, message);
            }
            let card = self.region.cards.card_of(offset);
            if is_old && target.is_young() && !self.region.cards.is_dirty(card) {
                let message = format!("an old object refers to {word:?}, young, in a clean card");
                self.edge("missing_card", at, kind, index, message);
            }
            self.meet(word.offset(), Some(at), || slot_name(kind, index));
        }
    }

    fn edge(&mut self, check: &'static str, at: Offset, kind: Kind, index: u32, message: String) {
        let path = self.path_to(at);
        self.report(check, slot_site(kind, index), message);
        if let Some(last) = self.violations.last_mut()
            && last.path.is_empty()
        {
            last.path = path;
        }
    }

    fn path_to(&self, at: Offset) -> Vec<String> {
        let Some(parents) = &self.parents else {
            return Vec::new();
        };
        let mut path = Vec::new();
        let mut next = Some(at);
        while let Some(at) = next
            && path.len() < 32
        {
            let kind = self.region.header(at).kind().map_or("?", Kind::name);
            let generation = self.region.block_at(at).generation();
            let Some((referrer, slot)) = parents.get(&at) else {
                break;
            };
            let place = generation.map_or_else(String::new, |g| format!(" ({g:?})"));
            path.push(format!("{slot} -> {kind}{place}"));
            next = *referrer;
        }
        path.reverse();
        path
    }

    /// What is wrong inside an object, whatever its references.
    fn body_problem(&self, at: Offset, kind: Kind, header: Header) -> Option<String> {
        let size = header.size_words();
        if header.has(Header::LOCKED | Header::REACHED | Header::KEPT) {
            return Some(format!("flags {:#x} are left over", header.flags()));
        }
        match kind {
            Kind::String => {
                let len = self.region.raw(at + raw::STRING_LEN);
                let fits = u64::from(size) == u64::from(HEADER_WORDS) + 1 + len.div_ceil(8);
                (!fits).then(|| format!("{len} bytes in {size} words"))
            }
            Kind::Array => {
                let len = self.region.raw(at + raw::ARRAY_LEN);
                let storage = Word(self.region.raw(at + raw::ARRAY_STORAGE));
                if !storage.is_object() {
                    return (len > 0).then(|| format!("{len} elements without storage"));
                }
                if self.problem(storage).is_some() {
                    return None;
                }
                let target = self.region.header(storage.offset());
                let capacity = u64::from(target.size_words() - HEADER_WORDS);
                if target.kind() != Some(Kind::ArrayStorage) {
                    return Some("its storage is none".to_owned());
                }
                let first = storage.offset() + raw::STORAGE_FIRST;
                let head = u64::from(self.region.raw(storage.offset() + raw::STORAGE_HEAD) as u32);
                if head.saturating_add(len) > capacity {
                    let what = format!("{len} elements from {head} on in storage for {capacity}");
                    return Some(what);
                }
                // What nobody can reach must not be kept alive by the places behind the end.
                let in_use = head as u32..(head + len) as u32;
                let is_free = |place: &u32| !in_use.contains(place);
                let left = (0..capacity as u32)
                    .filter(is_free)
                    .find(|place| Word(self.region.raw(first + place)) != Word::NIL);
                left.map(|place| format!("place {place} is not in use and holds something"))
            }
            Kind::Map => {
                let len = self.region.raw(at + raw::MAP_LEN) as u32;
                let storage = Word(self.region.raw(at + raw::MAP_STORAGE));
                if !storage.is_object() {
                    return (len > 0).then(|| format!("{len} entries without storage"));
                }
                if self.problem(storage).is_some() {
                    return None;
                }
                let target = self.region.header(storage.offset());
                if target.kind() != Some(Kind::MapStorage) {
                    return Some("its storage is none".to_owned());
                }
                let used = self.region.raw(storage.offset() + raw::MAP_USED) as u32;
                let live = (0..used).filter(|entry| {
                    let key = storage.offset() + raw::MAP_FIRST + entry * 2;
                    Word(self.region.raw(key)) != Word::HOLE
                });
                let live = live.count() as u32;
                (live != len).then(|| format!("counts {len} entries, has {live}"))
            }
            Kind::MapStorage => {
                let capacity = self.region.raw(at + raw::MAP_CAPACITY);
                let used = self.region.raw(at + raw::MAP_USED);
                let words = 4 + capacity * 4;
                let is_sound = used <= capacity && words == u64::from(size);
                (!is_sound).then(|| format!("{used} of {capacity} entries in {size} words"))
            }
            Kind::Future => {
                let state = self.region.raw(at + raw::FUTURE_STATE);
                (state > 5).then(|| format!("state {state}"))
            }
            Kind::Channel => {
                let limits = self.region.raw(at + raw::CHANNEL_LIMITS);
                let ring = self.region.raw(at + raw::CHANNEL_RING);
                let (head, len) = (u64::from(ring as u32), ring >> 32);
                let storage = Word(self.region.raw(at + raw::CHANNEL_STORAGE));
                if !storage.is_object() {
                    return (len > 0).then(|| format!("{len} values without storage"));
                }
                if self.problem(storage).is_some() {
                    return None;
                }
                let target = self.region.header(storage.offset());
                let room = u64::from(target.size_words() - HEADER_WORDS);
                let is_sound = target.kind() == Some(Kind::ArrayStorage)
                    && head < room
                    && len <= room
                    && len <= u64::from(limits as u32);
                (!is_sound).then(|| format!("{len} values from {head} in storage for {room}"))
            }
            Kind::Stream => {
                let state = self.region.raw(at + raw::STREAM_STATE);
                (state > 2).then(|| format!("state {state}"))
            }
            _ => None,
        }
    }

    /// Walks every block: each object must be parseable and sound, reachable or not.
    fn walk_blocks(&mut self, is_after_major: bool) {
        let mut objects = Vec::new();
        for block in 0..self.region.used_end() {
            objects.clear();
            let generation = match self.region.block(block).usage() {
                BlockUse::Objects(generation) => {
                    let walk = self
                        .region
                        .walk_block(block, |at, header| objects.push((at, header)));
                    if let Err(at) = walk {
                        let message = format!("no object begins at {at:x}, in {generation:?}");
                        self.report("block_does_not_parse", format!("{generation:?}"), message);
                        continue;
                    }
                    generation
                }
                BlockUse::LargeHead(generation) => {
                    let at = self.region.block_start(block);
                    objects.push((at, self.region.header(at)));
                    generation
                }
                _ => continue,
            };
            for &(at, header) in &objects {
                self.resident(at, header, generation);
                if is_after_major && generation != Generation::Immortal {
                    self.must_be_reached(at, header);
                }
            }
        }
    }

    /// What a major collection leaves is what the roots lead to.
    fn must_be_reached(&mut self, at: Offset, header: Header) {
        let is_seen = self.seen[(at / 64) as usize] & (1 << (at % 64)) != 0;
        if let Some(kind) = header.kind().filter(|&kind| kind != Kind::Filler)
            && !is_seen
        {
            let message = "a major collection has kept it, though nothing leads to it".to_owned();
            self.report("kept_dead", kind.name().to_owned(), message);
        }
    }

    /// Checks an object of a block, reachable or not.
    fn resident(&mut self, at: Offset, header: Header, generation: Generation) {
        let Some(kind) = header.kind().filter(|&kind| kind != Kind::Filler) else {
            return;
        };
        if header.has(Header::FORWARDED | Header::ZOMBIE) {
            let message = format!("{} with flags {:#x}", kind.name(), header.flags());
            self.report("dead_object_in_live_block", kind.name().to_owned(), message);
            return;
        }
        if generation != Generation::Old {
            return;
        }
        // An unreachable old object may refer to dead memory until the next major
        // collection, but never to a young object without its card: a minor collection
        // that follows the card would find it.
        let (first, count) = walk_slots(self.region, at, kind, header);
        for index in 0..count {
            let offset = at + first + index;
            let word = Word(self.region.raw(offset));
            let is_young = word.is_object() && self.region.block_at(word.offset()).is_young();
            if is_young
                && self.problem(word).is_none()
                && !self
                    .region
                    .cards
                    .is_dirty(self.region.cards.card_of(offset))
            {
                let message = format!("an old object refers to {word:?}, young, in a clean card");
                self.report("missing_card", slot_site(kind, index), message);
            }
        }
    }

    /// Allocation buffers lie in the nursery, each in its own part, and end in a canary
    /// where the heap's modes want one.
    fn check_buffers(&mut self) {
        let has_canaries = self.heap.allocator.lock().has_canaries();
        let mut ranges = Vec::new();
        for provider in self.heap.providers() {
            let Some((from, to)) = provider.tlab().map(|tlab| tlab.buffer().range()) else {
                continue;
            };
            if from == to {
                continue;
            }
            let usage = self.region.block_at(from).usage();
            let site = if provider.is_registry() {
                "registry buffer"
            } else {
                "vm buffer"
            };
            if usage != BlockUse::Objects(Generation::Young0) {
                let message = format!("the buffer {from:x}..{to:x} lies in {usage:?}");
                self.report("buffer_outside_nursery", site.to_owned(), message);
                continue;
            }
            let canary = Header(self.region.raw(to));
            if has_canaries && canary != Header::new(Kind::Filler, pattern::CANARY, 1) {
                let message = format!("the word after the buffer {from:x}..{to:x} was overwritten");
                self.report("canary", site.to_owned(), message);
            }
            ranges.push((from, to));
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            if pair[0].1 > pair[1].0 {
                let message = format!("{:x?} and {:x?}", pair[0], pair[1]);
                self.report("buffers_overlap", "buffers".to_owned(), message);
            }
        }
    }

    fn check_side_tables(&mut self) {
        if self.heap.handles.has_duplicates() {
            let message = "two handles count the same object".to_owned();
            self.report("handle_twice", "handle table".to_owned(), message);
        }
        for (hash, word) in self.heap.interned.entries() {
            let problem = self.problem(word).map(|problem| problem.to_string());
            let problem = problem.or_else(|| {
                let at = word.offset();
                if self.region.header(at).kind() != Some(Kind::String) {
                    return Some("is no string".to_owned());
                }
                let len = self.region.raw(at + raw::STRING_LEN) as usize;
                let text = self.region.bytes(at + raw::STRING_BYTES, len);
                (self.heap.hashing.text(text) != hash).then(|| "is another string".to_owned())
            });
            if let Some(problem) = problem {
                let message = format!("{word:?} {problem}");
                self.report("stale_entry", "interning table".to_owned(), message);
            }
        }
    }
}

/// The verifier's own field walker: first slot and number of slots.
fn walk_slots(region: &Region, at: Offset, kind: Kind, header: Header) -> (u32, u32) {
    let size = header.size_words();
    let (first, count) = match kind.layout().slots {
        Slots::None => return (0, 0),
        // A weak reference may be followed at any time: its target must be as sound as any.
        Slots::Weak(at) => (at, 1),
        Slots::From(first) => (first, size.saturating_sub(first)),
        Slots::Counted {
            first,
            count_at,
            per_unit,
        } => (
            first,
            (region.raw(at + count_at) as u32).saturating_mul(per_unit),
        ),
    };
    (first, count.min(size.saturating_sub(first)))
}

fn slot_name(kind: Kind, index: u32) -> String {
    let names = kind.layout().slot_names;
    let name = names
        .get(index as usize)
        .or(names.last())
        .copied()
        .unwrap_or("slot");
    if index as usize + 1 >= names.len() {
        format!("{name}[{index}]")
    } else {
        name.to_owned()
    }
}

/// Kind and slot without the index: what a fingerprint may hold.
fn slot_site(kind: Kind, index: u32) -> String {
    let names = kind.layout().slot_names;
    let name = names
        .get(index as usize)
        .or(names.last())
        .copied()
        .unwrap_or("slot");
    format!("{}.{name}", kind.name())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Problem {
    Poison,
    NotAValue,
    OutOfRegion,
    FreeMemory,
    AboveTop,
    StaleTag,
    NotAnObject,
    Forwarded,
    Zombie,
    BadSize,
}

impl Problem {
    fn check(self) -> &'static str {
        match self {
            Problem::Poison => "poison_reachable",
            Problem::NotAValue => "not_a_value",
            Problem::BadSize => "bad_size",
            Problem::Forwarded => "not_forwarded",
            Problem::OutOfRegion
            | Problem::FreeMemory
            | Problem::AboveTop
            | Problem::StaleTag
            | Problem::NotAnObject
            | Problem::Zombie => "dangling_reference",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Poison => "was written over dead memory",
            Problem::NotAValue => "is no value",
            Problem::OutOfRegion => "lies outside the region",
            Problem::FreeMemory => "leads to memory that no object owns",
            Problem::AboveTop => "leads to a part of a block that is not in use",
            Problem::StaleTag => "was made before its block was used again",
            Problem::NotAnObject => "leads to no object",
            Problem::Forwarded => "was not forwarded: its object has moved",
            Problem::Zombie => "leads to a dead object",
            Problem::BadSize => "leads to an object that does not fit its block",
        })
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_platform::sync::atomic::AtomicU32;

    use super::*;
    use crate::compile_time::CompileTimeObjects;
    use crate::config::HeapConfig;
    use crate::debug_mode::CollectionKind;
    use crate::identity::Home;
    use crate::roots::RootTracer;
    use crate::slot::Slot;

    /// The constants of a version.
    struct Constants {
        home: Home,
        slot: Slot,
        traced: AtomicU32,
    }

    // SAFETY: a test's, which breaks rule 1 on purpose where the heap is not used afterwards.
    unsafe impl RootProvider for Constants {
        fn name(&self) -> String {
            "constants".to_owned()
        }

        fn home(&self) -> &Home {
            &self.home
        }

        fn is_compile_time(&self) -> bool {
            true
        }

        fn trace(&self, tracer: &mut dyn RootTracer) {
            tracer.slot(RootKind::Global, &self.slot);
            self.traced.fetch_add(1, Ordering::Relaxed);
        }

        fn audit(&self, audit: &mut RootAudit<'_>) {
            audit.root(RootKind::Global, &self.slot);
        }
    }

    fn version(heap: &Heap) -> Arc<Constants> {
        let permit = heap.try_shared().expect("nobody collects");
        let text = CompileTimeObjects::new(&permit).string("constant");
        let constants = Arc::new(Constants {
            home: Home::new(heap),
            slot: Slot::of(text.expect("room").word()),
            traced: AtomicU32::new(0),
        });
        heap.add_provider(&constants);
        constants
    }

    fn heap() -> Arc<Heap> {
        let debug = "verify=quick,verify-when=before".parse();
        Heap::new(HeapConfig::tiny(), debug.expect("modes")).expect("address space")
    }

    /// Looks, before a collection at which the quick look passes over what has not changed.
    fn found(heap: &Heap, level: VerifyLevel) -> usize {
        while mix(heap.collection.load(Ordering::Relaxed))
            .is_multiple_of(COLLECTIONS_PER_LOOK_AT_VERSIONS)
        {
            heap.collection.fetch_add(1, Ordering::Relaxed);
        }
        verify_sampled(heap, level, false).len()
    }

    #[test]
    fn a_broken_constant_is_found_when_versions_come_or_go_and_by_a_full_look() {
        let heap = heap();
        let first = version(&heap);
        assert_eq!(found(&heap, VerifyLevel::Quick), 0);
        let whole = first.slot.get();
        first.slot.set(pattern::FREED_OLD);
        assert_eq!(found(&heap, VerifyLevel::Quick), 0, "it is passed over");
        assert_eq!(found(&heap, VerifyLevel::Full), 1);
        assert_eq!(verify(&heap, VerifyLevel::Quick).len(), 1, "asked for");
        let second = version(&heap);
        assert_eq!(found(&heap, VerifyLevel::Quick), 1, "a version came");
        assert_eq!(found(&heap, VerifyLevel::Quick), 0);
        drop(second);
        assert_eq!(found(&heap, VerifyLevel::Quick), 1, "one went");
        first.slot.set(whole);
        let mut permit = heap.try_exclusive().expect("no permit is held");
        assert_eq!(permit.collect(CollectionKind::Minor).violations, []);
        assert_eq!(first.traced.load(Ordering::Relaxed), 0);
        assert_eq!(permit.collect(CollectionKind::Major).violations, []);
        assert_eq!(first.traced.load(Ordering::Relaxed), 1);
        drop(permit);
        first.slot.set(pattern::FREED_OLD);
        assert_eq!(found(&heap, VerifyLevel::Quick), 1, "its memory is gone");
    }

    #[test]
    fn some_quick_looks_go_over_constants_that_have_not_changed() {
        let heap = heap();
        let constants = version(&heap);
        assert_eq!(found(&heap, VerifyLevel::Quick), 0);
        constants.slot.set(pattern::FREED_OLD);
        let looks = (0..64).filter(|_| {
            heap.collection.fetch_add(1, Ordering::Relaxed);
            !verify_sampled(&heap, VerifyLevel::Quick, false).is_empty()
        });
        assert!((2..20).contains(&looks.count()));
    }
}
