//! Falsified observations: whoever judges the trace must notice.

use crate::executor::graph::{FutureState, GraphDump, GraphValue};
use crate::executor::trace::{Event, ForkRefusal, Outcome};
use crate::lane;
use gcrucible_scenario::Origin;

/// Which observation is falsified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canary {
    /// A result.
    Result,
    /// That something was cancelled. Has no effect on a run in which nothing was.
    Cancellation,
    /// That the program was forked. Has no effect on a run in which it was not.
    Fork,
}

impl Canary {
    /// That of the scenario's lane: of what the lane is about.
    pub(super) fn of(origin: &Origin) -> Canary {
        let lane = origin
            .seed
            .as_deref()
            .and_then(|seed| seed.split(':').next());
        match lane {
            Some(name) if name == lane::CANCELLATION.name() => Canary::Cancellation,
            Some(name) if name == lane::SERVE.name() => Canary::Fork,
            _ => Canary::Result,
        }
    }
}

/// Falsifies one observation of the run.
pub(super) fn corrupt(canary: Canary, events: &mut Vec<Event>) {
    match canary {
        Canary::Result => corrupt_result(events),
        Canary::Cancellation => corrupt_cancellation(events),
        Canary::Fork => corrupt_fork(events),
    }
}

/// The last result is another one.
fn corrupt_result(events: &mut Vec<Event>) {
    let ended = events.iter_mut().rev().find_map(|event| match event {
        Event::CallEnded { outcome, .. } => Some(outcome),
        _ => None,
    });
    match ended {
        Some(Outcome::Returned(dump) | Outcome::Threw(dump) | Outcome::Panicked(dump)) => {
            dump.root = match dump.root {
                GraphValue::Bool(true) => GraphValue::Bool(false),
                _ => GraphValue::Bool(true),
            };
        }
        Some(outcome) => *outcome = Outcome::Returned(GraphDump::default()),
        None => events.push(Event::Settled {
            future: u64::MAX,
            state: FutureState::Ready,
        }),
    }
}

/// The first cancellation that ended something looks as if it had not: its future is ready,
/// its call returned. Runs without one stay as they are.
fn corrupt_cancellation(events: &mut [Event]) {
    for event in events {
        match event {
            Event::Settled { state, .. } if *state == FutureState::Cancelled => {
                *state = FutureState::Ready;
                return;
            }
            Event::CallEnded { outcome, .. } if *outcome == Outcome::Cancelled => {
                *outcome = Outcome::Returned(GraphDump::default());
                return;
            }
            _ => {}
        }
    }
}

/// The first fork looks as if a stream had been in its way, or not.
fn corrupt_fork(events: &mut [Event]) {
    let first = events.iter_mut().find_map(|event| match event {
        Event::Forked { refused, .. } => Some(refused),
        _ => None,
    });
    if let Some(refused) = first {
        *refused = match refused {
            None => Some(ForkRefusal::Stream("nothing".to_owned())),
            Some(_) => None,
        };
    }
}
