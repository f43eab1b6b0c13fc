//! Allocation buffers: each holder bumps in its own piece of the nursery.

use std::sync::Arc;

use gcrucible_platform::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::account::MemoryAccount;
use crate::heap::Heap;
use crate::identity::HeapId;
use crate::object::{Header, Kind, pattern};
use crate::space::Region;
use crate::value::Offset;

/// A holder's allocation buffer, and the counter its identity hashes come from.
///
/// The heap shares it: when the holder dies between two collections, what it left unused
/// must still be made walkable. Who allocates in it [leases](crate::SharedPermit::mutator) it.
#[derive(Debug)]
pub struct Tlab {
    buffer: Arc<Buffer>,
}

impl Tlab {
    /// An empty buffer in `heap`. Identity hashes of its holder start at `first_hash`.
    pub fn new(heap: &Heap, first_hash: u32) -> Self {
        Self::of_account(heap, first_hash, None)
    }

    /// The same of a holder whose allocations are counted in an account, if there is one.
    pub fn of_account(heap: &Heap, first_hash: u32, account: Option<Arc<MemoryAccount>>) -> Self {
        Tlab {
            buffer: Arc::new(Buffer::new(heap.id(), first_hash, account)),
        }
    }

    /// The account that its holder's allocations are counted in.
    pub fn account(&self) -> Option<&Arc<MemoryAccount>> {
        self.buffer.account.as_ref()
    }

    #[inline(always)]
    pub(crate) fn buffer(&self) -> &Arc<Buffer> {
        &self.buffer
    }
}

/// The buffer itself.
///
/// # Invariants
/// 1. `cursor..limit` is nursery memory that nobody else allocates in. A collection moves
///    what the nursery held and retires its blocks, so it must reset both (I-4).
/// 2. Only who has the lease touches it, or the collector while the world is stopped; of a
///    buffer without a lease cursor and limit are equal.
/// 3. Nobody leases that of readers, in which there is never room; only its counter of hashes is
///    used.
#[derive(Debug)]
pub(crate) struct Buffer {
    heap: HeapId,
    /// The number of the permit that has the lease; 0 if none has.
    lease: AtomicU64,
    cursor: AtomicU32,
    limit: AtomicU32,
    /// Size that the next chunk should have, in words.
    wanted_words: AtomicU32,
    next_hash: AtomicU32,
    /// Allocations since the last that was held up by `collect=alloc:N`.
    allocations: AtomicU32,
    is_held_up: AtomicBool,
    /// Whether an operation is under way that was granted all it needs.
    is_granted: AtomicBool,
    /// Words that it may have to find outside the buffer's room.
    granted_words: AtomicU64,
    /// Blocks that it may still open.
    granted_blocks: AtomicU64,
    /// Whether the heap knows it.
    is_known: AtomicBool,
    /// Number of the last collection that forwarded the holder's roots.
    forwarded_in: AtomicU64,
    pub(crate) account: Option<Arc<MemoryAccount>>,
}

impl Buffer {
    /// The number that no permit has, for the lease of a buffer that nobody gets.
    const NOBODY: u64 = u64::MAX;

    pub(crate) fn new(heap: HeapId, first_hash: u32, account: Option<Arc<MemoryAccount>>) -> Self {
        Buffer {
            heap,
            lease: AtomicU64::new(0),
            cursor: AtomicU32::new(0),
            limit: AtomicU32::new(0),
            wanted_words: AtomicU32::new(0),
            next_hash: AtomicU32::new(first_hash),
            allocations: AtomicU32::new(0),
            is_held_up: AtomicBool::new(false),
            is_granted: AtomicBool::new(false),
            granted_words: AtomicU64::new(0),
            granted_blocks: AtomicU64::new(0),
            is_known: AtomicBool::new(false),
            forwarded_in: AtomicU64::new(0),
            account,
        }
    }

    /// That of all who allocate nothing.
    pub(crate) fn of_readers(heap: HeapId) -> Self {
        Buffer {
            lease: AtomicU64::new(Self::NOBODY),
            ..Self::new(heap, 1 << 31, None)
        }
    }

    /// # Panics
    /// If it is that of readers.
    pub(crate) fn refuse_readers(&self) {
        assert!(
            !self.is_leased_to(Self::NOBODY),
            "a reader allocates nothing"
        );
    }

    /// Whether the permit of this number has it.
    #[inline(always)]
    pub(crate) fn is_leased_to(&self, permit: u64) -> bool {
        self.lease.load(Relaxed) == permit
    }

    /// Leases it to the permit of this number.
    ///
    /// # Panics
    /// If it is one of another heap, or another permit has it.
    pub(crate) fn begin_lease(&self, heap: HeapId, permit: u64) {
        assert!(
            self.heap == heap,
            "the allocation buffer is one of another heap"
        );
        let taken = self.lease.compare_exchange(0, permit, Acquire, Relaxed);
        assert!(
            taken.is_ok(),
            "the allocation buffer is in use under another permit"
        );
    }

    /// Ends the lease.
    pub(crate) fn end_lease(&self) {
        self.lease.store(0, Release);
    }

    /// A collection has retired what it pointed into, and no provider names it: the heap
    /// forgets it until it is used again.
    pub(crate) fn forget(&self) {
        self.set_range(0, 0);
        self.is_known.store(false, Relaxed);
    }

    pub(crate) fn account(&self) -> Option<&MemoryAccount> {
        self.account.as_deref()
    }

    /// Whether nothing was allocated since the last collection.
    pub(crate) fn is_parked(&self) -> bool {
        self.range() == (0, 0)
    }

    /// Notes that collection `number` forwards the holder's roots; returns which did before.
    pub(crate) fn note_forwarded(&self, number: u64) -> u64 {
        self.forwarded_in.swap(number, Relaxed)
    }

    /// Whether collection `number` forwarded the holder's roots, and reset the buffer.
    pub(crate) fn was_forwarded_in(&self, number: u64) -> bool {
        self.forwarded_in.load(Relaxed) == number
    }

    /// Notes that the heap knows the buffer; returns whether it did before.
    pub(crate) fn set_known(&self) -> bool {
        self.is_known.swap(true, Relaxed)
    }

    /// Words left.
    #[inline(always)]
    pub(crate) fn room(&self) -> u32 {
        self.limit.load(Relaxed) - self.cursor.load(Relaxed)
    }

    /// Takes `words`, of which there must be room.
    #[inline(always)]
    pub(crate) fn bump(&self, words: u32) -> Offset {
        let at = self.cursor.load(Relaxed);
        debug_assert!(
            at + words <= self.limit.load(Relaxed),
            "reserved before use"
        );
        self.cursor.store(at + words, Relaxed);
        at
    }

    pub(crate) fn range(&self) -> (Offset, Offset) {
        (self.cursor.load(Relaxed), self.limit.load(Relaxed))
    }

    pub(crate) fn set_range(&self, from: Offset, to: Offset) {
        self.cursor.store(from, Relaxed);
        self.limit.store(to, Relaxed);
    }

    /// The size for the next chunk: it doubles from refill to refill.
    pub(crate) fn next_chunk_words(&self, first: u32, most: u32) -> u32 {
        let words = self.wanted_words.load(Relaxed).max(first).min(most);
        self.wanted_words
            .store(words.saturating_mul(2).min(most), Relaxed);
        words
    }

    pub(crate) fn next_hash(&self) -> u32 {
        let hash = self.next_hash.load(Relaxed).wrapping_add(1).max(1);
        self.next_hash.store(hash, Relaxed);
        hash
    }

    /// Counts an allocation under `collect=alloc:N`: true when this attempt must wait for
    /// a collection. The attempts after it go through, up to one that is served.
    pub(crate) fn is_due(&self, every: u32) -> bool {
        if self.is_held_up.load(Relaxed) {
            return false;
        }
        let count = self.allocations.load(Relaxed) + 1;
        self.allocations.store(count % every, Relaxed);
        self.is_held_up.store(count >= every, Relaxed);
        count >= every
    }

    /// Notes that the allocation that may have been held up has its memory.
    pub(crate) fn note_served(&self) {
        self.is_held_up.store(false, Relaxed);
    }

    /// Begins an operation that was granted `words` words in allocation buffers, and so many blocks
    /// in all.
    pub(crate) fn start_grant(&self, words: u64, blocks: u64) {
        debug_assert!(!self.is_granted.load(Relaxed), "one operation at a time");
        self.is_granted.store(true, Relaxed);
        self.set_granted(words.saturating_sub(u64::from(self.room())));
        self.granted_blocks.store(blocks, Relaxed);
    }

    /// Notes that the operation under way has opened so many blocks; whether it was granted as many.
    pub(crate) fn open_granted(&self, blocks: u64) -> bool {
        let left = self.granted_blocks.load(Relaxed);
        self.granted_blocks
            .store(left.saturating_sub(blocks), Relaxed);
        blocks <= left
    }

    pub(crate) fn end_grant(&self) {
        self.is_granted.store(false, Relaxed);
    }

    /// Whether the operation under way was granted all it needs.
    pub(crate) fn is_granted(&self) -> bool {
        self.is_granted.load(Relaxed)
    }

    /// Words that the operation under way may still allocate, were the buffer's room given
    /// up; 0 if there is none.
    pub(crate) fn granted(&self) -> u64 {
        if !self.is_granted() {
            return 0;
        }
        self.granted_words.load(Relaxed) + u64::from(self.room())
    }

    /// Notes how many of them are not in the buffer.
    pub(crate) fn set_granted(&self, words: u64) {
        self.granted_words.store(words, Relaxed);
    }

    /// Gives up what is left, unless somebody allocates in it now. Returns how many bytes were
    /// filled with a pattern.
    pub(crate) fn give_up(&self, region: &Region, scribble: bool) -> u64 {
        let taken = self
            .lease
            .compare_exchange(0, Self::NOBODY, Acquire, Relaxed);
        if taken.is_err() {
            return 0;
        }
        let scribbled = self.fill_rest(region, scribble);
        let (_, to) = self.range();
        self.set_range(to, to);
        self.end_lease();
        scribbled
    }

    /// Makes the unused part walkable: one filler object over it.
    pub(crate) fn fill_rest(&self, region: &Region, scribble: bool) -> u64 {
        let (from, to) = self.range();
        if from == to {
            return 0;
        }
        region.set_raw(from, Header::new(Kind::Filler, 0, to - from).0);
        if scribble {
            region.fill(from + 1, to, pattern::TLAB_TAIL.0);
            return u64::from(to - from - 1) * 8;
        }
        0
    }
}
