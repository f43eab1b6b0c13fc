//! `memory_runs_out_with_reason`: an allocation fails for good only when the heap is at its
//! limit, or where the scenario injects the failure; and `OutOfMemory` is thrown only in the
//! task whose allocation failed.
//!
//! The reference model takes `OutOfMemory` as an input, so it cannot tell a reason from a
//! pretext. This oracle can.

use std::collections::BTreeSet;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{HeapConfig, NeedsMemory};

use crate::executor::trace::{Event, SliceStart};
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Name of the oracle.
pub const NAME: &str = "memory_runs_out_with_reason";

/// Checks the trace of a run on a heap of these sizes, whose scenario injects `faults`
/// failures.
///
/// # Errors
/// The first refusal without a reason, or error without a refusal.
pub fn check(events: &[Event], heap: &HeapConfig, faults: usize) -> Result<(), Failure> {
    let mut refused = BTreeSet::new();
    let mut injected = 0;
    for event in events {
        match event {
            &Event::MemoryRefused {
                task,
                words,
                used_bytes,
                account_bytes,
                is_injected,
            } => {
                injected += usize::from(is_injected);
                if injected > faults {
                    let message = format!("{injected} failures were injected instead of {faults}");
                    return Err(failure("injected", message));
                }
                let is_reserved = account_bytes
                    .is_some_and(|of_account| is_reserved(heap, words, used_bytes, of_account));
                if !is_injected && !is_reserved {
                    has_reason(heap, words, used_bytes)?;
                }
                refused.insert(task);
            }
            Event::SliceBegan { task, start } if runs_out(start) && !refused.remove(task) => {
                let message = format!(
                    "OutOfMemory was thrown in task {task}, but no allocation of it had failed"
                );
                return Err(failure("not_refused", message));
            }
            _ => {}
        }
    }
    Ok(())
}

fn runs_out(start: &SliceStart) -> bool {
    start.delivered && start.offered == Some(ErrorKind::OutOfMemory)
}

/// An allocation may fail that needs this ([`NeedsMemory::words`]), with so many bytes in use.
///
/// # Errors
/// When there was room.
pub fn has_reason(heap: &HeapConfig, words: u32, used_bytes: u64) -> Result<(), Failure> {
    match NeedsMemory::parts(words) {
        (words, true) => scattered(heap, words, used_bytes),
        (words, false) => at_limit(heap, words, used_bytes),
    }
}

/// A large object may find no blocks side by side: those in use can lie so that no gap between them
/// is long enough.
///
/// # Errors
/// When there are so few that some gap is.
fn scattered(heap: &HeapConfig, words: u32, used_bytes: u64) -> Result<(), Failure> {
    let block = u64::from(heap.block_bytes);
    let asked = (u64::from(words) * 8).div_ceil(block);
    let all = (heap.limit_bytes / block).max(4);
    let used = used_bytes.div_ceil(block);
    let in_gaps_too_short = (used + 1) * asked.saturating_sub(1);
    if all.saturating_sub(used) <= in_gaps_too_short {
        return Ok(());
    }
    let message = format!(
        "no {asked} blocks side by side for {words} words, though {used} of {all} blocks were in use"
    );
    Err(failure("side_by_side", message))
}

/// An allocation of so many words may fail: with it, the heap would be over its limit. In use are
/// blocks and what is charged outside of them, to which whole blocks give way.
///
/// # Errors
/// When there was room.
pub fn at_limit(heap: &HeapConfig, words: u32, used_bytes: u64) -> Result<(), Failure> {
    // Memory comes in whole blocks, and a heap has four at the least.
    let block = u64::from(heap.block_bytes);
    let asked = (u64::from(words) * 8).div_ceil(block) * block;
    let limit = (heap.limit_bytes / block).max(4) * block;
    if used_bytes.next_multiple_of(block) + asked > limit {
        return Ok(());
    }
    let message = format!(
        "no memory for {words} words, though {used_bytes} of {} bytes were in use",
        heap.limit_bytes
    );
    Err(failure("below_limit", message))
}

/// A failure that was just injected is one that is to come.
///
/// # Errors
/// When the heap knows of none: it would never be served, and nobody would miss it.
pub fn was_injected(has_faults_to_come: bool) -> Result<(), Failure> {
    if has_faults_to_come {
        return Ok(());
    }
    let message = "the heap does not know of the failure that was injected".to_owned();
    Err(failure("not_injected", message))
}

/// Whether the words are refused to the task of a fork that has an account: the last eighth of the
/// heap is for those that use less than a 64th of it.
fn is_reserved(heap: &HeapConfig, words: u32, used_bytes: u64, of_account: u64) -> bool {
    let more = u64::from(NeedsMemory::parts(words).0) * 8;
    used_bytes + more > heap.limit_bytes / 8 * 7 && of_account + more > heap.limit_bytes / 64
}

fn failure(check: &str, message: String) -> Failure {
    Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: "heap".into(),
        message,
    }
}

/// The oracle.
pub struct MemoryRunsOutWithReason;

impl Oracle for MemoryRunsOutWithReason {
    fn name(&self) -> &'static str {
        "memory_runs_out_with_reason"
    }

    fn claim(&self) -> &'static str {
        "an allocation fails only at the heap's limit or where the scenario says so"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        let heap = evidence.engine.heap();
        check(evidence.events, heap.config(), evidence.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Event = Event::MemoryRefused {
        task: 1,
        words: 5,
        used_bytes: 0,
        account_bytes: None,
        is_injected: true,
    };

    fn thrown() -> Event {
        Event::SliceBegan {
            task: 1,
            start: SliceStart {
                offered: Some(ErrorKind::OutOfMemory),
                delivered: true,
                ..SliceStart::default()
            },
        }
    }

    fn at(used_bytes: u64, words: u32) -> Event {
        Event::MemoryRefused {
            task: 1,
            words,
            used_bytes,
            account_bytes: None,
            is_injected: false,
        }
    }

    fn in_a_fork(used_bytes: u64, of_account: u64) -> Event {
        Event::MemoryRefused {
            task: 1,
            words: 5,
            used_bytes,
            account_bytes: Some(of_account),
            is_injected: false,
        }
    }

    fn judged(events: &[Event], faults: usize) -> Result<(), String> {
        check(events, &HeapConfig::tiny(), faults).map_err(|failure| failure.check)
    }

    #[test]
    fn a_refusal_needs_a_full_heap_or_a_fault() {
        let limit = HeapConfig::tiny().limit_bytes;
        assert_eq!(judged(&[at(limit, 5), thrown()], 0), Ok(()));
        assert_eq!(judged(&[at(2048, limit as u32 / 8), thrown()], 0), Ok(()));
        // What is charged takes whole blocks.
        let block = u64::from(HeapConfig::tiny().block_bytes);
        assert_eq!(judged(&[at(limit - block + 8, 5), thrown()], 0), Ok(()));
        let below = judged(&[at(limit - block, 5), thrown()], 0);
        assert_eq!(below, Err("below_limit".into()));
        assert_eq!(judged(&[REFUSED, thrown()], 1), Ok(()));
        assert_eq!(
            judged(&[at(limit / 2, 5), thrown()], 1),
            Err("below_limit".into())
        );
        assert_eq!(judged(&[REFUSED, thrown()], 0), Err("injected".into()));
        assert_eq!(judged(&[REFUSED, REFUSED], 1), Err("injected".into()));
    }

    #[test]
    fn the_last_eighth_is_for_forks_that_use_little() {
        let limit = HeapConfig::tiny().limit_bytes;
        let (full, much) = (limit / 8 * 7, limit / 64);
        assert_eq!(judged(&[in_a_fork(full, much), thrown()], 0), Ok(()));
        for (used, of_account) in [(full - 40, much), (full, much - 40)] {
            let below = judged(&[in_a_fork(used, of_account), thrown()], 0);
            assert_eq!(below, Err("below_limit".into()));
        }
    }

    #[test]
    fn an_error_needs_a_refusal_of_its_own() {
        assert_eq!(judged(&[thrown()], 1), Err("not_refused".into()));
        assert_eq!(
            judged(&[REFUSED, thrown(), thrown()], 1),
            Err("not_refused".into())
        );
    }

    #[test]
    fn blocks_side_by_side_may_be_missing_where_gaps_can_be_short() {
        let heap = HeapConfig {
            limit_bytes: 100 * 4096,
            block_bytes: 4096,
            ..HeapConfig::default()
        };
        let three_blocks = (3 * 512) | NeedsMemory::SIDE_BY_SIDE;
        let failed = |used_blocks: u64| has_reason(&heap, three_blocks, used_blocks * 4096);
        // Thirty-two blocks in use have at most 33 gaps of two blocks: 66 of the 68 that are free.
        let failure = failed(32).expect_err("some gap has three blocks");
        assert_eq!(failure.check, "side_by_side");
        assert_eq!(failed(33), Ok(()));
        // An account is no excuse where less than seven eighths are in use.
        assert!(!is_reserved(&heap, three_blocks, 32 * 4096, 32 * 4096));
    }
}
