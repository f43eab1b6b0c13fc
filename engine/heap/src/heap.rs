//! The heap: one region and its tables.

use std::sync::{Arc, Weak};

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::account::{External, MemoryAccount};
use crate::allocator::{Allocator, NeedsMemory, Terms};
use crate::config::HeapConfig;
use crate::debug_mode::{CollectMode, CollectionKind, HeapDebug, KindMode, VerifyLevel};
use crate::demand::Demand;
use crate::finalizer::FinalizerTable;
use crate::gate::Gate;
use crate::handle::HandleTable;
use crate::hashing::Hashing;
use crate::identity::HeapId;
use crate::interning::InternTable;
use crate::providers::Providers;
use crate::roots::RootProvider;
use crate::space::Region;
use crate::stats::{Counters, HeapStats};
use crate::tlab::Buffer;
use crate::verifier::Violation;
use crate::watch::WatchTable;

/// A moving generational heap that many virtual machines share.
///
/// Objects are reached through a [`Mutator`](crate::Mutator) under a
/// [`SharedPermit`](crate::permit::SharedPermit); collections run under an
/// [`ExclusivePermit`](crate::ExclusivePermit).
#[derive(Debug)]
pub struct Heap {
    id: HeapId,
    region: Region,
    config: HeapConfig,
    debug: HeapDebug,
    pub(crate) gate: Gate,
    pub(crate) allocator: Mutex<Allocator>,
    /// What counts against the limit besides blocks; the allocator knows it, too.
    pub(crate) external: Arc<External>,
    pub(crate) accounts: Mutex<Vec<Weak<MemoryAccount>>>,
    pub(crate) handles: HandleTable,
    pub(crate) finalizers: FinalizerTable,
    pub(crate) hashing: Hashing,
    pub(crate) watched: WatchTable,
    pub(crate) interned: InternTable,
    providers: Mutex<Providers>,
    /// Allocation buffers that may lie in the nursery, those of dead holders included.
    buffers: Mutex<Vec<Arc<Buffer>>>,
    pub(crate) counters: Counters,
    /// Number of the last collection.
    pub(crate) collection: AtomicU64,
    pub(crate) old_bytes_after_major: AtomicU64,
    /// Futures that have settled.
    pub(crate) settled: AtomicU64,
    /// Channels, mutexes and weak references made.
    pub(crate) waited_on: AtomicU64,
    safepoint: AtomicU64,
    is_parallel: AtomicBool,
    /// What makes slices end at safepoints, as one word that they read.
    poll: AtomicBool,
    /// Where the hashes of compile-time objects come from.
    compile_time_hashes: Buffer,
    /// The buffer of those that allocate nothing.
    readers: Arc<Buffer>,
    /// Words that collections may still go over until nothing is collected for a mode's sake;
    /// the maximum is no bound.
    forced_work_left: AtomicU64,
}

/// Words that a collection of an empty heap counts as: what it costs to begin one.
const WORDS_OF_EMPTY_COLLECTION: u64 = 256;

/// By how much the old generation of a nearly empty heap may grow until a major collection is
/// due, a nursery at most. Where little is live such a collection costs next to nothing, and
/// what died old is memory of the process until it comes.
const MOST_SLACK_BYTES: u64 = 256 << 10;

/// How much dearer a word is to the verifier than to the collector.
const WORK_OF_VERIFIER: u64 = 4;

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionReport {
    /// Which kind it was.
    pub kind: Option<CollectionKind>,
    /// Objects moved.
    pub moved: u32,
    /// Objects that became old.
    pub promoted: u32,
    /// Objects that could not be copied and survived where they were.
    pub kept: u32,
    /// Ids of the weak references that survived and were cleared, in ascending order.
    pub cleared: Vec<u64>,
    /// Numbers of the registered finalizers whose objects it would have freed, in order of
    /// registration: it kept them, and queued the finalizers.
    pub queued: Vec<u64>,
    /// What the verifier found before or after, the first few.
    pub violations: Vec<Violation>,
}

impl Heap {
    /// A heap with a region of its own.
    ///
    /// # Errors
    /// When the operating system has no address space left.
    pub fn new(config: HeapConfig, debug: HeapDebug) -> std::io::Result<Arc<Heap>> {
        Self::in_region(Region::new(&config)?, config, debug)
    }

    /// A heap in a region that another heap had, as good as in a new one.
    ///
    /// # Errors
    /// When the region is too small and no larger one is to be had.
    pub fn in_region(
        mut region: Region,
        config: HeapConfig,
        debug: HeapDebug,
    ) -> std::io::Result<Arc<Heap>> {
        if !region.prepare(&config) {
            region = Region::new(&config)?;
        }
        let has_canaries = debug.needs_checks() || debug.verify != VerifyLevel::Off;
        let external: Arc<External> = Arc::default();
        let allocator = Allocator::new(
            &region,
            Arc::clone(&external),
            config.nursery_bytes,
            config.limit_bytes,
            has_canaries,
            debug.scribble,
            debug.fail.clone(),
        );
        let poll = matches!(
            debug.collect,
            CollectMode::EverySafepoint
                | CollectMode::Continuous
                | CollectMode::Seeded { .. }
                | CollectMode::At(_)
        );
        let id = HeapId::next();
        Ok(Arc::new(Heap {
            id,
            region,
            config,
            debug,
            gate: Gate::default(),
            allocator: Mutex::new(allocator),
            external,
            accounts: Mutex::default(),
            handles: HandleTable::default(),
            finalizers: FinalizerTable::default(),
            hashing: Hashing::default(),
            watched: WatchTable::default(),
            interned: InternTable::default(),
            providers: Mutex::default(),
            buffers: Mutex::default(),
            counters: Counters::default(),
            collection: AtomicU64::new(0),
            old_bytes_after_major: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            waited_on: AtomicU64::new(0),
            safepoint: AtomicU64::new(0),
            is_parallel: AtomicBool::new(false),
            poll: AtomicBool::new(poll),
            compile_time_hashes: Buffer::new(id, 1 << 30, None),
            readers: Arc::new(Buffer::of_readers(id)),
            forced_work_left: AtomicU64::new(u64::MAX),
        }))
    }

    /// Gives the region back for the next heap; `None` while the heap is still shared.
    pub fn into_region(heap: Arc<Heap>) -> Option<Region> {
        Arc::into_inner(heap).map(|heap| heap.region)
    }

    /// The sizes it was made with.
    pub fn config(&self) -> &HeapConfig {
        &self.config
    }

    /// The debug modes it was made with.
    pub fn debug(&self) -> &HeapDebug {
        &self.debug
    }

    #[inline(always)]
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// Says that several threads may hold shared permits at once; without it, structural
    /// changes of arrays and maps take no locks, and a second thread is refused one.
    ///
    /// # Panics
    /// If it is to change, and somebody has a shared permit.
    pub fn set_parallel(&self, is_parallel: bool) {
        self.gate.set_parallel(is_parallel);
        self.is_parallel.store(is_parallel, Ordering::Relaxed);
    }

    /// Sets the key of the heap's hash functions, which strangers must not know: it decides
    /// which keys of a map collide. Until then it is one that everybody knows. Must be said
    /// before anything is hashed.
    pub fn set_hash_key(&self, key: [u64; 2]) {
        self.hashing.set_key(key);
    }

    #[inline(always)]
    pub(crate) fn is_parallel(&self) -> bool {
        self.is_parallel.load(Ordering::Relaxed)
    }

    /// Adds a root provider; it is enumerated for as long as it lives.
    ///
    /// # Panics
    /// If it is one of another heap, or was added before.
    pub fn add_provider<P: RootProvider + 'static>(&self, provider: &Arc<P>) {
        let home = provider.home();
        assert!(
            home.heap() == self.id,
            "the root provider is one of another heap"
        );
        let provider: Weak<P> = Arc::downgrade(provider);
        home.register(provider.clone());
        self.providers.lock().add(provider);
    }

    pub(crate) fn id(&self) -> HeapId {
        self.id
    }

    pub(crate) fn reader_buffer(&self) -> &Arc<Buffer> {
        &self.readers
    }

    /// The root providers that live, in order of registration.
    pub(crate) fn providers(&self) -> Vec<Arc<dyn RootProvider>> {
        self.providers.lock().live()
    }

    /// Where the hashes of compile-time objects come from.
    pub(crate) fn compile_time_hashes(&self) -> &Buffer {
        &self.compile_time_hashes
    }

    /// Whether slices must end at the next safepoint: a mode wants to be asked there, or
    /// a collector waits.
    #[inline(always)]
    pub fn is_poll_requested(&self) -> bool {
        self.poll.load(Ordering::Relaxed) || self.is_collector_waiting()
    }

    /// Makes slices end at every safepoint, whatever the modes say.
    pub fn request_polls(&self) {
        self.poll.store(true, Ordering::Relaxed);
    }

    /// A safepoint: whether the modes want a collection here, and which. Counts the
    /// safepoint.
    pub fn at_safepoint(&self) -> Option<CollectionKind> {
        let ordinal = self.safepoint.fetch_add(1, Ordering::Relaxed);
        self.counters.safepoints.add(1);
        let is_wanted = self.may_force()
            && match &self.debug.collect {
                CollectMode::EverySafepoint | CollectMode::Continuous => true,
                CollectMode::Seeded { seed, per_mille } => {
                    ((mix(seed ^ ordinal) >> 32) * 1000) >> 32 < u64::from(*per_mille)
                }
                CollectMode::At(list) => list.binary_search(&ordinal).is_ok(),
                CollectMode::Natural | CollectMode::EveryAllocations(_) | CollectMode::Never => {
                    false
                }
            };
        is_wanted.then(|| self.kind_to_collect())
    }

    /// Bounds what collections that nobody needs may cost: once all collections so far have gone
    /// over this many words, the modes ask for none any more, and only a full nursery does. A run
    /// that collects thousands of times then ends after a bounded time, at the same place each
    /// time, because words are counted and not seconds. Without a call there is no bound.
    pub fn bound_forced_work(&self, words: u64) {
        self.forced_work_left.store(words, Ordering::Relaxed);
    }

    /// Whether collections that nobody needs are still within [`Heap::bound_forced_work`].
    pub fn may_force(&self) -> bool {
        self.forced_work_left.load(Ordering::Relaxed) > 0
    }

    /// Notes that a collection has gone over all that is in use, once for itself and once for
    /// each verification.
    pub(crate) fn note_work(&self, verifications: u64) {
        let left = self.forced_work_left.load(Ordering::Relaxed);
        if left == u64::MAX {
            return;
        }
        let used = self.allocator.lock().used_bytes(&self.region) / 8;
        let work = (used + WORDS_OF_EMPTY_COLLECTION) * (1 + verifications * WORK_OF_VERIFIER);
        self.forced_work_left
            .store(left.saturating_sub(work), Ordering::Relaxed);
    }

    /// The kind of the next collection that a mode or a full nursery asks for.
    pub fn kind_to_collect(&self) -> CollectionKind {
        match self.debug.kind {
            KindMode::Minor => CollectionKind::Minor,
            KindMode::Major => CollectionKind::Major,
            KindMode::Alternate => {
                if self.collection.load(Ordering::Relaxed).is_multiple_of(2) {
                    CollectionKind::Minor
                } else {
                    CollectionKind::Major
                }
            }
            KindMode::Natural => {
                let allocator = self.allocator.lock();
                let old = allocator.old_bytes(&self.region);
                let last = self.old_bytes_after_major.load(Ordering::Relaxed);
                let slack = u64::from(self.config.nursery_bytes).min(MOST_SLACK_BYTES);
                let is_due = old > last * 2 + slack;
                if is_due || allocator.has_many_new_versions() {
                    CollectionKind::Major
                } else {
                    CollectionKind::Minor
                }
            }
        }
    }

    /// Makes the unused part of every allocation buffer walkable.
    pub(crate) fn flush_tlabs(&self) -> u64 {
        let buffers = self.buffers.lock();
        buffers
            .iter()
            .map(|buffer| buffer.fill_rest(&self.region, self.debug.scribble))
            .sum()
    }

    /// Resets and forgets the buffers that collection `number` reset for no holder: the nursery
    /// they lay in is retired. A holder that is being dropped is none any more, though it may still have
    /// its buffer; were that kept, its rest would be filled at the next collection, when
    /// somebody else has the memory.
    pub(crate) fn prune_buffers(&self, number: u64) {
        self.buffers.lock().retain(|buffer| {
            let is_held = buffer.was_forwarded_in(number);
            if planted!(B97, !is_held && !buffer.is_parked()) {
                return true;
            }
            if !is_held {
                buffer.forget();
            }
            is_held
        });
    }

    /// Gives `tlab` room for `words` words.
    #[cold]
    pub(crate) fn refill(&self, tlab: &Arc<Buffer>, words: u32) -> Result<(), NeedsMemory> {
        tlab.refuse_readers();
        let mut wanted = tlab.next_chunk_words(
            (self.config.tlab_bytes / 8).max(16),
            self.region.block_words() / 2,
        );
        let mut allocator = self.allocator.lock();
        if let CollectMode::EveryAllocations(every) = self.debug.collect {
            // An operation that was granted all it needs is not held up in its middle: it
            // would start again and be held up again.
            if !tlab.is_granted() && tlab.is_due(every) && self.may_force() {
                return Err(NeedsMemory { words });
            }
            wanted = words;
        }
        if allocator.has_faults_to_come() {
            // Each allocation comes here, and is one that may fail.
            wanted = words;
        }
        if !tlab.is_granted() && allocator.refuses(tlab.account(), u64::from(words) * 8) {
            return Err(NeedsMemory { words });
        }
        let granted = tlab.granted();
        if granted > 0 {
            // What was granted takes whole blocks, but for the last: it was counted so.
            let rest = granted.min(u64::from(self.region.block_words())) as u32;
            wanted = wanted.max(rest + u32::from(allocator.has_canaries()));
        }
        let terms = self.terms(tlab);
        let (from, to) = allocator.within_grant(terms, tlab, |allocator| {
            allocator.chunk(&self.region, words, wanted, terms)
        })?;
        drop(allocator);
        if let Some(account) = tlab.account() {
            account.note_allocated(u64::from(to - from) * 8);
        }
        tlab.note_served();
        tlab.set_granted(granted.saturating_sub(u64::from(to - from)));
        if !planted!(B291, tlab.room() == 1) {
            let scribbled = tlab.fill_rest(&self.region, self.debug.scribble);
            self.counters.bytes_scribbled.add(scribbled);
        }
        tlab.set_range(from, to);
        if !tlab.set_known() {
            self.buffers.lock().push(Arc::clone(tlab));
        }
        self.counters.tlab_refills.add(1);
        Ok(())
    }

    /// Lets one operation allocate objects without a collection between.
    pub(crate) fn grant(&self, tlab: &Buffer, demand: &Demand) -> Result<(), NeedsMemory> {
        tlab.refuse_readers();
        let mut allocator = self.allocator.lock();
        if allocator.refuses(tlab.account(), demand.words() * 8) {
            let words = demand.room();
            return Err(NeedsMemory { words });
        }
        allocator.grant(demand, self.terms(tlab))?;
        drop(allocator);
        tlab.start_grant(demand.small_words(), demand.blocks());
        Ok(())
    }

    /// What may refuse memory to the operation that `tlab`'s holder is at.
    pub(crate) fn terms(&self, tlab: &Buffer) -> Terms {
        if tlab.is_granted() {
            Terms::Granted
        } else if self.debug.collect == CollectMode::Never {
            Terms::Limit
        } else {
            Terms::Nursery
        }
    }

    /// Whether so many more words fit within the heap's limit. What asks it decides whether an
    /// allocation fails for good: an allocation that a mode makes fail has no room, and with
    /// this answer its failure is over.
    pub fn has_room_within_limit(&self, words: u32) -> bool {
        self.allocator
            .lock()
            .has_room_within_limit(&self.region, words)
    }

    /// Whether more collections may make room for so many words: the last one had not enough
    /// memory to copy to, and left objects that died beside such as live.
    pub fn is_sparse_for(&self, words: u32) -> bool {
        let dead = self.allocator.lock().sparse_words(&self.region);
        dead > u64::from(words.max(self.region.block_words()))
    }

    /// Bytes that the last collections left beside such as live, for want of memory to copy
    /// these to.
    pub fn sparse_bytes(&self) -> u64 {
        self.allocator.lock().sparse_words(&self.region) * 8
    }

    /// Counts registers that were overwritten for `poison-dead`.
    pub fn note_poisoned(&self, registers: u64) {
        self.counters.registers_poisoned.add(registers);
    }

    /// Collections so far.
    pub fn collections(&self) -> u64 {
        self.collection.load(Ordering::Relaxed)
    }

    /// Major collections so far.
    pub fn majors(&self) -> u64 {
        self.counters.collections_major.get()
    }

    /// Whether somebody has a shared permit now.
    pub fn is_shared_now(&self) -> bool {
        self.gate.is_shared()
    }

    /// Whether some allocation is still to fail because a mode or [`Heap::fail_allocation`] says so.
    pub fn has_faults_to_come(&self) -> bool {
        self.allocator.lock().has_faults_to_come()
    }

    /// Makes an allocation fail, as `fail=alloc:N` does: the one that comes after so many. What
    /// the allocation buffers have left is given up, or as many allocations as fit in there would go
    /// through unasked.
    pub fn fail_allocation(&self, after: u32) {
        self.allocator.lock().fail(after);
        for buffer in &*self.buffers.lock() {
            let scribbled = buffer.give_up(&self.region, self.debug.scribble);
            self.counters.bytes_scribbled.add(scribbled);
        }
    }

    /// Stores that marked a card so far.
    pub fn cards_marked(&self) -> u64 {
        self.counters.cards_marked.get()
    }

    /// Allocation buffers handed out so far.
    pub fn tlab_refills(&self) -> u64 {
        self.counters.tlab_refills.get()
    }

    /// Numbers of the heap.
    pub fn stats(&self) -> HeapStats {
        let (faults, used_bytes, resident_bytes, versions) = {
            let allocator = self.allocator.lock();
            (
                allocator.faults(),
                allocator.used_bytes(&self.region),
                allocator.resident_bytes(),
                allocator.open_versions(),
            )
        };
        HeapStats {
            faults,
            used_bytes,
            resident_bytes,
            external_bytes: self.external.bytes(),
            versions,
            root_providers: self.providers.lock().len() as u64,
            protected_by_kind: self.protected_by_kind(),
            ..self.counters.read()
        }
    }
}

/// Finalizer of SplitMix64.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
