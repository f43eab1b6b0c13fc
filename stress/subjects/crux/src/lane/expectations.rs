//! What each lane must have done by the end of a campaign.

use gcrucible_subject::Expectation;

/// What the lanes of heap operations count.
pub(super) static HEAP_OPS: &[Expectation] = &[
    ("operations", |c| c.operations, 5.0),
    ("safepoints", |c| c.safepoints, 1.0),
    ("collections.minor", |c| c.collections_minor, 0.2),
    ("collections.major", |c| c.collections_major, 0.2),
    ("objects_moved", |c| c.objects_moved, 0.5),
    ("objects_kept", |c| c.objects_kept, 0.05),
    ("weak_cleared", |c| c.weak_cleared, 0.01),
    ("finalizers_queued", |c| c.finalizers_queued, 0.01),
    ("zombies", |c| c.zombies, 0.05),
    ("bytes_scribbled", |c| c.bytes_scribbled, 0.5),
    ("futures.ready", |c| c.futures_ready, 0.02),
    ("faults", |c| c.faults, 0.01),
];

/// What the lanes of programs count.
pub(super) static PROGRAMS: &[Expectation] = &[
    ("operations", |c| c.operations, 5.0),
    ("statements", |c| c.statements, 2.0),
    ("tasks", |c| c.tasks, 0.5),
    ("decisions", |c| c.decisions, 2.0),
    ("safepoints", |c| c.safepoints, 1.0),
    ("collections.minor", |c| c.collections_minor, 0.2),
    ("collections.major", |c| c.collections_major, 0.1),
    ("objects_moved", |c| c.objects_moved, 0.2),
    ("objects_kept", |c| c.objects_kept, 0.05),
    ("weak_cleared", |c| c.weak_cleared, 0.005),
    ("finalizers_queued", |c| c.finalizers_queued, 0.005),
    ("zombies", |c| c.zombies, 0.02),
    ("bytes_scribbled", |c| c.bytes_scribbled, 0.2),
    ("futures.ready", |c| c.futures_ready, 0.1),
    ("futures.error", |c| c.futures_error, 0.005),
    ("futures.cancelled", |c| c.futures_cancelled, 0.005),
    ("calls", |c| c.calls, 0.5),
    ("cancels", |c| c.cancels, 0.02),
    ("faults", |c| c.faults, 0.01),
];

/// What the lane of cancellation counts besides: each place in which a cancellation can meet
/// a task, and all else that ends or interrupts a wait.
pub(super) static CANCELLATION: &[Expectation] = &[
    ("cancelled.unstarted", |c| c.cancelled_unstarted, 0.01),
    ("cancelled.running", |c| c.cancelled_running, 0.01),
    ("cancelled.awaiting", |c| c.cancelled_awaiting, 0.01),
    ("cancelled.waiting", |c| c.cancelled_waiting, 0.01),
    ("cancelled.in_host", |c| c.cancelled_in_host, 0.01),
    ("cancelled.late", |c| c.cancelled_late, 0.01),
    ("cancelled.aborted", |c| c.cancelled_aborted, 0.002),
    ("drops", |c| c.drops, 0.02),
    ("deadlines", |c| c.deadlines, 0.02),
    ("interrupts", |c| c.interrupts, 0.02),
];

/// What the lane of reloads counts besides.
pub(super) static RELOAD: &[Expectation] = &[
    ("reloads.begun", |c| c.reloads_begun, 0.2),
    ("reloads.swapped", |c| c.reloads_swapped, 0.05),
    ("reloads.failed", |c| c.reloads_failed, 0.05),
    ("reloads.deferred", |c| c.reloads_deferred, 0.05),
];

/// What the lane of serving forks counts besides.
pub(super) static SERVE: &[Expectation] = &[
    ("forks", |c| c.forks, 0.2),
    ("forks.refused", |c| c.forks_refused, 0.02),
    ("forks.dropped", |c| c.forks_dropped, 0.05),
    ("forks.calls", |c| c.fork_calls, 0.2),
    ("requests", |c| c.requests, 0.1),
    ("requests.refused", |c| c.requests_refused, 0.002),
    ("disconnects", |c| c.disconnects, 0.02),
];
