//! Each claim fails when its event is wrong.

use gcrucible_bytecode::ErrorKind;
use gcrucible_engine::CallKind;
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::CollectionKind;

use super::*;
use crate::executor::graph::GraphValue;
use crate::executor::trace::{Outcome, Passing, SliceEnd};
use crate::reference::self_driver::{DriveLimits, World, drive};
use crate::scenario::HostEvent;
use gcrucible_trace::choices::SeededChoices;

const LIMITS: Limits = Limits {
    max_frames: 50,
    grace_ms: 5,
    has_library: true,
};

const TEXT: &str = r#"
    fn leaf(x) { print("leaf", x)
      return [x] }
    fn wait(t) { return await t }
    fn nap() { sleep(5) }
    fn fail() { throw "no" }
    fn main() {
      let t = spawn leaf(1)
      let w = spawn wait(t)
      let n = spawn nap()
      let f = spawn fail()
      yield_now()
      cancel(n)
      try { await f } catch e { print(e) }
      try { await n } catch e { print(e.kind) }
      return [await w, await t]
    }
"#;

/// A program and the trace of a run without faults, whose calls are 1 (`main`).
fn good() -> (Program, Vec<Event>) {
    let program = compile(&Source {
        path: "main.crux".into(),
        text: TEXT.into(),
    })
    .unwrap_or_else(|errors| panic!("{errors}"));
    let host = [HostEvent::Call {
        call: 1,
        function: "main".into(),
        args: vec![],
    }];
    let limits = DriveLimits {
        model: LIMITS,
        fuel: 4,
        decisions: 1000,
    };
    // A seed under which tasks wait for one another, and the sleeper sleeps when cancelled.
    let world = World {
        host: &host,
        answers: &[],
    };
    let drives = (0..200).map(|seed| drive(&program, world, &mut SeededChoices::new(seed), limits));
    let waits = |event: &Event| matches!(event, Event::Woken { .. });
    let sleeps = |event: &Event| {
        matches!(
            event,
            Event::SliceEnded {
                end: SliceEnd::Sleeping { .. },
                ..
            }
        )
    };
    let cancelled = Event::Settled {
        future: 3,
        state: FutureState::Cancelled,
    };
    let drive = drives
        .into_iter()
        .find(|drive| {
            drive.events.iter().filter(|event| waits(event)).count() >= 3
                && drive.events.iter().any(sleeps)
                && drive.events.contains(&cancelled)
        })
        .expect("some schedule waits");
    let events = drive.events;
    (program.into_inner(), events)
}

/// The check that fails after `change` was made to the first event that takes it.
fn check_after(change: impl Fn(&mut Event) -> bool) -> String {
    let (program, mut events) = good();
    assert!(events.iter_mut().any(change), "no event was changed");
    check(&program, &events, LIMITS)
        .expect_err("the change is seen")
        .check
}

/// The check that fails when the first event of this form is left out.
fn check_without(form: impl Fn(&Event) -> bool) -> String {
    let (program, mut events) = good();
    let at = events
        .iter()
        .position(form)
        .expect("there is such an event");
    events.remove(at);
    check(&program, &events, LIMITS)
        .expect_err("the loss is seen")
        .check
}

/// The check that fails when the first event of this form comes twice.
fn check_twice(form: impl Fn(&Event) -> bool) -> String {
    let (program, mut events) = good();
    let at = events
        .iter()
        .position(form)
        .expect("there is such an event");
    events.insert(at, events[at].clone());
    check(&program, &events, LIMITS)
        .expect_err("the repetition is seen")
        .check
}

#[test]
fn a_run_without_faults_is_accepted() {
    let (program, events) = good();
    let stats = check(&program, &events, LIMITS).unwrap();
    assert_eq!(stats.outcomes, 2);
    assert_eq!(stats.printed, 3);
}

#[test]
fn a_wrong_line_is_seen() {
    let check = check_after(|event| match event {
        Event::Printed { text, .. } => {
            text.push('!');
            true
        }
        _ => false,
    });
    assert_eq!(check, "printed");
    assert_eq!(
        check_without(|event| matches!(event, Event::Printed { .. })),
        "printed"
    );
}

#[test]
fn a_wrong_result_is_seen() {
    let check = check_after(|event| match event {
        Event::CallEnded {
            outcome: Outcome::Returned(dump),
            call: 1,
            ..
        } => {
            dump.root = GraphValue::Nil;
            true
        }
        _ => false,
    });
    assert_eq!(check, "result");
    let check = check_after(|event| match event {
        Event::CallEnded {
            outcome, call: 1, ..
        } => {
            *outcome = Outcome::Cancelled;
            true
        }
        _ => false,
    });
    assert_eq!(check, "outcome");
    let check = check_after(|event| match event {
        Event::CallEnded {
            is_cancelled,
            call: 1,
            ..
        } => {
            *is_cancelled = !*is_cancelled;
            true
        }
        _ => false,
    });
    assert_eq!(check, "is_cancelled");
}

#[test]
fn a_slice_that_ends_otherwise_is_seen() {
    let ends = [
        SliceEnd::Preempted,
        SliceEnd::Awaiting { future: 1 },
        SliceEnd::Threw,
    ];
    for wrong in ends {
        let check = check_after(|event| match event {
            Event::SliceEnded {
                end: end @ SliceEnd::Yielded,
                ..
            } => {
                *end = wrong.clone();
                true
            }
            _ => false,
        });
        assert_eq!(check, "slice_end");
    }
    let check = check_after(|event| match event {
        Event::SliceEnded {
            instructions,
            end: SliceEnd::Returned,
            ..
        } => {
            *instructions += 1;
            true
        }
        _ => false,
    });
    assert_eq!(check, "slice_end");
}

#[test]
fn a_wrong_registration_is_seen() {
    let check = check_after(|event| match event {
        Event::Registered { future, .. } => {
            *future += 1;
            true
        }
        _ => false,
    });
    assert_eq!(check, "registered");
    assert_eq!(
        check_without(|event| matches!(event, Event::Registered { .. })),
        "registered"
    );
    assert_eq!(
        check_twice(|event| matches!(event, Event::Registered { .. })),
        "registered"
    );
}

#[test]
fn a_wrong_settlement_is_seen() {
    for (wrong, from) in [
        (FutureState::Ready, FutureState::Error),
        (FutureState::Error, FutureState::Cancelled),
        (FutureState::Cancelled, FutureState::Ready),
        (FutureState::InternalError, FutureState::Ready),
    ] {
        let check = check_after(|event| match event {
            Event::Settled { state, .. } if *state == from => {
                *state = wrong;
                true
            }
            _ => false,
        });
        assert_eq!(check, "settled_state");
    }
    assert_eq!(
        check_twice(|event| matches!(event, Event::Settled { .. })),
        "settled_twice"
    );
    check_without(|event| matches!(event, Event::Settled { .. }));
}

#[test]
fn a_lost_wakeup_is_seen() {
    let (program, mut events) = good();
    // Somebody woken from an await.
    let found = (0..events.len()).find_map(|at| {
        let Event::Woken { task } = events[at] else {
            return None;
        };
        let end = events[..at].iter().rev().find_map(|event| match event {
            Event::SliceEnded {
                task: ended, end, ..
            } if *ended == task => Some(end),
            _ => None,
        });
        match end {
            Some(&SliceEnd::Awaiting { future }) => Some((at, task, future)),
            _ => None,
        }
    });
    let (at, task, future) = found.expect("somebody is woken from an await");
    events.truncate(at);
    events.push(Event::Quiescent {
        waiting: vec![(task, future)],
        blocked: Vec::new(),
    });
    let failure = check(&program, &events, LIMITS).expect_err("the loss is seen");
    assert!(
        ["lost_wakeup", "lost_task"].contains(&&*failure.check),
        "{failure:?}"
    );
    assert_eq!(
        check_twice(|event| matches!(event, Event::Woken { .. })),
        "woken"
    );
}

#[test]
fn a_lost_cancellation_is_seen() {
    let requested = |event: &Event| matches!(event, Event::CancelRequested { .. });
    // Whoever waits is woken by it.
    assert!(["cancel_requested", "woken"].contains(&&*check_without(requested)));
    let check = check_after(|event| match event {
        Event::SliceBegan { start, .. } if start.offered.is_some() => {
            start.offered = None;
            start.delivered = false;
            true
        }
        _ => false,
    });
    assert_eq!(check, "delivered");
    let check = check_after(|event| match event {
        Event::SliceBegan { start, .. } if start.offered.is_none() => {
            start.offered = Some(ErrorKind::Cancelled);
            start.delivered = true;
            true
        }
        _ => false,
    });
    assert_eq!(check, "delivered");
}

#[test]
fn call_ids_are_watched() {
    assert_eq!(
        check_twice(|event| matches!(event, Event::CallStarted { .. })),
        "duplicate_call"
    );
    assert_eq!(
        check_twice(|event| matches!(event, Event::CallEnded { .. })),
        "call_ended"
    );
    let (program, mut events) = good();
    events.push(Event::CallRefused { call: 1 });
    let failure = check(&program, &events, LIMITS).expect_err("the id is free");
    assert_eq!(failure.check, "call_refused");
    let lost = |event: &Event| matches!(event, Event::CallEnded { call: 1, .. });
    assert_eq!(check_without(lost), "lost_answer");
}

#[test]
fn sites_name_function_and_instruction() {
    let (program, mut events) = good();
    let printed = events.iter_mut().find_map(|event| match event {
        Event::Printed { text, .. } if text.starts_with("leaf") => Some(text),
        _ => None,
    });
    *printed.expect("leaf prints") = "wrong".into();
    let failure = check(&program, &events, LIMITS).expect_err("the line is wrong");
    assert!(failure.site.starts_with("leaf "), "{failure:?}");
    assert!(failure.message.contains("wrong"), "{failure:?}");
}

/// The check that fails when the collection has queued these finalizers, of which the second
/// is the first whose object is dead, and then these begin.
fn check_finalizers(queued: &[u64], begun: &[u64]) -> Result<ModelStats, String> {
    let text = "
        let kept = [[1]]
        fn make() {
          finalizer(kept[0], |v| v)
          finalizer([2], |v| v)
          finalizer([3], |v| v)
        }
        fn main() { make() }
    ";
    let source = Source::new("main.crux", text);
    let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let call = HostEvent::Call {
        call: 1,
        function: "main".into(),
        args: vec![],
    };
    let world = World {
        host: &[call],
        answers: &[],
    };
    let limits = DriveLimits {
        model: LIMITS,
        fuel: 100,
        decisions: 1000,
    };
    let mut events = drive(&program, world, &mut SeededChoices::new(0), limits).events;
    let quiescent = events.pop().expect("it comes to rest");
    events.push(Event::Collected {
        kind: CollectionKind::Major,
        moved: 0,
        promoted: 0,
        cleared: vec![],
        queued: queued.to_vec(),
    });
    for (number, task) in begun.iter().zip(3..) {
        events.push(Event::CallStarted {
            call: CallKind::Finalizer.id(),
            task,
            callee: Callee::Finalizer { number: *number },
            realm: 0,
            seed: 0,
        });
    }
    if begun.is_empty() {
        events.push(quiescent);
    }
    check(&program, &events, LIMITS).map_err(|failure| failure.check)
}

#[test]
fn a_finalizer_queued_or_begun_wrongly_is_seen() {
    let fails = |queued: &[u64], begun: &[u64]| check_finalizers(queued, begun).err();
    assert_eq!(fails(&[2, 3], &[2]), None);
    for queued in [&[][..], &[2]] {
        assert_eq!(fails(queued, &[]).as_deref(), Some("finalizer_late"));
    }
    for queued in [&[1, 2][..], &[3, 2], &[2, 2], &[4]] {
        assert_eq!(fails(queued, &[]).as_deref(), Some("finalizer_queued"));
    }
    assert_eq!(fails(&[2, 3], &[]).as_deref(), Some("lost_finalizer"));
    for begun in [&[3][..], &[1], &[4]] {
        let check = fails(&[2, 3], begun);
        assert_eq!(check.as_deref(), Some("finalizer_started"));
    }
    // One at a time.
    let check = fails(&[2, 3], &[2, 3]);
    assert_eq!(check.as_deref(), Some("duplicate_call"));
}

/// A program whose call of `main` was driven to its end.
fn driven(text: &str) -> (Program, Vec<Event>) {
    let program = compile(&Source {
        path: "main.crux".into(),
        text: text.into(),
    })
    .unwrap_or_else(|errors| panic!("{errors}"));
    let host = [HostEvent::Call {
        call: 1,
        function: "main".into(),
        args: vec![],
    }];
    let limits = DriveLimits {
        model: LIMITS,
        fuel: 50,
        decisions: 1000,
    };
    let world = World {
        host: &host,
        answers: &[],
    };
    let events = drive(&program, world, &mut SeededChoices::new(1), limits).events;
    assert!(check(&program, &events, LIMITS).is_ok());
    (program.into_inner(), events)
}

/// The check that fails when these events come behind the first one of this form, and nothing else.
fn check_behind(
    (program, mut events): (Program, Vec<Event>),
    form: impl Fn(&Event) -> bool,
    then: &[Event],
) -> String {
    let at = events.iter().position(form).expect("there is one");
    events.truncate(at + 1);
    events.extend_from_slice(then);
    check(&program, &events, LIMITS)
        .expect_err("it is seen")
        .check
}

fn alone(now_ms: u64) -> Event {
    let why = Passing::Idle;
    Event::TimeAdvanced { now_ms, why }
}

fn sleeps(event: &Event) -> bool {
    matches!(
        event,
        Event::SliceEnded {
            end: SliceEnd::Sleeping { .. },
            ..
        }
    )
}

#[test]
fn time_that_goes_past_what_is_due_is_seen() {
    let sleeper = || driven("fn main() { sleep(5) }");
    assert_eq!(check_behind(sleeper(), sleeps, &[alone(9)]), "late_timer");
    let late = [alone(5), alone(9)];
    assert_eq!(check_behind(sleeper(), sleeps, &late), "late_wakeup");
}

#[test]
fn time_that_passes_while_one_was_not_woken_is_seen() {
    let (program, events) = good();
    let is_it = |event: &Event| matches!(event, Event::Settled { future: 1, .. });
    let first = events.iter().position(is_it).expect("it settles");
    let waits = |event: &Event| {
        matches!(
            event,
            Event::SliceEnded {
                end: SliceEnd::Awaiting { future: 1 },
                ..
            }
        )
    };
    assert!(events[..first].iter().any(waits), "somebody waits for it");
    let passes = [alone(100)];
    assert_eq!(
        check_behind((program, events), is_it, &passes),
        "late_wakeup"
    );
}

#[test]
fn what_comes_of_a_body_is_decided_once_and_before_it_is_seen() {
    let ended = |event: &Event| matches!(event, Event::BodyEnded { .. });
    assert_eq!(check_twice(ended), "body_ended");
    let of_leaf = |event: &Event| matches!(event, Event::BodyEnded { task: 3 });
    assert_eq!(check_without(of_leaf), "settled_early");
    let started = |event: &Event| matches!(event, Event::CallStarted { call: 1, .. });
    let ended = [Event::BodyEnded { task: 2 }];
    assert_eq!(check_behind(good(), started, &ended), "body_ended");
}

#[test]
fn a_signal_for_one_that_has_ended_is_seen() {
    let run = driven("fn main() { on_interrupt(\"INT\", || 1) }");
    let ended = |event: &Event| matches!(event, Event::BodyEnded { task: 2 });
    let raised = [Event::InterruptRaised {
        task: 2,
        signal: "INT".into(),
    }];
    assert_eq!(check_behind(run, ended, &raised), "interrupt_raised");
}

#[test]
fn failures_that_nobody_sees_are_reported_once_and_others_never() {
    let unseen = || {
        driven(
            "fn fail() { throw 1 }
             fn main() { spawn fail()
               sleep(5) }",
        )
    };
    let reported = |event: &Event| matches!(event, Event::Unobserved { .. });
    let (program, mut events) = unseen();
    let at = events.iter().position(reported).expect("it is reported");
    events.remove(at);
    let verdict = check(&program, &events, LIMITS);
    assert_eq!(verdict.expect_err("it is seen").check, "unobserved");
    let again = [Event::Unobserved { future: 1 }];
    assert_eq!(check_behind(unseen(), reported, &again), "unobserved");
    // Its run is not over, and its future is in a global.
    let early = driven(
        "let all = []
         fn fail() { throw 1 }
         fn main() { all.push(spawn fail())
           sleep(5) }",
    );
    let failed = |event: &Event| matches!(event, Event::Settled { future: 1, .. });
    assert_eq!(check_behind(early, failed, &again), "unobserved");
    let seen = driven(
        "fn fail() { throw 1 }
         fn main() { try { await spawn fail() } catch { }
           sleep(5) }",
    );
    assert_eq!(check_behind(seen, sleeps, &again), "unobserved");
}
