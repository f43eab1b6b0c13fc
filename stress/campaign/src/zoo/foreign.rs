//! The zoo of published bugs: crates in the versions that had a bug, and in those that do not have it any more.
//!
//! Each row is a pair of versions with the lane that tests the crate. For each seed a campaign of that lane runs in the executable with
//! the bad version, until its first finding; and in the one with the good version, which must find nothing. The executables are built by
//! whoever calls; they know the lanes, this does not.

mod campaign;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use crate::watch::Watch;
use campaign::{Campaign, Ended, Hunted};
use gcrucible_trace::Refusal;

/// A published bug.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name of the row.
    pub name: String,
    /// The crate.
    #[serde(rename = "crate")]
    pub package: String,
    /// The version with the bug that is tested.
    pub bad: String,
    /// The version without; `None` if the bug is open.
    #[serde(default)]
    pub good: Option<String>,
    /// Where it was published: an issue or pull request of the crate, or its list of changes.
    pub reference: String,
    /// What breaks.
    pub what: String,
    /// The workspace of the bad version: `bad`, or `older`.
    pub side: String,
    /// The lane that tests the crate; `None` if none can.
    #[serde(default)]
    pub lane: Option<String>,
    /// A lane that tests the same crate without what the bug needs, for open bugs.
    #[serde(default)]
    pub control: Option<String>,
    /// Why it is not found, and what it would need.
    #[serde(default)]
    pub why_not: Option<String>,
}

/// What came of a row, as in `zoo-foreign.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForeignRecord {
    /// Name of the row.
    pub name: String,
    /// The crate.
    #[serde(rename = "crate")]
    pub package: String,
    /// The version with the bug.
    pub bad: String,
    /// The version without.
    pub good: Option<String>,
    /// Every seed found something in the bad version.
    pub found: bool,
    /// No seed found anything in the good one; `null` where there is none.
    pub good_clean: Option<bool>,
    /// CPU seconds to the finding, median of the seeds that found it.
    pub seconds_median: Option<f64>,
    /// The smallest finding: statements (operations, or tasks) and switches.
    pub size_after: Option<String>,
    /// Why not every seed found it, or what went wrong.
    pub why_not: Option<String>,
    /// The list says why it is not found: that it is not is no failure then.
    #[serde(skip)]
    pub is_explained: bool,
    /// A campaign of the row did not end as campaigns do, so the figures are not whole.
    #[serde(skip)]
    pub is_broken: bool,
    /// Seeds that found something, of how many.
    pub seeds: (usize, usize),
    /// Oracles that found it.
    pub oracles: Vec<String>,
    /// What was found in the good version.
    pub good_findings: Vec<String>,
}

/// Where the executables are, by side: `bad`, `older`, `good`.
pub type Programs<'a> = &'a dyn Fn(&str) -> PathBuf;

/// How rows are hunted.
#[derive(Clone, Debug)]
pub struct ForeignPlan {
    /// Seeds 1, 2, …
    pub seeds: u64,
    /// How long each of them looks, in each version.
    pub budget: Budget,
    /// Folder for the campaigns.
    pub dir: PathBuf,
}

/// What the campaigns of several seeds came to.
#[derive(Debug, Default)]
struct Seeds {
    hunted: Vec<Hunted>,
    /// What went wrong with those that are not there.
    broken: Vec<String>,
}

/// Hunts one row; `None` if it was told to stop. A campaign that breaks is said in the record, and the others go on.
///
/// # Errors
/// An executable that does not start.
pub fn hunt(
    row: &Row,
    plan: &ForeignPlan,
    programs: Programs<'_>,
    watch: &mut Watch<'_>,
) -> Result<Option<ForeignRecord>, Refusal> {
    let mut record = ForeignRecord::new(row, plan.seeds);
    let Some(lane) = &row.lane else {
        return Ok(Some(record));
    };
    let Some(bad) = run_seeds(row, lane, &row.side, "bad", (plan, programs), watch)? else {
        return Ok(None);
    };
    record.note_bad(&bad);
    let (control, side) = match (&row.good, &row.control) {
        (Some(_), _) => (Some(lane), "good"),
        (None, control) => (control.as_ref(), row.side.as_str()),
    };
    if let Some(control) = control {
        let Some(good) = run_seeds(row, control, side, "good", (plan, programs), watch)? else {
            return Ok(None);
        };
        record.note_good(good);
    }
    record.explain(plan);
    Ok(Some(record))
}

/// Runs the campaigns of all seeds in one version; `None` if it was told to stop.
fn run_seeds(
    row: &Row,
    lane: &str,
    side: &str,
    version: &str,
    (plan, programs): (&ForeignPlan, Programs<'_>),
    watch: &mut Watch<'_>,
) -> Result<Option<Seeds>, Refusal> {
    let mut seeds = Seeds::default();
    for seed in 1..=plan.seeds {
        let campaign = Campaign {
            program: programs(side),
            lane: lane.to_owned(),
            seed,
            budget: plan.budget,
            out: plan.dir.join(format!("{}-{version}-{seed}", row.name)),
        };
        let what = format!(
            "{}: {version} version, seed {seed} of {}",
            row.name, plan.seeds
        );
        match campaign.run(&what, watch)? {
            Ended::Whole(hunted) => seeds.hunted.push(hunted),
            Ended::Broken(why) => {
                seeds
                    .broken
                    .push(format!("{version} version, seed {seed}: {why}"));
            }
            Ended::Stopped => return Ok(None),
        }
    }
    Ok(Some(seeds))
}

impl ForeignRecord {
    /// The record of a row of which nothing is known yet.
    fn new(row: &Row, seeds: u64) -> ForeignRecord {
        ForeignRecord {
            name: row.name.clone(),
            package: row.package.clone(),
            bad: row.bad.clone(),
            good: row.good.clone(),
            found: false,
            good_clean: None,
            seconds_median: None,
            size_after: None,
            why_not: row.why_not.clone(),
            is_explained: row.why_not.is_some(),
            is_broken: false,
            seeds: (0, seeds as usize),
            oracles: Vec::new(),
            good_findings: Vec::new(),
        }
    }

    fn note_bad(&mut self, bad: &Seeds) {
        self.note_broken(&bad.broken);
        let found = bad.hunted.iter().filter(|one| one.oracle.is_some());
        let found: Vec<&Hunted> = found.collect();
        let mut seconds: Vec<f64> = found.iter().map(|one| one.cpu_s).collect();
        seconds.sort_by(f64::total_cmp);
        self.seconds_median = seconds.get(seconds.len() / 2).copied();
        self.seeds.0 = found.len();
        self.found = self.seeds.0 == self.seeds.1;
        let smallest = found.iter().filter_map(|one| one.size).min();
        self.size_after = smallest
            .map(|(statements, switches)| format!("{statements} statements, {switches} switches"));
        self.oracles = found.iter().filter_map(|one| one.oracle.clone()).collect();
        self.oracles.sort_unstable();
        self.oracles.dedup();
    }

    fn note_good(&mut self, good: Seeds) {
        self.note_broken(&good.broken);
        let findings = good.hunted.into_iter().filter_map(|one| one.oracle);
        self.good_findings.extend(findings);
        // Of a campaign that did not end nobody knows what it would have found.
        let is_known = !self.good_findings.is_empty() || good.broken.is_empty();
        self.good_clean = is_known.then_some(self.good_findings.is_empty());
    }

    fn note_broken(&mut self, broken: &[String]) {
        if let Some(first) = broken.first() {
            self.is_broken = true;
            self.why_not = Some(first.clone());
        }
    }

    /// Says why not every seed found it, if the list does not.
    fn explain(&mut self, plan: &ForeignPlan) {
        if self.is_broken {
            return;
        }
        let budget = match plan.budget {
            Budget::CpuMs(ms) => format!("{} CPU s", ms as f64 / 1e3),
            Budget::Scenarios(count) => format!("{count} scenarios"),
        };
        self.why_not = match (self.found, self.why_not.take()) {
            (true, _) => None,
            (false, Some(why)) => Some(why),
            (false, None) => Some(format!(
                "{} of {} seeds found nothing in {budget} each",
                self.seeds.1 - self.seeds.0,
                self.seeds.1
            )),
        };
    }
}

/// A row of the table that is printed.
pub fn line(record: &ForeignRecord) -> String {
    let found = match &record.why_not {
        Some(why) if record.seeds.0 == 0 => format!("not found: {why}"),
        _ => format!(
            "{} of {} seeds, {:.2} CPU s, {}, {}",
            record.seeds.0,
            record.seeds.1,
            record.seconds_median.unwrap_or(0.0),
            record.size_after.as_deref().unwrap_or("not shrunk"),
            record.oracles.join(" ")
        ),
    };
    let good = match (record.good_clean, &record.good) {
        (Some(true), Some(good)) => format!("{good} is clean"),
        (Some(true), None) => "open; clean without what it needs".to_owned(),
        (Some(false), _) => format!("FOUND IN THE GOOD ONE: {}", record.good_findings.join(" ")),
        (None, _) => String::new(),
    };
    format!(
        "{:<26} {} {}: {found}; {good}",
        record.name, record.package, record.bad
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn row(lane: Option<&str>, why_not: Option<&str>) -> Row {
        Row {
            name: "race".into(),
            package: "racy".into(),
            bad: "1.0.0".into(),
            good: Some("1.0.1".into()),
            reference: "#1".into(),
            what: "two threads".into(),
            side: "bad".into(),
            lane: lane.map(str::to_owned),
            control: None,
            why_not: why_not.map(str::to_owned),
        }
    }

    fn plan() -> ForeignPlan {
        ForeignPlan {
            seeds: 2,
            budget: Budget::CpuMs(60_000),
            dir: PathBuf::new(),
        }
    }

    fn hunted(oracle: Option<&str>, cpu_s: f64) -> Hunted {
        Hunted {
            oracle: oracle.map(str::to_owned),
            cpu_s,
            size: oracle.map(|_| (4, 2)),
        }
    }

    fn seeds(hunted: Vec<Hunted>, broken: &[&str]) -> Seeds {
        Seeds {
            hunted,
            broken: broken.iter().map(|&why| why.to_owned()).collect(),
        }
    }

    #[test]
    fn a_row_that_nothing_can_test_says_why() {
        let stop = AtomicBool::new(false);
        let mut watch = Watch {
            stop: &stop,
            show: &mut |_| {},
        };
        let row = row(None, Some("it needs threads"));
        let record = hunt(&row, &plan(), &|_| unreachable!("no lane"), &mut watch);
        let record = record.unwrap().expect("nobody stopped it");
        assert!(!record.found && record.is_explained);
        assert_eq!(record.good_clean, None);
        assert!(line(&record).contains("not found: it needs threads"));
    }

    #[test]
    fn a_row_that_each_seed_finds_has_its_figures_and_nothing_to_explain() {
        let mut record = ForeignRecord::new(&row(Some("racy"), Some("it needs luck")), 2);
        record.note_bad(&seeds(
            vec![hunted(Some("no_crash"), 3.0), hunted(Some("no_crash"), 1.0)],
            &[],
        ));
        record.note_good(seeds(vec![hunted(None, 60.0), hunted(None, 60.0)], &[]));
        record.explain(&plan());
        assert!(record.found && !record.is_broken);
        assert_eq!(record.seconds_median, Some(3.0));
        assert_eq!(
            record.size_after.as_deref(),
            Some("4 statements, 2 switches")
        );
        assert_eq!(record.oracles, ["no_crash"]);
        assert_eq!((record.good_clean, record.why_not), (Some(true), None));
    }

    #[test]
    fn a_row_that_a_seed_misses_says_so_though_the_list_does_not() {
        let mut record = ForeignRecord::new(&row(Some("racy"), None), 2);
        record.note_bad(&seeds(
            vec![hunted(Some("no_crash"), 3.0), hunted(None, 60.0)],
            &[],
        ));
        record.explain(&plan());
        assert!(!record.found && !record.is_explained);
        let why = record.why_not.expect("it is not found");
        assert_eq!(why, "1 of 2 seeds found nothing in 60 CPU s each");
    }

    #[test]
    fn a_campaign_that_breaks_is_neither_clean_nor_found() {
        let mut record = ForeignRecord::new(&row(Some("racy"), None), 2);
        record.note_bad(&seeds(
            vec![hunted(Some("no_crash"), 1.0)],
            &["seed 2: killed"],
        ));
        record.note_good(seeds(vec![hunted(None, 60.0)], &["seed 1: killed"]));
        record.explain(&plan());
        assert!(record.is_broken && !record.found);
        assert_eq!(record.good_clean, None);
        assert_eq!(record.why_not.as_deref(), Some("seed 1: killed"));
        record.note_good(seeds(
            vec![hunted(Some("no_crash"), 1.0)],
            &["seed 2: killed"],
        ));
        assert_eq!(
            record.good_clean,
            Some(false),
            "one finding is enough to know"
        );
    }
}
