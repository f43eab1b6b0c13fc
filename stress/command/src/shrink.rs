//! `shrink`.

use std::path::PathBuf;

use clap::Args;
use gcrucible_campaign::journal::write_whole;
use gcrucible_campaign::trial::TrialOptions;
use gcrucible_report::failure_report;
use gcrucible_shrink::ShrinkBudget;
use gcrucible_subject::Subjects;
use gcrucible_trace::{Advantages, Exit, Refusal, ReplayMode};

use super::target;
use super::terminal::{complain, say};

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// A scenario file, or the seed of one: subject:seed:index.
    #[arg(value_name = "FILE|SEED")]
    target: String,
    /// Where to write the result; by default beside the scenario.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn shrink(args: &ShrinkArgs, subjects: Subjects) -> Result<Exit, Refusal> {
    let mut scenario = target::load(&args.target, subjects)?;
    subjects.build().stamp(scenario.origin_mut());
    let wanted = scenario.origin().failure.clone();
    let shrunk = target::with_trials(|trials| {
        let mut run = |text: &str, record: bool, replay: ReplayMode| {
            let options =
                TrialOptions::of_shrinker(wanted.as_ref(), record, replay, Advantages::ALL);
            trials.run(text, &options)
        };
        scenario.shrink(wanted.as_ref(), &mut run, ShrinkBudget::THOROUGH)
    })?;
    let Some(shrunk) = shrunk else {
        complain("the scenario does not fail");
        return Ok(Exit::Diverged);
    };
    let stem = args.target.replace(':', "-");
    let stem = stem
        .trim_end_matches(".scenario")
        .trim_end_matches(".shrunk");
    let default = PathBuf::from(format!("{stem}.shrunk.scenario"));
    let out = args.out.clone().unwrap_or(default);
    write_whole(&out, shrunk.case.to_text().as_bytes())
        .map_err(|error| Refusal::usage(format!("cannot write {}: {error}", out.display())))?;
    say(&failure_report::render(&*shrunk.case, &shrunk.verdict));
    say(&format!(
        "shrunk from {}\n         to {}\nin {}\n",
        shrunk.before,
        shrunk.after,
        out.display()
    ));
    Ok(Exit::Clean)
}
