//! What a campaign is to do: everything that its results depend on.

use std::path::Path;

use gcrucible_heap::HeapDebug;
use serde::{Deserialize, Serialize};

use crate::cli::values::Shard;
use crate::generator::Mix;
use crate::lane::LaneRunner;
use crate::scenario::{Lane, Scenario, ScenarioSeed};
use gcrucible_explore::KthPoint;
use gcrucible_trace::Advantages;
use gcrucible_trace::Refusal;
use gcrucible_trace::{Schedule, StrategyName};

/// A campaign's plan, kept as `plan.json` in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this file's form.
    pub version: u32,
    /// Version, commit and features of the build whose scenarios these are.
    pub build: String,
    /// The campaign's seed.
    pub seed: u64,
    /// Lanes to run, in the order of [`Lane::ALL`].
    pub lanes: Vec<Lane>,
    /// When it is done.
    pub limit: Limit,
    /// Which part of the scenarios is ours.
    pub shard: Shard,
    /// Strategy that replaces the drawn one.
    pub strategy: Option<StrategyName>,
    /// Heap modes that replace the drawn ones, in text form.
    pub heap: Option<String>,
    /// A scenario (as text) whose programs run instead of generated ones.
    pub program: Option<String>,
    /// What the harness may use.
    pub advantages: Advantages,
    /// The seeded bug that is on in the workers.
    pub bug: Option<String>,
    /// End at the first finding.
    pub first_finding: bool,
}

/// When a campaign is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// After so many milliseconds of wall clock.
    TimeMs(u64),
    /// After so many milliseconds of the workers' CPU time.
    CpuMs(u64),
    /// After so many scenarios of each lane (before sharding).
    Scenarios(u64),
}

/// The version of [`Plan`] that this build writes.
pub const PLAN_VERSION: u32 = 1;

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

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// A file that is missing, is no plan, or was made by another version.
    pub fn read(path: &Path) -> Result<Plan, Refusal> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Refusal::usage(format!(
                "cannot read the campaign's plan {}: {error}",
                path.display()
            ))
        })?;
        let plan: Plan = serde_json::from_str(&text).map_err(|error| {
            Refusal::usage(format!(
                "{} is no plan of a campaign: {error}",
                path.display()
            ))
        })?;
        if plan.version != PLAN_VERSION {
            return Err(Refusal::usage(format!(
                "{} has version {}; expected {PLAN_VERSION}",
                path.display(),
                plan.version
            )));
        }
        Ok(plan)
    }

    /// The seed of a lane's scenario number `index`.
    pub fn scenario_seed(&self, lane: Lane, index: u64) -> ScenarioSeed {
        ScenarioSeed {
            lane,
            seed: self.seed,
            index,
        }
    }

    /// Whether the default mix runs: nothing was replaced and nothing taken away.
    pub fn is_default_mix(&self) -> bool {
        self.strategy.is_none()
            && self.heap.is_none()
            && self.program.is_none()
            && self.advantages == Advantages::ALL
    }
}

/// Makes a plan's scenarios.
#[derive(Clone, Debug)]
pub struct Source {
    seed: u64,
    mix: Mix,
    program: Option<Scenario>,
}

impl Source {
    /// The source of a plan.
    ///
    /// # Errors
    /// Heap modes or a program that cannot be read.
    pub fn of(plan: &Plan) -> Result<Source, Refusal> {
        let heap: Option<HeapDebug> = match &plan.heap {
            Some(text) => Some(crate::cli::values::heap(text).map_err(Refusal::usage)?),
            None => None,
        };
        let program = match &plan.program {
            Some(text) => Some(
                Scenario::from_text(text)
                    .map_err(|error| Refusal::usage(format!("the plan's program: {error}")))?,
            ),
            None => None,
        };
        let mix = Mix {
            strategy: plan.strategy,
            heap,
        };
        Ok(Source {
            seed: plan.seed,
            mix,
            program,
        })
    }

    /// Scenario number `index` of a lane.
    pub fn scenario(&self, runner: &dyn LaneRunner, lane: Lane, index: u64) -> Scenario {
        match &self.program {
            None => runner.generate(
                ScenarioSeed {
                    lane,
                    seed: self.seed,
                    index,
                },
                &self.mix,
            ),
            Some(program) => self.variant(program, index),
        }
    }

    /// A person's program under strategy, heap modes and schedule number `index`.
    fn variant(&self, program: &Scenario, index: u64) -> Scenario {
        let strategies = crate::cli::values::STRATEGIES;
        let turn = usize::try_from(index % (strategies.len() * CURATED_MODES.len()) as u64)
            .expect("a remainder of a small number");
        let mut scenario = program.clone();
        scenario.origin.seed = None;
        let strategy = self
            .mix
            .strategy
            .unwrap_or(strategies[turn % strategies.len()].0);
        let seed = match strategy {
            // Points are taken in turn: this is the so-manieth run under these modes.
            StrategyName::KthPoint => {
                let in_turn = if self.mix.strategy.is_some() {
                    strategies.len()
                } else {
                    1
                };
                let modes = if self.mix.heap.is_some() {
                    1
                } else {
                    CURATED_MODES.len()
                };
                KthPoint::seed(0, nth_of_kind(index, strategies.len(), in_turn, modes))
            }
            // Splitmix's increment spreads the seeds of neighbours.
            _ => self.seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        scenario.schedule = Schedule::Drawn { strategy, seed };
        scenario.debug = match &self.mix.heap {
            Some(heap) => heap.clone(),
            None => CURATED_MODES[turn / strategies.len()]
                .parse()
                .expect("the curated modes are checked by a test"),
        };
        scenario
    }
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
    use super::*;

    #[test]
    fn a_persons_program_meets_each_point_in_turn() {
        let taken = |plan: &Plan| -> Vec<Scenario> {
            let source = Source::of(plan).expect("a plan with a program");
            let variant = |index| source.scenario(&crate::lane::BuiltLanes, Lane::Programs, index);
            (0..600).map(variant).collect()
        };
        let program = Scenario::of_program("fn main() {}".to_owned()).to_text();
        let kth = Some(StrategyName::KthPoint);
        for (strategy, heap) in [
            (kth, Some("natural")),
            (kth, None),
            (None, Some("natural")),
            (None, None),
        ] {
            let plan = Plan {
                program: Some(program.clone()),
                strategy,
                heap: heap.map(str::to_owned),
                ..crate::campaign::session::default_plan(3, Limit::Scenarios(1))
            };
            let mut next = std::collections::BTreeMap::new();
            for scenario in taken(&plan) {
                if let Schedule::Drawn {
                    strategy: StrategyName::KthPoint,
                    seed,
                } = scenario.schedule
                {
                    let k = next.entry(scenario.debug.to_string()).or_insert(0);
                    assert_eq!(seed, *k, "{strategy:?} {heap:?} {}", scenario.debug);
                    *k += 1;
                }
            }
            let modes = if heap.is_some() {
                1
            } else {
                CURATED_MODES.len()
            };
            assert_eq!(next.len(), modes);
        }
    }

    #[test]
    fn the_curated_modes_are_heap_modes() {
        for modes in CURATED_MODES {
            assert!(modes.parse::<HeapDebug>().is_ok(), "{modes}");
        }
    }
}
