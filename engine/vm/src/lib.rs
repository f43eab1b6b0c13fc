//! The Crux virtual machine: runs verified bytecode in slices on the moving heap.
//!
//! ```text
//! program        a program loaded into a heap: constants, functions
//! realm, fork    its globals; a copy of them that shares nothing which can change
//! vm, slice      one task's machine; what goes into a slice and what comes out
//! execution      a slice from its begin to its end
//! stack, frame   registers, and the frames that own them
//! exception      handlers, completions, unwinding, traces
//! scope          guards, deadlines, squads, steps, interrupt handlers
//! host_value     data that machine and host hand to each other
//! roots          what the collector finds in a machine
//! interpreter/   the instructions
//! builtins/      built-in functions and methods
//! work           what an instruction costs by size, and how it works in steps
//! display        values as text
//! ```
//!
//! The machine never calls up. A slice *returns* what happened ([`SliceEnd`]), and the
//! engine decides what comes next. A slice is synchronous, waits for nothing and runs
//! under one shared permit; what a collection may move is touched only within it.

mod builtins;
pub mod display;
mod exception;
mod execution;
mod feedback;
mod fork;
mod frame;
pub mod host_value;
mod interpreter;
mod live_frames;
mod program;
mod realm;
mod realm_stats;
mod roots;
mod scope;
mod slice;
mod stack;
mod stream_path;
mod vm;
mod work;

pub use display::{display, uncaught};
pub use fork::{ForkError, ForkFailure, Forking};
pub use gcrucible_platform::{HostRequest, HostValue};
pub use interpreter::type_name;
pub use program::LoadedProgram;
pub use realm::{Attachment, Realm};
pub use realm_stats::RealmStats;
pub use slice::{Change, Side, SliceEnd, SliceInput, SliceOutcome};
pub use vm::{HANDLER_TIMEOUT_MS, Vm, VmOptions};

#[cfg(test)]
mod tests;
