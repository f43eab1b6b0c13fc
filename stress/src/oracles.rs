//! Judges runs.

pub mod failure;
pub mod matches_reference;
pub mod call_ids_stay_taken;
pub mod futures_settle_once;
pub mod nothing_leaks;
pub mod program_holds;
