//! What a reload is asked with, and what comes of it.

use std::fmt;
use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;

use crate::trace::TraceFrame;

/// What a new version is made of: a program, or why there is none, as people read it.
///
/// ```text
/// compile_modules(entry, &files).map(Arc::new).map_err(|errors| errors.render(color))
/// ```
pub type NewVersion = Result<Arc<VerifiedProgram>, String>;

/// How a reload goes about an entry that has not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadOptions {
    /// Cancel a pending entry instead of waiting for it.
    pub is_forced: bool,
}

/// What was done at once about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadAnswer {
    /// The top level of the version with this number runs; a later tick makes it current.
    Begun(u32),
    /// An entry is pending: it waits for that. A later request may take its place.
    Deferred(u32),
    /// There is nothing to run. It has been reported.
    Failed(u32),
}

impl ReloadAnswer {
    /// The number of the version, from 2: 1 is what the engine was made with.
    pub fn version(self) -> u32 {
        match self {
            ReloadAnswer::Begun(version)
            | ReloadAnswer::Deferred(version)
            | ReloadAnswer::Failed(version) => version,
        }
    }
}

/// What a tick found in the entry slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// No entry is loaded, or it has settled before.
    Idle,
    /// The entry has not settled.
    Pending,
    /// The entry has settled well since the last tick; its version is current.
    Fulfilled,
    /// The entry has failed since the last tick, which has been reported.
    Rejected,
}

/// What became of a version; observers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadStep {
    /// Its top level begins to run, as the next call that starts.
    Begun,
    /// It is current from now on.
    Swapped,
    /// It will never be current. This comes once for it.
    Failed(ReloadFailure),
    /// It waits for a pending entry.
    Deferred,
}

/// Why a version failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadFailure {
    /// It does not compile; the front end's report.
    Source(String),
    /// The heap has no room for it.
    OutOfMemory,
    /// Its top level threw an error that nobody caught.
    Threw {
        /// Display text of the error.
        text: String,
        /// Where it was thrown, innermost frame first.
        trace: Vec<TraceFrame>,
    },
    /// Its top level was cancelled.
    Cancelled,
    /// A host operation of its top level panicked.
    Panicked(String),
}

impl fmt::Display for ReloadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadFailure::Source(report) => f.write_str(report.trim_end()),
            ReloadFailure::OutOfMemory => f.write_str("the heap has no room for it"),
            ReloadFailure::Threw { text, trace } => {
                write!(f, "uncaught {text}")?;
                trace
                    .iter()
                    .try_for_each(|frame| write!(f, "\n  at {frame}"))
            }
            ReloadFailure::Cancelled => f.write_str("its top level was cancelled"),
            ReloadFailure::Panicked(message) => {
                write!(f, "a host operation of its top level panicked: {message}")
            }
        }
    }
}

impl std::error::Error for ReloadFailure {}
