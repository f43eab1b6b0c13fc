//! The summary of a campaign: `summary.json`, and the text that people read.

mod features;
mod reported;

pub use features::{FeatureSummary, ImpossiblePair, impossible_pairs};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::findings::Filed;
use crate::plan::Plan;
use crate::session::Outcome;
use crate::totals::{LaneTotals, Totals};
use crate::vacuity::{self, Vacuous};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subjects;
use gcrucible_trace::{Counters, infeasible};

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
    #[serde(default)]
    pub features: BTreeMap<String, FeatureSummary>,
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
    /// Those that have a key ([`gcrucible_trace::Counter::json`]).
    #[serde(flatten, with = "reported")]
    pub counters: Counters,
    pub findings: u64,
    pub trace_hash: String,
    pub cpu_s: f64,
    pub scenarios_per_s: f64,
    pub decisions_per_s: f64,
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
        subjects: Subjects,
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
            features: features::summaries(plan, totals, subjects),
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
        counters: c.clone(),
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
        features::render(&mut out, plan, &summary.features);
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
    for impossible in &outcome.impossible {
        let _ = writeln!(out, "HARNESS BROKEN: {impossible}");
    }
    if outcome.totals.killed_from_outside > 0 {
        let _ = writeln!(
            out,
            "{} workers were killed from outside; what they ran was tried again",
            outcome.totals.killed_from_outside
        );
    }
    for bad in &outcome.bad_canaries {
        let (lane, why) = (bad.lane.name(), &bad.why);
        let _ = writeln!(out, "HARNESS BROKEN: the canary of {lane} {why}");
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

fn table(out: &mut String, lanes: &[(&str, &LaneSummary)]) {
    let mut line = format!("\n{:<26}", "");
    for (name, _) in lanes {
        let _ = write!(line, " {name:>14}");
    }
    let _ = writeln!(out, "{line}");
    let mut row = |name: &str, value: &dyn Fn(&LaneSummary) -> String| {
        let mut line = format!("{name:<26}");
        for (_, lane) in lanes {
            let _ = write!(line, " {:>14}", value(lane));
        }
        let _ = writeln!(out, "{line}");
    };
    for counter in Counters::ALL {
        if let Some(text) = counter.text {
            row(text, &|lane| (counter.get)(&lane.counters).to_string());
        }
        if counter.name == "scenarios" {
            row("scenarios per CPU second", &|lane| {
                format!("{:.0}", lane.scenarios_per_s)
            });
        }
    }
    let own = lanes.iter().flat_map(|(_, lane)| lane.counters.own.iter());
    for name in own.map(|(name, _)| name).collect::<BTreeSet<_>>() {
        row(&name.replace('_', " "), &|lane| {
            lane.counters.own.of(name).to_string()
        });
    }
    row("findings", &|lane| lane.findings.to_string());
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
