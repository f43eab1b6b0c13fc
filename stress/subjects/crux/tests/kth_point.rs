//! The k-th point on an engine without defects: what it injects, and that nothing minds.

use gcrucible_crux_subjects::executor::{self, Ran};
use gcrucible_crux_subjects::generator::{Mix, generate};
use gcrucible_crux_subjects::lane;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_explore::KthPoint;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::{ScenarioData as _, ScenarioSeed};
use gcrucible_trace::{Injected, RunOptions};

fn run(scenario: &Scenario) -> Ran {
    let options = RunOptions {
        record: true,
        ..RunOptions::default()
    };
    executor::run(scenario, &options)
}

fn at(program: &Scenario, k: u64) -> Scenario {
    Scenario {
        schedule: Schedule::Drawn {
            strategy: StrategyName::KthPoint,
            seed: KthPoint::seed(0, k),
        },
        ..program.clone()
    }
}

/// Spawns a task with a young object that nothing else refers to, and awaits it.
const HANDS_OVER: &str = "
fn task(list) { return list.len() }
fn main() {
  let future = spawn task([1, 2, 3])
  assert(await future == 3)
}
";

#[test]
fn every_sort_of_event_is_injected_and_replayed() {
    let program = Scenario::of_program(HANDS_OVER.to_owned());
    let mut seen = [0; 6];
    let mut outcomes = std::collections::BTreeSet::new();
    let mut pairs = 0;
    for k in 0..300 {
        let report = run(&at(&program, k));
        assert_eq!(report.failure, None, "{k}");
        let injections = report.counters.injections;
        assert!(
            injections == 1 || pairs > 0 || k > 50,
            "{k}: points come first"
        );
        assert!((1..=2).contains(&injections), "{k}");
        pairs += u32::from(injections == 2);
        for decision in &report.decisions {
            let sort = match (decision.collect, decision.inject) {
                (Some(gcrucible_trace::CollectionKind::Minor), _) => 0,
                (Some(gcrucible_trace::CollectionKind::Major), _) => 1,
                (None, Some(Injected::AllocationFailure | Injected::LaterAllocationFailure(_))) => {
                    2
                }
                (None, Some(Injected::CancelCall(_))) => 3,
                (None, Some(Injected::CancelFuture(_))) => 4,
                (None, Some(Injected::DropCall(_))) => 5,
                (None, Some(_)) => {
                    panic!("{k}: only the aimed strategy does that")
                }
                (None, None) => continue,
            };
            seen[sort] += 1;
        }
        outcomes.insert(report.counters.futures_cancelled);
        let recorded = Scenario {
            schedule: Schedule::Recorded(report.decisions.clone()),
            ..program.clone()
        };
        let text = recorded.to_text();
        let again = run(&Scenario::from_text(&text).expect("what was written can be read"));
        assert_eq!(again.diverged, None, "{k}");
        assert_eq!(again.trace_hash, report.trace_hash, "{k}");
    }
    assert!(seen.iter().all(|&count| count > 5), "{seen:?}");
    assert_eq!(
        outcomes.len(),
        2,
        "some cancel the future in time, some do not"
    );
}

#[test]
fn generated_programs_hold_at_every_point() {
    let mix = Mix {
        strategy: Some(StrategyName::KthPoint),
        modes: None,
    };
    for lane in [lane::PROGRAMS, lane::HEAP_OPS] {
        let mut injections = 0;
        for index in 0..192 {
            let seed = ScenarioSeed {
                lane,
                seed: 3,
                index,
            };
            let report = run(&generate(seed, &mix));
            assert_eq!(report.failure, None, "{seed}");
            injections += report.counters.injections;
        }
        assert_eq!(injections > 150, lane == lane::PROGRAMS, "{injections}");
    }
}
