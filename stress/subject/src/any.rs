//! Subjects and scenarios with their types hidden: what the stages of the harness see.

use std::any::Any;

use gcrucible_explore::Schedule;
use gcrucible_scenario::text::FormatError;
use gcrucible_scenario::{Lane, ModeCounts, Origin, ScenarioData, ScenarioSeed, Size};
use gcrucible_shrink::{Reduce, Search, ShrinkBudget};
use gcrucible_trace::{
    Counters, EventKind, Failure, FeatureSet, FeatureTable, Mode, Refusal, ReplayMode, RunOptions,
    RunReport, Verdict,
};

use super::subject::{Aim, Expectation, Mix, OracleInfo, Subject, Variant};

/// A [`Subject`] with its type hidden.
pub trait AnySubject: Send + Sync {
    /// See [`Subject::lane`].
    fn lane(&self) -> Lane;

    /// See [`Subject::generate`].
    fn generate(&'static self, seed: ScenarioSeed, mix: &Mix) -> Box<dyn Case>;

    /// See [`Subject::empty`].
    fn empty(&'static self) -> Box<dyn Case>;

    /// See [`Subject::panic_text`].
    fn panic_text(&self, payload: &dyn Any) -> Option<String>;

    /// Reads a scenario's text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    fn parse(&'static self, text: &str) -> Result<Box<dyn Case>, FormatError>;

    /// See [`Subject::modes`].
    fn modes(&self) -> &'static [Mode];

    /// See [`Subject::parse_modes`].
    ///
    /// # Errors
    /// What was expected.
    fn parse_modes(&self, text: &str) -> Result<String, String>;

    /// See [`Subject::features`].
    fn features(&self) -> FeatureTable;

    /// See [`Subject::aims_at`].
    fn aims_at(&self, seed: u64, pair: (usize, usize)) -> Option<Aim>;

    /// See [`Subject::features_behind`].
    fn features_behind(&self, event: EventKind) -> FeatureSet;

    /// See [`Subject::expectations`].
    fn expectations(&self) -> Vec<&'static [Expectation]>;

    /// See [`Subject::is_costly`].
    fn is_costly(&self) -> bool;

    /// See [`Subject::oracles`].
    fn oracles(&self) -> &'static [OracleInfo];
}

/// A scenario with its type hidden.
pub trait Case: Send {
    /// The lane of its subject.
    fn lane(&self) -> Lane;

    /// Where it came from.
    fn origin(&self) -> &Origin;

    /// The same, to be changed.
    fn origin_mut(&mut self) -> &mut Origin;

    /// Who runs when.
    fn schedule(&self) -> &Schedule;

    /// See [`ScenarioData::to_text`].
    fn to_text(&self) -> String;

    /// See [`Subject::run`].
    fn run(&self, options: &RunOptions) -> RunReport;

    /// Counts the modes that it runs under, with what its run did.
    fn note_modes(&self, modes: &mut ModeCounts, counters: &Counters);

    /// See [`Subject::features_of`].
    fn features(&self) -> FeatureSet;

    /// See [`Subject::size`].
    fn size(&self, verdict: &Verdict) -> Size;

    /// See [`Subject::heading`].
    fn heading(&self) -> String;

    /// See [`Subject::listing`].
    fn listing(&self) -> String;

    /// See [`Subject::variant`].
    fn variant(&self, variant: Variant<'_>) -> Box<dyn Case>;

    /// Shrinks it. `None`: it does not fail, or not the check of `wanted`.
    ///
    /// # Errors
    /// Those of `run`.
    fn shrink(
        &self,
        wanted: Option<&Failure>,
        run: &mut RunText<'_>,
        budget: ShrinkBudget,
    ) -> Result<Option<ShrunkCase>, Refusal>;
}

impl std::fmt::Debug for dyn Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// Runs the scenario of a text: recording or not, strict or lenient.
pub type RunText<'a> = dyn FnMut(&str, bool, ReplayMode) -> Result<Verdict, Refusal> + 'a;

/// What came of shrinking.
#[derive(Debug)]
pub struct ShrunkCase {
    /// The smallest scenario found; a strict replay of it fails the same check.
    pub case: Box<dyn Case>,
    /// How that replay went, with decisions and timeline.
    pub verdict: Verdict,
    /// The size that the scenario had.
    pub before: Size,
    /// The size that it has.
    pub after: Size,
    /// Runs that it took.
    pub runs: u32,
    /// Proposals that were kept.
    pub steps: u32,
    /// Whether the budget ended it early.
    pub is_cut_short: bool,
}

impl<T: Subject> AnySubject for T {
    fn lane(&self) -> Lane {
        Subject::lane(self)
    }

    fn generate(&'static self, seed: ScenarioSeed, mix: &Mix) -> Box<dyn Case> {
        Box::new(Of {
            scenario: Subject::generate(self, seed, mix),
            subject: self,
        })
    }

    fn empty(&'static self) -> Box<dyn Case> {
        Box::new(Of {
            scenario: Subject::empty(self),
            subject: self,
        })
    }

    fn panic_text(&self, payload: &dyn Any) -> Option<String> {
        Subject::panic_text(self, payload)
    }

    fn parse(&'static self, text: &str) -> Result<Box<dyn Case>, FormatError> {
        let scenario = T::Scenario::from_text(text)?;
        Ok(Box::new(Of {
            scenario,
            subject: self,
        }))
    }

    fn modes(&self) -> &'static [Mode] {
        Subject::modes(self)
    }

    fn parse_modes(&self, text: &str) -> Result<String, String> {
        Subject::parse_modes(self, text)
    }

    fn features(&self) -> FeatureTable {
        Subject::features(self)
    }

    fn aims_at(&self, seed: u64, pair: (usize, usize)) -> Option<Aim> {
        Subject::aims_at(self, seed, pair)
    }

    fn features_behind(&self, event: EventKind) -> FeatureSet {
        Subject::features_behind(self, event)
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        Subject::expectations(self)
    }

    fn is_costly(&self) -> bool {
        Subject::is_costly(self)
    }

    fn oracles(&self) -> &'static [OracleInfo] {
        Subject::oracles(self)
    }
}

/// A scenario with its subject.
struct Of<T: Subject> {
    subject: &'static T,
    scenario: T::Scenario,
}

impl<T: Subject> Case for Of<T> {
    fn lane(&self) -> Lane {
        Subject::lane(self.subject)
    }

    fn origin(&self) -> &Origin {
        self.scenario.origin()
    }

    fn origin_mut(&mut self) -> &mut Origin {
        self.scenario.origin_mut()
    }

    fn schedule(&self) -> &Schedule {
        self.scenario.schedule()
    }

    fn to_text(&self) -> String {
        self.scenario.to_text()
    }

    fn run(&self, options: &RunOptions) -> RunReport {
        self.subject.run(&self.scenario, options)
    }

    fn note_modes(&self, modes: &mut ModeCounts, counters: &Counters) {
        if self.subject.has_schedule(&self.scenario)
            && let Some(mode) = self.scenario.schedule().mode()
        {
            modes.note(mode, counters);
        }
        self.subject
            .modes_of(&self.scenario, &mut |mode| modes.note(mode, counters));
    }

    fn features(&self) -> FeatureSet {
        self.subject.features_of(&self.scenario)
    }

    fn size(&self, verdict: &Verdict) -> Size {
        self.subject.size(&self.scenario, verdict)
    }

    fn heading(&self) -> String {
        self.subject.heading(&self.scenario)
    }

    fn listing(&self) -> String {
        self.subject.listing(&self.scenario)
    }

    fn variant(&self, variant: Variant<'_>) -> Box<dyn Case> {
        Box::new(Of {
            scenario: self.subject.variant(&self.scenario, variant),
            subject: self.subject,
        })
    }

    fn shrink(
        &self,
        wanted: Option<&Failure>,
        run: &mut RunText<'_>,
        budget: ShrinkBudget,
    ) -> Result<Option<ShrunkCase>, Refusal> {
        let mut run = |scenario: &T::Scenario, record: bool, replay: ReplayMode| {
            run(&scenario.to_text(), record, replay)
        };
        let passes = Passes(self.subject);
        let shrunk = gcrucible_shrink::shrink(&self.scenario, wanted, &passes, &mut run, budget)?;
        Ok(shrunk.map(|shrunk| ShrunkCase {
            before: self.subject.size(&self.scenario, &shrunk.before),
            after: self.subject.size(&shrunk.scenario, &shrunk.verdict),
            case: Box::new(Of {
                subject: self.subject,
                scenario: shrunk.scenario,
            }),
            verdict: shrunk.verdict,
            runs: shrunk.runs,
            steps: shrunk.steps,
            is_cut_short: shrunk.is_cut_short,
        }))
    }
}

/// The passes of a subject, as the shrinker takes them.
struct Passes<'a, T>(&'a T);

impl<T: Subject> Reduce<T::Scenario> for Passes<'_, T> {
    fn reduce(&self, search: &mut Search<'_, '_, T::Scenario>) -> Result<(), Refusal> {
        self.0.reduce(search)
    }

    fn detour(&self, search: &mut Search<'_, '_, T::Scenario>) -> Result<(), Refusal> {
        self.0.detour(search)
    }

    fn has_schedule(&self, scenario: &T::Scenario) -> bool {
        self.0.has_schedule(scenario)
    }
}
