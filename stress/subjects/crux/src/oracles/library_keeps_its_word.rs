//! `library_keeps_its_word`: what a function of the library that is written in Crux gives, and what it
//! calls back, is what a model of that function says.
//!
//! The library is part of the program, so the reference model does what it does, right or wrong.
//! This is what it pledges, seen while the model runs it ([`BrokenPledge`]).

use gcrucible_trace::Failure;

use super::Oracle;
use crate::executor::trace::TaskId;
use crate::reference::BrokenPledge;

/// Name of the oracle.
pub const NAME: &str = "library_keeps_its_word";

/// Judges what the library did for a task in a slice.
///
/// # Errors
/// When it broke a pledge.
pub fn check(task: TaskId, broken: Option<&BrokenPledge>) -> Result<(), Failure> {
    let Some(BrokenPledge { function, message }) = broken else {
        return Ok(());
    };
    Err(Failure {
        oracle: NAME.into(),
        check: (*function).into(),
        site: (*function).into(),
        message: format!("task {task}: {function} {message}"),
    })
}

/// The oracle.
pub struct LibraryKeepsItsWord;

impl Oracle for LibraryKeepsItsWord {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claim(&self) -> &'static str {
        "functions of the library written in Crux give what a model of each says"
    }
}
