//! The workload as a world, and how fast its schedules run.

use std::rc::Rc;

use gcrucible_explore::Schedule;
use gcrucible_futures_subject::{FuturesLane, Settings, StrategyName, World};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subject as _;
use gcrucible_trace::{RunOptions, clock};

use super::rounds::{Points, Shared, TASKS};

fn world(world: &World, points: Points) {
    let shared = Rc::new(Shared::default());
    for task in 0..TASKS {
        let (of_task, shared) = (world.clone(), Rc::clone(&shared));
        world.task("worker", async move {
            shared.rounds(task, points, || of_task.yield_now()).await;
        });
    }
    world.at_rest(move || shared.drain());
}

/// Schedules a CPU second under a strategy, and decisions in each on average.
pub(super) fn rate(strategy: StrategyName, points: Points, schedules: u64) -> (f64, f64) {
    let lane = FuturesLane::new(Lane::EXTRA, "rounds", move |of| world(of, points));
    let begun = clock::process_cpu_ns();
    let mut decisions = 0;
    for seed in 0..schedules {
        let schedule = Schedule::Drawn { strategy, seed };
        let scenario = lane.scenario(Settings::default(), schedule);
        let report = lane.run(&scenario, &RunOptions::default());
        assert_eq!(report.failure, None);
        decisions += report.counters.decisions;
    }
    let seconds = (clock::process_cpu_ns() - begun) as f64 / 1e9;
    (
        schedules as f64 / seconds,
        decisions as f64 / schedules as f64,
    )
}
