//! `nothing_leaks`: at rest everything is back at its baseline.

use std::collections::BTreeMap;

use gcrucible_engine::Engine;
use gcrucible_heap::{CollectionKind, Heap};

use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Checks an engine on which nothing runs and nothing waits: no unfinished future (I-14),
/// no open call and task (I-18), no timer, and nothing charged to the heap's limit but for what
/// is there without a task.
///
/// # Errors
/// What is left.
pub fn at_rest(engine: &Engine, timers: usize) -> Result<(), Failure> {
    let left = [
        ("I-14", "futures", engine.active_future_count()),
        ("I-18", "calls", engine.open_call_count()),
        ("I-18", "tasks", engine.open_task_count()),
        ("I-18", "requests", engine.open_request_count()),
        ("I-12", "lists of waiters", engine.awaited_object_count()),
        (
            "I-18",
            "detached tasks of forks",
            engine.detached_task_count(),
        ),
        ("timers", "timers", timers),
    ];
    if let Some((check, what, count)) = left.into_iter().find(|&(_, _, count)| count > 0) {
        let message = format!("{count} {what} are left at rest");
        return Err(failure(check, what, message));
    }
    let charged = engine.heap().stats().external_bytes;
    let expected = engine.bytes_at_rest();
    if charged != expected {
        let message = format!("{charged} bytes are charged at rest, and it should be {expected}");
        return Err(failure("charges", "limit", message));
    }
    Ok(())
}

/// Protect counts by kind are what the host took and did not give back (I-8).
///
/// # Errors
/// Both counts, when they differ.
pub fn protected(engine: &Engine, expected: &BTreeMap<&'static str, u64>) -> Result<(), Failure> {
    let found = engine.heap().stats().protected_by_kind;
    if &found == expected {
        return Ok(());
    }
    Err(failure(
        "I-8",
        "handles",
        format!("protected {found:?}, and it should be {expected:?}"),
    ))
}

/// Checks a heap that nobody uses any more: after a major collection nothing is left but
/// what never dies.
///
/// # Errors
/// What is left, or what the verifier says.
pub fn after_teardown(heap: &Heap) -> Result<(), Failure> {
    let Some(mut permit) = heap.try_exclusive() else {
        return Err(failure(
            "permit",
            "permit",
            "a permit is still held at the end".into(),
        ));
    };
    let books = permit.audit();
    let report = permit.collect(CollectionKind::Major);
    let violations = books.into_iter().chain(report.violations);
    if let Some(violation) = violations.chain(permit.audit()).next() {
        return Err(Failure {
            oracle: "heap_is_sound".into(),
            check: violation.check.into(),
            site: violation.site.clone(),
            message: format!("at the end: {violation}"),
        });
    }
    let stats = heap.stats();
    if !stats.protected_by_kind.is_empty() {
        let message = format!("after shutdown {:?} is protected", stats.protected_by_kind);
        return Err(failure("I-22", "handles", message));
    }
    if stats.versions > 0 {
        let message = format!("the constants of {} versions are left", stats.versions);
        return Err(failure("I-20", "versions", message));
    }
    if stats.external_bytes > 0 {
        let bytes = stats.external_bytes;
        let message = format!("{bytes} bytes are charged after everything was dropped");
        return Err(failure("charges", "limit", message));
    }
    match permit.census().first() {
        None => Ok(()),
        Some(&(kind, count)) => {
            let message =
                format!("{count} objects of kind {kind} are left after everything was dropped");
            Err(failure("live_objects", kind, message))
        }
    }
}

fn failure(check: &str, site: &str, message: String) -> Failure {
    Failure {
        oracle: "nothing_leaks".into(),
        check: check.into(),
        site: site.into(),
        message,
    }
}

/// The oracle.
pub struct NothingLeaks;

impl Oracle for NothingLeaks {
    fn name(&self) -> &'static str {
        "nothing_leaks"
    }

    fn claim(&self) -> &'static str {
        "at rest, futures, handles, calls and waiters are back at their baseline"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        match evidence.is_over {
            true => at_rest(evidence.engine, evidence.timers),
            false => Ok(()),
        }
    }

    fn judge_heap(&self, heap: &Heap) -> Result<(), Failure> {
        after_teardown(heap)
    }
}
