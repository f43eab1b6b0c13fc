//! The oracles, for lists.

use gcrucible_subject::OracleInfo;

/// The oracles of the engine's lanes, with what each claims.
pub(super) static ORACLES: &[OracleInfo] = &[
    OracleInfo {
        name: "heap_is_sound",
        claim: "the verifier finds every object, reference, card and handle in order",
    },
    OracleInfo {
        name: "no_stale_reference",
        claim: "no checked access meets a dead, moved or reused object",
    },
    OracleInfo {
        name: "matches_reference",
        claim: "results and graphs are those of the reference model",
    },
    OracleInfo {
        name: "futures_settle_once",
        claim: "a future leaves pending once, and every waiter sees the same",
    },
    OracleInfo {
        name: "weak_clears_with_target",
        claim: "a collection clears the weak references to what it frees, and no others",
    },
    OracleInfo {
        name: "finalizers_run_once",
        claim: "a collection queues the finalizers of what it would free, each once and in order",
    },
    OracleInfo {
        name: "survivors_grow_old",
        claim: "what survived two collections is old, unless promotion was turned off",
    },
    OracleInfo {
        name: "memory_runs_out_with_reason",
        claim: "an allocation fails only at the heap's limit or where the scenario says so",
    },
    OracleInfo {
        name: "nothing_leaks",
        claim: "at rest, futures, handles, calls and waiters are back at their baseline",
    },
    OracleInfo {
        name: "clients_stop_when_cancelled",
        claim: "a client that is called in a cancelled task attempts nothing and counts no turn",
    },
    OracleInfo {
        name: "forks_share_nothing",
        claim: "a fork leads to nothing of its template that can change, and to no stream",
    },
    OracleInfo {
        name: "entry_slot_is_protected_once",
        claim: "protected objects by kind are what the entry slot, preloads and the host hold",
    },
    OracleInfo {
        name: "requests_end_with_their_calls",
        claim: "a request has its place and its name until its call ends, and its client's end cancels",
    },
    OracleInfo {
        name: "program_holds",
        claim: "a person's own program ends without an uncaught error (--program)",
    },
    OracleInfo {
        name: "progress_is_made",
        claim: "whoever can run does, and nothing waits for ever without a reason",
    },
    OracleInfo {
        name: "no_crash",
        claim: "the engine does not panic, crash, hang or eat memory",
    },
];
