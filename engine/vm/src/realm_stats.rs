//! What has been run in a realm.

use gcrucible_platform::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What has been run in a realm so far, by its calls and by the tasks that they started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealmStats {
    /// Calls that began, finalizers and top levels among them.
    pub calls_started: u64,
    /// Calls that have ended, however they did.
    pub calls_ended: u64,
    /// Of these, calls that ended as cancelled.
    pub calls_cancelled: u64,
    /// Slices that were run.
    pub slices: u64,
    /// Instructions that were run.
    pub instructions: u64,
}

/// The counters of a realm, which any task of it adds to.
#[derive(Debug, Default)]
pub(crate) struct RealmCounters {
    calls_started: AtomicU64,
    calls_ended: AtomicU64,
    calls_cancelled: AtomicU64,
    slices: AtomicU64,
    instructions: AtomicU64,
}

impl RealmCounters {
    pub(crate) fn call_started(&self) {
        self.calls_started.fetch_add(1, Relaxed);
    }

    pub(crate) fn call_ended(&self, is_cancelled: bool) {
        self.calls_cancelled
            .fetch_add(u64::from(is_cancelled), Relaxed);
        self.calls_ended.fetch_add(1, Relaxed);
    }

    pub(crate) fn slice(&self, instructions: u32) {
        self.slices.fetch_add(1, Relaxed);
        self.instructions
            .fetch_add(u64::from(instructions), Relaxed);
    }

    /// The counts, each as it is by now.
    pub(crate) fn stats(&self) -> RealmStats {
        RealmStats {
            calls_started: self.calls_started.load(Relaxed),
            calls_ended: self.calls_ended.load(Relaxed),
            calls_cancelled: self.calls_cancelled.load(Relaxed),
            slices: self.slices.load(Relaxed),
            instructions: self.instructions.load(Relaxed),
        }
    }
}
