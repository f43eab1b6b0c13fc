//! What `zoo.json` says of one bug.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Case;
use super::hunt::{Found, Hunted};
use crate::zoo::budget::Budget;
use gcrucible_scenario::Size;

/// One bug in `zoo.json`; other tools read it, so its fields stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct ZooRecord {
    pub bug: String,
    pub found: bool,
    pub seeds: usize,
    pub found_seeds: usize,
    pub oracle: Option<String>,
    /// In how many seeds each was the first to see it.
    #[serde(default)]
    pub oracles: BTreeMap<String, usize>,
    pub lane: Option<String>,
    pub scenarios_median: u64,
    pub scenarios_p90: u64,
    pub seconds_median: f64,
    pub reached: u64,
    pub triggered: u64,
    pub detected: u64,
    pub statements_before: Option<u64>,
    pub statements_after: Option<u64>,
    pub switches_after: Option<u64>,
    pub collections_after: Option<u64>,
    pub without: BTreeMap<String, Without>,
    pub stream_hash: String,
}

/// The same bug with an advantage of the harness taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the fields are those of the file, documented with the contract"
)]
pub struct Without {
    pub found: bool,
    pub seeds: usize,
    pub seconds_median: f64,
}

impl ZooRecord {
    /// The record of a bug whose hunts are over.
    pub fn of(case: &Case, hunted: &[Hunted]) -> ZooRecord {
        let found: Vec<&Found> = hunted
            .iter()
            .filter_map(|h| h.found.as_ref())
            .filter(|f| f.is_confirmed)
            .collect();
        // A hunt without a finding has spent its whole budget of scenarios.
        let scenarios: Vec<u64> = hunted.iter().map(|h| h.scenarios).collect();
        let sizes = |of: fn(&Found) -> Option<Size>, part: fn(Size) -> u64| {
            let list: Vec<u64> = found.iter().filter_map(|f| of(f).map(part)).collect();
            (!list.is_empty()).then(|| percentile(&list, 50))
        };
        ZooRecord {
            bug: case.bug.clone(),
            found: found.len() == hunted.len(),
            seeds: hunted.len(),
            found_seeds: found.len(),
            oracle: most_common(found.iter().map(|f| f.oracle.as_str())),
            oracles: counted(found.iter().map(|f| f.oracle.as_str())),
            lane: most_common(found.iter().map(|f| f.lane.as_str())),
            scenarios_median: percentile(&scenarios, 50),
            scenarios_p90: percentile(&scenarios, 90),
            seconds_median: seconds_median(case, hunted),
            reached: hunted.iter().map(|h| h.reached).sum(),
            triggered: hunted.iter().map(|h| h.triggered).sum(),
            detected: found.len() as u64,
            statements_before: sizes(|f| f.filed.before, |size| size.statements),
            statements_after: sizes(|f| f.filed.after, |size| size.statements),
            switches_after: sizes(|f| f.filed.after, |size| size.switches),
            collections_after: sizes(|f| f.filed.after, |size| size.collections),
            without: BTreeMap::new(),
            stream_hash: String::new(),
        }
    }
}

impl ZooRecord {
    /// Without that one of its oracles which the others stand in for worst.
    pub(super) fn without_its_oracles(&self) -> Option<&Without> {
        let without = self
            .oracles
            .keys()
            .filter_map(|name| self.without.get(name));
        without.min_by_key(|without| without.seeds)
    }
}

impl Without {
    /// The record of hunts that did without an advantage; their findings are not confirmed.
    pub fn of(case: &Case, hunted: &[Hunted]) -> Without {
        Without {
            found: hunted.iter().all(|h| h.found.is_some()),
            seeds: hunted.iter().filter(|h| h.found.is_some()).count(),
            seconds_median: seconds_median(case, hunted),
        }
    }
}

fn is_found(hunted: &Hunted) -> bool {
    hunted.found.is_some()
}

/// CPU seconds to the first finding; a seed that finds nothing counts as the whole budget.
fn seconds_median(case: &Case, hunted: &[Hunted]) -> f64 {
    let ms: Vec<u64> = hunted
        .iter()
        .map(|h| match case.budget {
            Budget::CpuMs(budget) if !is_found(h) => budget,
            _ => h.cpu_ns / 1_000_000,
        })
        .collect();
    percentile(&ms, 50) as f64 / 1e3
}

/// The nearest-rank percentile; 0 of nothing.
fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

fn counted<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    names.fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name.to_owned()).or_default() += 1;
        counts
    })
}

fn most_common<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let counts = counted(names);
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(most.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Filed;

    fn hunted(found: Option<bool>, ms: u64) -> Hunted {
        let size = Size {
            statements: 5,
            switches: 1,
            collections: 2,
        };
        let filed = Filed {
            scenario: "a".into(),
            shrunk: "b".into(),
            before: Some(Size {
                statements: 90,
                ..size
            }),
            after: Some(size),
        };
        Hunted {
            found: found.map(|is_confirmed| Found {
                oracle: "heap_is_sound".into(),
                lane: "heap-ops".into(),
                filed,
                is_confirmed,
            }),
            scenarios: ms,
            cpu_ns: ms * 1_000_000,
            reached: 3,
            triggered: 2,
        }
    }

    fn case() -> Case {
        let budget = Budget::CpuMs(60_000);
        Case {
            bug: "B-03".to_owned(),
            seeds: vec![1, 2, 3],
            budget,
            oracle: None,
        }
    }

    #[test]
    fn a_bug_is_found_when_every_seed_finds_it() {
        let all = [
            hunted(Some(true), 10),
            hunted(Some(true), 30),
            hunted(Some(true), 20),
        ];
        let record = ZooRecord::of(&case(), &all);
        assert!(record.found);
        assert_eq!((record.scenarios_median, record.scenarios_p90), (20, 30));
        assert_eq!(record.seconds_median, 0.02);
        assert_eq!(
            (record.reached, record.triggered, record.detected),
            (9, 6, 3)
        );
        assert_eq!(
            (record.statements_before, record.statements_after),
            (Some(90), Some(5))
        );
    }

    #[test]
    fn a_seed_without_a_finding_costs_the_whole_budget() {
        let some = [hunted(None, 10), hunted(None, 10), hunted(Some(true), 5)];
        let record = ZooRecord::of(&case(), &some);
        assert!(!record.found);
        assert_eq!(record.found_seeds, 1);
        assert_eq!(record.seconds_median, 60.0);
    }

    #[test]
    fn what_the_unchanged_engine_fails_does_not_count() {
        let record = ZooRecord::of(&case(), &[hunted(Some(false), 10)]);
        assert!(!record.found);
        assert_eq!(record.oracle, None);
    }
}
