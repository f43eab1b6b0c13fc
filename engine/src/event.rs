//! What an observer sees: every step that others can see too, in order.

use std::sync::Arc;

use gcrucible_heap::{CollectionReport, FutureState};
use gcrucible_vm::{Attachment, ForkError, HostValue, Realm, SliceInput, SliceOutcome};

use crate::call::{Call, Outcome};
use crate::reload::ReloadStep;
use crate::serve::RequestId;
use crate::trace::TraceFrame;

/// One step of the engine. Tasks are numbered from 1 in order of creation.
#[derive(Debug)]
pub enum EngineEvent<'a> {
    /// A call began; `task` runs it.
    CallStarted {
        /// The call.
        call: &'a Call,
        /// Number of the finalizer that it is for, if it is not the host's.
        finalizer: Option<u64>,
    },
    /// A fork of a realm for serving was asked for.
    Forked {
        /// Number of the realm that was to be copied.
        template: u32,
        /// Number of the fork, which calls in it name.
        fork: u32,
        /// Why there is none.
        refused: Option<&'a ForkError>,
    },
    /// The host has dropped a fork. Calls that run in it go on.
    ForkDropped {
        /// Its number.
        fork: u32,
    },
    /// A request was not taken in: too many are under way.
    RequestRefused {
        /// Its id.
        id: &'a RequestId,
    },
    /// A request is served by a call that has begun.
    RequestBegan {
        /// Its number.
        request: u64,
        /// Its id.
        id: &'a RequestId,
        /// Number of its fork.
        fork: u32,
        /// The call.
        call: &'a Call,
    },
    /// The client of a request is gone before its call has ended. Its cancellation follows.
    Disconnected {
        /// Its number.
        request: u64,
        /// Its id.
        id: &'a RequestId,
    },
    /// The call of a request has ended, and the request with it.
    RequestEnded {
        /// Its number.
        request: u64,
        /// Its id.
        id: &'a RequestId,
        /// How the call ended.
        outcome: Outcome,
    },
    /// A slice ran.
    Slice {
        /// The task.
        task: u32,
        /// What it runs in.
        realm: &'a Realm,
        /// What the machine was told.
        input: &'a SliceInput,
        /// What it did.
        outcome: &'a SliceOutcome,
        /// Id of the future that the slice ended with a request to cancel, if it did. Those
        /// of [`SliceOutcome::cancel`] come besides.
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
        /// Whether the new task belongs to no run.
        detached: bool,
        /// The deadline that it inherits, in milliseconds of the engine's time.
        deadline: Option<u64>,
        /// The first state of its random numbers.
        seed: u64,
    },
    /// An await was answered: the future is not in the registry, so it is resolved.
    AwaitResolved {
        /// The awaiting task.
        task: u32,
        /// Id of the future.
        future: u64,
    },
    /// A wait for one of several futures was answered: one is resolved, so the task does not
    /// wait.
    AwaitManyResolved {
        /// The task.
        task: u32,
    },
    /// A wait for a channel or mutex was answered: it has changed since the machine looked,
    /// so the task does not wait.
    WaitResolved {
        /// The task.
        task: u32,
        /// Id of the channel or mutex.
        object: u64,
    },
    /// A signal was raised, by the host or by `sys.interrupt`; a later slice of the task
    /// dispatches it. A signal that no handler could ever see makes no event.
    InterruptRaised {
        /// The root task of the run.
        task: u32,
        /// Name of the signal.
        signal: &'a str,
    },
    /// A host operation begins. What came between the slice that asked for it and this is seen
    /// by it at once.
    HostBegan {
        /// The task.
        task: u32,
    },
    /// The body of a task has ended, or will never begin. What its future or call comes to is decided
    /// by that: a request for cancellation that comes later changes nothing, and a signal finds
    /// nobody.
    BodyEnded {
        /// The task.
        task: u32,
    },
    /// A task waits for a channel or mutex from now on: behind all others who wait for the same,
    /// or before them if it was woken for that and found nothing.
    WaitBegan {
        /// The task.
        task: u32,
        /// Id of the channel or mutex.
        object: u64,
    },
    /// A task that was cancelled went on for longer than its grace time. It has ended by that:
    /// what it held is released, and its future or call ends as cancelled.
    Aborted {
        /// The task.
        task: u32,
    },
    /// A host operation ended. The next slice takes its result, if the machine still wants
    /// it.
    HostEnded {
        /// The task.
        task: u32,
        /// What it gave, or why it failed.
        result: &'a Result<HostValue, String>,
    },
    /// A host operation panicked, or the observer when it was shown a step of the task. The task
    /// has ended by that: what it held is released, and
    /// its future or call settles as an internal error, with the message unless
    /// [`EngineEvent::MemoryRefused`] says that there is no memory for that.
    HostPanicked {
        /// The task.
        task: u32,
        /// The message of the panic.
        message: &'a str,
    },
    /// Cancellation of a task was requested.
    CancelRequested {
        /// The task.
        task: u32,
    },
    /// Something became of a version of the program.
    Reload {
        /// Number of the version; 1 is the program that the engine was made with.
        version: u32,
        /// What became of it.
        step: &'a ReloadStep,
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
    /// A waiting task became ready: what it waits for has come or changed, its time is over,
    /// its cancellation was requested or a signal raised.
    Woken {
        /// The task.
        task: u32,
    },
    /// An allocation failed for good: an `OutOfMemory` error will be thrown in the task. It
    /// comes right after the slice that asked.
    MemoryRefused {
        /// The task.
        task: u32,
        /// Words that were asked for, as in [`NeedsMemory::words`](gcrucible_heap::NeedsMemory).
        words: u32,
        /// Bytes that the fork used by then, if it is the task of one with a memory limit.
        account_bytes: Option<u64>,
    },
    /// A call ended; its id is free again.
    CallEnded {
        /// The call, its value still in place.
        call: &'a Call,
        /// How it ended.
        outcome: Outcome,
    },
    /// A finalizer ended with an error that nobody caught. This comes once for it, right
    /// after its call's end.
    FinalizerFailed {
        /// The call.
        call: &'a Call,
        /// Display text of the error.
        text: &'a str,
        /// What the host has attached to the realm that it ran in.
        attachment: Option<&'a Attachment>,
    },
    /// A future has failed, and nobody has awaited it: it was freed, or the run of its task has
    /// ended, or the host asked ([`Engine::report_failures`](crate::Engine::report_failures)).
    /// This comes at most once for a future, and not if an await of it or a squad has shown its
    /// error to the program.
    Unobserved {
        /// Id of the future.
        future: u64,
        /// Text of the error.
        text: &'a str,
        /// Where it was thrown, innermost frame first.
        trace: &'a [TraceFrame],
        /// What the host has attached to the realm of its task.
        attachment: Option<&'a Attachment>,
    },
    /// A collection ran.
    Collected {
        /// What it did.
        report: &'a CollectionReport,
    },
}

/// Sees the engine's steps. It is called between slices, while the caller holds no permit
/// and no lock. When it panics at a step of a task's body, the task ends as by a host operation
/// that panics; at any other step, nothing comes of it.
pub trait Observer: Send + Sync {
    /// Takes note of one step.
    fn event(&self, event: &EngineEvent<'_>);
}

/// An observer that gets each line that the program prints, and nothing else. When `print`
/// panics, the task that printed ends as by a host operation that panics.
pub fn on_print(print: impl Fn(&str) + Send + Sync + 'static) -> Arc<dyn Observer> {
    struct Printer<F>(F);

    impl<F: Fn(&str) + Send + Sync> Observer for Printer<F> {
        fn event(&self, event: &EngineEvent<'_>) {
            if let EngineEvent::Slice { outcome, .. } = event {
                outcome.printed.iter().for_each(|line| self.0(line));
            }
        }
    }

    Arc::new(Printer(print))
}
