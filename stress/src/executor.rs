//! Runs scenarios.

pub mod graph;
pub mod heap_ops;
pub mod pairs;
pub mod programs;
pub mod region_pool;
pub mod run;
pub mod simulated_platform;
pub mod trace;

pub use run::{Advantages, Canary, Counters, ReplayMode, RunOptions, RunReport};

use std::hash::{Hash as _, Hasher as _};

use gcrucible_heap::{CollectMode, HeapDebug, VerifyLevel};

use crate::scenario::{Body, Fault, Scenario};

/// Runs a scenario in this thread.
///
/// # Panics
/// When the engine does.
pub fn run(scenario: &Scenario, options: &RunOptions) -> RunReport {
    match &scenario.body {
        Body::HeapOps(program) => heap_ops::run(scenario, program, options),
        Body::Programs(programs) => programs::run(scenario, programs, options),
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

/// Hash of a trace: equal runs have equal ones.
pub(crate) fn trace_digest(events: &[trace::Event]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    events.hash(&mut hasher);
    hasher.finish()
}
