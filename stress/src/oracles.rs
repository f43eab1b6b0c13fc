//! Judges runs.

pub mod failure;
