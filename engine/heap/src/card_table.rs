//! The remembered set: one byte for each card, a small piece of the region.
//!
//! A card is dirty when a slot in it may hold a reference from an old object to a young
//! one. The card is the *slot's*, not the object's: a large object has many. To scan a
//! dirty card, the collector needs the object that covers its first word; the
//! object-start table gives it, for cards of the old generation.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::space::{WORD_BYTES, zeroed};
use crate::value::Offset;

pub(crate) struct CardTable {
    cards: Box<[AtomicU8]>,
    /// For each card the object that covers its first word.
    starts: Box<[AtomicU32]>,
    shift: u32,
}

impl CardTable {
    /// Smallest card, in bytes.
    pub(crate) const MIN_CARD_BYTES: u32 = 64;

    pub(crate) fn new(region_words: u32, card_words: u32) -> Self {
        let mut table = CardTable {
            cards: Box::default(),
            starts: Box::default(),
            shift: 0,
        };
        table.resize(region_words, card_words);
        table
    }

    /// Cuts the region into cards of this size. The cards' contents are undefined until
    /// [`CardTable::clear`] of the blocks that become old.
    pub(crate) fn resize(&mut self, region_words: u32, card_words: u32) {
        let card_words = card_words.max(Self::MIN_CARD_BYTES / WORD_BYTES);
        assert!(card_words.is_power_of_two(), "card size is a power of two");
        let needed = (region_words / card_words) as usize + 1;
        if self.cards.len() < needed {
            self.cards = zeroed(needed as u32);
            self.starts = zeroed(needed as u32);
        }
        self.shift = card_words.trailing_zeros();
    }

    #[inline(always)]
    pub(crate) fn card_of(&self, offset: Offset) -> u32 {
        offset >> self.shift
    }

    pub(crate) fn card_start(&self, card: u32) -> Offset {
        card << self.shift
    }

    /// Remembers the slot at `slot`. Without the mark a minor collection would not see
    /// the reference in it.
    #[inline(always)]
    pub(crate) fn mark(&self, slot: Offset) {
        self.cards[(slot >> self.shift) as usize].store(1, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn is_dirty(&self, card: u32) -> bool {
        self.cards[card as usize].load(Ordering::Relaxed) != 0
    }

    pub(crate) fn clean(&self, card: u32) {
        self.cards[card as usize].store(0, Ordering::Relaxed);
    }

    /// Cleans all cards of `from..to`.
    pub(crate) fn clear(&self, from: Offset, to: Offset) {
        for card in self.card_of(from)..=self.card_of(to.saturating_sub(1).max(from)) {
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
        }
    }

    /// The old object that covers the first word of a card.
    pub(crate) fn object_at(&self, card: u32) -> Offset {
        self.starts[card as usize].load(Ordering::Relaxed)
    }
}
