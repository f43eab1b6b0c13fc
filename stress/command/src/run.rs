//! `run`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use gcrucible_campaign::duration::duration_ms;
use gcrucible_campaign::plan::{Limit, Plan};
use gcrucible_campaign::session::{Outcome, Session, SessionOptions, default_plan};
use gcrucible_campaign::worker::die_with_parent;
use gcrucible_explore::StrategyName;
use gcrucible_scenario::{Lane, parse_seed};
use gcrucible_subject::Subjects;
use gcrucible_trace::{Exit, Refusal};

use super::target;
use super::terminal::{catch_signals, complain, default_folder, fresh_seed, say};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// How long: 500ms, 60s, 10m. 10s if no other limit is given.
    #[arg(long, value_parser = duration_ms, conflicts_with_all = ["scenarios", "cpu_time"])]
    time: Option<u64>,
    /// CPU time of the workers instead.
    #[arg(long, value_parser = duration_ms, conflicts_with = "scenarios")]
    cpu_time: Option<u64>,
    /// So many scenarios of each subject instead.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    scenarios: Option<u64>,
    /// Seed of the campaign, below 2^53; another one in each run by default.
    #[arg(long, value_parser = parse_seed)]
    seed: Option<u64>,
    /// Only this subject; may be given several times. All by default.
    #[arg(long = "lane", value_parser = Lane::parse)]
    lanes: Vec<Lane>,
    /// Only this strategy.
    #[arg(long, value_parser = strategy)]
    strategy: Option<StrategyName>,
    /// Worker processes; one for each core by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Folder for the results, new or empty; target/crucible/<time> by default.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Time after which a scenario hangs; a tenth of it on the CPU.
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, default_value = "10s")]
    watchdog: u64,
    /// End at the first finding.
    #[arg(long)]
    first_finding: bool,
    /// Leave findings as large as they are.
    #[arg(long)]
    no_shrink: bool,
    /// Print summary.json instead of the text.
    #[arg(long)]
    json: bool,
    /// Process id of who started it; it ends when its parent is another.
    #[arg(long, hide = true)]
    parent: Option<i32>,
}

fn strategy(text: &str) -> Result<StrategyName, String> {
    let mut all = StrategyName::ALL.into_iter();
    all.find(|strategy| strategy.name() == text).ok_or_else(|| {
        let names = StrategyName::ALL.map(StrategyName::name);
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn run(args: &RunArgs, subjects: Subjects) -> Result<Exit, Refusal> {
    if let Some(parent) = args.parent {
        die_with_parent(parent)?;
    }
    let plan = plan(args, subjects);
    let dir = args.out.clone().unwrap_or_else(default_folder);
    let session = Session::create(&dir, plan.clone())?;
    let stop = catch_signals()?;
    let defaults = SessionOptions::default();
    let options = SessionOptions {
        jobs: args.jobs.map_or(defaults.jobs, usize::from),
        program: target::own_program(),
        is_silent: args.first_finding || args.json,
        shrinks: !args.no_shrink,
        watchdog_ms: args.watchdog,
        ..defaults
    };
    if !options.is_silent {
        complain(&format!(
            "seed {}  {} jobs  results in {}",
            plan.seed,
            options.jobs,
            dir.display()
        ));
    }
    let outcome = session.run(&options, subjects, &stop)?;
    if args.json {
        let json = serde_json::to_string_pretty(&outcome.summary)
            .map_err(|error| Refusal::broken(format!("the summary cannot be written: {error}")))?;
        say(&format!("{json}\n"));
    } else {
        say(&render(&plan, &outcome, &dir));
    }
    Ok(outcome.exit())
}

fn plan(args: &RunArgs, subjects: Subjects) -> Plan {
    let limit = match (args.scenarios, args.cpu_time, args.time) {
        (Some(count), ..) => Limit::Scenarios(count),
        (None, Some(ms), _) => Limit::CpuMs(ms),
        (None, None, time) => Limit::TimeMs(time.unwrap_or(10_000)),
    };
    let mut plan = default_plan(args.seed.unwrap_or_else(fresh_seed), limit, &subjects);
    // Whoever has an executable of their own wants all that is in it.
    let chosen = |lane: &Lane| args.lanes.is_empty() || args.lanes.contains(lane);
    plan.lanes = Lane::known().iter().copied().filter(chosen).collect();
    plan.strategy = args.strategy;
    plan.first_finding = args.first_finding;
    plan
}

/// The end of a campaign as text: what ran, what was found, how to go on.
fn render(plan: &Plan, outcome: &Outcome, dir: &Path) -> String {
    let mut out = String::new();
    for lane in &plan.lanes {
        let Some(lane) = outcome
            .summary
            .lanes
            .get(lane.name())
            .zip(Some(lane.name()))
        else {
            continue;
        };
        let (done, name) = lane;
        let _ = writeln!(
            out,
            "{name}: {} scenarios, {} operations, {} decisions, {} findings, {} scenarios a CPU second",
            done.counters.scenarios,
            done.counters.operations,
            done.counters.decisions,
            done.findings,
            done.scenarios_per_s
        );
    }
    for (id, finding) in &outcome.totals.findings {
        let failure = &finding.failure;
        let _ = writeln!(
            out,
            "\nFINDING {id}: {} / {} at {}\n  {}\n  first at {}, {} scenarios in all",
            failure.oracle,
            failure.check,
            failure.site,
            failure.message,
            finding.scenario_seed(plan.seed),
            finding.count
        );
        let Some(filed) = outcome.filed.get(id) else {
            continue;
        };
        if let (Some(before), Some(after)) = (&filed.before, &filed.after) {
            let _ = writeln!(out, "  shrunk from {before}\n           to {after}");
        }
        let report = dir.join("findings").join(format!("{id}.txt"));
        if let Ok(report) = std::fs::read_to_string(report) {
            let _ = writeln!(out, "\n{}", report.trim_end());
        }
        let _ = writeln!(
            out,
            "\nreplay it: {} replay {}",
            target::own_command(),
            filed.shrunk.display()
        );
    }
    for vacuous in &outcome.vacuous {
        let _ = writeln!(
            out,
            "VACUOUS {}: {}: {}",
            vacuous.lane, vacuous.counter, vacuous.why
        );
    }
    for bad in &outcome.bad_canaries {
        let (lane, why) = (bad.lane, &bad.why);
        let _ = writeln!(out, "HARNESS BROKEN: the canary of {lane} {why}");
    }
    let _ = writeln!(out, "\nresults in {}", dir.display());
    out
}
