//! Random walk: a uniform choice of the next ready actor.
//!
//! Cheap and without assumptions, but the number of steps between two of its switches is
//! geometric: an operation that must fall late into a long run of another task is missed
//! with a probability that grows exponentially.

use super::decision::{Choice, Divergence, Point, Strategy};
use super::slices::Slices;
use gcrucible_trace::choices::{Choices, SeededChoices};

/// A random walk.
#[derive(Debug)]
pub struct Random {
    choices: SeededChoices,
    slices: Slices,
    note: Option<&'static str>,
}

impl Random {
    /// The random walk of a seed.
    pub fn new(seed: u64) -> Self {
        let mut choices = SeededChoices::new(seed);
        let slices = Slices::draw(&mut choices);
        Self {
            choices,
            slices,
            note: None,
        }
    }

    /// The random walk that stands in for URW where no dry run was made.
    pub(super) fn instead_of_urw(seed: u64) -> Self {
        let note = Some("urw has no event counts of a dry run: this is a random walk");
        Self {
            note,
            ..Self::new(seed)
        }
    }
}

impl Strategy for Random {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        let index = self.choices.below(point.ready.len() as u32) as usize;
        let actor = point.ready[index].site.actor;
        let (fuel, collect) = self.slices.next(actor, &mut self.choices);
        Ok(Choice {
            index,
            fuel,
            collect,
            inject: None,
        })
    }

    fn note(&self) -> Option<&'static str> {
        self.note
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadyActor;
    use gcrucible_trace::Site;

    #[test]
    fn every_ready_actor_is_equally_likely() {
        let ready = [Site::HOST, 1, 2, Site::TIMERS].map(|actor| ReadyActor {
            site: Site {
                actor,
                ..Site::default()
            },
        });
        let mut random = Random::new(5);
        let mut taken = [0; 4];
        for ordinal in 0..4000 {
            let point = Point {
                ready: &ready,
                ordinal,
            };
            taken[random
                .choose(&point)
                .expect("drawn schedules do not diverge")
                .index] += 1;
        }
        assert!(
            taken.iter().all(|taken| (900..1100).contains(taken)),
            "{taken:?}"
        );
    }
}
