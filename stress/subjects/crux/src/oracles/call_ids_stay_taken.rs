//! `call_ids_stay_taken`: a call id is taken from the call's start to its end; a duplicate
//! is refused, an ended one may be used again (I-17).

use std::collections::BTreeSet;

use crate::executor::trace::Event;
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Checks a trace.
///
/// # Errors
/// The first broken claim.
pub fn check(events: &[Event]) -> Result<(), Failure> {
    let mut open = BTreeSet::new();
    for event in events {
        let broken = match event {
            Event::CallStarted { call, .. } if !open.insert(*call) => {
                format!("call {call} began while a call with that id had not ended")
            }
            Event::CallRefused { call } if !open.contains(call) => {
                format!("call {call} was refused, and no call has that id")
            }
            Event::CallEnded { call, .. } => {
                open.remove(call);
                continue;
            }
            _ => continue,
        };
        return Err(Failure {
            oracle: "call_ids_stay_taken".into(),
            check: "I-17".into(),
            site: "call".into(),
            message: broken,
        });
    }
    Ok(())
}

/// The oracle.
pub struct CallIdsStayTaken;

impl Oracle for CallIdsStayTaken {
    fn name(&self) -> &'static str {
        "call_ids_stay_taken"
    }

    fn claim(&self) -> &'static str {
        "the id of a call is taken until the call has ended, and only then free"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        check(evidence.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::trace::Callee;

    #[test]
    fn a_duplicate_that_runs_fails() {
        let start = Event::CallStarted {
            call: 1,
            task: 1,
            callee: Callee::ModuleInit,
            realm: 0,
            seed: 0,
        };
        assert!(check(std::slice::from_ref(&start)).is_ok());
        assert!(check(&[start.clone(), start.clone()]).is_err());
        assert!(check(&[start, Event::CallRefused { call: 1 }]).is_ok());
        assert!(check(&[Event::CallRefused { call: 1 }]).is_err());
    }
}
