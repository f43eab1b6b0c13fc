//! Roots that an operation has in its own variables.

use std::cell::RefCell;

use super::Run;
use crate::model::Id;
use crate::subject::HeapSubject;

/// The nodes whose roots are variables of an operation under way. If that unwinds, because a
/// finalizer has panicked, the roots go with it, and the model counts them no more.
pub(super) struct Held<'r, H: HeapSubject> {
    run: &'r Run<H>,
    nodes: RefCell<Vec<Id>>,
}

impl<'r, H: HeapSubject> Held<'r, H> {
    pub(super) fn new(run: &'r Run<H>) -> Self {
        Held {
            run,
            nodes: RefCell::default(),
        }
    }

    pub(super) fn add(&self, id: Id) {
        self.nodes.borrow_mut().push(id);
    }

    /// Its root has gone, or is somewhere else.
    pub(super) fn forget(&self, id: Id) {
        self.nodes.borrow_mut().retain(|&held| held != id);
    }

    /// All have.
    pub(super) fn forget_all(&self) {
        self.nodes.borrow_mut().clear();
    }
}

impl<H: HeapSubject> Drop for Held<'_, H> {
    fn drop(&mut self) {
        for id in self.nodes.take() {
            self.run.model.borrow_mut().node_mut(id).rooted -= 1;
        }
    }
}
