//! What the allocator's lists say, against the block table and what lies in the blocks.

use super::Allocator;
use crate::space::{BlockUse, Generation, Region};

/// A book and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

impl Allocator {
    /// Compares every list and count with the block table. Right at any time at which the world is stopped.
    pub(crate) fn audit(&self, region: &Region) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if self.is_as_major_left_it {
            self.audit_spare(region, &mut wrong);
        }
        self.audit_lists(region, &mut wrong);
        self.audit_large(region, &mut wrong);
        self.audit_counts(region, &mut wrong);
        wrong
    }

    /// Each block is on the one list that its use says.
    fn audit_lists(&self, region: &Region, wrong: &mut Vec<Wrong>) {
        let mut lists: Vec<Option<&'static str>> = vec![None; region.used_end() as usize];
        let mut enter = |name: &'static str, block: u32, is_its_use: bool| {
            let Some(entry) = lists.get_mut(block as usize) else {
                wrong.push((name, format!("block {block} on it was never used")));
                return;
            };
            if let Some(other) = entry.replace(name) {
                let message = format!("block {block} is on it and on the list of {other} blocks");
                wrong.push((name, message));
            } else if !is_its_use {
                let usage = region.block(block).usage();
                wrong.push((name, format!("block {block} on it is {usage:?}")));
            }
        };
        for &block in self.free.iter().chain(&self.returned) {
            let usage = region.block(block).usage();
            enter("free", block, usage == BlockUse::Free);
        }
        for &(block, _) in &self.quarantine {
            let usage = region.block(block).usage();
            enter("quarantined", block, usage == BlockUse::Quarantined);
        }
        for generation in [Generation::Young0, Generation::Young1, Generation::Old] {
            for &block in self.blocks(generation) {
                let usage = region.block(block).usage();
                enter("object", block, usage == BlockUse::Objects(generation));
            }
        }
        for &head in &self.large {
            let is_large = matches!(
                region.block(head).usage(),
                BlockUse::LargeHead(Generation::Young0 | Generation::Young1 | Generation::Old)
            );
            enter("large object", head, is_large);
        }
        for block in self.versions.all_blocks() {
            let usage = region.block(block).usage();
            let is_its_use = matches!(
                usage,
                BlockUse::Objects(Generation::Immortal) | BlockUse::LargeHead(Generation::Immortal)
            );
            enter("compile-time", block, is_its_use);
        }
        for (block, list) in (0..).zip(lists) {
            let usage = region.block(block).usage();
            // Block 0 is never used, and what has never been given out is on no list.
            let needs_list = usage != BlockUse::LargeTail
                && (usage != BlockUse::Free || (1..self.fresh).contains(&block));
            if needs_list && list.is_none() {
                wrong.push(("block", format!("block {block}, {usage:?}, is on no list")));
            }
        }
    }

    /// A large object has the blocks that it needs, and no tail is without its head.
    fn audit_large(&self, region: &Region, wrong: &mut Vec<Wrong>) {
        let mut owned = 0;
        for block in 0..region.used_end() {
            match region.block(block).usage() {
                BlockUse::LargeHead(_) => {
                    if block < owned {
                        wrong.push(("large object", format!("block {block} is another one's")));
                    }
                    owned = block + region.block(block).top().div_ceil(region.block_words());
                }
                BlockUse::LargeTail if block >= owned => {
                    wrong.push(("large object", format!("block {block} belongs to none")));
                }
                BlockUse::LargeTail => {}
                _ if block < owned => {
                    wrong.push(("large object", format!("block {block} of one is not its")));
                    owned = 0;
                }
                _ => {}
            }
        }
    }

    /// After a collection of everything the process keeps as much memory as is in use, for the next one
    /// to copy to, and two nurseries; a mode that looks at free blocks keeps all.
    fn audit_spare(&self, region: &Region, wrong: &mut Vec<Wrong>) {
        let nursery = (self.nursery_budget_words).div_ceil(u64::from(region.block_words()));
        let most = 2 * (self.blocks_in_use + nursery);
        let resident = self.resident_blocks();
        if resident > most && !self.free.is_empty() && !self.has_canaries && !self.scribbles {
            let used = self.blocks_in_use;
            let message = format!("{resident} blocks have memory, {used} are in use");
            wrong.push(("free blocks", message));
        }
    }

    fn audit_counts(&self, region: &Region, wrong: &mut Vec<Wrong>) {
        let all = || (0..region.used_end()).map(|block| region.block(block));
        let is_in_use = |usage| !matches!(usage, BlockUse::Free | BlockUse::Quarantined);
        let in_use = all().filter(|block| is_in_use(block.usage())).count() as u64;
        if in_use != self.blocks_in_use {
            let message = format!("{} are counted, {in_use} are", self.blocks_in_use);
            wrong.push(("blocks in use", message));
        }
        let block_bytes = u64::from(region.block_words()) * 8;
        // All that was ever given out but block 0, which never is.
        let with_memory = u64::from(self.fresh - 1).saturating_sub(self.returned.len() as u64);
        if self.resident_bytes() != with_memory * block_bytes {
            let counted = self.resident_bytes();
            let message = format!("{counted} bytes are counted, {with_memory} blocks have memory");
            wrong.push(("resident bytes", message));
        }
        // Tails lie behind their head.
        let is_old = |was_old: &mut bool, usage: BlockUse| {
            *was_old = match usage {
                BlockUse::LargeTail => *was_old,
                BlockUse::Objects(generation) | BlockUse::LargeHead(generation) => {
                    generation == Generation::Old
                }
                BlockUse::Free | BlockUse::Quarantined => false,
            };
            Some(*was_old)
        };
        let usages = all().map(|block| block.usage());
        let old = usages.scan(false, is_old).filter(|&is_old| is_old).count() as u64;
        if self.old_bytes(region) != old * block_bytes {
            let counted = self.old_bytes(region);
            let message = format!("{counted} bytes are counted, {old} blocks are");
            wrong.push(("old bytes", message));
        }
        if self.overdrawn > 0 {
            let times = self.overdrawn;
            let message = format!("{times} times an operation has opened more than it asked for");
            wrong.push(("granted blocks", message));
        }
        let is_new = |usage| {
            matches!(
                usage,
                BlockUse::Objects(Generation::Young0) | BlockUse::LargeHead(Generation::Young0)
            )
        };
        let new: u64 = all()
            .filter(|block| is_new(block.usage()))
            .map(|block| u64::from(block.top()))
            .sum();
        if new != self.nursery_used_words {
            let counted = self.nursery_used_words;
            wrong.push(("nursery", format!("{counted} words are counted, {new} are")));
        }
        let overfull = |at: &u32| {
            let block = region.block(*at);
            matches!(block.usage(), BlockUse::Objects(_)) && block.top() > region.block_words()
        };
        if let Some(block) = (0..region.used_end()).find(overfull) {
            wrong.push(("block", format!("block {block} is filled beyond its end")));
        }
        for (&block, &live) in &self.sparse {
            let now = region.block(block);
            if !matches!(now.usage(), BlockUse::Objects(_)) || live > now.top() {
                let message = format!("{live} words live in block {block}, {:?}", now.usage());
                wrong.push(("sparse blocks", message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Checked;
    use crate::config::HeapConfig;
    use crate::debug_mode::CollectionKind;
    use crate::heap::Heap;
    use crate::holder::Holder;
    use crate::value::Value;

    /// The books that are wrong after `falsify` on a heap with small, large and freed objects.
    fn wrong(falsify: impl FnOnce(&mut Allocator, &Region)) -> Vec<&'static str> {
        let debug = "quarantine=1".parse().expect("a mode that exists");
        let heap = Heap::new(HeapConfig::tiny(), debug).expect("address space");
        let holder = Holder::new(&heap, "test", 3);
        let fill = || {
            let permit = heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Checked>(holder.tlab());
            let registers = holder.registers();
            m.store(&registers[0], m.instance(1, &[]).expect("room"));
            let large = m.instance(1, &[Value::NIL; 300]).expect("room");
            m.store(&registers[1], large);
            m.instance(1, &[Value::NIL; 300]).expect("room");
        };
        let keep = || {
            let permit = heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Checked>(holder.tlab());
            m.store(&holder.registers()[2], m.instance(1, &[]).expect("room"));
        };
        keep();
        for _ in 0..3 {
            fill();
            let mut permit = heap.try_exclusive().expect("no permit is held");
            permit.collect(CollectionKind::Minor);
        }
        fill();
        let mut allocator = heap.allocator.lock();
        falsify(&mut allocator, heap.region());
        let wrong = allocator.audit(heap.region());
        wrong.into_iter().map(|(book, _)| book).collect()
    }

    fn find(region: &Region, usage: BlockUse) -> u32 {
        let is_it = |&block: &u32| region.block(block).usage() == usage;
        (0..region.used_end()).find(is_it).expect("there is one")
    }

    #[test]
    fn right_books_are_right() {
        assert_eq!(wrong(|_, _| {}), [""; 0]);
    }

    #[test]
    fn each_wrong_book_is_found() {
        let in_use = ["blocks in use", "resident bytes"];
        assert_eq!(wrong(|a, _| a.blocks_in_use += 1), in_use);
        let bytes = ["resident bytes", "old bytes"];
        assert_eq!(wrong(|a, _| a.block_bytes += 8), bytes);
        assert_eq!(wrong(|a, _| a.nursery_used_words -= 300), ["nursery"]);
        assert_eq!(wrong(|a, _| a.overdrawn += 1), ["granted blocks"]);
        assert_eq!(wrong(|a, _| a.free.extend_from_within(..1))[0], "free");
        let losses: [fn(&mut Allocator); 3] = [
            |a| a.free.truncate(a.free.len() - 1),
            |a| a.large.truncate(a.large.len() - 1),
            |a| a.quarantine.truncate(a.quarantine.len() - 1),
        ];
        for lose in losses {
            assert_eq!(wrong(|a, _| lose(a))[0], "block");
        }
        let freed = |a: &mut Allocator, _: &Region| {
            a.sparse.insert(a.free[0], 1);
        };
        assert_eq!(wrong(freed), ["sparse blocks"]);
        let tail = |a: &mut Allocator, region: &Region| {
            let block = find(region, BlockUse::Free).max(a.free[0]);
            region.set_block_use(block, BlockUse::LargeTail);
            a.free.retain(|&it| it != block);
            a.blocks_in_use += 1;
        };
        assert_eq!(wrong(tail), ["large object"]);
        let lost = |a: &mut Allocator, region: &Region| {
            let block = find(region, BlockUse::LargeTail);
            region.set_block_use(block, BlockUse::Free);
            a.free.push(block);
            a.blocks_in_use -= 1;
        };
        assert_eq!(wrong(lost), ["large object"]);
    }
}
