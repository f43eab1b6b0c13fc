//! `crucible import-fuzz`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::say;
use crate::subjects;
use gcrucible_campaign::journal::write_whole;
use gcrucible_crux_subjects::generator::fuzzed::FuzzTarget;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_scenario::ScenarioData as _;
use gcrucible_trace::{Exit, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo crucible import-fuzz heap-ops fuzz/artifacts/heap_ops/crash-0123 --out crash.scenario")]
pub(super) struct ImportFuzzArgs {
    /// The fuzz target that crashed.
    #[arg(value_enum)]
    target: Target,
    /// The fuzzer's crash file.
    artifact: PathBuf,
    /// Where to write the scenario; beside the artifact by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Fuzz targets whose input is a scenario's choices, or its text.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    #[value(alias = "heap_ops")]
    HeapOps,
    #[value(alias = "program_race")]
    ProgramRace,
    #[value(alias = "cancel_race")]
    CancelRace,
    #[value(alias = "serve_fork")]
    ServeFork,
    #[value(alias = "reload_race")]
    ReloadRace,
    Bytecode,
    #[value(alias = "source_text")]
    SourceText,
    #[value(alias = "scenario_text")]
    ScenarioText,
}

pub(super) fn import_fuzz(args: &ImportFuzzArgs) -> Result<Exit, Refusal> {
    let bytes = std::fs::read(&args.artifact).map_err(|error| {
        Refusal::usage(format!(
            "cannot read the artifact {}: {error}",
            args.artifact.display()
        ))
    })?;
    let mut scenario = match args.target {
        Target::HeapOps => FuzzTarget::HeapOps.scenario(&bytes),
        Target::ProgramRace => FuzzTarget::ProgramRace.scenario(&bytes),
        Target::CancelRace => FuzzTarget::CancelRace.scenario(&bytes),
        Target::ServeFork => FuzzTarget::ServeFork.scenario(&bytes),
        Target::ReloadRace => FuzzTarget::ReloadRace.scenario(&bytes),
        Target::Bytecode => FuzzTarget::Bytecode.scenario(&bytes),
        Target::SourceText => FuzzTarget::SourceText.scenario(&bytes),
        Target::ScenarioText => {
            let text = String::from_utf8_lossy(&bytes);
            Scenario::from_text(&text)
                .map_err(|error| Refusal::usage(format!("{}:{error}", args.artifact.display())))?
        }
    };
    subjects().build().stamp(&mut scenario.origin);
    let out = args.out.clone().unwrap_or_else(|| {
        let mut name = args.artifact.file_name().unwrap_or_default().to_owned();
        name.push(".scenario");
        args.artifact.with_file_name(name)
    });
    write_whole(&out, scenario.to_text().as_bytes()).map_err(|error| {
        Refusal::usage(format!(
            "cannot write {}: {error}; expected --out FILE",
            out.display()
        ))
    })?;
    say(&format!("cargo crucible replay {}\n", out.display()));
    Ok(Exit::Clean)
}
