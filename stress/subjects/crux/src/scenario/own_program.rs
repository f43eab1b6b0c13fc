//! A person's own program as a scenario.

use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_heap::{HeapConfig, HeapDebug};

use super::host_script::HostEvent;
use gcrucible_scenario::Origin;
use gcrucible_scenario::text::FORMAT;

use super::model::{Body, ModuleSource, Programs, Scenario};

/// Heap limit of a person's own program: blocks and nursery are tiny, as for generated
/// ones, but it may keep more alive.
const LIMIT_BYTES: u64 = 64 << 20;

impl Scenario {
    /// The scenario of a person's own program: the host calls `main` and waits.
    pub fn of_program(text: String) -> Scenario {
        let call = HostEvent::Call {
            call: 0,
            function: "main".into(),
            args: Vec::new(),
        };
        Scenario {
            format: FORMAT,
            origin: Origin::default(),
            heap: HeapConfig {
                limit_bytes: LIMIT_BYTES,
                ..HeapConfig::tiny()
            },
            debug: HeapDebug::default(),
            schedule: Schedule::Drawn {
                strategy: StrategyName::Random,
                seed: 0,
            },
            faults: Vec::new(),
            body: Body::Programs(Programs {
                entry: ModuleSource::Text(text),
                host: vec![call, HostEvent::JoinCall { call: 0 }],
                answers: Vec::new(),
                edits: Vec::new(),
                versions: Vec::new(),
            }),
        }
    }
}
