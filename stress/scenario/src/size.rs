//! How large a scenario is to a reader.

use serde::{Deserialize, Serialize};

/// The size of a scenario and its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Operations, or statements and host events.
    pub statements: u64,
    /// Changes from one actor (or holder) to another.
    pub switches: u64,
    /// Collections that happened.
    pub collections: u64,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size {
            statements,
            switches,
            collections,
        } = self;
        write!(
            f,
            "{statements} statements, {switches} switches, {collections} collections"
        )
    }
}
