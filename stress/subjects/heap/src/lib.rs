//! Other people's heaps: a garbage collector is tested by implementing [`HeapSubject`] for it.
//!
//! ```text
//! subject    what a heap must be able to do, and what it may say it can ([`Caps`])
//! probe      what each node carries: it notices its own drop, and use after it
//! program    operations on a heap as plain data
//! generator  draws programs: cycles, weak pointers, callbacks that use the heap again, panics
//! model      the graph as it ought to be
//! run        runs a program on a heap and on the model, and compares
//! lane       all of that as a subject of the harness: campaigns, shrinking, replay
//! entry      entry points: an executable, a fuzz target
//! ```
//!
//! One file is enough, a test without libtest's harness:
//!
//! ```text
//! struct MyHeap { … }
//! impl HeapSubject for MyHeap { … }
//!
//! fn main() -> std::process::ExitCode {
//!     gcrucible_heap_subject::heap_main::<MyHeap>()
//! }
//! ```
//!
//! The executable has the commands `run` (the default), `replay` and `shrink`. It runs programs in
//! worker processes of its own, so that a heap that crashes, hangs or eats memory is a finding like
//! any other, and the campaign goes on.

mod caps;
mod entry;
mod generator;
mod lane;
mod model;
mod probe;
mod program;
mod reductions;
mod run;
mod subject;

pub use caps::Caps;
pub use entry::{heap_fuzz, heap_main, run_program};
pub use generator::generate;
pub use lane::{HeapLane, HeapScenario};
pub use probe::{Look, Probe};
pub use program::{Act, Op, Plan, Program};
pub use subject::{Collect, HeapSubject, Inside, Knobs, NoMemory, Node};
