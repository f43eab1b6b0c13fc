//! A heap as a subject of the harness.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use gcrucible_explore::Schedule;
use gcrucible_quarantine::{Fault, watch};
use gcrucible_scenario::{Lane, Plain, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Expectation, Mix, OracleInfo, Subject};
use gcrucible_trace::choices::SeededChoices;
use gcrucible_trace::{Failure, Refusal, RunOptions, RunReport, Verdict};

use super::caps::Caps;
use super::generator::generate;
use super::program::Program;
use super::subject::HeapSubject;
use super::{reductions, run};

/// A scenario of a heap. Nobody chooses who goes on, so its schedule says nothing.
pub type HeapScenario = Plain<Program>;

/// A heap as a subject: one lane.
#[derive(Debug)]
pub struct HeapLane<H> {
    lane: Lane,
    heap: PhantomData<fn() -> H>,
}

impl<H: HeapSubject> HeapLane<H> {
    /// The lane of the heap, at this place of the order of all lanes ([`Lane::EXTRA`] and above).
    pub const fn new(order: u16) -> Self {
        HeapLane {
            lane: Lane::new(order, H::NAME),
            heap: PhantomData,
        }
    }

    /// A scenario of a program.
    pub fn scenario(&self, program: Program) -> HeapScenario {
        let schedule = Schedule::Recorded(Vec::new());
        Plain::new(H::NAME, Default::default(), schedule, program)
    }
}

/// A run of this process left a heap behind: from then on each has a thread of its own, since some
/// heaps are their thread's.
static SPOILT: AtomicBool = AtomicBool::new(false);

/// Runs a program as often as the heap asks for, or until it fails.
pub(crate) fn run_apart<H: HeapSubject>(program: &Program, options: &RunOptions) -> RunReport {
    let mut report = run_once::<H>(program, options);
    for _ in 1..H::RUNS {
        if report.failure.is_some() {
            break;
        }
        report = run_once::<H>(program, options);
    }
    report
}

/// Runs a program where no other run has left anything.
fn run_once<H: HeapSubject>(program: &Program, options: &RunOptions) -> RunReport {
    let watched = || watch(|| run::run::<H>(program, options));
    let ((mut report, mut is_spoilt), fault) = if SPOILT.load(Ordering::Relaxed) {
        std::thread::scope(|scope| {
            let run = scope.spawn(watched);
            run.join().expect("a run catches the panics of its heap")
        })
    } else {
        watched()
    };
    if let Some(fault) = fault {
        is_spoilt = true;
        report.failure.get_or_insert_with(|| memory_fault(fault));
    }
    if is_spoilt {
        SPOILT.store(true, Ordering::Relaxed);
    }
    report
}

fn memory_fault(fault: Fault) -> Failure {
    let check = match fault {
        Fault::DoubleFree { .. } => "double_free",
        Fault::LateWrite { .. } => "late_write",
    };
    Failure {
        oracle: "memory_is_sound".into(),
        check: check.into(),
        site: "run".into(),
        message: fault.to_string(),
    }
}

impl<H: HeapSubject> Subject for HeapLane<H> {
    type Scenario = HeapScenario;

    fn lane(&self) -> Lane {
        self.lane
    }

    fn generate(&self, seed: ScenarioSeed, _mix: &Mix) -> HeapScenario {
        let program = generate(&mut SeededChoices::new(seed.stream()), H::CAPS, None);
        let mut scenario = self.scenario(program);
        scenario.origin = seed.into();
        scenario
    }

    fn empty(&self) -> HeapScenario {
        self.scenario(Program::default())
    }

    fn run(&self, scenario: &HeapScenario, options: &RunOptions) -> RunReport {
        run_apart::<H>(&scenario.body, options)
    }

    fn size(&self, scenario: &HeapScenario, verdict: &Verdict) -> Size {
        Size::of_run(scenario.body.size(), verdict)
    }

    fn listing(&self, scenario: &HeapScenario) -> String {
        scenario.body.listing()
    }

    fn reduce(&self, search: &mut Search<'_, '_, HeapScenario>) -> Result<(), Refusal> {
        reductions::reduce(search)
    }

    fn has_schedule(&self, _scenario: &HeapScenario) -> bool {
        false
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        const ALL: &[Expectation] = &[
            ("operations", |counters| counters.operations, 1.0),
            ("drops", |counters| counters.drops, 0.5),
            ("verifications", |counters| counters.verifications, 0.5),
        ];
        const WEAK: &[Expectation] = &[("weak_cleared", |counters| counters.weak_cleared, 0.001)];
        const FINALIZERS: &[Expectation] = &[(
            "finalizers_queued",
            |counters| counters.finalizers_queued,
            0.1,
        )];
        const FAILURES: &[Expectation] = &[("faults", |counters| counters.faults, 0.001)];
        let by_capability = [
            (Caps::NONE, ALL),
            (Caps::WEAK, WEAK),
            (Caps::FINALIZERS, FINALIZERS),
            (Caps::FAILURES, FAILURES),
        ];
        let claimed = by_capability
            .into_iter()
            .filter(|(needs, _)| H::CAPS.has(*needs));
        claimed.map(|(_, expected)| expected).collect()
    }

    fn oracles(&self) -> &'static [OracleInfo] {
        &ORACLES
    }
}

const ORACLES: [OracleInfo; 9] = [
    OracleInfo {
        name: "memory_is_sound",
        claim: "nothing is freed twice or written to after its free, as far as the quarantine sees",
    },
    OracleInfo {
        name: "the_heap_verifies",
        claim: "the heap's own checker, if it has one, finds nothing",
    },
    OracleInfo {
        name: "nodes_drop_once",
        claim: "no node drops twice",
    },
    OracleInfo {
        name: "reachable_nodes_live",
        claim: "what can be reached is not dropped, and nobody is shown what was",
    },
    OracleInfo {
        name: "fields_hold_what_was_stored",
        claim: "a field holds the node that was stored last, and roots are of the node they were made of",
    },
    OracleInfo {
        name: "weak_references_tell_the_truth",
        claim: "a weak reference is upgraded while its node is reachable, and never once it was dropped",
    },
    OracleInfo {
        name: "garbage_is_collected",
        claim: "a full collection drops what cannot be reached, where the heap promises that",
    },
    OracleInfo {
        name: "strangers_are_refused",
        claim: "a heap takes no root of another heap for its own",
    },
    OracleInfo {
        name: "heap_keeps_its_contract",
        claim: "a root is the same as itself, and memory runs out only when asked to",
    },
];
