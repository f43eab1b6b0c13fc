//! The zoo: how fast is each seeded bug found?
//!
//! For each bug and seed the ordinary campaign runs (one worker, all lanes in turn) in the
//! executable that has the switches, until its first finding or the end of the budget. The
//! campaign knows nothing of the switch: it is turned on where a worker starts. A bug counts
//! as found only when the engine without the switches passes the very scenario that failed.

pub mod budget;
pub mod foreign;
pub mod hunt;
pub mod quick;
pub mod record;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use self::budget::Budget;
use self::hunt::Hunt;
use self::record::{Without, ZooRecord};
use gcrucible_trace::{Exit, Refusal};

/// What the harness can do without, by the names of `--without`.
pub const ADVANTAGES: [&str; 5] = ["schedule", "modes", "verifier", "model", ORACLES];

/// The name for each oracle that is the first to see a bug: would others see it?
pub const ORACLES: &str = "oracles";

/// What the zoo is asked.
#[derive(Clone, Debug)]
pub struct ZooPlan {
    /// What to look for.
    pub cases: Vec<Case>,
    /// Advantages to be taken away, one at a time.
    pub without: Vec<&'static str>,
    /// Hunts at a time.
    pub jobs: usize,
    /// Folder for everything.
    pub dir: PathBuf,
    /// The executable that has the bug of each case.
    pub seeded_programs: BTreeMap<String, PathBuf>,
    /// The executable that has none.
    pub plain_program: PathBuf,
}

/// One bug to look for.
#[derive(Clone, Debug)]
pub struct Case {
    /// The bug.
    pub bug: String,
    /// Seeds of its campaigns.
    pub seeds: Vec<u64>,
    /// How long each of them looks.
    pub budget: Budget,
    /// The oracle that must find it, if it must be a certain one.
    pub oracle: Option<&'static str>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct ZooOutcome {
    /// One record for each bug, as in `zoo.json`.
    pub records: Vec<ZooRecord>,
    /// Scenarios that the unchanged engine fails as well.
    pub false_findings: Vec<PathBuf>,
    /// Bugs that another oracle found than the one that used to.
    pub lost_kills: Vec<String>,
}

impl ZooOutcome {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        if !self.false_findings.is_empty() {
            Exit::HarnessBroken
        } else if self.records.iter().any(|record| !record.found) || !self.lost_kills.is_empty() {
            Exit::Finding
        } else {
            Exit::Clean
        }
    }
}

/// Looks for every bug of the plan; `tell` gets a line for each bug as it is done.
///
/// # Errors
/// Hunts that cannot be run, files that cannot be written.
///
/// # Panics
/// If the plan has no executable for one of its cases.
pub fn run(plan: &ZooPlan, tell: &mut dyn FnMut(&str)) -> Result<ZooOutcome, Refusal> {
    let mut outcome = ZooOutcome {
        records: Vec::new(),
        false_findings: Vec::new(),
        lost_kills: Vec::new(),
    };
    tell(&table::header(&plan.without));
    for case in &plan.cases {
        let hunts: Vec<Hunt> = case
            .seeds
            .iter()
            .map(|&seed| Hunt::new(case, seed, None))
            .collect();
        let mut hunted = hunt::run_all(plan, &hunts)?;
        for one in &mut hunted {
            if let Some(path) = hunt::confirm(plan, one)? {
                outcome.false_findings.push(path);
            }
        }
        let mut record = ZooRecord::of(case, &hunted);
        record.stream_hash = hunt::stream_hash(plan, &case.bug, case.seeds[0])?;
        for &name in &plan.without {
            let names: BTreeSet<&str> = match name {
                ORACLES => record.oracles.keys().map(String::as_str).collect(),
                name => BTreeSet::from([name]),
            };
            for name in names {
                let hunt = |&seed: &u64| Hunt::new(case, seed, Some(name));
                let hunts: Vec<Hunt> = case.seeds.iter().map(hunt).collect();
                let without = Without::of(case, &hunt::run_all(plan, &hunts)?);
                record.without.insert(name.to_owned(), without);
            }
        }
        if let Some(oracle) = case.oracle
            && record.found
            && record.oracle.as_deref() != Some(oracle)
        {
            outcome.lost_kills.push(format!(
                "{} was found by {}, not by {oracle} as it used to be",
                record.bug,
                record.oracle.as_deref().unwrap_or("nobody")
            ));
        }
        tell(&table::row(&record, &plan.without));
        outcome.records.push(record);
    }
    Ok(outcome)
}
