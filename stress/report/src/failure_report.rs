//! One failure as text: what happened, the check that failed, what to do next.

use std::fmt::Write as _;

use gcrucible_subject::Case;
use gcrucible_trace::Verdict;

use super::timeline;

/// The whole report of a run: scenario, timeline, and the failing check at the end.
pub fn render(case: &dyn Case, verdict: &Verdict) -> String {
    let mut out = String::new();
    if let Some(seed) = &case.origin().seed {
        let _ = writeln!(out, "seed      {seed}");
    }
    out.push_str(&case.heading());
    let _ = writeln!(out, "size      {}", case.size(verdict));
    out.push_str(&case.listing());
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
