//! The reference interpreter: slow, obvious, without a collector.
//!
//! It runs the same compiled program as the engine and shares no code with the engine's
//! VM, heap or futures. Objects live in a vector that only grows; a value names one by its
//! index. What the program does not decide (who runs, for how long, when a cancellation
//! arrives, in which order futures settle) comes from outside: from a trace, through
//! [`matches_reference`](crate::oracles::matches_reference), or from choices, through
//! [`self_driver`].
//!
//! ```text
//! Model ─┬─ Store      objects                         value.rs, map.rs
//!        ├─ versions   programs and their globals      loaded.rs, fork.rs
//!        ├─ tasks      frames, handlers, scopes        task.rs, scopes.rs, unwinding.rs
//!        ├─ futures    states, payloads                model.rs
//!        ├─ slices     how they begin and end          slice.rs
//!        ├─ library    what it promises, seen from outside library.rs
//!        └─ step       one instruction                 machine.rs, operators.rs, calls.rs,
//!                                                      builtins.rs, methods.rs, waiting.rs,
//!                                                      explain.rs
//! ```

mod builtins;
mod calls;
mod clients;
mod display;
mod dump;
mod explain;
mod finalizers;
mod fork;
mod library;
mod loaded;
mod machine;
mod map;
mod methods;
mod model;
mod operators;
mod reachable;
mod scopes;
pub mod self_driver;
mod slice;
mod structure;
mod task;
mod unwinding;
mod value;
mod waiting;

pub use clients::Broken;
pub use library::BrokenPledge;
pub use machine::Step;
pub use map::{Key, MapObject};
pub use model::{BodyEnd, Limits, Model, ModelFuture, Work};
pub use reachable::Overdue;
pub use slice::{SliceLog, SliceReport};
pub use task::{Status, Task};
pub use value::{Object, ObjectId, Store, Value};

#[cfg(test)]
mod tests;
