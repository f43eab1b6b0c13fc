//! Runs scenarios.

mod footprint;
pub mod graph;
pub mod heap_ops;
pub mod points;
pub mod programs;
pub mod region_pool;
pub mod simulated_platform;
pub mod trace;

use std::hash::{Hash as _, Hasher as _};

use gcrucible_heap::{CollectMode, HeapDebug, HeapStats, VerifyLevel};
use gcrucible_trace::{Advantages, Counters, RunOptions, RunReport};

use crate::scenario::{Body, Fault, Scenario};

/// A run of the engine: what every run leaves behind, and the events seen.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// What every run leaves behind.
    pub report: RunReport,
    /// The events seen, if recorded; operations of a heap leave none.
    pub events: Vec<trace::Event>,
}

impl std::ops::Deref for Ran {
    type Target = RunReport;

    fn deref(&self) -> &RunReport {
        &self.report
    }
}

/// Runs a scenario in this thread.
///
/// # Panics
/// When the engine does.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Ran {
    match &scenario.body {
        Body::HeapOps(program) => Ran {
            report: heap_ops::run(scenario, program, options),
            events: Vec::new(),
        },
        Body::Programs(programs) => programs::run(scenario, programs, options),
    }
}

/// A collection of the schedule, as the heap has it.
pub(crate) fn kind_of(kind: gcrucible_trace::CollectionKind) -> gcrucible_heap::CollectionKind {
    match kind {
        gcrucible_trace::CollectionKind::Minor => gcrucible_heap::CollectionKind::Minor,
        gcrucible_trace::CollectionKind::Major => gcrucible_heap::CollectionKind::Major,
    }
}

/// The heap modes that a scenario runs under: its own and its faults, without those that are
/// taken away.
pub(crate) fn heap_debug(scenario: &Scenario, advantages: Advantages) -> HeapDebug {
    let mut debug = scenario.debug.clone();
    let faults = scenario.faults.iter();
    debug
        .fail
        .extend(faults.map(|&Fault::OutOfMemory { at }| at));
    debug.fail.sort_unstable();
    debug.fail.dedup();
    if !advantages.heap_modes {
        debug = HeapDebug {
            verify: debug.verify,
            verify_when: debug.verify_when,
            ..HeapDebug::default()
        };
    }
    if !advantages.controlled_schedule {
        debug.collect = CollectMode::Natural;
    }
    if !advantages.verifier {
        debug.verify = VerifyLevel::Off;
    }
    // With a size that is said, other tasks do not come between the steps of a built-in: to the
    // model it is one.
    debug.steps.get_or_insert(HeapDebug::STEPS_IN_PRODUCTION);
    debug
}

/// What the heap did, as a report counts it.
fn note_heap(stats: &HeapStats, counters: &mut Counters) {
    counters.safepoints = stats.safepoints;
    counters.collections_minor = stats.collections_minor;
    counters.collections_major = stats.collections_major;
    counters.objects_moved = stats.objects_moved;
    counters.objects_kept = stats.objects_kept;
    counters.weak_cleared = stats.weak_cleared;
    counters.finalizers_queued = stats.finalizers_queued;
    counters.zombies = stats.zombies;
    counters.bytes_scribbled = stats.bytes_scribbled;
    counters.registers_poisoned = stats.registers_poisoned;
    counters.verifications = stats.verifications;
    counters.faults = stats.faults;
}

/// Hash of a trace: equal runs have equal ones.
pub(crate) fn trace_digest(events: &[trace::Event]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    events.hash(&mut hasher);
    hasher.finish()
}
