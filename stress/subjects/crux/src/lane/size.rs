//! How large a scenario of the engine is to a reader.

use gcrucible_scenario::Size;
use gcrucible_trace::Verdict;

use crate::scenario::{Body, HeapOp, ModuleSource, Scenario};

/// The size of a scenario that ran so.
pub(super) fn of(scenario: &Scenario, verdict: &Verdict) -> Size {
    match &scenario.body {
        Body::HeapOps(body) => {
            let is_switch = |op: &&HeapOp| matches!(op, HeapOp::SwitchHolder(_));
            let is_collect = |op: &&HeapOp| matches!(op, HeapOp::Collect(_));
            let switches = body.ops.iter().filter(is_switch).count();
            let collects = body.ops.iter().filter(is_collect).count();
            // Switches and collections have counts of their own.
            Size {
                switches: switches as u64,
                ..Size::of_run(body.ops.len() - switches - collects, verdict)
            }
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
            let statements = of(&programs.entry) + versions + programs.host.len();
            Size::of_run(statements, verdict)
        }
    }
}
