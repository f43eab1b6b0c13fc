//! Aimed events: cancellations, drops and interrupts right before and right after what their
//! target does.
//!
//! Races of cancellation are about one place: the request comes just before a future settles
//! or just after, just before a task begins to wait or just after. A dry run shows these
//! *transitions*: a task begins, spawns, begins to wait, is woken, catches, finds no memory, ends,
//! settles. For each there are two slots, before the decision in which it happened and before the
//! next one, and a third half-way since the task's last one: what it does there, say while room is
//! made for it, shows in no trace. In each slot there is an event for the task itself and for the
//! one that started it, since what happens to a parent reaches its children; and an allocation that
//! fails. A kind of transition that is rare gets as many runs as one that is not, up to a limit.
//! Forks and reloads concern everybody: where the host makes them, more of them are aimed at every
//! decision. A run injects one of these events, or [two that are near one
//! another](InjectionPoints::near); its seeds are those of the [k-th point](gcrucible_explore::KthPoint).

use std::collections::{BTreeMap, BTreeSet};

use gcrucible_explore::{InjectionPoint, InjectionPoints, PointEvent};
use gcrucible_trace::Injected;

use super::Mark;
use crate::executor::trace::{Event, SliceEnd, TaskId};

/// Versions that a reload may ask for; a scenario has fewer.
const VERSIONS: u32 = 4;

/// How often a point of a rare kind is taken at most, for one of the most frequent kind.
const OFTEN: usize = 16;

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
            let Some((task, transition)) = tasks.of_transition(event) else {
                continue;
            };
            let parent = tasks.parents.get(&task).copied();
            let at = at as u32;
            let last = tasks.transitions.insert(task, at).unwrap_or(at);
            let slots = [
                Some((Kind::Before(transition), at)),
                Some((Kind::After(transition), at + 1)),
                half_way(last, at).map(|slot| (Kind::HalfWay, slot)),
            ];
            for (kind, slot) in slots.into_iter().flatten() {
                for target in [Some(task), parent].into_iter().flatten() {
                    points.extend(tasks.aims_at(target).map(|aim| (kind, slot, aim)));
                }
                points.insert((Kind::NoMemory, slot, Injected::AllocationFailure));
            }
        }
    }
    let has = |is_it: fn(&Event) -> bool| events.iter().any(is_it);
    let forks = has(|event| matches!(event, Event::Forked { .. }));
    let reloads = has(|event| matches!(event, Event::Asked { .. }));
    // Before the host's first step there is nothing to fork and to reload.
    for ordinal in 2..decisions.len() as u32 {
        if forks {
            let forks = [Injected::Fork, Injected::DropFork];
            points.extend(forks.map(|event| (Kind::Fork, ordinal, event)));
        }
        if reloads {
            let reload = Injected::Reload(ordinal % VERSIONS);
            points.extend([reload, Injected::Tick].map(|event| (Kind::Reload, ordinal, event)));
        }
    }
    // Behind the last decision there is none.
    points.retain(|&(_, ordinal, _)| (ordinal as usize) < decisions.len());
    balanced(&points)
}

/// The points, those of rare kinds more than once each: what tasks do again and again would leave
/// hardly a run to what they do once.
fn balanced(points: &BTreeSet<(Kind, u32, Injected)>) -> InjectionPoints {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for &(kind, ..) in points {
        *counts.entry(kind).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let points = points.iter().flat_map(|&(kind, ordinal, event)| {
        let point = InjectionPoint {
            ordinal,
            event: PointEvent::Inject(event),
        };
        std::iter::repeat_n(point, (most / counts[&kind]).clamp(1, OFTEN))
    });
    InjectionPoints::from_points(points.collect())
}

/// What an event is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Before(Transition),
    After(Transition),
    HalfWay,
    NoMemory,
    Fork,
    Reload,
}

/// What a task does that brings it into another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Transition {
    Starts,
    IsSpawned,
    AwaitEnds,
    WaitEnds,
    HostBegins,
    HostEnds,
    IsAborted,
    IsInterrupted,
    IsCancelled,
    IsWoken,
    Ends,
    Begins,
    IsThrownAt,
    FindsNoMemory,
    Throws,
    Affects,
    Waits,
    Settles,
}

/// The slot half-way between those of two transitions, if they leave one.
fn half_way(last: u32, at: u32) -> Option<u32> {
    (at.saturating_sub(last) > 2).then(|| last.midpoint(at).max(last + 2))
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
    /// The decision of the last transition of each.
    transitions: BTreeMap<TaskId, u32>,
    /// How often each has found no memory.
    refusals: BTreeMap<TaskId, u32>,
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

    /// The task that comes into another state by this, and how, if one does.
    fn of_transition(&mut self, event: &Event) -> Option<(TaskId, Transition)> {
        Some(match event {
            Event::CallStarted { task, .. } => (*task, Transition::Starts),
            Event::Registered { runner, .. } => (*runner, Transition::IsSpawned),
            Event::AwaitResolved { task, .. } | Event::AwaitManyResolved { task } => {
                (*task, Transition::AwaitEnds)
            }
            Event::WaitResolved { task, .. } => (*task, Transition::WaitEnds),
            Event::HostBegan { task } => (*task, Transition::HostBegins),
            Event::HostEnded { task, .. } => (*task, Transition::HostEnds),
            Event::Aborted { task } => (*task, Transition::IsAborted),
            Event::InterruptRaised { task, .. } => (*task, Transition::IsInterrupted),
            Event::CancelRequested { task } => (*task, Transition::IsCancelled),
            Event::Woken { task } => (*task, Transition::IsWoken),
            Event::CallEnded { task, .. } => (*task, Transition::Ends),
            Event::SliceBegan { task, start } => {
                let begins = self.begun.insert(*task);
                if start.delivered || start.dispatched {
                    (*task, Transition::IsThrownAt)
                } else if begins {
                    (*task, Transition::Begins)
                } else {
                    return None;
                }
            }
            Event::SliceEnded {
                task,
                end,
                thrown,
                effects,
                ..
            } => {
                let transition = match end {
                    // With some modes every allocation does: the first time, the second, the fourth…
                    SliceEnd::NoMemory if self.is_noteworthy_refusal(*task) => {
                        Transition::FindsNoMemory
                    }
                    _ if *thrown > 0 => Transition::Throws,
                    _ if effects.is_some() => Transition::Affects,
                    SliceEnd::Preempted | SliceEnd::Resuming | SliceEnd::NoMemory => return None,
                    _ => Transition::Waits,
                };
                (*task, transition)
            }
            Event::Settled { future, .. } => (*self.runners.get(future)?, Transition::Settles),
            _ => return None,
        })
    }

    fn is_noteworthy_refusal(&mut self, task: TaskId) -> bool {
        let refusals = self.refusals.entry(task).or_default();
        *refusals += 1;
        refusals.is_power_of_two()
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

    /// The decisions before which an event is injected.
    fn slots_of(points: &InjectionPoints, event: Injected) -> Vec<u32> {
        let event = PointEvent::Inject(event);
        let points = points.iter().filter(|point| point.event == event);
        let slots: BTreeSet<u32> = points.map(|point| point.ordinal).collect();
        slots.into_iter().collect()
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
        assert_eq!(
            slots_of(&points, Injected::CancelFuture(3)),
            [2, 3, 4, 6, 7]
        );
        // Its own beginning, its child's beginning and end, and half-way between these.
        let of_call = [0, 1, 2, 3, 4, 6, 7];
        for event in [
            Injected::CancelCall(7),
            Injected::DropCall(7),
            Injected::Interrupt(7),
        ] {
            assert_eq!(slots_of(&points, event), of_call);
        }
        assert_eq!(slots_of(&points, Injected::AllocationFailure), of_call);
        let others = aimed(&decisions, &events, 7);
        let of_others = slots_of(&others, Injected::CancelCall(7));
        assert!(of_others.is_empty(), "call 7 is nobody's");
        assert!(aimed(&[], &events, 100).is_empty());
    }

    #[test]
    fn events_are_aimed_at_a_task_that_finds_no_memory() {
        let mut events = vec![Event::Registered {
            task: 1,
            future: 3,
            runner: 2,
            detached: false,
            deadline: None,
            seed: 0,
        }];
        events.resize(8, ended(2, SliceEnd::NoMemory));
        let decisions: Vec<Mark> = (0..10).map(mark).collect();
        let points = aimed(&decisions, &events, 100);
        // It is spawned in decision 0, and refused in 1 to 7.
        let slots = [0, 1, 2, 3, 4, 5];
        assert_eq!(slots_of(&points, Injected::CancelFuture(3)), slots);
    }

    #[test]
    fn what_is_rare_has_as_many_turns_as_what_is_not() {
        let often = (0..40).map(|slot| (Kind::Before(Transition::Waits), slot, Injected::Tick));
        let rare = [(Kind::NoMemory, 7, Injected::AllocationFailure)];
        let seldom = (0..10).map(|slot| (Kind::Fork, slot, Injected::Fork));
        let points = balanced(&often.chain(rare).chain(seldom).collect());
        let counts = [("tick", 40), ("allocation failure", 16), ("fork", 40)];
        assert_eq!(points.by_sort(), counts);
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
