//! A node whose finalizer runs.

use gcrucible_heap::Value;
use gcrucible_heap_subject::{Inside, Look};

use super::{FIRST, KEY, OwnHeap, Root, Shared};

/// A node while its finalizer runs, which is given the node as a root.
pub(crate) struct Dying<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) node: Root,
}

impl Dying<'_> {
    /// The node in a field, as a root.
    fn field(&self, field: usize) -> Option<Root> {
        self.shared.with(|permit, m| {
            let node = permit.protected(self.node.handle());
            let value = m.field(node, FIRST + field as u32)?;
            (!value.is_nil()).then(|| self.shared.root(permit, value))
        })
    }

    /// The node's key.
    pub(crate) fn key(&self) -> Option<u32> {
        self.shared.with(|permit, m| {
            let key = m.field(permit.protected(self.node.handle()), KEY);
            key.and_then(Value::as_small_int)
                .and_then(|key| u32::try_from(key).ok())
        })
    }
}

impl Inside<OwnHeap> for Dying<'_> {
    fn look(&self, field: usize) -> Option<Look> {
        self.field(field).map(|root| self.shared.look(&root))
    }

    fn take(&self, field: usize) -> Option<Root> {
        self.field(field)
    }
}
