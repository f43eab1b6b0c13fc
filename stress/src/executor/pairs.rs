//! The event-pair matrix: which event followed which on the same object or task.

/// Counts of ordered pairs of events.
#[derive(Clone, Debug, Default)]
pub struct PairMatrix {}
