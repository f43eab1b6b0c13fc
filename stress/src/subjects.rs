//! What this command can test.

use std::sync::LazyLock;

use gcrucible_heap_subject::HeapLane;
use gcrucible_own_heap_subject::OwnHeap;
use gcrucible_platform::seeded_bugs;
use gcrucible_scenario::Lane;
use gcrucible_subject::{AnySubject, Build, Subjects};

use super::engine_bugs::EngineBugs;

/// The engine's heap as a heap of somebody else's would be tested, after the toy.
static OWN_HEAP: HeapLane<OwnHeap> = gcrucible_own_heap_subject::lane(Lane::EXTRA + 1);

static LIST: LazyLock<Vec<&'static dyn AnySubject>> = LazyLock::new(|| {
    let mut list = gcrucible_crux_subjects::SUBJECTS.to_vec();
    list.push(&gcrucible_toy_subject::Toy);
    list.push(&OWN_HEAP);
    list
});

static BUILD: LazyLock<Build> = LazyLock::new(|| Build {
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("GCRUCIBLE_COMMIT").unwrap_or(""),
    features: if seeded_bugs::COMPILED_IN {
        vec!["seeded-bugs".to_owned()]
    } else {
        Vec::new()
    },
});

/// The subjects of this command: the engine's lanes, the toy that is the example, and the engine's heap
/// as a heap of its own.
pub fn subjects() -> Subjects {
    Subjects::new(&LIST, &EngineBugs, &BUILD)
}
