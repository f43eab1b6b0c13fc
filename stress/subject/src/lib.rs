//! What can be tested: one trait, [`Subject`].
//!
//! A subject says what a scenario is, how it runs, what is judged, and how it becomes smaller.
//! The rest of the harness does everything else for all subjects alike: campaigns in worker
//! processes, crashes as findings, resume, shards, merging, deduplication, shrinking, replay,
//! timelines, summaries, vacuity. The stages see a subject as [`AnySubject`] and its scenarios as
//! [`Case`]s, which hide their types; both are there for every [`Subject`].

mod any;
mod bugs;
mod build;
mod subject;
mod subjects;

pub use any::{AnySubject, Case, RunText, ShrunkCase};
pub use bugs::{BugInfo, BugPlace, Bugs, NoBugs};
pub use build::Build;
pub use subject::{Aim, Expectation, Mix, OracleInfo, Subject, Variant};
pub use subjects::Subjects;
