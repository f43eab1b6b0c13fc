//! The scenario as data.

use gcrucible_heap::{HeapConfig, HeapDebug};
use gcrucible_trace::{Failure, Schedule};
use serde::{Deserialize, Serialize};

use super::bytecode_edit::BytecodeEdit;
use super::heap_ops::HeapOps;
use super::host_script::{HostAnswer, HostEvent};

/// The version of the text format this build writes.
pub const FORMAT: u32 = 1;

/// All that is needed to repeat a run: same scenario, same binary, same trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of the text format, [`FORMAT`].
    pub format: u32,
    /// Where it came from; does not influence the run.
    pub origin: Origin,
    /// Sizes and limits of the heap.
    pub heap: HeapConfig,
    /// Debug modes of the heap.
    pub debug: HeapDebug,
    /// Who runs when.
    pub schedule: Schedule,
    /// What the platform does wrong.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What runs.
    pub body: Body,
}

impl Scenario {
    /// The key of the heap's hashes: from the seed, so that it differs between scenarios and
    /// each replay has the same.
    pub fn hash_key(&self) -> [u64; 2] {
        let seed = self.origin.seed.as_deref().unwrap_or_default();
        // FNV-1a, from two different starts.
        [0xCBF2_9CE4_8422_2325, 0x9E37_79B9_7F4A_7C15].map(|start: u64| {
            seed.bytes().fold(start, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
            })
        })
    }
}

/// Provenance of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Origin {
    /// `lane:seed:index` of a generated one.
    pub seed: Option<String>,
    /// Version of the harness that wrote it.
    pub version: String,
    /// Commit of that harness, if it was known.
    pub commit: String,
    /// Cargo features of that build that matter (`seeded-bugs`).
    pub features: Vec<String>,
    /// The seeded bug that was on, if any.
    pub bug: Option<String>,
    /// The failure it was kept for, if any.
    pub failure: Option<Failure>,
}

/// The lanes: kinds of scenario that a campaign runs side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Operations straight against the heap.
    #[serde(rename = "heap-ops")]
    HeapOps,
    /// Generated programs raced with a host script.
    #[serde(rename = "programs")]
    Programs,
    /// Programs and host scripts biased to cancellation.
    #[serde(rename = "cancellation")]
    Cancellation,
    /// Programs raced with hot reload.
    #[serde(rename = "reload")]
    Reload,
    /// Serving forks.
    #[serde(rename = "serve")]
    Serve,
}

impl Lane {
    /// All lanes, as `summary.json` lists them.
    pub const ALL: [Lane; 5] = [
        Lane::HeapOps,
        Lane::Programs,
        Lane::Cancellation,
        Lane::Reload,
        Lane::Serve,
    ];

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Lane::HeapOps => "heap-ops",
            Lane::Programs => "programs",
            Lane::Cancellation => "cancellation",
            Lane::Reload => "reload",
            Lane::Serve => "serve",
        }
    }

    /// The lane with this name.
    pub fn from_name(name: &str) -> Option<Lane> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// The seed of one generated scenario, `lane:seed:index` as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScenarioSeed {
    /// Its lane.
    pub lane: Lane,
    /// The campaign's seed, below 2^53.
    pub seed: u64,
    /// Its index in the lane.
    pub index: u64,
}

impl std::fmt::Display for ScenarioSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.lane.name(), self.seed, self.index)
    }
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "a scenario has one body, and nearly all have programs"
)]
pub enum Body {
    /// Operations straight against the heap.
    HeapOps(HeapOps),
    /// Programs raced with the embedder.
    Programs(Programs),
}

/// Programs and what the embedder does with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    /// The entry module.
    pub entry: ModuleSource,
    /// What the embedder reloads to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ModuleSource>,
    /// What the embedder does, in order, raced against the programs.
    pub host: Vec<HostEvent>,
    /// What it answers to host operations, in the order in which they begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<HostAnswer>,
    /// Changes of the compiled program, in order. What the verifier refuses then does not
    /// run; what it accepts may be endless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<BytecodeEdit>,
}

/// A module: source text, or the abstract form that renders to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModuleSource {
    /// Crux source text, as a person writes it.
    Text(String),
    /// A generated program, which shrinks by its structure.
    Tree(super::program::Module),
}

/// What the platform does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// There is no memory for the n-th allocation (from 0), as at the heap's limit. What an
    /// operation reserves for several objects counts as one.
    OutOfMemory {
        /// Ordinal of the allocation.
        at: u32,
    },
}
