//! The engine's seeded bugs, as the harness sees them.

use gcrucible_platform::seeded_bugs::{self, Bug, BugKind};
use gcrucible_subject::{BugInfo, BugPlace, Bugs};

/// The bug whose patch this executable was built with, if it was with one.
pub(crate) const PATCH: Option<&str> = option_env!("GCRUCIBLE_PATCH");

/// Whether this executable has the switch of a bug.
pub(crate) fn is_here(bug: Bug) -> bool {
    let is_patched_in = bug.kind() != BugKind::Patch || PATCH == Some(bug.id());
    seeded_bugs::COMPILED_IN && is_patched_in
}

/// The switches of the engine.
pub(crate) struct EngineBugs;

impl Bugs for EngineBugs {
    fn are_compiled_in(&self) -> bool {
        seeded_bugs::COMPILED_IN
    }

    fn all(&self) -> Vec<BugInfo> {
        let info = |bug: &Bug| BugInfo {
            id: bug.id(),
            place: match bug.kind() {
                BugKind::Simulation | BugKind::Patch => BugPlace::Simulation,
                BugKind::Threads => BugPlace::Threads,
            },
            breaks: bug.breaks(),
            what: bug.what(),
        };
        Bug::ALL.iter().map(info).collect()
    }

    fn activate(&self, id: Option<&str>) {
        let bug = id.map(|id| match Bug::named(id).as_slice() {
            [bug] => *bug,
            _ => panic!("`{id}` is not the id of one seeded bug"),
        });
        assert!(
            bug.is_none_or(is_here),
            "this executable has not the switch of {id:?}"
        );
        seeded_bugs::activate(bug);
    }

    fn counts(&self) -> (u64, u64) {
        seeded_bugs::counts()
    }
}
