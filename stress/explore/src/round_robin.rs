//! Round robin: each ready actor in turn, until it waits.
//!
//! What an executor without a controlled schedule does, and how a replay goes on when its
//! decisions are used up.

use super::decision::{Choice, Divergence, Point, Strategy, runs_instructions};
use super::slices::UNTIL_IT_WAITS;

/// Each ready actor in turn, one long slice each, and no collections.
#[derive(Debug, Default)]
pub struct RoundRobin {
    /// The actor that ran last.
    last: Option<u32>,
}

impl RoundRobin {
    /// The turn goes on after this actor.
    pub(super) fn went(&mut self, actor: u32) {
        self.last = Some(actor);
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self, point: &Point<'_>) -> Choice {
        let after = |last| {
            point
                .ready
                .partition_point(|ready| ready.site.actor <= last)
        };
        let index = self.last.map_or(0, after) % point.ready.len();
        let actor = point.ready[index].site.actor;
        self.went(actor);
        let fuel = if runs_instructions(actor) {
            UNTIL_IT_WAITS
        } else {
            0
        };
        Choice {
            index,
            fuel,
            collect: None,
            inject: None,
        }
    }
}

impl Strategy for RoundRobin {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        Ok(self.next(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadyActor;
    use gcrucible_trace::Site;

    #[test]
    fn each_actor_has_its_turn() {
        let mut strategy = RoundRobin::default();
        let mut turns = Vec::new();
        let all = [Site::HOST, 1, 4, Site::TIMERS];
        let some = [1, 2];
        for actors in [&all[..], &all, &all, &some, &some, &all, &all] {
            let ready: Vec<_> = (actors.iter())
                .map(|&actor| ReadyActor {
                    site: Site {
                        actor,
                        ..Site::default()
                    },
                })
                .collect();
            let choice = strategy.next(&Point {
                ready: &ready,
                ordinal: turns.len() as u32,
            });
            turns.push(actors[choice.index]);
        }
        assert_eq!(turns, [Site::HOST, 1, 4, 1, 2, 4, Site::TIMERS]);
    }
}
