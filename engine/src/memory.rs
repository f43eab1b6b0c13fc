//! Room for allocations that found none.
//!
//! Who found no room asks here, and tries again afterwards. First the nursery is emptied, then
//! everything is collected, again for as long as that gets at more of what died; only when a
//! collection of everything has just ended and there still is no room does the allocation fail
//! for good. So `OutOfMemory` is never thrown while there is garbage to speak of.
//!
//! - **Once for all.** Who asks says which collections there had been when its allocation failed.
//!   If another had the same collection made since then, it is not made again.
//! - **Others go first.** A collection of everything that leaves no room costs as much as the heap
//!   is large, and a program that catches `OutOfMemory` and goes on can ask for one after the
//!   other. So each leaves a *debt*: before the next one that a task asks for, others do as much
//!   work as that one looked at words, unless they have nothing to do.

use std::sync::Arc;

use gcrucible_heap::{CollectionKind, Heap, MemoryAccount, NeedsMemory};
use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::engine::{Engine, Inner};
use crate::event::EngineEvent;
use crate::pace::Paced;

/// Which collections there had been when an allocation failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    all: u64,
    majors: u64,
}

impl Asked {
    /// As of now. It is right under the permit under which the allocation failed, and else a
    /// collection too many may be made.
    pub(crate) fn now(heap: &Heap) -> Asked {
        Asked {
            all: heap.collections(),
            majors: heap.majors(),
        }
    }
}

/// What is known of collections that made no room.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    /// Units of work that slices have done so far.
    work: AtomicU64,
    /// So much of it is to be done before the next collection of everything.
    due: AtomicU64,
    /// Bytes that had died beside such as live when an allocation failed for good: collections
    /// did not get at them.
    out_of_reach: AtomicU64,
}

impl Pressure {
    /// Counts the work of a slice.
    pub(crate) fn note_work(&self, units: u32) {
        self.work.fetch_add(u64::from(units), Relaxed);
    }

    /// The units of work so far.
    pub(crate) fn work(&self) -> u64 {
        self.work.load(Relaxed)
    }

    /// Whether others are to work before everything is collected once more.
    pub(crate) fn has_debt(&self) -> bool {
        self.work() < self.due.load(Relaxed)
    }
}

impl Inner {
    /// Collects for an allocation that found no memory: first as usual, then everything.
    /// `false` when even that leaves no room within the heap's limit. A nursery that other
    /// tasks filled up again in the meantime is no reason for that, however often: who asks
    /// has asked for all that its operation allocates, so that one success ends it. A heap
    /// that the verifier refuses is: it is not collected, so there would never be room.
    pub(crate) async fn make_room(self: &Arc<Self>, words: u32, attempts: &mut u32) -> bool {
        self.make_room_for(None, words, attempts).await
    }

    /// The same for somebody whose memory is counted in an account. One that has used up its
    /// share collects everything at once: nothing else tells what of that is garbage.
    pub(crate) async fn make_room_for(
        self: &Arc<Self>,
        account: Option<&Arc<MemoryAccount>>,
        words: u32,
        attempts: &mut u32,
    ) -> bool {
        let asked = Asked::now(&self.heap);
        self.make_room_asked(account, words, attempts, asked).await
    }

    /// The same for an allocation that failed when there had been the collections of `asked`.
    pub(crate) async fn make_room_asked(
        self: &Arc<Self>,
        account: Option<&Arc<MemoryAccount>>,
        words: u32,
        attempts: &mut u32,
        asked: Asked,
    ) -> bool {
        if Self::is_scattered(words, *attempts) {
            return false;
        }
        *attempts += 1;
        let bytes = u64::from(NeedsMemory::parts(words).0) * 8;
        let is_refused = || account.is_some_and(|account| account.refuses(bytes));
        let has_share = !is_refused();
        let dead_before = self.heap.sparse_bytes();
        let is_major = *attempts > 1 || !has_share;
        let is_sound = self.collect_unless_done(is_major, asked).await;
        let has_room = if has_share {
            self.has_room(words, *attempts, dead_before)
        } else {
            !is_refused()
        };
        let is_reserved = has_share
            && *attempts > 1
            && account.is_some_and(|account| self.heap.is_reserved_from(account, bytes));
        let has_room = is_sound && has_room && !is_reserved;
        if !has_room {
            let words = self.heap.stats().used_bytes / 8;
            let due = self.pressure.work().saturating_add(words);
            self.pressure.due.store(due, Relaxed);
        }
        has_room
    }

    /// Whether a large object has found no blocks side by side after so many collections, the last
    /// of which was of everything: how those in use lie is what it leaves behind, and no reason
    /// for one more.
    pub(crate) fn is_scattered(words: u32, attempts: u32) -> bool {
        NeedsMemory::parts(words).1 && attempts >= 2
    }

    /// Whether the next attempt of an allocation may succeed, after so many collections for it.
    fn has_room(&self, words: u32, attempts: u32, dead_before: u64) -> bool {
        match attempts {
            1 => true,
            _ if planted!(B96, self.heap.has_room_within_limit(words)) => false,
            // Whether everything collected leaves blocks side by side, only trying tells.
            2 if NeedsMemory::parts(words).1 => true,
            // What the last collection had no room to copy, the next one may have.
            2..Self::ATTEMPTS_MAX if self.may_reach_more(words, attempts, dead_before) => true,
            _ => self.heap.has_room_within_limit(words),
        }
    }

    /// Whether one more collection may get at what died beside such as live: while there is
    /// more of that than the last allocation that failed for good left, and each collection
    /// leaves less.
    fn may_reach_more(&self, words: u32, attempts: u32, dead_before: u64) -> bool {
        let dead = self.heap.sparse_bytes();
        let is_enough = self.heap.is_sparse_for(words);
        let gets_further = attempts == 2 || dead < dead_before;
        let is_known = dead <= self.pressure.out_of_reach.load(Relaxed);
        if is_enough && gets_further && !is_known {
            return true;
        }
        self.pressure.out_of_reach.store(dead, Relaxed);
        false
    }

    /// Collections for one allocation in a heap that is too full to be copied at once.
    const ATTEMPTS_MAX: u32 = 6;

    /// Collects everything, or as usual, unless somebody has since an allocation failed.
    /// `false`: see [`Inner::collect`].
    async fn collect_unless_done(self: &Arc<Self>, is_major: bool, asked: Asked) -> bool {
        let kind = is_major.then_some(CollectionKind::Major);
        let is_wanted = |now: Asked| match is_major {
            true => now.majors == asked.majors,
            false => now.all == asked.all,
        };
        self.collect_if(kind, asked.majors, is_wanted).await
    }

    /// Stops the world and collects, then sees to finalizers. `false`: the verifier found the heap
    /// broken, and a broken heap may not have been collected.
    pub(crate) async fn collect(self: &Arc<Self>, kind: CollectionKind) -> bool {
        let majors = self.heap.majors();
        self.collect_if(Some(kind), majors, |_| true).await
    }

    /// The same for a kind, or for that which is due, if it is still wanted once the world stands
    /// still. `majors` is how many collections of everything there had been when it was asked for.
    async fn collect_if(
        self: &Arc<Self>,
        kind: Option<CollectionKind>,
        majors: u64,
        is_wanted: impl Fn(Asked) -> bool + Send,
    ) -> bool {
        let paced = match self.pace(kind, majors).await {
            Paced::Freely => None,
            Paced::InTurn(paced) => Some(paced),
            Paced::Done => return true,
        };
        let report = {
            let mut permit = self.heap.exclusive().await;
            if !is_wanted(Asked::now(&self.heap)) {
                return true;
            }
            let kind = kind.unwrap_or_else(|| self.heap.kind_to_collect());
            let paced = paced.map(|paced| (paced, self.platform.now()));
            let report = permit.collect(kind);
            if let Some((paced, from)) = paced {
                paced.end(from, self.platform.now());
            }
            report
        };
        self.after_collection(&report)
    }

    fn after_collection(self: &Arc<Self>, report: &gcrucible_heap::CollectionReport) -> bool {
        self.observe(&EngineEvent::Collected { report });
        self.report_freed();
        let inner = Arc::clone(self);
        Engine { inner }.start_finalizer();
        report.violations.is_empty()
    }
}
