//! What `replay` and `shrink` are about: a scenario file, or the seed of one.

use std::path::{Path, PathBuf};

use gcrucible_campaign::process::WorkerSetup;
use gcrucible_campaign::trial::Trials;
use gcrucible_scenario::ScenarioSeed;
use gcrucible_subject::{Case, Mix, Subjects};
use gcrucible_trace::Refusal;

/// Milliseconds after which a single scenario hangs.
const TIMEOUT_MS: u64 = 10_000;

/// Resident bytes that a single scenario may use.
const MEMORY_BYTES: u64 = 2 << 30;

/// Reads a scenario from a file, or generates it from its seed.
pub(super) fn load(target: &str, subjects: Subjects) -> Result<Box<dyn Case>, Refusal> {
    let path = Path::new(target);
    if path.exists() {
        return subjects.read(path);
    }
    if target.contains(':') {
        let seed: ScenarioSeed = target.parse().map_err(Refusal::usage)?;
        return Ok(subjects.of(seed.lane).generate(seed, &Mix::default()));
    }
    Err(Refusal::usage(format!(
        "`{target}` does not exist; expected a scenario file, or a seed: subject:seed:index"
    )))
}

/// Lends a worker for single scenarios, and removes its files afterwards.
pub(super) fn with_trials<T>(take: impl FnOnce(&mut Trials) -> T) -> T {
    let dir = std::env::temp_dir().join(format!("gcrucible-{}", std::process::id()));
    // Only a place for what a dying worker says; without it the check is less precise.
    let kept = std::fs::create_dir_all(&dir).is_ok().then(|| dir.clone());
    let setup = WorkerSetup {
        program: own_program(),
        plan: None,
        bug: None,
        dir: kept,
        memory_bytes: MEMORY_BYTES,
    };
    let mut trials = Trials::new(setup, "trial", TIMEOUT_MS);
    let taken = take(&mut trials);
    trials.close();
    let _ = std::fs::remove_dir_all(dir);
    taken
}

/// This executable, also if its file was replaced meanwhile.
pub(super) fn own_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}

/// How people start this executable: by cargo, if it is one of cargo's tests.
pub(super) fn own_command() -> String {
    let program = own_program();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let is_test = program.parent().is_some_and(|dir| dir.ends_with("deps"));
    match name.rsplit_once('-') {
        Some((test, _hash)) if is_test => format!("cargo test --test {test} --"),
        _ => name.into_owned(),
    }
}
