//! The remembered set: one byte for each card, a small piece of the region.
//!
//! A card is dirty when a slot in it may hold a reference from an old object to a young
//! one. The card is the *slot's*, not the object's: a large object has many. To scan a
//! dirty card, the collector needs the object that covers its first word; the
//! object-start table gives it, for cards of the old generation.
//!
//! Address space for the cards of the whole region is reserved at once; the part in use
//! grows in steps as the old generation reaches further into the region.

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};
use gcrucible_platform::sync::memory;

use crate::space::{WORD_BYTES, zeroed};
use crate::value::Offset;

pub(crate) struct CardTable {
    cards: Box<[memory::Byte]>,
    /// For each card the object that covers its first word.
    starts: Box<[memory::Half]>,
    shift: u32,
    /// Cards below this number are in use; no old slot lies beyond.
    covered: AtomicU32,
}

impl CardTable {
    /// Smallest card, in bytes.
    pub(crate) const MIN_CARD_BYTES: u32 = 64;
    /// Words of the region that the table covers at first.
    const FIRST_WORDS: u32 = 4096;

    pub(crate) fn new(region_words: u32, card_words: u32) -> Self {
        let mut table = CardTable {
            cards: Box::default(),
            starts: Box::default(),
            shift: 0,
            covered: AtomicU32::new(0),
        };
        table.resize(region_words, card_words);
        table
    }

    /// Cuts the region into cards of this size. The cards' contents are undefined until
    /// [`CardTable::cover`] of the blocks that become old.
    pub(crate) fn resize(&mut self, region_words: u32, card_words: u32) {
        let card_words = card_words.max(Self::MIN_CARD_BYTES / WORD_BYTES);
        assert!(card_words.is_power_of_two(), "card size is a power of two");
        let needed = (region_words / card_words) as usize + 1;
        if self.cards.len() < needed {
            self.cards = zeroed(needed as u32);
            self.starts = zeroed(needed as u32);
        }
        self.shift = card_words.trailing_zeros();
        *self.covered.get_mut() = (Self::FIRST_WORDS >> self.shift).min(needed as u32);
    }

    #[inline(always)]
    pub(crate) fn card_of(&self, offset: Offset) -> u32 {
        offset >> self.shift
    }

    pub(crate) fn card_start(&self, card: u32) -> Offset {
        card << self.shift
    }

    /// Words of a card.
    pub(crate) fn card_words(&self) -> u32 {
        1 << self.shift
    }

    /// Remembers the slot at `slot`. Without the mark a minor collection would not see
    /// the reference in it.
    #[inline(always)]
    pub(crate) fn mark(&self, slot: Offset) {
        let card = self.card_of(slot);
        if self.is_covered(card) {
            self.cards[card as usize].store(1, Ordering::Relaxed);
        } else {
            self.mark_beyond(card);
        }
    }

    #[cold]
    fn mark_beyond(&self, card: u32) {
        assert!(
            planted!(B37),
            "the card table ends before card {card}, though it grows with the old generation"
        );
    }

    #[inline(always)]
    fn is_covered(&self, card: u32) -> bool {
        card < self.covered.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn is_dirty(&self, card: u32) -> bool {
        self.is_covered(card) && self.cards[card as usize].load(Ordering::Relaxed) != 0
    }

    pub(crate) fn clean(&self, card: u32) {
        if self.is_covered(card) {
            self.cards[card as usize].store(0, Ordering::Relaxed);
        }
    }

    /// Makes the table reach over `from..to`, which becomes old, and cleans its cards.
    pub(crate) fn cover(&self, from: Offset, to: Offset) {
        let last = self.card_of(to.saturating_sub(1).max(from));
        let covered = self.covered.load(Ordering::Relaxed);
        if last >= covered && !planted!(B37, covered > Self::FIRST_WORDS >> self.shift) {
            let grown = (last + 1).max(covered.saturating_mul(2));
            let all = self.cards.len() as u32;
            self.covered.store(grown.min(all), Ordering::Relaxed);
        }
        for card in self.card_of(from)..=last {
            self.clean(card);
        }
    }

    /// Notes that an old object lies at `start` with `words` words.
    pub(crate) fn note_object(&self, start: Offset, words: u32) {
        let mut card = self.card_of(start);
        if self.card_start(card) < start {
            card += 1;
        }
        while self.card_start(card) < start + words {
            self.starts[card as usize].store(start, Ordering::Relaxed);
            card += 1;
            if planted!(B270, self.card_start(card) < start + words) {
                break;
            }
        }
    }

    /// The old object that covers the first word of a card.
    pub(crate) fn object_at(&self, card: u32) -> Offset {
        self.starts[card as usize].load(Ordering::Relaxed)
    }
}
