//! How long slices are and how often a collection comes first.
//!
//! Drawn once per run, swarm style (Groce et al., ISSTA 2012): a run in which every slice
//! has one instruction, one in which tasks run until they wait, one without and one with
//! many collections reach states that the average of them does not.

use gcrucible_trace::CollectionKind;

use super::decision::runs_instructions;
use gcrucible_trace::choices::{Choices, SeededChoices};

/// The fuel of a slice that should last until its task waits.
pub const UNTIL_IT_WAITS: u32 = 1000;

/// Sixteen equally likely bounds of a slice's fuel. Below [`UNTIL_IT_WAITS`] they are powers
/// of two, and the fuel is uniform in `1..=bound`.
type Bounds = [u32; 16];

const SINGLE: Bounds = [1; 16];
const SHORT: Bounds = [1, 1, 1, 1, 1, 1, 2, 2, 4, 4, 4, 4, 4, 4, 16, UNTIL_IT_WAITS];
const MIXED: Bounds = [
    1,
    1,
    4,
    4,
    4,
    4,
    4,
    16,
    16,
    16,
    16,
    16,
    16,
    64,
    64,
    UNTIL_IT_WAITS,
];
const LONG: Bounds = {
    let mut bounds = [UNTIL_IT_WAITS; 16];
    (bounds[0], bounds[1], bounds[2], bounds[3]) = (1, 4, 16, 64);
    bounds
};

/// The style of a run's slices.
#[derive(Clone, Debug)]
pub(super) struct Slices {
    bounds: Bounds,
    /// A collection comes first once in so many slices, a power of two; never if 0.
    collect_period: u32,
}

impl Slices {
    pub(super) fn draw(choices: &mut SeededChoices) -> Self {
        let bounds = match choices.weighted(&[2, 4, 8, 2]) {
            0 => SINGLE,
            1 => SHORT,
            2 => MIXED,
            _ => LONG,
        };
        let collect_period = [0, 64, 16, 4][choices.below(4) as usize];
        Self {
            bounds,
            collect_period,
        }
    }

    /// Fuel and collection of one slice of `actor`.
    pub(super) fn next(
        &self,
        actor: u32,
        choices: &mut SeededChoices,
    ) -> (u32, Option<CollectionKind>) {
        // One word of chance for both: bits 0-3, 8-15, 32-39 and 40-42.
        let bits = choices.bits();
        let fuel = match self.bounds[bits as usize & 15] {
            _ if !runs_instructions(actor) => 0,
            UNTIL_IT_WAITS => UNTIL_IT_WAITS,
            bound => 1 + ((bits >> 8) as u32 & (bound - 1)),
        };
        let due = self.collect_period > 0 && (bits >> 32) as u32 & (self.collect_period - 1) == 0;
        let kind = if (bits >> 40) & 7 == 0 {
            CollectionKind::Major
        } else {
            CollectionKind::Minor
        };
        (fuel, due.then_some(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcrucible_trace::Site;

    #[test]
    fn styles_differ_between_runs_and_fuel_within_them() {
        let mut single = 0;
        let mut collected = 0;
        let (mut short, mut long) = (0, 0);
        for seed in 0..200 {
            let mut choices = SeededChoices::new(seed);
            let slices = Slices::draw(&mut choices);
            let drawn: Vec<_> = (0..64).map(|_| slices.next(1, &mut choices)).collect();
            assert!(
                drawn
                    .iter()
                    .all(|(fuel, _)| (1..=UNTIL_IT_WAITS).contains(fuel))
            );
            single += u32::from(drawn.iter().all(|&(fuel, _)| fuel == 1));
            collected += u32::from(drawn.iter().any(|(_, collect)| collect.is_some()));
            short += drawn.iter().filter(|&&(fuel, _)| fuel <= 4).count();
            long += drawn
                .iter()
                .filter(|&&(fuel, _)| fuel == UNTIL_IT_WAITS)
                .count();
        }
        assert!(
            (10..50).contains(&single),
            "{single} of 200 runs step by one instruction"
        );
        assert!(
            (100..180).contains(&collected),
            "{collected} of 200 runs collect"
        );
        let drawn = 200 * 64;
        assert!(
            short * 3 > drawn && long * 20 > drawn && long * 4 < drawn,
            "{short} {long}"
        );
    }

    #[test]
    fn most_collections_are_minor() {
        let mut choices = SeededChoices::new(3);
        let slices = Slices {
            bounds: SINGLE,
            collect_period: 4,
        };
        let kinds: Vec<_> = (0..4000)
            .filter_map(|_| slices.next(1, &mut choices).1)
            .collect();
        let major = kinds
            .iter()
            .filter(|&&kind| kind == CollectionKind::Major)
            .count();
        assert!((900..1100).contains(&kinds.len()), "{}", kinds.len());
        assert!((80..180).contains(&major), "{major}");
    }

    #[test]
    fn host_and_timers_get_no_fuel() {
        let mut choices = SeededChoices::new(4);
        let slices = Slices::draw(&mut choices);
        for actor in [Site::HOST, Site::TIMERS] {
            assert!((0..100).all(|_| slices.next(actor, &mut choices).0 == 0));
        }
    }
}
