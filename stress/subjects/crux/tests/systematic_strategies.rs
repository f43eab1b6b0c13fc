//! Defects that need one event at one place, or one switch, and how soon they are found.
//!
//! One test alone: the switch of a defect is one for the whole process.
#![cfg(feature = "seeded-bugs")]

use std::ops::ControlFlow;

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::exploration::{Bound, explore_all};
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_explore::KthPoint;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_trace::{RunOptions, RunReport};

/// Spawns a task with a young object that nothing else refers to, and awaits it.
const HANDS_OVER: &str = "
fn task(list) { return list.len() }
fn main() {
  let future = spawn task([1, 2, 3])
  assert(await future == 3)
}
";

fn program(modes: &str) -> Scenario {
    Scenario {
        debug: modes.parse().expect("heap modes"),
        ..Scenario::of_program(HANDS_OVER.to_owned())
    }
}

fn run(program: &Scenario, k: u64) -> RunReport {
    let scenario = Scenario {
        schedule: Schedule::Drawn {
            strategy: StrategyName::KthPoint,
            seed: KthPoint::seed(0, k),
        },
        ..program.clone()
    };
    executor::run(&scenario, &RunOptions::default()).report
}

/// Least number of preemptions with which some schedule fails, and how many then do.
fn least_bound(program: &Scenario) -> Option<(u32, u64)> {
    (0..=2).find_map(|preemptions| {
        let bound = Bound {
            preemptions: Some(preemptions),
            ..Bound::default()
        };
        let mut failures = 0;
        let explored = explore_all(program, &bound, |run| {
            failures += u64::from(run.failure.is_some());
            ControlFlow::Continue(())
        });
        assert!(explored.is_complete, "{explored:?}");
        (failures > 0).then_some((preemptions, failures))
    })
}

#[test]
fn defects_of_one_place_are_found() {
    // Callee and arguments of a future that has not started are no roots.
    let zombies = program("zombie");
    let points = (0..).find(|&k| run(&zombies, k).counters.injections == 2);
    let points = points.expect("pairs follow");
    assert!((0..points).all(|k| run(&zombies, k).failure.is_none()));
    seeded_bugs::activate(Some(Bug::B16));
    let found: Vec<u64> = (0..points)
        .filter(|&k| run(&zombies, k).failure.is_some())
        .collect();
    assert!(!found.is_empty(), "none of {points} points");
    assert!(
        found.len() as u64 * 10 < points,
        "it needs a place: {found:?} of {points}"
    );

    // Looking whether a future is pending and waiting for it are two steps.
    let plain = program("natural");
    seeded_bugs::activate(None);
    assert_eq!(least_bound(&plain), None);
    seeded_bugs::activate(Some(Bug::B42));
    let found = least_bound(&plain);
    seeded_bugs::activate(None);
    assert!(matches!(found, Some((1, _))), "{found:?}");
}
