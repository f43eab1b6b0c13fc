//! Handles of heap programs.

use gcrucible_heap::{Checks, Holder, SharedPermit, Value};

use super::model::{Object, Value as ModelValue};
use super::{Run, Stop};
use gcrucible_trace::{EventKind, Failure};

impl<C: Checks> Run<'_, C> {
    pub(super) fn protect<'p>(
        &mut self,
        permit: &'p SharedPermit<'_>,
        value: Value<'p>,
        model: ModelValue,
    ) {
        if self.model.object(model).is_some() {
            self.handles.push(permit.protect(value));
            self.model.handles.push(model);
            self.event(model, EventKind::Protect);
        }
    }

    pub(super) fn unprotect(&mut self, nth: u8) -> Result<(), Failure> {
        if self.handles.is_empty() {
            return Ok(());
        }
        let at = usize::from(nth) % self.handles.len();
        self.heap.unprotect(self.handles.remove(at));
        let model = self.model.handles.remove(at);
        self.event(model, EventKind::Unprotect);
        Ok(())
    }

    /// Protect counts by kind are those of the model (I-8).
    pub(super) fn check_protected(&mut self) -> Result<(), Failure> {
        if self.handles.is_empty() {
            return Ok(());
        }
        let mut expected = std::collections::BTreeMap::new();
        for &model in &self.model.handles {
            let name = self.model.object(model).map_or("value", Object::name);
            *expected.entry(name).or_insert(0u64) += 1;
        }
        let found = self.heap.stats().protected_by_kind;
        if found == expected {
            return Ok(());
        }
        let message = format!("protected {found:?}, and it should be {expected:?}");
        Err(self.failure("nothing_leaks", "I-8", "handles", message))
    }

    pub(super) fn reprotect<'p>(
        &mut self,
        permit: &'p SharedPermit<'_>,
        nth: u8,
        value: Value<'p>,
        model: ModelValue,
    ) {
        if self.handles.is_empty() || self.model.object(model).is_none() {
            return;
        }
        let at = usize::from(nth) % self.handles.len();
        let old = self.handles.remove(at);
        self.handles.push(permit.reprotect(old, value));
        let before = self.model.handles.remove(at);
        self.model.handles.push(model);
        self.event(model, EventKind::Protect);
        self.event(before, EventKind::Unprotect);
    }

    pub(super) fn protect_copy(
        &mut self,
        permit: &SharedPermit<'_>,
        holder: &Holder,
        nth: u8,
    ) -> Result<(), Stop> {
        if self.handles.is_empty() {
            return Ok(());
        }
        let at = usize::from(nth) % self.handles.len();
        let handle = permit.protect_copy::<C>(&self.handles[at], holder.tlab())?;
        self.handles.push(handle);
        let copy = self.model.deep_copy(self.model.handles[at]);
        self.model.handles.push(copy);
        self.event(copy, EventKind::Protect);
        Ok(())
    }
}
