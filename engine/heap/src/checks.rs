//! The two copies of heap access: checked and unchecked.

/// A policy that VM and mutator are compiled for; chosen when an engine is made.
pub trait Checks: Copy + Send + Sync + 'static {
    /// Whether every access checks that its reference leads to a live object.
    const ENABLED: bool;
}

/// Every access is checked; needed by the modes `zombie`, `scribble`, `tags` and
/// `quarantine`.
#[derive(Clone, Copy, Debug)]
pub struct Checked;

/// No access is checked: debug modes cost nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unchecked;

impl Checks for Checked {
    const ENABLED: bool = true;
}

impl Checks for Unchecked {
    const ENABLED: bool = false;
}
