//! Endings: futures settle, calls are answered, and at last nothing is left to do.

use gcrucible_engine::CallKind;

use super::{Judge, Verdict, failure};
use crate::executor::graph::{FutureState, GraphDump};
use crate::executor::trace::{Outcome, TaskId};
use crate::reference::self_driver::INIT_CALL;
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
        if !self.decided.contains(&runner) {
            let message = format!("future {future} settled as {state:?} before that was decided");
            return self.fail("settled_early", runner, message);
        }
        let is_allowed = match (end.result, state) {
            (None, FutureState::InternalError) => end.panic.is_some() && !end.token,
            (None, FutureState::Cancelled) => end.panic.is_none() || end.token,
            (Some(Ok(_)), FutureState::Ready) => true,
            (Some(Err(_)), FutureState::Cancelled) => end.token,
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
        for task in self.model.tasks() {
            let status = self.woken_from.get(&task.number).unwrap_or(&task.status);
            let waits = match status {
                Status::Waiting(other) => *other == future,
                Status::WaitingForAny { futures, .. } => futures.contains(&future),
                _ => false,
            };
            if waits {
                *self.wakes.entry(task.number).or_default() += 1;
            }
        }
        self.model.settle(future, state);
        Ok(())
    }

    /// The body of a task has ended: what was requested of it by now counts, and nothing that
    /// comes later.
    pub(super) fn body_ended(&mut self, task: TaskId) -> Verdict {
        let has_ended = self.model.task(task).is_some_and(|task| task.end.is_some());
        if !has_ended || !self.decided.insert(task) {
            let message = format!("its body has ended, in the model that is {has_ended}");
            return self.fail("body_ended", task, message);
        }
        self.model.decide(task);
        Ok(())
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
        if !self.decided.contains(&task) {
            let message = format!("call {call} ended before it was decided how");
            return self.fail("call_ended", task, message);
        }
        // What top levels have spawned goes on.
        if call != INIT_CALL && !self.model.is_run_over(task) {
            let message = format!("call {call} ended before all tasks of its run");
            return self.fail("call_ended_early", task, message);
        }
        self.compare_reported(call, task)?;
        self.calls.remove(&call);
        self.model.end_for_all(task);
        if call == INIT_CALL {
            self.model.freeze(task);
            self.evaluation_ended(task, outcome);
        }
        self.stats.outcomes += 1;
        let compared = match (end.result, outcome) {
            (Some(Ok(value)), Outcome::Returned(dump)) => Some((value, dump)),
            (Some(Err(error)), Outcome::Threw(dump)) if !end.token => Some((error, dump)),
            (None, Outcome::Panicked(dump)) if !end.token && end.panic.is_some() => {
                Some((end.panic.unwrap_or_default(), dump))
            }
            (None, Outcome::Cancelled) if end.panic.is_none() || end.token => None,
            (Some(Err(_)), Outcome::Cancelled) if end.token => None,
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

    /// The host must take a call's end for a cancellation if it is one, whatever wraps it.
    pub(super) fn recognised(
        &self,
        call: u32,
        task: TaskId,
        outcome: &Outcome,
        is_cancelled: bool,
    ) -> Verdict {
        let thrown = self
            .model
            .task(task)
            .and_then(|task| task.end?.result?.err());
        let expected = match outcome {
            Outcome::Returned(_) | Outcome::Panicked(_) => false,
            Outcome::Threw(_) => {
                thrown.is_some_and(|error| self.model.store().wraps_cancellation(error))
            }
            Outcome::Cancelled => true,
        };
        if is_cancelled == expected {
            return Ok(());
        }
        let message = format!(
            "call {call} ended as a cancellation: {is_cancelled}, in the model: {expected}"
        );
        self.fail("is_cancelled", task, message)
    }

    pub(super) fn quiescent(
        &mut self,
        waiting: &[(TaskId, u64)],
        blocked: &[(TaskId, u64)],
    ) -> Verdict {
        for task in self.model.tasks() {
            let number = task.number;
            match &task.status {
                Status::Ready => {
                    let message = "it can run, but the run is over".into();
                    return self.fail("lost_task", number, message);
                }
                Status::Ended => {
                    let future = task.future.and_then(|future| self.model.future(future));
                    if future.is_some_and(|future| future.state == FutureState::Pending) {
                        let message = "its body ended, but its future was never settled".into();
                        return self.fail("lost_settlement", number, message);
                    }
                }
                status if self.model.waits_in_vain(number) => {
                    let message = format!("it waits for ever though it could go on: {status:?}");
                    return self.fail("lost_wakeup", number, message);
                }
                status @ (Status::Sleeping { .. } | Status::Host(_)) => {
                    let message = format!("its operation never ended: {status:?}");
                    return self.fail("lost_timer", number, message);
                }
                status if task.has_deadline(self.model.grace_ms()) => {
                    let message = format!("its deadline never fired: {status:?}");
                    return self.fail("lost_timer", number, message);
                }
                Status::Waiting(_) | Status::WaitingForAny { .. } | Status::Blocked { .. } => {}
            }
        }
        if let Some(number) = self.model.next_finalizer()
            && !self.calls.contains_key(&CallKind::Finalizer.id())
        {
            let message = format!("finalizer {number} is queued, but none runs");
            return Err(failure("lost_finalizer", "finalizer", message));
        }
        for (call, &task) in &self.calls {
            let has_ended = self.model.task(task).is_some_and(|task| task.end.is_some());
            if has_ended && (*call == INIT_CALL || self.model.is_run_over(task)) {
                let message = format!("its run is over, but call {call} was never answered");
                return self.fail("lost_answer", task, message);
            }
        }
        self.compare_waiting("futures", waiting, &self.model.waiting())?;
        self.compare_waiting("channels and mutexes", blocked, &self.model.blocked())
    }

    fn compare_waiting(
        &self,
        what: &str,
        engine: &[(TaskId, u64)],
        model: &[(TaskId, u64)],
    ) -> Verdict {
        let (mut engine, mut model) = (engine.to_vec(), model.to_vec());
        engine.sort_unstable();
        model.sort_unstable();
        if engine == model {
            return Ok(());
        }
        let task = engine
            .iter()
            .chain(&model)
            .find(|pair| engine.contains(pair) != model.contains(pair));
        let message = format!(
            "for {what} wait for ever, as (task, id): in the engine {engine:?}, in the model \
             {model:?}"
        );
        self.fail("waiting", task.map_or(0, |&(task, _)| task), message)
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
        None if end.panic.is_some() => format!("panicked in the host{token}"),
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
