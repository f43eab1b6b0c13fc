//! Draws scenarios from choices.

pub mod choices;
pub mod heap_modes;
pub mod heap_ops;
pub mod programs;
pub mod swarm;
mod topics;

use gcrucible_heap::HeapDebug;

use self::choices::SeededChoices;
use crate::scenario::{Lane, Origin, Scenario, ScenarioSeed, StrategyName};

/// What the command line fixes in every generated scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    /// Only this strategy.
    pub strategy: Option<StrategyName>,
    /// Only these heap modes.
    pub heap: Option<HeapDebug>,
}

/// The scenario that belongs to a seed: a pure function of it, the mix and the build.
///
/// # Panics
/// If the lane is not built; see [`Lane::BUILT`].
pub fn generate(seed: ScenarioSeed, mix: &Mix) -> Scenario {
    let mut choices = SeededChoices::new(stream(seed));
    match seed.lane {
        Lane::HeapOps => heap_ops::generate(&mut choices, Some(seed), mix),
        Lane::Programs => programs::generate(&mut choices, Some(seed), mix),
        lane => panic!("lane {} is not built", lane.name()),
    }
}

/// The scenario that a fuzzer's input stands for.
///
/// # Panics
/// If the lane is not built; see [`Lane::BUILT`].
pub fn from_fuzzer(lane: Lane, input: &[u8], mix: &Mix) -> Scenario {
    let mut choices = arbitrary::Unstructured::new(input);
    match lane {
        Lane::HeapOps => heap_ops::generate(&mut choices, None, mix),
        Lane::Programs => programs::generate(&mut choices, None, mix),
        lane => panic!("lane {} is not built", lane.name()),
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
