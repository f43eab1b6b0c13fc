//! `crucible zoo --foreign`.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::{bugs, building, complain, say};
use gcrucible_campaign::journal::write_json;
use gcrucible_campaign::progress::Waiting;
use gcrucible_campaign::watch::Watch;
use gcrucible_campaign::zoo::foreign::{self, ForeignPlan, ForeignRecord, Row};
use gcrucible_command::terminal::catch_signals;
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
    let stop = catch_signals()?;
    for side in ["bad", "older", "good"] {
        complain(&format!("building the crates of the side `{side}`"));
        build(&root, side, &stop)?;
    }
    let waiting = std::cell::RefCell::new(Waiting::default());
    let mut watch = Watch {
        stop: &stop,
        show: &mut |what| waiting.borrow_mut().show(what),
    };
    let programs = |side: &str| root.join(TARGET).join(format!("debug/foreign-{side}"));
    let mut records = Vec::new();
    let mut is_whole = true;
    for row in rows.iter().filter(chosen) {
        let hunted = foreign::hunt(row, plan, &programs, &mut watch)?;
        waiting.borrow_mut().clear();
        let Some(record) = hunted else {
            is_whole = false;
            break;
        };
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
    if !is_whole {
        complain("interrupted: the rows that are not there were not hunted to the end");
        return Ok(Exit::Interrupted);
    }
    Ok(exit(&records))
}

fn rows(path: &Path) -> Result<Vec<Row>, Refusal> {
    let broken = |error: String| Refusal::broken(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
    ron::from_str(&text).map_err(|error| broken(error.to_string()))
}

/// Builds a side.
fn build(root: &Path, side: &str, stop: &AtomicBool) -> Result<(), Refusal> {
    let mut cargo = building::cargo();
    cargo
        .current_dir(root.join(FOLDER).join(side))
        .args(["build", "--quiet", "--locked", "--target-dir"])
        .arg(root.join(TARGET));
    building::run(
        &mut cargo,
        &format!("the crates of the side `{side}`"),
        stop,
    )
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

/// Rows of which the list says why they are not found are no failure.
fn exit(records: &[ForeignRecord]) -> Exit {
    let is_dirty = |record: &ForeignRecord| record.is_broken || record.good_clean == Some(false);
    let is_missed = |record: &ForeignRecord| !record.found && !record.is_explained;
    if records.iter().any(is_dirty) {
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
