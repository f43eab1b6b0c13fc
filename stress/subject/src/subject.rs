//! The trait that whoever wants something tested implements.

use std::any::Any;

use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::{Lane, ScenarioData, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_trace::{
    Counters, EventKind, FeatureSet, FeatureTable, Mode, Refusal, RunOptions, RunReport, Verdict,
};

/// What the command line fixes in every generated scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Only this strategy.
    pub strategy: Option<StrategyName>,
    /// Only these modes of the subject, in text form.
    pub modes: Option<String>,
}

/// Which of the runs of one scenario under all strategies and modes is meant.
#[derive(Clone, Copy, Debug)]
pub struct Variant<'a> {
    /// Its number.
    pub index: u64,
    /// The campaign's seed.
    pub seed: u64,
    /// What is fixed.
    pub mix: &'a Mix,
}

/// A counter that should not stay zero: its name, its value, and how many a scenario of the
/// default mix brings about at the least, on average.
pub type Expectation = (&'static str, fn(&Counters) -> u64, f64);

/// Indexes that are made for something: the first, and each so many further on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The first of them.
    pub first: u64,
    /// How far the next one is from each.
    pub every: u64,
}

/// An oracle, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleInfo {
    /// The name, as failures have it.
    pub name: &'static str,
    /// What it claims, in a sentence.
    pub claim: &'static str,
}

/// Something that can be tested. A subject is one lane of a campaign.
///
/// # Contract
/// 1. [`Subject::generate`] is a pure function of its arguments and the build.
/// 2. So is [`Subject::run`]: two runs of one scenario leave equal reports.
/// 3. The scenario that is read from a scenario's text equals it.
pub trait Subject: Send + Sync + 'static {
    /// What a scenario is.
    type Scenario: ScenarioData;

    /// The lane: its name is that of the subject, on the command line and in files.
    fn lane(&self) -> Lane;

    /// The scenario of a seed.
    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> Self::Scenario;

    /// A scenario in which nothing happens: it stands for one whose generation panicked.
    fn empty(&self) -> Self::Scenario;

    /// Runs a scenario in this thread and judges the run. It may panic, end the process or never
    /// return: each is a finding.
    fn run(&self, scenario: &Self::Scenario, options: &RunOptions) -> RunReport;

    /// How large a scenario is that ran so.
    fn size(&self, scenario: &Self::Scenario, verdict: &Verdict) -> Size;

    /// Lines at the head of a report, besides seed and size.
    fn heading(&self, _scenario: &Self::Scenario) -> String {
        String::new()
    }

    /// What runs, as a reader needs to see it beside the timeline, in lines.
    fn listing(&self, scenario: &Self::Scenario) -> String;

    /// Proposes smaller scenarios; the core shrinks recorded decisions.
    ///
    /// # Errors
    /// Those of the runs.
    fn reduce(&self, search: &mut Search<'_, '_, Self::Scenario>) -> Result<(), Refusal>;

    /// Proposes other scenarios once [`Subject::reduce`] finds nothing any more: not smaller
    /// ones, but such as may become so.
    ///
    /// # Errors
    /// Those of the runs.
    fn detour(&self, _search: &mut Search<'_, '_, Self::Scenario>) -> Result<(), Refusal> {
        Ok(())
    }

    /// Whether the schedule decides anything in a scenario.
    fn has_schedule(&self, _scenario: &Self::Scenario) -> bool {
        true
    }

    /// The subject's modes, each with the effect that it is there for.
    fn modes(&self) -> &'static [Mode] {
        &[]
    }

    /// Shows the modes that a scenario runs under, strategies apart.
    fn modes_of(&self, _scenario: &Self::Scenario, _show: &mut dyn FnMut(&'static Mode)) {}

    /// Reads modes as the command line takes them; in their canonical form.
    ///
    /// # Errors
    /// What was expected.
    fn parse_modes(&self, _text: &str) -> Result<String, String> {
        Err("expected no modes: the subject has none".to_owned())
    }

    /// What its scenarios may have; a campaign counts them by pairs.
    fn features(&self) -> FeatureTable {
        FeatureTable::EMPTY
    }

    /// What a scenario has: found in the scenario itself, whatever its generator was after.
    fn features_of(&self, _scenario: &Self::Scenario) -> FeatureSet {
        FeatureSet::NONE
    }

    /// At which indexes scenarios are made to have both features of a pair; `None` where that is
    /// left to chance. Campaigns that may choose run these when the pair is missing.
    fn aims_at(&self, _seed: u64, _pair: (usize, usize)) -> Option<Aim> {
        None
    }

    /// The features that bring about an event.
    fn features_behind(&self, _event: EventKind) -> FeatureSet {
        FeatureSet::NONE
    }

    /// Counters that a lane of the default mix must move.
    fn expectations(&self) -> Vec<&'static [Expectation]> {
        Vec::new()
    }

    /// Whether a quarter of its scenarios must run in a costly mode ([`Counters::costly`]).
    fn is_costly(&self) -> bool {
        false
    }

    /// What a panic says whose payload is no text.
    fn panic_text(&self, _payload: &dyn Any) -> Option<String> {
        None
    }

    /// The oracles that judge its runs.
    fn oracles(&self) -> &'static [OracleInfo] {
        &[]
    }

    /// One scenario under strategies, modes and schedules in turn: run number `index` of them.
    fn variant(&self, scenario: &Self::Scenario, variant: Variant<'_>) -> Self::Scenario {
        let strategies = StrategyName::ALL;
        let turn = (variant.index % strategies.len() as u64) as usize;
        let mut scenario = scenario.clone();
        scenario.origin_mut().seed = None;
        *scenario.schedule_mut() = Schedule::Drawn {
            strategy: variant.mix.strategy.unwrap_or(strategies[turn]),
            // Splitmix's increment spreads the seeds of neighbours.
            seed: variant.seed ^ variant.index.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        scenario
    }
}
