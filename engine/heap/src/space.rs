//! The region, its blocks and who has them.
//!
//! One reserved region is cut into blocks of equal size. The block table says, for each
//! block, which generation it belongs to, how far it is filled, and its *epoch*: a number
//! that changes each time the block is retired, which the debug mode `tags` stores in
//! references to tell a stale one from a live one.
//!
//! Objects never span blocks, except *large* ones, which have a run of blocks of their
//! own: a head and tails.

use gcrucible_platform::memory::Reservation;
use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};
use gcrucible_platform::sync::{Mutex, memory};

use crate::card_table::CardTable;
use crate::collector::Scratch;
use crate::config::HeapConfig;
use crate::object::{HEADER_WORDS, Header, Kind};
use crate::value::{Field, Offset};

/// Bytes of a word.
pub(crate) const WORD_BYTES: u32 = 8;

/// Where an object is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Generation {
    /// The nursery: not yet seen by a collection.
    Young0 = 1,
    /// Survived one collection.
    Young1 = 2,
    /// Survived two.
    Old = 3,
    /// Made at compile time: never moves, and dies with its version of the program.
    Immortal = 4,
}

impl Generation {
    /// Whether minor collections evacuate it.
    #[inline(always)]
    pub(crate) fn is_young(self) -> bool {
        matches!(self, Generation::Young0 | Generation::Young1)
    }
}

/// What a block is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockUse {
    Free,
    Objects(Generation),
    LargeHead(Generation),
    LargeTail,
    Quarantined,
}

/// An entry of the block table.
///
/// `use 8 | reached 8 | epoch 16 | top 32`; `top` is how many words from the block's start
/// hold objects (for a large head, the words of the whole object).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block(u64);

impl Block {
    const LARGE: u8 = 0x10;
    /// Set while a collection evacuates the block.
    const FROM: u8 = 0x40;
    /// Set when that collection could not copy something out of it.
    const KEPT: u8 = 0x80;
    const TAIL: u8 = 0x20;
    const QUARANTINED: u8 = 0x21;
    /// Set when a major collection meets a compile-time object of the block.
    const REACHED: u64 = 1 << 8;
    /// Set while a collection leaves the block's objects where they are.
    const STAYS: u64 = 1 << 9;

    fn new(usage: BlockUse, epoch: u16, top: u32) -> Self {
        let code = match usage {
            BlockUse::Free => 0,
            BlockUse::Objects(generation) => generation as u8,
            BlockUse::LargeHead(generation) => generation as u8 | Self::LARGE,
            BlockUse::LargeTail => Self::TAIL,
            BlockUse::Quarantined => Self::QUARANTINED,
        };
        Self(code as u64 | (epoch as u64) << 16 | (top as u64) << 32)
    }

    pub(crate) fn usage(self) -> BlockUse {
        let code = self.0 as u8;
        match (self.generation(), code) {
            (Some(generation), code) if code & Self::LARGE != 0 => BlockUse::LargeHead(generation),
            (Some(generation), _) => BlockUse::Objects(generation),
            (None, Self::TAIL) => BlockUse::LargeTail,
            (None, Self::QUARANTINED) => BlockUse::Quarantined,
            (None, _) => BlockUse::Free,
        }
    }

    /// The generation of the objects that start in it, if any do.
    #[inline(always)]
    pub(crate) fn generation(self) -> Option<Generation> {
        match self.0 as u8 & 0x2f {
            1 => Some(Generation::Young0),
            2 => Some(Generation::Young1),
            3 => Some(Generation::Old),
            4 => Some(Generation::Immortal),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn is_young(self) -> bool {
        matches!(self.0 as u8 & 0x2f, 1 | 2)
    }

    #[inline(always)]
    pub(crate) fn is_old(self) -> bool {
        self.0 as u8 & 0x2f == 3
    }

    /// Whether the running collection evacuates it.
    #[inline(always)]
    pub(crate) fn is_from(self) -> bool {
        self.0 as u8 & Self::FROM != 0
    }

    /// Whether something that the running collection could not copy lies in it.
    pub(crate) fn is_kept(self) -> bool {
        self.0 as u8 & Self::KEPT != 0
    }

    /// Whether the running collection leaves its objects where they are.
    #[inline(always)]
    pub(crate) fn stays(self) -> bool {
        self.0 & Self::STAYS != 0
    }

    /// Whether the running major collection has met a compile-time object of the block.
    #[inline(always)]
    pub(crate) fn is_reached(self) -> bool {
        self.0 & Self::REACHED != 0
    }

    #[inline(always)]
    pub(crate) fn epoch(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn with_top(self, top: u32) -> Self {
        Self(self.0 & 0xFFFF_FFFF | u64::from(top) << 32)
    }

    #[inline(always)]
    pub(crate) fn top(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Memory that heaps use one after the other: the reservation and the tables over it.
/// Making one costs system calls; [`Heap::into_region`](crate::Heap::into_region) gives
/// it back for the next heap.
///
/// # Invariants
/// 1. `reservation` is at least `words * 8` bytes; every word in it is only ever accessed
///    as a `memory::Word`, but for text of strings, which is written before the string is
///    published and never changed.
/// 2. The bytes of a string object that anybody can refer to are valid UTF-8: they were written
///    by `Region::write_text` from a `&str` before the string was published. Whatever moves or
///    copies a string copies it as a whole.
pub struct Region {
    reservation: Reservation,
    words: u32,
    blocks: Box<[memory::Word]>,
    pub(crate) cards: CardTable,
    block_shift: u32,
    /// Blocks at and above this one were never used by this heap.
    used_end: AtomicU32,
    /// Buffers of collections, which stay from heap to heap.
    pub(crate) scratch: Mutex<Scratch>,
}

/// Where every access to the heap would go that is wrong. As a call it takes the offset by value:
/// a message in place would have each access put its offset into memory first.
#[cold]
#[inline(never)]
fn outside(offset: Offset) -> ! {
    panic!("offset {offset:x} lies outside the region");
}

impl Region {
    /// Smallest block a region can be cut into, in bytes.
    pub const MIN_BLOCK_BYTES: u32 = 512;

    /// Reserves a region that a heap with `config` can use.
    ///
    /// # Errors
    /// When the operating system has no address space left.
    pub fn new(config: &HeapConfig) -> std::io::Result<Region> {
        // Room to copy everything, for blocks that are partly filled, and for quarantine.
        let bytes = (config.limit_bytes.max(1 << 20))
            .saturating_mul(4)
            .min(16 << 30);
        let reservation = Reservation::new(bytes as usize)?;
        let words = (reservation.len() / WORD_BYTES as usize) as u32;
        let block_words = config.block_bytes.max(Self::MIN_BLOCK_BYTES) / WORD_BYTES;
        let card_words = config.card_bytes.max(CardTable::MIN_CARD_BYTES) / WORD_BYTES;
        let mut region = Region {
            reservation,
            words,
            blocks: zeroed(words / block_words),
            cards: CardTable::new(words, card_words),
            block_shift: 0,
            used_end: 0.into(),
            scratch: Mutex::default(),
        };
        region.reset(config);
        Ok(region)
    }

    /// Makes the region as good as new for a heap with `config`. Only what was used is
    /// touched. Returns false if the region is too small for it.
    #[must_use]
    pub(crate) fn prepare(&mut self, config: &HeapConfig) -> bool {
        if config.limit_bytes.saturating_mul(4) > u64::from(self.words) * 8 {
            return false;
        }
        let block_words = config.block_bytes.max(Self::MIN_BLOCK_BYTES) / WORD_BYTES;
        let card_words = config.card_bytes.max(CardTable::MIN_CARD_BYTES) / WORD_BYTES;
        if (self.words / block_words) as usize > self.blocks.len() {
            self.blocks = zeroed(self.words / block_words);
        }
        self.cards.resize(self.words, card_words);
        self.reset(config);
        true
    }

    fn reset(&mut self, config: &HeapConfig) {
        let used = *self.used_end.get_mut() as usize;
        for block in &mut self.blocks[..used] {
            *block.get_mut() = 0;
        }
        *self.used_end.get_mut() = 0;
        let block_words = config.block_bytes.max(Self::MIN_BLOCK_BYTES) / WORD_BYTES;
        assert!(
            block_words.is_power_of_two(),
            "block size is a power of two"
        );
        self.block_shift = block_words.trailing_zeros();
    }

    /// The word at `offset`.
    ///
    /// # Panics
    /// If the offset lies outside the region, which only a corrupt reference does.
    #[inline(always)]
    pub(crate) fn word(&self, offset: Offset) -> &memory::Word {
        if offset >= self.words {
            outside(offset);
        }
        // SAFETY: invariant 1, and the offset was just checked.
        unsafe {
            &*self
                .reservation
                .base()
                .cast::<memory::Word>()
                .as_ptr()
                .add(offset as usize)
        }
    }

    #[inline(always)]
    pub(crate) fn raw(&self, offset: Offset) -> u64 {
        self.word(offset).load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set_raw(&self, offset: Offset, raw: u64) {
        self.word(offset).store(raw, Ordering::Relaxed);
    }

    /// The word at `offset` as a field.
    #[inline(always)]
    pub(crate) fn slot(&self, offset: Offset) -> &Field {
        let word: *const memory::Word = self.word(offset);
        // SAFETY: `Field` is a transparent wrapper of `memory::Word`.
        unsafe { &*word.cast::<Field>() }
    }

    #[inline(always)]
    pub(crate) fn header(&self, object: Offset) -> Header {
        Header(self.word(object).load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn set_header(&self, object: Offset, header: Header) {
        self.word(object).store(header.0, Ordering::Release);
    }

    /// `len` bytes from the word at `offset`.
    ///
    /// # Panics
    /// If they do not lie inside the region.
    pub(crate) fn bytes(&self, offset: Offset, len: usize) -> &[u8] {
        let words = len.div_ceil(WORD_BYTES as usize);
        assert!(
            offset as usize + words <= self.words as usize,
            "text lies outside the region"
        );
        // SAFETY: invariant 1; only the text of published strings is read so, and that
        // never changes while a permit is held.
        unsafe {
            let first = self.reservation.base().as_ptr().add(offset as usize * 8);
            std::slice::from_raw_parts(first, len)
        }
    }

    /// The text of a string object: `len` bytes from the word at `offset`. It is not looked
    /// at again: who goes over a text one character at a time would look at all of it each time.
    ///
    /// # Panics
    /// If it does not lie inside the region.
    ///
    /// # Safety
    /// They are all the bytes of a string object, which was published and not freed since.
    pub(crate) unsafe fn text(&self, offset: Offset, len: usize) -> &str {
        // SAFETY: invariant 2, and the caller vouches for the string.
        unsafe { std::str::from_utf8_unchecked(self.bytes(offset, len)) }
    }

    /// Writes `text` from the word at `offset`, the last word padded with zeros.
    pub(crate) fn write_text(&self, offset: Offset, text: &str) {
        self.write_bytes(offset, text.as_bytes());
    }

    /// Writes bytes of a text from the word at `offset`, the last word padded with zeros.
    pub(crate) fn write_bytes(&self, offset: Offset, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for (index, &word) in words.iter().enumerate() {
            self.set_raw(offset + index as u32, u64::from_ne_bytes(word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.set_raw(offset + words.len() as u32, u64::from_ne_bytes(word));
        }
    }

    /// Copies `words` words from one place to another that does not overlap it.
    ///
    /// # Panics
    /// If either does not lie inside the region.
    #[inline(always)]
    pub(crate) fn copy(&self, from: Offset, to: Offset, words: u32) {
        let fits = |at: Offset| u64::from(at) + u64::from(words) <= u64::from(self.words);
        assert!(fits(from), "{words} words at {from:x} leave the region");
        assert!(fits(to), "{words} words at {to:x} leave the region");
        let base = self.reservation.base().cast::<memory::Word>().as_ptr();
        for index in 0..words as usize {
            // SAFETY: invariant 1, and both ranges were just checked.
            unsafe {
                let word = (*base.add(from as usize + index)).load(Ordering::Relaxed);
                (*base.add(to as usize + index)).store(word, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn fill(&self, from: Offset, to: Offset, pattern: u64) {
        for offset in from..to {
            self.set_raw(offset, pattern);
        }
    }

    pub(crate) fn block_count(&self) -> u32 {
        self.words >> self.block_shift
    }

    pub(crate) fn block_words(&self) -> u32 {
        1 << self.block_shift
    }

    /// Whether an object of so many words has blocks of its own.
    #[inline(always)]
    pub(crate) fn is_large(&self, words: u32) -> bool {
        words > self.block_words() / 2
    }

    /// Blocks below this number may be in use.
    pub(crate) fn used_end(&self) -> u32 {
        self.used_end.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn block_of(&self, offset: Offset) -> u32 {
        offset >> self.block_shift
    }

    pub(crate) fn block_start(&self, block: u32) -> Offset {
        block << self.block_shift
    }

    #[inline(always)]
    pub(crate) fn block(&self, block: u32) -> Block {
        match self.blocks.get(block as usize) {
            Some(entry) => Block(entry.load(Ordering::Relaxed)),
            None => Block(0),
        }
    }

    /// The block of an object's first word.
    #[inline(always)]
    pub(crate) fn block_at(&self, offset: Offset) -> Block {
        self.block(self.block_of(offset))
    }

    pub(crate) fn set_block(&self, block: u32, usage: BlockUse, epoch: u16, top: u32) {
        self.blocks[block as usize].store(Block::new(usage, epoch, top).0, Ordering::Relaxed);
        // Looked at first: the locked instruction is seldom needed.
        if block >= self.used_end.load(Ordering::Relaxed) {
            self.used_end.fetch_max(block + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_block_use(&self, block: u32, usage: BlockUse) {
        let now = self.block(block);
        self.set_block(block, usage, now.epoch(), now.top());
    }

    /// Marks a block as one that the running collection evacuates.
    pub(crate) fn mark_from(&self, block: u32) {
        let now = self.block(block);
        self.blocks[block as usize].store(now.0 | u64::from(Block::FROM), Ordering::Relaxed);
    }

    /// Marks a block as one that the running collection leaves where it is.
    pub(crate) fn mark_stays(&self, block: u32) {
        let now = self.block(block);
        self.blocks[block as usize].store(now.0 | Block::STAYS, Ordering::Relaxed);
    }

    /// Gives the memory of free blocks back to the operating system.
    pub(crate) fn return_blocks(&self, first: u32, count: u32) {
        let bytes = (1 << self.block_shift) * WORD_BYTES as usize;
        self.reservation
            .give_back(first as usize * bytes, count as usize * bytes);
    }

    /// Marks a block as one in which an object stays that could not be copied.
    pub(crate) fn mark_kept(&self, block: u32) {
        let now = self.block(block);
        self.blocks[block as usize].store(now.0 | u64::from(Block::KEPT), Ordering::Relaxed);
    }

    /// Marks a block of compile-time objects as one that a major collection has met.
    pub(crate) fn mark_reached(&self, block: u32) {
        let now = self.block(block);
        self.blocks[block as usize].store(now.0 | Block::REACHED, Ordering::Relaxed);
    }

    /// Whether the block was marked so; it no longer is.
    pub(crate) fn take_reached(&self, block: u32) -> bool {
        let now = self.block(block);
        self.blocks[block as usize].store(now.0 & !Block::REACHED, Ordering::Relaxed);
        now.is_reached()
    }

    pub(crate) fn set_block_top(&self, block: u32, top: u32) {
        let now = self.block(block);
        self.blocks[block as usize].store(now.with_top(top).0, Ordering::Relaxed);
    }

    /// A number that no reference into the block carries yet; never 0.
    pub(crate) fn next_epoch(&self, block: u32) -> u16 {
        self.block(block).epoch().checked_add(1).unwrap_or(1)
    }

    /// Calls `visit` with each object (fillers included) that starts in a block, in order
    /// of address. Stops where a header makes no sense and returns that offset.
    pub(crate) fn walk_block(
        &self,
        block: u32,
        mut visit: impl FnMut(Offset, Header),
    ) -> Result<(), Offset> {
        let start = self.block_start(block);
        let end = start + self.block(block).top();
        let mut at = start;
        while at < end {
            let header = Header(self.raw(at));
            let size = header.size_words();
            let is_filler = header.kind() == Some(Kind::Filler);
            if header.kind().is_none()
                || size == 0
                || (size < HEADER_WORDS && !is_filler)
                || size > end - at
            {
                return Err(at);
            }
            visit(at, header);
            at += size;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region")
            .field("words", &self.words)
            .finish_non_exhaustive()
    }
}

/// Zeroed integers as atomics. The allocator maps large zeroed arrays lazily, so that a
/// table over gigabytes costs only what is touched.
pub(crate) fn zeroed<T: AtomicInt>(len: u32) -> Box<[T]> {
    const {
        assert!(align_of::<T>() == align_of::<T::Int>() && size_of::<T>() == size_of::<T::Int>());
    }
    let integers: Box<[T::Int]> = vec![T::Int::default(); len as usize].into_boxed_slice();
    // SAFETY: size and alignment were just compared (on some targets of 32 bits the latter
    // differ), and the trait's rule is that the bits of the one are those of the other.
    unsafe { Box::from_raw(Box::into_raw(integers) as *mut [T]) }
}

/// An atomic and its integer.
///
/// # Safety
/// Whatever bits the integer has, the atomic may have.
pub(crate) unsafe trait AtomicInt {
    type Int: Clone + Default;
}

// SAFETY: as the standard library says of what it wraps, here and below.
unsafe impl AtomicInt for memory::Word {
    type Int = u64;
}

// SAFETY: see above.
unsafe impl AtomicInt for memory::Half {
    type Int = u32;
}

// SAFETY: see above.
unsafe impl AtomicInt for memory::Byte {
    type Int = u8;
}
