//! What `run --program` promises: a program that holds passes under every strategy and heap
//! mode; one that does not is found, made small, and fails the same way when replayed.

use std::path::Path;

use gcrucible_crux_subjects::SUBJECTS;
use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::lane::{CURATED_MODES, size_of};
use gcrucible_crux_subjects::scenario::{Body, HostEvent, Scenario};
use gcrucible_crux_subjects::shrink::shrink;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_heap::CollectMode;
use gcrucible_scenario::ScenarioData as _;
use gcrucible_shrink::{ShrinkBudget, Shrunk};
use gcrucible_subject::{Mix, Variant};
use gcrucible_trace::{Failure, ReplayMode, RunOptions, Verdict};

/// Strategies times heap modes.
const VARIANTS: u64 = 6 * CURATED_MODES.len() as u64;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../examples")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The scenarios that a campaign runs a program in.
fn variants(text: &str, count: u64) -> impl Iterator<Item = Scenario> {
    let program = Scenario::of_program(text.to_owned()).to_text();
    let program = SUBJECTS[0].parse(&program).expect("it was just written");
    (0..count).map(move |index| {
        let mix = Mix::default();
        let variant = program.variant(Variant {
            index,
            seed: 1,
            mix: &mix,
        });
        Scenario::from_text(&variant.to_text()).expect("it was just written")
    })
}

/// Runs a scenario as a campaign does, which keeps decisions and timeline of what it looks
/// at again.
fn run(scenario: &Scenario, record: bool, replay: ReplayMode) -> Verdict {
    let options = RunOptions {
        record,
        replay,
        ..RunOptions::default()
    };
    let report = executor::run(scenario, &options);
    assert_eq!(report.counters.invalid, 0, "{:?}", report.timeline);
    report.report.into()
}

fn failures(text: &str, count: u64) -> Vec<(Scenario, Failure)> {
    let failing = variants(text, count).filter_map(|scenario| {
        let failure = run(&scenario, false, ReplayMode::Strict).failure?;
        Some((scenario, failure))
    });
    failing.collect()
}

fn shrunk(scenario: &Scenario) -> Shrunk<Scenario> {
    let budget = ShrinkBudget {
        runs: 20_000,
        ms: 60_000,
    };
    let mut run = |scenario: &Scenario, record, replay| Ok(run(scenario, record, replay));
    shrink(scenario, None, &mut run, budget)
        .unwrap_or_else(|refusal| panic!("{}", refusal.message))
        .expect("it fails")
}

#[test]
fn the_examples_hold_under_every_strategy_and_heap_mode() {
    for name in ["job_queue.crux", "shared_cache.crux", "tree_builder.crux"] {
        let text = example(name);
        let mut moved = 0;
        for (index, scenario) in variants(&text, VARIANTS).enumerate() {
            let verdict = run(&scenario, false, ReplayMode::Strict);
            assert_eq!(verdict.failure, None, "{name}, scenario {index}");
            moved += verdict.counters.objects_moved;
        }
        assert!(moved > 1000, "{name}: {moved} objects moved");
    }
}

#[test]
fn a_lost_update_is_found_shrunk_and_replayed() {
    let found = failures(&example("job_queue_lost_update.crux"), 4 * VARIANTS);
    let is_under_modes =
        |found: &&(Scenario, Failure)| found.0.debug.collect != CollectMode::Natural;
    let found = found.iter().find(is_under_modes);
    let (scenario, failure) = found.expect("some schedule loses an update");
    assert_eq!(
        (&*failure.oracle, &*failure.check),
        ("program_holds", "AssertionFailed")
    );
    assert!(
        failure.site.starts_with("check_counts, line "),
        "{}",
        failure.site
    );

    let before = size_of(scenario, &run(scenario, true, ReplayMode::Strict));
    let small = shrunk(scenario);
    let after = size_of(&small.scenario, &small.verdict);
    assert!(
        after.switches < before.switches.min(100) && after.collections == 0,
        "{before} to {after}"
    );
    assert_eq!(
        small.scenario.debug.to_string(),
        "natural",
        "no heap mode is needed"
    );

    let again = run(&small.scenario, true, ReplayMode::Strict);
    assert_eq!(again.failure.as_ref(), small.verdict.failure.as_ref());
    assert_eq!(again.trace_hash, small.verdict.trace_hash);
    let told = again
        .timeline
        .iter()
        .any(|(_, line)| line.contains("a job was taken, but not counted"));
    assert!(told, "{:?}", again.timeline);
}

const INCREMENTS: &str = "\
class Counter { value }
fn main() {
  let counter = Counter { value: 0 }
  let one = spawn add(counter)
  let other = spawn add(counter)
  await one
  await other
  assert(counter.value == 2, \"an update was lost\")
}
fn add(counter) { counter.value += 1 }";

#[test]
fn an_increment_is_no_single_step() {
    let in_turn = Scenario {
        schedule: Schedule::Drawn {
            strategy: StrategyName::RoundRobin,
            seed: 0,
        },
        ..Scenario::of_program(INCREMENTS.to_owned())
    };
    assert_eq!(run(&in_turn, false, ReplayMode::Strict).failure, None);

    let found = failures(INCREMENTS, 10 * VARIANTS);
    let small = shrunk(&found.first().expect("some schedule loses an update").0);
    let size = size_of(&small.scenario, &small.verdict);
    // One task stops between its read and its write, which takes a decision of its own.
    assert!(size.switches <= 16 && size.collections == 0, "{size}");
    let Schedule::Recorded(decisions) = &small.scenario.schedule else {
        panic!("the schedule is what makes it fail")
    };
    assert!((1..=12).contains(&decisions.len()), "{decisions:?}");
    let again = shrunk(&small.scenario);
    assert_eq!(
        again.scenario, small.scenario,
        "shrinking again changes nothing"
    );
}

#[test]
fn an_error_in_the_top_level_and_a_wait_without_end_are_findings() {
    let throws = "let x = [1][2]\nfn main() {}";
    let waits = "\
fn main() {
  let box = {}
  box[\"f\"] = spawn wait(box)
  await box[\"f\"]
}
fn wait(box) {
  while !box.has(\"f\") { yield_now() }
  await box[\"f\"]
}";
    let first = |text| {
        failures(text, 1)
            .pop()
            .expect("it fails under every schedule")
            .1
    };
    let failure = first(throws);
    assert_eq!(
        (&*failure.check, &*failure.site),
        ("IndexOutOfBounds", "the top level")
    );
    let failure = first(waits);
    assert_eq!(
        (&*failure.check, &*failure.site),
        ("waits for ever", "main")
    );
}

#[test]
fn a_call_that_the_host_cancels_is_no_finding() {
    let mut scenario = Scenario::of_program("fn main() { sleep(5) }".to_owned());
    if let Body::Programs(programs) = &mut scenario.body {
        programs.host.insert(1, HostEvent::CancelCall { call: 0 });
    }
    let cancelled = (0..20).filter(|&seed| {
        scenario.schedule = Schedule::Drawn {
            strategy: StrategyName::Random,
            seed,
        };
        let verdict = run(&scenario, true, ReplayMode::Strict);
        assert_eq!(verdict.failure, None);
        verdict
            .timeline
            .iter()
            .any(|(_, line)| line == "call 0 ended: cancelled")
    });
    assert!(cancelled.count() > 0);
}

#[test]
fn the_limits_are_not_those_of_generated_programs() {
    let deep = "\
fn main() { assert(down(1000) == 1000, \"the depth\") }
fn down(n) {
  if n == 0 { return 0 }
  return 1 + down(n - 1)
}";
    assert_eq!(failures(deep, 3), []);
}
