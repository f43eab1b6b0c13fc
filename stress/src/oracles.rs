//! Judges runs.

pub mod failure;
pub mod matches_reference;
