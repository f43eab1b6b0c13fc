//! `joiners_are_woken`: whoever waits for the end of a call is told of it, be there others or not.

use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};

/// Name of the oracle.
pub const NAME: &str = "joiners_are_woken";

/// Judges who still waits for calls that have ended.
///
/// # Errors
/// When there is one.
pub fn check(unjoined: &[u32]) -> Result<(), Failure> {
    match unjoined.first() {
        None => Ok(()),
        Some(call) => Err(Failure {
            oracle: NAME.into(),
            check: "I-12".into(),
            site: "call".into(),
            message: format!("call {call} has ended, and somebody still waits for that"),
        }),
    }
}

/// The oracle.
pub struct JoinersAreWoken;

impl Oracle for JoinersAreWoken {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claim(&self) -> &'static str {
        "whoever waits for the end of a call is told of it, be there others or not"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        check(evidence.unjoined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_still_waits_is_seen() {
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[3]).expect_err("it is seen").check, "I-12");
    }
}
