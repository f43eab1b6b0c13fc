//! One program under all strategies and heap modes, in turn.

use gcrucible_explore::KthPoint;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_heap::HeapDebug;
use gcrucible_subject::Variant;

use crate::scenario::Scenario;

/// Heap modes that a person's own program is run under, in turn: each kind of collection
/// pressure with each way to notice a stale reference, and none at all.
pub const CURATED_MODES: [&str; 8] = [
    "natural",
    "collect=safepoint,kind=major,zombie,verify=full",
    "collect=safepoint,kind=minor,scribble,quarantine=2,verify=quick",
    "collect=alloc:1,kind=alternate,promote=always,tags,verify=full",
    "collect=alloc:3,kind=minor,promote=never,verify=quick",
    "collect=continuous,kind=alternate,tags",
    "collect=seeded:7:100,kind=alternate,zombie,scribble",
    "collect=never",
];

/// A person's program under strategy, heap modes and schedule number `variant.index`.
pub(super) fn variant(program: &Scenario, variant: Variant<'_>) -> Scenario {
    let Variant { index, seed, mix } = variant;
    let strategies = StrategyName::ALL;
    let turn = usize::try_from(index % (strategies.len() * CURATED_MODES.len()) as u64)
        .expect("a remainder of a small number");
    let mut scenario = program.clone();
    scenario.origin.seed = None;
    let strategy = mix.strategy.unwrap_or(strategies[turn % strategies.len()]);
    let seed = match strategy {
        // Points are taken in turn: this is the so-manieth run under these modes.
        StrategyName::KthPoint => {
            let in_turn = if mix.strategy.is_some() {
                strategies.len()
            } else {
                1
            };
            let modes = if mix.modes.is_some() {
                1
            } else {
                CURATED_MODES.len()
            };
            KthPoint::seed(0, nth_of_kind(index, strategies.len(), in_turn, modes))
        }
        // Splitmix's increment spreads the seeds of neighbours.
        _ => seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    };
    scenario.schedule = Schedule::Drawn { strategy, seed };
    let modes = mix
        .modes
        .as_deref()
        .unwrap_or(CURATED_MODES[turn / strategies.len()]);
    scenario.debug = modes
        .parse::<HeapDebug>()
        .expect("modes of the command line are read there, the curated ones by a test");
    scenario
}

/// How many indexes before this one have its strategy and its modes: of each row of
/// `strategies` neighbours `in_turn` have its strategy, and rows have `modes` modes in turn.
fn nth_of_kind(index: u64, strategies: usize, in_turn: usize, modes: usize) -> u64 {
    let (strategies, in_turn) = (strategies as u64, in_turn as u64);
    let place = if in_turn > 1 { index % strategies } else { 0 };
    index / (strategies * modes as u64) * in_turn + place
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gcrucible_subject::Mix;

    use super::*;

    #[test]
    fn a_persons_program_meets_each_point_in_turn() {
        let program = Scenario::of_program("fn main() {}".to_owned());
        let kth = Some(StrategyName::KthPoint);
        for (strategy, modes) in [
            (kth, Some("natural")),
            (kth, None),
            (None, Some("natural")),
            (None, None),
        ] {
            let mix = Mix {
                strategy,
                modes: modes.map(str::to_owned),
            };
            let mut next = BTreeMap::new();
            for index in 0..600 {
                let scenario = variant(
                    &program,
                    Variant {
                        index,
                        seed: 3,
                        mix: &mix,
                    },
                );
                if let Schedule::Drawn {
                    strategy: StrategyName::KthPoint,
                    seed,
                } = scenario.schedule
                {
                    let k = next.entry(scenario.debug.to_string()).or_insert(0);
                    assert_eq!(seed, *k, "{strategy:?} {modes:?} {}", scenario.debug);
                    *k += 1;
                }
            }
            let kinds = if modes.is_some() {
                1
            } else {
                CURATED_MODES.len()
            };
            assert_eq!(next.len(), kinds);
        }
    }

    #[test]
    fn the_curated_modes_are_heap_modes() {
        for modes in CURATED_MODES {
            assert!(modes.parse::<HeapDebug>().is_ok(), "{modes}");
        }
    }
}
