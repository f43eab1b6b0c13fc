use std::collections::BTreeSet;

use super::*;
use crate::executor::trace::Event;
use crate::scenario::HostEvent;
use gcrucible_trace::ReplayMode;

/// What can be seen of a run from outside: lines, results, in order. Each run is replayed
/// strictly, and must do the same again.
fn outcome(scenario: &Scenario, run: &RunReport) -> String {
    let options = RunOptions {
        record: true,
        replay: ReplayMode::Strict,
        ..RunOptions::default()
    };
    let replayed = executor::run(&with_schedule_of(scenario, run), &options);
    assert_eq!(replayed.diverged, None);
    assert_eq!(replayed.failure, run.failure);
    assert_eq!(replayed.trace_hash, run.trace_hash);
    let seen: Vec<String> = replayed.events.iter().filter_map(visible).collect();
    let failure = run.failure.as_ref().map(|failure| failure.check.as_str());
    format!("{} {}", seen.join(", "), failure.unwrap_or("passes"))
}

fn visible(event: &Event) -> Option<String> {
    match event {
        Event::Printed { text, .. } => Some(format!("print {text}")),
        Event::CallEnded { call, outcome, .. } => Some(format!("call {call}: {outcome:?}")),
        _ => None,
    }
}

fn explored(scenario: &Scenario, bound: &Bound) -> (BTreeSet<String>, Explored) {
    let mut outcomes = BTreeSet::new();
    let explored = explore_all(scenario, bound, |run| {
        outcomes.insert(outcome(scenario, run));
        ControlFlow::Continue(())
    });
    (outcomes, explored)
}

fn bound(preemptions: u32, is_reducing: bool) -> Bound {
    Bound {
        preemptions: Some(preemptions),
        is_reducing,
        ..Bound::default()
    }
}

const LOST_UPDATE: &str = "
class Counter { n }
const c = Counter { n: 0 }
fn task() { c.n = c.n + 1 }
fn main() {
  let other = spawn task()
  c.n = c.n + 1
  await other
  assert(c.n == 2)
}
";

fn scenario(text: &str, host: Option<Vec<HostEvent>>) -> Scenario {
    let mut scenario = Scenario::of_program(text.to_owned());
    if let (Some(script), Body::Programs(programs)) = (host, &mut scenario.body) {
        programs.host = script;
    }
    scenario
}

fn call(call: u32) -> HostEvent {
    HostEvent::Call {
        call,
        function: "main".to_owned(),
        args: Vec::new(),
    }
}

#[test]
fn a_lost_update_needs_one_preemption() {
    let scenario = scenario(LOST_UPDATE, None);
    for preemptions in 0..=2 {
        let (outcomes, explored) = explored(&scenario, &bound(preemptions, true));
        assert!(explored.is_complete, "{explored:?}");
        let fails = outcomes
            .iter()
            .any(|outcome| outcome.contains("AssertionFailed"));
        assert_eq!(fails, preemptions > 0, "{outcomes:?}");
    }
}

/// Programs with a host script each, in which every sort of step meets others.
fn small_scenarios() -> Vec<(&'static str, Scenario)> {
    let printing = "
fn task() { print(\"t\") }
fn main() { let f = spawn task(); print(\"m\"); await f }";
    let closures = "
fn main() {
  let n = 1
  let f = spawn (|| { n = n * 2 })()
  n = n + 10
  await f
  print(n)
}";
    let elements = "
const a = [1, 2]
fn task() { a.push(a[0]); a[0] = 7 }
fn main() { let f = spawn task(); print(a); await f; print(a.len()) }";
    let cancelling = "
fn task() {
  let steps = 0
  try { steps = 1; steps = 2; yield_now(); steps = 3 } finally { print(steps) }
}
fn main() {
  let f = spawn task()
  cancel(f)
  try { await f; print(\"done\") } catch e { print(e.kind) }
}";
    let sleeping = "
fn task() { sleep(5); print(\"t\") }
fn main() { let f = spawn task(); sleep(5); print(\"m\"); await f }";
    let collecting = "
fn task() { let a = [1]; collect(); print(a) }
fn main() { let f = spawn task(); let b = [2]; print(b); await f }";
    let short = "fn main() { let n = 1; n = n + 1; print(n); n = n + 1; return n }";
    let cancelled = vec![
        call(0),
        HostEvent::CancelCall { call: 0 },
        HostEvent::JoinCall { call: 0 },
    ];
    let dropped = vec![call(0), HostEvent::DropCall { call: 0 }, call(0)];
    let twice = vec![call(0), call(1), call(0)];
    vec![
        ("printing", scenario(printing, None)),
        ("lost update", scenario(LOST_UPDATE, None)),
        ("closures", scenario(closures, None)),
        ("elements", scenario(elements, None)),
        ("cancelling", scenario(cancelling, None)),
        ("sleeping", scenario(sleeping, None)),
        ("collecting", scenario(collecting, None)),
        ("cancelled", scenario(short, Some(cancelled))),
        ("dropped", scenario(short, Some(dropped))),
        ("twice", scenario(short, Some(twice))),
    ]
}

#[test]
fn reduction_loses_no_outcome_of_a_program() {
    for (name, scenario) in small_scenarios() {
        for preemptions in 0..=1 {
            let (all, every) = explored(&scenario, &bound(preemptions, false));
            let (reduced, found) = explored(&scenario, &bound(preemptions, true));
            assert!(
                every.is_complete && found.is_complete,
                "{name}: {every:?} {found:?}"
            );
            assert_eq!(reduced, all, "{name} {preemptions}");
            assert!(found.schedules <= every.schedules, "{name} {preemptions}");
        }
    }
}

#[test]
fn reduction_loses_no_outcome_with_two_preemptions() {
    let (mut ran, mut existing) = (0, 0);
    for (name, scenario) in small_scenarios() {
        let (all, every) = explored(&scenario, &bound(2, false));
        let (reduced, found) = explored(&scenario, &bound(2, true));
        assert!(
            every.is_complete && found.is_complete,
            "{name}: {every:?} {found:?}"
        );
        assert_eq!(reduced, all, "{name}");
        ran += found.schedules + found.pruned;
        existing += every.schedules;
    }
    assert!(ran * 2 < existing, "{ran} runs for {existing} schedules");
}

#[test]
fn a_cancelled_call_is_seen_at_every_place() {
    let scenarios = small_scenarios();
    let (_, scenario) = scenarios
        .iter()
        .find(|(name, _)| *name == "cancelled")
        .expect("it is there");
    let (outcomes, explored) = explored(scenario, &bound(2, true));
    assert!(
        explored.is_complete && explored.restarts > 0,
        "{explored:?}"
    );
    let has = |text: &str| outcomes.iter().any(|outcome| outcome.contains(text));
    assert!(
        has("call 0: Returned") && has("call 0: Cancelled"),
        "{outcomes:?}"
    );
    assert!(has("print 2, call 0: Cancelled"), "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| outcome.ends_with("passes")),
        "{outcomes:?}"
    );
}

#[test]
fn what_is_not_covered_is_said() {
    let lost_update = scenario(LOST_UPDATE, None);
    let stopped = explore_all(
        &lost_update,
        &Bound {
            runs_max: 3,
            ..Bound::default()
        },
        |_| ControlFlow::Continue(()),
    );
    assert!(!stopped.is_complete);
    assert_eq!(stopped.schedules + stopped.pruned, 3);
    let broken = explore_all(&lost_update, &Bound::default(), |_| ControlFlow::Break(()));
    assert_eq!((broken.schedules, broken.is_complete), (1, false));
    let endless = scenario("fn main() { while true { yield_now() } }", None);
    let bound = Bound {
        decisions_max: 200,
        ..Bound::default()
    };
    let endless = explore_all(&endless, &bound, |_| ControlFlow::Continue(()));
    let why = endless.why_incomplete.expect("it never ends");
    assert!(why.contains("200 decisions"), "{why}");
    let wrong = explore_all(&scenario("fn main( {", None), &bound, |_| {
        ControlFlow::Continue(())
    });
    assert!(
        wrong
            .why_incomplete
            .is_some_and(|why| why.contains("does not compile"))
    );
}

#[test]
fn heap_operations_have_one_schedule() {
    let seed = gcrucible_scenario::ScenarioSeed {
        lane: crate::lane::HEAP_OPS,
        seed: 1,
        index: 1,
    };
    let scenario = crate::generator::generate(seed, &crate::generator::Mix::default());
    let explored = explore_all(&scenario, &Bound::default(), |run| {
        assert_eq!(run.failure, None);
        ControlFlow::Continue(())
    });
    assert_eq!((explored.schedules, explored.is_complete), (1, true));
}

/// Generated programs of a few statements, raced with their host scripts: those whose
/// interleavings of single instructions are few enough to be run.
#[test]
fn reduction_loses_no_outcome_of_generated_programs() {
    let (mut compared, mut ran, mut existing) = (0, 0, 0);
    for seed in 0..120 {
        let seed = gcrucible_scenario::ScenarioSeed {
            lane: crate::lane::PROGRAMS,
            seed,
            index: 0,
        };
        let mut scenario = crate::generator::generate(seed, &crate::generator::Mix::default());
        scenario.debug = gcrucible_heap::HeapDebug::default();
        let few = Bound {
            runs_max: 400,
            ..bound(1, false)
        };
        if !explore_all(&scenario, &few, |_| ControlFlow::Continue(())).is_complete {
            continue;
        }
        let (all, every) = explored(&scenario, &few);
        let (reduced, found) = explored(&scenario, &bound(1, true));
        assert!(found.is_complete, "{seed}: {found:?}");
        assert_eq!(reduced, all, "{seed}");
        compared += 1;
        ran += found.schedules + found.pruned;
        existing += every.schedules;
    }
    assert!(compared >= 5, "{compared} programs were small enough");
    assert!(ran < existing, "{ran} runs for {existing} schedules");
}
