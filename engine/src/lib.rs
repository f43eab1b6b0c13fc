//! An embeddable runtime for Crux: many virtual machines on one moving heap, global
//! futures, cancellation.
//!
//! ```text
//! engine        the embedder's door: load a program, call, cancel, collect
//! call          calls of the host, by id
//! task          one task: slices of its machine, and what the engine does between them
//! futures/      the registry of unfinished futures, waiting and waking
//! cancellation/ tokens
//! event         what an observer sees of all this
//! ```

mod call;
pub mod cancellation;
mod engine;
mod event;
pub mod futures;
mod task;

pub use call::{Call, CallError, CallHandle, Outcome};
pub use engine::{Engine, EngineError, EngineOptions};
pub use event::{EngineEvent, Observer};
pub use task::yield_points;
