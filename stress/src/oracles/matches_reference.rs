//! `matches_reference`: the engine does what the reference interpreter does.
//!
//! The trace is walked once. Events that are decisions (who runs, for how many
//! instructions, who is cancelled when, in which order futures settle) drive the model;
//! everything that follows from program and decisions is compared with it.

mod endings;
mod slices;

use std::collections::BTreeMap;

use gcrucible_bytecode::Program;

use super::failure::Failure;
use crate::executor::graph::FutureState;
use crate::executor::trace::{Event, SliceEnd, TaskId};
pub use crate::reference::Limits;
use crate::reference::{Model, Status};

/// Name of the oracle.
pub const NAME: &str = "matches_reference";

/// What the model did while it judged a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelStats {
    /// Instructions run.
    pub instructions: u64,
    /// Statements run.
    pub statements: u64,
    /// Slices compared.
    pub slices: u64,
    /// Printed lines compared.
    pub printed: u64,
    /// Call results compared, with all that they reach.
    pub outcomes: u64,
    /// Objects the model made.
    pub objects: u64,
}

/// Checks a trace of a program against the model.
///
/// # Errors
/// The first event that the model does not allow.
pub fn check(program: &Program, events: &[Event], limits: Limits) -> Result<ModelStats, Failure> {
    let mut judge = Judge {
        model: Model::new(program, limits),
        calls: BTreeMap::new(),
        slice: None,
        due: None,
        late_cancels: Vec::new(),
        stats: ModelStats::default(),
    };
    for event in events {
        judge.event(event)?;
    }
    Ok(judge.finish())
}

/// A slice that began and did not end yet.
struct Slice<'e> {
    task: TaskId,
    printed: Vec<&'e str>,
    /// How it must end at once: nothing caught what was delivered.
    ended: Option<SliceEnd>,
}

/// What the next event must be.
#[derive(Clone, Copy)]
enum Due {
    /// The registration of what was spawned.
    Registered {
        task: TaskId,
        future: u64,
        runner: TaskId,
    },
    /// The request that `cancel` makes.
    CancelRequested { by: TaskId, task: TaskId },
}

struct Judge<'p, 'e> {
    model: Model<'p>,
    /// Open calls and their tasks.
    calls: BTreeMap<u32, TaskId>,
    slice: Option<Slice<'e>>,
    due: Option<Due>,
    /// Tasks that were cancelled after their body had ended but before everybody could see
    /// it: the request may still count.
    late_cancels: Vec<TaskId>,
    stats: ModelStats,
}

type Verdict = Result<(), Failure>;

fn failure(check: &str, site: impl Into<String>, message: String) -> Failure {
    Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: site.into(),
        message,
    }
}

impl<'e> Judge<'_, 'e> {
    fn finish(mut self) -> ModelStats {
        let work = self.model.work();
        self.stats.instructions = work.instructions;
        self.stats.statements = work.statements;
        self.stats.objects = self.model.store().len() as u64;
        self.stats
    }

    /// A failure at the place where a task stands.
    fn fail(&self, check: &str, task: TaskId, message: String) -> Verdict {
        Err(failure(
            check,
            self.model.site(task),
            format!("task {task}: {message}"),
        ))
    }

    fn event(&mut self, event: &'e Event) -> Verdict {
        if !matches!(event, Event::Collected { .. } | Event::TimeAdvanced { .. }) {
            self.settle_due(event)?;
        }
        match event {
            Event::CallStarted { call, task, callee } => self.call_started(*call, *task, callee),
            Event::CallRefused { call } => match self.calls.contains_key(call) {
                true => Ok(()),
                false => Err(failure(
                    "call_refused",
                    "host",
                    format!("call id {call} was refused as taken, but no open call has it"),
                )),
            },
            Event::SliceBegan { task, delivered } => self.slice_began(*task, *delivered),
            Event::Printed { task, text } => match &mut self.slice {
                Some(slice) if slice.task == *task => {
                    slice.printed.push(text);
                    Ok(())
                }
                _ => self.fail(
                    "printed",
                    *task,
                    format!("printed {text:?} outside its slices"),
                ),
            },
            Event::SliceEnded {
                task,
                instructions,
                end,
            } => self.slice_ended(*task, *instructions, end),
            // Compared as what was due.
            Event::Registered { .. } => Ok(()),
            Event::AwaitResolved { task, future } => self.await_resolved(*task, *future),
            Event::CancelRequested { task } => self.cancel_requested(*task),
            Event::Settled { future, state } => self.settled(*future, *state),
            Event::SettleRefused { future } => match self.model.future(*future) {
                Some(known) if known.state != FutureState::Pending => Ok(()),
                _ => Err(failure(
                    "settle_refused",
                    "future",
                    format!("completing future {future} was refused, but it is pending"),
                )),
            },
            Event::Woken { task } => self.woken(*task),
            // Whether it had a reason is for another oracle to say.
            Event::MemoryRefused { .. } => Ok(()),
            Event::CallEnded {
                call,
                task,
                outcome,
            } => self.call_ended(*call, *task, outcome),
            Event::Collected { .. } => Ok(()),
            Event::TimeAdvanced { now_ms } => {
                if *now_ms < self.model.now_ms() {
                    let message =
                        format!("time went from {} back to {now_ms}", self.model.now_ms());
                    return Err(failure("time_advanced", "clock", message));
                }
                self.model.set_now(*now_ms);
                Ok(())
            }
            Event::Quiescent { waiting } => self.quiescent(waiting),
        }
    }

    /// Compares an event with what is due, if something is.
    fn settle_due(&mut self, event: &Event) -> Verdict {
        match (self.due.take(), event) {
            (None, Event::Registered { task, future, .. }) => self.fail(
                "registered",
                *task,
                format!("future {future} registered, none spawned"),
            ),
            (None, _) => Ok(()),
            (
                Some(Due::Registered {
                    task,
                    future,
                    runner,
                }),
                found,
            ) => {
                if *found
                    == (Event::Registered {
                        task,
                        future,
                        runner,
                    })
                {
                    return Ok(());
                }
                if matches!(found, Event::MemoryRefused { task: refused, .. } if *refused == task) {
                    self.model.take_back_spawn(task);
                    return Ok(());
                }
                let message = format!(
                    "spawn must register future {future} to be run by task {runner} at once, \
                     but next came {found:?}"
                );
                self.fail("registered", task, message)
            }
            (Some(Due::CancelRequested { task, .. }), Event::CancelRequested { task: found })
                if task == *found =>
            {
                Ok(())
            }
            (Some(Due::CancelRequested { by, task }), found) => {
                let message = format!(
                    "cancel of a pending future must request cancellation of task {task}, \
                     but next came {found:?}"
                );
                self.fail("cancel_requested", by, message)
            }
        }
    }

    fn call_started(
        &mut self,
        call: u32,
        task: TaskId,
        callee: &crate::executor::trace::Callee,
    ) -> Verdict {
        if let Some(open) = self.calls.get(&call) {
            let message =
                format!("call id {call} was given out while task {open} still runs under it");
            return Err(failure("duplicate_call", "host", message));
        }
        let expected = self.model.start_call(callee);
        if task != expected {
            let message = format!("call {call} got task number {task}, the next one is {expected}");
            return Err(failure("call_started", "host", message));
        }
        self.calls.insert(call, task);
        Ok(())
    }

    fn cancel_requested(&mut self, task: TaskId) -> Verdict {
        let Some(found) = self.model.task(task) else {
            return self.fail(
                "cancel_requested",
                task,
                "cancelled but never created".into(),
            );
        };
        if found.end.is_some() {
            self.late_cancels.push(task);
        } else {
            self.model.request_cancel(task);
        }
        Ok(())
    }

    fn await_resolved(&mut self, task: TaskId, future: u64) -> Verdict {
        let status = self.model.task(task).map(|task| task.status);
        let state = self.model.future(future).map(|future| future.state);
        if status != Some(Status::Waiting(future)) || state == Some(FutureState::Pending) {
            let message = format!(
                "its await was answered as resolved; the task is {status:?}, future {future} is \
                 {state:?}"
            );
            return self.fail("await_resolved", task, message);
        }
        self.model.wake(task);
        Ok(())
    }

    fn woken(&mut self, task: TaskId) -> Verdict {
        let status = self.model.task(task).map(|task| task.status);
        match status {
            Some(Status::Waiting(_) | Status::Sleeping { .. }) if self.model.could_run(task) => {
                self.model.wake(task);
                Ok(())
            }
            Some(status) => self.fail("woken", task, format!("woken while {status:?}")),
            None => self.fail("woken", task, "woken but never created".into()),
        }
    }
}

#[cfg(test)]
mod tests;
