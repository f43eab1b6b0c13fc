//! `crucible shrink`.

use std::path::{Path, PathBuf};

use clap::Args;
use gcrucible_platform::seeded_bugs::Bug;

use super::{bugs, complain, say, target, values};
use crate::subjects;
use gcrucible_campaign::journal::write_whole;
use gcrucible_campaign::trial::TrialOptions;
use gcrucible_report::failure_report;
use gcrucible_shrink::ShrinkBudget;
use gcrucible_trace::{Advantages, Exit, Refusal, ReplayMode};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo crucible shrink my.scenario              writes my.shrunk.scenario
  cargo crucible shrink heap-ops:7:123 --out small.scenario

Exit codes: 0 shrunk, and the result fails the same check; 6 the input does not fail.")]
pub(super) struct ShrinkArgs {
    /// A scenario file, or the seed of one: lane:seed:index.
    #[arg(value_name = "FILE|SEED")]
    target: String,
    /// Where to write the result.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Turn a seeded bug on; builds the engine with its switch, or with its patch, first.
    #[arg(long, value_name = "ID", value_parser = values::bug)]
    bug: Option<Bug>,
    /// Give up after so long.
    #[arg(long, value_name = "DURATION", value_parser = values::duration_ms)]
    time: Option<u64>,
}

pub(super) fn shrink(args: &ShrinkArgs) -> Result<Exit, Refusal> {
    bugs::continue_with(args.bug)?;
    let mut scenario = target::load(&args.target, None, None)?;
    target::note_bug(scenario.origin(), args.bug);
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| shrunk_path(&args.target));
    let mut trials = target::trials(args.bug);
    let expected = scenario.origin().failure.clone();
    let mut run = |scenario: &str, record: bool, replay: ReplayMode| {
        let options = TrialOptions::of_shrinker(expected.as_ref(), record, replay, Advantages::ALL);
        trials.run(scenario, &options)
    };
    let origin = scenario.origin_mut();
    subjects().build().stamp(origin);
    origin.bug = args.bug.map(|bug| bug.id().to_owned());
    let budget = ShrinkBudget {
        ms: args.time.unwrap_or(ShrinkBudget::THOROUGH.ms),
        ..ShrinkBudget::THOROUGH
    };
    let shrunk = scenario.shrink(expected.as_ref(), &mut run, budget);
    target::close(trials);
    let Some(shrunk) = shrunk? else {
        complain(match expected {
            Some(_) => "the scenario does not fail the check that it was kept for",
            None => "the scenario does not fail",
        });
        return Ok(Exit::Diverged);
    };
    write_whole(&out, shrunk.case.to_text().as_bytes()).map_err(|error| {
        Refusal::usage(format!(
            "cannot write {}: {error}; expected --out FILE",
            out.display()
        ))
    })?;
    say(&failure_report::render(&*shrunk.case, &shrunk.verdict));
    let (before, after) = (shrunk.before, shrunk.after);
    say(&format!("shrunk from {before}\n         to {after}\n"));
    let cut = if shrunk.is_cut_short {
        ", cut short by the budget"
    } else {
        ""
    };
    say(&format!(
        "{} steps kept of {} runs{cut}\n",
        shrunk.steps, shrunk.runs
    ));
    let bug = args
        .bug
        .map(|bug| format!(" --bug {}", bug.id()))
        .unwrap_or_default();
    say(&format!("cargo crucible replay {}{bug}\n", out.display()));
    Ok(Exit::Clean)
}

/// `x.scenario` becomes `x.shrunk.scenario`; a seed becomes a file in this folder.
fn shrunk_path(target: &str) -> PathBuf {
    let path = Path::new(target);
    if !path.exists() {
        return PathBuf::from(format!("{}.shrunk.scenario", target.replace(':', "-")));
    }
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let stem = name
        .trim_end_matches(".scenario")
        .trim_end_matches(".shrunk");
    path.with_file_name(format!("{stem}.shrunk.scenario"))
}
