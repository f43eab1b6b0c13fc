//! Judges runs. An oracle is a claim about every run; it knows nothing of generators, schedules or
//! seeded bugs.
//!
//! [`ALL`] is the one list: runs are judged by it, in its order, and `crucible list` shows it.

mod evidence;
mod in_place;

pub mod call_ids_stay_taken;
pub mod clients_stop_when_cancelled;
pub mod deadlocks_are_seen;
pub mod entry_slot_is_protected_once;
pub mod forks_share_nothing;
pub mod futures_settle_once;
pub mod joiners_are_woken;
pub mod library_keeps_its_word;
pub mod matches_reference;
pub mod memory_runs_out_with_reason;
pub mod nothing_leaks;
pub mod program_holds;
pub mod requests_end_with_their_calls;

use std::sync::LazyLock;

use gcrucible_heap::Heap;
use gcrucible_subject::OracleInfo;
use gcrucible_trace::{Advantages, Failure};

pub use evidence::{Evidence, Notes};

/// A claim about every run.
pub trait Oracle: Send + Sync {
    /// The claim as a name, which its failures have.
    fn name(&self) -> &'static str;

    /// The claim in one sentence.
    fn claim(&self) -> &'static str;

    /// Judges a run at whose end nobody could go on.
    ///
    /// # Errors
    /// What breaks the claim.
    fn judge(&self, _evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        Ok(())
    }

    /// Judges the heap after all that lived in it was let go.
    ///
    /// # Errors
    /// What breaks the claim.
    fn judge_heap(&self, _heap: &Heap) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether it holds something against the program that runs: what the engine did wrong is
    /// said first.
    fn blames_program(&self) -> bool {
        false
    }
}

/// All oracles, in the order in which they are asked. Those of `in_place` and some others are
/// asked where a run goes through what they are about, and not at its end.
pub static ALL: &[&dyn Oracle] = &[
    &in_place::HeapIsSound,
    &in_place::NoStaleReference,
    &futures_settle_once::FuturesSettleOnce,
    &call_ids_stay_taken::CallIdsStayTaken,
    &requests_end_with_their_calls::RequestsEndWithTheirCalls,
    &memory_runs_out_with_reason::MemoryRunsOutWithReason,
    &matches_reference::MatchesReference,
    &clients_stop_when_cancelled::ClientsStopWhenCancelled,
    &library_keeps_its_word::LibraryKeepsItsWord,
    &forks_share_nothing::ForksShareNothing,
    &deadlocks_are_seen::DeadlocksAreSeen,
    &joiners_are_woken::JoinersAreWoken,
    &nothing_leaks::NothingLeaks,
    &entry_slot_is_protected_once::EntrySlotIsProtectedOnce,
    &in_place::WeakClearsWithTarget,
    &in_place::FinalizersRunOnce,
    &in_place::SurvivorsGrowOld,
    &in_place::ProgressIsMade,
    &in_place::NoCrash,
    &program_holds::ProgramHolds,
];

/// Asks all oracles but a silenced one about the end of a run. What only the program is to blame for
/// is kept for later.
///
/// # Errors
/// The first claim that does not hold.
pub fn judge(
    evidence: &Evidence<'_>,
    notes: &mut Notes,
    advantages: Advantages,
) -> Result<Option<Failure>, Failure> {
    let mut of_program = None;
    for oracle in ALL {
        if advantages.silences(oracle.name()) {
            continue;
        }
        let verdict = oracle.judge(evidence, notes);
        match verdict {
            Err(failure) if oracle.blames_program() => of_program = Some(failure),
            verdict => verdict?,
        }
    }
    Ok(of_program)
}

/// Asks all oracles about a heap from which everything was let go.
///
/// # Errors
/// The first claim that does not hold.
pub fn judge_heap(heap: &Heap) -> Result<(), Failure> {
    ALL.iter().try_for_each(|oracle| oracle.judge_heap(heap))
}

/// The oracles for lists.
pub(crate) fn infos() -> &'static [OracleInfo] {
    static INFOS: LazyLock<Vec<OracleInfo>> = LazyLock::new(|| {
        let info = |oracle: &&dyn Oracle| OracleInfo {
            name: oracle.name(),
            claim: oracle.claim(),
        };
        ALL.iter().map(info).collect()
    });
    &INFOS
}
