//! Endings: futures settle, calls are answered, and at last nothing is left to do.

use super::{Judge, Verdict, failure};
use crate::executor::graph::{FutureState, GraphDump};
use crate::executor::trace::{Outcome, TaskId};
use crate::reference::{BodyEnd, Status};

impl Judge<'_, '_> {
    pub(super) fn settled(&mut self, future: u64, state: FutureState) -> Verdict {
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

    pub(super) fn call_ended(&mut self, call: u32, task: TaskId, outcome: &Outcome) -> Verdict {
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

    pub(super) fn quiescent(&mut self, waiting: &[(TaskId, u64)]) -> Verdict {
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
