//! How large a scenario is to a reader.

use gcrucible_trace::Verdict;
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

impl Size {
    /// The size of so many statements whose run went so: the actors that took turns, and the
    /// collections.
    pub fn of_run(statements: usize, verdict: &Verdict) -> Size {
        let actors = verdict.decisions.iter().map(|decision| decision.site.actor);
        let turns = actors.clone().zip(actors.skip(1));
        Size {
            statements: statements as u64,
            switches: turns.filter(|(one, next)| one != next).count() as u64,
            collections: verdict.counters.collections_minor + verdict.counters.collections_major,
        }
    }
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
