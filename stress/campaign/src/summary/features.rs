//! Coverage of feature pairs, lane by lane.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::totals::{LaneTotals, Totals};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subjects;
use gcrucible_trace::{FeaturePairs, FeatureTable};

/// The feature pairs of one lane in `summary.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSummary {
    /// Scenarios that passed and had it, by feature.
    pub scenarios: BTreeMap<String, u64>,
    /// Pairs that no rule forbids.
    pub feasible: usize,
    /// Those of them that a scenario had which passed.
    pub covered: usize,
    /// Those that none had.
    pub missing: Vec<[String; 2]>,
    /// Pairs that a rule forbids, with it.
    pub infeasible: Vec<[String; 3]>,
    /// Covered pairs that the fewest scenarios had, with how many.
    pub rarest: Vec<(String, String, u64)>,
}

/// Pairs that `rarest` has.
const RAREST: usize = 10;

/// Missing and rare pairs of a lane that people are shown; `summary.json` has more.
const SHOWN: usize = 4;

/// A pair of features that a scenario had though a rule forbids it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImpossiblePair {
    lane: Lane,
    first: &'static str,
    second: &'static str,
    rule: &'static str,
}

impl fmt::Display for ImpossiblePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImpossiblePair {
            lane,
            first,
            second,
            rule,
        } = self;
        match first == second {
            true => write!(f, "a scenario of {lane} has {first}, which {rule} forbids"),
            false => write!(
                f,
                "a scenario of {lane} has {first} and {second}, which {rule} forbids"
            ),
        }
    }
}

/// The lanes of a plan whose subjects have features. A person's own program is no generated one.
fn lanes(
    plan: &Plan,
    totals: &Totals,
    subjects: Subjects,
) -> impl Iterator<Item = (Lane, FeatureTable, FeaturePairs)> {
    let lanes = plan.lanes.iter().filter(|_| plan.program.is_none());
    lanes.filter_map(move |&lane| {
        let table = subjects.of(lane).features();
        let features = |done: &LaneTotals| done.features.clone();
        let done = totals.lanes.get(&lane).map(features).unwrap_or_default();
        (!table.names.is_empty()).then_some((lane, table, done))
    })
}

/// Pairs that scenarios had though a rule forbids them.
pub fn impossible_pairs(plan: &Plan, totals: &Totals, subjects: Subjects) -> Vec<ImpossiblePair> {
    let of_lane = |(lane, table, done): (Lane, FeatureTable, FeaturePairs)| {
        let impossible = done.impossible(&table).into_iter();
        impossible.map(move |(first, second, rule)| ImpossiblePair {
            lane,
            first: table.names[first],
            second: table.names[second],
            rule,
        })
    };
    lanes(plan, totals, subjects).flat_map(of_lane).collect()
}

/// The feature pairs of each lane.
pub(super) fn summaries(
    plan: &Plan,
    totals: &Totals,
    subjects: Subjects,
) -> BTreeMap<String, FeatureSummary> {
    lanes(plan, totals, subjects)
        .map(|(lane, table, done)| (lane.name().to_owned(), of_lane(&table, &done)))
        .collect()
}

fn of_lane(table: &FeatureTable, done: &FeaturePairs) -> FeatureSummary {
    let name = |feature: usize| table.names[feature].to_owned();
    let (feasible, missing) = done.missing(table);
    let features = 0..table.names.len();
    let rarest = done.rarest(table, RAREST).into_iter();
    FeatureSummary {
        scenarios: features.map(|at| (name(at), done.count(at, at))).collect(),
        feasible,
        covered: feasible - missing.len(),
        missing: missing.iter().map(|&(a, b)| [name(a), name(b)]).collect(),
        infeasible: table
            .infeasible()
            .map(|(a, b, rule)| [name(a), name(b), rule.to_owned()])
            .collect(),
        rarest: rarest
            .map(|(a, b, count)| (name(a), name(b), count))
            .collect(),
    }
}

/// The table of feature pairs; nothing where no lane has features.
pub(super) fn render(out: &mut String, plan: &Plan, all: &BTreeMap<String, FeatureSummary>) {
    let lanes = plan.lanes.iter();
    let lanes: Vec<(&str, &FeatureSummary)> = lanes
        .filter_map(|lane| Some((lane.name(), all.get(lane.name())?)))
        .collect();
    if lanes.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "feature pairs  {:>9} {:>9} {:>10}  in the fewest scenarios, or in none",
        "covered", "feasible", "infeasible"
    );
    for (lane, summary) in lanes {
        let missing = summary.missing.iter().map(|[a, b]| format!("{a} + {b}: 0"));
        let rare = summary.rarest.iter();
        let rare = rare.map(|(a, b, count)| format!("{a} + {b}: {count}"));
        let shown: Vec<String> = missing.chain(rare).take(SHOWN).collect();
        let _ = writeln!(
            out,
            "  {lane:<12} {:>9} {:>9} {:>10}  {}",
            summary.covered,
            summary.feasible,
            summary.infeasible.len(),
            shown.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::plan::Limit;
    use crate::session::default_plan;
    use gcrucible_trace::FeatureSet;

    fn totals(sets: &[FeatureSet]) -> Totals {
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(fake::LANE).or_default();
        sets.iter().for_each(|&set| lane.features.note(set));
        totals
    }

    #[test]
    fn a_lane_says_which_pairs_it_had() {
        let plan = default_plan(1, Limit::Scenarios(1), &fake::subjects());
        let none = FeatureSet::NONE;
        let two = totals(&[none.with(0), none.with(0).with(1)]);
        let summaries = summaries(&plan, &two, fake::subjects());
        let summary = &summaries["fake"];
        assert_eq!((summary.feasible, summary.covered), (1, 1));
        assert_eq!(
            (summary.scenarios["two"], summary.scenarios["four"]),
            (2, 1)
        );
        assert_eq!(summary.rarest, [("two".into(), "four".into(), 1)]);
        assert_eq!(summary.infeasible.len(), 2);
        assert!(impossible_pairs(&plan, &two, fake::subjects()).is_empty());
        let mut text = String::new();
        render(&mut text, &plan, &summaries);
        assert!(text.ends_with("  fake                 1         1          2  two + four: 1\n"));
    }

    #[test]
    fn what_a_rule_forbids_is_named() {
        let plan = default_plan(1, Limit::Scenarios(1), &fake::subjects());
        let never = totals(&[FeatureSet::NONE.with(2)]);
        let impossible = impossible_pairs(&plan, &never, fake::subjects());
        let texts: Vec<String> = impossible.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["a scenario of fake has never, which never is never forbids"]
        );
    }
}
