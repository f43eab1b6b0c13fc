//! Other schedules without heap modes.
//!
//! A mode that collects at safepoints also ends slices there. Where a race was found under
//! one, the mode cannot be dropped without the switches that it brought about. If the race
//! has nothing to do with the heap, other schedules meet it without any mode.

use gcrucible_heap::HeapDebug;

use super::Search;
use crate::scenario::{Body, Scenario};
use gcrucible_trace::Refusal;
use gcrucible_trace::ReplayMode;
use gcrucible_trace::{Schedule, StrategyName};

/// Schedules of each strategy that are tried.
const SEEDS: u64 = 24;

/// Strategies that are tried.
const STRATEGIES: [StrategyName; 3] =
    [StrategyName::Random, StrategyName::Pct2, StrategyName::Pct3];

impl Search<'_, '_> {
    /// Looks for a schedule that fails without heap modes, and goes on from it.
    pub(super) fn try_other_schedules(&mut self) -> Result<(), Refusal> {
        let is_natural = self.best.debug == HeapDebug::default();
        if is_natural || !matches!(self.best.body, Body::Programs(_)) {
            return Ok(());
        }
        for seed in 0..SEEDS {
            for strategy in STRATEGIES {
                if self.is_spent() {
                    return Ok(());
                }
                let scenario = Scenario {
                    debug: HeapDebug::default(),
                    schedule: Schedule::Drawn { strategy, seed },
                    ..self.best.clone()
                };
                if self.accept(scenario, false, ReplayMode::Lenient)? {
                    return self.record_schedule();
                }
            }
        }
        Ok(())
    }
}
