//! Judges runs.

pub mod call_ids_stay_taken;
pub mod clients_stop_when_cancelled;
pub mod entry_slot_is_protected_once;
pub mod forks_share_nothing;
pub mod futures_settle_once;
pub mod matches_reference;
pub mod memory_runs_out_with_reason;
pub mod nothing_leaks;
pub mod program_holds;
pub mod requests_end_with_their_calls;
