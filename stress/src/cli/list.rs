//! `crucible list`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use gcrucible_heap::HeapDebug;
use gcrucible_platform::seeded_bugs::{Bug, BugKind};

use super::{say, values};
use gcrucible_crux_subjects::lane::CURATED_MODES;
use gcrucible_explore::StrategyName;

use crate::subjects;
use gcrucible_scenario::Lane;
use gcrucible_trace::{EventKind, Exit, Refusal, infeasible};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo crucible list
  cargo crucible list bugs")]
pub(super) struct ListArgs {
    /// Only this list.
    #[arg(value_enum)]
    what: Option<What>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Lanes,
    Strategies,
    HeapModes,
    Oracles,
    Invariants,
    Events,
    Features,
    Bugs,
}

/// The invariants that a failure may name, in the numbering of the engine's requirements.
const INVARIANTS: &[(&str, &str)] = &[
    ("I-1", "verified bytecode cannot break memory safety"),
    ("I-2", "races lose updates, never memory safety"),
    (
        "I-3",
        "deep copy and deep equality cover every kind, cycles and sharing",
    ),
    (
        "I-4",
        "forwarding a holder's roots invalidates its allocation buffer",
    ),
    (
        "I-5",
        "no raw reference is held across a possible collection",
    ),
    (
        "I-6",
        "every old-to-young reference is found through the cards",
    ),
    ("I-7", "every root is enumerated and forwarded"),
    ("I-8", "each protect is undone exactly once"),
    (
        "I-9",
        "unwinding restores frames, stacks, scopes, and runs finally blocks",
    ),
    ("I-10", "globals are frozen after initialisation"),
    ("I-11", "a future leaves pending exactly once"),
    ("I-12", "completing wakes every waiter exactly once"),
    (
        "I-13",
        "the registry is the root of unfinished futures only",
    ),
    ("I-14", "the count of active futures is zero at rest"),
    ("I-15", "an absent id below the next one is resolved"),
    (
        "I-16",
        "a call cancelled before it starts fails so; cancelling twice is harmless",
    ),
    (
        "I-17",
        "a call id is taken until the call has ended, and belongs to that call",
    ),
    ("I-18", "of a dropped call nothing remains at rest"),
    ("I-19", "a cancelled client has no side effects any more"),
    (
        "I-20",
        "a version is freed when nothing runs on it or refers to it",
    ),
    ("I-21", "the entry slot protects what is in it exactly once"),
    (
        "I-22",
        "after any number of reloads the protected counts are what they were",
    ),
    (
        "I-23",
        "a fork shares nothing that can change, and keeps identity",
    ),
    ("I-24", "a stream is refused wherever a fork would reach it"),
    (
        "I-25",
        "requests are named, limited and answered, also while versions change",
    ),
    ("I-26", "who survived two minor collections is old"),
];

/// Writes one section of the list.
type Section = fn(&mut String);

pub(super) fn list(args: &ListArgs) -> Result<Exit, Refusal> {
    let mut out = String::new();
    let all: [(What, Section); 8] = [
        (What::Lanes, lanes),
        (What::Strategies, strategies),
        (What::HeapModes, heap_modes),
        (What::Oracles, oracles),
        (What::Invariants, invariants),
        (What::Events, events),
        (What::Features, features),
        (What::Bugs, seeded),
    ];
    for (what, write) in all {
        if args.what.is_none_or(|wanted| wanted == what) {
            write(&mut out);
        }
    }
    say(&out);
    Ok(Exit::Clean)
}

fn lanes(out: &mut String) {
    let _ = writeln!(out, "lanes");
    for lane in Lane::known() {
        let note = if lane.is_default() {
            ""
        } else {
            "  (only where it is named)"
        };
        let _ = writeln!(out, "  {}{note}", lane.name());
    }
}

fn strategies(out: &mut String) {
    let _ = writeln!(out, "strategies");
    for strategy in StrategyName::ALL {
        let _ = writeln!(out, "  {}", strategy.name());
    }
    let _ = writeln!(
        out,
        "  {}  (all schedules of one program or scenario)",
        values::EXHAUSTIVE
    );
}

fn heap_modes(out: &mut String) {
    let _ = writeln!(out, "heap modes, combined with commas");
    for modes in HeapDebug::SYNTAX.split(" | ") {
        let _ = writeln!(out, "  {}", modes.trim());
    }
    let _ = writeln!(out, "heap modes that `run --program` goes through");
    for modes in CURATED_MODES {
        let _ = writeln!(out, "  {modes}");
    }
}

fn oracles(out: &mut String) {
    let _ = writeln!(out, "oracles");
    let mut seen = Vec::new();
    for subject in subjects().all() {
        for oracle in subject.oracles() {
            if !seen.contains(&oracle.name) {
                seen.push(oracle.name);
                let _ = writeln!(out, "  {:<28} {}", oracle.name, oracle.claim);
            }
        }
    }
}

fn invariants(out: &mut String) {
    let _ = writeln!(out, "invariants");
    for (name, claim) in INVARIANTS {
        let _ = writeln!(out, "  {name:<20} {claim}");
    }
}

fn events(out: &mut String) {
    let _ = writeln!(out, "events that pairs are made of");
    for kind in EventKind::ALL {
        let _ = writeln!(out, "  {}", kind.name());
    }
    let _ = writeln!(out, "infeasible pairs");
    for (first, second, rule) in infeasible() {
        let _ = writeln!(out, "  {} → {}  ({rule})", first.name(), second.name());
    }
}

fn features(out: &mut String) {
    for subject in subjects().all() {
        let table = subject.features();
        if table.names.is_empty() {
            continue;
        }
        let (lane, names) = (subject.lane(), table.names.join(" "));
        let _ = writeln!(out, "features of {lane} that pairs are made of");
        let _ = writeln!(out, "  {names}");
        for (rule, one, _) in table.rules {
            let named = one.iter().map(|feature| table.names[feature]);
            let named: Vec<_> = named.collect();
            let _ = writeln!(out, "  infeasible: {}  ({rule})", named.join(" "));
        }
    }
}

fn seeded(out: &mut String) {
    let _ = writeln!(out, "seeded bugs");
    for bug in Bug::ALL {
        let place = match bug.kind() {
            BugKind::Simulation => "simulation",
            BugKind::Patch => "patch",
            BugKind::Threads => "threads",
        };
        let _ = writeln!(
            out,
            "  {:<7} {:<11} {:<6} {}",
            bug.id(),
            place,
            bug.breaks(),
            bug.what()
        );
    }
}
