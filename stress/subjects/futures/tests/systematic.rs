//! The search and the k-th point: each finds what a random walk misses, and says when there is nothing to find.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Poll;

use gcrucible_explore::KthPoint;
use gcrucible_explore::Schedule;
use gcrucible_futures_subject::{Explorer, FuturesLane, StrategyName, World, explore};
use gcrucible_scenario::{Lane, ScenarioData as _, ScenarioSeed};
use gcrucible_subject::{Mix, Subject as _};
use gcrucible_trace::{Failure, Injected, RunOptions};

/// Schedules that a random walk has.
const SCHEDULES: u64 = 3000;

/// The second task must take its only step at one certain place among many of the first one's.
fn needle(world: &World) {
    let at = Rc::new(Cell::new(0));
    let (of_task, seen) = (world.clone(), Rc::clone(&at));
    world.task("steps", async move {
        for step in 0..24 {
            at.set(step);
            of_task.yield_now().await;
        }
    });
    world.task("looks", async move {
        assert_ne!(seen.get(), 17, "it looks in the middle");
    });
}

/// A token is nobody's at one await of many.
fn leaks_at_one_await(world: &World) {
    let of_task = world.clone();
    world.droppable("moves", async move {
        for step in 0..30 {
            let token = ManuallyDrop::new(of_task.token());
            if step == 22 {
                of_task.yield_now().await;
            }
            drop(ManuallyDrop::into_inner(token));
            of_task.yield_now().await;
        }
    });
}

/// A token is nobody's at one of the places at which a task may panic.
fn leaks_at_one_panic(world: &World) {
    world.may_panic();
    let of_task = world.clone();
    world.task("moves", async move {
        for step in 0..30 {
            let token = of_task.token();
            if step == 25 {
                let token = ManuallyDrop::new(token);
                of_task.yield_now().await;
                drop(ManuallyDrop::into_inner(token));
            } else {
                of_task.yield_now().await;
            }
        }
    });
}

/// A poll that nobody asked for is taken for the end at one of many waits.
fn trusts_one_poll(world: &World) {
    let is_open = Rc::new(Cell::new(0));
    let (of_task, opened) = (world.clone(), Rc::clone(&is_open));
    world.task("waits", async move {
        for step in 0..20 {
            let (mut was_polled, is_open) = (false, Rc::clone(&opened));
            let mut sleep = Box::pin(of_task.sleep(1));
            poll_fn(move |context| {
                let is_told = sleep.as_mut().poll(context).is_ready();
                let trusts = step == 15 && std::mem::replace(&mut was_polled, true);
                match is_told || trusts {
                    true if !is_told => panic!("step {step} ends early: {}", is_open.get()),
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        }
    });
    let of_task = world.clone();
    world.task("opens", async move {
        for _ in 0..20 {
            of_task.sleep(1).await;
            is_open.set(is_open.get() + 1);
        }
    });
}

/// A token is lost if both of two tasks are dropped, each at one of its awaits.
fn leaks_after_two_drops(world: &World) {
    let is_gone = [Rc::new(Cell::new(false)), Rc::new(Cell::new(false))];
    for (name, gone) in ["first", "second"].into_iter().zip(&is_gone) {
        let (of_task, gone) = (world.clone(), Rc::clone(gone));
        world.droppable(name, async move {
            for step in 0..4 {
                let goes = Goes(Rc::clone(&gone), step == 3);
                of_task.yield_now().await;
                std::mem::forget(goes);
            }
        });
    }
    world.at_rest(move || {
        assert!(!is_gone.iter().all(|gone| gone.get()), "both are gone");
    });
}

/// Says that its task was dropped, if that was at the right place.
struct Goes(Rc<Cell<bool>>, bool);

impl Drop for Goes {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

fn lane(make: fn(&World)) -> FuturesLane {
    FuturesLane::new(Lane::EXTRA, "systematic", make)
}

/// The first of so many schedules of a strategy that fails, with its number from 1.
fn first_failure(
    lane: &FuturesLane,
    strategy: StrategyName,
    schedules: u64,
) -> Option<(u64, Failure)> {
    let mix = Mix {
        strategy: Some(strategy),
        ..Mix::default()
    };
    (0..schedules).find_map(|index| {
        let seed = ScenarioSeed {
            lane: lane.lane(),
            seed: 1,
            index,
        };
        let scenario = lane.generate(seed, &mix);
        let failure = lane.run(&scenario, &RunOptions::default()).failure?;
        Some((index + 1, failure))
    })
}

/// The k-th point finds it in so many runs at the most, and a random walk in none.
fn is_found_by_the_kth_point_alone(make: fn(&World), check: &str, runs: u64) {
    let lane = lane(make);
    let random = first_failure(&lane, StrategyName::Random, SCHEDULES);
    assert_eq!(random, None, "a random walk finds it as well");
    let (found, failure) = first_failure(&lane, StrategyName::KthPoint, runs).expect("it is found");
    assert_eq!(failure.check, check, "after {found} runs: {failure:?}");
}

#[test]
fn a_search_finds_a_needle_that_a_random_walk_misses() {
    let random = first_failure(&lane(needle), StrategyName::Random, SCHEDULES);
    assert_eq!(random, None);
    let found = std::panic::catch_unwind(|| {
        let _ = Explorer::default()
            .preemptions(1)
            .runs(60)
            .name("needle")
            .explore(needle);
    });
    let text = found.expect_err("it is found within 60 runs");
    let text = text.downcast_ref::<String>().expect("a report is text");
    assert!(text.contains("it looks in the middle"), "{text}");
}

#[test]
fn a_search_that_finds_nothing_says_what_it_was_through() {
    // Without a preemption the first task runs to its end, before or after the second.
    let none = Explorer::default().preemptions(0).explore(needle);
    assert!(none.is_complete());
    // Twice, for wakers of earlier polls may be dead.
    assert_eq!((none.schedules, none.settings), (4, 2));
    let cut = Explorer::default().runs(5).explore(|world| {
        for name in ["first", "second", "third"] {
            let of_task = world.clone();
            world.task(name, async move { of_task.yield_now().await });
        }
    });
    assert!(!cut.is_complete());
    assert_eq!(cut.schedules, 5);
}

#[test]
fn a_search_without_a_bound_runs_every_interleaving_once() {
    let all = Explorer::default().preemptions(None).explore(|world| {
        for name in ["first", "second"] {
            let of_task = world.clone();
            world.task(name, async move {
                for _ in 0..2 {
                    of_task.yield_now().await;
                }
            });
        }
    });
    assert!(all.is_complete());
    // Two tasks of three polls each: 6 over 3, under two settings.
    assert_eq!(all.schedules, 2 * 20);
}

#[test]
fn a_search_goes_through_the_drops_too() {
    let found = std::panic::catch_unwind(|| {
        let explorer = Explorer::default().preemptions(1).name("drops");
        let _ = explorer.explore(leaks_at_one_await);
    });
    let text = found.expect_err("a drop at one await leaks");
    let text = text.downcast_ref::<String>().expect("a report is text");
    assert!(text.contains("nothing_leaks / tokens"), "{text}");
}

#[test]
fn a_right_world_passes_a_search() {
    let explored = explore(|world| {
        let sum = Rc::new(Cell::new(0));
        for name in ["first", "second"] {
            let (of_task, sum) = (world.clone(), Rc::clone(&sum));
            world.droppable(name, async move {
                let _token = of_task.token();
                of_task.yield_now().await;
                sum.set(sum.get() + 1);
                of_task.sleep(1).await;
            });
        }
        world.at_rest(move || assert!(sum.get() <= 2));
    });
    assert!(explored.is_complete());
    assert_eq!(
        explored.settings, 8,
        "four subsets of two droppable tasks, old wakers dead or not"
    );
    assert!(explored.schedules > 100, "{explored:?}");
}

#[test]
fn a_drop_at_one_await_is_found_by_the_kth_point() {
    is_found_by_the_kth_point_alone(leaks_at_one_await, "tokens", 130);
}

#[test]
fn a_panic_at_one_place_is_found_by_the_kth_point() {
    is_found_by_the_kth_point_alone(leaks_at_one_panic, "tokens", 130);
}

#[test]
fn a_poll_at_one_place_is_found_by_the_kth_point() {
    let (found, failure) =
        first_failure(&lane(trusts_one_poll), StrategyName::KthPoint, 400).expect("it is found");
    assert_eq!(failure.check, "panic", "after {found} runs: {failure:?}");
}

#[test]
fn two_drops_are_found_once_all_pairs_have_had_their_turn() {
    let lane = lane(leaks_after_two_drops);
    let (found, failure) = first_failure(&lane, StrategyName::KthPoint, 1024).expect("it is found");
    assert_eq!(failure.check, "at_rest", "after {found} runs: {failure:?}");
}

#[test]
fn each_point_is_met_once_and_repeats_from_the_decisions() {
    let lane = lane(leaks_at_one_await);
    let options = RunOptions {
        record: true,
        ..RunOptions::default()
    };
    let mut met = BTreeSet::new();
    let mut drops = 0;
    for k in 0..60 {
        let schedule = Schedule::Drawn {
            strategy: StrategyName::KthPoint,
            seed: KthPoint::seed(0, k),
        };
        let scenario = lane.scenario(Default::default(), schedule);
        let report = lane.run(&scenario, &options);
        let decisions = (0..).zip(&report.decisions);
        let injected: Vec<_> = decisions
            .filter_map(|(at, decision)| Some((at, decision.inject?)))
            .collect();
        let [(at, event)] = injected[..] else {
            panic!("{k}: {injected:?}");
        };
        drops += u64::from(matches!(event, Injected::DropTask(1)));
        assert!(met.insert((at, event)), "{k} is no new point");
        assert_eq!(report.counters.injections, 1);
        // The same from the decisions alone.
        let recorded = Schedule::Recorded(report.decisions.clone());
        let again = lane.run(&lane.scenario(Default::default(), recorded), &options);
        assert_eq!(again.trace_hash, report.trace_hash);
        assert_eq!(again.failure, report.failure);
        assert_eq!(again.diverged, None);
    }
    assert!(
        drops > 20,
        "a task can be dropped at each of its polls: {drops}"
    );
}

#[test]
fn the_kth_point_is_part_of_the_usual_mix_and_its_scenarios_are_read_as_they_are_written() {
    let lane = lane(leaks_at_one_await);
    let mut injections = 0;
    for index in 0..500 {
        let seed = ScenarioSeed {
            lane: lane.lane(),
            seed: 1,
            index,
        };
        let scenario = lane.generate(seed, &Mix::default());
        let text = scenario.to_text();
        assert_eq!(
            gcrucible_futures_subject::FuturesScenario::from_text(&text),
            Ok(scenario.clone())
        );
        injections += lane
            .run(&scenario, &RunOptions::default())
            .counters
            .injections;
    }
    assert!(injections > 20, "{injections}");
}
