//! Hands out blocks: to the nursery, to collections, to large objects, to programs.

mod audit;
mod versions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::account::{External, MemoryAccount};
use crate::debug_mode::CollectionKind;
use crate::demand::Demand;
use crate::object::{Header, Kind, pattern};
use crate::space::{Block, BlockUse, Generation, Region, WORD_BYTES};
use crate::tlab::Buffer;
use crate::value::Offset;
use gcrucible_platform::planted;

use self::versions::Versions;

/// There is no memory for an allocation: collect, then try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeedsMemory {
    /// Words of room that there must be, which may be more than an object has; with the bit
    /// [`NeedsMemory::SIDE_BY_SIDE`] if there are as many, but in blocks here and there.
    pub words: u32,
}

impl NeedsMemory {
    /// The bit of [`NeedsMemory::words`] that says: there are blocks enough for a large object, but
    /// not side by side. More words than this no object has.
    pub const SIDE_BY_SIDE: u32 = 1 << 31;

    /// The words that are needed, and whether side by side.
    pub const fn parts(words: u32) -> (u32, bool) {
        (words & !Self::SIDE_BY_SIDE, words & Self::SIDE_BY_SIDE != 0)
    }

    /// So many words, or the most that can be said.
    pub fn of_bytes(bytes: u64) -> NeedsMemory {
        let words = bytes.div_ceil(8).min(u64::from(Self::SIDE_BY_SIDE) - 1);
        NeedsMemory {
            words: words as u32,
        }
    }
}

/// What a collection may copy to in the smallest heap.
const SPARE_BYTES: u64 = 8 << 20;

/// A bump range inside a block.
#[derive(Clone, Copy, Debug, Default)]
struct Bump {
    cursor: Offset,
    limit: Offset,
}

/// The requests of mutators that fail because a mode says so.
///
/// A request that is due fails, again and again, until whoever asked has been told that
/// there is no room for good: the same path as at the heap's limit.
#[derive(Debug)]
struct FaultPlan {
    /// Ordinals of the requests, in rising order.
    at: Vec<u32>,
    /// Index of the next of them.
    next: usize,
    /// Requests answered so far, those that failed for good included.
    served: u32,
}

impl FaultPlan {
    fn new(at: Vec<u32>) -> Self {
        FaultPlan {
            at,
            next: 0,
            served: 0,
        }
    }

    /// Makes the request fail that comes after so many, if it does not yet.
    fn add(&mut self, after: u32) {
        let request = self.served.saturating_add(after);
        // What is due came before, and is answered before anything else is.
        let left = &self.at[self.next..];
        let is_known = left.iter().any(|&at| at.max(self.served) == request);
        if !is_known {
            let place = self.next + left.partition_point(|&at| at < request);
            self.at.insert(place, request);
        }
    }

    fn is_due(&self) -> bool {
        self.at.get(self.next).is_some_and(|&at| at <= self.served)
    }
}

/// What may refuse a request, besides the heap's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// A mode, and a nursery that has given all it may until the next collection.
    Nursery,
    /// A mode.
    Limit,
    /// Nothing: the memory was asked for before.
    Granted,
}

/// The blocks and their owners. Behind a lock of the heap; mutators come here only when
/// their buffer is used up.
#[derive(Debug)]
pub(crate) struct Allocator {
    free: Vec<u32>,
    /// Free blocks whose memory the operating system has back.
    returned: Vec<u32>,
    fresh: u32,
    by_generation: [Vec<u32>; 5],
    large: Vec<u32>,
    versions: Versions,
    quarantine: VecDeque<(u32, u64)>,
    nursery: Bump,
    /// Words handed to buffers and young large objects since the last collection.
    nursery_used_words: u64,
    targets: [Bump; 5],
    nursery_budget_words: u64,
    limit_blocks: u64,
    blocks_in_use: u64,
    /// What counts against the limit besides.
    external: Arc<External>,
    block_bytes: u64,
    /// Blocks that are in use at once, at most: those within the limit and what a collection
    /// copies to.
    blocks_at_once: u64,
    /// Live words of blocks that could not be evacuated.
    sparse: BTreeMap<u32, u32>,
    has_canaries: bool,
    scribbles: bool,
    /// Whether no block was taken since the last collection of everything.
    is_as_major_left_it: bool,
    faults: FaultPlan,
    /// Operations that have opened more blocks than they had asked for.
    overdrawn: u64,
}

impl Allocator {
    pub(crate) fn new(
        region: &Region,
        external: Arc<External>,
        nursery_bytes: u32,
        limit_bytes: u64,
        has_canaries: bool,
        scribbles: bool,
        fail: Vec<u32>,
    ) -> Self {
        let block_bytes = u64::from(region.block_words()) * 8;
        let limit_blocks = (limit_bytes / block_bytes).max(4);
        Allocator {
            free: Vec::new(),
            returned: Vec::new(),
            // Block 0 stays unused, so that offset 0 is never an object.
            fresh: 1,
            by_generation: Default::default(),
            large: Vec::new(),
            versions: Versions::default(),
            quarantine: VecDeque::new(),
            nursery: Bump::default(),
            nursery_used_words: 0,
            targets: Default::default(),
            nursery_budget_words: u64::from(nursery_bytes / WORD_BYTES),
            limit_blocks,
            blocks_in_use: 0,
            external,
            block_bytes,
            blocks_at_once: limit_blocks * 11 / 8 + SPARE_BYTES / block_bytes,
            sparse: BTreeMap::new(),
            has_canaries,
            scribbles,
            is_as_major_left_it: false,
            faults: FaultPlan::new(fail),
            overdrawn: 0,
        }
    }

    /// Whether some request is still to fail because a mode says so.
    pub(crate) fn has_faults_to_come(&self) -> bool {
        self.faults.next < self.faults.at.len()
    }

    /// Makes the request fail that comes after so many.
    pub(crate) fn fail(&mut self, after: u32) {
        if planted!(B304) {
            return;
        }
        self.faults.add(after);
    }

    /// Requests that failed for good because a mode said so.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.next as u64
    }

    /// Fails if a mode says that this request does; gives how many requests it counts for.
    /// Memory that was granted before is not asked for again.
    fn request(&self, words: u32, terms: Terms) -> Result<u32, NeedsMemory> {
        if terms == Terms::Granted {
            return Ok(0);
        }
        if self.faults.is_due() {
            return Err(NeedsMemory { words });
        }
        Ok(1)
    }

    /// Whether buffers end in a canary.
    pub(crate) fn has_canaries(&self) -> bool {
        self.has_canaries
    }

    /// Bytes of blocks in use, quarantine not counted.
    pub(crate) fn used_bytes(&self, region: &Region) -> u64 {
        self.blocks_in_use * u64::from(region.block_words()) * 8
    }

    /// Blocks that have memory.
    fn resident_blocks(&self) -> u64 {
        self.blocks_in_use + self.quarantine.len() as u64 + self.free.len() as u64
    }

    /// The bytes of these.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_blocks() * self.block_bytes
    }

    pub(crate) fn blocks(&self, generation: Generation) -> &[u32] {
        &self.by_generation[generation as usize]
    }

    pub(crate) fn large_heads(&self) -> &[u32] {
        &self.large
    }

    /// Blocks in quarantine, and until which collection each is.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = (u32, u64)> {
        self.quarantine.iter().copied()
    }

    /// Free blocks whose memory the operating system has back.
    pub(crate) fn returned_blocks(&self) -> usize {
        self.returned.len()
    }

    fn take_block(&mut self, region: &Region, usage: BlockUse) -> Option<u32> {
        let block = match self.free.pop().or_else(|| self.returned.pop()) {
            Some(block) => block,
            None if self.fresh < region.block_count() => {
                self.fresh += 1;
                self.fresh - 1
            }
            None => {
                // Quarantine delays the use of memory, and does not take it away.
                self.release_oldest(region)?;
                self.free.pop()?
            }
        };
        let epoch = region.next_epoch(block);
        region.set_block(block, usage, epoch, 0);
        self.blocks_in_use += 1;
        self.is_as_major_left_it = false;
        Some(block)
    }

    fn is_at_limit(&self, more_blocks: u64) -> bool {
        let external = self.external.bytes().div_ceil(self.block_bytes);
        self.blocks_in_use + external + more_blocks > self.limit_blocks
    }

    /// Whether so many bytes besides blocks fit within the limit.
    pub(crate) fn has_room_beside(&self, region: &Region, bytes: u64) -> bool {
        let limit = self.limit_blocks * self.block_bytes;
        self.used_bytes(region)
            .saturating_add(self.external.bytes())
            .saturating_add(bytes)
            <= limit
    }

    /// Whether an object of so many words fits within the limit. A request that fails
    /// because a mode says so does not, and has failed for good with this.
    pub(crate) fn has_room_within_limit(&mut self, region: &Region, words: u32) -> bool {
        if self.faults.is_due() {
            self.faults.next += 1;
            self.faults.served += 1;
            return false;
        }
        let (words, is_side_by_side) = NeedsMemory::parts(words);
        !is_side_by_side && !self.is_at_limit(u64::from(words.div_ceil(region.block_words())))
    }

    /// Lets one operation allocate objects without a collection between.
    ///
    /// # Errors
    /// Names the room of all blocks that it would open.
    pub(crate) fn grant(&mut self, demand: &Demand, terms: Terms) -> Result<(), NeedsMemory> {
        let needs = NeedsMemory {
            words: demand.room(),
        };
        let counts = self.request(needs.words, terms)?;
        if !self.is_within_budget(demand.words(), terms) || self.is_at_limit(demand.blocks()) {
            return Err(needs);
        }
        self.faults.served += counts;
        Ok(())
    }

    /// Allocates for the holder of `buffer`. If it was granted what it needs, that was for so many blocks
    /// at most, which is noted.
    pub(crate) fn within_grant<R>(
        &mut self,
        terms: Terms,
        buffer: &Buffer,
        allocate: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let before = self.blocks_in_use;
        let allocated = allocate(self);
        let opened = self.blocks_in_use - before;
        if terms == Terms::Granted && opened > 0 && !buffer.open_granted(opened) {
            self.overdrawn += 1;
        }
        allocated
    }

    /// Whether the nursery may give so many words before the next collection. An empty one
    /// gives any number, or what is larger than it could never be allocated.
    fn is_within_budget(&self, words: u64, terms: Terms) -> bool {
        terms != Terms::Nursery
            || self.nursery_used_words == 0
            || self.nursery_used_words + words <= self.nursery_budget_words
    }

    /// A chunk of the nursery for an allocation buffer: at least `words`, if possible
    /// `wanted` words. The chunk's last word is a canary in debug modes.
    pub(crate) fn chunk(
        &mut self,
        region: &Region,
        words: u32,
        wanted: u32,
        terms: Terms,
    ) -> Result<(Offset, Offset), NeedsMemory> {
        let canary = u32::from(self.has_canaries);
        let least = words + canary;
        assert!(
            least <= region.block_words(),
            "large objects take another way"
        );
        let counts = self.request(words, terms)?;
        let rest = self.nursery.limit - self.nursery.cursor;
        let is_new = rest < least;
        let room = if is_new { region.block_words() } else { rest };
        let size = wanted.max(least).min(room);
        let needs = NeedsMemory { words };
        if !self.is_within_budget(u64::from(size), terms) || is_new && self.is_at_limit(1) {
            return Err(needs);
        }
        if is_new {
            self.open_nursery(region).ok_or(needs)?;
        }
        self.nursery_used_words += u64::from(size);
        self.faults.served += counts;
        let from = self.nursery.cursor;
        let end = from + size;
        self.nursery.cursor = end;
        let block = region.block_of(from);
        region.set_block_top(block, end - region.block_start(block));
        if self.has_canaries {
            let canary = Header::new(Kind::Filler, pattern::CANARY, 1);
            region.set_raw(end - 1, canary.0);
        }
        if self.scribbles {
            region.fill(from, end - canary, pattern::UNINITIALISED.0);
        }
        Ok((from, end - canary))
    }

    /// A fresh block for the nursery. The rest of the one before is not used again: it stays
    /// above `top`.
    fn open_nursery(&mut self, region: &Region) -> Option<()> {
        let block = self.take_block(region, BlockUse::Objects(Generation::Young0))?;
        self.by_generation[Generation::Young0 as usize].push(block);
        let start = region.block_start(block);
        self.nursery = Bump {
            cursor: start,
            limit: start + region.block_words(),
        };
        Some(())
    }

    /// Space for a survivor. How far the block is filled is
    /// noted when it is full, or by [`Allocator::settle_tops`].
    #[inline(always)]
    pub(crate) fn bump(
        &mut self,
        region: &Region,
        generation: Generation,
        words: u32,
    ) -> Option<Offset> {
        let target = &mut self.targets[generation as usize];
        if target.limit - target.cursor < words {
            self.next_target(region, generation)?;
        }
        let target = &mut self.targets[generation as usize];
        let at = target.cursor;
        target.cursor += words;
        if generation == Generation::Old {
            region.cards.note_object(at, words);
        }
        Some(at)
    }

    /// A fresh block to bump in.
    #[cold]
    fn next_target(&mut self, region: &Region, generation: Generation) -> Option<()> {
        if self.blocks_in_use >= self.blocks_beside_external(0) {
            return None;
        }
        self.settle_top(region, generation);
        let block = self.take_block(region, BlockUse::Objects(generation))?;
        self.by_generation[generation as usize].push(block);
        let start = region.block_start(block);
        let end = start + region.block_words();
        if generation == Generation::Old {
            region.cards.cover(start, end);
        }
        self.targets[generation as usize] = Bump {
            cursor: start,
            limit: end,
        };
        Some(())
    }

    fn settle_top(&self, region: &Region, generation: Generation) {
        let Bump { cursor, limit } = self.targets[generation as usize];
        if limit > 0 {
            let start = limit - region.block_words();
            region.set_block_top(region.block_of(start), cursor - start);
        }
    }

    /// Notes in the block table how far the blocks are filled that survivors go to.
    pub(crate) fn settle_tops(&self, region: &Region) {
        for generation in [Generation::Young1, Generation::Old] {
            self.settle_top(region, generation);
        }
    }

    /// A run of blocks for one large object.
    pub(crate) fn large(
        &mut self,
        region: &Region,
        generation: Generation,
        words: u32,
        terms: Terms,
    ) -> Result<Offset, NeedsMemory> {
        let count = words.div_ceil(region.block_words());
        let counts = self.request(words, terms)?;
        if !self.is_within_budget(u64::from(words), terms) || self.is_at_limit(u64::from(count)) {
            return Err(NeedsMemory { words });
        }
        let first = self.take_run(region, generation, words)?;
        if generation.is_young() && !planted!(B275) {
            self.nursery_used_words += u64::from(words);
        }
        self.faults.served += counts;
        self.large.push(first);
        let start = region.block_start(first);
        region
            .cards
            .cover(start, start + count * region.block_words());
        region.cards.note_object(start, words);
        Ok(start)
    }

    /// Blocks side by side for one large object; returns the first.
    fn take_run(
        &mut self,
        region: &Region,
        generation: Generation,
        words: u32,
    ) -> Result<u32, NeedsMemory> {
        let count = words.div_ceil(region.block_words());
        let first = self.find_run(region, count).ok_or(NeedsMemory {
            words: words | NeedsMemory::SIDE_BY_SIDE,
        })?;
        for block in first..first + count {
            let usage = if block == first {
                BlockUse::LargeHead(generation)
            } else {
                BlockUse::LargeTail
            };
            let epoch = region.next_epoch(block);
            region.set_block(block, usage, epoch, if block == first { words } else { 0 });
        }
        self.blocks_in_use += u64::from(count);
        self.is_as_major_left_it = false;
        Ok(first)
    }

    fn find_run(&mut self, region: &Region, count: u32) -> Option<u32> {
        self.find_free_run(region, count).or_else(|| {
            while self.release_oldest(region).is_some() {}
            self.find_free_run(region, count)
        })
    }

    fn find_free_run(&mut self, region: &Region, count: u32) -> Option<u32> {
        if planted!(B302, count > 2) {
            return None;
        }
        // What has memory goes first: all that was ever used would else be touched at some time.
        if self.free.len() >= count as usize {
            self.free.sort_unstable();
            if let Some(first) = take_neighbours(&mut self.free, count) {
                return Some(first);
            }
        }
        let is_at_hand = self.fresh + count <= region.block_count();
        let fresh_end = u64::from(self.fresh) + u64::from(count);
        let most = self.blocks_beside_external(u64::from(count) * self.block_bytes);
        if is_at_hand && fresh_end <= self.blocks_at_once {
            self.return_free(region, most);
            return Some(self.take_fresh(count));
        }
        let mut all = std::mem::take(&mut self.free);
        all.append(&mut self.returned);
        all.sort_unstable();
        let found = take_neighbours(&mut all, count);
        // Which of them are the operating system's is not known any more: all count as resident
        // until the next time that some are returned.
        self.free = all;
        self.is_as_major_left_it = false;
        let first = found.or_else(|| is_at_hand.then(|| self.take_fresh(count)))?;
        self.return_free(region, most);
        Some(first)
    }

    fn take_fresh(&mut self, count: u32) -> u32 {
        self.fresh += count;
        self.fresh - count
    }

    /// Gives memory of free blocks back to the operating system, until that and the blocks in
    /// use are at most so many.
    fn return_free(&mut self, region: &Region, most: u64) {
        let count = self
            .resident_blocks()
            .saturating_sub(most)
            .min(self.free.len() as u64) as usize;
        if count == 0 {
            return;
        }
        // Those that were freed first are the last to be used again.
        let mut blocks: Vec<u32> = self.free.drain(..count).collect();
        blocks.sort_unstable();
        for run in blocks.chunk_by(|block, next| block + 1 == *next) {
            region.return_blocks(run[0], run.len() as u32 + u32::from(planted!(B274)));
        }
        self.returned.append(&mut blocks);
    }

    /// Ends a collection: what it freed is kept for the next one to copy to, and the rest
    /// returned, unless a debug mode wants to see it.
    pub(crate) fn return_spare(&mut self, region: &Region, kind: CollectionKind) {
        let all = self.blocks_beside_external(0);
        let most = match kind {
            CollectionKind::Major if planted!(B303, all > self.blocks_in_use * 2) => all,
            CollectionKind::Major if !self.has_canaries && !self.scribbles => {
                let nursery = self.nursery_budget_words / u64::from(region.block_words());
                (self.blocks_in_use * 2 + nursery * 2).min(all)
            }
            _ => all,
        };
        self.return_free(region, most);
        self.is_as_major_left_it = kind == CollectionKind::Major;
    }

    /// Gives memory of free blocks back for so many bytes more outside of blocks: both together
    /// are what the process has at once. Without this the program would pay for those bytes with
    /// blocks it may not use any more, and the process would keep the memory of these as well.
    pub(crate) fn give_way(&mut self, region: &Region, more: u64) {
        let most = self.blocks_beside_external(more);
        self.return_free(region, most);
    }

    /// Blocks that may have memory at once beside what is outside of them, and so many bytes more.
    fn blocks_beside_external(&self, more: u64) -> u64 {
        let external = self.external.bytes().saturating_add(more);
        self.blocks_at_once
            .saturating_sub(external.div_ceil(self.block_bytes))
    }

    /// Words that a collection may copy to, beside everything that is in use: so that memory
    /// stays within half as much again as the limit while it runs.
    pub(crate) fn words_to_copy_to(&self, region: &Region) -> u64 {
        let external = self.external.bytes().div_ceil(self.block_bytes);
        // Blocks are not filled to the last word, so some are left for that.
        let most = self.blocks_at_once - self.limit_blocks / 16;
        most.saturating_sub(self.blocks_in_use + external) * u64::from(region.block_words())
    }

    /// Words of live objects in a block, at most.
    pub(crate) fn live_words(&self, region: &Region, block: u32) -> u32 {
        let known = self.sparse.get(&block).copied();
        known.unwrap_or_else(|| region.block(block).top())
    }

    /// Words that died in blocks which could not be evacuated: what the next collection may
    /// evacuate them for.
    pub(crate) fn sparse_words(&self, region: &Region) -> u64 {
        let dead = |(&block, &live): (&u32, &u32)| u64::from(region.block(block).top() - live);
        self.sparse.iter().map(dead).sum()
    }

    /// Bytes of the old generation.
    pub(crate) fn old_bytes(&self, region: &Region) -> u64 {
        let is_old = |head: &&u32| region.block(**head).generation() == Some(Generation::Old);
        let large = self.large.iter().filter(is_old);
        let large: u64 = large
            .map(|&head| u64::from(region.block(head).top().div_ceil(region.block_words())))
            .sum();
        (self.blocks(Generation::Old).len() as u64 + large) * self.block_bytes
    }

    /// Whether an account's holders get no `more` bytes.
    pub(crate) fn refuses(&self, account: Option<&MemoryAccount>, more: u64) -> bool {
        account.is_some_and(|it| it.refuses(more) || self.is_reserved_from(it, more))
    }

    /// Whether they do not because the rest is for those that use less.
    pub(crate) fn is_reserved_from(&self, account: &MemoryAccount, more: u64) -> bool {
        let used = self.blocks_in_use * self.block_bytes + self.external.bytes();
        let limit = self.limit_blocks * self.block_bytes;
        used.saturating_add(more) > limit / 8 * 7
            && account.used().saturating_add(more) > limit / 64
    }

    /// Takes the blocks of a generation away, to be evacuated, and closes its bump range.
    pub(crate) fn start_evacuation(&mut self, generation: Generation) -> Vec<u32> {
        if generation == Generation::Young0 {
            self.nursery = Bump::default();
            self.nursery_used_words = 0;
        }
        self.targets[generation as usize] = Bump::default();
        std::mem::take(&mut self.by_generation[generation as usize])
    }

    /// Takes over a block that could not be evacuated: its objects are of `generation` now, and
    /// so many of its words live.
    pub(crate) fn adopt(&mut self, generation: Generation, block: u32, live: u32) {
        self.sparse.insert(block, live);
        self.blocks_in_use += u64::from(planted!(B272));
        self.by_generation[generation as usize].push(block);
    }

    /// Gives back a block whose objects are gone: to the free list, or to quarantine
    /// until collection number `until`.
    pub(crate) fn retire(&mut self, region: &Region, block: u32, until: Option<u64>) {
        self.blocks_in_use -= 1;
        if !planted!(B273, self.sparse.contains_key(&block)) {
            self.sparse.remove(&block);
        }
        let top = region.block(block).top();
        match until {
            None => {
                region.set_block(block, BlockUse::Free, region.next_epoch(block), 0);
                self.free.push(block);
            }
            Some(until) => {
                region.set_block(
                    block,
                    BlockUse::Quarantined,
                    region.block(block).epoch(),
                    top,
                );
                self.quarantine.push_back((block, until));
            }
        }
    }

    /// Frees what has been in quarantine long enough. Returns the freed blocks' words in
    /// use, for the statistics of scribbling.
    pub(crate) fn release_quarantine(&mut self, region: &Region, now: u64) -> u64 {
        let mut scribbled = 0;
        while self
            .quarantine
            .front()
            .is_some_and(|&(_, until)| until <= now)
        {
            scribbled += self.release_oldest(region).map_or(0, u64::from);
        }
        scribbled
    }

    /// Frees the block that has been in quarantine for the longest time. Returns how many of
    /// its words were scribbled on.
    fn release_oldest(&mut self, region: &Region) -> Option<u32> {
        let (block, _) = self.quarantine.pop_front()?;
        let words = if self.scribbles {
            region.block(block).top()
        } else {
            0
        };
        let start = region.block_start(block);
        region.fill(start, start + words, pattern::FREED_OLD.0);
        region.set_block(block, BlockUse::Free, region.next_epoch(block), 0);
        self.free.push(block);
        Some(words)
    }

    /// Keeps the large objects for which `survives` says so (it may relabel them) and
    /// retires the blocks of the others.
    pub(crate) fn sweep_large(
        &mut self,
        region: &Region,
        until: Option<u64>,
        mut survives: impl FnMut(Offset, Block) -> bool,
    ) {
        let heads = std::mem::take(&mut self.large);
        for head in heads {
            let block = region.block(head);
            if survives(region.block_start(head), block) {
                self.large.push(head);
                continue;
            }
            let mut count = block.top().div_ceil(region.block_words());
            count -= u32::from(planted!(B271, count > 1));
            for tail in head..head + count {
                self.retire(region, tail, until);
            }
        }
    }
}

/// Takes `count` numbers without a gap out of a sorted list; returns the first.
fn take_neighbours(blocks: &mut Vec<u32>, count: u32) -> Option<u32> {
    let mut length = 0;
    for index in 0..blocks.len() {
        let follows = index > 0 && blocks[index] == blocks[index - 1] + 1;
        length = if follows { length + 1 } else { 1 };
        if length == count {
            let from = index + 1 - count as usize;
            let first = blocks[from];
            blocks.drain(from..=index);
            return Some(first);
        }
    }
    None
}
