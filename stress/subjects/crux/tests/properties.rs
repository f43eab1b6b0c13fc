//! What holds for every scenario, with proptest as the source of choices.
//!
//! The cases are the same in each run; `PROPTEST_CASES` makes it more of them. What failed
//! once is kept in `properties.proptest-regressions` and runs first.

use gcrucible_crux_subjects::executor::trace::{Event, Outcome};
use gcrucible_crux_subjects::executor::{self, Ran};
use gcrucible_crux_subjects::generator::heap_modes::draw_heap;
use gcrucible_crux_subjects::generator::{Focus, Mix, heap_ops, programs};
use gcrucible_crux_subjects::scenario::{Body, HostEvent, ModuleSource, Programs, Scenario};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::text::FORMAT;
use gcrucible_scenario::{Origin, ScenarioData as _};
use gcrucible_trace::RunOptions;
use gcrucible_trace::choices::{ByteChoices, Choices as _};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

fn config() -> ProptestConfig {
    let regressions = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/properties.proptest-regressions"
    );
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(300),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        rng_seed: RngSeed::Fixed(20_260_101),
        ..ProptestConfig::default()
    }
}

/// Choices for a scenario; a short vector is a small one.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

fn recorded(scenario: &Scenario) -> Ran {
    let report = executor::run(
        scenario,
        &RunOptions {
            record: true,
            ..RunOptions::default()
        },
    );
    assert_eq!(
        report.counters.invalid, 0,
        "the front end says {:?}",
        report.timeline
    );
    report
}

/// Runs a scenario twice: it passes, and the second run is the first.
fn passes_and_repeats(scenario: &Scenario) -> Result<(), TestCaseError> {
    let first = recorded(scenario);
    prop_assert_eq!(&first.failure, &None, "{}", scenario.to_text());
    let second = recorded(scenario);
    prop_assert_eq!(
        first.trace_hash,
        second.trace_hash,
        "{}",
        scenario.to_text()
    );
    prop_assert_eq!(&first.decisions, &second.decisions);
    prop_assert_eq!(&first.counters, &second.counters);
    Ok(())
}

/// Lines that a run printed and how its calls ended, without anything of how it got there.
fn results(report: &Ran) -> (Vec<&str>, Vec<(u32, &Outcome)>) {
    let mut printed = Vec::new();
    let mut ended = Vec::new();
    for event in &report.events {
        match event {
            Event::Printed { text, .. } => printed.push(text.as_str()),
            Event::CallEnded { call, outcome, .. } => ended.push((*call, outcome)),
            _ => {}
        }
    }
    (printed, ended)
}

/// Tasks that share nothing, joined in order: its results depend on no schedule.
const INDEPENDENT: &str = r#"
class Node { key, left, right }

fn insert(node, key) {
  if node == nil { return Node { key, left: nil, right: nil } }
  if key < node.key { node.left = insert(node.left, key) }
  if key > node.key { node.right = insert(node.right, key) }
  return node
}

fn keys(node, into) {
  if node == nil { return nil }
  keys(node.left, into)
  into.push(node.key)
  keys(node.right, into)
}

fn numbers(seed, count) {
  let all = []
  let x = seed
  for i in 0..count {
    x = (x * 1103 + 12345) % 65537
    all.push(x)
  }
  return all
}

fn sorted(seed, count) {
  let tree = nil
  for n in numbers(seed, count) { tree = insert(tree, n) }
  let result = []
  keys(tree, result)
  return result
}

fn counted(seed, count) {
  let counts = {}
  for n in numbers(seed, count) {
    let key = "k${n % 7}"
    counts[key] = counts.get(key, 0) + 1
    if n % 5 == 0 { counts.remove("k${(n + 1) % 7}") }
  }
  return counts
}

fn closures(count) {
  let steps = []
  let total = 0
  for i in 0..count {
    steps.push(|x| { total += x * i; return total })
  }
  for step in steps { step(3) }
  return total
}

fn failing(n) {
  let log = []
  try {
    for i in 0..n { log.push("step ${i}") }
    if n % 2 == 0 { throw error("even", log) }
  } catch e {
    return [e.message, e.payload, deep_copy(log)]
  } finally {
    log.push("end")
  }
  return log
}

fn main(seed, count) {
  let futures = [
    spawn sorted(seed, count),
    spawn counted(seed + 1, count),
    spawn closures(count % 10),
    spawn failing(count % 4),
    spawn sorted(seed + 2, count / 2),
  ]
  let results = []
  for f in futures {
    let result = await f
    print(result)
    results.push(result)
  }
  assert(deep_equals(results, deep_copy(results)))
  return results
}
"#;

fn independent(heap_choices: &[u8], strategy: StrategyName, args: [i64; 2]) -> Scenario {
    let mut choices = ByteChoices::new(heap_choices);
    let (heap, debug) = draw_heap(&mut choices, None);
    Scenario {
        format: FORMAT,
        origin: Origin::default(),
        heap,
        debug,
        schedule: Schedule::Drawn {
            strategy,
            seed: choices.bits() >> 16,
        },
        faults: Vec::new(),
        body: Body::Programs(Programs {
            entry: ModuleSource::Text(INDEPENDENT.to_owned()),
            answers: Vec::new(),
            edits: Vec::new(),
            versions: Vec::new(),
            host: vec![
                HostEvent::Call {
                    call: 0,
                    function: "main".to_owned(),
                    args: args.to_vec(),
                },
                HostEvent::JoinCall { call: 0 },
            ],
        }),
    }
}

#[test]
fn stress_moves_what_the_independent_tasks_use() {
    let strategies = [StrategyName::Random, StrategyName::Pct2, StrategyName::Urw];
    let moved = |byte: u8| {
        let strategy = strategies[usize::from(byte) % strategies.len()];
        let scenario = independent(&[byte; 64], strategy, [7, 20]);
        recorded(&scenario).counters.objects_moved
    };
    let stressed = (1..60).filter(|&byte| moved(byte * 4) > 0).count();
    assert!(stressed > 30, "{stressed} of 59 runs moved something");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn heap_programs_agree_with_their_model_and_repeat(bytes in bytes(1200)) {
        let scenario =
            heap_ops::generate(&mut ByteChoices::new(&bytes), None, &Mix::default());
        passes_and_repeats(&scenario)?;
    }

    #[test]
    fn programs_agree_with_the_reference_and_repeat(bytes in bytes(1500)) {
        let scenario =
            programs::generate(&mut ByteChoices::new(&bytes), None, &Mix::default(), Focus::Everything);
        passes_and_repeats(&scenario)?;
    }

    #[test]
    fn scenarios_survive_their_text(bytes in bytes(1000)) {
        for scenario in [
            heap_ops::generate(&mut ByteChoices::new(&bytes), None, &Mix::default()),
            programs::generate(&mut ByteChoices::new(&bytes), None, &Mix::default(), Focus::Everything),
        ] {
            let read = Scenario::from_text(&scenario.to_text());
            prop_assert_eq!(read, Ok(scenario));
        }
    }

    #[test]
    fn heap_modes_and_schedules_do_not_change_results(
        heap_choices in bytes(64),
        strategy in proptest::sample::select(vec![
            StrategyName::Random,
            StrategyName::Pct2,
            StrategyName::Pct3,
            StrategyName::Urw,
        ]),
        seed in 0..1000_i64,
        count in 0..24_i64,
    ) {
        let plain = independent(&[], StrategyName::RoundRobin, [seed, count]);
        let stressed = independent(&heap_choices, strategy, [seed, count]);
        let (plain, stressed) = (recorded(&plain), recorded(&stressed));
        prop_assert_eq!(&plain.failure, &None);
        prop_assert_eq!(&stressed.failure, &None);
        let (plain, stressed) = (results(&plain), results(&stressed));
        prop_assert_eq!(plain.0.len(), 5);
        prop_assert_eq!(plain, stressed);
    }
}
