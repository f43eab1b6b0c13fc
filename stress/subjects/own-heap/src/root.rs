//! Roots of the host.

use std::sync::Arc;

use gcrucible_heap::{Handle, Heap};

/// A handle that is given back when it drops, on whatever thread.
#[derive(Debug)]
pub struct Root {
    heap: Arc<Heap>,
    /// There until the drop.
    handle: Option<Handle>,
}

impl Root {
    pub(crate) fn new(heap: &Arc<Heap>, handle: Handle) -> Root {
        Root {
            heap: Arc::clone(heap),
            handle: Some(handle),
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.heap.unprotect(handle);
        }
    }
}
