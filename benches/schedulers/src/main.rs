//! Schedules a CPU second of the futures subject and of shuttle, in turn, on the same code: three tasks, ten rounds each.
//!
//! Shuttle runs each task on a stack of its own and counts every poll and join as a step; we poll futures in place.

#[path = "../../../stress/subjects/futures/benches/rounds/ours.rs"]
mod ours;
#[path = "../../../stress/subjects/futures/benches/rounds/mod.rs"]
mod rounds;

use std::rc::Rc;

use gcrucible_futures_subject::StrategyName;
use gcrucible_trace::clock;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler};
use shuttle::{Config, Runner};

use rounds::{Shared, TASKS};

/// Schedules of each strategy in one turn.
const SCHEDULES: u64 = 30_000;

/// Turns, of which the median counts: the machine is not ours alone.
const TURNS: usize = 5;

fn workload() {
    let shared = Rc::new(Shared::default());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let shared = Rc::clone(&shared);
            shuttle::future::spawn_local(async move {
                shared.rounds(task, shuttle::future::yield_now).await;
            })
        })
        .collect();
    shuttle::future::block_on(async move {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
    shared.drain();
}

/// Schedules a CPU second.
fn shuttle_rate(scheduler: impl Scheduler + 'static) -> f64 {
    let begun = clock::process_cpu_ns();
    let ran = Runner::new(scheduler, Config::default()).run(workload);
    let seconds = (clock::process_cpu_ns() - begun) as f64 / 1e9;
    ran as f64 / seconds
}

fn shuttle(strategy: StrategyName, seed: u64) -> f64 {
    let schedules = SCHEDULES as usize;
    match strategy {
        StrategyName::Pct3 => shuttle_rate(PctScheduler::new_from_seed(seed, 3, schedules)),
        StrategyName::Urw => shuttle_rate(UrwRandomScheduler::new_from_seed(seed, schedules)),
        _ => shuttle_rate(RandomScheduler::new_from_seed(seed, schedules)),
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    for strategy in [StrategyName::Random, StrategyName::Pct3, StrategyName::Urw] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..TURNS {
            ours.push(ours::rate(strategy, SCHEDULES).0);
            theirs.push(shuttle(strategy, turn as u64));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{:>8}: {ours:>8.0} schedules a CPU second, shuttle {theirs:>8.0}, {:.1} times as many",
            strategy.name(),
            ours / theirs
        );
    }
}
