//! Schedules a CPU second of the futures subject and of shuttle, in turn, on the same work: three tasks, ten rounds each.
//!
//! Shuttle runs each task on a stack of its own and counts every poll and join as a step; we poll futures in place. Once both run
//! the same code, in which only a yield is a place for another task; and once shuttle has its own lock and channel, which
//! let others go on at each operation, and we have a yield before each.

#[path = "../../../stress/subjects/futures/benches/rounds/ours.rs"]
mod ours;
#[path = "../../../stress/subjects/futures/benches/rounds/mod.rs"]
mod rounds;

use std::rc::Rc;
use std::sync::Arc;

use gcrucible_futures_subject::StrategyName;
use gcrucible_trace::clock;
use shuttle::future::{JoinHandle, block_on, spawn_local, yield_now};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler};
use shuttle::sync::{Mutex, mpsc};
use shuttle::{Config, Runner};

use rounds::{Points, ROUNDS, Shared, TASKS};

/// Schedules of each strategy in one turn.
const SCHEDULES: u64 = 30_000;

/// Turns, of which the median counts: the machine is not ours alone.
const TURNS: usize = 5;

/// The code that we run, too.
fn same_code() {
    let shared = Rc::new(Shared::default());
    let task = |task| {
        let shared = Rc::clone(&shared);
        spawn_local(async move { shared.rounds(task, Points::Yields, yield_now).await })
    };
    join((0..TASKS).map(task).collect());
    shared.drain();
}

/// The same work with shuttle's own lock and channel.
fn own_primitives() {
    let sum = Arc::new(Mutex::new(0));
    let (sender, receiver) = mpsc::channel();
    let task = |task| {
        let (sum, sender) = (Arc::clone(&sum), sender.clone());
        spawn_local(async move {
            for _ in 0..ROUNDS {
                yield_now().await;
                *sum.lock().expect("no task panics") += 1;
                sender.send(task).expect("the receiver stays");
            }
        })
    };
    join((0..TASKS).map(task).collect());
    drop(sender);
    assert_eq!(*sum.lock().expect("no task panics"), TASKS * ROUNDS);
    assert_eq!(receiver.iter().count() as u64, TASKS * ROUNDS);
}

fn join(tasks: Vec<JoinHandle<()>>) {
    block_on(async move {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
}

/// Schedules a CPU second of shuttle.
fn theirs(strategy: StrategyName, points: Points, seed: u64) -> f64 {
    let count = SCHEDULES as usize;
    match strategy {
        StrategyName::Pct3 => ran(PctScheduler::new_from_seed(seed, 3, count), points),
        StrategyName::Urw => ran(UrwRandomScheduler::new_from_seed(seed, count), points),
        _ => ran(RandomScheduler::new_from_seed(seed, count), points),
    }
}

fn ran(scheduler: impl Scheduler + 'static, points: Points) -> f64 {
    let workload = match points {
        Points::Yields => same_code,
        Points::Each => own_primitives,
    };
    let begun = clock::process_cpu_ns();
    let ran = Runner::new(scheduler, Config::default()).run(workload);
    let seconds = (clock::process_cpu_ns() - begun) as f64 / 1e9;
    ran as f64 / seconds
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() {
    for (points, what) in [
        (Points::Yields, "the same code"),
        (Points::Each, "shuttle's own lock and channel"),
    ] {
        println!("{what}:");
        for strategy in [StrategyName::Random, StrategyName::Pct3, StrategyName::Urw] {
            compare(strategy, points);
        }
    }
}

fn compare(strategy: StrategyName, points: Points) {
    let (mut ours, mut others, mut decisions) = (Vec::new(), Vec::new(), 0.0);
    for turn in 0..TURNS {
        let (rate, each) = ours::rate(strategy, points, SCHEDULES);
        decisions = each;
        ours.push(rate);
        others.push(theirs(strategy, points, turn as u64));
    }
    let (ours, others) = (median(ours), median(others));
    println!(
        "{:>8}: {ours:>8.0} schedules a CPU second of {decisions:.0} decisions each, shuttle {others:>8.0}, {:.1} times as many",
        strategy.name(),
        ours / others
    );
}
