//! Bugs that are put into the engine's heap are found. A process of its own: they are switches of the process.
#![cfg(feature = "seeded-bugs")]

use gcrucible_own_heap_subject::lane;
use gcrucible_platform::seeded_bugs::{Bug, activate};
use gcrucible_scenario::{Lane, ScenarioSeed};
use gcrucible_subject::{Mix, Subject as _};
use gcrucible_trace::{Failure, RunOptions};

/// What the first of so many programs that fails fails with.
fn first_failure(programs: u64) -> Option<Failure> {
    let lane = lane(Lane::EXTRA);
    (0..programs).find_map(|index| {
        let seed = ScenarioSeed {
            lane: lane.lane(),
            seed: 1,
            index,
        };
        let scenario = lane.generate(seed, &Mix::default());
        lane.run(&scenario, &RunOptions::default()).failure
    })
}

#[test]
fn barriers_roots_and_finalizers_that_are_wrong_are_found() {
    for bug in [Bug::B03, Bug::B12, Bug::B20e, Bug::B38, Bug::B38b] {
        activate(Some(bug));
        let found = first_failure(3_000);
        activate(None);
        let found = found.unwrap_or_else(|| panic!("{} is not found", bug.id()));
        println!("{}: {} / {}", bug.id(), found.oracle, found.check);
    }
}
