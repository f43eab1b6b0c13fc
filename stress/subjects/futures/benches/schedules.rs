//! Schedules a CPU second on the workload by which schedulers are compared: three tasks, ten rounds each of a
//! yield, a lock with an addition, and a message; then they are joined and the channel is drained.
//!
//! `cargo bench -p gcrucible-futures-subject` prints a line for each strategy.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gcrucible_futures_subject::{FuturesLane, Settings, World};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subject as _;
use gcrucible_trace::{RunOptions, Schedule, StrategyName, clock};

const TASKS: u64 = 3;
const ROUNDS: u64 = 10;

/// A lock that is handed over in turn.
#[derive(Default)]
struct Lock {
    is_taken: Cell<bool>,
    waiting: RefCell<VecDeque<Waker>>,
}

impl Lock {
    async fn lock(&self) {
        poll_fn(|context| {
            if !self.is_taken.replace(true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push_back(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn unlock(&self) {
        self.is_taken.set(false);
        let next = self.waiting.borrow_mut().pop_front();
        if let Some(next) = next {
            next.wake();
        }
    }
}

fn workload(world: &World) {
    let lock = Rc::new(Lock::default());
    let sum = Rc::new(Cell::new(0));
    let sent = Rc::new(RefCell::new(VecDeque::new()));
    for task in 0..TASKS {
        let (world_of_task, lock, sum, sent) = (
            world.clone(),
            Rc::clone(&lock),
            Rc::clone(&sum),
            Rc::clone(&sent),
        );
        world.task("worker", async move {
            for _ in 0..ROUNDS {
                world_of_task.yield_now().await;
                lock.lock().await;
                sum.set(sum.get() + 1);
                lock.unlock();
                sent.borrow_mut().push_back(task);
            }
        });
    }
    world.at_rest(move || {
        assert_eq!(sum.get(), TASKS * ROUNDS);
        assert_eq!(sent.borrow_mut().drain(..).count() as u64, TASKS * ROUNDS);
    });
}

fn main() {
    const SCHEDULES: u64 = 100_000;
    let lane = FuturesLane::new(Lane::EXTRA, "rounds", workload);
    let strategies = [StrategyName::Random, StrategyName::Pct3, StrategyName::Urw];
    for strategy in strategies {
        let begun = clock::process_cpu_ns();
        let mut decisions = 0;
        for seed in 0..SCHEDULES {
            let schedule = Schedule::Drawn { strategy, seed };
            let scenario = lane.scenario(Settings::default(), schedule);
            let report = lane.run(&scenario, &RunOptions::default());
            assert_eq!(report.failure, None);
            decisions += report.counters.decisions;
        }
        let seconds = (clock::process_cpu_ns() - begun) as f64 / 1e9;
        println!(
            "{:>8}: {:>8.0} schedules a CPU second, {:.0} ns a decision, {} decisions each",
            strategy.name(),
            SCHEDULES as f64 / seconds,
            seconds * 1e9 / decisions as f64,
            decisions / SCHEDULES
        );
    }
}
