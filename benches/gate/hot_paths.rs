//! What the gate counts.

use gcrucible_crux_subjects::lane;
use gcrucible_explore::StrategyName;
use gcrucible_heap::CollectionKind;

use crate::workloads::allocation::Allocation;
use crate::workloads::collection::Collection;
use crate::workloads::decision::Decisions;
use crate::workloads::interpreter::{Interpreter, LOOP};
use crate::workloads::scenarios;

/// A hot path: what runs again and again in a program or a campaign.
#[derive(Debug)]
pub struct HotPath {
    /// Its name in the baseline.
    pub name: &'static str,
    /// A short and a long number of rounds, of which the difference is counted.
    pub rounds: [u32; 2],
    /// Sets up, and runs that many rounds.
    pub run: fn(u32),
}

/// The hot paths.
pub const HOT_PATHS: &[HotPath] = &[
    HotPath {
        name: "allocation of 1000 instances",
        rounds: [200, 1200],
        run: allocate,
    },
    HotPath {
        name: "minor collection of 1000 survivors",
        rounds: [10, 110],
        run: collect,
    },
    HotPath {
        name: "interpreter loop of 30000 rounds",
        rounds: [2, 12],
        run: interpret,
    },
    HotPath {
        name: "1000 decisions by random walk",
        rounds: [10, 510],
        run: decide,
    },
    // A round is a scenario: generated, run and judged. Scenarios are as large as they are drawn, so
    // that there must be many for a mean that says something.
    HotPath {
        name: "scenario of heap-ops",
        rounds: [20, 420],
        run: |rounds| scenarios::run(lane::HEAP_OPS, u64::from(rounds)),
    },
    HotPath {
        name: "scenario of programs",
        rounds: [10, 90],
        run: |rounds| scenarios::run(lane::PROGRAMS, u64::from(rounds)),
    },
    HotPath {
        name: "scenario of cancellation",
        rounds: [10, 60],
        run: |rounds| scenarios::run(lane::CANCELLATION, u64::from(rounds)),
    },
    HotPath {
        name: "scenario of reload",
        rounds: [10, 60],
        run: |rounds| scenarios::run(lane::RELOAD, u64::from(rounds)),
    },
    HotPath {
        name: "scenario of serve",
        rounds: [10, 60],
        run: |rounds| scenarios::run(lane::SERVE, u64::from(rounds)),
    },
];

fn allocate(rounds: u32) {
    let heap = Allocation::default();
    for _ in 0..rounds {
        heap.instances(1000);
    }
}

fn collect(rounds: u32) {
    let heap = Collection::with_live(1000);
    for _ in 0..rounds {
        heap.collect(CollectionKind::Minor);
    }
}

fn interpret(rounds: u32) {
    let machine = Interpreter::new(LOOP);
    for _ in 0..rounds {
        machine.main();
    }
}

fn decide(rounds: u32) {
    let mut decisions = Decisions::new(StrategyName::Random);
    for _ in 0..rounds {
        decisions.take(1000);
    }
}
