//! Every schedule of a small world, with a bound on preemptions.
//!
//! A strategy that draws can miss what needs many decisions to be just so. A search misses nothing
//! within its bound, and says so: "no schedule with at most two preemptions fails" is a statement that a reader can use.
//! It is [`Exhaustive`], which the engine's lanes have too.
//!
//! A *preemption* is a switch away from a task that could have gone on, which here is one that has woken itself. Switches
//! away from a task that waits are free. So are polls, drops and timers that come then; a drop of one task while another could go on
//! costs one.
//!
//! What disturbs a run is gone through as well: which of the droppable tasks may be dropped, and whether wakers of earlier
//! polls are dead. Nobody knows what a poll touches, so no two schedules are taken for equal.

use gcrucible_explore::Schedule;
use gcrucible_explore::{Exhaustive, Next};
use gcrucible_trace::RunOptions;

use super::check::{lane_of_test, report};
use super::executor;
use super::lane::FuturesLane;
use super::settings::{Disturbance, Settings};
use super::world::World;

/// Droppable tasks up to which each subset of them is tried.
const SUBSETS_MAX: usize = 3;

/// How a world is explored within a test.
#[derive(Clone, Debug)]
#[must_use]
pub struct Explorer {
    preemptions: Option<u32>,
    runs_max: u64,
    spurious: u8,
    draws: u32,
    name: Option<&'static str>,
}

impl Default for Explorer {
    fn default() -> Self {
        Explorer {
            preemptions: Some(2),
            runs_max: 1_000_000,
            spurious: 0,
            draws: 1,
            name: None,
        }
    }
}

/// What an exploration did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it may not have been through"]
pub struct Explored {
    /// Schedules that ran.
    pub schedules: u64,
    /// Settings that they ran under: what may be dropped, which wakers are dead, what the world draws.
    pub settings: u64,
    /// Why not every schedule within the bound ran; `None` if every one did.
    pub why_incomplete: Option<String>,
}

impl Explored {
    /// Whether every schedule within the bound ran.
    pub fn is_complete(&self) -> bool {
        self.why_incomplete.is_none()
    }
}

/// Runs a world under every schedule with at most two preemptions, in this process.
///
/// # Panics
/// If a run fails, with the smallest one that was found, and how to replay it.
pub fn explore(make: impl Fn(&World) + Send + Sync + 'static) -> Explored {
    Explorer::default().explore(make)
}

impl Explorer {
    /// So many preemptions in one schedule at the most, or any number of them; 2 by default.
    pub fn preemptions(mut self, preemptions: impl Into<Option<u32>>) -> Self {
        self.preemptions = preemptions.into();
        self
    }

    /// Gives up after so many runs; a million by default.
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs_max = runs;
        self
    }

    /// Up to so many polls that nobody asked for in each schedule; none by default.
    pub fn spurious(mut self, polls: u8) -> Self {
        self.spurious = polls;
        self
    }

    /// Draws the world's own parameters ([`World::below`]) so many times; once by default.
    pub fn draws(mut self, draws: u32) -> Self {
        self.draws = draws;
        self
    }

    /// The name in reports and files; that of the test by default.
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Explores a world.
    ///
    /// # Panics
    /// If a run fails, with the smallest one that was found, and how to replay it.
    pub fn explore(&self, make: impl Fn(&World) + Send + Sync + 'static) -> Explored {
        let lane = lane_of_test(self.name, make);
        let mut explored = Explored::default();
        for seed in 0..self.draws {
            let droppables = droppables(&lane, seed);
            for droppables in subsets(droppables) {
                for fresh_wakers in [false, true] {
                    let settings = Settings {
                        droppables: droppables.clone(),
                        spurious: self.spurious,
                        fresh_wakers,
                        panic_at: 0,
                        seed,
                    };
                    explored.settings += 1;
                    if let Some(schedule) = self.search(&lane, &settings, &mut explored) {
                        let failing = lane.scenario(settings, schedule);
                        report(lane, &failing, true);
                        return explored;
                    }
                }
            }
        }
        explored
    }

    /// Goes through all schedules under some settings. Returns the first that fails.
    fn search(
        &self,
        lane: &FuturesLane,
        settings: &Settings,
        explored: &mut Explored,
    ) -> Option<Schedule> {
        let options = RunOptions::default();
        let mut search = Exhaustive::new(self.preemptions, false);
        let mut stop = |why: String| {
            explored.why_incomplete.get_or_insert(why);
        };
        loop {
            if explored.schedules >= self.runs_max {
                stop(format!("it was stopped after {} runs", self.runs_max));
                return None;
            }
            search.begin();
            let (report, _) = executor::run_under(lane.make(), settings, &mut search, &options);
            explored.schedules += 1;
            if report.failure.is_some() {
                return Some(Schedule::Recorded(search.decisions().to_vec()));
            }
            match search.end().1 {
                Next::Run => {}
                Next::Done => return None,
                Next::Nondeterministic => {
                    stop("two runs with the same decisions went different ways".to_owned());
                    return None;
                }
            }
        }
    }
}

/// How many droppable tasks the world has with these choices of its own.
fn droppables(lane: &FuturesLane, seed: u32) -> usize {
    let settings = Settings {
        seed,
        ..Settings::default()
    };
    let mut search = Exhaustive::new(Some(0), false);
    search.begin();
    executor::run_under(lane.make(), &settings, &mut search, &RunOptions::default()).1
}

/// Which of the droppable tasks may be dropped: each subset of a few, of many none, each, and all. One that may be dropped
/// is, if nothing else can happen: so those that wait for ever show where they may not.
fn subsets(droppables: usize) -> Vec<Vec<Disturbance>> {
    let of = |is_dropped: &dyn Fn(usize) -> bool| -> Vec<Disturbance> {
        (0..droppables)
            .map(|at| match is_dropped(at) {
                true => Disturbance::Drop,
                false => Disturbance::None,
            })
            .collect()
    };
    if droppables <= SUBSETS_MAX {
        return (0..1_usize << droppables)
            .map(|subset| of(&|at| subset >> at & 1 != 0))
            .collect();
    }
    let mut subsets = vec![of(&|_| false)];
    subsets.extend((0..droppables).map(|one| of(&|at| at == one)));
    subsets.push(of(&|_| true));
    subsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subset_of_a_few_droppables_comes_once_and_of_many_each_and_all() {
        let few = subsets(3);
        let distinct: std::collections::BTreeSet<_> =
            few.iter().map(|subset| format!("{subset:?}")).collect();
        assert_eq!((few.len(), distinct.len()), (8, 8));
        let many = subsets(5);
        let dropped = |subset: &Vec<Disturbance>| {
            subset
                .iter()
                .filter(|one| **one == Disturbance::Drop)
                .count()
        };
        let counts: Vec<usize> = many.iter().map(dropped).collect();
        assert_eq!(counts, [0, 1, 1, 1, 1, 1, 5]);
    }
}
