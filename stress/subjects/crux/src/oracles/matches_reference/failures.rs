//! Failures that nobody sees: each is reported once, when it is clear that nobody will.

use super::{Judge, Verdict, failure};
use crate::executor::trace::TaskId;
use crate::reference::self_driver::INIT_CALL;

impl Judge<'_, '_> {
    /// The failure of a future was reported that nobody had awaited: its run is about to end, or
    /// nobody can reach it any more.
    pub(super) fn unobserved(&mut self, future: u64) -> Verdict {
        let Some(known) = self.model.future(future) else {
            let message = format!("future {future} is reported but was never registered");
            return Err(failure("unobserved", "future", message));
        };
        let runner = known.runner;
        if !self.model.is_unseen(future) {
            let message = format!(
                "future {future} is reported as failed and unseen, but it is {:?}, and seen, or \
                 reported before",
                known.state
            );
            return self.fail("unobserved", runner, message);
        }
        let root = self.model.task(runner).and_then(|task| task.root);
        let is_run_over = root.is_some_and(|root| {
            // What a top level has started goes on behind its end.
            let is_init = self.calls.get(&INIT_CALL) == Some(&root);
            self.model.is_run_over(root) && !is_init
        });
        if !is_run_over && self.model.is_future_reachable(future) {
            let message = format!(
                "future {future} is reported as failed and unseen, but somebody may still await it"
            );
            return self.fail("unobserved", runner, message);
        }
        self.model.report(future);
        Ok(())
    }

    /// Whether all was reported that a run which ends now has failed in, unseen.
    pub(super) fn compare_reported(&self, call: u32, root: TaskId) -> Verdict {
        // A squad that found no memory for its error has told the engine of its children before.
        if call == INIT_CALL || self.has_lacked_memory {
            return Ok(());
        }
        match self.model.unseen_of(root).first() {
            None => Ok(()),
            Some(future) => {
                let message = format!(
                    "call {call} ended, but nobody was told that future {future} failed, which \
                     nobody has seen"
                );
                self.fail("unobserved", root, message)
            }
        }
    }
}
