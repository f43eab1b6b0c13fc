//! Counts what a trace shows.

use std::collections::BTreeMap;

use gcrucible_bytecode::ErrorKind;
use gcrucible_engine::CallKind;

use crate::executor::graph::FutureState;
use crate::executor::trace::{Event, ForkRefusal, Outcome, SliceEnd, TaskId, VersionStep};
use crate::oracles::matches_reference::Happening;
use gcrucible_trace::{Counters, EventKind};

/// Adds what the trace says to the counters.
pub(super) fn count(events: &[Event], happened: &[Happening], counters: &mut Counters) {
    for &(_, _, kind, _) in happened {
        match kind {
            EventKind::Deadline => counters.deadlines += 1,
            EventKind::Interrupt => counters.interrupts += 1,
            _ => {}
        }
    }
    let mut tally = Tally {
        counters,
        stands: BTreeMap::new(),
        runners: BTreeMap::new(),
        settled: BTreeMap::new(),
    };
    events.iter().for_each(|event| tally.note(event));
}

/// Where a task was when it was last seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    NotBegun,
    Running,
    Awaiting,
    Waiting,
    InHostOperation,
}

struct Tally<'c> {
    counters: &'c mut Counters,
    stands: BTreeMap<TaskId, Stands>,
    /// Tasks by the future they run.
    runners: BTreeMap<u64, TaskId>,
    settled: BTreeMap<u64, FutureState>,
}

impl Tally<'_> {
    fn note(&mut self, event: &Event) {
        match event {
            Event::CallStarted {
                call, task, realm, ..
            } => {
                self.counters.fork_calls +=
                    u64::from(*realm > 0 && CallKind::of_id(*call).is_of_host());
                self.counters.tasks += 1;
                self.counters.calls += u64::from(CallKind::of_id(*call).is_of_host());
                self.stands.insert(*task, Stands::NotBegun);
            }
            Event::Registered { future, runner, .. } => {
                self.counters.tasks += 1;
                self.stands.insert(*runner, Stands::NotBegun);
                self.runners.insert(*future, *runner);
            }
            Event::Forked { refused, .. } => match refused {
                None => self.counters.forks += 1,
                Some(ForkRefusal::Stream(_)) => self.counters.forks_refused += 1,
                Some(_) => {}
            },
            Event::ForkDropped { .. } => self.counters.forks_dropped += 1,
            Event::RequestBegan { .. } => self.counters.requests += 1,
            Event::RequestRefused { .. } => self.counters.requests_refused += 1,
            Event::Disconnected { .. } => self.counters.disconnects += 1,
            Event::CancelRequested { .. } => self.counters.cancels += 1,
            Event::Version { step, .. } => {
                let counters = &mut *self.counters;
                match step {
                    VersionStep::Begun => counters.reloads_begun += 1,
                    VersionStep::Swapped => counters.reloads_swapped += 1,
                    VersionStep::Failed(_) => counters.reloads_failed += 1,
                    VersionStep::Deferred => counters.reloads_deferred += 1,
                }
            }
            Event::SliceBegan { task, start } => {
                if start.delivered && start.offered == Some(ErrorKind::Cancelled) {
                    self.cancelled(*task);
                }
                self.stands.insert(*task, Stands::Running);
            }
            Event::SliceEnded { task, end, .. } => self.slice_ended(*task, end),
            Event::Aborted { .. } => self.counters.cancelled_aborted += 1,
            Event::Settled { future, state } => self.settled(*future, *state),
            Event::CallEnded {
                task,
                outcome: Outcome::Cancelled,
                ..
            } if self.stands.get(task) == Some(&Stands::NotBegun) => self.cancelled(*task),
            _ => {}
        }
    }

    fn slice_ended(&mut self, task: TaskId, end: &SliceEnd) {
        let stands = match end {
            SliceEnd::Awaiting { .. } | SliceEnd::AwaitingMany { .. } => Stands::Awaiting,
            SliceEnd::Waiting { .. } | SliceEnd::Sleeping { .. } => Stands::Waiting,
            SliceEnd::Host => Stands::InHostOperation,
            SliceEnd::Cancelling { future } => {
                self.counters.cancelled_late += u64::from(self.settled.contains_key(future));
                Stands::Running
            }
            _ => Stands::Running,
        };
        self.stands.insert(task, stands);
    }

    fn settled(&mut self, future: u64, state: FutureState) {
        match state {
            FutureState::Ready => self.counters.futures_ready += 1,
            FutureState::Error => self.counters.futures_error += 1,
            FutureState::Cancelled => self.counters.futures_cancelled += 1,
            FutureState::InternalError => self.counters.futures_internal_error += 1,
            FutureState::Pending => {}
        }
        self.settled.insert(future, state);
        if let Some(&runner) = self.runners.get(&future)
            && state == FutureState::Cancelled
            && self.stands.get(&runner) == Some(&Stands::NotBegun)
        {
            self.cancelled(runner);
        }
    }

    /// A cancellation reached a task.
    fn cancelled(&mut self, task: TaskId) {
        let counters = &mut *self.counters;
        match self.stands.get(&task) {
            None | Some(Stands::NotBegun) => counters.cancelled_unstarted += 1,
            Some(Stands::Running) => counters.cancelled_running += 1,
            Some(Stands::Awaiting) => counters.cancelled_awaiting += 1,
            Some(Stands::Waiting) => counters.cancelled_waiting += 1,
            Some(Stands::InHostOperation) => counters.cancelled_in_host += 1,
        }
    }
}
