//! What an observer sees: every step that others can see too, in order.

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{CollectionReport, FutureState};
use gcrucible_vm::SliceEnd;

use crate::call::{Call, Outcome};

/// One step of the engine. Tasks are numbered from 1 in order of creation.
#[derive(Debug)]
pub enum EngineEvent<'a> {
    /// A call began; `task` runs it.
    CallStarted {
        /// The call.
        call: &'a Call,
    },
    /// A slice ran. `delivered` was thrown at its start; `instructions` took effect.
    Slice {
        /// The task.
        task: u32,
        /// Error thrown at the slice's start.
        delivered: Option<ErrorKind>,
        /// Lines it printed.
        printed: &'a [String],
        /// Values thrown, and how many of them a `catch` got.
        thrown_and_caught: (u32, u32),
        /// Instructions executed.
        instructions: u32,
        /// Why it ended.
        end: SliceEnd,
        /// Id of the future that it asked to cancel, if it did.
        cancelling: Option<u64>,
    },
    /// A spawned future is in the registry.
    Registered {
        /// The spawning task.
        task: u32,
        /// Id of the future.
        future: u64,
        /// The task that will run it.
        runner: u32,
    },
    /// An await was answered: the future is not in the registry, so it is resolved.
    AwaitResolved {
        /// The awaiting task.
        task: u32,
        /// Id of the future.
        future: u64,
    },
    /// Cancellation of a task was requested.
    CancelRequested {
        /// The task.
        task: u32,
    },
    /// A future left the pending state.
    Settled {
        /// Id of the future.
        future: u64,
        /// Its final state.
        state: FutureState,
    },
    /// A late completion was refused.
    SettleRefused {
        /// Id of the future.
        future: u64,
    },
    /// A waiting task became ready.
    Woken {
        /// The task.
        task: u32,
    },
    /// An allocation failed for good: an `OutOfMemory` error will be thrown in the task. It
    /// comes right after the slice that asked.
    MemoryRefused {
        /// The task.
        task: u32,
        /// Words that were asked for.
        words: u32,
    },
    /// A call ended; its id is free again.
    CallEnded {
        /// The call, its value still in place.
        call: &'a Call,
        /// How it ended.
        outcome: Outcome,
    },
    /// A collection ran.
    Collected {
        /// What it did.
        report: &'a CollectionReport,
    },
}

/// Sees the engine's steps. It is called between slices, while the caller holds no permit
/// and no lock.
pub trait Observer: Send + Sync {
    /// Takes note of one step.
    fn event(&self, event: &EngineEvent<'_>);
}
