//! Claims that are judged where a run goes through what they are about: in the heap, at each
//! access, at each collection, by whoever watches the process.

use super::Oracle;

/// The heap's verifier.
pub(super) struct HeapIsSound;

impl Oracle for HeapIsSound {
    fn name(&self) -> &'static str {
        "heap_is_sound"
    }

    fn claim(&self) -> &'static str {
        "the verifier finds every object, reference, card and handle in order"
    }
}

/// The heap's checked accesses.
pub(super) struct NoStaleReference;

impl Oracle for NoStaleReference {
    fn name(&self) -> &'static str {
        "no_stale_reference"
    }

    fn claim(&self) -> &'static str {
        "no checked access meets a dead, moved or reused object"
    }
}

/// Heap operations, against their model.
pub(super) struct WeakClearsWithTarget;

impl Oracle for WeakClearsWithTarget {
    fn name(&self) -> &'static str {
        "weak_clears_with_target"
    }

    fn claim(&self) -> &'static str {
        "a collection clears the weak references to what it frees, and no others"
    }
}

/// Heap operations, against their model.
pub(super) struct FinalizersRunOnce;

impl Oracle for FinalizersRunOnce {
    fn name(&self) -> &'static str {
        "finalizers_run_once"
    }

    fn claim(&self) -> &'static str {
        "a collection queues the finalizers of what it would free, each once and in order"
    }
}

/// Heap operations, against their model.
pub(super) struct SurvivorsGrowOld;

impl Oracle for SurvivorsGrowOld {
    fn name(&self) -> &'static str {
        "survivors_grow_old"
    }

    fn claim(&self) -> &'static str {
        "what survived two collections is old, unless promotion was turned off"
    }
}

/// The executor, and the watchdog of a campaign.
pub(super) struct ProgressIsMade;

impl Oracle for ProgressIsMade {
    fn name(&self) -> &'static str {
        "progress_is_made"
    }

    fn claim(&self) -> &'static str {
        "whoever can run does, and nothing waits for ever without a reason"
    }
}

/// Whoever runs the process.
pub(super) struct NoCrash;

impl Oracle for NoCrash {
    fn name(&self) -> &'static str {
        "no_crash"
    }

    fn claim(&self) -> &'static str {
        "the engine does not panic, crash, hang or eat memory"
    }
}
