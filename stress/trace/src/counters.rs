//! What runs did, as counts.

use serde::{Deserialize, Serialize};

/// What a run did. Adding two gives what both did; all counts are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Scenarios run.
    pub scenarios: u64,
    /// Heap operations, or host events and instructions of programs.
    pub operations: u64,
    /// Statements of Crux executed.
    pub statements: u64,
    /// Tasks started.
    pub tasks: u64,
    /// Decisions of the schedule.
    pub decisions: u64,
    /// Safepoints at which a collection could happen.
    pub safepoints: u64,
    /// Minor collections.
    pub collections_minor: u64,
    /// Major collections.
    pub collections_major: u64,
    /// Objects moved by collections.
    pub objects_moved: u64,
    /// Objects that a collection could not copy and kept where they were.
    pub objects_kept: u64,
    /// Weak references that collections cleared.
    pub weak_cleared: u64,
    /// Finalizers that collections queued.
    pub finalizers_queued: u64,
    /// Dead objects made zombies.
    pub zombies: u64,
    /// Bytes filled with a pattern.
    pub bytes_scribbled: u64,
    /// Verifier passes.
    pub verifications: u64,
    /// Futures settled with a value.
    pub futures_ready: u64,
    /// Futures settled with an error.
    pub futures_error: u64,
    /// Futures cancelled.
    pub futures_cancelled: u64,
    /// Futures that failed inside the engine.
    pub futures_internal_error: u64,
    /// Host calls started.
    pub calls: u64,
    /// Cancellations requested.
    pub cancels: u64,
    /// Cancellations that ended a task before its body began.
    pub cancelled_unstarted: u64,
    /// Cancellations thrown in a task that was running.
    pub cancelled_running: u64,
    /// Cancellations thrown in a task that awaited a future, or several.
    pub cancelled_awaiting: u64,
    /// Cancellations thrown in a task that slept, or waited for a channel or mutex.
    pub cancelled_waiting: u64,
    /// Cancellations thrown in a task that stood at an operation of the host.
    pub cancelled_in_host: u64,
    /// Cancellations of calls and futures that had ended.
    pub cancelled_late: u64,
    /// Cancelled tasks that were aborted after their grace time.
    pub cancelled_aborted: u64,
    /// Calls whose future the host dropped.
    pub drops: u64,
    /// Deadlines that fired, as far as the model says.
    pub deadlines: u64,
    /// Signals that were dispatched, as far as the model says.
    pub interrupts: u64,
    /// Events that the k-th point and the aimed strategy injected.
    pub injections: u64,
    /// Reloads begun.
    pub reloads_begun: u64,
    /// Reloads swapped in.
    pub reloads_swapped: u64,
    /// Reloads that failed.
    pub reloads_failed: u64,
    /// Reloads deferred.
    pub reloads_deferred: u64,
    /// Serving forks made.
    pub forks: u64,
    /// Serving forks refused because a stream was reachable.
    pub forks_refused: u64,
    /// Serving forks that the host dropped.
    pub forks_dropped: u64,
    /// Requests that were served.
    pub requests: u64,
    /// Requests that were refused, too many being under way.
    pub requests_refused: u64,
    /// Requests whose client was gone before the end.
    pub disconnects: u64,
    /// Calls of the host in serving forks.
    pub fork_calls: u64,
    /// Scenarios with a cost mode: collect at every safepoint, move all, or full verification.
    pub costly: u64,
    /// Allocations that the scenario made fail.
    pub faults: u64,
    /// Generated programs the front end refused (there should be none).
    pub invalid: u64,
    /// Programs with edited bytecode that the verifier refused.
    pub refused: u64,
}

macro_rules! add_fields {
    ($self:ident, $other:ident; $($field:ident)*) => { $($self.$field += $other.$field;)* };
}

impl std::ops::AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        add_fields!(self, other;
            scenarios operations statements tasks decisions safepoints collections_minor
            collections_major objects_moved objects_kept weak_cleared finalizers_queued zombies bytes_scribbled
            verifications futures_ready futures_error futures_cancelled futures_internal_error
            calls cancels cancelled_unstarted cancelled_running cancelled_awaiting
            cancelled_waiting cancelled_in_host cancelled_late cancelled_aborted drops deadlines interrupts
            injections reloads_begun reloads_swapped reloads_failed
            reloads_deferred forks forks_refused forks_dropped fork_calls
            requests requests_refused disconnects costly faults invalid refused);
    }
}
