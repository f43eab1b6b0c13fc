//! The event-pair matrix: which event followed which on the same object or task.
//!
//! Races are about neighbours: a collection right after a push, a cancellation right
//! after a completion. So coverage is counted over ordered pairs of event kinds, where
//! the second happened right after the first **on the same subject** (a task, a future, a
//! call, an object). A collection happens to every subject at once
//! ([`PairTracker::event_on_all`](super::PairTracker::event_on_all)).

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event_kind::EventKind;
use super::infeasible::{forbidding_rule, infeasible};

/// Counts of ordered pairs of events. It allocates when the first pair is counted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PairMatrix {
    /// Row-major, [`EventKind::COUNT`] squared; empty while nothing was counted.
    counts: Vec<u64>,
}

impl PairMatrix {
    /// How often `second` happened right after `first`.
    pub fn count(&self, first: EventKind, second: EventKind) -> u64 {
        self.counts.get(cell(first, second)).copied().unwrap_or(0)
    }

    /// Counts `second` right after `first`, `times` more times.
    #[inline]
    pub fn add(&mut self, first: EventKind, second: EventKind, times: u64) {
        if self.counts.is_empty() {
            self.counts.resize(EventKind::COUNT * EventKind::COUNT, 0);
        }
        self.counts[cell(first, second)] += times;
    }

    /// All pairs that happened, with how often, in order.
    pub fn iter(&self) -> impl Iterator<Item = (EventKind, EventKind, u64)> + '_ {
        let pairs = EventKind::ALL
            .iter()
            .flat_map(|&a| EventKind::ALL.iter().map(move |&b| (a, b)));
        pairs
            .zip(&self.counts)
            .filter(|(_, count)| **count > 0)
            .map(|((a, b), n)| (a, b, *n))
    }

    /// Feasible pairs: how many there are, and those that did not happen.
    pub fn missing(&self) -> (usize, Vec<(EventKind, EventKind)>) {
        let feasible: Vec<_> = EventKind::ALL
            .iter()
            .flat_map(|&a| EventKind::ALL.iter().map(move |&b| (a, b)))
            .filter(|&(a, b)| forbidding_rule(a, b).is_none())
            .collect();
        let missing = feasible
            .iter()
            .copied()
            .filter(|&(a, b)| self.count(a, b) == 0)
            .collect();
        (feasible.len(), missing)
    }

    /// Pairs that happened though a rule forbids them.
    pub fn impossible(&self) -> Vec<(EventKind, EventKind, &'static str)> {
        infeasible()
            .into_iter()
            .filter(|&(a, b, _)| self.count(a, b) > 0)
            .collect()
    }
}

fn cell(first: EventKind, second: EventKind) -> usize {
    first as usize * EventKind::COUNT + second as usize
}

impl std::ops::AddAssign<&PairMatrix> for PairMatrix {
    fn add_assign(&mut self, other: &PairMatrix) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
                *mine += theirs;
            }
        }
    }
}

impl fmt::Debug for PairMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for PairMatrix {
    /// As a list of `[first, second, count]` with the events by name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(a, b, n)| (a.name(), b.name(), n)))
    }
}

impl<'de> Deserialize<'de> for PairMatrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut matrix = PairMatrix::default();
        for (first, second, count) in Vec::<(String, String, u64)>::deserialize(deserializer)? {
            let kind = |name: &str| {
                EventKind::from_name(name)
                    .ok_or_else(|| D::Error::custom(format_args!("`{name}` is no event kind")))
            };
            matrix.add(kind(&first)?, kind(&second)?, count);
        }
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind::*;
    use crate::PairTracker;

    #[test]
    fn pairs_are_counted_on_the_same_subject_only() {
        let mut tracker = PairTracker::new();
        tracker.event(1, Spawn);
        tracker.event(2, Protect);
        tracker.event(1, Await);
        tracker.event(1, Await);
        let pairs = tracker.take();
        assert_eq!(
            pairs.iter().collect::<Vec<_>>(),
            [(Spawn, Await, 1), (Await, Await, 1)]
        );
        assert_eq!(tracker.take(), PairMatrix::default());
    }

    #[test]
    fn a_collection_follows_the_last_event_of_every_subject() {
        let mut tracker = PairTracker::new();
        tracker.event(1, Spawn);
        tracker.event(2, Protect);
        tracker.event_on_all(Minor);
        tracker.event_on_all(Major);
        tracker.event(2, Unprotect);
        tracker.event_on_all(Minor);
        let pairs: Vec<_> = tracker.take().iter().collect();
        assert_eq!(
            pairs,
            [
                (Spawn, Minor, 1),
                (Minor, Major, 2),
                (Major, Minor, 1),
                (Major, Unprotect, 1),
                (Protect, Minor, 1),
                (Unprotect, Minor, 1)
            ]
        );
    }

    #[test]
    fn many_subjects_and_forgotten_ones_keep_their_counts() {
        let mut tracker = PairTracker::new();
        for subject in 0..500 {
            tracker.event(subject << 32, CallBegin);
        }
        for subject in 0..500 {
            tracker.forget(subject << 32);
            tracker.event(subject << 32, CallBegin);
        }
        for subject in 0..500 {
            tracker.event(subject << 32, CallEnd);
        }
        tracker.event_on_all(Minor);
        let pairs: Vec<_> = tracker.take().iter().collect();
        assert_eq!(pairs, [(CallBegin, CallEnd, 500), (CallEnd, Minor, 500)]);
    }

    #[test]
    fn a_matrix_survives_json_and_addition() {
        let mut matrix = PairMatrix::default();
        matrix.add(Throw, Catch, 3);
        matrix.add(Minor, Minor, 1);
        let text = serde_json::to_string(&matrix).unwrap();
        let mut sum: PairMatrix = serde_json::from_str(&text).unwrap();
        assert_eq!(sum, matrix);
        sum += &matrix;
        assert_eq!(sum.count(Throw, Catch), 6);
        assert!(serde_json::from_str::<PairMatrix>(r#"[["throw","cach",1]]"#).is_err());
    }

    #[test]
    fn infeasible_pairs_are_built_and_not_counted_as_missing() {
        let mut matrix = PairMatrix::default();
        let (feasible, missing) = matrix.missing();
        let infeasible = infeasible();
        assert_eq!(feasible, EventKind::ALL.len().pow(2) - infeasible.len());
        assert_eq!(missing.len(), feasible);
        assert!(matrix.impossible().is_empty());
        matrix.add(Complete, Complete, 1);
        assert_eq!(
            matrix.impossible(),
            [(Complete, Complete, "I-11: a future settles once")]
        );
    }
}
