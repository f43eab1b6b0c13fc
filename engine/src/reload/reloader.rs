//! The versions of the program, and the evaluation that is watched.

use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_heap::Heap;
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::Realm;

use super::entry_slot::EntrySlot;
use super::turn::Turn;
use crate::call::Call;

/// Which version is current, and what is under way to change that.
///
/// # Invariants
/// 1. At most one top level runs at a time: that of [`State::evaluation`].
/// 2. Something is deferred only while that runs.
pub(crate) struct Reloader {
    pub(super) slot: EntrySlot,
    /// Held by whoever changes the state in several steps.
    pub(super) turn: Turn,
    state: Mutex<State>,
    /// How long a request waits for a pending entry before that is cancelled.
    pub(super) patience: Duration,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    /// The version that new calls see.
    pub(super) current: Arc<Realm>,
    /// The number that was given out last.
    pub(super) version_last: u32,
    /// The top level that runs, or has ended since the last tick.
    pub(super) evaluation: Option<Evaluation>,
    /// What waits for it.
    pub(super) deferred: Option<Deferred>,
}

/// The run of a top level.
#[derive(Clone, Debug)]
pub(super) struct Evaluation {
    pub(super) version: u32,
    pub(super) realm: Arc<Realm>,
    pub(super) purpose: Purpose,
    pub(super) call: Arc<Call>,
    /// Whether it was cancelled for what is deferred.
    pub(super) is_cancelled: bool,
}

/// What a top level is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is the entry, current already.
    Entry,
    /// It runs before the entry.
    Preload,
    /// Its version becomes current if it settles well.
    Reload,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub(super) struct Deferred {
    pub(super) version: u32,
    pub(super) program: Arc<VerifiedProgram>,
    /// Since when the entry has kept a request waiting, this or one whose place it took.
    pub(super) since: Duration,
}

impl Reloader {
    /// One whose only version is this, number 1.
    pub(crate) fn new(first: Arc<Realm>, patience: Duration) -> Self {
        Reloader {
            slot: EntrySlot::default(),
            turn: Turn::default(),
            state: Mutex::new(State {
                current: first,
                version_last: 1,
                evaluation: None,
                deferred: None,
            }),
            patience,
        }
    }

    /// The version that new calls see.
    pub(crate) fn current(&self) -> Arc<Realm> {
        Arc::clone(&self.state.lock().current)
    }

    /// Looks at the state or changes it, in one step.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Empties the slot while the heap is alive, and forgets what waits.
    pub(crate) fn shut_down(&self, heap: &Heap) {
        self.with(|state| state.deferred = None);
        if !planted!(B104) {
            self.slot.clear(heap);
        }
    }

    /// A number for a new version.
    pub(super) fn next_version(&self) -> u32 {
        self.with(|state| {
            state.version_last += 1;
            state.version_last
        })
    }
}

impl State {
    /// Whether a top level runs.
    pub(super) fn is_running(&self) -> bool {
        let evaluation = self.evaluation.as_ref();
        evaluation.is_some_and(|evaluation| evaluation.call.outcome().is_none())
    }
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader")
            .field("version_last", &self.state.lock().version_last)
            .finish_non_exhaustive()
    }
}
