//! What a collection says that it did, against what it has left.
//!
//! Counts and modes are believed: that a mode has done something is known from a count, and that
//! stale references are found from a quarantine that lasts. A wrong one breaks no object. So the
//! heap is counted before the collection and afterwards, by walks over its blocks.

use std::sync::Arc;

use crate::account::MemoryAccount;
use crate::debug_mode::CollectionKind;
use crate::heap::{CollectionReport, Heap};
use crate::object::{Header, Kind, pattern};
use crate::space::{BlockUse, Generation, Region};
use crate::value::Offset;
use crate::verifier::Violation;

/// A block as it was when the collection began.
#[derive(Clone, Copy, Debug)]
struct Before {
    usage: BlockUse,
    top: u32,
    /// Words of it that somebody had scribbled on.
    scribbled: u64,
}

/// Objects of the movable heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Objects {
    /// Of the young generations, in blocks that several objects share.
    young: u64,
    /// Of the old generation, in such blocks.
    old: u64,
    /// Of the young generations, with blocks of their own.
    young_large: u64,
    /// Of the old generation, with blocks of their own.
    old_large: u64,
}

impl Objects {
    fn count(region: &Region) -> Objects {
        let mut objects = Objects::default();
        for block in 0..region.used_end() {
            match region.block(block).usage() {
                BlockUse::Objects(generation) if generation != Generation::Immortal => {
                    let count = if generation.is_young() {
                        &mut objects.young
                    } else {
                        &mut objects.old
                    };
                    // What cannot be walked is reported by who walks it for its objects' sake.
                    let _ = region.walk_block(block, |_, header| {
                        *count += u64::from(header.kind() != Some(Kind::Filler));
                    });
                }
                BlockUse::LargeHead(Generation::Old) => objects.old_large += 1,
                BlockUse::LargeHead(generation) if generation.is_young() => {
                    objects.young_large += 1;
                }
                _ => {}
            }
        }
        objects
    }

    fn all_old(self) -> u64 {
        self.old + self.old_large
    }

    fn all_young(self) -> u64 {
        self.young + self.young_large
    }

    fn all(self) -> u64 {
        self.all_old() + self.all_young()
    }
}

/// An account as it was when the collection began.
#[derive(Debug)]
struct Counted {
    account: Arc<MemoryAccount>,
    fresh: u64,
    survived: u64,
}

impl Counted {
    fn of(account: Arc<MemoryAccount>) -> Counted {
        let (fresh, survived) = account.fresh_and_survived();
        Counted {
            account,
            fresh,
            survived,
        }
    }
}

/// The heap before a collection.
#[derive(Debug)]
pub(crate) struct Tally {
    kind: CollectionKind,
    number: u64,
    objects: Objects,
    blocks: Vec<Before>,
    returned: usize,
    accounts: Vec<Counted>,
    zombies: u64,
    scribbled_bytes: u64,
}

impl Tally {
    /// Counts, before collection `number`: the world is stopped and the buffers are flushed.
    pub(crate) fn take(heap: &Heap, kind: CollectionKind, number: u64) -> Tally {
        let region = heap.region();
        let blocks = (0..region.used_end()).map(|index| {
            let block = region.block(index);
            let (usage, top) = (block.usage(), block.top());
            let scribbled = match usage {
                BlockUse::Objects(_) if heap.debug().scribble => {
                    scribbled_words(region, index, top)
                }
                _ => 0,
            };
            Before {
                usage,
                top,
                scribbled,
            }
        });
        Tally {
            kind,
            number,
            objects: Objects::count(region),
            blocks: blocks.collect(),
            returned: heap.allocator.lock().returned_blocks(),
            accounts: heap.live_accounts().into_iter().map(Counted::of).collect(),
            zombies: heap.counters.zombies.get(),
            scribbled_bytes: heap.counters.bytes_scribbled.get(),
        }
    }

    /// What the collection says and is not so.
    pub(crate) fn compare(&self, heap: &Heap, report: &CollectionReport) -> Vec<Violation> {
        let mut wrong = Vec::new();
        let after = Objects::count(heap.region());
        self.compare_objects(after, heap, report, &mut wrong);
        self.compare_quarantine(heap, &mut wrong);
        self.compare_accounts(heap, report, &mut wrong);
        self.compare_zombies(after, heap, report, &mut wrong);
        self.compare_scribbled(heap, &mut wrong);
        let violation =
            |(site, message): (&str, String)| Violation::new("tally", site.to_owned(), message);
        wrong.into_iter().map(violation).collect()
    }

    fn compare_objects(
        &self,
        after: Objects,
        heap: &Heap,
        report: &CollectionReport,
        wrong: &mut Wrong,
    ) {
        let before = self.objects;
        let (stayed, stayed_old) = match self.kind {
            CollectionKind::Minor => (before.old, before.all_old()),
            CollectionKind::Major => (0, 0),
        };
        let reported = u64::from(report.moved) + u64::from(report.kept);
        let survived = (after.young + after.old).checked_sub(stayed);
        if survived != Some(reported) {
            let found = after.young + after.old;
            let message = format!(
                "{} moved and {} kept beside {stayed} that stayed are not the {found} that are there",
                report.moved, report.kept
            );
            wrong.push(("survivors", message));
        }
        let promoted = u64::from(report.promoted);
        let is_right = match self.kind {
            CollectionKind::Minor => after.all_old() == stayed_old + promoted,
            // Those that were old may have died.
            CollectionKind::Major => {
                promoted <= after.all_old()
                    && after.all_old() - promoted <= before.all_old()
                    && after.all_young() + promoted <= before.all_young()
            }
        };
        if !is_right {
            let message = format!("{promoted} are said to be, of {before:?} there are {after:?}");
            wrong.push(("promoted", message));
        }
        if let Some(most) = heap.debug().exhausted
            && report.moved > most
        {
            let message = format!("{} were, though there was room for {most}", report.moved);
            wrong.push(("moved", message));
        }
    }

    /// After a major collection accounts have reached no more, all together, than there is: what one
    /// pays for no other does. After a minor one, which does not know whose an object is, as much of what an account
    /// has allocated counts as of all that is new: what survived of it.
    fn compare_accounts(&self, heap: &Heap, report: &CollectionReport, wrong: &mut Wrong) {
        if self.accounts.is_empty() {
            return;
        }
        let region = heap.region();
        if self.kind == CollectionKind::Major {
            let accounts = self.accounts.iter();
            let reached = accounts.filter_map(|it| it.account.reached_by(self.number));
            let reached: u64 = reached.sum();
            let blocks = (0..region.used_end()).map(|block| region.block(block));
            let used = blocks.filter(|block| {
                matches!(block.usage(), BlockUse::Objects(_) | BlockUse::LargeHead(_))
            });
            let there = used.map(|block| u64::from(block.top()) * 8).sum();
            if reached > there {
                let message = format!("all together have reached {reached} bytes of {there}");
                wrong.push(("accounts", message));
            }
            return;
        }
        // In blocks that stay, what died cannot be told from what lives.
        if report.kept > 0 {
            return;
        }
        let (mut new, mut left, mut old) = (0, 0, 0);
        for block in 0..region.used_end() {
            let now = region.block(block);
            let before = self.blocks.get(block as usize);
            let before = before.map_or((BlockUse::Free, 0), |it| (it.usage, u64::from(it.top)));
            match before {
                (BlockUse::Objects(generation), top) if generation.is_young() => new += top,
                (BlockUse::Objects(Generation::Old), top) => old += top,
                _ => {}
            }
            left += match (now.usage(), before.0) {
                (BlockUse::Objects(Generation::Immortal), _) => 0,
                (BlockUse::Objects(_), _) => u64::from(now.top()),
                (BlockUse::LargeHead(_), BlockUse::LargeHead(generation))
                    if generation.is_young() =>
                {
                    u64::from(now.top())
                }
                _ => 0,
            };
        }
        let survived = left.saturating_sub(old).min(new);
        for counted in &self.accounts {
            let (fresh, total) = counted.account.fresh_and_survived();
            let share = u128::from(counted.fresh) * u128::from(survived) / u128::from(new.max(1));
            let due = counted.survived + share as u64;
            let most = due / 16 + 8;
            if fresh > 0 || total.abs_diff(due) > most {
                let message = format!(
                    "of {} bytes that one has allocated {} count as survived and {fresh} as new, with \
                     {survived} of {new} words left",
                    counted.fresh,
                    total.saturating_sub(counted.survived)
                );
                wrong.push(("accounts", message));
                return;
            }
        }
    }

    /// What has died is in quarantine for as long as the mode says.
    fn compare_quarantine(&self, heap: &Heap, wrong: &mut Wrong) {
        let region = heap.region();
        let collections = u64::from(heap.debug().quarantine);
        let allocator = heap.allocator.lock();
        for (block, before) in (0..).zip(&self.blocks) {
            let is_freed = region.block(block).usage() == BlockUse::Free;
            let was_in_use = !matches!(before.usage, BlockUse::Free | BlockUse::Quarantined);
            if collections > 0 && is_freed && was_in_use {
                let message = format!("block {block}, {:?}, is free at once", before.usage);
                wrong.push(("quarantine", message));
                return;
            }
        }
        let ends = self.number + collections;
        for (block, until) in allocator.quarantined() {
            let was_in_use = self
                .blocks
                .get(block as usize)
                .is_some_and(|it| it.usage != BlockUse::Quarantined);
            let is_right = if was_in_use {
                until == ends
            } else {
                (self.number + 1..=ends).contains(&until)
            };
            if !is_right {
                let message = format!(
                    "block {block} is there until collection {until}, this is {} and it is to be \
                     there for {collections}",
                    self.number
                );
                wrong.push(("quarantine", message));
                return;
            }
        }
    }

    /// What has died is a zombie, if the mode wants that, and says when it died.
    fn compare_zombies(
        &self,
        after: Objects,
        heap: &Heap,
        report: &CollectionReport,
        wrong: &mut Wrong,
    ) {
        let region = heap.region();
        let counted = heap.counters.zombies.get() - self.zombies;
        if !heap.debug().zombie {
            if counted > 0 {
                wrong.push(("zombies", format!("{counted} without the mode")));
            }
            return;
        }
        let is_quarantined = heap.debug().quarantine > 0;
        let mut found = 0;
        for (block, before) in (0..).zip(&self.blocks) {
            if region.block(block).usage() != BlockUse::Quarantined {
                continue;
            }
            let mut look = |at: Offset, header: Header| {
                let died_at = region.raw(at + 1) & 0xFFFF_FFFF;
                found +=
                    u64::from(header.has(Header::ZOMBIE) && died_at == self.number & 0xFFFF_FFFF);
            };
            match before.usage {
                BlockUse::Objects(_) => {
                    let _ = region.walk_block(block, look);
                }
                BlockUse::LargeHead(_) => {
                    let at = region.block_start(block);
                    look(at, region.header(at));
                }
                _ => {}
            }
        }
        if is_quarantined && found != counted {
            let message = format!("{counted} are counted, {found} died in this collection");
            wrong.push(("zombies", message));
        }
        // What died where something could not be moved is filler.
        let (collected, stayed) = match self.kind {
            CollectionKind::Minor => (self.objects.all_young(), self.objects.all_old()),
            CollectionKind::Major => (self.objects.all(), 0),
        };
        let dead = collected.saturating_sub(after.all().saturating_sub(stayed));
        if report.kept == 0 && counted < dead {
            let message = format!("{counted} are counted, {dead} died");
            wrong.push(("zombies", message));
        }
    }

    /// What nobody may read any more was written over, if the mode wants that, and counted.
    fn compare_scribbled(&self, heap: &Heap, wrong: &mut Wrong) {
        if heap.allocator.lock().returned_blocks() != self.returned {
            // What the operating system has back cannot be looked at.
            return;
        }
        let region = heap.region();
        let debug = heap.debug();
        let counted = heap.counters.bytes_scribbled.get() - self.scribbled_bytes;
        let mut found = 0;
        for (block, before) in (0..).zip(&self.blocks) {
            let usage = region.block(block).usage();
            let is_collected = match before.usage {
                BlockUse::Objects(Generation::Immortal)
                | BlockUse::LargeHead(Generation::Immortal) => usage != before.usage,
                BlockUse::Objects(generation) => {
                    generation.is_young() || self.kind == CollectionKind::Major
                }
                _ => false,
            };
            let is_released = before.usage == BlockUse::Quarantined && usage == BlockUse::Free;
            if is_collected {
                let now = scribbled_words(region, block, before.top);
                // A block is written over as a whole, unless its objects are told apart.
                let is_whole = !debug.zombie && !matches!(usage, BlockUse::Objects(_));
                let before = if is_whole { 0 } else { before.scribbled };
                found += now.saturating_sub(before);
            } else if is_released {
                found += scribbled_words(region, block, before.top);
            }
        }
        if !debug.scribble {
            found = 0;
        }
        if counted != found * 8 {
            let message = format!("{counted} bytes are counted, {} were", found * 8);
            wrong.push(("scribbled", message));
        }
    }
}

/// What is wrong, and in which count.
type Wrong = Vec<(&'static str, String)>;

/// Words of a block, up to its top, that were written over because nobody may read them.
fn scribbled_words(region: &Region, block: u32, top: u32) -> u64 {
    let start = region.block_start(block);
    let freed = [
        pattern::FREED_YOUNG.0,
        pattern::FREED_OLD.0,
        pattern::FROM_SPACE.0,
    ];
    let is_scribbled = |offset: &Offset| freed.contains(&region.raw(*offset));
    (start..start + top).filter(is_scribbled).count() as u64
}

#[cfg(test)]
mod tests {
    use gcrucible_platform::sync::atomic::Ordering;

    use super::*;
    use crate::checks::Checked;
    use crate::collector;
    use crate::config::HeapConfig;
    use crate::holder::Holder;
    use crate::value::Value;

    /// A heap with modes, where large and small objects live and have died.
    struct Fixture {
        heap: Arc<Heap>,
        holder: Holder,
    }

    impl Fixture {
        fn new(modes: &str) -> Fixture {
            let debug = modes.parse().expect("modes that exist");
            let heap = Heap::new(HeapConfig::tiny(), debug).expect("address space");
            let holder = Holder::new(&heap, "test", 8);
            Fixture { heap, holder }
        }

        /// Half of what is made lives, until it is overwritten.
        fn fill(&self, round: usize) {
            let permit = self.heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Checked>(self.holder.tlab());
            for index in 0..8 {
                let len = if index % 4 == 3 { 300 } else { 3 };
                let object = m.instance(1, &vec![Value::NIL; len]).expect("room");
                if index % 2 == 1 {
                    let registers = self.holder.registers();
                    m.store(&registers[(index / 2 + round) % registers.len()], object);
                }
            }
        }

        /// Collects, and compares what `falsify` has made of it.
        fn collect(
            &self,
            kind: CollectionKind,
            falsify: impl FnOnce(&mut Tally, &mut CollectionReport),
        ) -> Vec<String> {
            let _permit = self.heap.try_exclusive().expect("no permit is held");
            self.heap.flush_tlabs();
            let number = self.heap.collection.load(Ordering::Relaxed) + 1;
            let mut tally = Tally::take(&self.heap, kind, number);
            // The collection flushes, too, and counts it.
            tally.scribbled_bytes += self.heap.flush_tlabs();
            let mut report = collector::collect(&self.heap, kind);
            falsify(&mut tally, &mut report);
            let wrong = tally.compare(&self.heap, &report);
            let mut sites: Vec<String> = wrong.into_iter().map(|it| it.site).collect();
            sites.dedup();
            sites
        }
    }

    const MODES: [&str; 9] = [
        "",
        "scribble",
        "scribble,quarantine=2",
        "zombie",
        "zombie,scribble,quarantine=2",
        "zombie,scribble,promote=always",
        "zombie,scribble,promote=never,quarantine=3",
        "zombie,scribble,exhausted=3,quarantine=2",
        "scribble,exhausted=2,promote=always",
    ];

    #[test]
    fn what_collections_say_is_so() {
        for modes in MODES {
            let fixture = Fixture::new(modes);
            for round in 0..12 {
                fixture.fill(round);
                let kind = match round % 3 {
                    2 => CollectionKind::Major,
                    _ => CollectionKind::Minor,
                };
                let wrong = fixture.collect(kind, |_, _| {});
                assert_eq!(wrong, [""; 0], "{modes}, round {round}");
            }
        }
    }

    type Falsify = fn(&mut Tally, &mut CollectionReport);

    #[test]
    fn accounts_keep_their_share_of_what_survives() {
        let fixture = Fixture::new("");
        let account = fixture.heap.open_account(1 << 20);
        for round in 0..4 {
            fixture.fill(round);
            account.note_allocated(1000);
            assert_eq!(fixture.collect(CollectionKind::Minor, |_, _| {}), [""; 0]);
        }
        fixture.fill(4);
        account.note_allocated(1000);
        let forgotten = |tally: &mut Tally, _: &mut CollectionReport| {
            tally.accounts[0].survived += 1000;
        };
        assert_eq!(
            fixture.collect(CollectionKind::Minor, forgotten),
            ["accounts"]
        );
    }

    #[test]
    fn accounts_reach_no_more_than_there_is() {
        let fixture = Fixture::new("");
        let account = fixture.heap.open_account(1 << 20);
        fixture.fill(0);
        for (reached, expected) in [(8, vec![]), (1 << 40, vec!["accounts"])] {
            let wrong = fixture.collect(CollectionKind::Major, |tally, _| {
                let account = &tally.accounts[0].account;
                account.note_reached(reached, tally.number);
            });
            assert_eq!(wrong, expected, "{reached}");
        }
        drop(account);
    }

    #[test]
    fn each_wrong_count_is_found() {
        let cases: [(&str, Falsify, &str); 6] = [
            ("", |_, report| report.moved += 1, "survivors"),
            (
                "promote=always",
                |_, report| report.promoted -= 1,
                "promoted",
            ),
            (
                "exhausted=1",
                |_, report| {
                    report.moved += 1;
                    report.kept -= 1;
                },
                "moved",
            ),
            ("zombie", |tally, _| tally.zombies += 1, "zombies"),
            (
                "scribble",
                |tally, _| tally.scribbled_bytes += 8,
                "scribbled",
            ),
            ("quarantine=2", |tally, _| tally.number += 1, "quarantine"),
        ];
        for (modes, falsify, site) in cases {
            let fixture = Fixture::new(modes);
            fixture.fill(0);
            assert_eq!(
                fixture.collect(CollectionKind::Minor, falsify),
                [site],
                "{modes}"
            );
        }
    }
}
