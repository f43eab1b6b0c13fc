//! The `crucible` command: campaigns, replay and shrinking of the subjects that it was built with.

pub mod cli;
mod engine_bugs;
mod subjects;

pub use subjects::subjects;
