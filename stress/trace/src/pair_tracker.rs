//! Counts the pairs of one run.

use super::event_kind::EventKind;
use super::pairs::PairMatrix;

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
