//! Turns: how many of those who wait for a channel or mutex are woken.
//!
//! A change makes so much possible: so many can receive, send, acquire. So many are woken, whoever
//! waits, or n messages to n receivers cost n * n wake-ups. One that was woken and takes nothing,
//! because another came before it or because it is cancelled, has its turn for somebody else.
//!
//! Turns go to those who have waited longest. One that had its turn, and found nothing, waits again
//! before all others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Judge, Verdict};
use crate::executor::trace::{SliceEnd, TaskId};
use crate::reference::{Model, Status};
use gcrucible_trace::EventKind;

/// A channel or mutex, and whether the wait is for sending.
type Place = (u64, bool);

/// Who may be woken.
#[derive(Default)]
pub(super) struct Turns {
    /// How many more.
    free: BTreeMap<Place, u32>,
    /// Who was woken for what, and has not looked yet.
    woken: BTreeMap<TaskId, Place>,
    /// Who waits for what, in order.
    queues: BTreeMap<Place, VecDeque<Queued>>,
    /// Who had its turn, found nothing, and is about to wait again.
    again: BTreeSet<TaskId>,
    /// Who may or may not have had its turn, when it was told of something else.
    unclear: BTreeSet<TaskId>,
}

/// A task that waits.
#[derive(Clone, Copy)]
struct Queued {
    task: TaskId,
    /// The version that it has seen.
    seen: u64,
    /// Whether its place is known.
    is_clear: bool,
}

impl Turns {
    /// Whether one of those who wait for a place may be woken.
    fn is_free(&self, place: Place) -> bool {
        self.free.get(&place).is_some_and(|free| *free > 0)
    }

    /// A task was woken for a place. Whether it may have been.
    fn take(&mut self, task: TaskId, place: Place) -> bool {
        let free = self.free.entry(place).or_default();
        let may = *free > 0;
        *free = free.saturating_sub(1);
        self.woken.insert(task, place);
        may
    }

    /// A task ran, and used the object that it names.
    pub(super) fn ran(&mut self, task: TaskId, used: Option<u64>) {
        if let Some(place) = self.woken.remove(&task)
            && used != Some(place.0)
        {
            let free = self.free.entry(place).or_default();
            *free = free.saturating_add(1);
        }
    }

    /// A task waits for a place from now on, having seen a version.
    fn enter(&mut self, task: TaskId, place: Place, seen: u64) {
        let queued = Queued {
            task,
            seen,
            is_clear: !self.unclear.remove(&task),
        };
        let queue = self.queues.entry(place).or_default();
        match self.again.remove(&task) {
            true => queue.push_front(queued),
            false => queue.push_back(queued),
        }
    }

    /// A task does not wait any more.
    pub(super) fn leave(&mut self, task: TaskId) {
        for queue in self.queues.values_mut() {
            queue.retain(|queued| queued.task != task);
        }
    }

    /// A task that was about to wait does not: perhaps it has its turn still.
    pub(super) fn resolved(&mut self, task: TaskId) {
        if self.again.remove(&task) {
            self.unclear.insert(task);
        }
    }

    /// Who should have had the turn that a task was woken for: one that has waited longer, and has
    /// seen nothing newer.
    fn before(&self, task: TaskId, place: Place) -> Option<TaskId> {
        let queue = self.queues.get(&place)?;
        let own = queue.iter().find(|queued| queued.task == task)?;
        let mut earlier = queue.iter().take_while(|queued| queued.task != task);
        let first = earlier.find(|queued| queued.is_clear && queued.seen <= own.seen)?;
        own.is_clear.then_some(first.task)
    }

    /// So much of an object can be had now, by those who wait for it.
    fn changed(&mut self, object: u64, model: &Model<'_>) {
        for puts in [false, true] {
            let is_waiting = model.tasks().any(|task| {
                matches!(
                    task.status,
                    Status::Blocked { object: on, puts: to_put, .. } if (on, to_put) == (object, puts)
                )
            });
            if is_waiting {
                // Those who are woken already may have taken theirs when this change comes to waking.
                let free = self.free.entry((object, puts)).or_default();
                *free = free.saturating_add(model.available(object, puts));
            }
        }
    }
}

impl Judge<'_, '_> {
    /// Notes what a slice did to channels and mutexes.
    pub(super) fn note_turns(&mut self, task: TaskId, end: &SliceEnd) {
        let used: Vec<u64> = self
            .model
            .log()
            .happened
            .iter()
            .filter(|(kind, _)| {
                matches!(
                    kind,
                    EventKind::ChannelSend | EventKind::ChannelReceive | EventKind::GuardAcquire
                )
            })
            .filter_map(|&(_, object)| object)
            .collect();
        let place = self.turns.woken.get(&task).copied();
        let used = place
            .map(|(object, _)| object)
            .filter(|at| used.contains(at));
        self.turns.ran(task, used);
        self.turns.again.remove(&task);
        let waits_again = match (place, end) {
            (Some((object, _)), SliceEnd::Waiting { object: on }) => object == *on,
            _ => false,
        };
        if waits_again && used.is_none() {
            self.turns.again.insert(task);
        }
        self.note_changes();
    }

    /// Notes what became of the channels and mutexes that have changed.
    pub(super) fn note_changes(&mut self) {
        for &object in &self.model.log().effects.changed {
            self.turns.changed(object, &self.model);
        }
    }

    /// A task waits for a channel or mutex from now on.
    pub(super) fn wait_began(&mut self, task: TaskId, object: u64) -> Verdict {
        let status = self.model.task(task).map(|task| task.status.clone());
        match status {
            Some(Status::Blocked {
                object: on,
                version,
                puts,
            }) if on == object => {
                self.turns.enter(task, (object, puts), version);
                Ok(())
            }
            status => {
                let message = format!("begins to wait for object {object} while {status:?}");
                self.fail("wait_began", task, message)
            }
        }
    }

    /// One that waits for a channel or mutex, and is told of nothing else, is woken if its turn
    /// has come.
    pub(super) fn compare_turn(&mut self, task: TaskId, status: &Status) -> Verdict {
        let Status::Blocked { object, puts, .. } = *status else {
            return Ok(());
        };
        let place = (object, puts);
        if self.model.has_news(task) {
            self.turns.unclear.insert(task);
            return Ok(());
        }
        let before = self.turns.before(task, place);
        let has_turn = before.is_none() && self.turns.is_free(place);
        if self.has_late_wake(task) {
            match has_turn {
                // It was one of the two: nobody can say which.
                true => _ = self.turns.unclear.insert(task),
                false => _ = self.take_late_wake(task),
            }
            return Ok(());
        }
        if let Some(first) = before {
            let message =
                format!("woken for object {object}, for which task {first} has waited longer");
            return self.fail("woken_out_of_turn", task, message);
        }
        if self.turns.take(task, place) {
            return Ok(());
        }
        let message = format!("woken for object {object} though all that it has is for others");
        self.fail("woken_in_vain", task, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = (7, false);

    #[test]
    fn a_turn_belongs_to_who_has_waited_longest_of_those_who_saw_no_more() {
        let mut turns = Turns::default();
        turns.enter(1, PLACE, 3);
        turns.enter(2, PLACE, 3);
        turns.again.insert(3);
        turns.enter(3, PLACE, 5);
        assert_eq!(
            turns.before(1, PLACE),
            None,
            "task 3 has seen what came for task 1"
        );
        assert_eq!(turns.before(2, PLACE), Some(1));
        assert_eq!(turns.before(3, PLACE), None, "it has its turn again");
        turns.leave(1);
        assert_eq!(turns.before(2, PLACE), None);
    }

    #[test]
    fn nothing_is_said_of_one_whose_place_is_not_known() {
        let mut turns = Turns::default();
        turns.unclear.insert(1);
        turns.enter(1, PLACE, 3);
        turns.enter(2, PLACE, 3);
        assert_eq!(turns.before(2, PLACE), None);
    }
}
