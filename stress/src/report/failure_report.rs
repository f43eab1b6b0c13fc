//! One failure as text: what happened, the check that failed, what to do next.

use std::fmt::Write as _;

use super::timeline;
use crate::campaign::worker::Verdict;
use crate::scenario::{Body, ModuleSource, Scenario};
use crate::shrinker::size::Size;

/// The whole report of a run: scenario, timeline, and the failing check at the end.
pub fn render(scenario: &Scenario, verdict: &Verdict) -> String {
    let mut out = String::new();
    if let Some(seed) = &scenario.origin.seed {
        let _ = writeln!(out, "seed      {seed}");
    }
    let _ = writeln!(out, "heap      {}", scenario.debug);
    let _ = writeln!(out, "size      {}", Size::of(scenario, verdict));
    if let Body::Programs(programs) = &scenario.body {
        let source = match &programs.entry {
            ModuleSource::Text(text) => text.clone(),
            ModuleSource::Tree(module) => module.render(),
        };
        let _ = writeln!(out, "\nprogram");
        for (number, line) in source.lines().enumerate() {
            let _ = writeln!(out, "{:>5} │ {line}", number + 1);
        }
    }
    if !verdict.timeline.is_empty() {
        let _ = writeln!(
            out,
            "\ntimeline\n{}",
            timeline::render(&verdict.timeline).trim_end()
        );
    }
    match (&verdict.failure, &verdict.diverged) {
        (_, Some(why)) => {
            let _ = writeln!(out, "\ndiverged: {why}");
        }
        (Some(failure), None) => {
            let _ = writeln!(
                out,
                "\nFAILED {} / {} at {}\n{}",
                failure.oracle, failure.check, failure.site, failure.message
            );
        }
        (None, None) => {
            let _ = writeln!(out, "\npassed");
        }
    }
    let _ = writeln!(out, "trace hash {:016x}", verdict.trace_hash);
    out
}
