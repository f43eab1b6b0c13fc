//! What a campaign is to do: everything that its results depend on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::shard::Shard;
use gcrucible_explore::StrategyName;
use gcrucible_scenario::{Lane, ScenarioSeed};
use gcrucible_subject::{Case, Mix, Subjects, Variant};
use gcrucible_trace::{Advantages, Refusal};

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
    /// Lanes to run, in their order.
    pub lanes: Vec<Lane>,
    /// When it is done.
    pub limit: Limit,
    /// Which part of the scenarios is ours.
    pub shard: Shard,
    /// Strategy that replaces the drawn one.
    pub strategy: Option<StrategyName>,
    /// Modes of the subjects that replace the drawn ones, in text form.
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
#[derive(Debug)]
pub struct Source {
    subjects: Subjects,
    seed: u64,
    mix: Mix,
    program: Option<Box<dyn Case>>,
}

impl Source {
    /// The source of a plan.
    ///
    /// # Errors
    /// Modes or a program that cannot be read.
    pub fn of(plan: &Plan, subjects: Subjects) -> Result<Source, Refusal> {
        if let Some(text) = &plan.heap {
            for &lane in &plan.lanes {
                subjects
                    .of(lane)
                    .parse_modes(text)
                    .map_err(Refusal::usage)?;
            }
        }
        let program = match &plan.program {
            Some(text) => Some(
                subjects
                    .parse(text)
                    .map_err(|error| Refusal::usage(format!("the plan's program: {error}")))?,
            ),
            None => None,
        };
        let mix = Mix {
            strategy: plan.strategy,
            modes: plan.heap.clone(),
        };
        Ok(Source {
            subjects,
            seed: plan.seed,
            mix,
            program,
        })
    }

    /// Scenario number `index` of a lane.
    pub fn scenario(&self, lane: Lane, index: u64) -> Box<dyn Case> {
        match &self.program {
            None => {
                let seed = ScenarioSeed {
                    lane,
                    seed: self.seed,
                    index,
                };
                self.subjects.of(lane).generate(seed, &self.mix)
            }
            Some(program) => program.variant(Variant {
                index,
                seed: self.seed,
                mix: &self.mix,
            }),
        }
    }
}
