//! Runs scenarios.

pub mod graph;
pub mod pairs;
pub mod run;
pub mod trace;

pub use run::{Advantages, Counters, RunOptions, RunReport};
