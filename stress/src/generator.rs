//! Draws scenarios from choices.

pub mod choices;
