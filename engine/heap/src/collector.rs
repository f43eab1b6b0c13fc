//! Evacuation: a stop-the-world copying collector with two young generations and an old
//! one.
//!
//! The survivors of the collected generations are copied into fresh blocks, depth first
//! from the roots with a work list; the old place of each keeps its new reference. What
//! was not copied is dead, and the blocks are retired whole. A minor collection evacuates
//! both young generations and finds references from old objects through the dirty cards;
//! a major one evacuates everything that can move. Large objects stay where they are and
//! change their label.
//!
//! When there is no room for a copy, the object is forwarded to itself: it survives where
//! it is. Its block is then not retired but relabelled as where the object was to go, and
//! all else in it becomes filler.
//!
//! The scheme is Cheney's (1970) with a work list instead of the to-space scan, because
//! survivors go to several places; generations and cards follow Ungar (1984) and Wilson &
//! Moher (1989). Not handled: parallel evacuation, pinning.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::Ordering;

use crate::account::MemoryAccount;
use crate::allocator::Allocator;
use crate::debug_mode::{CollectionKind, HeapDebug, PromoteMode, VerifyLevel, VerifyWhen};
use crate::fault::{FaultKind, HeapFault};
use crate::finalizer::{OwnerId, owner_id};
use crate::heap::{CollectionReport, Heap, mix};
use crate::object::{Header, Kind, Slots, pattern, raw};
use crate::roots::{RootKind, RootProvider, RootTracer, sealed};
use crate::slot::Slot;
use crate::space::{Block, BlockUse, Generation, Region};
use crate::tally::Tally;
use crate::tlab::Tlab;
use crate::value::{Offset, Word};
use crate::verifier;

/// Buffers that collections use again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    gray: Vec<Offset>,
    pub(crate) verifier: verifier::Scratch,
}

/// Of so many collections the quick verifier looks at one when it is over, too, if it is to look
/// before and after each. What a collection breaks is there when the next one begins, unless somebody
/// meets it before: a look behind each says sooner who broke it, at twice the price.
const COLLECTIONS_PER_LOOK_BEHIND: u64 = 4;

/// Whether the verifier looks when collection `number` is over. Which ones follows from the numbers
/// alone, so that a run repeats.
fn is_looked_at_behind(debug: &HeapDebug, number: u64) -> bool {
    match (debug.verify, debug.verify_when) {
        (VerifyLevel::Off, _) | (_, VerifyWhen::Before) => false,
        (VerifyLevel::Quick, VerifyWhen::Both) => {
            mix(number).is_multiple_of(COLLECTIONS_PER_LOOK_BEHIND)
        }
        (VerifyLevel::Quick | VerifyLevel::Full, _) => true,
    }
}

/// Collects; the world is stopped.
pub(crate) fn collect(heap: &Heap, kind: CollectionKind) -> CollectionReport {
    let debug = heap.debug();
    let number = heap.collection.fetch_add(1, Ordering::Relaxed) + 1;
    let mut report = CollectionReport {
        kind: Some(kind),
        ..Default::default()
    };
    let scribbled = heap.flush_tlabs();
    heap.counters.bytes_scribbled.add(scribbled);
    if debug.verify != VerifyLevel::Off && debug.verify_when != VerifyWhen::After {
        report.violations = verifier::verify_sampled(heap, debug.verify, false);
        if !report.violations.is_empty() {
            // A collection of a broken heap would only hide where it broke.
            return report;
        }
    }
    let is_looked_at_behind = is_looked_at_behind(debug, number);
    let tally = (is_looked_at_behind && debug.verify == VerifyLevel::Full)
        .then(|| Tally::take(heap, kind, number));
    let mut evacuation = Evacuation::start(heap, kind, number);
    evacuation.trace_roots();
    if kind == CollectionKind::Minor {
        evacuation.scan_dirty_cards();
    }
    evacuation.drain();
    evacuation.trace_lone();
    evacuation.settle_weak();
    evacuation.queue_finalizers();
    heap.watched.settle(|word| evacuation.survivor(word));
    if !planted!(B23, kind == CollectionKind::Major) {
        heap.interned.settle(|word| evacuation.survivor(word));
    }
    evacuation.finish(&mut report);
    if is_looked_at_behind {
        let is_after_major = kind == CollectionKind::Major;
        report.violations = verifier::verify_sampled(heap, debug.verify, is_after_major);
        if let Some(tally) = tally
            && report.violations.is_empty()
        {
            report.violations = tally.compare(heap, &report);
        }
    }
    let is_looked_at_before =
        debug.verify != VerifyLevel::Off && debug.verify_when != VerifyWhen::After;
    heap.note_work(u64::from(is_looked_at_before) + u64::from(is_looked_at_behind));
    report
}

struct Evacuation<'h> {
    heap: &'h Heap,
    region: &'h Region,
    allocator: gcrucible_platform::sync::MutexGuard<'h, Allocator>,
    kind: CollectionKind,
    promote: PromoteMode,
    has_tags: bool,
    from: Vec<(u32, Generation)>,
    /// Whether some objects are left where they are: those of blocks that stay, or all after
    /// so many copies.
    is_limited: bool,
    /// Realms that only registered finalizers hold, and that were not traced yet.
    lone: Vec<(OwnerId, Arc<dyn RootProvider>)>,
    /// Words of the blocks that are collected.
    from_words: u64,
    /// Words of the objects that were reached so far.
    traced_words: u64,
    gray: Vec<Offset>,
    /// Weak references that survived; what becomes of their targets is known at the end.
    weak: Vec<Offset>,
    /// Ids of those that were cleared.
    cleared: Vec<u64>,
    /// Numbers of the finalizers that were queued.
    queued: Vec<u64>,
    /// Copies that there is room for, in debug mode `exhausted`.
    copies_left: u32,
    number: u64,
    moved: u32,
    promoted: u32,
    kept: u32,
}

impl<'h> Evacuation<'h> {
    fn start(heap: &'h Heap, kind: CollectionKind, number: u64) -> Self {
        let region = heap.region();
        let mut allocator = heap.allocator.lock();
        let generations: &[Generation] = match kind {
            CollectionKind::Minor => &[Generation::Young0, Generation::Young1],
            CollectionKind::Major => &[Generation::Young0, Generation::Young1, Generation::Old],
        };
        let mut from = Vec::new();
        for &generation in generations {
            for block in allocator.start_evacuation(generation) {
                region.mark_from(block);
                from.push((block, generation));
            }
        }
        let words = |&(block, _): &(u32, Generation)| u64::from(region.block(block).top());
        let from_words = from.iter().map(words).sum();
        let stays = leave_what_does_not_fit(region, &allocator, &from);
        let exhausted = heap.debug().exhausted;
        if kind == CollectionKind::Major {
            // All old objects are scanned, which marks the cards anew. Those of moved ones
            // lie in fresh blocks with clean cards; large ones stay.
            for &head in allocator.large_heads() {
                let start = region.block_start(head);
                region.cards.cover(start, start + region.block(head).top());
            }
        }
        let gray = std::mem::take(&mut heap.region().scratch.lock().gray);
        Evacuation {
            heap,
            region,
            allocator,
            kind,
            promote: heap.debug().promote,
            has_tags: heap.debug().tags,
            from,
            is_limited: stays || exhausted.is_some(),
            lone: Vec::new(),
            from_words,
            traced_words: 0,
            gray,
            weak: Vec::new(),
            cleared: Vec::new(),
            queued: Vec::new(),
            copies_left: exhausted.unwrap_or(u32::MAX),
            number,
            moved: 0,
            promoted: 0,
            kept: 0,
        }
    }

    /// Where a survivor of `generation` goes.
    fn target(&self, generation: Generation, words: u32) -> Generation {
        match (generation, self.promote) {
            (Generation::Immortal, _) => Generation::Immortal,
            (Generation::Old, _) | (_, PromoteMode::Always) => Generation::Old,
            (_, PromoteMode::Never) | (Generation::Young0, PromoteMode::Natural) => {
                Generation::Young1
            }
            (Generation::Young1, PromoteMode::Natural) if planted!(B25, words > 4) => {
                Generation::Young1
            }
            (Generation::Young1, PromoteMode::Natural) => Generation::Old,
        }
    }

    fn trace_roots(&mut self) {
        // Counted before the list of providers holds them, too.
        let lone = self.heap.finalizers.lock().lone_owners();
        let providers = self.heap.providers();
        let buffer = |provider: &dyn RootProvider| provider.tlab().map(Tlab::buffer).cloned();
        let mut of_accounts: Accounted = BTreeMap::new();
        for provider in &providers {
            if let Some(buffer) = buffer(provider.as_ref()) {
                let forwarded_before = buffer.note_forwarded(self.number);
                if planted!(
                    B21,
                    buffer.is_parked() && forwarded_before + 1 == self.number
                ) {
                    continue;
                }
            }
            let tlab = provider.tlab();
            let id = owner_id(provider);
            if provider.is_compile_time() && self.kind == CollectionKind::Minor {
                // What it holds neither moves nor dies.
            } else if lone.contains(&id) {
                self.lone.push((id, Arc::clone(provider)));
            } else if (self.kind == CollectionKind::Major || planted!(B300))
                && let Some(account) = tlab.and_then(Tlab::account)
            {
                let parts = of_accounts.entry(Arc::as_ptr(account) as usize);
                let (_, parts) = parts.or_insert_with(|| (Arc::clone(account), Vec::new()));
                parts.push(Arc::clone(provider));
            } else {
                provider.trace(self);
            }
            if let Some(tlab) = tlab.map(Tlab::buffer) {
                // I-4: what the buffer pointed into is about to be retired.
                if !planted!(B01, provider.is_registry() && tlab.room() > 0)
                    && !planted!(B02, !provider.is_registry() && tlab.room() > 0)
                {
                    tlab.set_range(0, 0);
                }
            }
        }
        let heap = self.heap;
        heap.prune_buffers(self.number);
        heap.handles.trace(self);
        heap.finalizers.trace(self);
        self.trace_accounts(of_accounts);
    }

    /// Traces the roots of accounts, one after the other: an account pays for what it is the
    /// first to reach. What others share with it was reached before. This follows references
    /// between roots, so it is for major collections alone: in a minor one nothing may be scanned
    /// before the dirty cards are looked at, which unmarks those that it marks.
    fn trace_accounts(&mut self, accounts: Accounted) {
        if accounts.is_empty() {
            return;
        }
        self.drain();
        for (account, providers) in accounts.into_values() {
            let before = match planted!(B314, self.traced_words > 0) {
                true => 0,
                false => self.traced_words,
            };
            for provider in providers {
                provider.trace(self);
            }
            self.drain();
            if self.kind == CollectionKind::Major {
                account.note_reached((self.traced_words - before) * 8, self.number);
            }
        }
    }

    /// Traces the realms that only registered finalizers hold, as long as one of these has an
    /// object that something else leads to: it will be called in its realm one day.
    fn trace_lone(&mut self) {
        let heap = self.heap;
        while !self.lone.is_empty() {
            let kept = {
                let table = heap.finalizers.lock();
                table.owners_of(|word| self.survivor(word).is_some())
            };
            let lone = std::mem::take(&mut self.lone);
            let (kept, rest): (Vec<_>, Vec<_>) =
                lone.into_iter().partition(|(id, _)| kept.contains(id));
            self.lone = rest;
            if kept.is_empty() {
                return;
            }
            for (_, realm) in kept {
                realm.trace(self);
            }
            self.drain();
        }
    }

    /// Makes sure that the object survives, and returns its reference from now on.
    #[inline]
    fn evacuate(&mut self, word: Word) -> Word {
        if !word.is_object() {
            return word;
        }
        let at = word.offset();
        let block = self.region.block_at(at);
        if !block.is_from() {
            match block.usage() {
                BlockUse::Objects(Generation::Immortal)
                | BlockUse::LargeHead(Generation::Immortal) => self.reach_version(at, block),
                BlockUse::LargeHead(generation) => self.reach_large(at, generation),
                _ if block.generation().is_none() => HeapFault::new(FaultKind::FreeMemory).raise(),
                _ => {}
            }
            return word;
        }
        let header = self.region.header(at);
        if header.has(Header::FORWARDED) {
            return Word(self.region.raw(at + 1));
        }
        if header.has(Header::KEPT) {
            return word;
        }
        let generation = block.generation().expect("from-space has a generation");
        self.copy(word, header, generation)
    }

    fn copy(&mut self, word: Word, header: Header, generation: Generation) -> Word {
        let at = word.offset();
        let words = header.size_words();
        let block_end =
            self.region.block_start(self.region.block_of(at)) + self.region.block_words();
        if header.kind().is_none_or(|kind| kind == Kind::Filler) || at + words > block_end {
            HeapFault::new(FaultKind::Corrupt).raise();
        }
        let target = self.target(generation, words);
        self.promoted += u32::from(target == Generation::Old && generation != Generation::Old);
        let words = self.words_to_copy(at, header);
        self.traced_words += u64::from(words);
        let room = if self.is_limited {
            self.bump_within_limits(at, target, words)
        } else {
            self.allocator.bump(self.region, target, words)
        };
        let Some(to) = room else {
            return self.keep(word, header);
        };
        self.region.copy(at, to, words);
        let tag = if self.has_tags {
            self.region.block_at(to).epoch()
        } else {
            0
        };
        let reference = Word::object(to, tag);
        self.region.set_raw(at + 1, reference.0);
        self.region.set_header(at, header.with(Header::FORWARDED));
        self.gray.push(to);
        self.moved += 1;
        reference
    }

    /// A place for the copy of the object at `at`, if it is not one that stays.
    #[cold]
    fn bump_within_limits(&mut self, at: Offset, target: Generation, words: u32) -> Option<Offset> {
        if self.copies_left == 0 || self.region.block_at(at).stays() {
            return None;
        }
        let to = self.allocator.bump(self.region, target, words)?;
        self.copies_left -= u32::from(self.copies_left < u32::MAX && !planted!(B312));
        Some(to)
    }

    /// Words that a copy of the object has.
    #[inline(always)]
    fn words_to_copy(&self, at: Offset, header: Header) -> u32 {
        let words = header.size_words();
        if planted!(B22, header.kind() == Some(Kind::MapStorage))
            && words > 2 * self.region.cards.card_words()
        {
            return words.min(raw::MAP_FIRST + self.region.raw(at + raw::MAP_USED) as u32 * 4);
        }
        words
    }

    /// There is no room for a copy: the object survives where it is.
    #[cold]
    fn keep(&mut self, word: Word, header: Header) -> Word {
        if planted!(B27, self.moved > 0) {
            return Word::NIL;
        }
        let at = word.offset();
        self.region.mark_kept(self.region.block_of(at));
        self.region.set_header(at, header.with(Header::KEPT));
        self.gray.push(at);
        self.kept += 1;
        word
    }

    /// Whether it leads to an object that has blocks of its own.
    fn is_large(&self, word: Word) -> bool {
        word.is_object()
            && matches!(
                self.region.block_at(word.offset()).usage(),
                BlockUse::LargeHead(_)
            )
    }

    fn is_compile_time(&self, word: Word) -> bool {
        word.is_object()
            && self.region.block_at(word.offset()).generation() == Some(Generation::Immortal)
    }

    /// A compile-time object keeps all those of its version.
    fn reach_version(&mut self, at: Offset, block: Block) {
        if self.kind == CollectionKind::Major && !block.is_reached() {
            self.region.mark_reached(self.region.block_of(at));
        }
    }

    fn reach_large(&mut self, at: Offset, generation: Generation) {
        let header = self.region.header(at);
        if !self.collects(generation) || header.has(Header::REACHED) {
            return;
        }
        self.region.set_header(at, header.with(Header::REACHED));
        let target = self.target(generation, header.size_words());
        self.region
            .set_block_use(self.region.block_of(at), BlockUse::LargeHead(target));
        let is_promoted = target == Generation::Old && generation != Generation::Old;
        self.promoted += u32::from(is_promoted && !planted!(B311));
        self.traced_words += u64::from(header.size_words());
        self.gray.push(at);
    }

    fn drain(&mut self) {
        while let Some(at) = self.gray.pop() {
            self.scan(at);
        }
    }

    /// First and last-plus-one slot of an object.
    fn slots(&self, at: Offset, header: Header) -> (Offset, Offset) {
        match header.kind().map(|kind| kind.layout().slots) {
            None | Some(Slots::None | Slots::Weak(_)) => (at, at),
            Some(Slots::From(first)) => (at + first, at + header.size_words()),
            Some(Slots::Counted {
                first,
                count_at,
                per_unit,
            }) => {
                let units = self.region.raw(at + count_at) as u32;
                (at + first, at + first + units * per_unit)
            }
        }
    }

    /// Forwards every slot of a survivor and remembers what an old one refers to.
    #[inline(always)]
    fn scan(&mut self, at: Offset) {
        let header = self.region.header(at);
        if header.kind() == Some(Kind::Weak) {
            self.weak.push(at);
            // What is made at compile time does not die singly: to a weak reference neither.
            let target = self.region.slot(at + raw::WEAK_TARGET).get();
            if self.is_compile_time(target) && !planted!(B263) {
                self.evacuate(target);
            }
            return;
        }
        let is_old = self.region.block_at(at).is_old();
        let (from, to) = self.slots(at, header);
        for offset in from..to {
            if planted!(B20a, header.kind() == Some(Kind::Enum))
                || planted!(B20b, header.kind() == Some(Kind::Bound) && offset == from)
                || planted!(B20c, header.kind() == Some(Kind::Closure))
                || planted!(B20d, header.kind() == Some(Kind::Map))
            {
                self.evacuate(self.region.slot(offset).get());
                continue;
            }
            let target = self.forward(offset);
            if is_old
                && target.is_object()
                && self.region.block_at(target.offset()).is_young()
                && !planted!(B12)
            {
                self.region.cards.mark(offset);
            }
        }
    }

    /// Forwards one slot; returns what it refers to from now on.
    #[inline]
    fn forward(&mut self, offset: Offset) -> Word {
        let slot = self.region.slot(offset);
        let before = slot.get();
        if planted!(B105b, self.is_compile_time(before)) {
            return before;
        }
        let after = self.evacuate(before);
        if after != before {
            slot.set(after);
        }
        after
    }

    /// Finds what old objects refer to in the young generations.
    fn scan_dirty_cards(&mut self) {
        let old: Vec<u32> = self.allocator.blocks(Generation::Old).to_vec();
        let is_old_large =
            |&head: &u32| self.region.block(head).generation() == Some(Generation::Old);
        let large: Vec<u32> = self
            .allocator
            .large_heads()
            .iter()
            .copied()
            .filter(is_old_large)
            .collect();
        for block in old.into_iter().chain(large) {
            let start = self.region.block_start(block);
            let end = start + self.region.block(block).top();
            if start == end {
                continue;
            }
            for card in self.region.cards.card_of(start)..=self.region.cards.card_of(end - 1) {
                if self.region.cards.is_dirty(card) {
                    self.scan_card(card, end);
                }
            }
        }
    }

    /// Forwards the slots in one card. The card stays dirty only if one of them still
    /// refers to a young object.
    fn scan_card(&mut self, card: u32, end: Offset) {
        let card_start = self.region.cards.card_start(card);
        let card_end = self.region.cards.card_start(card + 1).min(end);
        let mut at = self.region.cards.object_at(card);
        let mut is_still_dirty = false;
        while at < card_end {
            let header = self.region.header(at);
            if header.kind() == Some(Kind::Weak)
                && (card_start..card_end).contains(&(at + raw::WEAK_TARGET))
            {
                // Its card is marked again if its target stays young.
                self.weak.push(at);
            }
            let (from, to) = self.slots(at, header);
            for offset in from.max(card_start)..to.min(card_end) {
                let target = self.forward(offset);
                is_still_dirty |=
                    target.is_object() && self.region.block_at(target.offset()).is_young();
            }
            let words = header.size_words();
            if words == 0 {
                HeapFault::new(FaultKind::Corrupt).raise();
            }
            at += words;
        }
        if !is_still_dirty || planted!(B09) {
            self.region.cards.clean(card);
        }
    }

    /// Forwards or clears the weak references that survived, in one step, before anything
    /// else sees the heap: all of them see the same targets dead.
    fn settle_weak(&mut self) {
        for at in std::mem::take(&mut self.weak) {
            let target = self.region.slot(at + raw::WEAK_TARGET).get();
            let mut after = self.survivor(target);
            if planted!(B260, after.is_none() && self.is_large(target)) {
                after = Some(target);
            }
            self.settle_target(at, after);
        }
    }

    /// Stores what the weak reference at `at` refers to from now on; `None` clears it.
    fn settle_target(&mut self, at: Offset, target: Option<Word>) {
        let after = target.unwrap_or_else(|| {
            self.cleared.push(self.region.raw(at + raw::WAIT_ID));
            Word::NIL
        });
        self.region.slot(at + raw::WEAK_TARGET).set(after);
        if self.region.block_at(at).is_old()
            && after.is_object()
            && self.region.block_at(after.offset()).is_young()
        {
            self.region.cards.mark(at + raw::WEAK_TARGET);
        }
    }

    /// Queues the finalizers of what nothing strong leads to, and keeps that and all that it
    /// leads to. Weak references that come back to life with it are cleared if their targets
    /// only came back, too.
    #[cold]
    #[inline(never)]
    fn queue_finalizers(&mut self) {
        let heap = self.heap;
        let mut table = heap.finalizers.lock();
        let count = table.settle(|word| {
            let after = self.survivor(word);
            let is_lost = planted!(B261, after.is_none() && self.is_large(word));
            if is_lost { Some(word) } else { after }
        });
        if count == 0 {
            return;
        }
        for entry in table.newest(count) {
            self.queued.push(entry.number);
            self.slot(RootKind::Finalizable, &entry.object);
        }
        // The realms that they are called in come back with them.
        for (_, realm) in std::mem::take(&mut self.lone) {
            if !planted!(B289) {
                realm.trace(self);
            }
        }
        let mut resurrected = Vec::new();
        while let Some(at) = self.gray.pop() {
            resurrected.push(at);
            self.scan(at);
        }
        resurrected.sort_unstable();
        for at in std::mem::take(&mut self.weak) {
            let target = self.region.slot(at + raw::WEAK_TARGET).get();
            let is_new =
                |word: &Word| word.is_object() && resurrected.binary_search(&word.offset()).is_ok();
            let after = self.survivor(target);
            self.settle_target(at, after.filter(|word| !is_new(word) || planted!(B262)));
        }
    }

    /// The reference from now on to what everything strong was traced to; `None` if this
    /// collection frees it.
    fn survivor(&self, word: Word) -> Option<Word> {
        if !word.is_object() {
            return Some(word);
        }
        let at = word.offset();
        let block = self.region.block_at(at);
        let header = self.region.header(at);
        if block.is_from() {
            if header.has(Header::KEPT) {
                return Some(word);
            }
            return header
                .has(Header::FORWARDED)
                .then(|| Word(self.region.raw(at + 1)));
        }
        let is_collected_large = match block.usage() {
            BlockUse::LargeHead(generation) => self.collects(generation),
            _ => false,
        };
        (!is_collected_large || header.has(Header::REACHED)).then_some(word)
    }

    /// Whether this collection frees what it does not reach in this generation.
    fn collects(&self, generation: Generation) -> bool {
        generation.is_young()
            || (self.kind == CollectionKind::Major && generation == Generation::Old)
    }

    /// Retires from-space and settles the accounts.
    fn finish(mut self, report: &mut CollectionReport) {
        let debug = self.heap.debug();
        let number = self.number;
        self.allocator.settle_tops(self.region);
        let until = (debug.quarantine > 0).then(|| number + u64::from(debug.quarantine));
        let mut zombies = 0;
        let mut scribbled_words = 0;
        for (block, generation) in std::mem::take(&mut self.from) {
            if self.region.block(block).is_kept() {
                self.relabel(block, generation, &mut scribbled_words);
                continue;
            }
            let died = self.clear(block, generation, &mut scribbled_words);
            if !planted!(B313, generation == Generation::Old && died > 0) {
                zombies += died;
            }
            self.region
                .set_block_use(block, BlockUse::Objects(generation));
            self.allocator.retire(self.region, block, until);
        }
        if self.kind == CollectionKind::Major {
            for head in self.allocator.unreached_versions(self.region) {
                zombies += self.clear(head, Generation::Immortal, &mut scribbled_words);
                let blocks = self.region.block(head).top();
                let count = blocks.div_ceil(self.region.block_words()).max(1);
                for block in head..head + count {
                    self.allocator.retire(self.region, block, until);
                }
            }
        }
        let (region, kind) = (self.region, self.kind);
        let make_zombies = debug.zombie;
        let until = until.filter(|_| !planted!(B310));
        self.allocator.sweep_large(region, until, |at, block| {
            let header = region.header(at);
            if header.has(Header::REACHED) {
                region.set_header(at, header.without(Header::REACHED));
                return true;
            }
            let is_collected = match block.generation() {
                Some(Generation::Immortal) => false,
                Some(Generation::Old) => kind == CollectionKind::Major && !planted!(B264),
                _ => true,
            };
            if is_collected && make_zombies {
                bury(region, at, header, number);
                zombies += 1;
            }
            !is_collected
        });
        scribbled_words += self.allocator.release_quarantine(self.region, number);
        self.allocator.return_spare(self.region, self.kind);
        self.settle_accounts();
        let counters = &self.heap.counters;
        match self.kind {
            CollectionKind::Minor => counters.collections_minor.add(1),
            CollectionKind::Major => {
                counters.collections_major.add(1);
                let bytes = self.allocator.old_bytes(self.region);
                let after = &self.heap.old_bytes_after_major;
                after.store(bytes, Ordering::Relaxed);
            }
        }
        counters.objects_moved.add(u64::from(self.moved));
        counters.objects_promoted.add(u64::from(self.promoted));
        counters.objects_kept.add(u64::from(self.kept));
        counters.weak_cleared.add(self.cleared.len() as u64);
        counters.zombies.add(zombies);
        counters.bytes_scribbled.add(scribbled_words * 8);
        report.moved = self.moved;
        report.promoted = self.promoted;
        report.kept = self.kept;
        counters.finalizers_queued.add(self.queued.len() as u64);
        report.queued = std::mem::take(&mut self.queued);
        self.cleared.sort_unstable();
        report.cleared = std::mem::take(&mut self.cleared);
        self.region.scratch.lock().gray = std::mem::take(&mut self.gray);
    }

    /// Tells the accounts how much of what they allocated has survived; a major collection knows
    /// better.
    fn settle_accounts(&self) {
        if self.kind == CollectionKind::Minor {
            let accounts = self.heap.accounts.lock();
            for account in accounts.iter().filter_map(Weak::upgrade) {
                account.note_survived(self.traced_words, self.from_words);
            }
        }
    }

    /// Does to a block whose objects are gone what the debug modes ask for; returns how many
    /// zombies it holds.
    fn clear(&self, block: u32, generation: Generation, scribbled_words: &mut u64) -> u64 {
        let debug = self.heap.debug();
        if debug.zombie {
            return self.make_zombies(block, generation, self.number, scribbled_words);
        }
        if debug.scribble {
            let start = self.region.block_start(block);
            let top = self.region.block(block).top();
            self.region.fill(start, start + top, freed(generation).0);
            *scribbled_words += u64::from(top);
        }
        0
    }

    /// Turns a block that holds what could not be copied into one of the generation where it
    /// was to go. What died in it or left it becomes filler.
    fn relabel(&mut self, block: u32, generation: Generation, scribbled_words: &mut u64) {
        let target = self.target(generation, 0);
        let region = self.region;
        let mut kept = Vec::new();
        let mut all = Vec::new();
        let walk = region.walk_block(block, |at, header| {
            all.push((at, header.size_words()));
            if header.has(Header::KEPT) {
                region.set_header(at, header.without(Header::KEPT));
                kept.push(at);
            } else if header.kind() != Some(Kind::Filler) {
                let filler = Header::new(Kind::Filler, 0, header.size_words());
                region.set_header(at, filler);
                if self.heap.debug().scribble {
                    region.fill(at + 1, at + header.size_words(), freed(generation).0);
                    *scribbled_words += u64::from(header.size_words() - 1);
                }
            }
        });
        if walk.is_err() {
            HeapFault::new(FaultKind::Corrupt).raise();
        }
        region.set_block_use(block, BlockUse::Objects(target));
        let live = kept.iter().map(|&at| region.header(at).size_words()).sum();
        self.allocator.adopt(target, block, live);
        if target != Generation::Old {
            return;
        }
        let start = region.block_start(block);
        region.cards.cover(start, start + region.block_words());
        for (at, words) in all {
            if !planted!(B290, !kept.contains(&at)) {
                region.cards.note_object(at, words);
            }
        }
        for at in kept {
            let header = region.header(at);
            let (from, to) = match header.kind() {
                Some(Kind::Weak) => (at + raw::WEAK_TARGET, at + raw::WEAK_TARGET + 1),
                _ => self.slots(at, header),
            };
            for offset in from..to {
                let target = region.slot(offset).get();
                // A block that is still to be relabelled counts as what it was: at most a
                // card too many is marked.
                if target.is_object() && region.block_at(target.offset()).is_young() {
                    region.cards.mark(offset);
                }
            }
        }
    }

    /// Marks the dead objects of a block; returns how many. Moved ones keep their new
    /// reference, so that a stale access can tell them apart.
    fn make_zombies(
        &self,
        block: u32,
        generation: Generation,
        number: u64,
        scribbled_words: &mut u64,
    ) -> u64 {
        let mut zombies = 0;
        let scribbles = self.heap.debug().scribble;
        let walk = self.region.walk_block(block, |at, header| {
            if header.kind() == Some(Kind::Filler) {
                return;
            }
            let is_moved = header.has(Header::FORWARDED);
            if !is_moved {
                bury(self.region, at, header, number);
                zombies += 1;
            }
            if scribbles {
                let fill = if is_moved {
                    pattern::FROM_SPACE
                } else {
                    freed(generation)
                };
                self.region.fill(at + 2, at + header.size_words(), fill.0);
                *scribbled_words += u64::from(header.size_words() - 2);
            }
        });
        if walk.is_err() {
            HeapFault::new(FaultKind::Corrupt).raise();
        }
        zombies
    }
}

/// The providers of each account, by its address.
type Accounted = BTreeMap<usize, (Arc<MemoryAccount>, Vec<Arc<dyn RootProvider>>)>;

/// A heap of which much is in use has no room to copy all of it: marks the fullest blocks as
/// such that stay. What died in them is known afterwards, so that the emptiest of them are
/// copied the next time.
fn leave_what_does_not_fit(
    region: &Region,
    allocator: &Allocator,
    from: &[(u32, Generation)],
) -> bool {
    let most = allocator.words_to_copy_to(region);
    let all = from
        .iter()
        .map(|&(block, _)| allocator.live_words(region, block));
    let mut left = all.map(u64::from).sum::<u64>();
    if left <= most {
        return false;
    }
    let mut fullest: Vec<(u32, u32)> = from
        .iter()
        .map(|&(block, _)| (allocator.live_words(region, block), block))
        .collect();
    fullest.sort_unstable();
    while left > most
        && let Some((words, block)) = fullest.pop()
    {
        region.mark_stays(block);
        left -= u64::from(words);
    }
    true
}

impl sealed::Collector for Evacuation<'_> {}

impl RootTracer for Evacuation<'_> {
    fn slot(&mut self, _kind: RootKind, slot: &Slot) {
        let before = slot.get();
        let after = self.evacuate(before);
        if after != before {
            slot.forward(before, after);
        }
    }

    fn dead(&mut self, slot: &Slot) {
        if self.heap.debug().scribble {
            slot.set(pattern::DEAD_REGISTER);
        } else if slot.is_object() {
            slot.clear();
        }
    }
}

/// Turns a dead object into a zombie: it keeps kind and allocation site and learns when
/// it died.
fn bury(region: &Region, at: Offset, header: Header, number: u64) {
    let site = region.raw(at + 1) & !0xFFFF_FFFF;
    region.set_raw(at + 1, site | (number & 0xFFFF_FFFF));
    region.set_header(at, header.with(Header::ZOMBIE));
}

fn freed(generation: Generation) -> Word {
    match generation {
        Generation::Young0 | Generation::Young1 => pattern::FREED_YOUNG,
        Generation::Old | Generation::Immortal => pattern::FREED_OLD,
    }
}
