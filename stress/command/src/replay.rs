//! `replay`.

use clap::Args;
use gcrucible_campaign::trial::TrialOptions;
use gcrucible_report::failure_report;
use gcrucible_shrink::is_same_check;
use gcrucible_subject::Subjects;
use gcrucible_trace::{Exit, Refusal};

use super::target;
use super::terminal::{complain, say};

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A scenario file, or the seed of one: subject:seed:index.
    #[arg(value_name = "FILE|SEED")]
    target: String,
    /// Run it so often; all runs must be the same.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

pub(super) fn replay(args: &ReplayArgs, subjects: Subjects) -> Result<Exit, Refusal> {
    let scenario = target::load(&args.target, subjects)?;
    let text = scenario.to_text();
    let verdicts: Result<Vec<_>, Refusal> = target::with_trials(|trials| {
        let run = |_| trials.run(&text, &TrialOptions::STRICT);
        (0..args.times).map(run).collect()
    });
    let verdicts = verdicts?;
    let verdict = &verdicts[0];
    say(&failure_report::render(&*scenario, verdict));
    let is_same = |other: &gcrucible_trace::Verdict| {
        (&other.failure, other.trace_hash) == (&verdict.failure, verdict.trace_hash)
    };
    if !verdicts.iter().all(is_same) {
        complain("two runs of the same scenario differ");
        return Ok(Exit::Diverged);
    }
    Ok(match (&verdict.failure, &scenario.origin().failure) {
        _ if verdict.diverged.is_some() => Exit::Diverged,
        (None, _) => Exit::Clean,
        (Some(failure), Some(kept)) if !is_same_check(failure, kept) => Exit::OtherCheck,
        (Some(_), _) => Exit::Finding,
    })
}
