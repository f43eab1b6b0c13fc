//! `crucible zoo --foreign`.

use std::path::Path;
use std::process::Command;

use super::{bugs, complain, say};
use gcrucible_campaign::journal::write_json;
use gcrucible_campaign::zoo::foreign::{self, ForeignPlan, ForeignRecord, Row};
use gcrucible_trace::{Exit, Refusal};

/// The folder of the crates, within the workspace.
const FOLDER: &str = "stress/subjects/foreign";

/// Where cargo builds them, within the workspace.
const TARGET: &str = "target-foreign";

/// Builds what is needed, and hunts the rows with these names, or all.
pub(super) fn zoo(names: &[String], plan: &ForeignPlan) -> Result<Exit, Refusal> {
    let root = bugs::workspace()?;
    let rows = rows(&root.join(FOLDER).join("foreign.ron"))?;
    if let Some(name) = names
        .iter()
        .find(|name| rows.iter().all(|row| row.name != **name))
    {
        let known: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        return Err(Refusal::usage(format!(
            "`{name}` is no published bug of the list; expected one of {}",
            known.join(", ")
        )));
    }
    let chosen = |row: &&Row| names.is_empty() || names.contains(&row.name);
    for side in ["bad", "older", "good"] {
        complain(&format!("building the crates of the side `{side}`"));
        build(&root, side)?;
    }
    let programs = |side: &str| root.join(TARGET).join(format!("debug/foreign-{side}"));
    let mut records = Vec::new();
    for row in rows.iter().filter(chosen) {
        let record = foreign::hunt(row, plan, &programs)?;
        say(&format!("{}\n", foreign::line(&record)));
        records.push(record);
    }
    let path = plan.dir.join("zoo-foreign.json");
    write_json(&path, &records)
        .map_err(|error| Refusal::broken(format!("cannot write {}: {error}", path.display())))?;
    say(&format!(
        "{}\nresults in {}\n",
        footer(&records),
        path.display()
    ));
    Ok(exit(&records))
}

fn rows(path: &Path) -> Result<Vec<Row>, Refusal> {
    let broken = |error: String| Refusal::broken(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
    ron::from_str(&text).map_err(|error| broken(error.to_string()))
}

fn build(root: &Path, side: &str) -> Result<(), Refusal> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root.join(FOLDER).join(side))
        .args(["build", "--quiet", "--locked", "--target-dir"])
        .arg(root.join(TARGET))
        .status()
        .map_err(|error| Refusal::usage(format!("cannot run cargo: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Refusal::broken(format!(
        "the crates of the side `{side}` do not build"
    )))
}

fn footer(records: &[ForeignRecord]) -> String {
    let found = records.iter().filter(|record| record.found).count();
    let dirty = records
        .iter()
        .filter(|record| record.good_clean == Some(false))
        .count();
    format!(
        "{found} of {} found by each seed; {dirty} with a finding in the good version",
        records.len()
    )
}

/// Rows that say why they are not found are no failure.
fn exit(records: &[ForeignRecord]) -> Exit {
    let is_missed = |record: &ForeignRecord| !record.found && record.why_not.is_none();
    if records
        .iter()
        .any(|record| record.good_clean == Some(false))
    {
        Exit::HarnessBroken
    } else if records.iter().any(is_missed) {
        Exit::Finding
    } else {
        Exit::Clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_published_bugs_can_be_read_and_each_is_tested_or_says_why_not() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects/foreign/foreign.ron");
        let rows = rows(&path).unwrap();
        assert!(rows.len() >= 15, "{}", rows.len());
        for row in &rows {
            assert!(row.lane.is_some() || row.why_not.is_some(), "{row:?}");
            assert!(
                row.good.is_some() || row.control.is_some() || row.why_not.is_some(),
                "{row:?}"
            );
        }
        let mut names: Vec<_> = rows.iter().map(|row| &row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rows.len());
    }
}
