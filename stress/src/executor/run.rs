//! One run of one scenario, and what it leaves behind.

use serde::{Deserialize, Serialize};

use super::pairs::PairMatrix;
use super::trace::Event;
use crate::oracles::failure::Failure;
use crate::scenario::{Decision, Lane};

/// Which advantages of the harness are on; the zoo takes them away one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advantages {
    /// The strategies decide who runs when and where collections happen; without it each
    /// ready actor runs in turn until it waits, and collections are the natural ones.
    pub controlled_schedule: bool,
    /// The heap's debug modes other than verification.
    pub heap_modes: bool,
    /// The heap verifier.
    pub verifier: bool,
    /// The reference model.
    pub model: bool,
}

impl Advantages {
    /// All of them on.
    pub const ALL: Advantages = Advantages {
        controlled_schedule: true,
        heap_modes: true,
        verifier: true,
        model: true,
    };
}

/// How to run a scenario.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Keep the decisions taken and the events seen, for replay, shrinking and reports.
    pub record: bool,
    /// What is on.
    pub advantages: Advantages,
    /// Corrupt one observation between the engine and the oracles on purpose: a run that
    /// still passes shows oracles that judge nothing. Campaigns do this once per lane.
    pub canary: Option<Canary>,
    /// How recorded decisions are followed.
    pub replay: ReplayMode,
    /// Decisions after which a run is cut off; generated programs end long before.
    pub decisions_max: u32,
}

impl RunOptions {
    /// [`RunOptions::decisions_max`] where nothing else is wanted.
    pub const DECISIONS_MAX: u32 = 200_000;
}

/// Which observation is corrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// A result.
    Result,
    /// That something was cancelled. Has no effect on a run in which nothing was.
    Cancellation,
    /// That the program was forked. Has no effect on a run in which it was not.
    Fork,
}

impl Canary {
    /// The one of a lane: of what the lane is about.
    pub fn of(lane: Lane) -> Canary {
        match lane {
            Lane::Cancellation => Canary::Cancellation,
            Lane::Serve => Canary::Fork,
            Lane::HeapOps | Lane::Programs | Lane::Reload => Canary::Result,
        }
    }
}

/// What to do when a recorded decision cannot be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayMode {
    /// Stop, and name the decision in [`RunReport::diverged`].
    #[default]
    Strict,
    /// Take the closest one that is possible: for shrinking.
    Lenient,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            record: false,
            advantages: Advantages::ALL,
            canary: None,
            replay: ReplayMode::Strict,
            decisions_max: Self::DECISIONS_MAX,
        }
    }
}

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

/// What a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// What it did.
    pub counters: Counters,
    /// Which event followed which on the same object or task.
    pub pairs: PairMatrix,
    /// The first claim that did not hold.
    pub failure: Option<Failure>,
    /// Hash of the trace: equal runs have equal hashes.
    pub trace_hash: u64,
    /// The first recorded decision that could not be taken, in words; such a run is
    /// neither a pass nor a failure.
    pub diverged: Option<String>,
    /// The decisions taken, if recorded.
    pub decisions: Vec<Decision>,
    /// The events seen, if recorded (programs).
    pub events: Vec<Event>,
    /// Readable lines of what happened, if recorded: `(actor, text)`; actor 0 is the host,
    /// `u32::MAX` the collector.
    pub timeline: Vec<(u32, String)>,
}
