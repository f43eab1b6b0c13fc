//! Who runs next, for how long, and whether a collection comes first.
//!
//! A subject shows a [`Point`], a [`Strategy`] answers with a [`Choice`]: that is all
//! that the two know of one another. Each strategy is one file; [`strategy`] makes the one
//! that a scenario asks for. The [`kernels`] compare them on races of known difficulty.
//!
//! A decision is taken millions of times in a campaign, so no strategy allocates in
//! [`Strategy::choose`], except when an actor shows itself for the first time.

mod counts;
mod decision;
mod driver;
mod exhaustive;
mod happens_before;
mod injection;
pub mod kernels;
mod kth_point;
mod pct;
mod random;
mod replay;
mod round_robin;
#[macro_use]
mod schedule;
mod slices;
mod touched;
mod urw;

pub use counts::EventCounts;
pub use decision::{Choice, Divergence, Point, ReadyActor, Strategy};
pub use driver::Driver;
pub use exhaustive::{Exhaustive, Found, Next};
pub use injection::{InjectionPoint, InjectionPoints, PointEvent, places};
pub use kth_point::KthPoint;
pub use pct::{Pct, pct_bound};
pub use random::Random;
pub use replay::Replay;
pub use round_robin::RoundRobin;
pub use schedule::{DryRun, Schedule};
pub use slices::UNTIL_IT_WAITS;
pub use touched::{Resource, Touched};
pub use urw::Urw;

use gcrucible_trace::ReplayMode;

/// The strategy of a schedule. `counts` come from a dry run of the same scenario: URW is a
/// random walk without them, PCT guesses the length of the run, the k-th point and the aimed
/// one are their base schedule. [`Exhaustive`] is no strategy of a schedule: it takes the decisions of many.
pub fn strategy(
    schedule: &Schedule,
    replay: ReplayMode,
    counts: Option<&EventCounts>,
) -> Box<dyn Strategy> {
    match schedule {
        Schedule::Recorded(decisions) => Box::new(Replay::new(decisions.clone(), replay)),
        &Schedule::Drawn { strategy, seed } => drawn(strategy, seed, counts),
    }
}

// The table of strategies. A row: the name on the command line, that in files, the counter that a
// campaign under this strategy must move, the dry run that it needs, and how it is made of a seed and the
// counts of that.
strategies! {
    /// Uniform choice of the next ready actor.
    Random = "random", file "random", decisions, dry Nothing, |seed, _| Box::new(Random::new(seed));
    /// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010), depth 2.
    Pct2 = "pct2", file "pct2", decisions, dry Length,
        |seed, counts| Box::new(Pct::new(seed, 2, counts));
    /// The same with depth 3.
    Pct3 = "pct3", file "pct3", decisions, dry Length,
        |seed, counts| Box::new(Pct::new(seed, 3, counts));
    /// Uniform random walk over interleavings (Zhao et al., ASPLOS 2025).
    Urw = "urw", file "urw", decisions, dry Events, |seed, counts| match counts {
        Some(counts) => Box::new(Urw::new(seed, counts)),
        None => Box::new(Random::instead_of_urw(seed)),
    };
    /// Each ready actor in turn, one long slice each.
    RoundRobin = "round-robin", file "round_robin", decisions, dry Nothing,
        |_, _| Box::new(RoundRobin::default());
    /// One event, or two, at the place with this number among all those of a schedule.
    KthPoint = "kth-point", file "kth_point", injections, dry Points,
        |seed, counts| Box::new(KthPoint::new(seed, counts.and_then(EventCounts::points)));
    /// Cancellations, drops and interrupts right before and right after a transition of the
    /// task they are meant for, one or two of them.
    Aimed = "aimed", file "aimed", injections, dry Points,
        |seed, counts| Box::new(KthPoint::again(seed, counts.and_then(EventCounts::points)));
}

#[cfg(test)]
mod tests {
    use gcrucible_trace::{CollectionKind, Decision, Injected, Site};

    use super::*;

    /// Points at each of so many decisions.
    fn everywhere(decisions: u32) -> InjectionPoints {
        let events = [
            PointEvent::Minor,
            PointEvent::Major,
            PointEvent::Inject(Injected::AllocationFailure),
        ];
        let points = (0..decisions)
            .flat_map(|ordinal| events.map(|event| InjectionPoint { ordinal, event }));
        InjectionPoints::from_points(points.collect())
    }

    /// A host with four events, three tasks of 60 instructions, the third of which the host
    /// starts with its second event, and two timers.
    struct World {
        left: [u32; 5],
        ready: Vec<ReadyActor>,
    }

    impl World {
        fn new() -> Self {
            Self {
                left: [4, 60, 60, 60, 2],
                ready: Vec::new(),
            }
        }

        fn counts() -> EventCounts {
            let mut counts = EventCounts::default();
            for (actor, steps) in [(0, 4), (1, 60), (2, 60), (3, 60), (Site::TIMERS, 2)] {
                counts.note(actor, steps);
            }
            counts.set_points(everywhere(186));
            counts
        }

        fn show(&mut self) -> &[ReadyActor] {
            let started = self.left[0] < 3;
            let left = self.left;
            self.ready.clear();
            for (slot, &left) in left.iter().enumerate() {
                if left > 0 && (slot != 3 || started) {
                    let actor = if slot == 4 { Site::TIMERS } else { slot as u32 };
                    let site = Site {
                        actor,
                        function: 7,
                        at: 60 - left,
                        visit: 0,
                    };
                    self.ready.push(ReadyActor { site });
                }
            }
            &self.ready
        }

        /// Runs to the end, or to the divergence; the decisions taken.
        fn run(mut self, strategy: &mut dyn Strategy) -> (Vec<Decision>, Result<(), Divergence>) {
            let mut taken = Vec::new();
            while !self.show().is_empty() {
                let point = Point {
                    ready: &self.ready,
                    ordinal: taken.len() as u32,
                };
                let choice = match strategy.choose(&point) {
                    Ok(choice) => choice,
                    Err(divergence) => return (taken, Err(divergence)),
                };
                let site = self.ready[choice.index].site;
                taken.push(Decision {
                    site,
                    fuel: choice.fuel,
                    collect: choice.collect,
                    inject: choice.inject,
                });
                let slot = if site.actor == Site::TIMERS {
                    4
                } else {
                    site.actor as usize
                };
                let ran = choice.fuel.clamp(1, self.left[slot]);
                self.left[slot] -= ran;
                strategy.ran(ran);
            }
            let end = strategy.finish();
            (taken, end)
        }
    }

    fn drawn(name: StrategyName, seed: u64, counts: Option<&EventCounts>) -> Vec<Decision> {
        let schedule = Schedule::Drawn {
            strategy: name,
            seed,
        };
        let mut strategy = strategy(&schedule, ReplayMode::Strict, counts);
        let (decisions, end) = World::new().run(&mut *strategy);
        assert_eq!(end, Ok(()), "a drawn schedule cannot diverge");
        decisions
    }

    fn replayed(
        decisions: &[Decision],
        mode: ReplayMode,
        world: World,
    ) -> (Vec<Decision>, Result<(), Divergence>) {
        let schedule = Schedule::Recorded(decisions.to_vec());
        world.run(&mut *strategy(&schedule, mode, None))
    }

    #[test]
    fn the_same_seed_takes_the_same_decisions() {
        let counts = World::counts();
        for name in StrategyName::ALL {
            for counts in [None, Some(&counts)] {
                let runs: Vec<_> = (0..20).map(|seed| drawn(name, seed, counts)).collect();
                assert_eq!(runs[3], drawn(name, 3, counts), "{name:?}");
                let differ = runs.iter().any(|run| *run != runs[0]);
                // Without points the k-th point of any k is its base schedule.
                let is_one = match name {
                    StrategyName::RoundRobin => true,
                    StrategyName::KthPoint | StrategyName::Aimed => counts.is_none(),
                    _ => false,
                };
                assert_eq!(differ, !is_one, "{name:?}");
            }
        }
    }

    #[test]
    fn replay_takes_the_recorded_decisions_again() {
        let counts = World::counts();
        for name in StrategyName::ALL {
            for seed in 0..10 {
                let decisions = drawn(name, seed, Some(&counts));
                for mode in [ReplayMode::Strict, ReplayMode::Lenient] {
                    let (again, end) = replayed(&decisions, mode, World::new());
                    assert_eq!(
                        (again, end),
                        (decisions.clone(), Ok(())),
                        "{name:?} {mode:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn strict_replay_names_the_first_decision_that_differs() {
        let decisions = drawn(StrategyName::Random, 1, None);
        let changed = (5..decisions.len())
            .find(|&i| decisions[i].site.actor == 2)
            .expect("task 2 runs after the fifth decision");
        let mut other = decisions.clone();
        other[changed].site.at += 1000;
        let (taken, end) = replayed(&other, ReplayMode::Strict, World::new());
        let divergence = end.expect_err("task 2 is never there");
        assert_eq!(taken, decisions[..changed]);
        assert_eq!(divergence.ordinal, changed as u32);
        let found = decisions[changed].site.at;
        assert_eq!(
            divergence.message,
            format!(
                "decision {changed}: expected task 2 in function 7 at {}, visit 0; found task 2 in \
                 function 7 at {found}, visit 0",
                found + 1000
            )
        );
    }

    #[test]
    fn strict_replay_reports_decisions_left_over() {
        let decisions = drawn(StrategyName::Random, 1, None);
        let mut longer = decisions.clone();
        let site = Site {
            actor: 9,
            ..Site::default()
        };
        longer.push(Decision {
            site,
            fuel: 1,
            collect: None,
            inject: None,
        });
        let (taken, end) = replayed(&longer, ReplayMode::Strict, World::new());
        assert_eq!(taken, decisions);
        let divergence = end.expect_err("one decision is left");
        assert_eq!(divergence.ordinal, decisions.len() as u32);
        assert!(
            divergence.message.contains("the run is over"),
            "{}",
            divergence.message
        );
    }

    #[test]
    fn strict_replay_goes_on_in_turn_after_the_last_decision() {
        let decisions = drawn(StrategyName::Random, 1, None);
        let (head, _) = decisions.split_at(4);
        let (taken, end) = replayed(head, ReplayMode::Strict, World::new());
        assert_eq!(end, Ok(()));
        assert_eq!(taken[..4], *head);
        assert!(taken[4..].iter().all(|decision| decision.collect.is_none()));
        assert!(taken.len() < 4 + 12, "the rest runs in long slices");
    }

    #[test]
    fn lenient_replay_survives_a_removed_actor() {
        let decisions = drawn(StrategyName::Random, 1, None);
        let mut world = World::new();
        world.left[2] = 0;
        let (taken, end) = replayed(&decisions, ReplayMode::Lenient, world);
        assert_eq!(end, Ok(()));
        let kept: Vec<_> = decisions
            .iter()
            .copied()
            .filter(|d| d.site.actor != 2)
            .collect();
        assert_eq!(taken, kept);
    }

    /// A failure that needs a minor collection right before task 2 runs its 18th instruction.
    fn is_at_the_place(decision: &Decision) -> bool {
        let site = decision.site;
        (site.actor, site.at, decision.collect) == (2, 17, Some(CollectionKind::Minor))
    }

    #[test]
    fn the_kth_point_meets_every_place_in_as_many_runs_as_there_are() {
        let dry = drawn(StrategyName::KthPoint, 0, None);
        assert!(dry.iter().all(|decision| decision.collect.is_none()));
        let mut counts = EventCounts::default();
        counts.set_points(everywhere(dry.len() as u32));
        let points = counts.points().expect("they were set").len() as u64;
        assert_eq!(points, dry.len() as u64 * 3, "minor, major, no memory");
        let hits: Vec<u64> = (0..points)
            .filter(|&k| {
                let taken = drawn(StrategyName::KthPoint, KthPoint::seed(0, k), Some(&counts));
                let injected =
                    |decision: &&Decision| decision.collect.is_some() || decision.inject.is_some();
                assert_eq!(taken.iter().filter(injected).count(), 1, "{k}");
                taken.iter().any(is_at_the_place)
            })
            .collect();
        assert_eq!(hits.len(), 1, "{hits:?}");
    }

    #[test]
    fn an_aimed_schedule_begins_again_with_the_first_point() {
        let counts = World::counts();
        let runs = counts.points().expect("they were set").near_runs();
        let taken = |k| drawn(StrategyName::Aimed, KthPoint::seed(0, k), Some(&counts));
        assert_eq!(taken(5), taken(5 + runs));
        assert_ne!(taken(5), taken(6));
    }

    #[test]
    fn urw_without_counts_says_that_it_is_a_random_walk() {
        let schedule = Schedule::Drawn {
            strategy: StrategyName::Urw,
            seed: 1,
        };
        assert!(
            strategy(&schedule, ReplayMode::Strict, None)
                .note()
                .is_some()
        );
        let counts = World::counts();
        assert!(
            strategy(&schedule, ReplayMode::Strict, Some(&counts))
                .note()
                .is_none()
        );
    }
}
