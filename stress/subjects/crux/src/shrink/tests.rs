//! The shrinker against engines that are small enough to know the answer.

use gcrucible_heap::{CollectionKind, HeapConfig};

use gcrucible_explore::Schedule;
use gcrucible_scenario::Origin;
use gcrucible_trace::{Failure, Verdict};

use super::*;
use crate::scenario::{Data, HeapOp, HeapOps, HostAnswer};
use gcrucible_explore::StrategyName;
use gcrucible_trace::{Decision, Site};

const BUDGET: ShrinkBudget = ShrinkBudget {
    runs: 100_000,
    ms: 60_000,
};

fn scenario(ops: Vec<HeapOp>) -> Scenario {
    Scenario {
        format: gcrucible_scenario::text::FORMAT,
        origin: Origin::default(),
        heap: HeapConfig::default(),
        debug: "collect=safepoint,zombie,verify=full".parse().unwrap(),
        schedule: Schedule::Drawn {
            strategy: StrategyName::Random,
            seed: 1,
        },
        faults: vec![crate::scenario::Fault::OutOfMemory { at: 1 }],
        body: Body::HeapOps(HeapOps {
            holders: 4,
            registers: 8,
            ops,
        }),
    }
}

fn failure(check: &str) -> Failure {
    Failure {
        oracle: "fake".into(),
        check: check.into(),
        site: "somewhere".into(),
        message: String::new(),
    }
}

/// Fails when an array is pushed to after a collection that came after its allocation; a
/// run without any push fails another check.
fn engine(scenario: &Scenario) -> Verdict {
    let Body::HeapOps(body) = &scenario.body else {
        unreachable!()
    };
    let collects_always = scenario.debug.collect == gcrucible_heap::CollectMode::EverySafepoint;
    let is_array = |op: &HeapOp| matches!(op, HeapOp::Array(..));
    let is_collect = |op: &HeapOp| matches!(op, HeapOp::Collect(_));
    let is_push = |op: &HeapOp| matches!(op, HeapOp::Push(..));
    let after = |from: usize, is: &dyn Fn(&HeapOp) -> bool| {
        body.ops[from..].iter().position(is).map(|at| from + at + 1)
    };
    let fails = after(0, &is_array)
        .and_then(|at| {
            if collects_always {
                Some(at)
            } else {
                after(at, &is_collect)
            }
        })
        .and_then(|at| after(at, &is_push));
    let mut verdict = Verdict::default();
    verdict.counters.safepoints = body.ops.len() as u64;
    verdict.failure = match fails {
        Some(_) => Some(failure("pushed")),
        None if !body.ops.iter().any(is_push) => Some(failure("no push")),
        None => None,
    };
    verdict
}

fn noisy() -> Scenario {
    let mut ops = Vec::new();
    for n in 0..40 {
        ops.push(HeapOp::Immediate(n, 7));
        ops.push(HeapOp::SwitchHolder(n));
    }
    ops.insert(20, HeapOp::Array(5, 9));
    ops.insert(60, HeapOp::Push(5, 3));
    scenario(ops)
}

fn shrunk(scenario: &Scenario) -> Shrunk<Scenario> {
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| Ok(engine(scenario));
    shrink(scenario, None, run, BUDGET).unwrap().unwrap()
}

#[test]
fn only_what_fails_the_same_check_is_left() {
    let small = shrunk(&noisy());
    let Body::HeapOps(body) = &small.scenario.body else {
        panic!()
    };
    assert_eq!(
        body.ops,
        [
            HeapOp::Array(0, 0),
            HeapOp::Collect(CollectionKind::Minor),
            HeapOp::Push(0, 0)
        ]
    );
    assert_eq!((body.holders, body.registers), (1, 1));
    assert_eq!(small.scenario.debug.to_string(), "natural");
    assert!(small.scenario.faults.is_empty());
    assert_eq!(small.scenario.heap, HeapConfig::tiny());
    assert!(!small.is_cut_short);
}

#[test]
fn a_fault_that_matters_stays_and_comes_early() {
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| {
        let fails = scenario.faults.iter().any(|fault| {
            let Fault::OutOfMemory { at } = *fault;
            at >= 3
        });
        Ok(Verdict {
            failure: fails.then(|| failure("refused")),
            ..Verdict::default()
        })
    };
    let mut large = noisy();
    large.faults = vec![Fault::OutOfMemory { at: 1 }, Fault::OutOfMemory { at: 50 }];
    let small = shrink(&large, None, run, BUDGET).unwrap().unwrap();
    assert_eq!(small.scenario.faults, [Fault::OutOfMemory { at: 4 }]);
}

#[test]
fn shrinking_again_changes_nothing() {
    let small = shrunk(&noisy());
    let again = shrunk(&small.scenario);
    assert_eq!(again.scenario, small.scenario);
    assert_eq!(again.steps, 0);
}

#[test]
fn what_does_not_fail_or_fails_otherwise_is_not_shrunk() {
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| Ok(engine(scenario));
    let passing = scenario(vec![HeapOp::Push(0, 0)]);
    assert!(shrink(&passing, None, run, BUDGET).unwrap().is_none());
    let wanted = failure("another");
    assert!(
        shrink(&noisy(), Some(&wanted), run, BUDGET)
            .unwrap()
            .is_none()
    );
}

#[test]
fn the_budget_is_kept() {
    let mut runs = 0;
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| {
        runs += 1;
        Ok(engine(scenario))
    };
    let budget = ShrinkBudget {
        runs: 10,
        ms: 60_000,
    };
    let small = shrink(&noisy(), None, run, budget).unwrap().unwrap();
    assert!(small.is_cut_short);
    assert!(runs <= 12, "{runs}");
}

/// Programs whose failure depends on the schedule alone: task 2 runs while task 1 is in
/// the middle, and a collection happens right before that.
fn racing_engine(scenario: &Scenario) -> Verdict {
    let decision = |actor, fuel, collect| Decision {
        site: Site {
            actor,
            ..Site::default()
        },
        fuel,
        collect,
        inject: None,
    };
    let minor = Some(gcrucible_trace::CollectionKind::Minor);
    let decisions = match &scenario.schedule {
        Schedule::Recorded(decisions) => decisions.clone(),
        Schedule::Drawn { .. } => vec![
            decision(1, 1, None),
            decision(1, 2, minor),
            decision(2, 1, None),
            decision(1, 1, minor),
            decision(2, 3, minor),
            decision(1, 9, None),
        ],
    };
    let pair = decisions.windows(2).any(|pair| {
        pair[0].site.actor == 1 && pair[1].site.actor == 2 && pair[1].collect.is_some()
    });
    Verdict {
        failure: pair.then(|| failure("raced")),
        decisions,
        ..Verdict::default()
    }
}

#[test]
fn a_race_keeps_the_fewest_switches_and_collections() {
    let mut scenario = noisy();
    scenario.body = Body::Programs(crate::scenario::Programs {
        entry: crate::scenario::ModuleSource::Text("fn main() {}".into()),
        answers: Vec::new(),
        edits: Vec::new(),
        versions: Vec::new(),
        host: vec![crate::scenario::HostEvent::AdvanceTime { ms: 5 }],
    });
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| Ok(racing_engine(scenario));
    let small = shrink(&scenario, None, run, BUDGET).unwrap().unwrap();
    let Schedule::Recorded(decisions) = &small.scenario.schedule else {
        panic!()
    };
    let short: Vec<_> = decisions
        .iter()
        .map(|d| (d.site.actor, d.collect.is_some()))
        .collect();
    assert_eq!(short, [(1, false), (2, true)]);
    assert_eq!(
        crate::lane::size_of(&small.scenario, &small.verdict).switches,
        1
    );
}

/// Fails when some answer is a map with a list in it that has the int 7, and comes later than
/// at once.
fn answered_engine(scenario: &Scenario) -> Verdict {
    let Body::Programs(programs) = &scenario.body else {
        unreachable!()
    };
    let is_seven = |data: &Data| matches!(data, Data::Int(7));
    let has_seven = |data: &Data| matches!(data, Data::List(list) if list.iter().any(is_seven));
    let fails = programs.answers.iter().any(|answer| {
        let data = answer.result.as_ref().ok();
        answer.after_ms > 0
            && data.is_some_and(|data| {
                matches!(data, Data::Map(entries) if entries.iter().any(|(_, v)| has_seven(v)))
            })
    });
    Verdict {
        failure: fails.then(|| failure("answered")),
        ..Verdict::default()
    }
}

#[test]
fn the_hosts_answers_shrink() {
    let answer = |after_ms, result| HostAnswer {
        after_ms,
        result,
        panics: None,
        stops_after_ms: None,
    };
    let nested = Data::Map(vec![
        ("status".into(), Data::Int(200)),
        (
            "rows".into(),
            Data::List(vec![Data::Text("x".into()), Data::Int(7), Data::Bool(true)]),
        ),
    ]);
    let mut scenario = noisy();
    scenario.body = Body::Programs(crate::scenario::Programs {
        entry: crate::scenario::ModuleSource::Text("fn main() {}".into()),
        answers: vec![
            answer(9, Err("refused".into())),
            answer(30, Ok(nested)),
            answer(2, Ok(Data::List(vec![Data::Nil]))),
        ],
        edits: Vec::new(),
        versions: Vec::new(),
        host: Vec::new(),
    });
    let run: &mut RunFn<'_, Scenario> = &mut |scenario, _, _| Ok(answered_engine(scenario));
    let small = shrink(&scenario, None, run, BUDGET).unwrap().unwrap();
    let Body::Programs(programs) = &small.scenario.body else {
        panic!()
    };
    let least = Data::Map(vec![(String::new(), Data::List(vec![Data::Int(7)]))]);
    assert_eq!(programs.answers, [answer(1, Ok(least))]);
}
