//! Slices: who may run, what is delivered, what is printed, how it ends.

use gcrucible_bytecode::ErrorKind;

use super::{Due, Judge, Slice, Verdict};
use crate::executor::graph::FutureState;
use crate::executor::trace::{SliceEnd, TaskId};
use crate::reference::{BodyEnd, Step};

impl Judge<'_, '_> {
    pub(super) fn slice_began(&mut self, task: TaskId, delivered: Option<ErrorKind>) -> Verdict {
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
        let is_input = delivered == Some(ErrorKind::OutOfMemory);
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

    pub(super) fn slice_ended(
        &mut self,
        task: TaskId,
        instructions: u32,
        end: &SliceEnd,
    ) -> Verdict {
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
}
