//! `futures_settle_once`: a future leaves pending exactly once (I-11), and an await that
//! is answered with "resolved" finds it settled (I-15).

use std::collections::BTreeSet;

use crate::executor::trace::Event;
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Checks a trace.
///
/// # Errors
/// The first broken claim.
pub fn check(events: &[Event]) -> Result<(), Failure> {
    let mut settled = BTreeSet::new();
    for event in events {
        match *event {
            Event::Settled { future, state } if !settled.insert(future) => {
                let message = format!("future {future} was settled again, as {state:?}");
                return Err(failure("I-11", message));
            }
            Event::AwaitResolved { task, future } if !settled.contains(&future) => {
                let message =
                    format!("task {task} was told that future {future} is resolved; it is pending");
                return Err(failure("I-15", message));
            }
            _ => {}
        }
    }
    Ok(())
}

fn failure(check: &str, message: String) -> Failure {
    Failure {
        oracle: "futures_settle_once".into(),
        check: check.into(),
        site: "future".into(),
        message,
    }
}

/// The oracle.
pub struct FuturesSettleOnce;

impl Oracle for FuturesSettleOnce {
    fn name(&self) -> &'static str {
        "futures_settle_once"
    }

    fn claim(&self) -> &'static str {
        "a future leaves pending once, and every waiter sees the same"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        check(evidence.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::graph::FutureState;

    #[test]
    fn a_second_settling_and_an_early_answer_fail() {
        let settled = Event::Settled {
            future: 1,
            state: FutureState::Ready,
        };
        assert!(check(std::slice::from_ref(&settled)).is_ok());
        assert_eq!(
            check(&[settled.clone(), settled]).unwrap_err().check,
            "I-11"
        );
        assert_eq!(
            check(&[Event::AwaitResolved { task: 1, future: 1 }])
                .unwrap_err()
                .check,
            "I-15"
        );
    }
}
