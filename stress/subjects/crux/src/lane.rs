//! The lanes of the engine: each is a [`Subject`], and all share one sort of scenario.

mod expectations;
mod features;
mod modes;
mod size;
mod variants;

pub use variants::CURATED_MODES;

use std::any::Any;

use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_heap::{HeapConfig, HeapDebug, HeapFault};
use gcrucible_scenario::text::FORMAT;
use gcrucible_scenario::{Lane, Origin, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Aim, AnySubject, Expectation, Mix, OracleInfo, Subject, Variant};
use gcrucible_trace::{
    EventKind, FeatureSet, FeatureTable, Mode, Refusal, RunOptions, RunReport, Verdict,
};

use crate::scenario::{Body, HeapOps, ModuleSource, Scenario};
use crate::{executor, generator, oracles, shrink};

/// Operations straight against the heap.
pub const HEAP_OPS: Lane = Lane::new(0, "heap-ops");
/// Generated programs raced with a host script.
pub const PROGRAMS: Lane = Lane::new(1, "programs");
/// Programs and host scripts biased to cancellation.
pub const CANCELLATION: Lane = Lane::new(2, "cancellation");
/// Programs raced with hot reload.
pub const RELOAD: Lane = Lane::new(3, "reload");
/// Serving forks.
pub const SERVE: Lane = Lane::new(4, "serve");

/// All of them, as `summary.json` lists them.
pub const ALL: [Lane; 5] = [HEAP_OPS, PROGRAMS, CANCELLATION, RELOAD, SERVE];

/// A lane of the engine, as a subject.
#[derive(Debug)]
pub struct EngineLane {
    lane: Lane,
    expectations: &'static [&'static [Expectation]],
    features: FeatureTable,
}

/// The lanes as subjects. Files that name no subject are read by the first of them, which runs
/// what they hold, as any of them does.
pub static SUBJECTS: [&dyn AnySubject; 5] = [
    &EngineLane {
        lane: PROGRAMS,
        expectations: &[expectations::PROGRAMS],
        features: features::OF_PROGRAMS,
    },
    &EngineLane {
        lane: HEAP_OPS,
        expectations: &[expectations::HEAP_OPS],
        features: features::OF_HEAP_OPS,
    },
    &EngineLane {
        lane: CANCELLATION,
        expectations: &[expectations::PROGRAMS, expectations::CANCELLATION],
        features: features::OF_PROGRAMS,
    },
    &EngineLane {
        lane: RELOAD,
        expectations: &[expectations::PROGRAMS, expectations::RELOAD],
        features: features::OF_VERSIONS,
    },
    &EngineLane {
        lane: SERVE,
        expectations: &[expectations::PROGRAMS, expectations::SERVE],
        features: features::OF_VERSIONS,
    },
];

/// The size of a scenario that ran so.
pub fn size_of(scenario: &Scenario, verdict: &Verdict) -> Size {
    size::of(scenario, verdict)
}

impl Subject for EngineLane {
    type Scenario = Scenario;

    fn lane(&self) -> Lane {
        self.lane
    }

    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> Scenario {
        generator::generate(seed, mix)
    }

    fn empty(&self) -> Scenario {
        Scenario {
            format: FORMAT,
            origin: Origin::default(),
            heap: HeapConfig::tiny(),
            debug: HeapDebug::default(),
            schedule: Schedule::Drawn {
                strategy: StrategyName::RoundRobin,
                seed: 0,
            },
            faults: Vec::new(),
            body: Body::HeapOps(HeapOps {
                holders: 1,
                registers: 1,
                ops: Vec::new(),
            }),
        }
    }

    fn panic_text(&self, payload: &dyn Any) -> Option<String> {
        payload.downcast_ref::<HeapFault>().map(ToString::to_string)
    }

    fn run(&self, scenario: &Scenario, options: &RunOptions) -> RunReport {
        executor::run(scenario, options).report
    }

    fn size(&self, scenario: &Scenario, verdict: &Verdict) -> Size {
        size_of(scenario, verdict)
    }

    fn heading(&self, scenario: &Scenario) -> String {
        format!("heap      {}\n", scenario.debug)
    }

    fn listing(&self, scenario: &Scenario) -> String {
        let Body::Programs(programs) = &scenario.body else {
            return String::new();
        };
        let source = match &programs.entry {
            ModuleSource::Text(text) => text.clone(),
            ModuleSource::Tree(module) => module.render(),
        };
        let lines = source.lines().enumerate();
        let lines = lines.map(|(number, line)| format!("{:>5} │ {line}\n", number + 1));
        format!("\nprogram\n{}", lines.collect::<String>())
    }

    fn reduce(&self, search: &mut Search<'_, '_, Scenario>) -> Result<(), Refusal> {
        shrink::reduce(search)
    }

    fn detour(&self, search: &mut Search<'_, '_, Scenario>) -> Result<(), Refusal> {
        shrink::detour(search)
    }

    fn has_schedule(&self, scenario: &Scenario) -> bool {
        shrink::has_schedule(scenario)
    }

    fn modes(&self) -> &'static [Mode] {
        modes::MODES
    }

    fn modes_of(&self, scenario: &Scenario, show: &mut dyn FnMut(&'static Mode)) {
        let has_machines = matches!(scenario.body, Body::Programs(_));
        let has_faults = !scenario.faults.is_empty();
        modes::of(&scenario.debug, has_faults, has_machines, show);
    }

    fn parse_modes(&self, text: &str) -> Result<String, String> {
        let modes: Result<HeapDebug, _> = text.parse();
        modes
            .map(|modes| modes.to_string())
            .map_err(|error| error.to_string())
    }

    fn features(&self) -> FeatureTable {
        self.features
    }

    fn features_of(&self, scenario: &Scenario) -> FeatureSet {
        generator::features::features_of(scenario)
    }

    fn aims_at(&self, seed: u64, pair: (usize, usize)) -> Option<Aim> {
        generator::aims_at(self.lane, seed, pair)
    }

    fn features_behind(&self, event: EventKind) -> FeatureSet {
        match self.lane {
            // Its features are operations, and what is asked of it comes up in all scenarios.
            HEAP_OPS => FeatureSet::NONE,
            _ => features::behind(event),
        }
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        self.expectations.to_vec()
    }

    fn is_costly(&self) -> bool {
        true
    }

    fn oracles(&self) -> &'static [OracleInfo] {
        oracles::infos()
    }

    fn variant(&self, scenario: &Scenario, variant: Variant<'_>) -> Scenario {
        variants::variant(scenario, variant)
    }
}
