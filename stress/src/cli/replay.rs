//! `crucible replay`.

use std::path::PathBuf;

use clap::Args;
use gcrucible_platform::seeded_bugs::Bug;

use super::{bugs, complain, say, target, values};
use gcrucible_campaign::journal::write_whole;
use gcrucible_campaign::totals::is_same_finding;
use gcrucible_campaign::trial::TrialOptions;
use gcrucible_explore::StrategyName;
use gcrucible_report::{failure_report, perfetto};
use gcrucible_shrink::is_same_check;
use gcrucible_subject::Case;
use gcrucible_trace::{Exit, Refusal, Verdict};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo crucible replay heap-ops:7:123
  cargo crucible replay target/crucible/20260131-120000/findings/dangling-0123456789.shrunk.scenario
  cargo crucible replay my.scenario --trace trace.json     then open it in ui.perfetto.dev
  git bisect run cargo crucible replay my.scenario --bisect

Exit codes: 0 it passes now, 1 the check it was kept for fails, 5 another check fails,
6 it went another way than recorded, or another format made it.")]
pub(super) struct ReplayArgs {
    /// A scenario file, or the seed of one: lane:seed:index.
    #[arg(value_name = "FILE|SEED")]
    target: String,
    /// Run it so often; all runs must be the same.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// For `git bisect run`: what says nothing about this commit is 125.
    #[arg(long)]
    pub(super) bisect: bool,
    /// Write the timeline as a Chrome / Perfetto trace.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Turn a seeded bug on; builds the engine with its switch, or with its patch, first.
    #[arg(long, value_name = "ID", value_parser = values::bug)]
    bug: Option<Bug>,
    /// The --strategy of the campaign that the seed is from.
    #[arg(long, value_parser = values::strategy)]
    strategy: Option<StrategyName>,
    /// The --heap of the campaign that the seed is from.
    #[arg(long, value_name = "MODES", value_parser = values::heap)]
    heap: Option<String>,
    /// Print nothing but the last lines.
    #[arg(long)]
    quiet: bool,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<Exit, Refusal> {
    bugs::continue_with(args.bug)?;
    let scenario = target::load(&args.target, args.strategy, args.heap.as_deref())?;
    target::note_bug(scenario.origin(), args.bug);
    let mut trials = target::trials(args.bug);
    let text = scenario.to_text();
    let options = TrialOptions::STRICT;
    let first = trials.run(&text, &options);
    let result = first.and_then(|first| {
        for _ in 1..args.times {
            let again = trials.run(&text, &options)?;
            if let Some(difference) = difference(&first, &again) {
                return Ok((first, Some(difference)));
            }
        }
        Ok((first, None))
    });
    target::close(trials);
    let (verdict, difference) = result?;
    if let Some(path) = &args.trace {
        write_whole(path, perfetto::render(&verdict.timeline).as_bytes()).map_err(|error| {
            Refusal::usage(format!(
                "cannot write the trace {}: {error}",
                path.display()
            ))
        })?;
    }
    show(args, &*scenario, &verdict);
    if let Some(difference) = difference {
        complain(&format!(
            "two runs of the same scenario differ: {difference}"
        ));
        return Ok(Exit::Diverged);
    }
    Ok(judge(&*scenario, &verdict))
}

fn show(args: &ReplayArgs, scenario: &dyn Case, verdict: &Verdict) {
    let report = failure_report::render(scenario, verdict);
    if args.quiet {
        let from = report
            .rfind("\nFAILED")
            .or_else(|| report.rfind("\npassed"))
            .unwrap_or(0);
        say(report[from..].trim_start());
    } else {
        say(&report);
    }
    let expected = scenario.origin().failure.as_ref();
    match (&verdict.failure, expected) {
        (Some(failure), Some(expected)) if !is_same_check(failure, expected) => say(&format!(
            "it was kept for another failure: {} / {} at {}\n",
            expected.oracle, expected.check, expected.site
        )),
        (Some(failure), Some(expected)) if !is_same_finding(failure, expected) => {
            say(&format!(
                "the same check failed elsewhere before: at {}\n",
                expected.site
            ));
        }
        _ => {}
    }
    if verdict.failure.is_some() {
        let bug = args
            .bug
            .map(|bug| format!(" --bug {}", bug.id()))
            .unwrap_or_default();
        say(&format!(
            "shrink it: cargo crucible shrink {}{bug}\n",
            args.target
        ));
    }
}

/// In what two runs of one scenario differ.
fn difference(one: &Verdict, other: &Verdict) -> Option<String> {
    if one.failure != other.failure {
        let name = |verdict: &Verdict| {
            verdict.failure.as_ref().map_or("passes".to_owned(), |f| {
                format!(
                    "fails {} / {} at {}: {}",
                    f.oracle, f.check, f.site, f.message
                )
            })
        };
        return Some(format!("one {}, the other {}", name(one), name(other)));
    }
    if one.trace_hash != other.trace_hash {
        let line = one
            .timeline
            .iter()
            .zip(&other.timeline)
            .position(|(a, b)| a != b);
        let place = line.map_or(String::new(), |at| format!(", first at line {}", at + 1));
        return Some(format!(
            "trace hashes {:016x} and {:016x}{place}",
            one.trace_hash, other.trace_hash
        ));
    }
    None
}

fn judge(scenario: &dyn Case, verdict: &Verdict) -> Exit {
    if verdict.diverged.is_some() {
        return Exit::Diverged;
    }
    match (&verdict.failure, &scenario.origin().failure) {
        (None, _) => Exit::Clean,
        (Some(failure), Some(expected)) if !is_same_check(failure, expected) => Exit::OtherCheck,
        (Some(_), _) => Exit::Finding,
    }
}
