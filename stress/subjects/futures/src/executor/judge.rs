//! What a run is judged by, when nothing can happen any more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gcrucible_trace::RunOptions;

use super::{Executor, panic_text};

impl Executor<'_> {
    /// Judges a run at its end.
    pub(super) fn judge(&mut self, options: &RunOptions) {
        let is_cut_off = !self.ready.is_empty();
        if is_cut_off {
            self.fail(
                "everything_ends",
                "endless",
                "world",
                "the run takes more decisions than it may",
            );
            return;
        }
        let stuck = self.stuck();
        if options.canary {
            // As if one more task had not ended.
            self.fail(
                "everything_ends",
                "deadlock",
                "canary",
                "a task is said not to have ended",
            );
        } else if self.was_forgotten {
            // What was forgotten may have been told something that nobody will ever do.
            self.judge_tokens();
        } else if !stuck.is_empty() {
            self.judge_stuck(&stuck);
        } else {
            self.judge_rest();
        }
    }

    /// Tasks that should have ended and have not.
    fn stuck(&self) -> Vec<usize> {
        let tasks = self.world.0.tasks.borrow();
        let waits = |at: &usize| !tasks[*at].is_done && !tasks[*at].is_background;
        (0..tasks.len()).filter(waits).collect()
    }

    fn names(&self, tasks: &[usize]) -> String {
        let all = self.world.0.tasks.borrow();
        let names: Vec<_> = tasks
            .iter()
            .map(|&at| format!("`{}`", all[at].name))
            .collect();
        names.join(", ")
    }

    /// Who waits for ever: a poll that nobody asked for shows whether somebody forgot to wake them.
    fn judge_stuck(&mut self, stuck: &[usize]) {
        let wakes = std::sync::Arc::clone(&self.world.0.wakes);
        let names = self.names(stuck);
        let first = self.world.0.tasks.borrow()[stuck[0]].name.clone();
        for &at in stuck {
            let is_stale = wakes.is_stale(at);
            self.note(at, "waits for ever");
            self.poll(at);
            let goes_on = self.world.0.tasks.borrow()[at].is_done || wakes.woken() != 0;
            if !goes_on || self.report.failure.is_some() {
                continue;
            }
            let name = self.world.0.tasks.borrow()[at].name.clone();
            let (check, why) = if is_stale {
                (
                    "stale_waker",
                    "only the waker of an earlier poll was called",
                )
            } else {
                ("lost_wake_up", "nobody woke it")
            };
            self.note(at, "could have gone on");
            let message = format!("`{name}` waits for ever though it could go on: {why}");
            self.fail("everything_ends", check, &name, &message);
            return;
        }
        let message = format!("they wait for ever, and cannot go on: {names}");
        self.fail("everything_ends", "deadlock", &first, &message);
    }

    /// Everybody who is awake wakes itself, and nothing else happens.
    pub(super) fn spins(&mut self) {
        let spinning: Vec<usize> = {
            let tasks = self.world.0.tasks.borrow();
            (0..tasks.len())
                .filter(|&at| tasks[at].spins && !tasks[at].is_done)
                .collect()
        };
        let names = self.names(&spinning);
        let first = spinning.first().map_or(String::new(), |&at| {
            self.world.0.tasks.borrow()[at].name.clone()
        });
        self.fail(
            "progress_is_made",
            "busy_loop",
            &first,
            &format!("they wake themselves again and again, and nothing happens: {names}"),
        );
    }

    /// Invariants, and what was left behind.
    fn judge_rest(&mut self) {
        let inner = std::rc::Rc::clone(&self.world.0);
        if inner.must_let_wakers_go.get() {
            let alive = inner.wakes.alive();
            let own = inner
                .tasks
                .borrow()
                .iter()
                .filter(|task| task.waker.is_some())
                .count();
            if alive > own {
                let message = format!("{} wakers of tasks that ended are kept", alive - own);
                self.fail("nothing_leaks", "wakers", "world", &message);
            }
        }
        let checks = std::mem::take(&mut *inner.at_rest.borrow_mut());
        for check in checks {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(check)) {
                self.fail(
                    "invariants_hold",
                    "at_rest",
                    "world",
                    &panic_text(&*payload),
                );
            }
        }
        let tasks = std::mem::take(&mut *inner.tasks.borrow_mut());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(tasks))) {
            self.fail("no_crash", "panic_in_drop", "world", &panic_text(&*payload));
        }
        self.judge_tokens();
        let missing = inner.tokens.missing();
        if missing != 0 {
            let message = format!("{missing} tokens were never dropped");
            self.fail("nothing_leaks", "tokens", "world", &message);
        }
    }

    /// Nothing was dropped twice.
    fn judge_tokens(&mut self) {
        let dead = self.world.0.tokens.dead();
        if dead > 0 {
            let message = format!("{dead} times a token is used or dropped after its drop");
            self.fail("tokens_drop_once", "double_drop", "world", &message);
        }
    }
}
