//! The summary of a campaign: `summary.json`, and the text that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::findings::Filed;
use crate::plan::Plan;
use crate::session::Outcome;
use crate::totals::{LaneTotals, Totals};
use crate::vacuity::{self, Vacuous};
use gcrucible_scenario::Lane;
use gcrucible_trace::infeasible;

/// `summary.json`; other tools read it, so its fields stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Summary {
    pub version: u32,
    pub seed: u64,
    pub elapsed_s: f64,
    pub cpu_s: f64,
    pub jobs: usize,
    pub interrupted: bool,
    pub lanes: BTreeMap<String, LaneSummary>,
    pub pairs: PairSummary,
    pub vacuous: Vec<Vacuous>,
    pub findings: Vec<FindingSummary>,
}

/// One lane in `summary.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct LaneSummary {
    pub scenarios: u64,
    pub operations: u64,
    pub statements: u64,
    pub tasks: u64,
    pub decisions: u64,
    pub safepoints: u64,
    pub collections: Collections,
    pub objects_moved: u64,
    pub objects_kept: u64,
    pub weak_cleared: u64,
    pub finalizers_queued: u64,
    pub zombies: u64,
    pub bytes_scribbled: u64,
    pub faults: u64,
    pub futures: Futures,
    pub calls: u64,
    pub cancels: u64,
    pub cancelled: Cancelled,
    pub drops: u64,
    pub deadlines: u64,
    pub interrupts: u64,
    pub reloads: Reloads,
    pub forks: u64,
    pub findings: u64,
    pub trace_hash: String,
    pub cpu_s: f64,
    pub scenarios_per_s: f64,
    pub decisions_per_s: f64,
}

/// Collections by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Collections {
    pub minor: u64,
    pub major: u64,
}

/// Cancellations by where they met their target, and what else ends or interrupts waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Cancelled {
    pub unstarted: u64,
    pub running: u64,
    pub awaiting: u64,
    pub waiting: u64,
    pub in_host: u64,
    pub late: u64,
    pub aborted: u64,
}

/// Futures by terminal state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Futures {
    pub ready: u64,
    pub error: u64,
    pub cancelled: u64,
    pub internal_error: u64,
}

/// Reloads by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Reloads {
    pub begun: u64,
    pub swapped: u64,
    pub failed: u64,
    pub deferred: u64,
}

/// Coverage of event pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct PairSummary {
    pub feasible: usize,
    pub covered: usize,
    pub missing: Vec<[String; 2]>,
    pub infeasible: Vec<[String; 3]>,
}

/// One finding in `summary.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct FindingSummary {
    pub id: String,
    pub oracle: String,
    pub lane: String,
    pub seed: String,
    pub scenario: String,
    pub shrunk: String,
    pub replay: String,
}

impl Summary {
    /// The summary of what was done.
    pub fn of(
        plan: &Plan,
        totals: &Totals,
        filed: &BTreeMap<String, Filed>,
        vacuous: &[Vacuous],
        jobs: usize,
        is_interrupted: bool,
    ) -> Summary {
        let lanes = Lane::known()
            .iter()
            .filter(|lane| lane.is_default() || plan.lanes.contains(lane))
            .map(|lane| {
                let done = totals.lanes.get(lane).cloned().unwrap_or_default();
                let findings = totals.findings.values().filter(|f| f.lane == *lane).count() as u64;
                (
                    lane.name().to_owned(),
                    lane_summary(&done, findings, totals),
                )
            });
        let findings = totals.findings.iter().map(|(id, finding)| {
            let files = filed.get(id);
            let path = |path: Option<&std::path::PathBuf>| {
                path.map(|path| path.display().to_string())
                    .unwrap_or_default()
            };
            let shrunk = path(files.map(|files| &files.shrunk));
            FindingSummary {
                id: id.clone(),
                oracle: finding.failure.oracle.clone(),
                lane: finding.lane.name().to_owned(),
                seed: finding.scenario_seed(plan.seed).to_string(),
                scenario: path(files.map(|files| &files.scenario)),
                replay: replay_line(&shrunk, plan.bug.as_deref()),
                shrunk,
            }
        });
        Summary {
            version: 1,
            seed: plan.seed,
            elapsed_s: totals.elapsed_ms as f64 / 1e3,
            cpu_s: seconds(totals.worker_cpu_ns() + totals.parent_cpu_ns),
            jobs,
            interrupted: is_interrupted,
            lanes: lanes.collect(),
            pairs: pair_summary(totals),
            vacuous: vacuous.to_vec(),
            findings: findings.collect(),
        }
    }
}

/// The command that reproduces a finding.
pub fn replay_line(scenario: &str, bug: Option<&str>) -> String {
    let bug = bug.map(|id| format!(" --bug {id}")).unwrap_or_default();
    format!("cargo crucible replay {scenario}{bug}")
}

fn seconds(ns: u64) -> f64 {
    (ns as f64 / 1e6).round() / 1e3
}

fn lane_summary(done: &LaneTotals, findings: u64, totals: &Totals) -> LaneSummary {
    let c = &done.counters;
    // The campaign process works for all lanes: its time is shared out as theirs is.
    let workers_ns = totals.worker_cpu_ns().max(1) as f64;
    let share = done.cpu_ns as f64 / workers_ns;
    let cpu_ns = done.cpu_ns + (totals.parent_cpu_ns as f64 * share) as u64;
    let per_s = |count: u64| match cpu_ns {
        0 => 0.0,
        ns => (count as f64 * 1e9 / ns as f64).round(),
    };
    LaneSummary {
        scenarios: c.scenarios,
        operations: c.operations,
        statements: c.statements,
        tasks: c.tasks,
        decisions: c.decisions,
        safepoints: c.safepoints,
        collections: Collections {
            minor: c.collections_minor,
            major: c.collections_major,
        },
        objects_moved: c.objects_moved,
        objects_kept: c.objects_kept,
        weak_cleared: c.weak_cleared,
        finalizers_queued: c.finalizers_queued,
        zombies: c.zombies,
        bytes_scribbled: c.bytes_scribbled,
        faults: c.faults,
        futures: Futures {
            ready: c.futures_ready,
            error: c.futures_error,
            cancelled: c.futures_cancelled,
            internal_error: c.futures_internal_error,
        },
        calls: c.calls,
        cancels: c.cancels,
        cancelled: Cancelled {
            unstarted: c.cancelled_unstarted,
            running: c.cancelled_running,
            awaiting: c.cancelled_awaiting,
            waiting: c.cancelled_waiting,
            in_host: c.cancelled_in_host,
            late: c.cancelled_late,
            aborted: c.cancelled_aborted,
        },
        drops: c.drops,
        deadlines: c.deadlines,
        interrupts: c.interrupts,
        reloads: Reloads {
            begun: c.reloads_begun,
            swapped: c.reloads_swapped,
            failed: c.reloads_failed,
            deferred: c.reloads_deferred,
        },
        forks: c.forks,
        findings,
        trace_hash: format!("{:016x}", done.trace_hash),
        cpu_s: seconds(cpu_ns),
        scenarios_per_s: per_s(c.scenarios),
        decisions_per_s: per_s(c.decisions),
    }
}

fn pair_summary(totals: &Totals) -> PairSummary {
    let (feasible, missing) = totals.pairs.missing();
    let names = |a: gcrucible_trace::EventKind, b: gcrucible_trace::EventKind| {
        [a.name().to_owned(), b.name().to_owned()]
    };
    PairSummary {
        feasible,
        covered: feasible - missing.len(),
        missing: missing.into_iter().map(|(a, b)| names(a, b)).collect(),
        infeasible: infeasible()
            .into_iter()
            .map(|(a, b, rule)| [a.name().to_owned(), b.name().to_owned(), rule.to_owned()])
            .collect(),
    }
}

/// The text at the end of a campaign.
pub fn render(plan: &Plan, outcome: &Outcome) -> String {
    let summary = &outcome.summary;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "seed {}  build {}  {:.1} s elapsed  {:.1} s CPU  {} jobs{}",
        summary.seed,
        plan.build,
        summary.elapsed_s,
        summary.cpu_s,
        summary.jobs,
        if summary.interrupted {
            "  INTERRUPTED"
        } else {
            ""
        }
    );
    let lanes: Vec<_> = plan
        .lanes
        .iter()
        .filter_map(|lane| Some((lane.name(), summary.lanes.get(lane.name())?)))
        .collect();
    table(&mut out, &lanes);
    if plan.program.is_none() {
        render_pairs(&mut out, &summary.pairs);
    }
    if let Some(bug) = &plan.bug {
        let (reached, triggered) = outcome.totals.switch;
        let _ = writeln!(
            out,
            "seeded bug {bug}: reached {reached}, triggered {triggered}"
        );
    }
    for warning in vacuity::validity_warnings(&outcome.totals) {
        let _ = writeln!(out, "{warning}");
    }
    for (first, second, rule) in outcome.totals.pairs.impossible() {
        let _ = writeln!(
            out,
            "HARNESS BROKEN: {} right after {} happened, which {rule} forbids",
            second.name(),
            first.name()
        );
    }
    for lane in &outcome.survivors {
        let _ = writeln!(
            out,
            "HARNESS BROKEN: the canary of {} survived: a corrupted run passed all oracles",
            lane.name()
        );
    }
    for vacuous in &summary.vacuous {
        let _ = writeln!(
            out,
            "VACUOUS {}: {}: {}",
            vacuous.lane, vacuous.counter, vacuous.why
        );
    }
    render_findings(&mut out, plan, outcome);
    out
}

type Row = (&'static str, fn(&LaneSummary) -> String);

fn table(out: &mut String, lanes: &[(&str, &LaneSummary)]) {
    let rows: [Row; 34] = [
        ("scenarios", |l| l.scenarios.to_string()),
        ("scenarios per CPU second", |l| {
            format!("{:.0}", l.scenarios_per_s)
        }),
        ("operations", |l| l.operations.to_string()),
        ("statements", |l| l.statements.to_string()),
        ("tasks", |l| l.tasks.to_string()),
        ("decisions", |l| l.decisions.to_string()),
        ("safepoints", |l| l.safepoints.to_string()),
        ("collections, minor", |l| l.collections.minor.to_string()),
        ("collections, major", |l| l.collections.major.to_string()),
        ("objects moved", |l| l.objects_moved.to_string()),
        ("objects kept in place", |l| l.objects_kept.to_string()),
        ("weak references cleared", |l| l.weak_cleared.to_string()),
        ("finalizers queued", |l| l.finalizers_queued.to_string()),
        ("zombies", |l| l.zombies.to_string()),
        ("bytes scribbled", |l| l.bytes_scribbled.to_string()),
        ("injected failures", |l| l.faults.to_string()),
        ("futures ready", |l| l.futures.ready.to_string()),
        ("futures with an error", |l| l.futures.error.to_string()),
        ("futures cancelled", |l| l.futures.cancelled.to_string()),
        ("calls", |l| l.calls.to_string()),
        ("cancels", |l| l.cancels.to_string()),
        ("cancelled unstarted", |l| l.cancelled.unstarted.to_string()),
        ("cancelled running", |l| l.cancelled.running.to_string()),
        ("cancelled in an await", |l| {
            l.cancelled.awaiting.to_string()
        }),
        ("cancelled in a wait", |l| l.cancelled.waiting.to_string()),
        ("cancelled in the host", |l| l.cancelled.in_host.to_string()),
        ("cancelled too late", |l| l.cancelled.late.to_string()),
        ("cancelled and aborted", |l| l.cancelled.aborted.to_string()),
        ("calls dropped", |l| l.drops.to_string()),
        ("deadlines", |l| l.deadlines.to_string()),
        ("interrupts", |l| l.interrupts.to_string()),
        ("reloads", |l| l.reloads.begun.to_string()),
        ("forks", |l| l.forks.to_string()),
        ("findings", |l| l.findings.to_string()),
    ];
    let mut line = format!("\n{:<26}", "");
    for (name, _) in lanes {
        let _ = write!(line, " {name:>14}");
    }
    let _ = writeln!(out, "{line}");
    for (name, value) in rows {
        let mut line = format!("{name:<26}");
        for (_, lane) in lanes {
            let _ = write!(line, " {:>14}", value(lane));
        }
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
}

/// Missing pairs that are shown; `summary.json` has all.
const MISSING_SHOWN: usize = 12;

fn render_pairs(out: &mut String, pairs: &PairSummary) {
    let _ = writeln!(
        out,
        "event pairs: {} of {} feasible covered, {} infeasible",
        pairs.covered,
        pairs.feasible,
        pairs.infeasible.len()
    );
    if pairs.missing.is_empty() {
        return;
    }
    let shown: Vec<String> = pairs
        .missing
        .iter()
        .take(MISSING_SHOWN)
        .map(|[first, second]| format!("{first} → {second}"))
        .collect();
    let more = pairs.missing.len().saturating_sub(MISSING_SHOWN);
    let rest = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    let _ = writeln!(out, "  missing: {}{rest}", shown.join(", "));
}

fn render_findings(out: &mut String, plan: &Plan, outcome: &Outcome) {
    for finding in &outcome.summary.findings {
        let Some(found) = outcome.totals.findings.get(&finding.id) else {
            continue;
        };
        let known = if outcome.known.contains(&finding.id) {
            " (known)"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "\nFINDING {}{known}: {} / {} at {}",
            finding.id, found.failure.oracle, found.failure.check, found.failure.site
        );
        let _ = writeln!(out, "  {}", found.failure.message);
        let times = found.count;
        let files = outcome.filed.get(&finding.id);
        let size = files.and_then(|files| Some((files.before?, files.after?)));
        // The seed of a person's own program would name a generated one.
        let first = match &plan.program {
            Some(_) => format!("scenario {}", found.index),
            None => finding.seed.clone(),
        };
        let _ = writeln!(out, "  first at {first}, {times} scenarios in all");
        if let Some((before, after)) = size {
            let _ = writeln!(out, "  shrunk from {before}\n           to {after}");
        }
        let _ = writeln!(out, "  {}", finding.replay);
    }
    for gone in &outcome.known_gone {
        let _ = writeln!(
            out,
            "\nknown finding did not happen: {} / {} at {}",
            gone.oracle, gone.check, gone.site
        );
    }
    let findings = outcome.summary.findings.len();
    let fatal = findings - outcome.known.len();
    let _ = match (fatal, outcome.vacuous.len()) {
        (0, 0) => writeln!(out, "\nnothing found, nothing vacuous"),
        (0, vacuous) => writeln!(out, "\nnothing found, but {vacuous} counters are vacuous"),
        (fatal, _) => writeln!(out, "\n{fatal} findings"),
    };
}
