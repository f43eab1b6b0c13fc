//! What an operation is about to allocate, and how many blocks that takes at most.

use crate::allocator::NeedsMemory;
use crate::space::Region;
use gcrucible_platform::planted;

/// The objects that one operation allocates without a collection between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    block_words: u32,
    large_words: u64,
    /// Blocks of the large objects, which have theirs alone.
    large_blocks: u64,
    small_words: u64,
    /// Words of the largest object that is no large one.
    largest_small: u32,
}

impl Demand {
    /// Objects of these sizes, in words.
    #[inline]
    pub(crate) fn new(region: &Region, sizes: impl IntoIterator<Item = u32>) -> Self {
        let mut demand = Demand {
            block_words: region.block_words(),
            large_words: 0,
            large_blocks: 0,
            small_words: 0,
            largest_small: 0,
        };
        for words in sizes {
            if region.is_large(words) {
                demand.large_words += u64::from(words);
                demand.large_blocks += u64::from(words.div_ceil(demand.block_words));
            } else {
                demand.small_words += u64::from(words);
                demand.largest_small = demand.largest_small.max(words);
            }
        }
        demand
    }

    /// Words of all objects.
    pub(crate) fn words(&self) -> u64 {
        self.large_words + self.small_words
    }

    /// Words of the objects that lie in allocation buffers.
    pub(crate) fn small_words(&self) -> u64 {
        self.small_words
    }

    /// The words, if the objects fit in one chunk of an allocation buffer that may lie in
    /// any block.
    pub(crate) fn chunk_words(&self) -> Option<u32> {
        let most = u64::from(self.block_words / 2);
        (self.large_blocks == 0 && self.small_words <= most).then_some(self.small_words as u32)
    }

    /// Blocks that have to be opened for them, at most.
    pub(crate) fn blocks(&self) -> u64 {
        if self.small_words == 0 {
            return self.large_blocks;
        }
        // A block is left when the next object does not fit in what is left of it, which is
        // then smaller than the largest one, a canary included.
        let filled = u64::from(self.block_words - self.largest_small);
        let partial = u64::from(!planted!(B292, !self.small_words.is_multiple_of(filled)));
        self.large_blocks + self.small_words / filled + partial
    }

    /// The words that these blocks have.
    pub(crate) fn room(&self) -> u32 {
        NeedsMemory::of_bytes(self.blocks() * u64::from(self.block_words) * 8).words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HeapConfig;

    fn demand(sizes: &[u32]) -> Demand {
        let config = HeapConfig {
            block_bytes: 512,
            ..HeapConfig::tiny()
        };
        let region = Region::new(&config).expect("address space for a tiny heap");
        Demand::new(&region, sizes.iter().copied())
    }

    #[test]
    fn large_objects_have_their_blocks_alone() {
        // A block has 64 words, and an object of more than 32 is large.
        assert_eq!(demand(&[33, 64, 65, 640]).blocks(), 1 + 1 + 2 + 10);
        assert_eq!(demand(&[33, 32, 640]).blocks(), 1 + 2 + 10);
        assert_eq!(demand(&[33]).chunk_words(), None);
        assert_eq!(demand(&[65, 4]).words(), 69);
        assert_eq!(demand(&[65, 4]).small_words(), 4);
    }

    #[test]
    fn what_fits_in_half_a_block_is_one_chunk() {
        assert_eq!(demand(&[16, 16]).chunk_words(), Some(32));
        assert_eq!(demand(&[16, 17]).chunk_words(), None);
        assert_eq!(demand(&[]).chunk_words(), Some(0));
    }

    #[test]
    fn blocks_are_enough_for_objects_one_after_the_other() {
        for largest in 2..=32 {
            for least in 2..=largest {
                let sizes: Vec<u32> = (0..500)
                    .map(|nth| if nth % 2 == 0 { least } else { largest })
                    .collect();
                let mut taken = 0;
                let mut left = 0;
                for &words in &sizes {
                    if words > left {
                        taken += 1;
                        // The last word of the block is a canary.
                        left = 63;
                    }
                    left -= words;
                }
                let most = demand(&sizes).blocks();
                assert!(taken <= most, "{least} and {largest}: {taken} of {most}");
                assert!(most <= 2 * taken + 1, "{least} and {largest}: {most}");
            }
        }
    }
}
