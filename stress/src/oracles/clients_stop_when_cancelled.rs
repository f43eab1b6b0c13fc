//! `clients_stop_when_cancelled`: a client that is called in a cancelled task attempts nothing
//! and counts no turn (I-19).
//!
//! The library is part of the program, so the reference model does what it does, right or
//! wrong. This is what the library promises, seen while the model runs it.

use super::failure::Failure;
use crate::executor::trace::TaskId;
use crate::reference::Broken;

/// Name of the oracle.
pub const NAME: &str = "clients_stop_when_cancelled";

/// Judges what the clients of a task did in a slice, which ended at `site`.
///
/// # Errors
/// When one did what it must not.
pub fn check(task: TaskId, broken: Option<Broken>, site: String) -> Result<(), Failure> {
    let (check, what) = match broken {
        None => return Ok(()),
        Some(Broken::Attempt) => ("attempt", "calls a service"),
        Some(Broken::Turn) => ("turn", "takes a turn"),
    };
    Err(Failure {
        oracle: NAME.into(),
        check: check.into(),
        site,
        message: format!("task {task}: a client that is called after the cancellation {what}"),
    })
}
