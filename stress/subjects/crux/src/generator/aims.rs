//! Pairs of features that scenarios have on purpose.
//!
//! A swarm leaves to chance which features meet, and those that are rare by themselves hardly ever
//! do. So every second scenario of a lane has a pair that it is made to have, and all pairs of the
//! lane have their turn, in an order that depends on the seed. The others stay random.

use gcrucible_explore::StrategyName;
use gcrucible_scenario::ScenarioSeed;
use gcrucible_subject::Aim;

use super::swarm::{Feature, Swarm};
use super::{Focus, KTH_POINT_GROUP, Mix};

/// The features that a scenario is made to have: none, or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Aims(Option<(Feature, Feature)>);

impl Aims {
    /// Those of a scenario. Indexes that share a program have the same.
    pub(super) fn of(seed: ScenarioSeed, mix: &Mix, focus: Focus) -> Aims {
        let number = match mix.strategy {
            Some(StrategyName::KthPoint) => seed.index / KTH_POINT_GROUP,
            _ => seed.index,
        };
        if number.is_multiple_of(2) {
            return Aims::default();
        }
        let features: Vec<Feature> = focus.features().collect();
        let order = Order::of(seed, features.len() as u64);
        // The pairs are counted row by row, each up to its own feature.
        let (mut row, mut at) = (1, order.pair(number / 2));
        while at >= row {
            at -= row;
            row += 1;
        }
        Aims(Some((features[row as usize], features[at as usize])))
    }

    /// The indexes of the lane of a seed whose scenarios are made to have these two; `None` if those
    /// of the lane never have them.
    pub(super) fn indexes(seed: ScenarioSeed, focus: Focus, pair: (usize, usize)) -> Option<Aim> {
        let place = |feature| focus.features().position(|one| one as usize == feature);
        let (a, b) = (place(pair.0)? as u64, place(pair.1)? as u64);
        let (row, at) = (a.max(b), a.min(b));
        let order = Order::of(seed, focus.features().count() as u64);
        let wanted = row * row.saturating_sub(1) / 2 + at;
        let turn = (0..order.count).find(|&turn| order.pair(turn) == wanted && row != at)?;
        Some(Aim {
            first: 2 * turn + 1,
            every: 2 * order.count,
        })
    }

    /// Whether a feature is one of them.
    pub(super) fn has(self, feature: Feature) -> bool {
        self.iter().any(|one| one == feature)
    }

    /// Them.
    pub(super) fn iter(self) -> impl Iterator<Item = Feature> {
        self.0.into_iter().flat_map(|(one, other)| [one, other])
    }

    /// The swarm with them on, and with what they do not come up without.
    pub(super) fn on(self, swarm: Swarm) -> Swarm {
        self.iter().fold(swarm, |swarm, feature| {
            let needs = needs(feature).iter();
            needs.fold(swarm.with(feature), |swarm, &one| swarm.with(one))
        })
    }
}

/// In which order the pairs of a lane have their turn, again and again.
struct Order {
    /// How many there are.
    count: u64,
    start: u64,
    step: u64,
}

impl Order {
    /// The order that a seed has for the pairs of so many features.
    fn of(seed: ScenarioSeed, features: u64) -> Order {
        let count = features * (features - 1) / 2;
        let none = ScenarioSeed {
            index: u64::MAX,
            ..seed
        };
        let stream = none.stream();
        // A step that shares no divisor with the count goes through all of them.
        let mut step = 1 + (stream >> 32) % count;
        while gcd(step, count) > 1 {
            step += 1;
        }
        Order {
            count,
            start: stream % count,
            step,
        }
    }

    fn pair(&self, turn: u64) -> u64 {
        (turn % self.count * self.step + self.start) % self.count
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What a feature is made with.
fn needs(feature: Feature) -> &'static [Feature] {
    match feature {
        Feature::Removal | Feature::Cycles => &[Feature::Arrays],
        Feature::IterateAndChange => &[Feature::Arrays, Feature::Loops],
        Feature::SharedCells => &[Feature::Closures],
        Feature::Throw | Feature::RuntimeErrors => &[Feature::Catch],
        Feature::LateGlobalStores => &[Feature::Catch, Feature::RuntimeErrors],
        Feature::Methods => &[Feature::Instances],
        Feature::Match => &[Feature::Enums],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::lane;

    fn aims(lane: gcrucible_scenario::Lane, index: u64, focus: Focus) -> Aims {
        let seed = ScenarioSeed {
            lane,
            seed: 11,
            index,
        };
        Aims::of(seed, &Mix::default(), focus)
    }

    #[test]
    fn every_pair_of_a_lane_has_its_turn_once() {
        for (lane, focus) in [
            (lane::PROGRAMS, Focus::Everything),
            (lane::SERVE, Focus::Serve),
        ] {
            let count = focus.features().count();
            let pairs = (count * (count - 1) / 2) as u64;
            let seen: BTreeSet<_> = (0..pairs)
                .map(|turn| {
                    let Aims(Some((a, b))) = aims(lane, 2 * turn + 1, focus) else {
                        panic!("index {} has no pair", 2 * turn + 1);
                    };
                    assert!(b < a);
                    (b, a)
                })
                .collect();
            assert_eq!(seen.len() as u64, pairs);
            let again = aims(lane, 2 * pairs + 1, focus);
            assert_eq!(again, aims(lane, 1, focus));
        }
    }

    #[test]
    fn a_pair_is_found_where_it_has_its_turn() {
        for (lane, focus) in [
            (lane::CANCELLATION, Focus::Cancellation),
            (lane::RELOAD, Focus::Reload),
        ] {
            let seed = ScenarioSeed {
                lane,
                seed: 11,
                index: 0,
            };
            let (a, b) = (Feature::Weak, Feature::Arrays);
            let aim = Aims::indexes(seed, focus, (a as usize, b as usize)).unwrap();
            for index in [aim.first, aim.first + aim.every] {
                let aims = aims(lane, index, focus);
                assert!(aims.has(a) && aims.has(b), "{aims:?}");
            }
            let itself = (a as usize, a as usize);
            assert_eq!(Aims::indexes(seed, focus, itself), None);
            let forks = (a as usize, Feature::Forks as usize);
            let has_forks = Aims::indexes(seed, focus, forks).is_some();
            assert_eq!(has_forks, focus == Focus::Reload);
        }
    }

    #[test]
    fn every_second_scenario_is_random() {
        for index in [0, 2, 4096] {
            let none = aims(lane::PROGRAMS, index, Focus::Everything);
            assert_eq!(none.iter().count(), 0);
        }
    }

    #[test]
    fn neighbours_under_the_kth_point_share_their_pair() {
        let mix = Mix {
            strategy: Some(StrategyName::KthPoint),
            modes: None,
        };
        let at = |index| {
            let seed = ScenarioSeed {
                lane: lane::PROGRAMS,
                seed: 1,
                index,
            };
            Aims::of(seed, &mix, Focus::Everything)
        };
        assert_eq!(at(64), at(127));
        assert_ne!(at(64), at(192));
        assert_eq!(at(128).iter().count(), 0);
    }
}
