//! Bytecode that no front end would write: the verifier refuses it, or it runs like any
//! other, and the reference model agrees.

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::executor::programs::compile;
use gcrucible_crux_subjects::generator::fuzzed::FuzzTarget;
use gcrucible_crux_subjects::scenario::{Body, Scenario};
use gcrucible_scenario::ScenarioData as _;
use gcrucible_trace::RunOptions;
use gcrucible_trace::choices::{Choices as _, SeededChoices};

/// Programs with edits.
const PROGRAMS: u64 = 400;

fn input(seed: u64) -> Vec<u8> {
    let mut choices = SeededChoices::new(seed);
    let len = 60 + choices.below(500);
    (0..len).map(|_| choices.below(256) as u8).collect()
}

/// Whether the edits leave another program.
fn is_changed(scenario: &Scenario) -> bool {
    let Body::Programs(edited) = &scenario.body else {
        return false;
    };
    let mut plain = edited.clone();
    plain.edits.clear();
    compile(edited) != compile(&plain)
}

#[test]
fn edited_bytecode_is_refused_or_harmless() {
    let options = RunOptions {
        decisions_max: 2_000,
        ..RunOptions::default()
    };
    let (mut refused, mut changed) = (0, 0);
    for seed in 0..PROGRAMS {
        let scenario = FuzzTarget::Bytecode.scenario(&input(seed));
        let report = executor::run(&scenario, &options);
        assert_eq!(report.failure, None, "{seed}\n{}", scenario.to_text());
        assert_eq!(report.counters.invalid, 0, "{seed}");
        refused += report.counters.refused;
        changed += u64::from(report.counters.refused == 0 && is_changed(&scenario));
    }
    assert!(refused > PROGRAMS / 10, "{refused} refused");
    assert!(changed > PROGRAMS / 10, "{changed} accepted");
}
