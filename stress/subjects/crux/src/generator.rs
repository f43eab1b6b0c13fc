//! Draws scenarios from choices.

mod aims;
pub mod features;
mod focus;
pub mod fuzzed;
pub mod heap_modes;
pub mod heap_ops;
pub mod programs;
pub mod swarm;
mod topics;

use self::aims::Aims;
pub use self::focus::Focus;
use crate::lane;
use crate::scenario::{Body, Scenario};
use gcrucible_explore::KthPoint;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::{Lane, Origin, ScenarioSeed};
use gcrucible_subject::Aim;
pub use gcrucible_subject::Mix;
use gcrucible_trace::choices::SeededChoices;

/// The scenario that belongs to a seed: a pure function of it, the mix and the build.
pub fn generate(seed: ScenarioSeed, mix: &Mix) -> Scenario {
    if mix.strategy == Some(StrategyName::KthPoint) {
        return kth_point(seed, mix);
    }
    plain(seed, mix)
}

/// Indexes that share one program under the k-th point, each with another point of it.
const KTH_POINT_GROUP: u64 = 64;

/// The scenario of a seed under the k-th point: that of the first index of its group, with
/// the group's base schedule and a point of its own. Of a program with more points a group
/// takes a sample that is spread over all of it.
fn kth_point(seed: ScenarioSeed, mix: &Mix) -> Scenario {
    let k = seed.index % KTH_POINT_GROUP;
    let first = ScenarioSeed {
        index: seed.index - k,
        ..seed
    };
    let mut scenario = plain(first, mix);
    scenario.origin.seed = Some(seed.to_string());
    if let Body::HeapOps(body) = &mut scenario.body {
        // The operations are their own schedule.
        *body = body.with_collections(k);
    }
    // Every second group goes instruction by instruction.
    let group = seed.index / KTH_POINT_GROUP;
    let base = if group.is_multiple_of(2) {
        0
    } else {
        1 + (first.stream() >> 34)
    };
    scenario.schedule = Schedule::Drawn {
        strategy: StrategyName::KthPoint,
        seed: KthPoint::seed(base, k),
    };
    scenario
}

fn plain(seed: ScenarioSeed, mix: &Mix) -> Scenario {
    let mut choices = SeededChoices::new(seed.stream());
    match focus(seed.lane) {
        None => heap_ops::generate(&mut choices, Some(seed), mix),
        Some(focus) => programs::generate(&mut choices, Some(seed), mix, focus),
    }
}

/// What the programs of a lane are about; `None` if it has none.
fn focus(lane: Lane) -> Option<Focus> {
    match lane {
        lane::HEAP_OPS => None,
        lane::PROGRAMS => Some(Focus::Everything),
        lane::CANCELLATION => Some(Focus::Cancellation),
        lane::SERVE => Some(Focus::Serve),
        lane::RELOAD => Some(Focus::Reload),
        other => panic!("{other} is no lane of the engine"),
    }
}

/// The indexes of a lane whose scenarios are made to have both features of a pair.
pub(crate) fn aims_at(lane: Lane, seed: u64, pair: (usize, usize)) -> Option<Aim> {
    let seed = ScenarioSeed {
        lane,
        seed,
        index: 0,
    };
    Aims::indexes(seed, focus(lane)?, pair)
}

/// Where a generated scenario says that it came from.
pub(crate) fn origin(seed: Option<ScenarioSeed>) -> Origin {
    Origin {
        seed: seed.map(|seed| seed.to_string()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Origin::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_the_kth_point_shares_one_program() {
        let mix = Mix {
            strategy: Some(StrategyName::KthPoint),
            modes: None,
        };
        let at = |lane, index| {
            let seed = ScenarioSeed {
                lane,
                seed: 5,
                index,
            };
            generate(seed, &mix)
        };
        for group in [0, 1, 7] {
            let first = group * KTH_POINT_GROUP;
            let (one, other) = (at(lane::PROGRAMS, first), at(lane::PROGRAMS, first + 9));
            assert_eq!(one.body, other.body);
            assert_eq!(one.debug, other.debug);
            assert_ne!(one.schedule, other.schedule);
            assert_eq!(other, at(lane::PROGRAMS, first + 9));
            assert_ne!(one.body, at(lane::PROGRAMS, first + KTH_POINT_GROUP).body);
            let (one, other) = (at(lane::HEAP_OPS, first), at(lane::HEAP_OPS, first + 9));
            assert_ne!(one.body, other.body, "their collections come elsewhere");
            assert_eq!(one.heap, other.heap);
        }
    }
}
