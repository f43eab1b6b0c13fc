//! Futures: the registry of unfinished ones, and waiting for them.

mod registry;
mod signal;

pub use registry::{Registry, Removed, Wait};
pub(crate) use signal::Signal;
