//! Runs scenarios.

pub mod graph;
pub mod heap_ops;
pub mod pairs;
pub mod programs;
pub mod region_pool;
pub mod run;
pub mod simulated_platform;
pub mod trace;

pub use run::{Advantages, Counters, ReplayMode, RunOptions, RunReport};

use std::hash::{Hash as _, Hasher as _};

use crate::scenario::{Body, Scenario};

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

/// Hash of a trace: equal runs have equal ones.
pub(crate) fn trace_digest(events: &[trace::Event]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    events.hash(&mut hasher);
    hasher.finish()
}
