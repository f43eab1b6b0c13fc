//! What a campaign has done so far: sums that do not depend on who did what when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use gcrucible_scenario::{Lane, ModeCounts, ScenarioSeed};
use gcrucible_trace::{Counters, Failure, FeaturePairs, PairMatrix};

/// What one worker did in one go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChunkResult {
    /// Number of the chunk.
    pub chunk: u64,
    /// Its lane.
    pub lane: Lane,
    /// First position within the lane's shard.
    pub from: u64,
    /// The position after the last one done.
    pub to: u64,
    /// Whether it was run out of turn.
    #[serde(default)]
    pub is_ahead: bool,
    /// What the scenarios did.
    pub counters: Counters,
    /// Pairs of events that they met.
    pub pairs: PairMatrix,
    /// What those had that passed.
    #[serde(default)]
    pub features: FeaturePairs,
    /// Wrapping sum of their trace hashes.
    pub trace_hash: u64,
    /// CPU nanoseconds that the worker used since its last result.
    pub cpu_ns: u64,
    /// Scenarios and effects by mode.
    pub modes: ModeCounts,
    /// Failures by fingerprint, each with its first scenario.
    pub failures: Vec<Failing>,
    /// Visits of the seeded bug's line, and those that made a difference.
    pub switch: (u64, u64),
}

impl ChunkResult {
    /// The result of a chunk that nothing was done of yet.
    pub fn new(chunk: u64, lane: Lane, from: u64) -> Self {
        Self {
            chunk,
            lane,
            from,
            to: from,
            is_ahead: false,
            counters: Counters::default(),
            pairs: PairMatrix::default(),
            features: FeaturePairs::default(),
            trace_hash: 0,
            cpu_ns: 0,
            modes: ModeCounts::default(),
            failures: Vec::new(),
            switch: (0, 0),
        }
    }

    /// Notes a failing scenario.
    pub fn fail(&mut self, index: u64, failure: Failure) {
        let same = |known: &&mut Failing| is_same_finding(&known.failure, &failure);
        match self.failures.iter_mut().find(same) {
            // Positions are worked on in rising order, so the first one stays.
            Some(known) => known.count += 1,
            None => self.failures.push(Failing {
                index,
                count: 1,
                failure,
            }),
        }
    }
}

/// One fingerprint within a chunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failing {
    /// Index of the first scenario that failed so.
    pub index: u64,
    /// How many did.
    pub count: u64,
    /// How the first one failed.
    pub failure: Failure,
}

/// A record of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Wall-clock milliseconds that the campaign had run by then, over all its lives.
    pub elapsed_ms: u64,
    /// CPU nanoseconds of the campaign process, over all its lives.
    pub parent_cpu_ns: u64,
    /// What was done.
    pub result: ChunkResult,
}

/// Everything so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// By lane.
    pub lanes: BTreeMap<Lane, LaneTotals>,
    /// Over all lanes.
    pub pairs: PairMatrix,
    /// By id.
    pub findings: BTreeMap<String, Finding>,
    /// Wall-clock milliseconds, over all lives of the campaign.
    pub elapsed_ms: u64,
    /// CPU nanoseconds of the campaign process, over all its lives.
    pub parent_cpu_ns: u64,
    /// Visits of the seeded bug's line, and those that made a difference.
    pub switch: (u64, u64),
    /// Workers that somebody else killed in this life of the campaign; what they ran was tried again.
    #[serde(default)]
    pub killed_from_outside: u64,
}

/// What one lane did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaneTotals {
    /// Sums over its scenarios.
    pub counters: Counters,
    /// Wrapping sum of their trace hashes.
    pub trace_hash: u64,
    /// CPU nanoseconds of the workers.
    pub cpu_ns: u64,
    /// Scenarios that failed, same findings or not.
    pub failed: u64,
    /// Scenarios and effects by mode.
    pub modes: ModeCounts,
    /// What those scenarios had that passed.
    #[serde(default)]
    pub features: FeaturePairs,
    /// Positions that are done.
    pub done: Ranges,
    /// Positions that are done out of turn.
    #[serde(default)]
    pub ahead: Ranges,
}

/// A failure with its first scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Lane of the first scenario, in the order of lanes and indexes, that failed so.
    pub lane: Lane,
    /// Its index.
    pub index: u64,
    /// Scenarios that failed so.
    pub count: u64,
    /// How the first one failed.
    pub failure: Failure,
}

impl Finding {
    /// The seed of its first scenario.
    pub fn scenario_seed(&self, seed: u64) -> ScenarioSeed {
        ScenarioSeed {
            lane: self.lane,
            seed,
            index: self.index,
        }
    }
}

impl Totals {
    /// Adds a record. The order of records does not matter, but that the first of equally
    /// early findings keeps its message.
    pub fn add(&mut self, record: &Record) {
        let result = &record.result;
        let lane = self.lanes.entry(result.lane).or_default();
        lane.counters += &result.counters;
        lane.trace_hash = lane.trace_hash.wrapping_add(result.trace_hash);
        lane.cpu_ns += result.cpu_ns;
        lane.modes += &result.modes;
        lane.features += &result.features;
        match result.is_ahead {
            true => lane.ahead.insert(result.from, result.to),
            false => lane.done.insert(result.from, result.to),
        }
        self.pairs += &result.pairs;
        self.switch.0 += result.switch.0;
        self.switch.1 += result.switch.1;
        self.elapsed_ms = self.elapsed_ms.max(record.elapsed_ms);
        self.parent_cpu_ns = self.parent_cpu_ns.max(record.parent_cpu_ns);
        for failing in &result.failures {
            lane.failed += failing.count;
            merge_finding(
                &mut self.findings,
                Finding {
                    lane: result.lane,
                    index: failing.index,
                    count: failing.count,
                    failure: failing.failure.clone(),
                },
            );
        }
    }

    /// Adds the totals of another shard of the same campaign.
    pub fn merge(&mut self, other: &Totals) {
        for (lane, theirs) in &other.lanes {
            let mine = self.lanes.entry(*lane).or_default();
            mine.counters += &theirs.counters;
            mine.trace_hash = mine.trace_hash.wrapping_add(theirs.trace_hash);
            mine.cpu_ns += theirs.cpu_ns;
            mine.failed += theirs.failed;
            mine.modes += &theirs.modes;
            mine.features += &theirs.features;
        }
        self.pairs += &other.pairs;
        self.switch.0 += other.switch.0;
        self.switch.1 += other.switch.1;
        self.elapsed_ms = self.elapsed_ms.max(other.elapsed_ms);
        self.parent_cpu_ns += other.parent_cpu_ns;
        for finding in other.findings.values() {
            merge_finding(&mut self.findings, finding.clone());
        }
    }

    /// Scenarios of all lanes.
    pub fn scenarios(&self) -> u64 {
        self.lanes
            .values()
            .map(|lane| lane.counters.scenarios)
            .sum()
    }

    /// CPU nanoseconds of all workers.
    pub fn worker_cpu_ns(&self) -> u64 {
        self.lanes.values().map(|lane| lane.cpu_ns).sum()
    }
}

fn merge_finding(findings: &mut BTreeMap<String, Finding>, finding: Finding) {
    let id = finding_id(&finding.failure);
    match findings.get_mut(&id) {
        None => {
            findings.insert(id, finding);
        }
        Some(known) => {
            let count = known.count + finding.count;
            if (finding.lane, finding.index) < (known.lane, known.index) {
                *known = finding;
            }
            known.count = count;
        }
    }
}

/// The id of a failure's finding: a hash of its fingerprint, so that it is the same in
/// every run.
pub fn finding_id(failure: &Failure) -> String {
    let text = format!("{}\0{}\0{}", failure.oracle, failure.check, failure.site);
    let hash = super::journal::checksum(text.as_bytes());
    let readable: String = failure
        .check
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(24)
        .collect();
    format!("{readable}-{:010x}", hash & 0xff_ffff_ffff)
}

/// Whether two failures are the same finding.
pub fn is_same_finding(one: &Failure, other: &Failure) -> bool {
    (&one.oracle, &one.check, &one.site) == (&other.oracle, &other.check, &other.site)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAP_OPS: Lane = Lane::new(0, "heap-ops");
    const PROGRAMS: Lane = Lane::new(1, "programs");

    fn failure(site: &str) -> Failure {
        Failure {
            oracle: "heap_is_sound".into(),
            check: "dangling".into(),
            site: site.into(),
            message: "it broke".into(),
        }
    }

    fn record(lane: Lane, from: u64, sites: &[&str]) -> Record {
        let mut result = ChunkResult::new(from, lane, from);
        for site in sites {
            result.fail(result.to, failure(site));
            result.counters.scenarios += 1;
            result.trace_hash = result.trace_hash.wrapping_add(u64::MAX / 3);
            result.to += 1;
        }
        Record {
            elapsed_ms: from,
            parent_cpu_ns: from,
            result,
        }
    }

    #[test]
    fn the_order_of_records_does_not_matter() {
        let records = [
            record(PROGRAMS, 0, &["b", "c"]),
            record(HEAP_OPS, 4, &["a", "a", "b"]),
            record(HEAP_OPS, 0, &["x", "a"]),
        ];
        let sum = |order: &[usize]| {
            let mut totals = Totals::default();
            order.iter().for_each(|&at| totals.add(&records[at]));
            serde_json::to_string(&totals).unwrap()
        };
        let expected = sum(&[0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(sum(&order), expected);
        }
    }

    #[test]
    fn a_finding_keeps_its_first_scenario() {
        let mut totals = Totals::default();
        totals.add(&record(PROGRAMS, 0, &["a"]));
        totals.add(&record(HEAP_OPS, 9, &["a"]));
        totals.add(&record(HEAP_OPS, 5, &["z", "a"]));
        let found = &totals.findings[&finding_id(&failure("a"))];
        assert_eq!((found.lane, found.index, found.count), (HEAP_OPS, 6, 3));
        assert_eq!(totals.findings.len(), 2);
    }

    #[test]
    fn ids_are_the_same_in_every_run() {
        assert_eq!(finding_id(&failure("a")), finding_id(&failure("a")));
        assert_ne!(finding_id(&failure("a")), finding_id(&failure("b")));
        let id = finding_id(&failure("a"));
        assert!(id.starts_with("dangling-"), "{id}");
    }
}
