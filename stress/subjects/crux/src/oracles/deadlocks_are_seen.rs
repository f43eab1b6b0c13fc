//! `deadlocks_are_seen`: the engine says that all wait for each other exactly when nobody can go on and no
//! time will change that, and names who waits, and for what.

use std::collections::BTreeMap;

use gcrucible_engine::{Deadlock, WaitsFor};
use gcrucible_trace::Failure;

use super::{Evidence, Notes, Oracle};
use crate::executor::trace::{Event, TaskId};

/// Name of the oracle.
pub const NAME: &str = "deadlocks_are_seen";

fn failure(check: &str, message: String) -> Failure {
    Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: "deadlock".into(),
        message,
    }
}

/// Judges what the engine says while a timer is still to fire: that is no deadlock.
///
/// # Errors
/// When it says that it is one.
pub fn while_time_passes(deadlock: Option<&Deadlock>) -> Result<(), Failure> {
    match deadlock {
        None => Ok(()),
        Some(deadlock) => Err(failure(
            "too_early",
            format!("a timer is still to fire, and the engine says:\n{deadlock}"),
        )),
    }
}

/// Judges what the engine says when nothing is to come any more; `waiting` and `blocked` are who
/// waits for which future, channel or mutex.
///
/// # Errors
/// When that is no deadlock and it says so, or the other way round; and when it names others.
pub fn at_the_end(
    deadlock: Option<&Deadlock>,
    waiting: &[(TaskId, u64)],
    blocked: &[(TaskId, u64)],
) -> Result<(), Failure> {
    let is_stuck = !waiting.is_empty() || !blocked.is_empty();
    let Some(deadlock) = deadlock else {
        return match is_stuck {
            false => Ok(()),
            true => Err(failure(
                "unseen",
                format!("{waiting:?} and {blocked:?} wait for ever, and the engine sees nothing"),
            )),
        };
    };
    let named: BTreeMap<TaskId, &WaitsFor> = deadlock
        .tasks
        .iter()
        .map(|task| (task.task, &task.waits_for))
        .collect();
    let of_objects = blocked.iter().map(|&(task, object)| {
        let is_it = matches!(
            named.get(&task),
            Some(WaitsFor::Receive(on) | WaitsFor::Send(on) | WaitsFor::Mutex(on, _)) if *on == object
        );
        (task, is_it)
    });
    let of_futures = waiting.iter().map(|&(task, _)| {
        let is_it =
            matches!(named.get(&task), Some(WaitsFor::Tasks(runners)) if !runners.is_empty());
        (task, is_it)
    });
    match of_objects.chain(of_futures).find(|(_, is_it)| !is_it) {
        None if is_stuck => Ok(()),
        None => Err(failure(
            "too_early",
            format!("nobody waits for another, and the engine says:\n{deadlock}"),
        )),
        Some((task, _)) => Err(failure(
            "named",
            format!("what task {task} waits for is not what the engine says:\n{deadlock}"),
        )),
    }
}

/// The oracle.
pub struct DeadlocksAreSeen;

impl Oracle for DeadlocksAreSeen {
    fn name(&self) -> &'static str {
        NAME
    }

    fn claim(&self) -> &'static str {
        "the engine calls it a deadlock exactly when nobody can go on, and names who waits"
    }

    fn judge(&self, evidence: &Evidence<'_>, _notes: &mut Notes) -> Result<(), Failure> {
        match evidence.events.last() {
            Some(Event::Quiescent { waiting, blocked }) => {
                at_the_end(evidence.deadlock, waiting, blocked)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_engine::WaitingTask;

    use super::*;

    fn deadlock(waits_for: WaitsFor) -> Deadlock {
        Deadlock {
            tasks: vec![WaitingTask {
                task: 2,
                at: None,
                waits_for,
            }],
            handled_signals: Vec::new(),
        }
    }

    fn check_of(verdict: Result<(), Failure>) -> String {
        verdict.expect_err("it is seen").check
    }

    #[test]
    fn who_waits_for_ever_is_named_and_nobody_else() {
        let receives = deadlock(WaitsFor::Receive(7));
        assert_eq!(at_the_end(Some(&receives), &[], &[(2, 7)]), Ok(()));
        assert_eq!(at_the_end(None, &[], &[]), Ok(()));
        assert_eq!(check_of(at_the_end(None, &[], &[(2, 7)])), "unseen");
        assert_eq!(
            check_of(at_the_end(Some(&receives), &[], &[(2, 8)])),
            "named"
        );
        assert_eq!(
            check_of(at_the_end(Some(&receives), &[(2, 1)], &[])),
            "named"
        );
        assert_eq!(check_of(at_the_end(Some(&receives), &[], &[])), "too_early");
    }

    #[test]
    fn a_timer_that_is_still_to_fire_is_no_deadlock() {
        assert_eq!(while_time_passes(None), Ok(()));
        let run = deadlock(WaitsFor::Run);
        assert_eq!(check_of(while_time_passes(Some(&run))), "too_early");
    }
}
