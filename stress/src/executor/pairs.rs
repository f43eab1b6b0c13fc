//! The event-pair matrix: which event followed which on the same object or task.
//!
//! Races are about neighbours: a collection right after a push, a cancellation right
//! after a completion. So coverage is counted over ordered pairs of event kinds, where
//! the second happened right after the first **on the same subject** (a task, a future, a
//! call, an object). A collection happens to every subject at once
//! ([`PairTracker::event_on_all`]).

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of event that pairs are made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EventKind { $($(#[$doc])* $variant,)* }

        impl EventKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant,)*];

            /// The name in files and reports.
            pub fn name(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }

            /// The kind with this name.
            pub fn from_name(name: &str) -> Option<EventKind> {
                match name { $($name => Some(EventKind::$variant),)* _ => None }
            }
        }
    };
}

events! {
    /// A task or future was spawned.
    Spawn = "spawn",
    /// A task awaited a future.
    Await = "await",
    /// A future became ready.
    Complete = "complete",
    /// A future settled with an error.
    Fail = "fail",
    /// Cancellation was requested.
    Cancel = "cancel",
    /// A deadline fired.
    Deadline = "deadline",
    /// An interrupt was delivered.
    Interrupt = "interrupt",
    /// A minor collection.
    Minor = "minor",
    /// A major collection.
    Major = "major",
    /// An object became old.
    Promote = "promote",
    /// A store marked a card.
    BarrierHit = "barrier_hit",
    /// A holder got a fresh allocation buffer.
    TlabRefill = "tlab_refill",
    /// A reload began.
    ReloadBegin = "reload_begin",
    /// A new version was swapped in.
    ReloadSwap = "reload_swap",
    /// A reload failed.
    ReloadFail = "reload_fail",
    /// A serving fork was made.
    Fork = "fork",
    /// A serving fork was dropped.
    ForkDrop = "fork_drop",
    /// A handle was taken.
    Protect = "protect",
    /// A handle was given back.
    Unprotect = "unprotect",
    /// A host call began.
    CallBegin = "call_begin",
    /// A host call ended.
    CallEnd = "call_end",
    /// The host dropped its future of a call.
    CallDrop = "call_drop",
    /// A value was sent to a channel.
    ChannelSend = "channel_send",
    /// A value was received from a channel.
    ChannelReceive = "channel_receive",
    /// A stream gave its next value.
    StreamNext = "stream_next",
    /// A sync guard was taken.
    GuardAcquire = "guard_acquire",
    /// A sync guard was released.
    GuardRelease = "guard_release",
    /// An error was thrown.
    Throw = "throw",
    /// An error was caught.
    Catch = "catch",
}

impl EventKind {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();
}

/// What a task does with channels, streams and guards.
const USES: &[EventKind] = &[
    EventKind::ChannelSend,
    EventKind::ChannelReceive,
    EventKind::StreamNext,
    EventKind::GuardAcquire,
    EventKind::GuardRelease,
];

/// What happens in the slices of a task alone.
const IN_SLICES: &[EventKind] = &[
    EventKind::Throw,
    EventKind::Catch,
    EventKind::Deadline,
    EventKind::Interrupt,
    EventKind::ChannelSend,
    EventKind::ChannelReceive,
    EventKind::StreamNext,
    EventKind::GuardAcquire,
    EventKind::GuardRelease,
];

/// Kinds of event, in several lists.
type Kinds = &'static [&'static [EventKind]];

/// A rule that forbids pairs: its name, what comes first, what never comes right after.
type Rule = (&'static str, Kinds, Kinds);

/// Why pairs cannot happen. Observing one of them means that the harness (or the rule) is
/// wrong.
///
/// A task's subject is also that of the call or future that it runs. A realm is a subject of
/// forks alone: what its tasks do is next to a fork of it, or to its drop.
const RULES: &[Rule] = {
    use EventKind::{
        Await, BarrierHit, CallBegin, CallDrop, CallEnd, Cancel, Catch, ChannelReceive,
        ChannelSend, Complete, Deadline, Fail, Fork, ForkDrop, GuardAcquire, GuardRelease,
        Interrupt, Major, Minor, Promote, Protect, ReloadBegin, ReloadFail, ReloadSwap, Spawn,
        StreamNext, TlabRefill, Unprotect,
    };
    &[
        (
            "I-11: a future settles once",
            &[&[Complete, Fail]],
            &[&[Complete, Fail]],
        ),
        (
            "I-11: a future settles after its body has ended",
            &[&[Complete, Fail]],
            &[&[Spawn, TlabRefill], IN_SLICES],
        ),
        (
            "E-8: nothing comes before the beginning of a call",
            &[
                &[
                    Spawn,
                    Await,
                    Complete,
                    Fail,
                    Cancel,
                    Minor,
                    Major,
                    Promote,
                    BarrierHit,
                    TlabRefill,
                    Protect,
                    Unprotect,
                    CallBegin,
                    CallEnd,
                    CallDrop,
                    ReloadBegin,
                    ReloadSwap,
                    ReloadFail,
                ],
                IN_SLICES,
            ],
            &[&[CallBegin]],
        ),
        (
            "E-7: a task runs a call or a future, not both",
            &[&[CallBegin, CallEnd, CallDrop]],
            &[&[Complete, Fail]],
        ),
        (
            "E-7: a task runs a call or a future, not both",
            &[&[Complete, Fail]],
            &[&[CallEnd, CallDrop]],
        ),
        (
            "I-17: an ended call does nothing and cannot be cancelled",
            &[&[CallEnd]],
            &[
                &[Spawn, Await, BarrierHit, TlabRefill, CallEnd, Cancel],
                IN_SLICES,
            ],
        ),
        (
            "I-8: the host protects results of ended calls",
            &[&[Protect, Unprotect]],
            &[&[Spawn, Await, CallEnd, Cancel], IN_SLICES],
        ),
        (
            "I-8: the host protects results of ended calls",
            &[&[Await, CallBegin, Cancel], IN_SLICES],
            &[&[Protect, Unprotect]],
        ),
        (
            "I-8: a protect comes before its undoing",
            &[&[Spawn, CallEnd]],
            &[&[Unprotect]],
        ),
        (
            "E-8: dropping a running call cancels it at once, an ended one is gone",
            &[&[CallDrop]],
            &[
                &[
                    Spawn, Await, BarrierHit, TlabRefill, Protect, CallDrop, CallEnd,
                ],
                IN_SLICES,
            ],
        ),
        (
            "semantics.md C4: a catch follows its throw",
            &[&[
                Spawn,
                Await,
                Cancel,
                Minor,
                Major,
                Promote,
                BarrierHit,
                TlabRefill,
                ReloadBegin,
                ReloadSwap,
                ReloadFail,
                Fork,
                ForkDrop,
                CallBegin,
                Catch,
                Interrupt,
                ChannelSend,
                ChannelReceive,
                StreamNext,
                GuardAcquire,
            ]],
            &[&[Catch]],
        ),
        (
            "semantics.md C2: a time that is over throws at once",
            &[&[Deadline]],
            &[
                &[
                    Spawn,
                    Await,
                    Complete,
                    Fail,
                    Cancel,
                    Deadline,
                    Interrupt,
                    Minor,
                    Major,
                    Promote,
                    BarrierHit,
                    TlabRefill,
                    ReloadBegin,
                    ReloadSwap,
                    ReloadFail,
                    Fork,
                    ForkDrop,
                    CallEnd,
                    CallDrop,
                    Catch,
                ],
                USES,
            ],
        ),
        (
            "semantics.md A2: a collection takes the buffers, and a task begins without one: what \
             interrupts it is allocated first",
            &[&[Minor, Major, Promote, CallBegin]],
            &[&[Deadline, Interrupt]],
        ),
        (
            "semantics.md A2: a task begins without a buffer, and its arguments are allocated first",
            &[&[CallBegin]],
            &[&[Spawn]],
        ),
        (
            "semantics.md C3: the root of a run handles its interrupts",
            &[&[Interrupt]],
            &[&[Complete, Fail]],
        ),
        (
            "I-9: a guard is released when its frame is left",
            &[&[GuardAcquire]],
            &[&[Complete, Fail, CallEnd]],
        ),
        (
            "I-9: a guard is released by the task that took it",
            &[&[CallBegin]],
            &[&[GuardRelease]],
        ),
        (
            "semantics.md B2: a wait of a cancelled task is cancelled again",
            &[&[Cancel]],
            &[&[GuardAcquire]],
        ),
        (
            "E-11: one top level runs at a time, and one step makes its version current",
            &[&[ReloadBegin]],
            &[&[ReloadBegin]],
        ),
        (
            "E-11: one top level runs at a time, and one step makes its version current",
            &[&[ReloadSwap]],
            &[&[ReloadSwap]],
        ),
    ]
};

/// The pairs that cannot happen, each with the rule that forbids it.
pub fn infeasible() -> Vec<(EventKind, EventKind, &'static str)> {
    let all = EventKind::ALL
        .iter()
        .flat_map(|&first| EventKind::ALL.iter().map(move |&second| (first, second)));
    all.filter_map(|(first, second)| {
        forbidding_rule(first, second).map(|rule| (first, second, rule))
    })
    .collect()
}

/// The rule that forbids `second` right after `first`, if one does.
pub fn forbidding_rule(first: EventKind, second: EventKind) -> Option<&'static str> {
    let has = |kinds: Kinds, kind| kinds.iter().any(|list| list.contains(&kind));
    RULES
        .iter()
        .find(|(_, firsts, seconds)| has(firsts, first) && has(seconds, second))
        .map(|rule| rule.0)
}

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

/// Counts the pairs of one run: remembers the last event of each subject.
///
/// Subjects are numbers of the caller's choice; one number must not mean a task and an
/// object at once, so give each sort of subject a range of its own. Cost: one probe of a
/// small hash table for an event, and one pass over the kinds for an event on all.
#[derive(Clone, Debug)]
pub struct PairTracker {
    matrix: PairMatrix,
    table: Vec<Entry>,
    live: usize,
    /// Subjects by the kind of their last event, as far as it was theirs alone.
    by_last: [u32; EventKind::COUNT],
    /// Number and kind of the last event on all subjects. Entries from before it count as
    /// if they had seen it.
    round: u32,
    last_on_all: EventKind,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    subject: u64,
    round: u32,
    state: EntryState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Free,
    Last(EventKind),
    /// Forgotten, but still a link of its probe sequence.
    Forgotten,
}

impl Default for PairTracker {
    fn default() -> Self {
        Self {
            matrix: PairMatrix::default(),
            table: vec![
                Entry {
                    subject: 0,
                    round: 0,
                    state: EntryState::Free
                };
                64
            ],
            live: 0,
            by_last: [0; EventKind::COUNT],
            round: 0,
            last_on_all: EventKind::Minor,
        }
    }
}

impl PairTracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes an event on one subject.
    #[inline]
    pub fn event(&mut self, subject: u64, kind: EventKind) {
        let at = self.find(subject);
        if let Some(last) = self.last_of(at) {
            self.matrix.add(last, kind, 1);
            self.by_last[last as usize] -= 1;
        } else if self.table[at].state == EntryState::Free {
            self.live += 1;
        }
        self.by_last[kind as usize] += 1;
        self.table[at] = Entry {
            subject,
            round: self.round,
            state: EntryState::Last(kind),
        };
        if self.live * 2 > self.table.len() {
            self.grow();
        }
    }

    /// Counts a pair that the caller has seen itself.
    pub fn pair(&mut self, first: EventKind, second: EventKind) {
        self.matrix.add(first, second, 1);
    }

    /// Notes an event that happens to every subject at once: a collection.
    pub fn event_on_all(&mut self, kind: EventKind) {
        let mut subjects = 0;
        for &last in EventKind::ALL {
            let count = std::mem::take(&mut self.by_last[last as usize]);
            if count > 0 {
                self.matrix.add(last, kind, u64::from(count));
                subjects += count;
            }
        }
        self.by_last[kind as usize] = subjects;
        self.round += 1;
        self.last_on_all = kind;
    }

    /// Ends a subject's life: its number may mean another one from now on.
    pub fn forget(&mut self, subject: u64) {
        let at = self.find(subject);
        if let Some(last) = self.last_of(at) {
            self.by_last[last as usize] -= 1;
            self.table[at].state = EntryState::Forgotten;
        }
    }

    /// The pairs counted so far; the tracker starts anew.
    pub fn take(&mut self) -> PairMatrix {
        let matrix = std::mem::take(&mut self.matrix);
        for entry in &mut self.table {
            entry.state = EntryState::Free;
        }
        self.live = 0;
        self.by_last = [0; EventKind::COUNT];
        self.round = 0;
        matrix
    }

    fn last_of(&self, at: usize) -> Option<EventKind> {
        match self.table[at] {
            Entry {
                state: EntryState::Last(kind),
                round,
                ..
            } => Some(if round == self.round {
                kind
            } else {
                self.last_on_all
            }),
            _ => None,
        }
    }

    /// Index of the subject's entry, or of the free one where it would go.
    #[inline]
    fn find(&self, subject: u64) -> usize {
        let mask = self.table.len() - 1;
        // Fibonacci hashing: the high bits of the product are well mixed.
        let mut at = (subject.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.table[at].state != EntryState::Free && self.table[at].subject != subject {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let free = Entry {
            subject: 0,
            round: 0,
            state: EntryState::Free,
        };
        let bigger = vec![free; self.table.len() * 2];
        let entries = std::mem::replace(&mut self.table, bigger);
        self.live = 0;
        for entry in entries {
            if matches!(entry.state, EntryState::Last(_)) {
                let at = self.find(entry.subject);
                self.table[at] = entry;
                self.live += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventKind::*;
    use super::*;

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
