//! The executable with the seeded bugs: built on demand, run in place of this one.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use gcrucible_command::terminal::catch_signals;
use gcrucible_platform::seeded_bugs::{Bug, BugKind};

use super::{building, patched};
use crate::engine_bugs::is_here;
use gcrucible_trace::Refusal;

/// Where the executable with the switches is built, below the workspace.
const TARGET: &str = "target/zoo";

/// What cargo is told to build; the folder for it comes behind.
pub(super) const BUILD: [&str; 11] = [
    "build",
    "--quiet",
    "--profile",
    "campaign",
    "--package",
    "gcrucible-stress",
    "--bin",
    "crucible",
    "--features",
    "seeded-bugs",
    "--target-dir",
];

/// Goes on as the executable that has the bug, if this one has not. Returns where this
/// one can go on itself: no bug is asked for, or it has the switch.
pub(super) fn continue_with(bug: Option<Bug>) -> Result<(), Refusal> {
    let Some(bug) = bug.filter(|&bug| !is_here(bug)) else {
        return Ok(());
    };
    let stop = catch_signals()?;
    let program = match bug.kind() {
        BugKind::Patch => patched::executable(bug, &stop)?,
        BugKind::Simulation | BugKind::Threads => build(&stop)?,
    };
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(Refusal::broken(format!(
        "cannot run {}: {error}",
        program.display()
    )))
}

/// Builds the executable with the switches, if it is not up to date.
pub(super) fn build(stop: &AtomicBool) -> Result<PathBuf, Refusal> {
    let root = workspace()?;
    let mut cargo = building::cargo();
    cargo.current_dir(&root).args(BUILD).arg(TARGET);
    building::run(&mut cargo, "the engine with the seeded bugs", stop)?;
    Ok(root.join(TARGET).join("campaign/crucible"))
}

/// The workspace that this executable was built from.
pub(super) fn workspace() -> Result<PathBuf, Refusal> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match package.parent() {
        Some(root) if root.join("stress/Cargo.toml").exists() => Ok(root.to_owned()),
        _ => from_current_folder().ok_or_else(|| {
            Refusal::usage(
                "seeded bugs need the source code; expected to run inside the workspace".to_owned(),
            )
        }),
    }
}

fn from_current_folder() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find(|dir| dir.join("stress/Cargo.toml").exists())
        .map(Path::to_owned)
}
