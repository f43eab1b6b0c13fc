//! The scenario as data.

use gcrucible_explore::Schedule;
use gcrucible_heap::{CollectMode, HeapConfig, HeapDebug, KindMode, VerifyLevel};
use gcrucible_scenario::text::FORMAT;
use gcrucible_scenario::{Origin, ScenarioData};
use serde::{Deserialize, Serialize};

use super::bytecode_edit::BytecodeEdit;
use super::heap_ops::HeapOps;
use super::host_script::{HostAnswer, HostEvent};

/// Whether a heap collects at every safepoint, moves everything at each collection, or is
/// verified in full.
pub fn is_costly(debug: &HeapDebug) -> bool {
    debug.collect == CollectMode::EverySafepoint
        || debug.kind == KindMode::Major
        || debug.verify == VerifyLevel::Full
}

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

impl ScenarioData for Scenario {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn origin_mut(&mut self) -> &mut Origin {
        &mut self.origin
    }

    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn schedule_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    fn first_bad_value(&self) -> Option<(&'static str, String)> {
        let heap = &self.heap;
        let power_within = |value: u32, from: u32, to: u32| {
            value.is_power_of_two() && (from..=to).contains(&value)
        };
        if self.format == 0 {
            return Some((
                "format",
                format!("format versions start at 1; expected {FORMAT}"),
            ));
        }
        if !power_within(heap.block_bytes, 512, 1 << 20) {
            let found = heap.block_bytes;
            return Some((
                "block_bytes",
                format!("block_bytes is {found}; expected a power of two from 512 to 1048576"),
            ));
        }
        if !power_within(heap.card_bytes, 64, heap.block_bytes) {
            let found = heap.card_bytes;
            return Some((
                "card_bytes",
                format!("card_bytes is {found}; expected a power of two from 64 to block_bytes"),
            ));
        }
        if heap.nursery_bytes == 0 || heap.tlab_bytes == 0 {
            let field = if heap.nursery_bytes == 0 {
                "nursery_bytes"
            } else {
                "tlab_bytes"
            };
            return Some((field, format!("{field} is 0; expected at least 1")));
        }
        if heap.limit_bytes < u64::from(heap.block_bytes) {
            return Some((
                "limit_bytes",
                format!(
                    "limit_bytes is {}; expected at least block_bytes",
                    heap.limit_bytes
                ),
            ));
        }
        match &self.body {
            Body::HeapOps(body) if body.holders == 0 => {
                Some(("holders", "holders is 0; expected at least 1".to_owned()))
            }
            Body::HeapOps(body) if body.registers == 0 => Some((
                "registers",
                "registers is 0; expected at least 1".to_owned(),
            )),
            _ => None,
        }
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
