//! Turns: how many of those who wait for a channel or mutex are woken.
//!
//! A change makes so much possible: so many can receive, send, acquire. So many are woken, whoever
//! waits, or n messages to n receivers cost n * n wake-ups. One that was woken and takes nothing,
//! because another came before it or because it is cancelled, has its turn for somebody else.

use std::collections::BTreeMap;

use super::{Judge, Verdict};
use crate::executor::trace::TaskId;
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
}

impl Turns {
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
    pub(super) fn note_turns(&mut self, task: TaskId) {
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
        self.note_changes();
    }

    /// Notes what became of the channels and mutexes that have changed.
    pub(super) fn note_changes(&mut self) {
        for &object in &self.model.log().effects.changed {
            self.turns.changed(object, &self.model);
        }
    }

    /// One that waits for a channel or mutex, and is told of nothing else, is woken if its turn
    /// has come.
    pub(super) fn compare_turn(&mut self, task: TaskId, status: &Status) -> Verdict {
        let Status::Blocked { object, puts, .. } = *status else {
            return Ok(());
        };
        if self.model.has_news(task) || self.turns.take(task, (object, puts)) {
            return Ok(());
        }
        let message = format!("woken for object {object} though all that it has is for others");
        self.fail("woken_in_vain", task, message)
    }
}
