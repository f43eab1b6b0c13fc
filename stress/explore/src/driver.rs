//! Takes the decisions of a run and writes them down: the loop that every subject with a schedule
//! has.

use crate::Schedule;
use gcrucible_trace::{Decision, ReplayMode, RunOptions, RunReport, Site};

use super::counts::EventCounts;
use super::decision::{Choice, Point, ReadyActor, Strategy};

/// A run's schedule under way.
///
/// ```
/// use gcrucible_explore::{Driver, ReadyActor, Schedule, StrategyName};
/// use gcrucible_trace::{RunOptions, RunReport, Site};
///
/// let schedule = Schedule::Drawn { strategy: StrategyName::Random, seed: 1 };
/// let mut driver = Driver::new(&schedule, &RunOptions::default(), None);
/// let mut report = RunReport::default();
/// let mut left = [2, 3];
/// let ready = |left: &[u32; 2]| -> Vec<ReadyActor> {
///     let actors = (1..).zip(left).filter(|(_, left)| **left > 0);
///     let sites = actors.map(|(actor, &left)| Site { actor, at: left, ..Site::default() });
///     sites.map(|site| ReadyActor { site }).collect()
/// };
/// while let Some((site, _)) = driver.next(&ready(&left), &mut report) {
///     left[site.actor as usize - 1] -= 1;
///     driver.ran(1);
/// }
/// assert_eq!((left, report.counters.decisions), ([0, 0], 5));
/// ```
pub struct Driver<'s> {
    strategy: Box<dyn Strategy + 's>,
    ordinal: u32,
    decisions_max: u32,
    is_recording: bool,
}

impl std::fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("ordinal", &self.ordinal)
            .finish_non_exhaustive()
    }
}

impl<'s> Driver<'s> {
    /// The beginning of a run; `counts` come from a dry run, for the strategies that need one.
    pub fn new(schedule: &Schedule, options: &RunOptions, counts: Option<&EventCounts>) -> Self {
        let replay: ReplayMode = options.replay;
        Self::with(super::strategy(schedule, replay, counts), options)
    }

    /// The beginning of a run whose decisions are taken by a strategy that outlives it, as
    /// [`Exhaustive`](super::Exhaustive) does.
    pub fn with(strategy: Box<dyn Strategy + 's>, options: &RunOptions) -> Self {
        Driver {
            strategy,
            ordinal: 0,
            decisions_max: options.decisions_max,
            is_recording: options.record,
        }
    }

    /// Who goes on, and how; `None` at the end of the run: nobody is ready, a recorded decision
    /// cannot be taken ([`RunReport::diverged`]), or the run was cut off. `ready` are the places of
    /// those who can go on, sorted by actor.
    pub fn next(&mut self, ready: &[ReadyActor], report: &mut RunReport) -> Option<(Site, Choice)> {
        if ready.is_empty() || self.ordinal >= self.decisions_max {
            if let Err(divergence) = self.strategy.finish() {
                report.diverged = Some(divergence.message);
            }
            return None;
        }
        let point = Point {
            ready,
            ordinal: self.ordinal,
        };
        // Field by field: a copy of what was just written in parts has to wait for it.
        let Choice {
            index,
            fuel,
            collect,
            inject,
        } = match self.strategy.choose(&point) {
            Ok(choice) => choice,
            Err(divergence) => {
                report.diverged = Some(divergence.message);
                return None;
            }
        };
        self.ordinal += 1;
        report.counters.decisions += 1;
        report.counters.injections = self.strategy.injected().into();
        let site = ready[index].site;
        if self.is_recording {
            report.decisions.push(Decision {
                site,
                fuel,
                collect,
                inject,
            });
        }
        let choice = Choice {
            index,
            fuel,
            collect,
            inject,
        };
        Some((site, choice))
    }

    /// Who was chosen took so many steps.
    #[inline]
    pub fn ran(&mut self, steps: u32) {
        self.strategy.ran(steps);
    }
}
