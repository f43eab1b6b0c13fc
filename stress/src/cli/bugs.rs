//! The executable with the seeded bugs: built on demand, run in place of this one.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gcrucible_platform::seeded_bugs::{self, Bug};

use gcrucible_trace::Refusal;

/// Where the executable with the switches is built, below the workspace.
const TARGET: &str = "target/zoo";

/// Goes on as the executable that has the bug, if this one has not. Returns where this
/// one can go on itself: no bug is asked for, or it has the switches.
pub(super) fn continue_with(bug: Option<Bug>) -> Result<(), Refusal> {
    if bug.is_none() || seeded_bugs::COMPILED_IN {
        return Ok(());
    }
    let program = build()?;
    let error = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(Refusal::broken(format!(
        "cannot run {}: {error}",
        program.display()
    )))
}

/// Builds the executable with the switches, if it is not up to date.
pub(super) fn build() -> Result<PathBuf, Refusal> {
    let root = workspace()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&root)
        .args([
            "build",
            "--quiet",
            "--profile",
            "campaign",
            "--package",
            "gcrucible-stress",
        ])
        .args([
            "--bin",
            "crucible",
            "--features",
            "seeded-bugs",
            "--target-dir",
            TARGET,
        ])
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Refusal::usage(format!("cannot run cargo: {error}")))?;
    if !status.success() {
        return Err(Refusal::broken(
            "the engine with the seeded bugs does not build",
        ));
    }
    Ok(root.join(TARGET).join("campaign/crucible"))
}

/// The workspace that this executable was built from.
pub(super) fn workspace() -> Result<PathBuf, Refusal> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    match package.parent() {
        Some(root) if root.join("Cargo.toml").exists() => Ok(root.to_owned()),
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
