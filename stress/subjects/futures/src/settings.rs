//! What disturbs a run, as plain data.

use gcrucible_trace::choices::Choices;
use serde::{Deserialize, Serialize};

/// What may happen to a droppable task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Disturbance {
    /// Nothing.
    #[default]
    None,
    /// It is dropped, before its first poll or at any await.
    Drop,
    /// It is dropped after it was woken and before it is polled again.
    DropWoken,
    /// It is forgotten: its memory stays, and it is never polled again.
    Forget,
}

/// The settings of a run: with the schedule, all that it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What happens to the n-th droppable task; nothing to those beyond the list.
    pub droppables: Vec<Disturbance>,
    /// Polls that nobody asked for, in the whole run.
    pub spurious: u8,
    /// Each poll brings a new waker, and those of earlier polls are dead.
    pub fresh_wakers: bool,
    /// The n-th place at which a task yields or sleeps panics, in a world that allows it
    /// ([`World::may_panic`](crate::World::may_panic)); 0 for none.
    pub panic_at: u16,
    /// Seed of what [`World::below`](crate::World::below) draws.
    pub seed: u32,
}

impl Settings {
    /// Draws settings: each run has a few of the disturbances.
    pub fn draw(choices: &mut dyn Choices) -> Settings {
        let kinds = [
            Disturbance::None,
            Disturbance::Drop,
            Disturbance::DropWoken,
            Disturbance::Forget,
        ];
        let drops = choices.chance(3, 4);
        let droppables = (0..4).map(|_| match drops {
            true => kinds[choices.weighted(&[6, 4, 3, 1])],
            false => Disturbance::None,
        });
        let mut droppables: Vec<Disturbance> = droppables.collect();
        while droppables.last() == Some(&Disturbance::None) {
            droppables.pop();
        }
        Settings {
            droppables,
            spurious: [0, 0, 1, 4][choices.below(4) as usize],
            fresh_wakers: choices.chance(1, 2),
            panic_at: if choices.chance(1, 8) {
                choices.within(1, 12) as u16
            } else {
                0
            },
            seed: choices.below(1 << 16),
        }
    }

    /// The same for a strategy that disturbs by itself: nothing else does.
    pub(crate) fn undisturbed(self) -> Settings {
        Settings {
            droppables: Vec::new(),
            spurious: 0,
            panic_at: 0,
            ..self
        }
    }

    /// What happens to droppable number `index`.
    pub(crate) fn of_droppable(&self, index: usize) -> Disturbance {
        self.droppables.get(index).copied().unwrap_or_default()
    }
}
