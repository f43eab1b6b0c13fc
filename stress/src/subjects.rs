//! What this command can test.

use std::sync::LazyLock;

use gcrucible_platform::seeded_bugs;
use gcrucible_subject::{AnySubject, Build, Subjects};

use super::engine_bugs::EngineBugs;

static LIST: LazyLock<Vec<&'static dyn AnySubject>> = LazyLock::new(|| {
    let mut list = gcrucible_crux_subjects::SUBJECTS.to_vec();
    list.push(&gcrucible_toy_subject::Toy);
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

/// The subjects of this command: the engine's lanes, and the toy that is the example.
pub fn subjects() -> Subjects {
    Subjects::new(&LIST, &EngineBugs, &BUILD)
}
