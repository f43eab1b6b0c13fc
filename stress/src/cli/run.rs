//! `crucible run`.

use std::path::{Path, PathBuf};

use clap::Args;
use gcrucible_platform::seeded_bugs::{self, Bug};

use super::values::{self, Preemptions, RunStrategy};
use super::{bugs, complain, explore, say, target};
use crate::subjects;
use gcrucible_campaign::findings::read_known;
use gcrucible_campaign::journal::write_whole;
use gcrucible_campaign::plan::{Limit, Plan};
use gcrucible_campaign::session::{Outcome, Session, SessionOptions, default_plan};
use gcrucible_campaign::shard::Shard;
use gcrucible_campaign::worker::die_with_parent;
use gcrucible_campaign::{junit, summary};
use gcrucible_command::terminal::{self, catch_signals, default_folder};
use gcrucible_crux_subjects::exploration::Bound;
use gcrucible_crux_subjects::lane;
use gcrucible_crux_subjects::scenario::{Body, ModuleSource, Scenario};
use gcrucible_explore::StrategyName;
use gcrucible_scenario::{Lane, ScenarioData as _};
use gcrucible_trace::{Advantages, Exit, Refusal};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo crucible run                                 60 seconds on all cores
  cargo crucible run --scenarios 20000 --seed 7      the same scenarios every time
  cargo crucible run --time 10m --lane heap-ops --heap zombie,collect=safepoint
  cargo crucible run --program mine.crux --time 30s  does my program hold?
  cargo crucible run --program mine.crux --strategy exhaustive --preemptions 1
  cargo crucible run --strategy exhaustive one.scenario     under all schedules of it
  cargo crucible run --resume target/crucible/20260131-120000

Lanes: heap-ops, programs, cancellation, reload, serve. A scenario's seed is lane:seed:index.")]
pub(super) struct RunArgs {
    /// How long: 500ms, 60s, 10m. 60s if neither this nor --scenarios is given.
    #[arg(long, value_parser = values::duration_ms, conflicts_with_all = ["scenarios", "resume"])]
    time: Option<u64>,
    /// So many scenarios of each lane.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          conflicts_with = "resume")]
    scenarios: Option<u64>,
    /// Seed of the campaign, below 2^53; another one in each run by default.
    #[arg(long, value_parser = values::seed)]
    seed: Option<u64>,
    /// Only this lane; may be given several times.
    #[arg(long, value_parser = values::lane)]
    lane: Vec<Lane>,
    /// A scenario file, with --strategy exhaustive.
    #[arg(value_name = "FILE", conflicts_with_all = ["program", "lane", "resume"])]
    file: Option<PathBuf>,
    /// Only this strategy, one of `crucible list strategies`. Or exhaustive: all schedules of one
    /// program or scenario; 3 is the exit code if time or --scenarios did not do for all.
    #[arg(long, value_parser = values::run_strategy)]
    strategy: Option<RunStrategy>,
    /// With --strategy exhaustive: switches away from a task that could have gone on, at most,
    /// in one schedule; `any` for no bound.
    #[arg(long, value_name = "N", value_parser = values::preemptions)]
    preemptions: Option<Preemptions>,
    /// Only these heap modes, such as zombie,scribble,collect=alloc:3,verify=full.
    #[arg(long, value_name = "MODES", value_parser = values::heap)]
    heap: Option<String>,
    /// Worker processes; one for each core by default.
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Only scenarios whose index is k modulo n.
    #[arg(long, value_name = "k/n")]
    shard: Option<Shard>,
    /// Folder for the results; target/crucible/<time> by default. It must be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the campaign in this folder (or in that of --out).
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
    /// Write the results as JUnit XML too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print summary.json instead of the text.
    #[arg(long)]
    json: bool,
    /// Missing event pairs are vacuous, and lanes with less than 95 % of their feature pairs.
    #[arg(long)]
    require_pairs: bool,
    /// Folder of scenarios whose failures are known: they are reported, but not fatal.
    #[arg(long, value_name = "DIR")]
    known: Option<PathBuf>,
    /// Run this program instead of generated ones, under all strategies and heap modes.
    #[arg(long, value_name = "FILE.crux")]
    program: Option<PathBuf>,
    /// What the host does with the program; without it, it calls `main` and waits.
    #[arg(long, value_name = "FILE.scenario", requires = "program")]
    host: Option<PathBuf>,
    /// Turn a seeded bug on; builds the engine with its switch, or with its patch, first.
    #[arg(long, value_name = "ID", value_parser = values::bug)]
    bug: Option<Bug>,
    /// Seconds after which a scenario hangs.
    #[arg(long, value_name = "DURATION", value_parser = values::duration_ms, default_value = "10s")]
    watchdog: u64,
    /// End at the first finding.
    #[arg(long, conflicts_with = "resume")]
    first_finding: bool,
    /// CPU time of the workers instead of wall-clock time.
    #[arg(long, hide = true, value_parser = values::duration_ms,
          conflicts_with_all = ["time", "scenarios", "resume"])]
    cpu_time: Option<u64>,
    /// Leave findings as large as they are.
    #[arg(long)]
    no_shrink: bool,
    /// Process id of the zoo; the campaign ends when its parent is another.
    #[arg(long, hide = true)]
    parent: Option<i32>,
    /// Take advantages of the harness away: schedule, modes, verifier, model, and one oracle by its name.
    #[arg(long, value_name = "LIST", value_parser = without, conflicts_with = "resume")]
    without: Option<Advantages>,
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs) if (1..=1024).contains(&jobs) => Ok(jobs),
        _ => Err("expected a number of worker processes from 1 to 1024".into()),
    }
}

/// Reads a list of advantages to be taken away.
pub(super) fn without(text: &str) -> Result<Advantages, String> {
    let mut left = Advantages::ALL;
    for name in text.split(',') {
        match name.trim() {
            "schedule" => left.controlled_schedule = false,
            "modes" => left.heap_modes = false,
            "verifier" => left.verifier = false,
            "model" => left.model = false,
            name => match (values::oracle(name), left.silenced) {
                (Ok(name), None) => left.silenced = Some(name),
                (Ok(_), Some(_)) => return Err("expected one oracle at most".into()),
                (Err(error), _) => {
                    return Err(format!(
                        "expected schedule, modes, verifier, model, {error}"
                    ));
                }
            },
        }
    }
    Ok(left)
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Refusal> {
    if let Some(parent) = args.parent {
        die_with_parent(parent)?;
    }
    if args.strategy == Some(RunStrategy::Exhaustive) {
        return exhaustive(args);
    }
    let misplaced = match (&args.file, args.preemptions) {
        (Some(_), _) => Some("a scenario FILE"),
        (None, Some(_)) => Some("--preemptions"),
        (None, None) => None,
    };
    if let Some(what) = misplaced {
        return Err(Refusal::usage(format!(
            "{what} goes with --strategy exhaustive; `crucible replay FILE` runs a scenario once"
        )));
    }
    let session = prepare(args)?;
    // Signals from here on; before, Ctrl-C simply ends the process.
    let stop = catch_signals()?;
    let options = SessionOptions {
        jobs: args.jobs.unwrap_or(SessionOptions::default().jobs),
        program: target::own_program(),
        is_silent: args.first_finding,
        require_pairs: args.require_pairs,
        known: match &args.known {
            Some(dir) => read_known(dir, subjects())?,
            None => Vec::new(),
        },
        watchdog_ms: args.watchdog,
        shrinks: !args.no_shrink,
        ..SessionOptions::default()
    };
    let plan = session.plan().clone();
    let dir = session.dir().to_owned();
    if !options.is_silent {
        announce(&plan, &dir, options.jobs);
    }
    let outcome = session.run(&options, subjects(), &stop)?;
    report(args, &plan, &dir, &outcome)?;
    Ok(outcome.exit())
}

/// All schedules of one scenario, in this process.
fn exhaustive(args: &RunArgs) -> Result<Exit, Refusal> {
    let misplaced = [
        ("--lane", !args.lane.is_empty()),
        ("--shard", args.shard.is_some()),
        ("--resume", args.resume.is_some()),
        ("--junit", args.junit.is_some()),
        ("--known", args.known.is_some()),
        ("--jobs", args.jobs.is_some()),
    ];
    if let Some((flag, _)) = misplaced.iter().find(|(_, is_given)| *is_given) {
        return Err(Refusal::usage(format!(
            "{flag} does not go with --strategy exhaustive, which runs one scenario in one process"
        )));
    }
    let mut scenario = match (&args.program, &args.file) {
        (Some(path), _) => program(path, args.host.as_deref())?,
        (None, Some(path)) => Scenario::read(path)?,
        (None, None) => {
            return Err(Refusal::usage(
                "--strategy exhaustive needs one scenario; expected --program FILE.crux or a \
                 scenario FILE",
            ));
        }
    };
    if let Some(heap) = &args.heap {
        scenario.debug = heap
            .parse()
            .map_err(|error: gcrucible_heap::HeapDebugError| Refusal::usage(error.to_string()))?;
    }
    bugs::continue_with(args.bug)?;
    seeded_bugs::activate(args.bug);
    let preemptions = args.preemptions.map(|Preemptions(bound)| bound);
    let order = explore::Order {
        scenario,
        bound: Bound {
            preemptions: preemptions.unwrap_or(Some(Bound::PREEMPTIONS)),
            runs_max: args.scenarios.unwrap_or(u64::MAX),
            advantages: args.without.unwrap_or(Advantages::ALL),
            ..Bound::default()
        },
        time_ms: match args.scenarios {
            Some(_) => u64::MAX,
            None => args.cpu_time.or(args.time).unwrap_or(60_000),
        },
        dir: args.out.clone().unwrap_or_else(default_folder),
        json: args.json,
        first_finding: args.first_finding,
        bug: args.bug.map(|bug| bug.id().to_owned()),
    };
    let stop = catch_signals()?;
    explore::announce(&order);
    explore::explore(&order, &stop)
}

fn announce(plan: &Plan, dir: &Path, jobs: usize) {
    let lanes: Vec<&str> = plan.lanes.iter().map(|lane| lane.name()).collect();
    complain(&format!(
        "seed {}  lanes {}  {jobs} jobs  results in {}",
        plan.seed,
        lanes.join(" "),
        dir.display()
    ));
}

fn report(args: &RunArgs, plan: &Plan, dir: &Path, outcome: &Outcome) -> Result<(), Refusal> {
    let text = summary::render(plan, outcome);
    if let Some(path) = &args.junit {
        let xml = junit::render(plan, outcome).map_err(Refusal::broken)?;
        write_whole(path, xml.as_bytes()).map_err(|error| {
            Refusal::broken(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if args.json {
        let json = serde_json::to_string_pretty(&outcome.summary)
            .map_err(|error| Refusal::broken(format!("the summary cannot be written: {error}")))?;
        say(&format!("{json}\n"));
    } else {
        say(&text);
        say(&format!("results in {}\n", dir.display()));
    }
    Ok(())
}

/// The campaign to run: a new one, or one to continue.
fn prepare(args: &RunArgs) -> Result<Session, Refusal> {
    check_writable(args.junit.as_deref())?;
    if let Some(dir) = &args.resume {
        let Some(dir) = dir.as_ref().or(args.out.as_ref()) else {
            return Err(Refusal::usage(
                "--resume needs a folder; expected --resume DIR",
            ));
        };
        if dir.join("plan.json").exists() {
            let plan = Plan::read(&dir.join("plan.json"))?;
            let bug = plan
                .bug
                .as_deref()
                .map(values::bug)
                .transpose()
                .map_err(Refusal::usage)?;
            bugs::continue_with(bug)?;
        }
        return match Session::resume(dir, subjects().build())? {
            Some(session) => check_same(args, session),
            None => Err(Refusal::usage(format!(
                "there is no campaign in {}; expected the --out folder of an earlier run",
                dir.display()
            ))),
        };
    }
    let plan = plan(args)?;
    bugs::continue_with(args.bug)?;
    let dir = args.out.clone().unwrap_or_else(default_folder);
    Session::create(&dir, plan)
}

/// A resumed campaign keeps its plan; what the command line says must not differ.
fn check_same(args: &RunArgs, session: Session) -> Result<Session, Refusal> {
    let plan = session.plan();
    let heap = args.heap.clone();
    let differs = [
        ("--seed", args.seed.is_some_and(|seed| seed != plan.seed)),
        (
            "--lane",
            !args.lane.is_empty() && sorted(&args.lane) != plan.lanes,
        ),
        (
            "--strategy",
            args.strategy.is_some() && drawn(args) != plan.strategy,
        ),
        ("--heap", heap.is_some() && heap != plan.heap),
        (
            "--shard",
            args.shard.is_some_and(|shard| shard != plan.shard),
        ),
        (
            "--bug",
            args.bug
                .is_some_and(|bug| Some(bug.id()) != plan.bug.as_deref()),
        ),
        ("--program", args.program.is_some()),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((flag, _)) => Err(Refusal::usage(format!(
            "{flag} differs from the plan of the campaign in {}; a resumed campaign keeps its plan",
            session.dir().display()
        ))),
        None => Ok(session),
    }
}

/// The strategy that a campaign is held to.
fn drawn(args: &RunArgs) -> Option<StrategyName> {
    match args.strategy {
        Some(RunStrategy::Drawn(strategy)) => Some(strategy),
        Some(RunStrategy::Exhaustive) | None => None,
    }
}

fn plan(args: &RunArgs) -> Result<Plan, Refusal> {
    let limit = match (args.scenarios, args.cpu_time, args.time) {
        (Some(count), ..) => Limit::Scenarios(count),
        (None, Some(ms), _) => Limit::CpuMs(ms),
        (None, None, time) => Limit::TimeMs(time.unwrap_or(60_000)),
    };
    let mut plan = default_plan(
        args.seed.unwrap_or_else(terminal::fresh_seed),
        limit,
        &subjects(),
    );
    if !args.lane.is_empty() {
        plan.lanes = sorted(&args.lane);
    }
    plan.shard = args.shard.unwrap_or(Shard::WHOLE);
    plan.strategy = drawn(args);
    plan.heap = args.heap.clone();
    plan.bug = args.bug.map(|bug| bug.id().to_owned());
    plan.first_finding = args.first_finding;
    plan.advantages = args.without.unwrap_or(Advantages::ALL);
    if args.bug.is_some() {
        // The executable that has the switches will run it.
        plan.build = plan.build.trim_end_matches("+seeded-bugs").to_owned() + "+seeded-bugs";
    }
    if let Some(path) = &args.program {
        if !args.lane.is_empty() && args.lane != [lane::PROGRAMS] {
            return Err(Refusal::usage(
                "--program runs in the lane programs; expected no other",
            ));
        }
        plan.lanes = vec![lane::PROGRAMS];
        plan.program = Some(program(path, args.host.as_deref())?.to_text());
    }
    Ok(plan)
}

/// Refuses a program that does not compile, or that has no `main` for the host to call.
fn check_program(path: &Path, text: &str, has_host_script: bool) -> Result<(), Refusal> {
    let source = gcrucible_frontend::Source {
        path: path.display().to_string(),
        text: text.to_owned(),
    };
    let program = gcrucible_frontend::compile(&source).map_err(|errors| {
        let errors = errors.render(&source, false);
        Refusal::usage(format!("{} does not compile\n{errors}", path.display()))
    })?;
    if !has_host_script && program.entry_export("main").is_none() {
        return Err(Refusal::usage(format!(
            "{} has no function `main`; expected `fn main() {{ … }}`, or --host with what to call",
            path.display()
        )));
    }
    Ok(())
}

/// A scenario of a person's own program.
fn program(path: &Path, host: Option<&Path>) -> Result<Scenario, Refusal> {
    let source = std::fs::read_to_string(path).map_err(|error| {
        Refusal::usage(format!(
            "cannot read the program {}: {error}",
            path.display()
        ))
    })?;
    check_program(path, &source, host.is_some())?;
    if let Some(host) = host {
        let mut scenario = Scenario::read(host)?;
        return match &mut scenario.body {
            Body::Programs(programs) => {
                programs.entry = ModuleSource::Text(source);
                Ok(scenario)
            }
            Body::HeapOps(_) => Err(Refusal::usage(format!(
                "{} holds heap operations; expected a scenario with a host script",
                host.display()
            ))),
        };
    }
    Ok(Scenario::of_program(source))
}

/// In the order of all lanes, each once.
fn sorted(lanes: &[Lane]) -> Vec<Lane> {
    let known = Lane::known().iter().copied();
    known.filter(|lane| lanes.contains(lane)).collect()
}

/// A file that cannot be written must show before the campaign, not after it.
fn check_writable(path: Option<&Path>) -> Result<(), Refusal> {
    let Some(path) = path else { return Ok(()) };
    let existed = path.exists();
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    if !existed && opened.is_ok() {
        let _ = std::fs::remove_file(path);
    }
    opened.map(|_| ()).map_err(|error| {
        Refusal::usage(format!(
            "cannot write {}: {error}; expected a writable file",
            path.display()
        ))
    })
}
