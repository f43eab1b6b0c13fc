//! What runs did, as counts: one table, from which their fields, their sum and their places in
//! reports follow. What only one subject counts has no row there, but a name ([`OwnCounters`]).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// The name of its field.
    pub name: &'static str,
    /// Its key in `summary.json`, `group.key` for one in a group; `None` if it is not there.
    pub json: Option<&'static str>,
    /// What it is called in the table that people read; `None` if it is not there.
    pub text: Option<&'static str>,
    /// Its value.
    pub get: fn(&Counters) -> u64,
    /// Its value, to be changed.
    pub get_mut: fn(&mut Counters) -> &mut u64,
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident $(, json $json:literal)? $(, text $text:literal)?;)*) => {
        /// What a run did. Adding two gives what both did; all counts are exact.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
            /// What only this subject counts.
            pub own: OwnCounters,
        }

        impl Counters {
            /// All counters, in the order of reports. Groups of `summary.json` are together.
            pub const ALL: &'static [Counter] = &[$(Counter {
                name: stringify!($field),
                json: optional!($($json)?),
                text: optional!($($text)?),
                get: |counters| counters.$field,
                get_mut: |counters| &mut counters.$field,
            },)*];
        }

        impl std::ops::AddAssign<&Counters> for Counters {
            fn add_assign(&mut self, other: &Counters) {
                $(self.$field += other.$field;)*
                self.own += &other.own;
            }
        }
    };
}

/// Counts by names that the table of [`Counters`] does not have, in the order of their names.
/// Reports show them behind the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnCounters(Vec<(Cow<'static, str>, u64)>);

impl OwnCounters {
    /// The count of this name; 0 if there is none.
    pub fn of(&self, name: &str) -> u64 {
        self.place(name).map_or(0, |at| self.0[at].1)
    }

    /// Adds to the count of this name.
    pub fn add(&mut self, name: impl Into<Cow<'static, str>>, more: u64) {
        if more > 0 {
            *self.count(name.into()) += more;
        }
    }

    /// Makes this the count of this name.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, count: u64) {
        *self.count(name.into()) = count;
    }

    /// All that there are, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (&**name, *count))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    fn count(&mut self, name: Cow<'static, str>) -> &mut u64 {
        let at = self.place(&name).unwrap_or_else(|at| {
            self.0.insert(at, (name, 0));
            at
        });
        &mut self.0[at].1
    }
}

impl std::ops::AddAssign<&OwnCounters> for OwnCounters {
    fn add_assign(&mut self, other: &OwnCounters) {
        for (name, count) in &other.0 {
            self.add(name.clone(), *count);
        }
    }
}

counters! {
    /// Scenarios run.
    scenarios, json "scenarios", text "scenarios";
    /// Heap operations, or host events and instructions of programs.
    operations, json "operations", text "operations";
    /// Statements of Crux executed.
    statements, json "statements", text "statements";
    /// Tasks started.
    tasks, json "tasks", text "tasks";
    /// Decisions of the schedule.
    decisions, json "decisions", text "decisions";
    /// Safepoints at which a collection could happen.
    safepoints, json "safepoints", text "safepoints";
    /// Minor collections.
    collections_minor, json "collections.minor", text "collections, minor";
    /// Major collections.
    collections_major, json "collections.major", text "collections, major";
    /// Objects moved by collections.
    objects_moved, json "objects_moved", text "objects moved";
    /// Objects that a collection could not copy and kept where they were.
    objects_kept, json "objects_kept", text "objects kept in place";
    /// Weak references that collections cleared.
    weak_cleared, json "weak_cleared", text "weak references cleared";
    /// Finalizers that collections queued.
    finalizers_queued, json "finalizers_queued", text "finalizers queued";
    /// Dead objects made zombies.
    zombies, json "zombies", text "zombies";
    /// Bytes filled with a pattern.
    bytes_scribbled, json "bytes_scribbled", text "bytes scribbled";
    /// Dead registers overwritten with poison.
    registers_poisoned, json "registers_poisoned", text "registers poisoned";
    /// Allocations that the scenario made fail.
    faults, json "faults", text "injected failures";
    /// Verifier passes.
    verifications;
    /// Futures settled with a value.
    futures_ready, json "futures.ready", text "futures ready";
    /// Futures settled with an error.
    futures_error, json "futures.error", text "futures with an error";
    /// Futures cancelled.
    futures_cancelled, json "futures.cancelled", text "futures cancelled";
    /// Futures that failed inside the engine.
    futures_internal_error, json "futures.internal_error";
    /// Host calls started.
    calls, json "calls", text "calls";
    /// Cancellations requested.
    cancels, json "cancels", text "cancels";
    /// Cancellations that ended a task before its body began.
    cancelled_unstarted, json "cancelled.unstarted", text "cancelled unstarted";
    /// Cancellations thrown in a task that was running.
    cancelled_running, json "cancelled.running", text "cancelled running";
    /// Cancellations thrown in a task that awaited a future, or several.
    cancelled_awaiting, json "cancelled.awaiting", text "cancelled in an await";
    /// Cancellations thrown in a task that slept, or waited for a channel or mutex.
    cancelled_waiting, json "cancelled.waiting", text "cancelled in a wait";
    /// Cancellations thrown in a task that stood at an operation of the host.
    cancelled_in_host, json "cancelled.in_host", text "cancelled in the host";
    /// Cancellations of calls and futures that had ended.
    cancelled_late, json "cancelled.late", text "cancelled too late";
    /// Cancelled tasks that were aborted after their grace time.
    cancelled_aborted, json "cancelled.aborted", text "cancelled and aborted";
    /// Calls whose future the host dropped.
    drops, json "drops", text "calls dropped";
    /// Deadlines that fired, as far as the model says.
    deadlines, json "deadlines", text "deadlines";
    /// Signals that were dispatched, as far as the model says.
    interrupts, json "interrupts", text "interrupts";
    /// Events that the k-th point and the aimed strategy injected.
    injections;
    /// Reloads begun.
    reloads_begun, json "reloads.begun", text "reloads";
    /// Reloads swapped in.
    reloads_swapped, json "reloads.swapped";
    /// Reloads that failed.
    reloads_failed, json "reloads.failed";
    /// Reloads deferred.
    reloads_deferred, json "reloads.deferred";
    /// Serving forks made.
    forks, json "forks", text "forks";
    /// Serving forks refused because a stream was reachable.
    forks_refused;
    /// Serving forks that the host dropped.
    forks_dropped;
    /// Requests that were served.
    requests, json "requests.served", text "requests";
    /// Requests that were refused, too many being under way.
    requests_refused, json "requests.refused", text "requests refused";
    /// Requests whose client was gone before the end.
    disconnects, json "requests.disconnected", text "clients gone early";
    /// Calls of the host in serving forks.
    fork_calls;
    /// Scenarios with a cost mode: collect at every safepoint, move all, or full verification.
    costly;
    /// Generated programs the front end refused (there should be none).
    invalid;
    /// Programs with edited bytecode that the verifier refused.
    refused;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_has_all_counters() {
        let mut one = Counters::default();
        for (at, counter) in (1..).zip(Counters::ALL) {
            *(counter.get_mut)(&mut one) = at;
        }
        let mut sum = one.clone();
        sum += &one;
        for (at, counter) in (1..).zip(Counters::ALL) {
            assert_eq!((counter.get)(&sum), 2 * at, "{}", counter.name);
        }
    }

    #[test]
    fn counts_without_a_row_have_names() {
        let mut one = Counters::default();
        one.own.add("b", 2);
        one.own.add("a", 1);
        one.own.add("b", 3);
        one.own.add("none", 0);
        let mut sum = one.clone();
        sum += &one;
        assert_eq!(sum.own.iter().collect::<Vec<_>>(), [("a", 2), ("b", 10)]);
        assert_eq!((sum.own.of("b"), sum.own.of("none")), (10, 0));
    }

    #[test]
    fn keys_are_taken_once_and_groups_are_together() {
        let keys: Vec<_> = Counters::ALL.iter().filter_map(|row| row.json).collect();
        let mut groups: Vec<_> = keys.iter().map(|key| key.split('.').next()).collect();
        groups.dedup();
        for mut list in [keys.into_iter().map(Some).collect(), groups] {
            let all = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), all);
        }
    }
}
