//! `matches_reference`: the engine does what the reference interpreter does.
//!
//! The trace is walked once. Events that are decisions (who runs, for how many
//! instructions, who is cancelled when, in which order futures settle) drive the model;
//! everything that follows from program and decisions is compared with it.

use std::collections::BTreeMap;

use gcrucible_bytecode::{ErrorKind, Program};

use super::failure::Failure;
use crate::executor::graph::{FutureState, GraphDump};
use crate::executor::trace::{Event, Outcome, SliceEnd, TaskId};
pub use crate::reference::Limits;
use crate::reference::{BodyEnd, Model, Status, Step};

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

    fn slice_began(&mut self, task: TaskId, delivered: Option<ErrorKind>) -> Verdict {
        if let Some(open) = &self.slice {
            let message = format!("its slice began inside one of task {}", open.task);
            return self.fail("slice_began", task, message);
        }
        let Some(found) = self.model.task(task) else {
            return self.fail("slice_began", task, "runs but was never created".into());
        };
        if !self.model.could_run(task) {
            let message = match found.end {
                Some(BodyEnd { result: None, .. }) => "cancelled before its start but runs".into(),
                Some(_) => "runs again after its end".into(),
                None => format!("runs while {:?}", found.status),
            };
            return self.fail("slice_began", task, message);
        }
        let expected = self.model.to_deliver(task);
        let is_input = expected.is_none() && delivered == Some(ErrorKind::OutOfMemory);
        if delivered != expected && !is_input {
            let message = format!("the engine delivered {delivered:?}, the model {expected:?}");
            return self.fail("delivered", task, message);
        }
        let ended = self.model.begin_slice(task, delivered);
        self.slice = Some(Slice {
            task,
            printed: Vec::new(),
            ended,
        });
        Ok(())
    }

    fn slice_ended(&mut self, task: TaskId, instructions: u32, end: &SliceEnd) -> Verdict {
        let Some(slice) = self.slice.take_if(|slice| slice.task == task) else {
            return self.fail(
                "slice_end",
                task,
                "its slice ended without having begun".into(),
            );
        };
        let mut found = slice.ended;
        for executed in 0..instructions {
            let blocked = match found {
                Some(_) => None,
                None => match self.model.step(task) {
                    Step::Ran => continue,
                    Step::Ended(how) => {
                        found = Some(how);
                        continue;
                    }
                    Step::Blocked(future) => Some(future),
                },
            };
            let how = match (&found, blocked) {
                (_, Some(future)) => format!("await pending future {future}"),
                (how, None) => format!("end the slice with {how:?}"),
            };
            let message = format!(
                "the engine ran {instructions} instructions and ended with {end:?}, the model's \
                 task must {how} after {executed}"
            );
            return self.fail("slice_end", task, message);
        }
        self.compare_printed(task, &slice.printed)?;
        let is_same = match (&found, end) {
            (None, SliceEnd::Preempted) => true,
            (None, SliceEnd::Awaiting { future }) => self.model.blocked_on(task) == Some(*future),
            (None, _) => false,
            (Some(found), end) => found == end,
        };
        if !is_same {
            let found = match (found, self.model.blocked_on(task)) {
                (Some(found), _) => format!("{found:?}"),
                (None, Some(future)) => format!("goes on with an await of pending future {future}"),
                (None, None) => "goes on".into(),
            };
            let message = format!(
                "after {instructions} instructions the engine's slice ended with {end:?}, the \
                 model's: {found}"
            );
            return self.fail("slice_end", task, message);
        }
        self.model.finish_slice(task, end);
        self.stats.slices += 1;
        match *end {
            SliceEnd::Spawned => {
                self.due = self
                    .model
                    .last_registered()
                    .map(|(future, runner)| Due::Registered {
                        task,
                        future,
                        runner,
                    });
            }
            SliceEnd::Cancelling { future } => {
                let pending = self.model.future(future);
                let pending = pending.filter(|future| future.state == FutureState::Pending);
                let runner = pending.map(|future| future.runner);
                // Between the end of its body and its settlement either is possible.
                let runner = runner
                    .filter(|&runner| self.model.task(runner).is_some_and(|t| t.end.is_none()));
                self.due = runner.map(|runner| Due::CancelRequested {
                    by: task,
                    task: runner,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn compare_printed(&mut self, task: TaskId, engine: &[&str]) -> Verdict {
        let model = self.model.take_printed();
        self.stats.printed += model.len() as u64;
        for at in 0..engine.len().max(model.len()) {
            let (engine, model) = (engine.get(at), model.get(at));
            if engine.copied() != model.map(String::as_str) {
                let line = |line: Option<&str>| line.map_or("nothing".into(), |l| format!("{l:?}"));
                let message = format!(
                    "the engine printed {}, the model {}",
                    line(engine.copied()),
                    line(model.map(String::as_str))
                );
                return self.fail("printed", task, message);
            }
        }
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

    fn settled(&mut self, future: u64, state: FutureState) -> Verdict {
        let Some(&known) = self.model.future(future) else {
            let message = format!("future {future} settled as {state:?} but was never registered");
            return Err(failure("settled", "future", message));
        };
        let runner = known.runner;
        if known.state != FutureState::Pending {
            let message = format!(
                "future {future} settled as {state:?} after it had settled as {:?}",
                known.state
            );
            return self.fail("settled_twice", runner, message);
        }
        let Some(end) = self.model.task(runner).and_then(|task| task.end) else {
            let message = format!("future {future} settled as {state:?} before its body ended");
            return self.fail("settled_early", runner, message);
        };
        let is_allowed = match (end.result, state) {
            (Some(Ok(_)), FutureState::Ready) | (None, FutureState::Cancelled) => true,
            (Some(Err(_)), FutureState::Cancelled) => end.token || self.is_late(runner),
            (Some(Err(_)), FutureState::Error) => !end.token,
            _ => false,
        };
        if !is_allowed {
            let message = format!(
                "future {future} settled as {state:?}, but its body {}",
                how_it_ended(end)
            );
            return self.fail("settled_state", runner, message);
        }
        self.model.settle(future, state);
        Ok(())
    }

    fn is_late(&self, task: TaskId) -> bool {
        self.late_cancels.contains(&task)
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

    fn call_ended(&mut self, call: u32, task: TaskId, outcome: &Outcome) -> Verdict {
        if self.calls.get(&call) != Some(&task) {
            let message = format!("call {call} ended, but it is no open call of this task");
            return self.fail("call_ended", task, message);
        }
        let Some(end) = self.model.task(task).and_then(|task| task.end) else {
            return self.fail(
                "call_ended",
                task,
                format!("call {call} ended before its body did"),
            );
        };
        self.calls.remove(&call);
        self.stats.outcomes += 1;
        let compared = match (end.result, outcome) {
            (Some(Ok(value)), Outcome::Returned(dump)) => Some((value, dump)),
            (Some(Err(error)), Outcome::Threw(dump)) if !end.token => Some((error, dump)),
            (None, Outcome::Cancelled) => None,
            (Some(Err(_)), Outcome::Cancelled) if end.token || self.is_late(task) => None,
            _ => {
                let message = format!(
                    "call {call} ended as {}, but its body {}",
                    shorten(&format!("{outcome:?}")),
                    how_it_ended(end)
                );
                return self.fail("outcome", task, message);
            }
        };
        let Some((value, engine)) = compared else {
            return Ok(());
        };
        let model = self.model.dump(value);
        if model == *engine {
            return Ok(());
        }
        let message = format!(
            "the result of call {call} differs: {}",
            difference(engine, &model)
        );
        self.fail("result", task, message)
    }

    fn quiescent(&mut self, waiting: &[(TaskId, u64)]) -> Verdict {
        let mut left: Vec<(TaskId, u64)> = Vec::new();
        for (task, number) in self.model.tasks().iter().zip(1..) {
            match task.status {
                Status::Ready => {
                    let message = "it can run, but the run is over".into();
                    return self.fail("lost_task", number, message);
                }
                Status::Waiting(_) | Status::Sleeping { .. } if self.model.could_run(number) => {
                    let message =
                        format!("it waits for ever though it could go on: {:?}", task.status);
                    return self.fail("lost_wakeup", number, message);
                }
                Status::Sleeping { .. } => {
                    let message = format!("its timer never fired: {:?}", task.status);
                    return self.fail("lost_timer", number, message);
                }
                Status::Waiting(future) => left.push((number, future)),
                Status::Ended => {
                    let future = task.future.and_then(|future| self.model.future(future));
                    if future.is_some_and(|future| future.state == FutureState::Pending) {
                        let message = "its body ended, but its future was never settled".into();
                        return self.fail("lost_settlement", number, message);
                    }
                }
            }
        }
        for (call, &task) in &self.calls {
            if self.model.task(task).is_some_and(|task| task.end.is_some()) {
                let message = format!("its body ended, but call {call} was never answered");
                return self.fail("lost_answer", task, message);
            }
        }
        let mut waiting = waiting.to_vec();
        waiting.sort_unstable();
        if waiting != left {
            let task = waiting
                .iter()
                .chain(&left)
                .find(|pair| waiting.contains(pair) != left.contains(pair));
            let message = format!(
                "for ever wait, as (task, future): in the engine {waiting:?}, in the model {left:?}"
            );
            return self.fail("waiting", task.map_or(0, |&(task, _)| task), message);
        }
        Ok(())
    }
}

fn how_it_ended(end: BodyEnd) -> String {
    let token = if end.token {
        " while its cancellation was requested"
    } else {
        ""
    };
    match end.result {
        Some(Ok(_)) => format!("returned{token}"),
        Some(Err(_)) => format!("threw{token}"),
        None => "never began, being cancelled before".into(),
    }
}

/// Where two dumps differ first.
fn difference(engine: &GraphDump, model: &GraphDump) -> String {
    if engine.root != model.root {
        return format!(
            "in the engine {:?}, in the model {:?}",
            engine.root, model.root
        );
    }
    let at = (0..engine.nodes.len().max(model.nodes.len()))
        .find(|&at| engine.nodes.get(at) != model.nodes.get(at))
        .unwrap_or_default();
    let node = |dump: &GraphDump| match dump.nodes.get(at) {
        Some(node) => shorten(&format!("{node:?}")),
        None => "absent".into(),
    };
    format!(
        "node {at} is in the engine {}, in the model {}",
        node(engine),
        node(model)
    )
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
