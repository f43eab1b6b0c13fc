//! `crucible zoo`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use gcrucible_platform::seeded_bugs::{self, Bug, BugKind};

use super::{bugs, complain, foreign, patched, say, target, values};
use crate::engine_bugs::is_here;
use crate::subjects;
use gcrucible_campaign::journal::{checksum, write_json};
use gcrucible_campaign::zoo::budget::Budget;
use gcrucible_campaign::zoo::foreign::ForeignPlan;
use gcrucible_campaign::zoo::{self, ADVANTAGES, Case, ZooPlan, quick, table};
use gcrucible_command::terminal::catch_signals;
use gcrucible_scenario::ScenarioSeed;
use gcrucible_subject::Mix;
use gcrucible_trace::{Exit, Refusal, clock};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo crucible zoo                        every bug, 5 seeds, 60 CPU seconds each
  cargo crucible zoo B-03 B-20 --seeds 30
  cargo crucible zoo B-03 --seeds-list 7,1009,4242
  cargo crucible zoo --without all          what is each advantage of the harness worth?
  cargo crucible zoo --quick                what CI runs
  cargo crucible zoo B-36                   a bug that is a patch: minutes to build
  cargo crucible zoo --foreign              bugs of published crates

Bugs that are patches (stress/patches) are built one by one, which takes minutes each, and kept until sources or patch change.

Exit codes: 0 all found, 1 some missed, 4 the unchanged engine fails a scenario.")]
pub(super) struct ZooArgs {
    /// Bugs to look for, by id; all by default. B-04 stands for B-04a, B-04b, ….
    #[arg(value_name = "BUG")]
    bugs: Vec<String>,
    /// Seeds for each bug: 1, 2, …, N.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// These seeds instead, none twice.
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = values::seed, conflicts_with_all = ["seeds", "foreign"])]
    seeds_list: Vec<u64>,
    /// CPU time of one worker (60s), or scenarios of each lane (2000sc), for each seed.
    #[arg(long, default_value = "60s")]
    budget: Budget,
    /// Also run with advantages taken away one at a time: schedule, modes, verifier, model,
    /// oracles (each that is the first to see the bug), or all of these.
    #[arg(long, value_name = "LIST|all", value_parser = without)]
    without: Option<Taken>,
    /// A committed choice of bugs, seeds and budgets, with the same verdict on any machine; no patches.
    #[arg(long, conflicts_with_all = ["bugs", "seeds", "seeds_list", "budget", "without"])]
    quick: bool,
    /// Look for bugs that others have published, in crates in the versions that had them, instead; BUG is a
    /// name of stress/subjects/foreign/foreign.ron. Downloads and builds these crates.
    #[arg(long, conflicts_with_all = ["quick", "without", "jobs"])]
    foreign: bool,
    /// Folder for the results; target/crucible/zoo-<time> by default. It must be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Hunts at a time; one for each core by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// The quick zoo.
const QUICK: &str = include_str!("../../zoo-quick.txt");

/// Advantages to be taken away.
#[derive(Clone, Debug)]
struct Taken(Vec<&'static str>);

fn without(text: &str) -> Result<Taken, String> {
    if text == "all" {
        return Ok(Taken(ADVANTAGES.to_vec()));
    }
    let names = text.split(',').map(|name| {
        let known = ADVANTAGES.iter().find(|known| **known == name.trim());
        known
            .copied()
            .ok_or_else(|| format!("expected all, or a list of {}", ADVANTAGES.join(", ")))
    });
    Ok(Taken(names.collect::<Result<_, _>>()?))
}

pub(super) fn zoo(args: &ZooArgs) -> Result<Exit, Refusal> {
    if seeded_bugs::COMPILED_IN {
        return Err(Refusal::usage(
            "this executable has the switches compiled in; expected the plain one, which builds \
             the other itself",
        ));
    }
    if args.foreign {
        let dir = folder(args, "zoo-foreign");
        prepare(&dir)?;
        let plan = ForeignPlan {
            seeds: args.seeds,
            budget: args.budget,
            dir,
        };
        return foreign::zoo(&args.bugs, &plan);
    }
    let cases = if args.quick {
        quick::cases(QUICK)
    } else {
        cases(args)?
    };
    let dir = folder(args, "zoo");
    prepare(&dir)?;
    let plan = ZooPlan {
        seeded_programs: seeded_programs(&cases)?,
        cases,
        without: args
            .without
            .as_ref()
            .map(|taken| taken.0.clone())
            .unwrap_or_default(),
        jobs: args.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        ),
        dir,
        plain_program: target::own_program(),
    };
    let outcome = zoo::run(&plan, &mut |line| say(&format!("{line}\n")))?;
    say(&table::footer(&outcome.records));
    for path in &outcome.false_findings {
        complain(&format!(
            "HARNESS BROKEN: the unchanged engine fails {} too",
            path.display()
        ));
    }
    for lost in &outcome.lost_kills {
        complain(lost);
    }
    let path = plan.dir.join("zoo.json");
    write_json(&path, &outcome.records)
        .map_err(|error| Refusal::broken(format!("cannot write {}: {error}", path.display())))?;
    say(&format!("results in {}\n", plan.dir.display()));
    Ok(outcome.exit())
}

/// Builds the executable with each bug: one has all switches, each patch is one of its own.
fn seeded_programs(cases: &[Case]) -> Result<BTreeMap<String, PathBuf>, Refusal> {
    let stop = catch_signals()?;
    let mut programs = BTreeMap::new();
    let mut switches = None;
    for case in cases {
        let bug = values::bug(&case.bug).map_err(Refusal::broken)?;
        let program = match (bug.kind(), &switches) {
            (BugKind::Patch, _) => patched::executable(bug, &stop)?,
            (_, Some(program)) => PathBuf::clone(program),
            (_, None) => {
                complain("building the engine with the seeded bugs");
                switches.insert(bugs::build(&stop)?).clone()
            }
        };
        programs.insert(case.bug.clone(), program);
    }
    // From here on a signal ends this process at once, and its hunts with it.
    stop.store(true, Ordering::Relaxed);
    Ok(programs)
}

/// Where the results go.
fn folder(args: &ZooArgs, kind: &str) -> PathBuf {
    let stamp = clock::stamp(clock::since_epoch().0);
    let default = || PathBuf::from("target/crucible").join(format!("{kind}-{stamp}"));
    args.out.clone().unwrap_or_else(default)
}

fn cases(args: &ZooArgs) -> Result<Vec<Case>, Refusal> {
    let mut bugs: Vec<Bug> = Vec::new();
    for name in &args.bugs {
        let named = Bug::named(name);
        if named.is_empty() {
            return Err(Refusal::usage(format!(
                "`{name}` is no seeded bug; expected an id such as B-03 (`crucible list bugs`)"
            )));
        }
        bugs.extend(named);
    }
    if args.bugs.is_empty() {
        bugs = Bug::ALL.to_vec();
    }
    bugs.sort_unstable();
    bugs.dedup();
    if let Some(bug) = bugs.iter().find(|bug| bug.kind() == BugKind::Threads)
        && !args.bugs.is_empty()
    {
        return Err(Refusal::usage(format!(
            "{} shows only with real threads; expected a bug of the simulation",
            bug.id()
        )));
    }
    bugs.retain(|bug| bug.kind() != BugKind::Threads);
    let seeds = seeds(args)?;
    let case = |bug: Bug| Case {
        bug: bug.id().to_owned(),
        seeds: seeds.clone(),
        budget: args.budget,
        oracle: None,
    };
    Ok(bugs.into_iter().map(case).collect())
}

/// The seeds of each hunt.
fn seeds(args: &ZooArgs) -> Result<Vec<u64>, Refusal> {
    if args.seeds_list.is_empty() {
        return Ok((1..=args.seeds).collect());
    }
    let mut seen = std::collections::BTreeSet::new();
    match args.seeds_list.iter().find(|&seed| !seen.insert(seed)) {
        Some(seed) => Err(Refusal::usage(format!("--seeds-list names {seed} twice"))),
        None => Ok(args.seeds_list.clone()),
    }
}

fn prepare(dir: &std::path::Path) -> Result<(), Refusal> {
    let unusable = |error: std::io::Error| {
        Refusal::usage(format!(
            "cannot write to {}: {error}; expected a folder that is new or empty (--out DIR)",
            dir.display()
        ))
    };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    if std::fs::read_dir(dir).map_err(unusable)?.next().is_some() {
        return Err(Refusal::usage(format!(
            "{} is not empty; expected a new folder",
            dir.display()
        )));
    }
    Ok(())
}

/// Scenarios of each lane that a stream's hash covers.
const STREAM_LENGTH: u64 = 1000;

#[derive(Debug, Args)]
pub(super) struct StreamHashArgs {
    #[arg(long, value_parser = values::seed)]
    seed: u64,
    #[arg(long, value_parser = values::bug)]
    bug: Option<Bug>,
}

/// Prints a hash over the texts of the first scenarios of each lane.
pub(super) fn stream_hash(args: &StreamHashArgs) -> Result<Exit, Refusal> {
    if args.bug.is_some_and(|bug| !is_here(bug)) {
        return Err(Refusal::usage(
            "this executable has not the switch of the bug",
        ));
    }
    seeded_bugs::activate(args.bug);
    let hash = hash_of_streams(args.seed, STREAM_LENGTH);
    say(&format!("{hash:016x}\n"));
    Ok(Exit::Clean)
}

fn hash_of_streams(seed: u64, length: u64) -> u64 {
    let seeds = subjects()
        .lanes()
        .into_iter()
        .flat_map(|lane| (0..length).map(move |index| ScenarioSeed { lane, seed, index }));
    seeds.fold(0, |hash: u64, seed| {
        let text = subjects()
            .of(seed.lane)
            .generate(seed, &Mix::default())
            .to_text();
        hash.rotate_left(5) ^ checksum(text.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_scenarios_does_not_depend_on_the_bug_that_is_on() {
        let plain = hash_of_streams(1, 100);
        // Without the switches all bugs are alike; the zoo compares the streams of each hunt.
        let count = if seeded_bugs::COMPILED_IN {
            Bug::ALL.len()
        } else {
            1
        };
        for &bug in &Bug::ALL[..count] {
            seeded_bugs::activate(Some(bug));
            assert_eq!(hash_of_streams(1, 100), plain, "{}", bug.id());
        }
        seeded_bugs::activate(None);
        assert_ne!(hash_of_streams(2, 100), plain);
    }

    #[test]
    fn the_quick_zoo_names_most_bugs_of_the_catalogue() {
        let cases = quick::cases(QUICK);
        assert!(cases.len() * 2 > Bug::ALL.len());
        for case in cases {
            assert!(case.seeds.len() == 1 && case.oracle.is_some());
            let [bug] = Bug::named(&case.bug)[..] else {
                panic!("{} is no bug", case.bug)
            };
            assert_eq!(bug.kind(), BugKind::Simulation);
        }
    }
}
