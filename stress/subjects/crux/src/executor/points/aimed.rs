//! Aimed events: cancellations, drops and interrupts right before and right after what their
//! target does.
//!
//! Races of cancellation are about one place: the request comes just before a future settles
//! or just after, just before a task begins to wait or just after. A dry run shows these
//! *transitions*: a task begins, spawns, begins to wait, is woken, catches, ends, settles. For
//! each there are two slots, before the decision in which it happened and before the next one,
//! and in each slot an event for the task itself and for the one that started it, since what
//! happens to a parent reaches its children. Forks and reloads concern everybody: where the host
//! makes them, more of them are aimed at every decision. A run injects one of them, or two, as a run of the
//! [k-th point](gcrucible_explore::KthPoint) does; its seeds are those.

use std::collections::{BTreeMap, BTreeSet};

use gcrucible_explore::{InjectionPoint, InjectionPoints, PointEvent};
use gcrucible_trace::Injected;

use super::Mark;
use crate::executor::trace::{Event, SliceEnd, TaskId};

/// Versions that a reload may ask for; a scenario has fewer.
const VERSIONS: u32 = 4;

/// The aimed events of a dry run: its decisions, and all trace events. Calls from `ids` on are none of the scenario's own.
pub fn aimed(decisions: &[Mark], events: &[Event], ids: u32) -> InjectionPoints {
    let mut tasks = Tasks::default();
    let mut points = BTreeSet::new();
    for (at, mark) in decisions.iter().enumerate() {
        let from = mark.events;
        let to = decisions
            .get(at + 1)
            .map_or(events.len(), |next| next.events);
        for event in events.get(from..to).unwrap_or_default() {
            tasks.meet(event, ids);
            let Some(task) = tasks.of_transition(event) else {
                continue;
            };
            let parent = tasks.parents.get(&task).copied();
            for target in [Some(task), parent].into_iter().flatten() {
                let slots = [at as u32, at as u32 + 1];
                points.extend(
                    tasks
                        .aims_at(target)
                        .flat_map(|aim| slots.map(|slot| (slot, aim))),
                );
            }
        }
    }
    let has = |is_it: fn(&Event) -> bool| events.iter().any(is_it);
    let forks = has(|event| matches!(event, Event::Forked { .. }));
    let reloads = has(|event| matches!(event, Event::Asked { .. }));
    // Before the host's first step there is nothing to fork and to reload.
    for ordinal in 2..decisions.len() as u32 {
        if forks {
            points.extend([Injected::Fork, Injected::DropFork].map(|event| (ordinal, event)));
        }
        if reloads {
            let reload = Injected::Reload(ordinal % VERSIONS);
            points.extend([reload, Injected::Tick].map(|event| (ordinal, event)));
        }
    }
    // Behind the last decision there is none.
    let is_taken = |ordinal: u32| (ordinal as usize) < decisions.len();
    let points = points.into_iter().filter(|&(ordinal, _)| is_taken(ordinal));
    InjectionPoints::from_points(
        points
            .map(|(ordinal, event)| InjectionPoint {
                ordinal,
                event: PointEvent::Inject(event),
            })
            .collect(),
    )
}

/// What a task runs.
#[derive(Clone, Copy)]
enum Runs {
    Call(u32),
    Future(u64),
}

#[derive(Default)]
struct Tasks {
    runs: BTreeMap<TaskId, Runs>,
    parents: BTreeMap<TaskId, TaskId>,
    runners: BTreeMap<u64, TaskId>,
    begun: BTreeSet<TaskId>,
}

impl Tasks {
    /// Notes who is there.
    fn meet(&mut self, event: &Event, ids: u32) {
        match *event {
            Event::CallStarted { call, task, .. } if call < ids => {
                self.runs.insert(task, Runs::Call(call));
            }
            Event::Registered {
                task,
                future,
                runner,
                ..
            } => {
                self.runs.insert(runner, Runs::Future(future));
                self.parents.insert(runner, task);
                self.runners.insert(future, runner);
            }
            _ => {}
        }
    }

    /// The task that comes into another state by this, if one does.
    fn of_transition(&mut self, event: &Event) -> Option<TaskId> {
        match event {
            Event::CallStarted { task, .. }
            | Event::Registered { runner: task, .. }
            | Event::AwaitResolved { task, .. }
            | Event::AwaitManyResolved { task }
            | Event::WaitResolved { task, .. }
            | Event::HostBegan { task }
            | Event::Aborted { task }
            | Event::HostEnded { task, .. }
            | Event::InterruptRaised { task, .. }
            | Event::CancelRequested { task }
            | Event::Woken { task }
            | Event::CallEnded { task, .. } => Some(*task),
            Event::SliceBegan { task, start } => {
                let begins = self.begun.insert(*task);
                (begins || start.delivered || start.dispatched).then_some(*task)
            }
            Event::SliceEnded {
                task,
                end,
                thrown,
                effects,
                ..
            } => {
                let goes_on = matches!(
                    end,
                    SliceEnd::Preempted | SliceEnd::NoMemory | SliceEnd::Resuming
                );
                (!goes_on || *thrown > 0 || effects.is_some()).then_some(*task)
            }
            Event::Settled { future, .. } => self.runners.get(future).copied(),
            _ => None,
        }
    }

    /// The events that can be meant for a task.
    fn aims_at(&self, task: TaskId) -> impl Iterator<Item = Injected> + use<> {
        let aims = match self.runs.get(&task) {
            Some(&Runs::Call(call)) => [
                Some(Injected::CancelCall(call)),
                Some(Injected::DropCall(call)),
                Some(Injected::Interrupt(call)),
            ],
            Some(&Runs::Future(future)) => [Some(Injected::CancelFuture(future)), None, None],
            None => [None; 3],
        };
        aims.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::graph::FutureState;
    use crate::executor::trace::{Asked, Callee};

    fn mark(events: usize) -> Mark {
        Mark {
            events,
            is_host: false,
        }
    }

    fn ended(task: TaskId, end: SliceEnd) -> Event {
        Event::SliceEnded {
            task,
            instructions: 1,
            end,
            thrown: 0,
            caught: 0,
            effects: None,
        }
    }

    #[test]
    fn events_are_aimed_right_before_and_right_after_transitions() {
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
            ended(2, SliceEnd::Preempted),
            Event::Settled {
                future: 3,
                state: FutureState::Ready,
            },
        ];
        // One event happens in each of the decisions 0, 2, 4, 6; decision 8 is the last.
        let decisions = [0, 1, 1, 2, 2, 3, 3, 4, 4].map(mark);
        let points = aimed(&decisions, &events, 100);
        let of = |event: Injected| -> Vec<u32> {
            let event = PointEvent::Inject(event);
            let points = points.iter().filter(|point| point.event == event);
            points.map(|point| point.ordinal).collect()
        };
        assert_eq!(of(Injected::CancelFuture(3)), [2, 3, 6, 7]);
        // Its own beginning, and its child's beginning and end.
        let of_call = [0, 1, 2, 3, 6, 7];
        assert_eq!(of(Injected::CancelCall(7)), of_call);
        assert_eq!(of(Injected::DropCall(7)), of_call);
        assert_eq!(of(Injected::Interrupt(7)), of_call);
        assert_eq!(points.len(), 4 + 3 * 6);
        assert_eq!(aimed(&decisions, &events, 7).len(), 4, "call 7 is nobody's");
        assert!(aimed(&[], &events, 100).is_empty());
    }

    #[test]
    fn forks_and_reloads_are_aimed_everywhere_where_there_are_some() {
        let fork = Event::Forked {
            template: 0,
            fork: 1,
            refused: None,
        };
        let reload = Event::Asked { asked: Asked::Tick };
        let sorts = |events: &[Event]| aimed(&[mark(0); 12], events, 100).by_sort();
        assert_eq!(sorts(&[]), []);
        assert_eq!(
            sorts(std::slice::from_ref(&fork)),
            [("fork", 10), ("drop fork", 10)]
        );
        let both = [
            ("fork", 10),
            ("drop fork", 10),
            ("reload", 10),
            ("tick", 10),
        ];
        assert_eq!(sorts(&[reload, fork]), both);
    }
}
