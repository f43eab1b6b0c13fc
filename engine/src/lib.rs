//! An embeddable runtime for Crux: many virtual machines on one moving heap, global
//! futures, cancellation.
//!
//! ```text
//! engine        the embedder's door: load a program, call, cancel, collect
//! call          calls of the host, by id
//! run           a call and every task that it started
//! task/         one task: slices of its machine, and what the engine does between them
//! futures/      the registry of unfinished futures, waiting and waking
//! wait_lists    who waits for channels and mutexes
//! cancellation/ tokens
//! event         what an observer sees of all this
//! ```

mod call;
pub mod cancellation;
mod engine;
mod event;
pub mod futures;
mod run;
mod task;
mod trace;
mod wait_lists;

pub use call::{Call, CallError, CallHandle, Outcome};
pub use engine::{Engine, EngineError, EngineOptions};
pub use event::{EngineEvent, Observer};
pub use task::yield_points;
pub use trace::TraceFrame;
