//! Numbers of objects by their identity, valid across collections.

use crate::slot::Slot;
use crate::value::Offset;

/// Tables of which each grows on its own: no one step of a long operation pays for all.
const SHARDS: usize = 256;

/// Which number an object has. It is found by its identity hash, which moves with it, and told
/// from others of the same hash by the slot that holds it.
#[derive(Debug, Default)]
pub(super) struct Memo {
    shards: Vec<Shard>,
}

/// Open addressing: hash and number plus one, 0 where nothing is; at most half full.
#[derive(Clone, Debug, Default)]
struct Shard {
    entries: Vec<(u32, u32)>,
    len: usize,
}

fn mixed(hash: u32) -> u32 {
    hash.wrapping_mul(0x9E37_79B9)
}

impl Memo {
    /// The number of the object at `at`, of which `objects` has those that have numbers.
    pub(super) fn find(&self, hash: u32, at: Offset, objects: &[Slot]) -> Option<u32> {
        let hash = mixed(hash);
        let shard = self.shards.get(hash as usize >> 24)?;
        if shard.entries.is_empty() {
            return None;
        }
        let mask = shard.entries.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let (found, number) = shard.entries[place];
            let number = number.checked_sub(1)?;
            if found == hash && objects[number as usize].get().offset() == at {
                return Some(number);
            }
            place = (place + 1) & mask;
        }
    }

    /// Gives an object that has none a number.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        if self.shards.is_empty() {
            self.shards = vec![Shard::default(); SHARDS];
        }
        let hash = mixed(hash);
        self.shards[hash as usize >> 24].insert(hash, number + 1);
    }
}

impl Shard {
    fn insert(&mut self, hash: u32, number: u32) {
        if self.len * 2 >= self.entries.len() {
            let more = vec![(0, 0); (self.entries.len() * 2).max(8)];
            let before = std::mem::replace(&mut self.entries, more);
            for (hash, number) in before {
                if number != 0 {
                    self.put(hash, number);
                }
            }
        }
        self.put(hash, number);
        self.len += 1;
    }

    fn put(&mut self, hash: u32, number: u32) {
        let mask = self.entries.len() - 1;
        let mut place = hash as usize & mask;
        while self.entries[place].1 != 0 {
            place = (place + 1) & mask;
        }
        self.entries[place] = (hash, number);
    }
}
