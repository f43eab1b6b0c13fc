//! `crucible merge`.

use std::path::PathBuf;

use clap::Args;

use crate::subjects;

use super::say;
use gcrucible_campaign::findings::Filed;
use gcrucible_campaign::journal::write_json;
use gcrucible_campaign::plan::Plan;
use gcrucible_campaign::session::{Outcome, Session, judge};
use gcrucible_campaign::shard::Shard;
use gcrucible_campaign::summary::{self, Summary};
use gcrucible_campaign::totals::Totals;
use gcrucible_trace::{Exit, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo crucible run --scenarios 100000 --seed 7 --shard 0/2 --out part-0
  cargo crucible run --scenarios 100000 --seed 7 --shard 1/2 --out part-1
  cargo crucible merge part-0 part-1 --out whole")]
pub(super) struct MergeArgs {
    /// Result folders of the shards.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Folder for the merged summary; it must be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Missing event pairs are vacuous, and lanes with less than 95 % of their feature pairs.
    #[arg(long)]
    require_pairs: bool,
}

pub(super) fn merge(args: &MergeArgs) -> Result<Exit, Refusal> {
    let mut whole: Option<(Plan, Totals)> = None;
    let mut shards: Vec<Shard> = Vec::new();
    let mut filed = std::collections::BTreeMap::new();
    let mut jobs = 0;
    for dir in &args.dirs {
        let (plan, totals) = Session::read(dir)?;
        let summary = read_summary(dir)?;
        jobs += summary.jobs;
        for finding in &summary.findings {
            filed.entry(finding.id.clone()).or_insert(Filed {
                scenario: finding.scenario.clone().into(),
                shrunk: finding.shrunk.clone().into(),
                before: None,
                after: None,
            });
        }
        if shards.contains(&plan.shard) {
            return Err(Refusal::usage(format!(
                "{} is shard {} once more; expected each shard once",
                dir.display(),
                plan.shard
            )));
        }
        shards.push(plan.shard);
        match &mut whole {
            None => whole = Some((plan, totals)),
            Some((first, sum)) => {
                let same = Plan {
                    shard: first.shard,
                    ..plan
                } == *first;
                if !same {
                    return Err(Refusal::usage(format!(
                        "{} is of another campaign than {}; expected shards of one campaign",
                        dir.display(),
                        args.dirs[0].display()
                    )));
                }
                sum.merge(&totals);
            }
        }
    }
    let Some((mut plan, totals)) = whole else {
        return Err(Refusal::usage("expected at least one folder"));
    };
    plan.shard = Shard::WHOLE;
    let vacuous = judge(&plan, &totals, args.require_pairs, subjects());
    let summary = Summary::of(&plan, &totals, &filed, &vacuous, jobs, false, subjects());
    let impossible = summary::impossible_pairs(&plan, &totals, subjects());
    if let Some(out) = &args.out {
        write_merged(out, &summary)?;
    }
    let outcome = Outcome {
        totals,
        filed,
        vacuous,
        bad_canaries: Vec::new(),
        known: Vec::new(),
        known_gone: Vec::new(),
        is_interrupted: false,
        impossible,
        summary,
    };
    say(&summary::render(&plan, &outcome));
    Ok(outcome.exit())
}

fn write_merged(out: &PathBuf, summary: &Summary) -> Result<(), Refusal> {
    let unusable = |error: std::io::Error| {
        Refusal::usage(format!(
            "cannot write to {}: {error}; expected --out DIR",
            out.display()
        ))
    };
    std::fs::create_dir_all(out).map_err(unusable)?;
    if std::fs::read_dir(out).map_err(unusable)?.next().is_some() {
        return Err(Refusal::usage(format!(
            "{} is not empty; expected a new folder",
            out.display()
        )));
    }
    write_json(&out.join("summary.json"), summary).map_err(unusable)
}

fn read_summary(dir: &std::path::Path) -> Result<Summary, Refusal> {
    let path = dir.join("summary.json");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Refusal::usage(format!(
            "cannot read {}: {error}; expected the results of a finished run",
            path.display()
        ))
    })?;
    serde_json::from_str(&text)
        .map_err(|error| Refusal::usage(format!("{} is no summary: {error}", path.display())))
}
