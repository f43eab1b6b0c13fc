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
use std::sync::LazyLock;

use gcrucible_heap::{CollectMode, HeapDebug, HeapStats, VerifyLevel};
use gcrucible_trace::{Advantages, Counter, Counters, RunOptions, RunReport};

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

/// What the heap did, as a report counts it: in the row of that name, or as a count of its own.
fn note_heap(stats: &HeapStats, counters: &mut Counters) {
    static ROWS: LazyLock<Vec<Option<&Counter>>> = LazyLock::new(|| {
        let row = |name| Counters::ALL.iter().find(|row| row.name == name);
        HeapStats::COUNTED
            .iter()
            .map(|(name, _)| row(*name))
            .collect()
    });
    for ((name, count), row) in HeapStats::COUNTED.iter().zip(&*ROWS) {
        match row {
            Some(row) => *(row.get_mut)(counters) = count(stats),
            None => counters.own.set(*name, count(stats)),
        }
    }
    counters.faults = stats.faults;
}

/// Hash of a trace: equal runs have equal ones.
pub(crate) fn trace_digest(events: &[trace::Event]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    events.hash(&mut hasher);
    hasher.finish()
}
