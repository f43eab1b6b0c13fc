//! What a run can be under, and what that is there for.

use super::counters::Counters;

/// A mode of a subject, or a strategy.
#[derive(Debug)]
pub struct Mode {
    /// The mode as it is given on the command line.
    pub name: &'static str,
    /// What the mode is there for, as the name of a counter.
    pub effect: &'static str,
    /// That counter.
    pub count: fn(&Counters) -> u64,
}
