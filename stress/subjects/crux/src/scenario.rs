//! A scenario: all that is needed to repeat a run.

pub mod bytecode_edit;
pub mod heap_ops;
pub mod host_script;
pub mod model;
pub mod own_program;
pub mod program;
#[cfg(test)]
mod text_tests;

pub use bytecode_edit::{BytecodeEdit, Change};
pub use heap_ops::{HeapOp, HeapOps};
pub use host_script::{Data, Header, HostAnswer, HostEvent};
pub use model::{Body, Fault, ModuleSource, Programs, Scenario, is_costly};
