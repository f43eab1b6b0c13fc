//! How large a scenario of the engine is to a reader.

use gcrucible_scenario::Size;
use gcrucible_trace::Verdict;

use crate::scenario::{Body, HeapOp, ModuleSource, Scenario};

/// The size of a scenario that ran so.
pub(super) fn of(scenario: &Scenario, verdict: &Verdict) -> Size {
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
