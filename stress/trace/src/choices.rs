//! The one source of chance: bounded choices.
//!
//! Everything that the generators draw comes through [`Choices`], so that a campaign's
//! seed, a fuzzer's bytes and proptest explore the same space.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// A source of bounded choices.
pub trait Choices {
    /// A number below `bound`; 0 when `bound` is 0 or 1.
    fn below(&mut self, bound: u32) -> u32;

    /// True about `numerator` times out of `denominator`.
    fn chance(&mut self, numerator: u32, denominator: u32) -> bool {
        self.below(denominator) < numerator
    }

    /// A number of `from..=to`; `from` when the range is empty.
    fn within(&mut self, from: u32, to: u32) -> u32 {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    /// A whole 64-bit number.
    fn bits(&mut self) -> u64 {
        let part = 1 << 16;
        (0..4).fold(0, |bits, _| (bits << 16) | u64::from(self.below(part)))
    }

    /// Index into `weights`, each chosen in proportion to its weight; 0 when all are 0.
    fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut rest = self.below(total);
        for (index, &weight) in weights.iter().enumerate() {
            if rest < weight {
                return index;
            }
            rest -= weight;
        }
        0
    }
}

/// Choices from a seed: what campaigns use.
#[derive(Clone, Debug)]
pub struct SeededChoices(Xoshiro256PlusPlus);

impl SeededChoices {
    /// A stream of choices that depends on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }
}

impl Choices for SeededChoices {
    fn below(&mut self, bound: u32) -> u32 {
        if bound <= 1 {
            return 0;
        }
        // Multiply-shift (Lemire 2019) without the rejection step: the bias is below
        // 2^-32 * bound, which no generator notices.
        ((self.0.next_u32() as u64 * u64::from(bound)) >> 32) as u32
    }

    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Choices from bytes: a fuzzer's input or what proptest drew. Zero when they run out,
/// so that an input's prefix is a smaller scenario.
#[derive(Clone, Debug)]
pub struct ByteChoices<'a> {
    bytes: &'a [u8],
}

impl<'a> ByteChoices<'a> {
    /// Choices that use up `bytes` from the front.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

impl Choices for ByteChoices<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        if bound <= 1 {
            return 0;
        }
        let wanted = if bound <= 1 << 8 {
            1
        } else if bound <= 1 << 16 {
            2
        } else {
            4
        };
        let (head, tail) = self.bytes.split_at(wanted.min(self.bytes.len()));
        self.bytes = tail;
        let drawn = head
            .iter()
            .fold(0u32, |n, &byte| (n << 8) | u32::from(byte));
        drawn % bound
    }
}

impl Choices for arbitrary::Unstructured<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        if bound <= 1 {
            return 0;
        }
        self.int_in_range(0..=bound - 1).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_stay_below_their_bound() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut sources: [Box<dyn Choices>; 3] = [
            Box::new(SeededChoices::new(1)),
            Box::new(ByteChoices::new(&bytes)),
            Box::new(arbitrary::Unstructured::new(&bytes)),
        ];
        for source in &mut sources {
            for bound in [1, 2, 3, 10, 257, 70_000] {
                for _ in 0..50 {
                    assert!(source.below(bound) < bound);
                }
            }
            assert_eq!(source.below(0), 0);
        }
    }

    #[test]
    fn weights_of_zero_are_never_chosen() {
        let mut choices = SeededChoices::new(2);
        assert!((0..200).all(|_| choices.weighted(&[0, 3, 0, 1]) % 2 == 1));
    }
}
