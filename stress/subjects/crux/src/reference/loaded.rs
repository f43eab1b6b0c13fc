//! Versions of the program, as they are loaded: what each has for itself.
//!
//! A task runs on the version it began with. That of the task which runs is in place; the
//! others are put aside.

use gcrucible_bytecode::Program;

use super::clients::Clients;
use super::library::Library;
use super::model::Model;
use super::value::{ObjectId, Value};
use crate::executor::trace::TaskId;

/// A version of the program with its globals.
#[derive(Clone, Debug)]
pub(super) struct Loaded<'p> {
    pub(super) program: &'p Program,
    pub(super) clients: Clients,
    pub(super) library: Library,
    pub(super) globals: Vec<Value>,
    /// Of each module whether it is initialised.
    pub(super) frozen: Vec<bool>,
    /// Strings among the constants, made when first loaded.
    pub(super) constants: Vec<Option<Value>>,
    /// Closures of functions without captures, made when first loaded.
    pub(super) functions: Vec<Option<ObjectId>>,
    /// Enum values without payload, made when first loaded.
    pub(super) variants: Vec<Option<ObjectId>>,
}

impl<'p> Loaded<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self {
            program,
            clients: Clients::of(program),
            library: Library::of(program),
            globals: vec![Value::Nil; program.globals.len()],
            frozen: vec![false; program.modules.len()],
            constants: vec![None; program.constants.len()],
            functions: vec![None; program.functions.len()],
            variants: vec![None; program.variants.len()],
        }
    }

    /// The same, of which nobody is to keep what the library pledges.
    pub(super) fn without_pledges(mut self) -> Self {
        self.clients.forget();
        self.library.forget();
        self
    }
}

impl<'p> Model<'p> {
    /// Loads another version beside those that are there; its place among them.
    pub fn load(&mut self, program: &'p Program) -> usize {
        self.aside.push(Some(Loaded::new(program)));
        self.aside.len() - 1
    }

    /// Puts a version in place: that of a task which runs, or is made.
    pub fn put_in_place(&mut self, version: usize) {
        if version == self.in_place {
            return;
        }
        let next = self.aside[version].take();
        let next = next.expect("a version that is not in place is aside");
        let last = std::mem::replace(&mut self.loaded, next);
        self.aside[self.in_place] = Some(last);
        self.in_place = version;
    }

    /// A version, wherever it is.
    pub(super) fn loaded(&self, version: usize) -> &Loaded<'p> {
        self.aside
            .get(version)
            .and_then(Option::as_ref)
            .unwrap_or(&self.loaded)
    }

    /// The program of a task.
    pub fn program_of(&self, task: TaskId) -> &'p Program {
        let version = self.task(task).map_or(self.in_place, |task| task.version);
        self.loaded(version).program
    }

    /// Whether something keeps a version alive besides the host: a task that runs on it, or a
    /// finalizer whose turn has come. Those that are registered do so with their objects.
    pub fn is_running(&self, version: usize) -> bool {
        self.tasks()
            .any(|task| task.version == version && !task.is_over)
            || self.has_queued_finalizer_of(version)
    }

    /// The host holds a version no longer, or again.
    pub fn set_held(&mut self, version: usize, is_held: bool) {
        if self.held.len() <= version {
            self.held.resize(version + 1, false);
        }
        self.held[version] = is_held;
    }

    /// The versions whose globals are roots.
    pub(super) fn live(&self) -> impl Iterator<Item = &Loaded<'p>> {
        let is_held = |version: usize| self.held.get(version).copied().unwrap_or(version == 0);
        let all = 0..self.aside.len();
        all.filter(move |&version| is_held(version) || self.is_running(version))
            .map(|version| self.loaded(version))
    }
}
