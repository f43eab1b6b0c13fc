//! `crucible run --strategy exhaustive`: all schedules of one scenario.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::Serialize;

use super::{complain, say};
use gcrucible_campaign::totals::is_same_finding;
use gcrucible_crux_subjects::exploration::{Bound, Explored, explore_all, with_schedule_of};
use gcrucible_crux_subjects::scenario::{Body, Scenario};
use gcrucible_scenario::ScenarioData as _;
use gcrucible_trace::{Exit, Failure, Refusal, clock};

/// An exploration to be done.
pub(super) struct Order {
    /// What to explore, its heap modes included.
    pub(super) scenario: Scenario,
    pub(super) bound: Bound,
    /// Milliseconds after which it is stopped.
    pub(super) time_ms: u64,
    /// Folder for findings.
    pub(super) dir: PathBuf,
    pub(super) json: bool,
    pub(super) first_finding: bool,
    /// What the replay lines must say besides the file.
    pub(super) bug: Option<String>,
}

/// The result as tools read it.
#[derive(Serialize)]
struct Report {
    version: u32,
    strategy: &'static str,
    /// One for each bound, from none on up to the one asked for.
    rounds: Vec<Round>,
    is_complete: bool,
    interrupted: bool,
    findings: Vec<Finding>,
}

/// All schedules within one bound.
#[derive(Serialize)]
struct Round {
    preemptions: Option<u32>,
    #[serde(flatten)]
    explored: Explored,
}

/// A failing schedule, the first with its check and place.
#[derive(Serialize)]
struct Finding {
    oracle: String,
    check: String,
    site: String,
    message: String,
    /// Runs that failed so.
    runs: u64,
    scenario: PathBuf,
    replay: String,
}

/// Explores under rising bounds, since most failures need few preemptions, and says what came
/// of it. Not covering all schedules is an exit code of its own ([`Exit::Vacuous`]), since it
/// is what the command is there for.
pub(super) fn explore(order: &Order, stop: &AtomicBool) -> Result<Exit, Refusal> {
    let began_ms = clock::monotonic_ms();
    let mut found: Vec<(Failure, Scenario, u64)> = Vec::new();
    let mut rounds: Vec<Round> = Vec::new();
    let mut runs_left = order.bound.runs_max;
    for preemptions in bounds(order.bound.preemptions) {
        let bound = Bound {
            preemptions,
            runs_max: runs_left,
            ..order.bound
        };
        let explored = explore_all(&order.scenario, &bound, |run| {
            if let Some(failure) = &run.failure {
                note(&mut found, failure, || {
                    with_schedule_of(&order.scenario, run)
                });
            }
            let is_over = stop.load(Relaxed)
                || clock::monotonic_ms() - began_ms >= order.time_ms
                || order.first_finding && !found.is_empty();
            if is_over {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        runs_left = runs_left.saturating_sub(explored.schedules + explored.pruned);
        let is_complete = explored.is_complete;
        rounds.push(Round {
            preemptions,
            explored,
        });
        if !is_complete {
            break;
        }
    }
    let is_complete = rounds.last().is_some_and(|round| {
        round.explored.is_complete && round.preemptions == order.bound.preemptions
    });
    if !found.is_empty() {
        std::fs::create_dir_all(&order.dir).map_err(|error| cannot_write(&order.dir, &error))?;
    }
    let findings = (1..)
        .zip(found)
        .map(|(number, found)| keep(order, number, found))
        .collect::<Result<Vec<Finding>, Refusal>>()?;
    let report = Report {
        version: 1,
        strategy: "exhaustive",
        rounds,
        is_complete,
        interrupted: stop.load(Relaxed),
        findings,
    };
    if order.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| Refusal::broken(format!("the result cannot be written: {error}")))?;
        say(&format!("{json}\n"));
    } else {
        say(&render(&report));
    }
    Ok(match &report {
        report if !report.findings.is_empty() => Exit::Finding,
        report if report.interrupted => Exit::Interrupted,
        report if !report.is_complete => Exit::Vacuous,
        _ => Exit::Clean,
    })
}

/// The bounds to go through: none, one, … up to the one asked for.
fn bounds(asked: Option<u32>) -> impl Iterator<Item = Option<u32>> {
    let rising = 0..asked.unwrap_or(Bound::PREEMPTIONS + 1);
    rising.map(Some).chain([asked])
}

/// Counts a failure; the first run with its check and place is kept.
fn note(
    found: &mut Vec<(Failure, Scenario, u64)>,
    failure: &Failure,
    scenario: impl FnOnce() -> Scenario,
) {
    match found
        .iter_mut()
        .find(|(other, ..)| is_same_finding(failure, other))
    {
        Some((.., runs)) => *runs += 1,
        None => found.push((failure.clone(), scenario(), 1)),
    }
}

/// Writes a finding's scenario.
fn keep(
    order: &Order,
    number: u32,
    (failure, mut scenario, runs): (Failure, Scenario, u64),
) -> Result<Finding, Refusal> {
    scenario.origin.bug.clone_from(&order.bug);
    let path = order
        .dir
        .join(format!("{}-{number}.scenario", failure.check));
    std::fs::write(&path, scenario.to_text()).map_err(|error| cannot_write(&path, &error))?;
    let bug = order
        .bug
        .as_ref()
        .map(|bug| format!(" --bug {bug}"))
        .unwrap_or_default();
    Ok(Finding {
        replay: format!("cargo crucible replay {}{bug}", path.display()),
        oracle: failure.oracle,
        check: failure.check,
        site: failure.site,
        message: failure.message,
        runs,
        scenario: path,
    })
}

fn render(report: &Report) -> String {
    let mut out = String::new();
    for Round {
        preemptions,
        explored,
    } in &report.rounds
    {
        let within = match preemptions {
            Some(1) => "at most 1 preemption".to_owned(),
            Some(preemptions) => format!("at most {preemptions} preemptions"),
            None => "any number of preemptions".to_owned(),
        };
        out += &format!(
            "{within}: {} schedules ran, {} runs ended where another had come by; they stand for \
             {} schedules\n",
            explored.schedules, explored.pruned, explored.covered
        );
        out += &match &explored.why_incomplete {
            None => "  these are all there are\n".to_owned(),
            Some(why) => format!("  NOT all there are: {why}\n"),
        };
    }
    for finding in &report.findings {
        out += &format!(
            "FAILED {} / {} at {}: {}\n  in {} runs; replay it: {}\n",
            finding.oracle,
            finding.check,
            finding.site,
            finding.message,
            finding.runs,
            finding.replay
        );
    }
    out
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Refusal {
    Refusal::broken(format!("cannot write {}: {error}", path.display()))
}

/// Says what will happen.
pub(super) fn announce(order: &Order) {
    let what = match &order.scenario.body {
        Body::Programs(_) => "all schedules of one scenario",
        Body::HeapOps(_) => "heap operations, which have one schedule",
    };
    complain(&format!(
        "{what}, heap modes {}, findings in {}",
        order.scenario.debug,
        order.dir.display()
    ));
}
