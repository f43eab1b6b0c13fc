//! The subjects of a process.

use std::path::Path;

use gcrucible_scenario::Lane;
use gcrucible_scenario::text::{self, FormatError};
use gcrucible_trace::Refusal;

use super::any::{AnySubject, Case};
use super::bugs::Bugs;
use super::build::Build;

/// The subjects that a command knows, with the build that they are part of.
#[derive(Clone, Copy)]
pub struct Subjects {
    list: &'static [&'static dyn AnySubject],
    bugs: &'static dyn Bugs,
    build: &'static Build,
}

impl Subjects {
    /// These subjects, one lane each. Scenario files that name no subject are of the first one.
    ///
    /// # Panics
    /// Without any subject.
    pub fn new(
        list: &'static [&'static dyn AnySubject],
        bugs: &'static dyn Bugs,
        build: &'static Build,
    ) -> Subjects {
        assert!(!list.is_empty(), "a harness needs something to test");
        Lane::make_known(list.iter().map(|subject| subject.lane()));
        Subjects { list, bugs, build }
    }

    /// All of them.
    pub fn all(&self) -> &'static [&'static dyn AnySubject] {
        self.list
    }

    /// The lanes that campaigns run unless told otherwise, in their order.
    pub fn lanes(&self) -> Vec<Lane> {
        let lanes = self.list.iter().map(|subject| subject.lane());
        let mut lanes: Vec<Lane> = lanes.filter(|lane| lane.is_default()).collect();
        lanes.sort_unstable();
        lanes
    }

    /// The subject of a lane.
    ///
    /// # Panics
    /// If it is none of these.
    pub fn of(&self, lane: Lane) -> &'static dyn AnySubject {
        let found = self.list.iter().find(|subject| subject.lane() == lane);
        *found.expect("lanes come from these subjects")
    }

    /// The seeded bugs.
    pub fn bugs(&self) -> &'static dyn Bugs {
        self.bugs
    }

    /// This build.
    pub fn build(&self) -> &'static Build {
        self.build
    }

    /// Reads a scenario of any of the subjects.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place; a subject that there is not.
    pub fn parse(&self, text: &str) -> Result<Box<dyn Case>, FormatError> {
        let subject = match text::subject_of(text) {
            None => self.list[0],
            Some(name) => {
                let found = self.list.iter().find(|one| one.lane().name() == name);
                *found.ok_or_else(|| {
                    let names: Vec<_> = self.list.iter().map(|one| one.lane().name()).collect();
                    text::at_field(
                        text,
                        "subject",
                        format!(
                            "there is no subject `{name}`; expected {}",
                            names.join(" or ")
                        ),
                    )
                })?
            }
        };
        subject.parse(text)
    }

    /// Reads a scenario file of any of the subjects.
    ///
    /// # Errors
    /// `file:line:column: what is wrong`, or why the file cannot be read.
    pub fn read(&self, path: &Path) -> Result<Box<dyn Case>, Refusal> {
        let text = text::read(path)?;
        Ok(self.parse(&text).map_err(|error| error.in_file(path))?)
    }
}

impl std::fmt::Debug for Subjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lanes()).finish()
    }
}
