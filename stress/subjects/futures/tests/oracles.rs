//! Right code is not complained about, and each oracle notices the bug that it is there for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gcrucible_futures_subject::{FuturesLane, FuturesScenario, World, check};
use gcrucible_scenario::{Lane, ScenarioData as _, ScenarioSeed};
use gcrucible_shrink::{Reduce, Search, ShrinkBudget, shrink};
use gcrucible_subject::{Mix, Subject as _};
use gcrucible_trace::{Refusal, RunOptions};

/// What is wrong with a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// The first waker of a receiver is kept.
    OldWaker,
    /// A receiver that is dropped keeps the notification that was meant for one of the others.
    LostNotification,
    /// A receiver takes its value before it waits again.
    ValueLostOnDrop,
    /// Nobody is told that the last sender is gone.
    SilentEnd,
    /// A receiver that has to wait asks to be polled again at once.
    Spins,
    /// A waker is kept after its receiver has ended.
    KeepsWakers,
}

/// A channel for tasks of one thread.
struct Channel<T> {
    bug: Bug,
    values: RefCell<VecDeque<T>>,
    /// Waiting receivers: their numbers, their wakers, and whether they were notified.
    waiting: RefCell<Vec<(u32, Waker, bool)>>,
    numbers: Cell<u32>,
    senders: Cell<u32>,
    kept: RefCell<Vec<Waker>>,
}

struct Waiter<T> {
    channel: Rc<Channel<T>>,
    number: u32,
}

impl<T> Channel<T> {
    fn new(bug: Bug, senders: u32) -> Rc<Self> {
        Rc::new(Channel {
            bug,
            values: RefCell::default(),
            waiting: RefCell::default(),
            numbers: Cell::new(0),
            senders: Cell::new(senders),
            kept: RefCell::default(),
        })
    }

    fn notify(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let waker = waiting
            .iter_mut()
            .find(|(_, _, told)| !told)
            .map(|(_, waker, told)| {
                *told = true;
                waker.clone()
            });
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn send(&self, value: T) {
        self.values.borrow_mut().push_back(value);
        self.notify();
    }

    fn close_sender(&self) {
        self.senders.set(self.senders.get() - 1);
        if self.senders.get() == 0 && self.bug != Bug::SilentEnd {
            let all: Vec<Waker> = self
                .waiting
                .borrow()
                .iter()
                .map(|(_, waker, _)| waker.clone())
                .collect();
            all.into_iter().for_each(Waker::wake);
        }
    }

    async fn receive(self: &Rc<Self>, world: &World) -> Option<T> {
        let number = self.numbers.replace(self.numbers.get() + 1);
        let waiter = Waiter {
            channel: Rc::clone(self),
            number,
        };
        let value = poll_fn(|context| {
            let taken = self.values.borrow_mut().pop_front();
            if taken.is_some() || self.senders.get() == 0 {
                return Poll::Ready(taken);
            }
            let mut waiting = self.waiting.borrow_mut();
            let known = waiting.iter_mut().find(|(known, _, _)| *known == number);
            match known {
                Some(entry) => {
                    if self.bug != Bug::OldWaker {
                        entry.1 = context.waker().clone();
                    }
                    entry.2 = false;
                }
                None => waiting.push((number, context.waker().clone(), false)),
            }
            if self.bug == Bug::KeepsWakers {
                self.kept.borrow_mut().push(context.waker().clone());
            }
            if self.bug == Bug::Spins {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        drop(waiter);
        if self.bug == Bug::ValueLostOnDrop {
            world.yield_now().await;
        }
        value
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let mut waiting = self.channel.waiting.borrow_mut();
        let at = waiting
            .iter()
            .position(|(number, ..)| *number == self.number);
        let told = at.map(|at| waiting.remove(at).2);
        drop(waiting);
        // Whoever was told and does not take the value must tell another.
        if told == Some(true)
            && self.channel.bug != Bug::LostNotification
            && !self.channel.values.borrow().is_empty()
        {
            self.channel.notify();
        }
    }
}

/// Closes its end when it goes, whatever makes it go.
struct Sender<T>(Rc<Channel<T>>);

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.close_sender();
    }
}

/// Two receivers of one value each; there is a second value if the first one was received.
fn a_value_each(world: &World, bug: Bug) {
    let channel = Channel::new(bug, 1);
    let received = Rc::new(Cell::new(0));
    for name in ["first", "second"] {
        let (channel, received) = (Rc::clone(&channel), Rc::clone(&received));
        let world_of_task = world.clone();
        let task = async move {
            channel.receive(&world_of_task).await;
            received.set(received.get() + 1);
        };
        if name == "first" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
    let world_of_task = world.clone();
    world.background("sender", async move {
        world_of_task.yield_now().await;
        channel.send(1);
        world_of_task.sleep(5).await;
        if received.get() == 1 {
            channel.send(2);
        }
        poll_fn(|_| Poll::Pending).await
    });
}

/// Two receivers, one of which may be dropped, and a sender of two values.
fn two_receivers(world: &World, bug: Bug) {
    let channel = Channel::new(bug, 1);
    world.must_let_wakers_go();
    world.may_panic();
    let received = Rc::new(Cell::new(0));
    for name in ["first", "second"] {
        let (channel, received, world_of_task) =
            (Rc::clone(&channel), Rc::clone(&received), world.clone());
        let task = async move {
            while let Some(token) = channel.receive(&world_of_task).await {
                let token: gcrucible_futures_subject::Token = token;
                assert!(token.number() < 2);
                received.set(received.get() + 1);
            }
        };
        if name == "first" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
    let (sender, world_of_task) = (Sender(Rc::clone(&channel)), world.clone());
    world.task("sender", async move {
        for _ in 0..2 {
            world_of_task.yield_now().await;
            sender.0.send(world_of_task.token());
        }
        world_of_task.sleep(5).await;
    });
    let world_at_rest = world.clone();
    world.at_rest(move || {
        let left = channel.values.borrow().len();
        // A panic may take a task with it, and what it was about to take.
        assert!(
            world_at_rest.has_panicked() || received.get() + left == 2,
            "a value is lost"
        );
    });
}

fn lane(bug: Bug) -> FuturesLane {
    FuturesLane::new(Lane::EXTRA, "channel", move |world| {
        two_receivers(world, bug)
    })
}

fn scenario(lane: &FuturesLane, index: u64) -> FuturesScenario {
    let seed = ScenarioSeed {
        lane: lane.lane(),
        seed: 1,
        index,
    };
    lane.generate(seed, &Mix::default())
}

struct Passes<'a>(&'a FuturesLane);

impl Reduce<FuturesScenario> for Passes<'_> {
    fn reduce(&self, search: &mut Search<'_, '_, FuturesScenario>) -> Result<(), Refusal> {
        self.0.reduce(search)
    }
}

/// The bug is found by this check, shrinks to at most four switches, and replays.
fn is_found_by(lane: &FuturesLane, oracle: &str, check: &str) {
    let fails = |scenario: &FuturesScenario| {
        let failure = lane.run(scenario, &RunOptions::default()).failure?;
        Some((failure.oracle, failure.check))
    };
    let wanted = Some((oracle.to_owned(), check.to_owned()));
    let mut all = (0..3000).map(|index| scenario(lane, index));
    let found = all.find(|scenario| fails(scenario) == wanted);
    let found = found.unwrap_or_else(|| {
        let failures: std::collections::BTreeSet<_> = (0..3000)
            .filter_map(|index| fails(&scenario(lane, index)))
            .collect();
        panic!("{oracle}/{check} is not found, but {failures:?}")
    });
    let mut run = |scenario: &FuturesScenario, record, replay| {
        let options = RunOptions {
            record,
            replay,
            ..RunOptions::default()
        };
        Ok(lane.run(scenario, &options).into())
    };
    let budget = ShrinkBudget {
        runs: 5000,
        ms: u64::MAX,
    };
    let small = shrink(&found, None, &Passes(lane), &mut run, budget);
    let small = small.unwrap().expect("it fails");
    let size = lane.size(&small.scenario, &small.verdict);
    assert!(
        size.switches <= 4,
        "{size} {:?} {:#?}",
        small.scenario.body,
        small.verdict.timeline
    );
    assert_eq!(fails(&small.scenario), wanted);
}

#[test]
fn right_code_is_not_complained_about() {
    let lane = lane(Bug::None);
    for index in 0..20_000 {
        let scenario = scenario(&lane, index);
        let failure = lane.run(&scenario, &RunOptions::default()).failure;
        assert_eq!(failure, None, "{index}: {:?}", scenario);
    }
}

#[test]
fn a_waker_of_an_earlier_poll_is_told() {
    is_found_by(&lane(Bug::OldWaker), "everything_ends", "stale_waker");
}

#[test]
fn a_notification_that_is_dropped_is_a_lost_wake_up() {
    let lane = |bug| FuturesLane::new(Lane::EXTRA, "each", move |world| a_value_each(world, bug));
    is_found_by(
        &lane(Bug::LostNotification),
        "everything_ends",
        "lost_wake_up",
    );
    let right = lane(Bug::None);
    for scenario in (0..3000).map(|index| scenario(&right, index)) {
        let failure = right.run(&scenario, &RunOptions::default()).failure;
        assert_eq!(failure, None, "{scenario:?}");
    }
}

#[test]
fn a_value_that_is_lost_with_its_receiver_is_told() {
    is_found_by(&lane(Bug::ValueLostOnDrop), "invariants_hold", "at_rest");
}

#[test]
fn an_end_that_nobody_is_told_of_is_a_lost_wake_up() {
    is_found_by(&lane(Bug::SilentEnd), "everything_ends", "lost_wake_up");
}

#[test]
fn a_busy_loop_is_told() {
    is_found_by(&lane(Bug::Spins), "progress_is_made", "busy_loop");
}

#[test]
fn wakers_that_are_kept_are_told() {
    is_found_by(&lane(Bug::KeepsWakers), "nothing_leaks", "wakers");
}

#[test]
fn tasks_that_wait_for_one_another_are_a_deadlock() {
    let lane = FuturesLane::new(Lane::EXTRA, "deadlock", |world| {
        world.task("waits", poll_fn(|_| Poll::Pending));
    });
    is_found_by(&lane, "everything_ends", "deadlock");
}

#[test]
fn a_token_that_is_kept_is_a_leak() {
    let lane = FuturesLane::new(Lane::EXTRA, "leak", |world| {
        let token = world.token();
        world.droppable("keeps", async move { std::mem::forget(token) });
    });
    is_found_by(&lane, "nothing_leaks", "tokens");
}

#[test]
fn a_token_that_drops_twice_is_told() {
    let lane = FuturesLane::new(Lane::EXTRA, "twice", |world| {
        let token = Rc::new(world.token());
        // What a second drop takes away of what all tokens share, these have brought.
        std::mem::forget([world.token(), world.token()]);
        world.task("drops", async move {
            // What a container with a wrong length does.
            let place = std::mem::ManuallyDrop::new(token);
            drop(Rc::clone(&place));
            drops_in_place(&place);
            drops_in_place(&place);
        });
    });
    is_found_by(&lane, "tokens_drop_once", "double_drop");
}

#[allow(unsafe_code, reason = "dropping twice is the bug that is to be found")]
fn drops_in_place(token: &Rc<gcrucible_futures_subject::Token>) {
    let place = Rc::as_ptr(token).cast_mut();
    // SAFETY: the token is dropped twice on purpose. Its memory stays, for nobody drops the `Rc`; what it shares with
    // others is counted, and the caller has counted two more than there are.
    unsafe { std::ptr::drop_in_place(place) }
}

#[test]
fn a_panic_in_a_poll_and_one_in_a_drop_are_told() {
    let polls = FuturesLane::new(Lane::EXTRA, "polls", |world| {
        world.task("panics", async { panic!("no") });
    });
    is_found_by(&polls, "no_crash", "panic");
    let drops = FuturesLane::new(Lane::EXTRA, "drops", |world| {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("no");
            }
        }
        let it = Panics;
        world.droppable("panics", async move {
            let it = it;
            poll_fn(|_| Poll::<()>::Pending).await;
            drop(it);
        });
    });
    is_found_by(&drops, "no_crash", "panic_in_drop");
}

#[test]
fn a_world_that_cannot_be_made_is_told() {
    let lane = FuturesLane::new(Lane::EXTRA, "unmade", |_| panic!("there is no world"));
    is_found_by(&lane, "no_crash", "panic");
}

#[test]
fn a_background_task_that_panics_when_it_is_taken_apart_is_told() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("no");
        }
    }
    let lane = FuturesLane::new(Lane::EXTRA, "apart", |world| {
        let it = Panics;
        world.background("panics", async move {
            let _it = it;
            poll_fn(|_| Poll::<()>::Pending).await;
        });
    });
    is_found_by(&lane, "no_crash", "panic_in_drop");
}

/// Two tasks that tell one another to go on, for ever: each step is progress, and nobody ends.
#[test]
fn a_run_without_an_end_is_told() {
    let lane = FuturesLane::new(Lane::EXTRA, "endless", |world| {
        let turns: Rc<[RefCell<Option<Waker>>; 2]> = Rc::default();
        for (at, name) in ["first", "second"].into_iter().enumerate() {
            let turns = Rc::clone(&turns);
            world.task(
                name,
                poll_fn(move |context| {
                    turns[at].replace(Some(context.waker().clone()));
                    let other = turns[1 - at].take();
                    other.into_iter().for_each(Waker::wake);
                    Poll::Pending
                }),
            );
        }
    });
    let options = RunOptions {
        decisions_max: 2000,
        ..RunOptions::default()
    };
    let failures = (0..50).filter_map(|index| lane.run(&scenario(&lane, index), &options).failure);
    let endless = failures
        .filter(|failure| failure.check == "endless")
        .count();
    assert!(endless > 40, "{endless}");
}

#[test]
fn a_canary_dies() {
    let options = RunOptions {
        canary: true,
        ..RunOptions::default()
    };
    let lane = lane(Bug::None);
    assert!(lane.run(&scenario(&lane, 0), &options).failure.is_some());
}

#[test]
fn equal_scenarios_make_equal_runs_and_are_read_as_they_are_written() {
    let lane = lane(Bug::None);
    let mut hashes = std::collections::BTreeSet::new();
    for index in 0..500 {
        let one = scenario(&lane, index);
        let [first, second] = [(), ()].map(|()| lane.run(&one, &RunOptions::default()));
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.counters, second.counters);
        hashes.insert(first.trace_hash);
        assert_eq!(FuturesScenario::from_text(&one.to_text()), Ok(one));
    }
    assert!(hashes.len() > 100, "{}", hashes.len());
}

#[test]
#[should_panic(expected = "everything_ends / lost_wake_up")]
fn a_test_of_a_wrong_world_panics_with_the_report() {
    check(|world| two_receivers(world, Bug::SilentEnd));
}

#[test]
fn a_test_of_a_right_world_passes() {
    check(|world| two_receivers(world, Bug::None));
}
