//! Blocks of compile-time objects: a set for each version of a program.

use super::{Allocator, NeedsMemory};
use crate::space::{BlockUse, Generation, Region};
use crate::value::Offset;
use gcrucible_platform::planted;

/// Versions opened after a major collection before the next is due for their sake.
const VERSIONS_PER_MAJOR: u32 = 8;

/// The sets, by number of their version.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// First blocks: of large objects the head stands for all.
    blocks: std::collections::BTreeMap<u32, Vec<u32>>,
    opened: u32,
    /// Those opened since the last major collection.
    opened_since: u32,
}

impl Versions {
    /// First blocks of all sets.
    pub(super) fn all_blocks(&self) -> impl Iterator<Item = u32> {
        self.blocks.values().flatten().copied()
    }
}

impl Allocator {
    /// Opens the set of a new version, and gives its number.
    pub(crate) fn open_version(&mut self) -> u32 {
        let versions = &mut self.versions;
        let number = versions.opened;
        versions.opened += 1;
        versions.opened_since += 1;
        versions.blocks.insert(number, Vec::new());
        number
    }

    /// Closes a set that has come to its end without a block: nothing would ever free it.
    pub(crate) fn close_if_empty(&mut self, number: u32) {
        let blocks = self.versions.blocks.get(&number);
        if blocks.is_some_and(Vec::is_empty) {
            self.versions.blocks.remove(&number);
        }
    }

    /// Sets that were ever opened.
    pub(crate) fn opened_versions(&self) -> u32 {
        self.versions.opened
    }

    /// Sets that were not freed.
    pub(crate) fn open_versions(&self) -> u64 {
        self.versions.blocks.len() as u64
    }

    /// Whether so many versions have come since the last major collection that the next
    /// collection should be one: nothing else frees those that are gone.
    pub(crate) fn has_many_new_versions(&self) -> bool {
        self.versions.opened_since > VERSIONS_PER_MAJOR
    }

    /// One more block for a version.
    pub(crate) fn version_block(&mut self, region: &Region, version: u32) -> Option<Offset> {
        let block = self.take_block(region, BlockUse::Objects(Generation::Immortal))?;
        self.blocks_of(version).push(block);
        Some(region.block_start(block))
    }

    /// A run of blocks for one large object of a version.
    pub(crate) fn version_large(
        &mut self,
        region: &Region,
        version: u32,
        words: u32,
    ) -> Result<Offset, NeedsMemory> {
        let count = words.div_ceil(region.block_words());
        if self.is_at_limit(u64::from(count)) {
            return Err(NeedsMemory { words });
        }
        let head = self.take_run(region, Generation::Immortal, words)?;
        self.blocks_of(version).push(head);
        Ok(region.block_start(head))
    }

    fn blocks_of(&mut self, version: u32) -> &mut Vec<u32> {
        let blocks = self.versions.blocks.get_mut(&version);
        blocks.expect("a version is not freed while it is made")
    }

    /// Ends a major collection: closes the sets of which it reached nothing and gives their
    /// blocks, to be retired. A set that has no block yet stays.
    pub(crate) fn unreached_versions(&mut self, region: &Region) -> Vec<u32> {
        self.versions.opened_since = 0;
        let mut unreached = Vec::new();
        self.versions.blocks.retain(|_, blocks| {
            let mut is_reached = blocks.is_empty();
            let count = if planted!(B288, blocks.len() > 1) {
                1
            } else {
                blocks.len()
            };
            for &block in &blocks[..count] {
                is_reached |= region.take_reached(block);
            }
            if !is_reached {
                unreached.append(blocks);
            }
            is_reached
        });
        unreached
    }
}
