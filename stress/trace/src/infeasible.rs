//! Which event never comes right after which, and the rule that says so.

use super::event_kind::EventKind;

/// What a task does with channels, streams and guards.
const USES: &[EventKind] = &[
    EventKind::ChannelSend,
    EventKind::ChannelReceive,
    EventKind::StreamNext,
    EventKind::GuardAcquire,
    EventKind::GuardRelease,
];

/// What happens in the slices of a task alone.
const IN_SLICES: &[EventKind] = &[
    EventKind::Throw,
    EventKind::Catch,
    EventKind::Deadline,
    EventKind::Interrupt,
    EventKind::ChannelSend,
    EventKind::ChannelReceive,
    EventKind::StreamNext,
    EventKind::GuardAcquire,
    EventKind::GuardRelease,
];

/// Kinds of event, in several lists.
type Kinds = &'static [&'static [EventKind]];

/// A rule that forbids pairs: its name, what comes first, what never comes right after.
type Rule = (&'static str, Kinds, Kinds);

/// Why pairs cannot happen. Observing one of them means that the harness (or the rule) is
/// wrong.
///
/// A task's subject is also that of the call or future that it runs. A realm is a subject of
/// forks alone: what its tasks do is next to a fork of it, or to its drop.
const RULES: &[Rule] = {
    use EventKind::{
        Await, BarrierHit, CallBegin, CallDrop, CallEnd, Cancel, Catch, ChannelReceive,
        ChannelSend, Complete, Deadline, Fail, Fork, ForkDrop, GuardAcquire, GuardRelease,
        Interrupt, Major, Minor, Promote, Protect, ReloadBegin, ReloadFail, ReloadSwap, Spawn,
        StreamNext, TlabRefill, Unprotect,
    };
    &[
        (
            "I-11: a future settles once",
            &[&[Complete, Fail]],
            &[&[Complete, Fail]],
        ),
        (
            "I-11: a future settles after its body has ended",
            &[&[Complete, Fail]],
            &[&[Spawn, TlabRefill], IN_SLICES],
        ),
        (
            "E-8: nothing comes before the beginning of a call",
            &[
                &[
                    Spawn,
                    Await,
                    Complete,
                    Fail,
                    Cancel,
                    Minor,
                    Major,
                    Promote,
                    BarrierHit,
                    TlabRefill,
                    Protect,
                    Unprotect,
                    CallBegin,
                    CallEnd,
                    CallDrop,
                    ReloadBegin,
                    ReloadSwap,
                    ReloadFail,
                ],
                IN_SLICES,
            ],
            &[&[CallBegin]],
        ),
        (
            "E-7: a task runs a call or a future, not both",
            &[&[CallBegin, CallEnd, CallDrop]],
            &[&[Complete, Fail]],
        ),
        (
            "E-7: a task runs a call or a future, not both",
            &[&[Complete, Fail]],
            &[&[CallEnd, CallDrop]],
        ),
        (
            "I-17: an ended call does nothing and cannot be cancelled",
            &[&[CallEnd]],
            &[
                &[Spawn, Await, BarrierHit, TlabRefill, CallEnd, Cancel],
                IN_SLICES,
            ],
        ),
        (
            "I-8: the host protects results of ended calls",
            &[&[Protect, Unprotect]],
            &[&[Spawn, Await, CallEnd, Cancel], IN_SLICES],
        ),
        (
            "I-8: the host protects results of ended calls",
            &[&[Await, CallBegin, Cancel], IN_SLICES],
            &[&[Protect, Unprotect]],
        ),
        (
            "I-8: a protect comes before its undoing",
            &[&[Spawn, CallEnd]],
            &[&[Unprotect]],
        ),
        (
            "E-8: dropping a running call cancels it at once, an ended one is gone",
            &[&[CallDrop]],
            &[
                &[
                    Spawn, Await, BarrierHit, TlabRefill, Protect, CallDrop, CallEnd,
                ],
                IN_SLICES,
            ],
        ),
        (
            "semantics.md C4: a catch follows its throw",
            &[&[
                Spawn,
                Await,
                Cancel,
                Minor,
                Major,
                Promote,
                BarrierHit,
                TlabRefill,
                ReloadBegin,
                ReloadSwap,
                ReloadFail,
                Fork,
                ForkDrop,
                CallBegin,
                Catch,
                Interrupt,
                ChannelSend,
                ChannelReceive,
                StreamNext,
                GuardAcquire,
            ]],
            &[&[Catch]],
        ),
        (
            "semantics.md C2: a time that is over throws at once",
            &[&[Deadline]],
            &[
                &[
                    Spawn,
                    Await,
                    Complete,
                    Fail,
                    Cancel,
                    Deadline,
                    Interrupt,
                    Minor,
                    Major,
                    Promote,
                    BarrierHit,
                    TlabRefill,
                    ReloadBegin,
                    ReloadSwap,
                    ReloadFail,
                    Fork,
                    ForkDrop,
                    CallEnd,
                    CallDrop,
                    Catch,
                ],
                USES,
            ],
        ),
        (
            "semantics.md A2: a collection takes the buffers, and a task begins without one: what \
             interrupts it is allocated first",
            &[&[Minor, Major, Promote, CallBegin]],
            &[&[Deadline, Interrupt]],
        ),
        (
            "semantics.md A2: a task begins without a buffer, and its arguments are allocated first",
            &[&[CallBegin]],
            &[&[Spawn]],
        ),
        (
            "semantics.md C3: the root of a run handles its interrupts",
            &[&[Interrupt]],
            &[&[Complete, Fail]],
        ),
        (
            "I-9: a guard is released when its frame is left",
            &[&[GuardAcquire]],
            &[&[Complete, Fail, CallEnd]],
        ),
        (
            "I-9: a guard is released by the task that took it",
            &[&[CallBegin]],
            &[&[GuardRelease]],
        ),
        (
            "semantics.md B2: a wait of a cancelled task is cancelled again",
            &[&[Cancel]],
            &[&[GuardAcquire]],
        ),
        (
            "E-11: one top level runs at a time, and one step makes its version current",
            &[&[ReloadBegin]],
            &[&[ReloadBegin]],
        ),
        (
            "E-11: one top level runs at a time, and one step makes its version current",
            &[&[ReloadSwap]],
            &[&[ReloadSwap]],
        ),
    ]
};

/// The pairs that cannot happen, each with the rule that forbids it.
pub fn infeasible() -> Vec<(EventKind, EventKind, &'static str)> {
    let all = EventKind::ALL
        .iter()
        .flat_map(|&first| EventKind::ALL.iter().map(move |&second| (first, second)));
    all.filter_map(|(first, second)| {
        forbidding_rule(first, second).map(|rule| (first, second, rule))
    })
    .collect()
}

/// The rule that forbids `second` right after `first`, if one does.
pub fn forbidding_rule(first: EventKind, second: EventKind) -> Option<&'static str> {
    let has = |kinds: Kinds, kind| kinds.iter().any(|list| list.contains(&kind));
    RULES
        .iter()
        .find(|(_, firsts, seconds)| has(firsts, first) && has(seconds, second))
        .map(|rule| rule.0)
}
