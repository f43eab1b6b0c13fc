//! What `replay` and `shrink` are about: a scenario file, or the seed of one.

use std::path::{Path, PathBuf};

use gcrucible_platform::seeded_bugs::Bug;

use super::complain;
use crate::subjects;
use gcrucible_campaign::process::WorkerSetup;
use gcrucible_campaign::trial::Trials;
use gcrucible_explore::StrategyName;
use gcrucible_scenario::{Origin, ScenarioSeed};
use gcrucible_subject::{Case, Mix};
use gcrucible_trace::Refusal;

/// Milliseconds after which a single scenario hangs.
pub(super) const TIMEOUT_MS: u64 = 10_000;

/// Resident bytes that a single scenario may use.
pub(super) const MEMORY_BYTES: u64 = 4 << 30;

/// Reads a scenario from a file, or generates it from its seed.
pub(super) fn load(
    target: &str,
    strategy: Option<StrategyName>,
    modes: Option<&str>,
) -> Result<Box<dyn Case>, Refusal> {
    let path = Path::new(target);
    if !path.exists() && target.contains(':') {
        let seed: ScenarioSeed = target.parse().map_err(Refusal::usage)?;
        let mix = Mix {
            strategy,
            modes: modes.map(str::to_owned),
        };
        return Ok(subjects().of(seed.lane).generate(seed, &mix));
    }
    if !path.exists() {
        return Err(Refusal::usage(format!(
            "`{target}` does not exist; expected a scenario file, or a seed like heap-ops:7:123"
        )));
    }
    let scenario = subjects().read(path)?;
    note_origin(scenario.origin());
    Ok(scenario)
}

/// Says so when a scenario was made by another build.
fn note_origin(origin: &Origin) {
    let build = subjects().build().clone();
    let differs = |theirs: &str, ours: &str| !theirs.is_empty() && theirs != ours;
    if differs(&origin.version, build.version) || differs(&origin.commit, build.commit) {
        complain(&format!(
            "note: made by crucible {} {}, this is {} {}",
            origin.version, origin.commit, build.version, build.commit
        ));
    }
}

/// Says so when a scenario was found with a bug that is not on now.
pub(super) fn note_bug(origin: &Origin, bug: Option<Bug>) {
    let made_with = origin.bug.as_deref();
    if made_with != bug.map(Bug::id)
        && let Some(id) = made_with
    {
        complain(&format!(
            "note: found with the seeded bug {id} on; --bug {id} turns it on"
        ));
    }
}

/// A worker for single scenarios.
pub(super) fn trials(bug: Option<Bug>) -> Trials {
    let dir = std::env::temp_dir().join(format!("crucible-{}", std::process::id()));
    // Only a place for what a dying worker says; without it the check is less precise.
    let dir = std::fs::create_dir_all(&dir).is_ok().then_some(dir);
    let setup = WorkerSetup {
        program: own_program(),
        plan: None,
        bug: bug.map(|bug| bug.id().to_owned()),
        dir,
        memory_bytes: MEMORY_BYTES,
    };
    Trials::new(setup, "trial", TIMEOUT_MS)
}

/// Ends the worker and removes its files.
pub(super) fn close(trials: Trials) {
    trials.close();
    let dir = std::env::temp_dir().join(format!("crucible-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(dir);
}

/// This executable, also if its file was replaced meanwhile.
pub(super) fn own_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}
