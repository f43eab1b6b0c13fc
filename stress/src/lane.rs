//! What the campaign asks of a lane: make scenario number i, run it.

use crate::generator::Mix;
use crate::scenario::{Scenario, ScenarioSeed};
use gcrucible_trace::{RunOptions, RunReport};

/// Makes and runs scenarios. Campaigns, replay and shrinking see lanes only through this.
pub trait LaneRunner {
    /// The scenario of a seed; a pure function of its arguments and the build.
    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> Scenario;

    /// Runs a scenario in this thread. It may panic, and a broken engine may end the
    /// process or never return.
    fn run(&self, scenario: &Scenario, options: &RunOptions) -> RunReport;
}

/// The lanes of this build.
#[derive(Clone, Copy, Debug)]
pub struct BuiltLanes;

impl LaneRunner for BuiltLanes {
    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> Scenario {
        crate::generator::generate(seed, mix)
    }

    fn run(&self, scenario: &Scenario, options: &RunOptions) -> RunReport {
        crate::executor::run(scenario, options).report
    }
}
