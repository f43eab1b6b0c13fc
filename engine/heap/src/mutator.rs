//! Reading, writing and allocating under a shared permit.

mod array;
mod bulk;
mod channel;
mod comparing;
mod copy;
mod copying;
mod deep;
mod fork;
mod future;
mod grant;
mod map;
mod memo;
mod mutex;
mod record;
mod sizes;
mod stream;
mod text;
mod weak;

use std::marker::PhantomData;
use std::sync::Arc;

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gcrucible_platform::sync::{memory, thread};

use crate::allocator::{NeedsMemory, Terms};
use crate::checks::Checks;
use crate::fault::{FaultKind, HeapFault};
use crate::heap::Heap;
use crate::object::{HEADER_WORDS, Header, Kind};
use crate::space::{BlockUse, Generation, Region};
use crate::tlab::Buffer;
use crate::value::{Offset, Value, Word};

pub use channel::{Received, Sent};
pub use comparing::Comparing;
pub use copying::Copying;
pub use fork::ForkStop;
pub use future::FutureState;
pub use grant::Grant;
pub use map::MapStoreError;
pub use mutex::Acquired;
pub use sizes::Sizes;
pub use stream::StreamState;
pub(crate) use text::string_words;

/// Access to objects for one holder.
///
/// Everything it returns borrows the permit (`'p`). No method collects: an allocation
/// that finds no memory says [`NeedsMemory`] before it has changed anything, and the
/// caller gives the permit back, lets the engine collect, and tries again.
///
/// Methods that take a value of a certain kind return `None` (or `false`) for any other.
#[derive(Debug)]
pub struct Mutator<'p, C: Checks> {
    heap: &'p Heap,
    pub(crate) tlab: &'p Arc<Buffer>,
    site: u32,
    /// It stays on the thread of its permit.
    checks: PhantomData<(C, *const ())>,
}

impl<C: Checks> Clone for Mutator<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Checks> Copy for Mutator<'_, C> {}

impl<'p, C: Checks> Mutator<'p, C> {
    /// Only for the permit, which has leased the buffer.
    pub(crate) fn new(heap: &'p Heap, tlab: &'p Arc<Buffer>) -> Self {
        Mutator {
            heap,
            tlab,
            site: 0,
            checks: PhantomData,
        }
    }

    /// The same access, noting `site` as the place of what it allocates; reports of stale
    /// references name it.
    #[inline(always)]
    #[must_use]
    pub fn at_site(self, site: u32) -> Self {
        Mutator { site, ..self }
    }

    /// Whether the slice must end at its next safepoint.
    #[inline(always)]
    pub fn is_poll_requested(&self) -> bool {
        self.heap.is_poll_requested()
    }

    /// The kind of object, or `None` for an immediate value.
    #[inline(always)]
    pub fn kind(&self, value: Value<'p>) -> Option<Kind> {
        if !value.is_object() {
            return None;
        }
        self.region().header(self.offset(value)).kind()
    }

    /// The shape: class of an instance, function of a closure, variant of an enum value,
    /// kind number of an error.
    pub fn shape(&self, value: Value<'p>) -> Option<u16> {
        value
            .is_object()
            .then(|| self.region().header(self.offset(value)).shape())
    }

    /// The generation that an object is in.
    pub fn generation(&self, value: Value<'p>) -> Option<Generation> {
        value
            .is_object()
            .then(|| self.region().block_at(self.offset(value)).generation())
            .flatten()
    }

    /// The object's identity hash: drawn from the holder's counter when first asked for,
    /// kept in the header, moved with the object. 0 for an immediate.
    pub fn identity_hash(&self, value: Value<'p>) -> u32 {
        if !value.is_object() {
            return 0;
        }
        let word = self.region().word(self.offset(value) + 1);
        let now = word.load(Relaxed);
        if now as u32 != 0 {
            return now as u32;
        }
        if planted!(B24, self.generation(value) != Some(Generation::Young0)) {
            return self.offset(value);
        }
        let drawn = u64::from(self.tlab.next_hash());
        match word.compare_exchange(now, now | drawn, Relaxed, Relaxed) {
            Ok(_) => drawn as u32,
            Err(other) => other as u32,
        }
    }

    /// The identity hash of an object that has been asked for it; something else of a storage,
    /// which has none.
    fn known_hash(&self, value: Value<'p>) -> Option<u32> {
        let word = self.region().word(self.offset(value) + 1);
        let hash = word.load(Relaxed) as u32;
        (hash != 0).then_some(hash)
    }

    /// The heap that it accesses.
    #[inline(always)]
    pub fn heap(&self) -> &'p Heap {
        self.heap
    }

    #[inline(always)]
    fn region(&self) -> &'p Region {
        self.heap.region()
    }

    /// The value in a word that was just read; in the checked copy, not without a look at
    /// what it leads to.
    #[inline(always)]
    pub(crate) fn checked(&self, word: Word) -> Value<'p> {
        if C::ENABLED {
            if word.is_object() {
                self.check_object(word);
            } else if !word.is_well_formed() {
                let what = if word.is_poison() {
                    FaultKind::Poison
                } else {
                    FaultKind::Corrupt
                };
                HeapFault::new(what).raise();
            }
        }
        Value::from_word(word)
    }

    /// The offset of an object value.
    #[inline(always)]
    fn offset(&self, value: Value<'p>) -> Offset {
        value.word().offset()
    }

    /// Panics with a [`HeapFault`] if the reference does not lead to a live object.
    fn check_object(&self, word: Word) {
        let region = self.region();
        let block = region.block_at(word.offset());
        let is_live = matches!(block.usage(), BlockUse::Objects(_) | BlockUse::LargeHead(_));
        if is_live && self.heap.debug().tags && word.tag() != block.epoch() {
            HeapFault::new(FaultKind::StaleTag).raise();
        }
        if !is_live && block.usage() != BlockUse::Quarantined {
            HeapFault::new(FaultKind::FreeMemory).raise();
        }
        let header = region.header(word.offset());
        let Some(kind) = header.kind() else {
            let is_poison = Word(header.0).is_poison();
            let what = if is_poison {
                FaultKind::Poison
            } else {
                FaultKind::Corrupt
            };
            HeapFault::new(what).raise();
        };
        if is_live && kind != Kind::Filler && !header.has(Header::FORWARDED | Header::ZOMBIE) {
            return;
        }
        let second = region.raw(word.offset() + 1);
        let fault = if header.has(Header::FORWARDED) {
            HeapFault {
                kind: Some(kind),
                ..HeapFault::new(FaultKind::MovedObject)
            }
        } else if header.has(Header::ZOMBIE) {
            HeapFault {
                what: FaultKind::Zombie,
                kind: Some(kind),
                allocated_at: Some((second >> 32) as u32),
                died_in_collection: Some(second as u32),
            }
        } else {
            HeapFault::new(FaultKind::FreeMemory)
        };
        fault.raise()
    }

    /// The offset of `value` if it is an object of this kind.
    #[inline(always)]
    fn as_kind(&self, value: Value<'p>, kind: Kind) -> Option<Offset> {
        if !value.is_object() {
            return None;
        }
        let at = self.offset(value);
        (self.region().header(at).kind_number() == kind as u8).then_some(at)
    }

    /// Makes sure that allocations of `words` words in all, each smaller than a large
    /// object, succeed without a collection between.
    ///
    /// # Errors
    /// When a collection is due first.
    ///
    /// # Panics
    /// If no block has so many words.
    #[inline(always)]
    pub fn reserve(&self, words: u32) -> Result<(), NeedsMemory> {
        if self.tlab.room() >= words {
            return Ok(());
        }
        self.heap.refill(self.tlab, words)
    }

    /// A new object, its body not yet written. The caller fills every word of it before
    /// anything else is allocated or published.
    #[inline(always)]
    fn allocate(&self, kind: Kind, shape: u16, words: u32) -> Result<Offset, NeedsMemory> {
        debug_assert!(words >= HEADER_WORDS, "an object has a header");
        let at = if self.region().is_large(words) {
            self.allocate_large(words)?
        } else {
            self.reserve(words)?;
            self.tlab.bump(words)
        };
        self.write_header(at, kind, shape, words);
        Ok(at)
    }

    #[cold]
    fn allocate_large(&self, words: u32) -> Result<Offset, NeedsMemory> {
        self.tlab.refuse_readers();
        let (terms, bytes) = (self.heap.terms(self.tlab), u64::from(words) * 8);
        let account = self.tlab.account();
        let mut allocator = self.heap.allocator.lock();
        if terms != Terms::Granted && allocator.refuses(account, bytes) {
            return Err(NeedsMemory { words });
        }
        let at = allocator.within_grant(terms, self.tlab, |allocator| {
            allocator.large(self.region(), Generation::Young0, words, terms)
        })?;
        if let Some(account) = account {
            account.note_allocated(bytes);
        }
        Ok(at)
    }

    #[inline(always)]
    fn write_header(&self, at: Offset, kind: Kind, shape: u16, words: u32) {
        self.region().set_raw(at + 1, u64::from(self.site) << 32);
        self.region()
            .set_header(at, Header::new(kind, shape, words));
    }

    /// The reference to an object.
    #[inline(always)]
    fn reference(&self, at: Offset) -> Value<'p> {
        let tag = if C::ENABLED && self.heap.debug().tags {
            self.region().block_at(at).epoch()
        } else {
            0
        };
        Value::from_word(Word::object(at, tag))
    }

    /// Fills slots of an object that nobody else can see yet; it is young, so there is no
    /// barrier.
    #[inline(always)]
    fn initialise(&self, at: Offset, first: u32, values: &[Value<'p>]) {
        for (index, value) in values.iter().enumerate() {
            self.region()
                .set_raw(at + first + index as u32, value.word().0);
        }
    }

    fn initialise_nil(&self, at: Offset, first: u32, count: u32) {
        self.region()
            .fill(at + first, at + first + count, Word::NIL.0);
    }

    /// Reads slot `index` of an object.
    #[inline(always)]
    fn get(&self, object: Offset, index: u32) -> Value<'p> {
        self.checked(self.region().slot(object + index).get())
    }

    /// Writes slot `index` of an object, with its barrier.
    #[inline(always)]
    fn set(&self, object: Offset, index: u32, value: Value<'p>) {
        self.write_barrier(object, object + index, value.word());
        self.region().slot(object + index).set(value.word());
    }

    /// The precise barrier: marks the slot's card when an old object gets a reference to a
    /// young one. Without it, the next minor collection frees or moves the young object
    /// without the old one knowing. It and the store lie between the same two safepoints.
    #[inline(always)]
    fn write_barrier(&self, object: Offset, slot: Offset, value: Word) {
        if self.needs_mark(object, value) {
            let kind = || self.region().header(object).kind();
            if planted!(B03, kind() == Some(Kind::Instance))
                || planted!(B04d, kind() == Some(Kind::Array))
                || planted!(B05, kind() == Some(Kind::Cell))
                || planted!(B07, kind() == Some(Kind::Future))
            {
                return;
            }
            let cards = &self.region().cards;
            if planted!(B10, cards.card_of(object) != cards.card_of(slot)) {
                return cards.mark(object);
            }
            cards.mark(slot);
            self.heap.counters.cards_marked.add(1);
        }
    }

    #[inline(always)]
    fn needs_mark(&self, object: Offset, value: Word) -> bool {
        value.is_object()
            && self.region().block_at(object).is_old()
            && self.region().block_at(value.offset()).is_young()
    }

    /// The conservative barrier over `count` slots, for built-ins that shuffle what they hold:
    /// every card is marked, then slots are written plainly. It and the writes lie between
    /// the same two safepoints.
    fn will_store_range(&self, object: Offset, first: u32, count: u32) {
        if count == 0 || !self.region().block_at(object).is_old() {
            return;
        }
        let cards = &self.region().cards;
        let (from, to) = (object + first, object + first + count - 1);
        let (first, last) = (cards.card_of(from), cards.card_of(to));
        for card in first..=last {
            if planted!(B269, first < card && card < last) {
                continue;
            }
            cards.mark(cards.card_start(card));
            self.heap.counters.cards_marked.add(1);
        }
    }

    /// Writes a slot whose barrier was taken already.
    #[inline(always)]
    fn set_after_barrier(&self, object: Offset, index: u32, value: Value<'p>) {
        self.region().slot(object + index).set(value.word());
    }

    /// Holds an object's lock for a structural change. It is never held across a
    /// safepoint, since nothing that holds it can reach one.
    #[inline(always)]
    fn lock(&self, object: Offset) -> Locked<'p> {
        if !self.heap.is_parallel() {
            return Locked { header: None };
        }
        self.lock_contended(object)
    }

    fn lock_contended(&self, object: Offset) -> Locked<'p> {
        /// Attempts in a row before the thread lets others run: whoever holds the lock may be
        /// one that the system has set aside.
        const ATTEMPTS: u32 = 64;
        let header = self.region().word(object);
        let mut attempts = 0;
        loop {
            let now = Header(header.load(Relaxed)).without(Header::LOCKED);
            let locked = now.with(Header::LOCKED);
            if header
                .compare_exchange_weak(now.0, locked.0, Acquire, Relaxed)
                .is_ok()
            {
                return Locked {
                    header: Some(header),
                };
            }
            attempts += 1;
            if attempts % ATTEMPTS == 0 {
                thread::yield_now();
            } else {
                thread::spin_loop();
            }
        }
    }
}

/// A held object lock.
struct Locked<'p> {
    header: Option<&'p memory::Word>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(header) = self.header {
            let bit = !(u64::from(Header::LOCKED) << 8);
            header.fetch_and(bit, Release);
        }
    }
}
