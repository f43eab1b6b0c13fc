//! Other schedules without heap modes.
//!
//! A mode that collects at safepoints also ends slices there. Where a race was found under
//! one, the mode cannot be dropped without the switches that it brought about. If the race
//! has nothing to do with the heap, other schedules meet it without any mode.

use gcrucible_heap::HeapDebug;

use super::Search;
use crate::scenario::{Body, Scenario};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_trace::{Refusal, ReplayMode};

/// Schedules of each strategy that are tried.
const SEEDS: u64 = 24;

/// Strategies that are tried.
const STRATEGIES: [StrategyName; 3] =
    [StrategyName::Random, StrategyName::Pct2, StrategyName::Pct3];

/// Looks for a schedule that fails without heap modes, and goes on from it.
pub(super) fn try_other_schedules(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    let is_natural = search.best().debug == HeapDebug::default();
    if is_natural || !matches!(search.best().body, Body::Programs(_)) {
        return Ok(());
    }
    for seed in 0..SEEDS {
        for strategy in STRATEGIES {
            if search.is_spent() {
                return Ok(());
            }
            let scenario = Scenario {
                debug: HeapDebug::default(),
                schedule: Schedule::Drawn { strategy, seed },
                ..search.best().clone()
            };
            if search.accept(scenario, false, ReplayMode::Lenient)? {
                return search.record_schedule();
            }
        }
    }
    Ok(())
}
