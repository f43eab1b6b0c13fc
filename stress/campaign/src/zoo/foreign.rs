//! The zoo of published bugs: crates in the versions that had a bug, and in those that do not have it any more.
//!
//! Each row is a pair of versions with the lane that tests the crate. For each seed a campaign of that lane runs in the executable with
//! the bad version, until its first finding; and in the one with the good version, which must find nothing. The executables are built by
//! whoever calls; they know the lanes, this does not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use crate::summary::Summary;
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
    /// Why it is not found.
    pub why_not: Option<String>,
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

/// One campaign's end.
struct Hunted {
    oracle: Option<String>,
    cpu_s: f64,
    size: Option<(u64, u64)>,
}

/// Hunts one row.
///
/// # Errors
/// An executable that does not run, a campaign without results.
pub fn hunt(
    row: &Row,
    plan: &ForeignPlan,
    programs: Programs<'_>,
) -> Result<ForeignRecord, Refusal> {
    let mut record = ForeignRecord {
        name: row.name.clone(),
        package: row.package.clone(),
        bad: row.bad.clone(),
        good: row.good.clone(),
        found: false,
        good_clean: None,
        seconds_median: None,
        size_after: None,
        why_not: row.why_not.clone(),
        seeds: (0, plan.seeds as usize),
        oracles: Vec::new(),
        good_findings: Vec::new(),
    };
    let Some(lane) = &row.lane else {
        return Ok(record);
    };
    let mut seconds = Vec::new();
    let mut sizes = Vec::new();
    for seed in 1..=plan.seeds {
        let bad = campaign(
            &programs(&row.side),
            lane,
            seed,
            plan,
            &format!("{}-bad-{seed}", row.name),
        )?;
        if let Some(oracle) = bad.oracle {
            seconds.push(bad.cpu_s);
            sizes.extend(bad.size);
            record.oracles.push(oracle);
        }
    }
    record.seeds.0 = seconds.len();
    record.found = seconds.len() as u64 == plan.seeds;
    seconds.sort_by(f64::total_cmp);
    record.seconds_median = seconds.get(seconds.len() / 2).copied();
    let smallest = sizes.into_iter().min();
    record.size_after = smallest
        .map(|(statements, switches)| format!("{statements} statements, {switches} switches"));
    record.oracles.sort_unstable();
    record.oracles.dedup();
    let (control, side) = match (&row.good, &row.control) {
        (Some(_), _) => (Some(lane), "good"),
        (None, control) => (control.as_ref(), row.side.as_str()),
    };
    if let Some(control) = control {
        for seed in 1..=plan.seeds {
            let name = format!("{}-good-{seed}", row.name);
            let good = campaign(&programs(side), control, seed, plan, &name)?;
            record.good_findings.extend(good.oracle);
        }
        record.good_clean = Some(record.good_findings.is_empty());
    }
    Ok(record)
}

/// Runs one campaign of one lane, up to its first finding.
fn campaign(
    program: &Path,
    lane: &str,
    seed: u64,
    plan: &ForeignPlan,
    name: &str,
) -> Result<Hunted, Refusal> {
    let broken = |error: String| Refusal::broken(format!("the hunt {name}: {error}"));
    let out = plan.dir.join(name);
    let mut command = Command::new(program);
    command
        .args(["run", "--first-finding", "--jobs", "1", "--lane", lane])
        .args(["--seed", &seed.to_string()])
        .args(["--parent", &std::process::id().to_string()])
        .arg("--out")
        .arg(&out);
    match plan.budget {
        Budget::CpuMs(ms) => command.arg("--cpu-time").arg(format!("{ms}ms")),
        Budget::Scenarios(count) => command.arg("--scenarios").arg(count.to_string()),
    };
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| broken(error.to_string()))?;
    if !matches!(done.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(broken(format!("{:?}: {said}", done.status)));
    }
    let text = std::fs::read_to_string(out.join("summary.json"))
        .map_err(|error| broken(error.to_string()))?;
    let summary: Summary =
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    // The lanes are not known to this executable: what it reads has them as text.
    let finding = summary.findings.first();
    let filed = finding.and_then(|finding| crate::findings::read_filed(&out, &finding.id));
    Ok(Hunted {
        oracle: finding.map(|finding| finding.oracle.clone()),
        cpu_s: summary.lanes.get(lane).map_or(0.0, |lane| lane.cpu_s),
        size: filed
            .and_then(|filed| filed.after)
            .map(|after| (after.statements, after.switches)),
    })
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
    use super::*;

    #[test]
    fn a_row_that_nothing_can_test_says_why() {
        let row = Row {
            name: "race".into(),
            package: "racy".into(),
            bad: "1.0.0".into(),
            good: None,
            reference: "#1".into(),
            what: "two threads".into(),
            side: "bad".into(),
            lane: None,
            control: None,
            why_not: Some("it needs threads".into()),
        };
        let plan = ForeignPlan {
            seeds: 5,
            budget: Budget::Scenarios(1),
            dir: PathBuf::new(),
        };
        let record = hunt(&row, &plan, &|_| unreachable!("no lane")).unwrap();
        assert!(!record.found);
        assert_eq!(record.good_clean, None);
        assert!(line(&record).contains("not found: it needs threads"));
    }
}
