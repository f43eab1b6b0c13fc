//! Tasks that have failed: where, and whether anybody knows.
//!
//! A future that settles with an error leaves an entry here that lives as long as the future
//! itself, which the heap [watches](gcrucible_heap::Heap::watch). It has the trace of the task:
//! whoever awaits the future and does not catch its error goes on with that trace, so that in the
//! end it leads from where the error was thrown through all who awaited it. An error that nobody
//! has awaited is reported once: when its future is freed, when the run ends that its task
//! belongs to, or when the host asks for all of them at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use gcrucible_heap::{Charge, Heap, MemoryAccount};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::{Attachment, LoadedProgram};

use crate::trace::TraceFrame;

/// Of a trace the frames that are kept: innermost and outermost.
const FRAMES_FIRST: usize = 24;
const FRAMES_LAST: usize = 8;

/// The most tasks of a trace. Of those that only passed an error on beyond that, nothing is said.
const TASKS_MAX: u32 = 32;

/// Where a task failed.
#[derive(Debug)]
pub(crate) struct Failure {
    program: Arc<LoadedProgram>,
    frames: Vec<(u16, u32)>,
    /// The failure of the task that this one awaited, if the error is that one's.
    cause: Option<Arc<Failure>>,
    /// Tasks up to the one that threw, this one included.
    tasks: u32,
}

impl Failure {
    /// The failure of a task that runs `program`; `cause` is that of the task it awaited.
    pub(crate) fn new(
        program: &Arc<LoadedProgram>,
        trace: &[(u16, u32)],
        cause: Option<Arc<Failure>>,
    ) -> Arc<Failure> {
        let tasks = cause.as_ref().map_or(1, |cause| cause.tasks + 1);
        if let Some(cause) = cause.as_ref().filter(|_| tasks > TASKS_MAX) {
            return Arc::clone(cause);
        }
        let last = trace.len().saturating_sub(FRAMES_LAST).max(FRAMES_FIRST);
        let first = &trace[..trace.len().min(FRAMES_FIRST)];
        let last = trace.get(last..).unwrap_or_default();
        Arc::new(Failure {
            program: Arc::clone(program),
            frames: [first, last].concat(),
            cause,
            tasks,
        })
    }

    /// Bytes that it takes besides those of its cause.
    fn bytes(&self) -> u64 {
        (size_of::<Failure>() + size_of_val(&*self.frames)) as u64
    }

    /// The frames of all tasks, those of the one that threw first.
    pub(crate) fn trace(&self) -> Vec<TraceFrame> {
        let mut trace = match &self.cause {
            Some(cause) => cause.trace(),
            None => Vec::new(),
        };
        add_frames(&mut trace, &self.program, &self.frames);
        trace
    }
}

/// Appends the frames of a task that awaited the one whose frames are there.
pub(crate) fn add_frames(
    trace: &mut Vec<TraceFrame>,
    program: &LoadedProgram,
    frames: &[(u16, u32)],
) {
    let from = trace.len();
    trace.extend(
        frames
            .iter()
            .map(|&at| TraceFrame::at(program.program(), at)),
    );
    if from > 0
        && let Some(first) = trace.get_mut(from)
    {
        first.awaits = true;
    }
}

/// An error that nobody has awaited.
#[derive(Debug)]
pub(crate) struct Unseen {
    /// Its text.
    pub(crate) text: String,
    /// The root task of the run that the task belonged to; none if it was detached.
    pub(crate) root: Option<u32>,
    /// The number of the realm that the task ran in, and what the host has attached to that. The
    /// realm itself must not live as long as the future.
    pub(crate) realm: u32,
    pub(crate) attachment: Option<Attachment>,
}

#[derive(Debug)]
struct Entry {
    failure: Arc<Failure>,
    unseen: Option<Unseen>,
    charge: Charge,
}

/// The failures of futures that still exist, by id.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    entries: Mutex<BTreeMap<u64, Entry>>,
}

impl Failures {
    /// Adds that of a future which is about to settle. It is charged until the future is gone:
    /// a program can keep any number of them.
    pub(crate) fn add(
        &self,
        (heap, account): (&Heap, Option<&Arc<MemoryAccount>>),
        future: u64,
        failure: Arc<Failure>,
        unseen: Unseen,
    ) {
        let bytes = Self::ENTRY_BYTES + failure.bytes() + unseen.text.capacity() as u64;
        let charge = heap.charge_anyway(account, bytes);
        let entry = Entry {
            failure,
            unseen: Some(unseen),
            charge,
        };
        self.entries.lock().insert(future, entry);
    }

    /// An entry, and what its place in the table and in that of watched futures takes.
    const ENTRY_BYTES: u64 = 128;

    /// The future did not settle with it, or does not exist any more. What nobody has seen comes
    /// back to be reported.
    pub(crate) fn remove(&self, future: u64) -> Option<(Unseen, Arc<Failure>)> {
        let entry = self.entries.lock().remove(&future)?;
        Some((entry.unseen?, entry.failure))
    }

    /// Bytes that all of them are charged for.
    pub(crate) fn bytes(&self) -> u64 {
        let entries = self.entries.lock();
        entries.values().map(|entry| entry.charge.bytes()).sum()
    }

    /// Somebody has awaited these.
    pub(crate) fn saw(&self, futures: &[u64]) {
        if futures.is_empty() {
            return;
        }
        let mut entries = self.entries.lock();
        let futures = match planted!(B209, futures.len() > 1) {
            true => &futures[..1],
            false => futures,
        };
        for future in futures {
            if let Some(entry) = entries.get_mut(future) {
                entry.unseen = None;
            }
        }
    }

    /// The failure of a future.
    pub(crate) fn get(&self, future: u64) -> Option<Arc<Failure>> {
        let entries = self.entries.lock();
        Some(Arc::clone(&entries.get(&future)?.failure))
    }

    /// Takes those that nobody has seen and that `is_over` says so of, to be reported. In order of
    /// their futures.
    pub(crate) fn take_unseen(
        &self,
        is_over: impl Fn(&Unseen) -> bool,
    ) -> Vec<(u64, Unseen, Arc<Failure>)> {
        let mut entries = self.entries.lock();
        let mut taken = Vec::new();
        for (&future, entry) in entries.iter_mut() {
            if let Some(unseen) = entry.unseen.take_if(|unseen| is_over(unseen)) {
                taken.push((future, unseen, Arc::clone(&entry.failure)));
            }
        }
        taken
    }
}
