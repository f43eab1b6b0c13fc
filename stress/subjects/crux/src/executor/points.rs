//! Where a run of the engine can be disturbed: read off the trace of a dry run.

mod aimed;

pub use aimed::aimed;

use gcrucible_explore::{InjectionPoint, InjectionPoints, PointEvent};
use gcrucible_trace::Injected;

use super::trace::Event;

/// Allocations of one event of the host of which each is made to fail: its first few. Those of
/// tasks have a decision of their own each.
const ALLOCATIONS_OF_HOST: u32 = 4;

/// Decisions after its end at which something is still a target: what comes too late is
/// refused, and must be.
const TOO_LATE: usize = 2;

/// A decision of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Trace events before it.
    pub events: usize,
    /// Whether it is an event of the host script that comes next.
    pub is_host: bool,
}

/// The points of a dry run: its decisions, and all trace events. Calls from `ids` on are none of
/// the scenario's own.
pub fn everywhere(decisions: &[Mark], events: &[Event], ids: u32) -> InjectionPoints {
    let mut points = Vec::new();
    // Unfinished ones, and those that have ended with the decision after which they are
    // no targets any more.
    let mut targets: Vec<(PointEvent, Option<usize>)> = Vec::new();
    let mut seen = 0;
    for (at, mark) in decisions.iter().enumerate() {
        let before = mark.events;
        for event in events.get(seen..before).unwrap_or_default() {
            follow(event, at + TOO_LATE, ids, &mut targets);
        }
        seen = before;
        targets.retain(|(_, until)| until.is_none_or(|until| at < until));
        let everywhere = [
            PointEvent::Minor,
            PointEvent::Major,
            PointEvent::Inject(Injected::AllocationFailure),
        ];
        let targets = targets.iter().map(|&(event, _)| event);
        let later = if mark.is_host {
            1..ALLOCATIONS_OF_HOST
        } else {
            0..0
        };
        let later = later.map(|after| PointEvent::Inject(Injected::LaterAllocationFailure(after)));
        let ordinal = at as u32;
        points.extend(
            everywhere
                .into_iter()
                .chain(later)
                .chain(targets)
                .map(|event| InjectionPoint { ordinal, event }),
        );
    }
    InjectionPoints::from_points(points)
}

/// What an event means for the targets.
fn follow(event: &Event, until: usize, ids: u32, targets: &mut Vec<(PointEvent, Option<usize>)>) {
    let mut ended = |target: Injected| {
        let target = PointEvent::Inject(target);
        for (other, end) in targets.iter_mut() {
            if *other == target && end.is_none() {
                *end = Some(until);
            }
        }
    };
    match *event {
        Event::CallEnded { call, .. } => {
            ended(Injected::CancelCall(call));
            ended(Injected::DropCall(call));
        }
        Event::Settled { future, .. } => ended(Injected::CancelFuture(future)),
        Event::CallStarted { call, .. } if call < ids => {
            for target in [Injected::CancelCall(call), Injected::DropCall(call)] {
                let target = PointEvent::Inject(target);
                targets.retain(|(other, _)| *other != target);
                targets.push((target, None));
            }
        }
        Event::Registered { future, .. } => {
            targets.push((PointEvent::Inject(Injected::CancelFuture(future)), None));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::graph::FutureState;
    use crate::executor::trace::{Callee, Outcome};

    #[test]
    fn targets_are_points_while_they_live_and_a_little_longer() {
        let events = [
            Event::CallStarted {
                call: 7,
                task: 1,
                callee: Callee::ModuleInit,
                realm: 0,
                seed: 0,
            },
            Event::Registered {
                task: 1,
                future: 3,
                runner: 2,
                detached: false,
                deadline: None,
                seed: 0,
            },
            Event::Settled {
                future: 3,
                state: FutureState::Ready,
            },
            Event::CallEnded {
                call: 7,
                task: 1,
                outcome: Outcome::Cancelled,
                is_cancelled: true,
            },
        ];
        let decisions = [0, 1, 2, 3, 4, 4, 4].map(|events| Mark {
            events,
            is_host: events == 0,
        });
        let points = everywhere(&decisions, &events, 100);
        let at = |event: PointEvent| -> Vec<u32> {
            let points = points.iter().filter(|point| point.event == event);
            points.map(|point| point.ordinal).collect()
        };
        assert_eq!(at(PointEvent::Minor), [0, 1, 2, 3, 4, 5, 6]);
        let inject = PointEvent::Inject;
        assert_eq!(at(inject(Injected::CancelFuture(3))), [2, 3, 4]);
        assert_eq!(at(inject(Injected::CancelCall(7))), [1, 2, 3, 4, 5]);
        assert_eq!(at(inject(Injected::DropCall(7))), [1, 2, 3, 4, 5]);
        for after in 1..ALLOCATIONS_OF_HOST {
            assert_eq!(at(inject(Injected::LaterAllocationFailure(after))), [0]);
        }
        let later = ALLOCATIONS_OF_HOST as usize - 1;
        assert_eq!(points.len(), 3 * 7 + later + 3 + 5 + 5);
        assert_eq!(points.by_sort().len(), 6);
        let others = everywhere(&decisions, &events, 7);
        assert_eq!(
            others.len(),
            3 * 7 + later + 3,
            "call 7 is none of the scenario's"
        );
    }
}
