//! How large a scenario is to a reader.

use serde::{Deserialize, Serialize};

use crate::campaign::worker::Verdict;
use crate::scenario::{Body, HeapOp, ModuleSource, Scenario};

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
    /// The size of a scenario that ran so.
    pub fn of(scenario: &Scenario, verdict: &Verdict) -> Size {
        let collections = verdict.counters.collections_minor + verdict.counters.collections_major;
        let (statements, switches) = match &scenario.body {
            Body::HeapOps(body) => {
                let is_switch = |op: &&HeapOp| matches!(op, HeapOp::SwitchHolder(_));
                let switches = body.ops.iter().filter(is_switch).count();
                let collects = body
                    .ops
                    .iter()
                    .filter(|op| matches!(op, HeapOp::Collect(_)))
                    .count();
                // Switches and collections have counts of their own.
                (body.ops.len() - switches - collects, switches)
            }
            Body::Programs(programs) => {
                let of = |source: &ModuleSource| match source {
                    ModuleSource::Tree(module) => module.statement_count(),
                    ModuleSource::Text(text) => {
                        let counts = |line: &&str| line.chars().any(char::is_alphanumeric);
                        text.lines().filter(counts).count()
                    }
                };
                let versions: usize = programs.versions.iter().map(of).sum();
                let statements = of(&programs.entry) + versions;
                let actors = verdict.decisions.iter().map(|decision| decision.site.actor);
                let switches = actors
                    .clone()
                    .zip(actors.skip(1))
                    .filter(|(one, next)| one != next)
                    .count();
                (statements + programs.host.len(), switches)
            }
        };
        Size {
            statements: statements as u64,
            switches: switches as u64,
            collections,
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
