//! Every schedule of one small scenario, each judged by all oracles.
//!
//! ```
//! use std::ops::ControlFlow;
//! use gcrucible_crux_subjects::exploration::{Bound, explore_all};
//! use gcrucible_crux_subjects::scenario::Scenario;
//!
//! let text = "fn task() { print(\"t\") }\nfn main() { let f = spawn task(); print(\"m\"); await f }";
//! let scenario = Scenario::of_program(text.to_owned());
//! let explored = explore_all(&scenario, &Bound::default(), |run| {
//!     assert_eq!(run.failure, None);
//!     ControlFlow::Continue(())
//! });
//! assert!(explored.is_complete && explored.schedules >= 2);
//! ```

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::executor::programs::{compile, run_under};
use crate::executor::{self, Ran};
use crate::scenario::{Body, Scenario};
use gcrucible_explore::Schedule;
use gcrucible_explore::{Exhaustive, Next};
use gcrucible_trace::{Advantages, Failure, RunOptions, RunReport};

/// What bounds an exploration.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Switches away from an actor that could have gone on, at most, in one schedule; `None`
    /// for any number.
    pub preemptions: Option<u32>,
    /// Runs after which it gives up.
    pub runs_max: u64,
    /// Decisions after which a schedule is cut off.
    pub decisions_max: u32,
    /// Whether schedules that differ in the order of independent steps alone run once.
    pub is_reducing: bool,
    /// How each schedule is run and judged.
    pub advantages: Advantages,
    /// Whether each run's report has its events and its timeline.
    pub is_recording: bool,
}

impl Bound {
    /// Preemptions that find most races (Musuvathi, Qadeer, PLDI 2007).
    pub const PREEMPTIONS: u32 = 2;
}

impl Default for Bound {
    fn default() -> Self {
        Bound {
            preemptions: Some(Self::PREEMPTIONS),
            runs_max: u64::MAX,
            decisions_max: 20_000,
            is_reducing: true,
            advantages: Advantages::ALL,
            is_recording: false,
        }
    }
}

/// What an exploration did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explored {
    /// Schedules that ran to their end.
    pub schedules: u64,
    /// Runs that were broken off where another one had come by.
    pub pruned: u64,
    /// Schedules that exist within the bound, as far as the exploration got: those that ran,
    /// and those that differ from one of them in the order of independent steps alone. Counted
    /// where somebody else's steps can be noticed, not at every instruction.
    pub covered: u128,
    /// Whether every schedule within the bound is covered.
    pub is_complete: bool,
    /// Why not, if not.
    pub why_incomplete: Option<String>,
    /// How often it began again, because cancellations or collections made more places matter
    /// than it had thought.
    pub restarts: u32,
    /// Decisions of all runs.
    pub decisions: u64,
}

/// Runs a scenario under every schedule within the bound, whatever its own schedule is, and
/// shows each run to `check`: its report with the decisions that repeat it. Collections are
/// those of the scenario's heap modes and host script. When the exploration has to begin
/// again, `check` sees schedules again. It ends early when `check` breaks.
///
/// A panic of the engine is a failure of the run; worse ends the process.
pub fn explore_all(
    scenario: &Scenario,
    bound: &Bound,
    mut check: impl FnMut(&Ran) -> ControlFlow<()>,
) -> Explored {
    let options = RunOptions {
        record: bound.is_recording,
        advantages: bound.advantages,
        decisions_max: bound.decisions_max,
        ..RunOptions::default()
    };
    let Body::Programs(programs) = &scenario.body else {
        // Heap operations are their own schedule, the only one.
        let _ = check(&caught(|| executor::run(scenario, &options)));
        return Explored {
            schedules: 1,
            covered: 1,
            is_complete: true,
            ..Explored::default()
        };
    };
    let compiled = match compile(programs) {
        Ok(compiled) => compiled,
        Err(message) => {
            return Explored {
                why_incomplete: Some(format!("the program does not compile\n{message}")),
                ..Explored::default()
            };
        }
    };
    let mut search = Exhaustive::new(bound.preemptions, bound.is_reducing);
    let mut explored = Explored::default();
    let mut cut_off = 0_u64;
    let why = (0..bound.runs_max).find_map(|_| {
        search.begin();
        let mut report = caught(|| run_under(scenario, programs, &compiled, &mut search, &options));
        explored.decisions += search.decisions().len() as u64;
        let (is_schedule, next) = search.end();
        if is_schedule {
            cut_off += u64::from(search.decisions().len() as u64 >= bound.decisions_max.into());
            report.report.decisions = search.decisions().to_vec();
            if check(&report).is_break() {
                return Some(Some("it was stopped".to_owned()));
            }
        }
        match next {
            Next::Run => None,
            Next::Done => Some(None),
            Next::Nondeterministic => Some(Some(
                "two runs with the same decisions went different ways".to_owned(),
            )),
        }
    });
    let found = search.found();
    let why = match why {
        None => Some(format!("it was stopped after {} runs", bound.runs_max)),
        Some(None) if cut_off > 0 => Some(format!(
            "{cut_off} schedules did not end within {} decisions",
            bound.decisions_max
        )),
        Some(why) => why,
    };
    Explored {
        schedules: found.schedules,
        pruned: found.pruned,
        covered: found.covered.max(found.schedules.into()),
        is_complete: why.is_none(),
        why_incomplete: why,
        restarts: found.restarts,
        ..explored
    }
}

/// The scenario with the schedule of one run, as a file that can be replayed.
pub fn with_schedule_of(scenario: &Scenario, run: &RunReport) -> Scenario {
    let mut scenario = scenario.clone();
    if matches!(scenario.body, Body::Programs(_)) {
        scenario.schedule = Schedule::Recorded(run.decisions.clone());
    }
    scenario.origin.failure = run.failure.clone();
    scenario
}

/// A run whose panic is its failure.
fn caught(run: impl FnOnce() -> Ran) -> Ran {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a value that is no text".to_owned());
        let failure = Failure {
            oracle: "no_crash".into(),
            check: "panic".into(),
            site: message.lines().next().unwrap_or_default().to_owned(),
            message: format!("the engine panicked: {message}"),
        };
        let report = RunReport {
            failure: Some(failure),
            ..RunReport::default()
        };
        Ran {
            report,
            ..Ran::default()
        }
    })
}

#[cfg(test)]
mod tests;
