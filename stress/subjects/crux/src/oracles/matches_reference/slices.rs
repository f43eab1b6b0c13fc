//! Slices: who may run, what is delivered, what is printed, how it ends.

use gcrucible_bytecode::ErrorKind;

use super::{Due, Judge, Slice, Verdict};
use crate::executor::graph::FutureState;
use crate::executor::trace::{Effects, Event, SliceEnd, SliceStart, TaskId};
use crate::oracles::{clients_stop_when_cancelled, library_keeps_its_word};
use crate::reference::{BodyEnd, Status, Step};

impl<'e> Judge<'_, 'e> {
    pub(super) fn slice_began(&mut self, task: TaskId, start: &'e SliceStart) -> Verdict {
        if let Some(open) = &self.slice {
            let message = format!("its slice began inside one of task {}", open.task);
            return self.fail("slice_began", task, message);
        }
        self.woken_from.remove(&task);
        self.turns.leave(task);
        self.delayed.remove(&task);
        self.refused.remove(&task);
        if self.model.spawning(task).is_some() && start.offered == Some(ErrorKind::OutOfMemory) {
            self.model.drop_spawn(task);
        }
        if self.looks_in_vain(task) {
            self.model.wake(task);
        }
        let Some(found) = self.model.task(task) else {
            return self.fail("slice_began", task, "runs but was never created".into());
        };
        if self.model.spawning(task).is_some() {
            let message = "goes on, but what it spawned was not registered".into();
            return self.fail("registered", task, message);
        }
        if !self.model.could_run(task) && !self.model.offers_cancellation(task) {
            let message = match found.end {
                Some(BodyEnd {
                    result: None,
                    panic: None,
                    ..
                }) => "cancelled before its start but runs".into(),
                Some(_) => "runs again after its end".into(),
                None => format!("runs while {:?}", found.status),
            };
            return self.fail("slice_began", task, message);
        }
        if self.model.is_body_overdue(task) {
            let message = "goes on after the grace time of its cancellation".into();
            return self.fail("grace", task, message);
        }
        self.compare_start(task, start)?;
        self.slice = Some(Slice {
            task,
            start,
            printed: Vec::new(),
        });
        Ok(())
    }

    /// Compares what a slice is told with what follows from the trace so far.
    fn compare_start(&self, task: TaskId, start: &SliceStart) -> Verdict {
        let Some(found) = self.model.task(task) else {
            return Ok(());
        };
        let expected = self.model.to_deliver(task);
        // That there is no memory does not wait for anything.
        let is_input = start.offered == Some(ErrorKind::OutOfMemory);
        let is_second = start.offered == Some(ErrorKind::HostError)
            && found.failed_operation.is_some()
            && found.refused_cancel;
        if start.offered != expected && !is_input && !is_second {
            let message = format!(
                "the engine delivered {:?}, the model {expected:?}",
                start.offered
            );
            return self.fail("delivered", task, message);
        }
        let message = start.message.as_ref();
        let failed = found.failed_operation.as_ref();
        if start.offered == Some(ErrorKind::HostError) && message != failed {
            let message = format!("its operation failed with {failed:?}, it is told {message:?}");
            return self.fail("delivered", task, message);
        }
        // Where there is no memory for a signal's text, the error comes first. A body that has
        // not begun need not handle anything yet.
        let signal = self.model.to_dispatch(task).filter(|_| !is_input);
        if start.interrupt.as_deref() != signal && found.entered {
            let message = format!(
                "the engine dispatched {:?}, the model {signal:?}",
                start.interrupt
            );
            return self.fail("dispatched", task, message);
        }
        if found.is_at_operation() && start.operation_over && !self.model.is_operation_over(found) {
            let message = format!("its operation is over in the engine: {:?}", found.status);
            return self.fail("operation_over", task, message);
        }
        let told = (
            start.cancel_requested,
            start.now_ms,
            start.inherited_deadline,
            start.open_tasks,
            &start.failed_squads,
        );
        let model = (
            found.token,
            self.model.now_ms(),
            found.inherited_deadline,
            self.model.open_tasks(found),
            &found.failed_squads,
        );
        if told != model {
            let message = format!(
                "as (cancellation, time, deadline, open tasks, failed squads) the engine told {told:?}, in the \
                 model {model:?}"
            );
            return self.fail("slice_start", task, message);
        }
        Ok(())
    }

    pub(super) fn slice_ended(&mut self, event: &Event) -> Verdict {
        let Event::SliceEnded {
            task,
            instructions,
            ref end,
            thrown,
            caught,
            ref effects,
        } = *event
        else {
            return Ok(());
        };
        let Some(slice) = self.slice.take_if(|slice| slice.task == task) else {
            return self.fail(
                "slice_end",
                task,
                "its slice ended without having begun".into(),
            );
        };
        let out_of_memory = *end == SliceEnd::NoMemory;
        self.compare_taken(&slice, out_of_memory && instructions == 0)?;
        let thrown_max = (out_of_memory && instructions == 0).then_some(thrown);
        let mut found = self.model.begin_slice(task, slice.start, thrown_max);
        for executed in 0..instructions {
            if found.is_none() {
                found = self.model.throw_spent(task, None);
            }
            if let Some(how) = found {
                let message = format!(
                    "the engine ran {instructions} instructions and ended with {end:?}, the \
                     model's task must end the slice with {how:?} after {executed}"
                );
                return self.fail("slice_end", task, message);
            }
            if let Step::Ended(how) = self.model.step(task) {
                found = Some(how);
            }
        }
        if found.is_none() && instructions < slice.start.fuel {
            let thrown_max = out_of_memory.then_some(thrown);
            found = self.model.throw_spent(task, thrown_max);
        }
        self.compare_printed(task, &slice.printed)?;
        let is_same = match (&found, end) {
            (None, SliceEnd::Preempted | SliceEnd::NoMemory) => true,
            (None, _) => false,
            (Some(found), end) => found == end,
        };
        if !is_same {
            let found = found.map_or("goes on".into(), |found| format!("{found:?}"));
            let message = format!(
                "after {instructions} instructions the engine's slice ended with {end:?}, the \
                 model's: {found}"
            );
            return self.fail("slice_end", task, message);
        }
        let log = self.model.log();
        if (thrown, caught) != (log.thrown, log.caught) {
            let message = format!(
                "as (thrown, caught) the engine counted {:?}, the model {:?}",
                (thrown, caught),
                (log.thrown, log.caught)
            );
            return self.fail("thrown", task, message);
        }
        let nothing = Effects::default();
        self.compare_effects(task, effects.as_deref().unwrap_or(&nothing))?;
        let broken = self.model.log().broken;
        clients_stop_when_cancelled::check(task, broken, || self.model.site(task))?;
        library_keeps_its_word::check(task, self.model.log().broken_pledge.as_ref())?;
        self.note_turns(task, end);
        let did_something = effects.as_deref().is_some_and(|did| *did != nothing);
        if did_something && matches!(end, SliceEnd::Sleeping { .. }) {
            self.delayed.insert(task);
        }
        self.model.finish_slice(task, end);
        if *end == SliceEnd::Resuming && instructions > 0 {
            self.model.offer_again(task);
        }
        self.stats.slices += 1;
        self.note_due(task, end, effects.as_deref().unwrap_or(&nothing));
        Ok(())
    }

    /// Compares what a slice took of what it was offered.
    fn compare_taken(&self, slice: &Slice<'_>, may_lack_memory: bool) -> Verdict {
        let start = slice.start;
        let offered = self.model.slice_start(slice.task, start.fuel);
        let dispatched = start.interrupt.is_some();
        let is_excused = may_lack_memory && !start.dispatched;
        if start.dispatched != dispatched && !is_excused {
            let message = format!("{:?} was not dispatched", start.interrupt);
            return self.fail("dispatched", slice.task, message);
        }
        let takes = match start.offered {
            // While a handler runs or a squad drains it has to wait.
            Some(ErrorKind::Cancelled) => offered.delivered,
            offered => offered.is_some(),
        };
        let is_excused = may_lack_memory && !start.delivered;
        if start.delivered != takes && !is_excused {
            let message = format!(
                "{:?} was delivered: {}, in the model: {takes}",
                start.offered, start.delivered
            );
            return self.fail("delivered", slice.task, message);
        }
        Ok(())
    }

    fn compare_effects(&self, task: TaskId, engine: &Effects) -> Verdict {
        let model = &self.model.log().effects;
        if engine == model {
            return Ok(());
        }
        let differs = [
            ("changed", engine.changed != model.changed),
            ("cancel", engine.cancel != model.cancel),
            ("interrupts", engine.interrupts != model.interrupts),
            ("awaited", engine.awaited != model.awaited),
            ("host", engine.host != model.host),
            ("trace", engine.trace != model.trace),
            ("skipped_steps", engine.skipped_steps != model.skipped_steps),
            ("finishing", engine.finishing != model.finishing),
        ];
        let first = differs.iter().find(|(_, differs)| *differs);
        let check = first.map_or("effects", |(name, _)| name);
        let message = format!("{check} differs: in the engine {engine:?}, in the model {model:?}");
        self.fail(check, task, message)
    }

    /// What has to follow a slice at once.
    fn note_due(&mut self, by: TaskId, end: &SliceEnd, effects: &Effects) {
        let single = match *end {
            SliceEnd::Cancelling { future } => Some((future, false)),
            _ => None,
        };
        let of_scopes = effects.cancel.iter().map(|&future| (future, true));
        for (future, by_scope) in single.into_iter().chain(of_scopes) {
            let pending = self.model.future(future);
            let pending = pending.filter(|future| future.state == FutureState::Pending);
            if let Some(task) = pending.map(|future| future.runner) {
                self.due.push_back(Due::CancelRequested {
                    by,
                    task,
                    by_scope,
                    is_passed_on: false,
                });
            }
        }
        let root = self.model.task(by).and_then(|task| task.root);
        let Some(root) = root.filter(|_| self.model.program_of(by).interrupt.is_some()) else {
            return;
        };
        let status = self.model.task(root).map(|task| &task.status);
        let is_optional = status == Some(&Status::Ended);
        for signal in &effects.interrupts {
            if !self.model.has_handler(root, signal) {
                continue;
            }
            self.due.push_back(Due::InterruptRaised {
                by,
                root,
                signal: signal.clone(),
                is_optional,
            });
        }
    }

    fn compare_printed(&mut self, task: TaskId, engine: &[&str]) -> Verdict {
        let model = &self.model.log().printed;
        self.stats.printed += model.len() as u64;
        for at in 0..engine.len().max(model.len()) {
            let (engine, model) = (engine.get(at), model.get(at));
            if engine.copied() != model.map(String::as_str) {
                let (engine, model) = (engine.copied(), model.map(String::as_str));
                let from = common_prefix(engine.unwrap_or(""), model.unwrap_or(""));
                let line = |line: Option<&str>| line.map_or("nothing".into(), |l| around(l, from));
                let message = format!(
                    "the engine printed {}, the model {}",
                    line(engine),
                    line(model)
                );
                return self.fail("printed", task, message);
            }
        }
        Ok(())
    }
}

/// Characters of a long text that a message shows before and after the first difference.
const SHOWN: usize = 80;

/// How many characters two texts begin with that are the same.
fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// A text, quoted; of a long one, what stands around its character number `at`.
fn around(text: &str, at: usize) -> String {
    let count = text.chars().count();
    if count <= 4 * SHOWN {
        return format!("{text:?}");
    }
    let from = at.saturating_sub(SHOWN);
    let part: String = text.chars().skip(from).take(2 * SHOWN).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + 2 * SHOWN < count { "…" } else { "" };
    format!("{before}{part:?}{after} (of {count} characters, from {from})")
}

#[cfg(test)]
mod tests {
    use super::{around, common_prefix};

    #[test]
    fn of_long_texts_what_differs_is_shown() {
        assert_eq!(around("ä", 0), "\"ä\"");
        let long = format!("{}ä{}", "a".repeat(500), "b".repeat(500));
        let other = "a".repeat(1000);
        let from = common_prefix(&long, &other);
        assert_eq!(from, 500);
        let expected = format!(
            "…\"{}ä{}\"… (of 1001 characters, from 420)",
            "a".repeat(80),
            "b".repeat(79)
        );
        assert_eq!(around(&long, from), expected);
    }
}
