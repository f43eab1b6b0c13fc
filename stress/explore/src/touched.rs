//! What a step touched: which steps commute, and which do not.
//!
//! Two steps of different actors are *dependent* if one of them writes what the other reads
//! or writes; two schedules that differ in the order of independent neighbours alone lead to
//! the same state, and a search needs to look at one of them (Mazurkiewicz; Godefroid:
//! "Partial-Order Methods for the Verification of Concurrent Systems", 1996).

/// Something that steps read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Everything: all steps read it, and a step that may depend on all others writes it.
    World,
    /// A task's cancellation, readiness and beginning. Its own steps read it.
    Task(u32),
    /// Anything else, by the subject's own numbers: of which sort it is, and which one.
    Of {
        /// The sort of thing.
        space: u8,
        /// Which one of the sort.
        id: u64,
    },
}

/// What one step touched, and how it left its actor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// What it looked at, besides [`Resource::World`].
    pub reads: Vec<Resource>,
    /// What it changed.
    pub writes: Vec<Resource>,
    /// What the actor does next concerns its own registers and frames alone, as long as
    /// nobody cancels it and nothing is collected.
    pub is_local_next: bool,
    /// The actor lets others go first.
    pub yields: bool,
    /// Tasks whose purely local steps it concerns all the same: they were cancelled.
    pub disturbed: Vec<u32>,
    /// It collected, which concerns everybody's local steps.
    pub disturbs_all: bool,
}

impl Touched {
    /// A step that may depend on all others.
    pub fn everything() -> Touched {
        Touched {
            writes: vec![Resource::World],
            ..Touched::default()
        }
    }

    /// It looked at this.
    pub fn read(&mut self, resource: impl Into<Resource>) {
        self.reads.push(resource.into());
    }

    /// It changed this.
    pub fn write(&mut self, resource: impl Into<Resource>) {
        self.writes.push(resource.into());
    }
}
