//! Time: it never goes back, nor past anything that is due, nor on while somebody could go on whom
//! nobody has woken.

use super::{Judge, Verdict, failure};
use crate::executor::trace::Passing;

impl Judge<'_, '_> {
    pub(super) fn time_advanced(&mut self, now_ms: u64, why: Passing) -> Verdict {
        let before = self.model.now_ms();
        if now_ms < before {
            let message = format!("time went from {before} back to {now_ms}");
            return Err(failure("time_advanced", "clock", message));
        }
        // Who waits for memory waits for others, or for time, though it could run.
        if why == Passing::Idle && now_ms > before && !self.has_lacked_memory {
            self.nobody_was_forgotten(now_ms)?;
        }
        self.model.set_now(now_ms);
        Ok(())
    }

    /// Nobody goes on by himself until `now_ms`: so nobody could, and nothing is due before.
    fn nobody_was_forgotten(&self, now_ms: u64) -> Verdict {
        let before = self.model.now_ms();
        let tasks = self.model.tasks();
        for task in tasks.filter(|task| !self.delayed.contains(&task.number)) {
            let number = task.number;
            if self.model.waits_in_vain(number) {
                let message = format!(
                    "nobody goes on from {before} to {now_ms} ms, but it could: {:?}",
                    task.status
                );
                return self.fail("late_wakeup", number, message);
            }
            if let Some(due) = self.model.due(task).filter(|&due| due < now_ms) {
                let message = format!(
                    "time went from {before} to {now_ms} ms, past {due} ms, when this was due: {:?}",
                    task.status
                );
                return self.fail("late_timer", number, message);
            }
        }
        Ok(())
    }
}
