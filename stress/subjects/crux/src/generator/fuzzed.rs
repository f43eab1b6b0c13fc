//! The scenarios that a fuzzer's inputs stand for.

use arbitrary::{Arbitrary as _, Unstructured};

use gcrucible_heap::{HeapConfig, HeapDebug};

use super::{Focus, Mix, heap_ops, programs};
use crate::scenario::{Body, BytecodeEdit, Scenario};
use gcrucible_explore::{Schedule, StrategyName};

/// Edits of a program at most: with many of them hardly any program is accepted.
const EDITS_MAX: usize = 6;

/// Heap modes under which source text and edited bytecode run.
const MODES: &str = "collect=seeded:1:100,zombie,scribble,verify=full";

/// What a fuzzer's bytes choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuzzTarget {
    /// Heap operations.
    HeapOps,
    /// A generated program raced with a host script.
    ProgramRace,
    /// The same with a focus on cancellation, under a schedule that aims at it.
    CancelRace,
    /// The same with a focus on forks for serving.
    ServeFork,
    /// The same with a host that reloads it.
    ReloadRace,
    /// A generated program raced with a host script, its bytecode edited.
    Bytecode,
    /// The source text of a program that the host calls `main` of; what is no UTF-8 is
    /// replaced.
    SourceText,
}

impl FuzzTarget {
    /// All targets.
    pub const ALL: [FuzzTarget; 7] = [
        FuzzTarget::HeapOps,
        FuzzTarget::ProgramRace,
        FuzzTarget::CancelRace,
        FuzzTarget::ServeFork,
        FuzzTarget::ReloadRace,
        FuzzTarget::Bytecode,
        FuzzTarget::SourceText,
    ];

    /// The name of the target, and of its folders.
    pub fn name(self) -> &'static str {
        match self {
            FuzzTarget::HeapOps => "heap_ops",
            FuzzTarget::ProgramRace => "program_race",
            FuzzTarget::CancelRace => "cancel_race",
            FuzzTarget::ServeFork => "serve_fork",
            FuzzTarget::ReloadRace => "reload_race",
            FuzzTarget::Bytecode => "bytecode",
            FuzzTarget::SourceText => "source_text",
        }
    }

    /// The scenario that an input stands for.
    pub fn scenario(self, input: &[u8]) -> Scenario {
        let mix = Mix::default();
        let mut choices = Unstructured::new(input);
        match self {
            FuzzTarget::HeapOps => heap_ops::generate(&mut choices, None, &mix),
            FuzzTarget::ProgramRace => {
                programs::generate(&mut choices, None, &mix, Focus::Everything)
            }
            FuzzTarget::CancelRace => {
                programs::generate(&mut choices, None, &mix, Focus::Cancellation)
            }
            FuzzTarget::ServeFork => programs::generate(&mut choices, None, &mix, Focus::Serve),
            FuzzTarget::ReloadRace => programs::generate(&mut choices, None, &mix, Focus::Reload),
            FuzzTarget::Bytecode => {
                let edits = edits(&mut choices);
                let mut scenario = programs::generate(&mut choices, None, &mix, Focus::Everything);
                if let Body::Programs(programs) = &mut scenario.body {
                    programs.edits = edits;
                }
                scenario.debug = modes();
                scenario
            }
            FuzzTarget::SourceText => {
                let mut scenario = Scenario::of_program(String::from_utf8_lossy(input).into());
                scenario.debug = modes();
                // A text that fills the heap does so soon.
                scenario.heap = HeapConfig::tiny();
                scenario.schedule = Schedule::Drawn {
                    strategy: StrategyName::Random,
                    seed: input.len() as u64,
                };
                scenario
            }
        }
    }
}

fn modes() -> HeapDebug {
    MODES.parse().expect("modes that exist")
}

/// At least one edit; those that the input has no bytes for are left out.
fn edits(choices: &mut Unstructured<'_>) -> Vec<BytecodeEdit> {
    let count = choices.int_in_range(1..=EDITS_MAX).unwrap_or(1);
    let drawn = (0..count).map_while(|_| BytecodeEdit::arbitrary(choices).ok());
    drawn.collect()
}
