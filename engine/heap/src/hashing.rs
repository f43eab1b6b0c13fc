//! Hashes of texts, numbers and identities, keyed so that who chooses keys cannot choose
//! which of them collide.
//!
//! Strangers choose the keys of maps: those of a JSON body, of a query, of what a program
//! groups by. With a known hash function they choose keys that all begin their search at one
//! place, and each access then goes over all of them. So each heap has a key of its own, from
//! the platform's entropy; nothing that a program can see depends on it, since maps are in
//! order of insertion.
//!
//! - Texts: SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), which
//!   keeps its key whatever the texts are.
//! - Numbers and identity hashes: two multiplications to 128 bits, folded, the first one by the
//!   key. They cost hardly more than an unkeyed hash; where keys collide cannot be told without
//!   the key, of which no output is ever shown.

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

/// The hash functions of one heap.
#[derive(Debug)]
pub(crate) struct Hashing {
    key: [AtomicU64; 2],
}

impl Default for Hashing {
    /// Known keys, until others are set: heaps of tests have them.
    fn default() -> Self {
        Hashing {
            key: [0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908].map(AtomicU64::new),
        }
    }
}

impl Hashing {
    pub(crate) fn set_key(&self, key: [u64; 2]) {
        for (slot, half) in self.key.iter().zip(key) {
            slot.store(half, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn key(&self) -> [u64; 2] {
        [
            self.key[0].load(Ordering::Relaxed),
            self.key[1].load(Ordering::Relaxed),
        ]
    }

    /// Hash of a text.
    #[inline]
    pub(crate) fn text(&self, text: &[u8]) -> u64 {
        let [first, second] = self.key();
        SipHasher13::new_with_keys(first, second).hash(text)
    }

    /// Hash of a word that is no text.
    #[inline(always)]
    pub(crate) fn word(&self, word: u64) -> u64 {
        let [first, second] = self.key();
        // The odd factor: no key makes it zero, which would send all words to one place.
        fold(fold(word ^ first, second | 1), 0x9E37_79B9_7F4A_7C15)
    }
}

/// Both halves of a product in one: the low half alone has no trace of the high bits of its
/// factors in its low bits, the high half none of the low ones.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_published_hashes() {
        // SipHash-1-3 with the key 00 01 … 0F; Rust's own tests have the same table.
        let hashing = Hashing::default();
        assert_eq!(hashing.text(&[]), 0xABAC_0158_050F_C4DC);
        assert_eq!(hashing.text(&[0]), 0xC9F4_9BF3_7D57_CA93);
    }

    #[test]
    fn another_key_is_another_function() {
        let (a, b) = (Hashing::default(), Hashing::default());
        b.set_key([3, 4]);
        assert_ne!(a.text(b"key"), b.text(b"key"));
        assert_ne!(a.word(7), b.word(7));
    }

    #[test]
    fn words_in_a_row_are_spread() {
        let hashing = Hashing::default();
        hashing.set_key([0xD1B5_4A32_D192_ED03, 0]);
        for shift in [0, 16, 32, 44] {
            let mut places = [0u32; 256];
            for word in 0..1024u64 {
                places[(hashing.word(word << shift) >> 32) as usize & 0xFF] += 1;
            }
            assert!(places.iter().all(|&count| count < 64), "{shift}");
        }
    }
}
