//! What a person sees of a run.

use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_crux_subjects::{SUBJECTS, executor};
use gcrucible_report::{failure_report, timeline};
use gcrucible_scenario::ScenarioData as _;
use gcrucible_snapshots::{expect, inputs};
use gcrucible_trace::{RunOptions, Verdict};

fn scenario(name: &str) -> Scenario {
    let found = inputs("scenarios", "scenario")
        .into_iter()
        .find(|(known, _)| known == name);
    let (_, text) = found.unwrap_or_else(|| panic!("scenarios/{name}.scenario is missing"));
    Scenario::from_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn run(scenario: &Scenario, canary: bool) -> Verdict {
    let options = RunOptions {
        record: true,
        canary,
        ..RunOptions::default()
    };
    let report = executor::run(scenario, &options);
    assert_eq!(report.counters.invalid, 0, "{:?}", report.timeline);
    report.report.into()
}

/// The report without the hash of the trace, which every change of the engine changes.
fn report(scenario: &Scenario, verdict: &Verdict) -> String {
    let case = SUBJECTS[0].parse(&scenario.to_text());
    let case = case.expect("it was just written");
    let text = failure_report::render(&*case, verdict);
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("trace hash "))
        .map(|line| format!("{line}\n"));
    lines.collect()
}

#[test]
fn a_timeline_shows_tasks_side_by_side() {
    let verdict = run(&scenario("cancelled_family"), false);
    assert_eq!(verdict.failure, None);
    expect("timeline", &timeline::render(&verdict.timeline));
}

#[test]
fn a_program_that_does_not_hold_is_reported() {
    let scenario = scenario("lost_update");
    let verdict = run(&scenario, false);
    assert!(verdict.failure.is_some());
    expect("failure_of_a_program", &report(&scenario, &verdict));
}

#[test]
fn a_falsified_observation_is_reported() {
    let family = scenario("cancelled_family");
    expect(
        "failure_of_the_canary",
        &report(&family, &run(&family, true)),
    );
    let heap = scenario("heap_ops");
    expect("failure_of_heap_ops", &report(&heap, &run(&heap, true)));
}

#[test]
fn a_run_that_passes_says_so() {
    let heap = scenario("heap_ops");
    expect("passed", &report(&heap, &run(&heap, false)));
}

#[test]
fn scenarios_are_written_like_this() {
    for (name, _) in inputs("scenarios", "scenario") {
        expect(&format!("scenario_{name}"), &scenario(&name).to_text());
    }
}

#[test]
fn bad_scenarios_are_refused_like_this() {
    let text = scenario("heap_ops").to_text();
    let half = &text[..text.len() / 2];
    let broken = [
        ("cut off", half.to_owned()),
        ("unknown field", text.replacen("registers:", "registrs:", 1)),
        (
            "bad value",
            text.replacen("block_bytes: 2048", "block_bytes: 1000", 1),
        ),
        (
            "unknown operation",
            text.replacen("Collect(Minor)", "Collect(Medium)", 1),
        ),
        ("newer", text.replacen("format: 1", "format: 7", 1)),
    ];
    let mut said = String::new();
    for (what, broken) in broken {
        assert_ne!(broken, text, "{what}");
        let error = Scenario::from_text(&broken).expect_err(what);
        said.push_str(&format!("{what}\n  {error}\n"));
    }
    expect("bad_scenarios", &said);
}
