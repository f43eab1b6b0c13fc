//! Seeded bugs: defects that a subject has built in, each behind a switch.

/// Where a seeded bug shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BugPlace {
    /// In scenarios.
    Simulation,
    /// On real threads alone.
    Threads,
}

/// One seeded bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BugInfo {
    /// Its id, such as `B-03`.
    pub id: &'static str,
    /// Where it shows.
    pub place: BugPlace,
    /// The invariant that it breaks.
    pub breaks: &'static str,
    /// What is wrong, in a sentence.
    pub what: &'static str,
}

/// The switches of the seeded bugs in this process.
pub trait Bugs: Send + Sync {
    /// Whether this build has the switches.
    fn are_compiled_in(&self) -> bool;

    /// All bugs, whether or not their switches are compiled in.
    fn all(&self) -> Vec<BugInfo>;

    /// Turns one on, or all off.
    ///
    /// # Panics
    /// If there is no such bug.
    fn activate(&self, id: Option<&str>);

    /// Visits of the line of the bug that is on, and those that made a difference.
    fn counts(&self) -> (u64, u64);
}

/// No seeded bugs.
#[derive(Clone, Copy, Debug)]
pub struct NoBugs;

impl Bugs for NoBugs {
    fn are_compiled_in(&self) -> bool {
        false
    }

    fn all(&self) -> Vec<BugInfo> {
        Vec::new()
    }

    fn activate(&self, id: Option<&str>) {
        assert!(id.is_none(), "there are no seeded bugs");
    }

    fn counts(&self) -> (u64, u64) {
        (0, 0)
    }
}
