//! Runs scenarios.

pub mod graph;
pub mod heap_ops;
pub mod pairs;
pub mod region_pool;
pub mod run;
pub mod trace;

pub use run::{Advantages, Counters, ReplayMode, RunOptions, RunReport};
