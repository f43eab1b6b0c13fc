//! The lane of cancellation and its aimed schedules on an engine without defects.

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::generator::{Mix, generate};
use gcrucible_crux_subjects::lane;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::{ScenarioData as _, ScenarioSeed};
use gcrucible_trace::{Counters, RunOptions, RunReport};

fn scenario(index: u64) -> Scenario {
    let seed = ScenarioSeed {
        lane: lane::CANCELLATION,
        seed: 3,
        index,
    };
    generate(seed, &Mix::default())
}

fn run(scenario: &Scenario, canary: bool) -> RunReport {
    let options = RunOptions {
        record: true,
        canary,
        ..RunOptions::default()
    };
    executor::run(scenario, &options).report
}

#[test]
fn cancellations_meet_tasks_wherever_they_are() {
    let mut counters = Counters::default();
    for index in 0..300 {
        let report = run(&scenario(index), false);
        assert_eq!(report.failure, None, "{index}");
        counters += &report.counters;
    }
    assert_eq!(counters.invalid, 0);
    for (what, count) in [
        ("unstarted", counters.cancelled_unstarted),
        ("running", counters.cancelled_running),
        ("awaiting", counters.cancelled_awaiting),
        ("waiting", counters.cancelled_waiting),
        ("in host", counters.cancelled_in_host),
        ("late", counters.cancelled_late),
        ("drops", counters.drops),
        ("deadlines", counters.deadlines),
        ("interrupts", counters.interrupts),
        ("injections", counters.injections),
    ] {
        assert!(count > 0, "{what}");
    }
}

#[test]
fn the_recorded_schedule_holds_what_was_injected() {
    let aimed = (0..200).map(scenario).filter(|scenario| {
        let strategy = match scenario.schedule {
            Schedule::Drawn { strategy, .. } => Some(strategy),
            Schedule::Recorded(_) => None,
        };
        strategy == Some(StrategyName::Aimed)
    });
    let mut injected = 0;
    for scenario in aimed {
        let report = run(&scenario, false);
        let held = report
            .decisions
            .iter()
            .filter(|decision| decision.inject.is_some());
        assert_eq!(held.count() as u64, report.counters.injections);
        injected += report.counters.injections;
        let recorded = Scenario {
            schedule: Schedule::Recorded(report.decisions),
            ..scenario
        };
        let text = recorded.to_text();
        let again = run(
            &Scenario::from_text(&text).expect("what was written can be read"),
            false,
        );
        assert_eq!(again.diverged, None);
        assert_eq!(again.trace_hash, report.trace_hash);
    }
    assert!(injected > 50, "{injected}");
}

#[test]
fn a_cancellation_that_looks_like_success_is_noticed() {
    let failing = (0..20).filter_map(|index| run(&scenario(index), true).failure);
    let oracles: Vec<String> = failing.map(|failure| failure.oracle).collect();
    assert!(!oracles.is_empty());
}
