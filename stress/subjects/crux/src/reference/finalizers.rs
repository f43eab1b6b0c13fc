//! Finalizers: what is registered, what collections have queued, what runs.

use std::collections::VecDeque;

use gcrucible_bytecode::{ErrorKind, ValueKind};

use super::model::Model;
use super::task::Task;
use super::value::{Object, ObjectId, Value};

/// The finalizers that have not begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Finalizers {
    registered_ever: u64,
    /// In order of registration.
    pub(super) registered: Vec<Finalizer>,
    pub(super) queue: VecDeque<Finalizer>,
}

/// One registration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finalizer {
    pub(super) number: u64,
    pub(super) object: ObjectId,
    pub(super) function: Value,
    /// The version that registered it, and runs it.
    pub(super) version: usize,
}

impl Model<'_> {
    /// `finalizer(object, function)`.
    pub(super) fn add_finalizer(
        &mut self,
        object: Value,
        function: Value,
    ) -> Result<(), ErrorKind> {
        let object = match object {
            Value::Object(id)
                if matches!(
                    self.store.get(id),
                    Object::Array(_) | Object::Map(_) | Object::Instance(..)
                ) =>
            {
                id
            }
            _ => return Err(ErrorKind::TypeError),
        };
        if self.kind_of(function) != Some(ValueKind::Function) {
            return Err(ErrorKind::TypeError);
        }
        let finalizers = &mut self.finalizers;
        finalizers.registered_ever += 1;
        finalizers.registered.push(Finalizer {
            number: finalizers.registered_ever,
            object,
            function,
            version: self.in_place,
        });
        Ok(())
    }

    /// A collection has queued the finalizers of these numbers.
    ///
    /// # Errors
    /// What is wrong with that: one is not registered (any more), comes before its turn, or
    /// something strong leads to its object.
    pub fn queue_finalizers(&mut self, queued: &[u64]) -> Result<(), String> {
        if queued.is_empty() {
            return Ok(());
        }
        if !queued.is_sorted() {
            return Err(format!(
                "{queued:?} were queued in another order than registered"
            ));
        }
        let reached = self.strongly_reachable();
        for &number in queued {
            let all = &mut self.finalizers.registered;
            let Some(at) = all.iter().position(|known| known.number == number) else {
                return Err(format!(
                    "finalizer {number} was queued, but not registered (any more)"
                ));
            };
            if reached[all[at].object.index()] {
                return Err(format!(
                    "finalizer {number} was queued, but its object is reachable"
                ));
            }
            let finalizer = all.remove(at);
            self.finalizers.queue.push_back(finalizer);
        }
        Ok(())
    }

    /// The finalizer that must run next.
    pub fn next_finalizer(&self) -> Option<u64> {
        let first = self.finalizers.queue.front();
        first.map(|finalizer| finalizer.number)
    }

    /// Whether a finalizer of a version is in the queue.
    pub(super) fn has_queued_finalizer_of(&self, version: usize) -> bool {
        let mut queue = self.finalizers.queue.iter();
        queue.any(|finalizer| finalizer.version == version)
    }

    /// The task that runs the first finalizer of the queue, if it has that number.
    pub(super) fn start_finalizer(&mut self, number: u64) -> Task {
        let first = self.finalizers.queue.front();
        if first.is_none_or(|first| first.number != number) {
            return Task::default();
        }
        let Some(finalizer) = self.finalizers.queue.pop_front() else {
            return Task::default();
        };
        let argument = Value::Object(finalizer.object);
        self.put_in_place(finalizer.version);
        match self.frame_of(finalizer.function, &[argument]) {
            Ok(frame) => Task::of(frame),
            Err(kind) => Task {
                refused: Some((kind, self.refusal(kind, finalizer.function, 1))),
                ..Task::default()
            },
        }
    }
}
