//! Every operation that can wait, ended by everything that can end a wait, at every place:
//! all schedules of a tiny program with at most two preemptions, each judged by all oracles.
//!
//! The oracles say that counts are back at their baseline (`nothing_leaks`) and that the engine
//! does what the model does. What is said here besides is the rule for the outcome: which of the
//! phases the request came in, and what must come of that.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::executor::graph::{FutureState, GraphDump};
use gcrucible_crux_subjects::executor::trace::{Event, Outcome, SliceEnd, TaskId};
use gcrucible_crux_subjects::exploration::{Bound, explore_all};
use gcrucible_crux_subjects::scenario::{Body, Data, HostAnswer, HostEvent, Scenario};
use gcrucible_trace::RunOptions;

/// An operation that takes three milliseconds, or waits for a task that takes them.
struct Operation<'a> {
    name: &'static str,
    /// What the program declares for it.
    declares: &'a str,
    /// What comes before it in the function that uses it.
    prepares: &'static str,
    /// The operation, as an expression.
    uses: &'static str,
    answer: Option<Data>,
}

fn operations() -> Vec<Operation<'static>> {
    let host = |name, uses, answer| Operation {
        name,
        declares: "",
        prepares: "",
        uses,
        answer: Some(answer),
    };
    let response = || {
        Data::Map(vec![
            ("status".to_owned(), Data::Int(200)),
            ("body".to_owned(), Data::Text("ok".to_owned())),
        ])
    };
    let waits = |name, declares, prepares, uses| Operation {
        name,
        declares,
        prepares,
        uses,
        answer: None,
    };
    vec![
        waits("sleep", "", "", "sleep(3)"),
        host("http.get", "http.get(\"u\")", response()),
        host("http.post", "http.post(\"u\", \"b\")", response()),
        host("fs.read", "fs.read(\"p\")", Data::Text("t".to_owned())),
        host("fs.write", "fs.write(\"p\", \"t\")", Data::Nil),
        host("env", "sys.env(\"N\")", Data::Text("v".to_owned())),
        waits(
            "channel send",
            "const c = channel(1)\nfn other() { sleep(3); c.try_receive() }",
            "c.try_send(0); spawn other()",
            "c.send(1)",
        ),
        waits(
            "channel receive",
            "const c = channel(1)\nfn other() { sleep(3); c.try_send(7) }",
            "spawn other()",
            "c.receive()",
        ),
        waits(
            "lock",
            "const m = mutex()\nfn other() { sync m { sleep(3) } }\nfn lock() { sync m { return 1 } }",
            "spawn other(); yield_now()",
            "lock()",
        ),
        waits(
            "await",
            "fn other() { sleep(3); return 7 }",
            "let f = spawn other()",
            "await f",
        ),
        waits(
            "stream next",
            "const c = channel(1)\nfn other() { sleep(3); c.try_send(7) }",
            "spawn other()\nlet s = stream(c)",
            "s.next()",
        ),
    ]
}

const CALL: u32 = 1;

/// A program whose `main` has this body, raced with a host that does this to its call.
fn scenario(operation: &Operation<'_>, body: &str, host: Vec<HostEvent>) -> Scenario {
    let declares = operation.declares;
    let text = format!("const hits = []\n{declares}\nfn main() {{\n{body}\n}}\n");
    let mut scenario = Scenario::of_program(text);
    if let Body::Programs(programs) = &mut scenario.body {
        let call = HostEvent::Call {
            call: CALL,
            function: "main".to_owned(),
            args: Vec::new(),
        };
        programs.host = std::iter::once(call).chain(host).collect();
        let answer = operation.answer.clone().map(|answer| HostAnswer {
            after_ms: 3,
            result: Ok(answer),
            ..HostAnswer::default()
        });
        programs.answers = answer.into_iter().collect();
    }
    scenario
}

/// What the call gives when nothing disturbs it.
fn undisturbed(scenario: &Scenario) -> Outcome {
    let mut scenario = scenario.clone();
    if let Body::Programs(programs) = &mut scenario.body {
        programs.host.truncate(1);
    }
    let options = RunOptions {
        record: true,
        ..RunOptions::default()
    };
    let report = executor::run(&scenario, &options);
    assert_eq!(report.failure, None);
    let (_, outcome) = call_of(&report.events);
    outcome.expect("it ends").clone()
}

/// The task of the call, and how the call ended.
fn call_of(events: &[Event]) -> (Option<TaskId>, Option<&Outcome>) {
    let task = events.iter().find_map(|event| match event {
        Event::CallStarted { call, task, .. } if *call == CALL => Some(*task),
        _ => None,
    });
    let outcome = events.iter().find_map(|event| match event {
        Event::CallEnded { call, outcome, .. } if *call == CALL => Some(outcome),
        _ => None,
    });
    (task, outcome)
}

/// When something reached a task that uses one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Its body had not begun.
    Unstarted,
    /// It ran, and had not begun to wait.
    Before,
    /// It waited.
    During,
    /// The wait was over, and it had not run since.
    AtCompletion,
    /// It had gone on.
    After,
    /// Everything was over.
    TooLate,
}

const ALL: [Phase; 6] = [
    Phase::Unstarted,
    Phase::Before,
    Phase::During,
    Phase::AtCompletion,
    Phase::After,
    Phase::TooLate,
];

/// The phase in which the cancellation of a task was requested.
fn phase_of_request(events: &[Event], task: TaskId) -> Phase {
    let requested =
        |event: &Event| matches!(event, Event::CancelRequested { task: it } if *it == task);
    phase(events, task, events.iter().position(requested))
}

/// The phase in which an event came; `None` is one that came too late to be seen.
fn phase(events: &[Event], task: TaskId, at: Option<usize>) -> Phase {
    let Some(at) = at else { return Phase::TooLate };
    let mut phase = Phase::Unstarted;
    for event in &events[..at] {
        phase = match event {
            Event::SliceBegan { task: it, .. } if *it == task => match phase {
                Phase::Unstarted | Phase::Before => Phase::Before,
                _ => Phase::After,
            },
            Event::SliceEnded { task: it, end, .. } if *it == task => match end {
                SliceEnd::Host
                | SliceEnd::Sleeping { .. }
                | SliceEnd::Waiting { .. }
                | SliceEnd::Awaiting { .. }
                | SliceEnd::Resuming => Phase::During,
                SliceEnd::Returned | SliceEnd::Threw => Phase::After,
                _ => phase,
            },
            Event::HostEnded { task: it, .. }
            | Event::Woken { task: it }
            | Event::AwaitResolved { task: it, .. }
            | Event::WaitResolved { task: it, .. }
                if *it == task && phase == Phase::During =>
            {
                Phase::AtCompletion
            }
            _ => phase,
        };
    }
    phase
}

/// Explores all schedules; shows each, with the task of the call and how that ended.
fn explore(
    name: &str,
    scenario: &Scenario,
    mut check: impl FnMut(&[Event], TaskId, Option<&Outcome>),
) {
    let bound = Bound {
        is_recording: true,
        ..Bound::default()
    };
    let explored = explore_all(scenario, &bound, |run| {
        assert_eq!(run.failure, None, "{name}");
        let Some(Event::Quiescent { waiting, blocked }) = run.events.last() else {
            panic!("{name}: no end");
        };
        assert!(waiting.is_empty() && blocked.is_empty(), "{name}");
        let (task, outcome) = call_of(&run.events);
        check(&run.events, task.expect("it was called"), outcome);
        ControlFlow::Continue(())
    });
    assert!(explored.is_complete, "{name}: {explored:?}");
}

/// A host event that ends the call, and what must come of it in each phase.
fn ends_the_call(cause: &str, event: &HostEvent) {
    for operation in operations() {
        let name = format!("{cause}, {}", operation.name);
        let body = format!(
            "{}\nlet v = {}\nreturn [v]",
            operation.prepares, operation.uses
        );
        let scenario = scenario(&operation, &body, vec![event.clone()]);
        let value = undisturbed(&scenario);
        let mut phases = BTreeSet::new();
        explore(&name, &scenario, |events, task, outcome| {
            let phase = phase_of_request(events, task);
            phases.insert(phase);
            let outcome = outcome.expect("the call ends");
            let is_as_specified = match phase {
                Phase::Unstarted | Phase::Before | Phase::During | Phase::AtCompletion => {
                    *outcome == Outcome::Cancelled
                }
                // It may be asked to stop before its body has ended.
                Phase::After => *outcome == Outcome::Cancelled || *outcome == value,
                Phase::TooLate => *outcome == value,
            };
            assert!(is_as_specified, "{name}: {phase:?} gives {outcome:?}");
        });
        assert_eq!(phases, ALL.into(), "{name}");
    }
}

#[test]
fn a_cancelled_call_ends_as_the_phase_says() {
    ends_the_call("cancel", &HostEvent::CancelCall { call: CALL });
}

#[test]
fn a_dropped_call_ends_as_the_phase_says() {
    ends_the_call("drop", &HostEvent::DropCall { call: CALL });
}

/// The virtual time at each event.
fn times(events: &[Event]) -> Vec<u64> {
    let mut now = 0;
    let time = |event: &Event| {
        if let Event::TimeAdvanced { now_ms, .. } = event {
            now = *now_ms;
        }
        now
    };
    events.iter().map(time).collect()
}

const GRACE_MS: u64 = 250;

/// How long after the later of its begin and the request the operation of the call was over, and
/// whether it ended by itself, if it was under way then.
fn after_request(events: &[Event], task: TaskId) -> Option<(u64, bool)> {
    let times = times(events);
    let requested = events
        .iter()
        .position(|event| matches!(event, Event::CancelRequested { task: it } if *it == task))?;
    let began = events
        .iter()
        .position(|event| matches!(event, Event::HostBegan { task: it } if *it == task))?;
    let over = events
        .iter()
        .enumerate()
        .skip(began)
        .find_map(|(at, event)| match event {
            Event::HostEnded { task: it, .. } if *it == task => Some((at, true)),
            Event::SliceBegan { task: it, .. } if *it == task => Some((at, false)),
            _ => None,
        });
    let (over, by_itself) = over?;
    let since = began.max(requested);
    (since < over).then(|| (times[over] - times[since], by_itself))
}

#[test]
fn a_cancelled_operation_of_the_host_has_its_grace_time() {
    // What it takes, when it heeds its token, and how long after the request it is over if that
    // comes as soon as it has begun, by itself or not.
    let rows = [
        (1_000, None, GRACE_MS, false),
        (1_000, Some(10), 10, true),
        (1_000, Some(0), 0, true),
        // At the same time as the grace time ends, which comes first.
        (1_000, Some(GRACE_MS as u32), GRACE_MS, false),
        (GRACE_MS as u32 - 1, None, GRACE_MS - 1, true),
    ];
    let operations = operations()
        .into_iter()
        .filter(|operation| operation.answer.is_some());
    for operation in operations {
        for (after_ms, stops_after_ms, over_after, by_itself) in rows {
            let name = format!("grace of {}, {after_ms} {stops_after_ms:?}", operation.name);
            let body = format!("let v = {}\nreturn [v]", operation.uses);
            let cancel = HostEvent::CancelCall { call: CALL };
            let mut scenario = scenario(&operation, &body, vec![cancel]);
            if let Body::Programs(programs) = &mut scenario.body {
                programs.answers[0].after_ms = after_ms;
                programs.answers[0].stops_after_ms = stops_after_ms;
            }
            let mut overs = BTreeSet::new();
            explore(&name, &scenario, |events, task, outcome| {
                if let Some(over) = after_request(events, task) {
                    overs.insert(over);
                    assert_eq!(outcome, Some(&Outcome::Cancelled), "{name}");
                }
            });
            assert!(
                overs.contains(&(over_after, by_itself)),
                "{name}: {overs:?}"
            );
            for &(ms, by_itself) in &overs {
                assert_eq!(by_itself, ms < GRACE_MS, "{name}: {overs:?}");
            }
        }
    }
}

#[test]
fn a_body_that_goes_on_is_aborted_after_its_grace_time() {
    let operation = Operation {
        name: "a body that goes on",
        declares: "fn other() { sleep(300) }",
        prepares: "",
        uses: "",
        answer: None,
    };
    let body = "spawn other()
        try { sleep(1000) } catch {
          try { let i = 0; while i < 4 { i = i + 1; yield_now() } } finally { hits.push(1) }
        }
        return hits";
    let cancel = HostEvent::CancelCall { call: CALL };
    let scenario = scenario(&operation, body, vec![cancel]);
    let (mut is_aborted_once, mut goes_on_once) = (false, false);
    explore(operation.name, &scenario, |events, task, outcome| {
        let times = times(events);
        let thrown = events.iter().position(
            |event| matches!(event, Event::SliceBegan { task: it, start } if *it == task && start.delivered),
        );
        let aborted = events
            .iter()
            .position(|event| matches!(event, Event::Aborted { task: it } if *it == task));
        let Some(aborted) = aborted else {
            goes_on_once |= thrown.is_some() && matches!(outcome, Some(Outcome::Returned(_)));
            return;
        };
        is_aborted_once = true;
        assert_eq!(outcome, Some(&Outcome::Cancelled));
        assert!(times[aborted] >= times[thrown.expect("it got the error")] + GRACE_MS);
        let runs_on = events[aborted..]
            .iter()
            .any(|event| matches!(event, Event::SliceBegan { task: it, .. } if *it == task));
        assert!(!runs_on, "no further code of it runs");
    });
    assert!(is_aborted_once && goes_on_once);
}

#[test]
fn a_cancelled_future_settles_as_the_phase_says() {
    for operation in operations() {
        let name = format!("cancel the future, {}", operation.name);
        let declares = format!(
            "{}\nfn work() {{\n{}\nlet v = {}\nreturn v\n}}",
            operation.declares, operation.prepares, operation.uses
        );
        let declares = declares.as_str();
        let body = "try { return [await (spawn work())] } catch e { return e.kind }";
        let mut phases = BTreeSet::new();
        let scenario = scenario(
            &Operation {
                declares,
                ..operation
            },
            body,
            vec![HostEvent::CancelFuture { future: 1 }],
        );
        explore(&name, &scenario, |events, _, outcome| {
            assert!(
                matches!(outcome, Some(Outcome::Returned(_))),
                "{name}: {outcome:?}"
            );
            let runner = events.iter().find_map(|event| match event {
                Event::Registered {
                    future: 1, runner, ..
                } => Some(*runner),
                _ => None,
            });
            let phase = phase_of_request(events, runner.expect("it is spawned"));
            phases.insert(phase);
            let settled = events.iter().find_map(|event| match event {
                Event::Settled { future: 1, state } => Some(*state),
                _ => None,
            });
            let is_as_specified = match phase {
                Phase::Unstarted | Phase::Before | Phase::During | Phase::AtCompletion => {
                    settled == Some(FutureState::Cancelled)
                }
                Phase::After => {
                    matches!(settled, Some(FutureState::Cancelled | FutureState::Ready))
                }
                Phase::TooLate => settled == Some(FutureState::Ready),
            };
            assert!(is_as_specified, "{name}: {phase:?} gives {settled:?}");
        });
        assert_eq!(phases, ALL.into(), "{name}");
    }
}

#[test]
fn a_deadline_comes_before_the_result() {
    for operation in operations() {
        // Time may go on before anybody looks, so that a longer one can be over as well.
        for (ms, may_succeed) in [(2, false), (4, true)] {
            let name = format!("deadline {ms} ms, {}", operation.name);
            let body = format!(
                "{}\ntry {{ deadline {ms} {{ let v = {}\nreturn [v] }} }} catch e {{ return e.kind }}",
                operation.prepares, operation.uses
            );
            let scenario = scenario(&operation, &body, Vec::new());
            let (mut is_late_once, mut succeeds_once) = (false, false);
            explore(&name, &scenario, |_, _, outcome| match outcome {
                Some(Outcome::Returned(value)) => match is_late(value) {
                    true => is_late_once = true,
                    false => succeeds_once = true,
                },
                other => panic!("{name}: {other:?}"),
            });
            assert!(is_late_once, "{name}");
            // The other task may have taken its time before the deadline began.
            let is_alone = operation.declares.is_empty();
            assert_eq!(succeeds_once, may_succeed || !is_alone, "{name}");
        }
    }
}

/// Whether the value is the kind of the error that a deadline throws.
fn is_late(value: &GraphDump) -> bool {
    format!("{value:?}").contains("DeadlineExceeded")
}

#[test]
fn an_interrupted_operation_goes_on_afterwards() {
    for operation in operations() {
        let name = format!("interrupt, {}", operation.name);
        let body = format!(
            "on_interrupt(\"A\", || hits.push(1))\n{}\nlet v = {}\nreturn [v]",
            operation.prepares, operation.uses
        );
        let interrupt = HostEvent::Interrupt {
            call: CALL,
            signal: "A".to_owned(),
        };
        let scenario = scenario(&operation, &body, vec![interrupt]);
        let value = undisturbed(&scenario);
        let mut handled_in = BTreeSet::new();
        explore(&name, &scenario, |events, task, outcome| {
            assert_eq!(outcome, Some(&value), "{name}");
            let dispatched = events.iter().any(|event| {
                matches!(event, Event::SliceBegan { task: it, start } if *it == task && start.dispatched)
            });
            let raised = events.iter().position(
                |event| matches!(event, Event::InterruptRaised { task: it, .. } if *it == task),
            );
            if dispatched {
                handled_in.insert(phase(events, task, raised));
            }
        });
        for phase in [Phase::Before, Phase::During, Phase::AtCompletion] {
            assert!(handled_in.contains(&phase), "{name}: {handled_in:?}");
        }
    }
}
