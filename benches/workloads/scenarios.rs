//! Whole scenarios: generation, run and judgement.

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::generator::{Mix, generate};
use gcrucible_scenario::{Lane, ScenarioSeed};
use gcrucible_trace::RunOptions;

/// The seed of the scenarios that are run: any does.
const SEED: u64 = 11;

/// The first index: beyond the small scenarios that a lane begins with.
const FIRST: u64 = 1000;

/// Generates `count` scenarios of a lane.
pub fn make(lane: Lane, count: u64) -> usize {
    let seed = |at| ScenarioSeed {
        lane,
        seed: SEED,
        index: FIRST + at,
    };
    (0..count)
        .filter(|&at| generate(seed(at), &Mix::default()).faults.is_empty())
        .count()
}

/// Generates and runs `count` scenarios of a lane.
///
/// # Panics
/// If one of them fails.
pub fn run(lane: Lane, count: u64) {
    for at in 0..count {
        let seed = ScenarioSeed {
            lane,
            seed: SEED,
            index: FIRST + at,
        };
        let scenario = generate(seed, &Mix::default());
        let report = executor::run(&scenario, &RunOptions::default());
        assert_eq!(report.failure, None, "{seed}");
    }
}
