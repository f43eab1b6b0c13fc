//! A subject for tests: what its scenarios do is known from their index.

use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::{Lane, Plain, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Aim, AnySubject, Build, Expectation, Mix, NoBugs, Subject, Subjects};
use gcrucible_trace::{
    EventKind, Failure, FeatureSet, FeatureTable, Mode, Refusal, RunOptions, RunReport, Verdict,
};

/// Scenarios whose body is their index; odd hundreds fail, and 13 panics.
pub(crate) struct Fake;

/// The lane of [`Fake`].
pub(crate) const LANE: Lane = Lane::new(0, "fake");

/// The subjects of a process that has this one only.
pub(crate) fn subjects() -> Subjects {
    static LIST: [&dyn AnySubject; 1] = [&Fake];
    static BUILD: Build = Build {
        version: "",
        commit: "",
        features: Vec::new(),
    };
    Subjects::new(&LIST, &NoBugs, &BUILD)
}

static MODES: &[Mode] = &[Mode {
    name: "scribble",
    effect: "bytes_scribbled",
    count: |counters| counters.bytes_scribbled,
}];

const FEATURES: FeatureTable = FeatureTable {
    names: &["two", "four", "never"],
    rules: &[("never is never", FeatureSet::NONE.with(2), FeatureSet::ALL)],
};

impl Subject for Fake {
    type Scenario = Plain<i64>;

    fn lane(&self) -> Lane {
        LANE
    }

    fn generate(&self, seed: ScenarioSeed, _mix: &Mix) -> Plain<i64> {
        let schedule = Schedule::Drawn {
            strategy: StrategyName::Random,
            seed: 0,
        };
        Plain::new("fake", seed.into(), schedule, seed.index as i64)
    }

    fn empty(&self) -> Plain<i64> {
        Plain::new(
            "fake",
            Default::default(),
            Schedule::Recorded(Vec::new()),
            0,
        )
    }

    fn run(&self, scenario: &Plain<i64>, options: &RunOptions) -> RunReport {
        let index = scenario.body;
        assert_ne!(index, 13, "thirteen");
        let mut report = RunReport {
            trace_hash: index as u64,
            ..RunReport::default()
        };
        report.counters.decisions = 2;
        report.pairs.add(EventKind::Spawn, EventKind::Await, 1);
        if index / 100 % 2 == 1 || options.canary {
            report.failure = Some(Failure {
                oracle: "fake".into(),
                check: "odd_hundred".into(),
                site: format!("{}", index / 100),
                message: format!("index {index}"),
            });
        }
        report
    }

    fn size(&self, _scenario: &Plain<i64>, _verdict: &Verdict) -> Size {
        Size {
            statements: 1,
            switches: 0,
            collections: 0,
        }
    }

    fn listing(&self, _scenario: &Plain<i64>) -> String {
        String::new()
    }

    fn reduce(&self, _search: &mut Search<'_, '_, Plain<i64>>) -> Result<(), Refusal> {
        Ok(())
    }

    fn modes(&self) -> &'static [Mode] {
        MODES
    }

    fn modes_of(&self, _scenario: &Plain<i64>, show: &mut dyn FnMut(&'static Mode)) {
        show(&MODES[0]);
    }

    fn features(&self) -> FeatureTable {
        FEATURES
    }

    fn features_of(&self, scenario: &Plain<i64>) -> FeatureSet {
        let index = scenario.body;
        let divisors = [2, 4].into_iter().enumerate();
        let divides = divisors.filter(|(_, divisor)| index % divisor == 0);
        divides.fold(FeatureSet::NONE, |set, (at, _)| set.with(at))
    }

    fn aims_at(&self, _seed: u64, _pair: (usize, usize)) -> Option<Aim> {
        Some(Aim {
            first: 4,
            every: 10,
        })
    }

    fn features_behind(&self, event: EventKind) -> FeatureSet {
        match event {
            EventKind::Fork => FeatureSet::NONE.with(0),
            EventKind::Catch => FeatureSet::NONE.with(1),
            _ => FeatureSet::NONE,
        }
    }

    fn parse_modes(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        vec![&[
            ("operations", |c| c.operations, 5.0),
            ("zombies", |c| c.zombies, 0.05),
        ]]
    }

    fn is_costly(&self) -> bool {
        true
    }
}
