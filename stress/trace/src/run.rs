//! One run of one scenario, and what it leaves behind.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::{Deserialize, Deserializer, Serialize};

use super::counters::Counters;
use super::failure::Failure;
use super::pairs::PairMatrix;
use super::schedule::Decision;

/// Which advantages of the harness are on; the zoo takes them away one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advantages {
    /// The strategies decide who runs when and where collections happen; without it each
    /// ready actor runs in turn until it waits, and collections are the natural ones.
    pub controlled_schedule: bool,
    /// The heap's debug modes other than verification.
    pub heap_modes: bool,
    /// The heap verifier.
    pub verifier: bool,
    /// The reference model.
    pub model: bool,
    /// An oracle whose verdicts are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silenced: Option<OracleName>,
}

impl Advantages {
    /// All of them on.
    pub const ALL: Advantages = Advantages {
        controlled_schedule: true,
        heap_modes: true,
        verifier: true,
        model: true,
        silenced: None,
    };

    /// Whether the verdicts of an oracle are dropped.
    pub fn silences(&self, oracle: &str) -> bool {
        self.silenced.is_some_and(|name| name.0 == oracle)
    }
}

/// The name of an oracle. One that is read is kept for ever, each once in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OracleName(pub &'static str);

impl<'de> Deserialize<'de> for OracleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        thread_local! {
            static NAMES: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
        }
        let name = String::deserialize(deserializer)?;
        NAMES.with_borrow_mut(|names| {
            let known = names.get(name.as_str()).copied();
            let name = known.unwrap_or_else(|| String::leak(name));
            names.insert(name);
            Ok(OracleName(name))
        })
    }
}

/// How to run a scenario.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Keep the decisions taken and the events seen, for replay, shrinking and reports.
    pub record: bool,
    /// What is on.
    pub advantages: Advantages,
    /// Corrupt one observation between the subject and the oracles on purpose: a run that
    /// still passes shows oracles that judge nothing. Campaigns do this once per lane.
    pub canary: bool,
    /// How recorded decisions are followed.
    pub replay: ReplayMode,
    /// Decisions after which a run is cut off; generated programs end long before.
    pub decisions_max: u32,
}

impl RunOptions {
    /// [`RunOptions::decisions_max`] where nothing else is wanted.
    pub const DECISIONS_MAX: u32 = 200_000;
}

/// What to do when a recorded decision cannot be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayMode {
    /// Stop, and name the decision in [`RunReport::diverged`].
    #[default]
    Strict,
    /// Take the closest one that is possible: for shrinking.
    Lenient,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            record: false,
            advantages: Advantages::ALL,
            canary: false,
            replay: ReplayMode::Strict,
            decisions_max: Self::DECISIONS_MAX,
        }
    }
}

/// What a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// What it did.
    pub counters: Counters,
    /// Which event followed which on the same object or task.
    pub pairs: PairMatrix,
    /// The first claim that did not hold.
    pub failure: Option<Failure>,
    /// Hash of the trace: equal runs have equal hashes.
    pub trace_hash: u64,
    /// The first recorded decision that could not be taken, in words; such a run is
    /// neither a pass nor a failure.
    pub diverged: Option<String>,
    /// The decisions taken, if recorded.
    pub decisions: Vec<Decision>,
    /// Readable lines of what happened, if recorded: `(actor, text)`; actor 0 is the host,
    /// `u32::MAX` the collector.
    pub timeline: Vec<(u32, String)>,
}

impl RunReport {
    /// Ends the report of a subject whose timeline says all that can be observed: takes its hash,
    /// and forgets the lines if nobody wants them.
    pub fn hash_timeline(&mut self, options: &RunOptions) {
        let mut hasher = DefaultHasher::new();
        self.timeline.hash(&mut hasher);
        self.trace_hash = hasher.finish();
        if !options.record {
            self.timeline.clear();
        }
    }
}

/// How one scenario went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// The first claim that did not hold.
    pub failure: Option<Failure>,
    /// Why recorded decisions could not be followed.
    pub diverged: Option<String>,
    /// Hash of the trace.
    pub trace_hash: u64,
    /// What it did.
    pub counters: Counters,
    /// The decisions taken, if recorded.
    pub decisions: Vec<Decision>,
    /// Lines of what happened, if recorded.
    pub timeline: Vec<(u32, String)>,
}

impl From<RunReport> for Verdict {
    fn from(report: RunReport) -> Verdict {
        Verdict {
            failure: report.failure,
            diverged: report.diverged,
            trace_hash: report.trace_hash,
            counters: report.counters,
            decisions: report.decisions,
            timeline: report.timeline,
        }
    }
}
