//! Draws scenarios from choices.

mod focus;
pub mod fuzzed;
pub mod heap_modes;
pub mod heap_ops;
pub mod programs;
pub mod swarm;
mod topics;

use gcrucible_heap::HeapDebug;

pub use self::focus::Focus;
use crate::scenario::{Body, Lane, Origin, Scenario, ScenarioSeed};
use gcrucible_explore::KthPoint;
use gcrucible_trace::choices::SeededChoices;
use gcrucible_trace::{Schedule, StrategyName};

/// What the command line fixes in every generated scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    /// Only this strategy.
    pub strategy: Option<StrategyName>,
    /// Only these heap modes.
    pub heap: Option<HeapDebug>,
}

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
        1 + (stream(first) >> 34)
    };
    scenario.schedule = Schedule::Drawn {
        strategy: StrategyName::KthPoint,
        seed: KthPoint::seed(base, k),
    };
    scenario
}

fn plain(seed: ScenarioSeed, mix: &Mix) -> Scenario {
    let mut choices = SeededChoices::new(stream(seed));
    match seed.lane {
        Lane::HeapOps => heap_ops::generate(&mut choices, Some(seed), mix),
        Lane::Programs => programs::generate(&mut choices, Some(seed), mix, Focus::Everything),
        Lane::Cancellation => {
            programs::generate(&mut choices, Some(seed), mix, Focus::Cancellation)
        }
        Lane::Serve => programs::generate(&mut choices, Some(seed), mix, Focus::Serve),
        Lane::Reload => programs::generate(&mut choices, Some(seed), mix, Focus::Reload),
    }
}

/// The seed of a scenario's own stream of choices.
fn stream(seed: ScenarioSeed) -> u64 {
    let lane = Lane::ALL
        .iter()
        .position(|&lane| lane == seed.lane)
        .unwrap_or(0) as u64;
    mix(mix(seed.seed ^ (lane + 1) << 56) ^ seed.index)
}

/// Step and finalizer of SplitMix64.
fn mix(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
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
            heap: None,
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
            let (one, other) = (at(Lane::Programs, first), at(Lane::Programs, first + 9));
            assert_eq!(one.body, other.body);
            assert_eq!(one.debug, other.debug);
            assert_ne!(one.schedule, other.schedule);
            assert_eq!(other, at(Lane::Programs, first + 9));
            assert_ne!(one.body, at(Lane::Programs, first + KTH_POINT_GROUP).body);
            let (one, other) = (at(Lane::HeapOps, first), at(Lane::HeapOps, first + 9));
            assert_ne!(one.body, other.body, "their collections come elsewhere");
            assert_eq!(one.heap, other.heap);
        }
    }
}
