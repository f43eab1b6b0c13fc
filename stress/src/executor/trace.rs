//! What happened in a run of programs, event by event.
//!
//! The trace is what the oracles judge. It has everything that the reference model needs
//! to run the same program under the same decisions, and what it must find.

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::CollectionKind;

use super::graph::{FutureState, GraphDump};

/// Number of a task: 1, 2, … in order of creation; [`Site::HOST`](crate::scenario::Site)
/// is 0.
pub type TaskId = u32;

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The host started a call; `task` will run it. `globals` are initialised before the
    /// first call by a call of its own to the module's top level ([`Callee::ModuleInit`]).
    CallStarted {
        /// Id of the call.
        call: u32,
        /// The task that runs it.
        task: TaskId,
        /// What it calls.
        callee: Callee,
    },
    /// The host's call was refused because its id is taken.
    CallRefused {
        /// Id of the call.
        call: u32,
    },
    /// A task runs. Before its first instruction the error `delivered`, if any, is
    /// thrown inside it (cancellation, or no memory).
    SliceBegan {
        /// The task.
        task: TaskId,
        /// Error thrown at the slice's start.
        delivered: Option<ErrorKind>,
    },
    /// `print` was called.
    Printed {
        /// The task.
        task: TaskId,
        /// The line without its newline.
        text: String,
    },
    /// The slice is over.
    SliceEnded {
        /// The task.
        task: TaskId,
        /// Instructions that took effect since the slice began.
        instructions: u32,
        /// Why.
        end: SliceEnd,
    },
    /// A spawned future is in the registry; its body will run as `runner`.
    Registered {
        /// The spawning task.
        task: TaskId,
        /// Id of the future.
        future: u64,
        /// The task that will run its body.
        runner: TaskId,
    },
    /// The engine answered an await: the future is not in the registry, so it is resolved,
    /// and the await runs again.
    AwaitResolved {
        /// The awaiting task.
        task: TaskId,
        /// Id of the future.
        future: u64,
    },
    /// Somebody requested cancellation of a task (by call id or by future).
    CancelRequested {
        /// Who is to be cancelled.
        task: TaskId,
    },
    /// A future left the pending state; from now on every await sees it.
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
    /// A waiting task became ready (its future settled, its sleep ended, it was
    /// cancelled).
    Woken {
        /// The task.
        task: TaskId,
    },
    /// An allocation of a task failed for good; `OutOfMemory` will be thrown in it.
    MemoryRefused {
        /// The task.
        task: TaskId,
        /// Words that were asked for.
        words: u32,
        /// Bytes in use by then.
        used_bytes: u64,
        /// Whether the scenario injected the failure.
        is_injected: bool,
    },
    /// A call ended and its id is free again.
    CallEnded {
        /// Id of the call.
        call: u32,
        /// The task that ran it.
        task: TaskId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A collection.
    Collected {
        /// Which kind.
        kind: CollectionKind,
        /// Objects moved.
        moved: u32,
        /// Objects promoted to the old generation.
        promoted: u32,
    },
    /// Virtual time went on.
    TimeAdvanced {
        /// Milliseconds since the start.
        now_ms: u64,
    },
    /// Nothing is ready and nothing is to come. `waiting` lists the tasks that wait for
    /// ever, with the future each waits for.
    Quiescent {
        /// Waiting task and the id of its future.
        waiting: Vec<(TaskId, u64)>,
    },
}

/// What a call runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// The init function of each module in order; globals are frozen when it returns.
    ModuleInit,
    /// The closure in this global, with these arguments.
    Export {
        /// Index of the global.
        global: u16,
        /// Arguments.
        args: Vec<i64>,
    },
}

/// Why a slice ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SliceEnd {
    /// The fuel is spent, a safepoint was taken, or more memory is needed: nothing that
    /// the program could see.
    Preempted,
    /// `yield_now()`.
    Yielded,
    /// `spawn`; [`Event::Registered`] follows at once, then the task goes on.
    Spawned,
    /// `await` of a pending future; the instruction took no effect and runs again.
    Awaiting {
        /// Id of the future.
        future: u64,
    },
    /// `cancel(f)`; [`Event::CancelRequested`] follows if the future is pending.
    Cancelling {
        /// Id of the future.
        future: u64,
    },
    /// `sleep(ms)`.
    Sleeping {
        /// For how long.
        ms: u64,
    },
    /// `collect()`.
    Collecting,
    /// The task's body returned.
    Returned,
    /// The task's body ended with an uncaught error.
    Threw,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With this value and all that it reaches.
    Returned(GraphDump),
    /// With this error value and all that it reaches.
    Threw(GraphDump),
    /// With an error while its cancellation was requested, or before it started.
    Cancelled,
}
