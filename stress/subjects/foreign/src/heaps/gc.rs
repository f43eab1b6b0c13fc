//! The crate `gc`: mark and sweep, one heap for each thread, finalizers.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the crate's macro for tracing is older than that rule"
)]

use gc::{Finalize, Gc, GcCell, Trace, custom_trace};
use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

/// The heap, with finalizers that make dying nodes reachable again or without.
pub(crate) struct Heap<const RESURRECTS: bool>;

pub(crate) struct Inhabitant<const RESURRECTS: bool> {
    probe: Probe,
    fields: GcCell<Vec<Option<Gc<Inhabitant<RESURRECTS>>>>>,
}

impl<const RESURRECTS: bool> Finalize for Inhabitant<RESURRECTS> {
    fn finalize(&self) {
        self.probe.finalizing::<Heap<RESURRECTS>>(self);
    }
}

// SAFETY: the probe holds no reference into the heap, and the fields are traced.
unsafe impl<const RESURRECTS: bool> Trace for Inhabitant<RESURRECTS> {
    custom_trace!(this, {
        mark(&this.fields);
    });
}

impl<const RESURRECTS: bool> Inside<Heap<RESURRECTS>> for Inhabitant<RESURRECTS> {
    fn look(&self, field: usize) -> Option<Look> {
        let fields = self.fields.try_borrow().ok()?;
        fields.get(field)?.as_ref().map(|node| node.probe.look())
    }

    fn take(&self, field: usize) -> Option<Gc<Self>> {
        self.fields.try_borrow().ok()?.get(field)?.clone()
    }
}

impl<const RESURRECTS: bool> HeapSubject for Heap<RESURRECTS> {
    const NAME: &'static str = if RESURRECTS {
        "gc-resurrecting"
    } else {
        "gc-plain"
    };
    const CAPS: Caps = {
        let caps = Caps::CYCLES.and(Caps::FINALIZERS).and(Caps::ARRAYS);
        if RESURRECTS {
            caps.and(Caps::RESURRECTION)
        } else {
            caps.and(Caps::PROMPT)
        }
    };
    const FIELDS_MAX: usize = 64;

    type Ref = Gc<Inhabitant<RESURRECTS>>;
    type Weak = ();

    fn new(_knobs: &Knobs) -> Self {
        Heap
    }

    fn alloc(&self, node: Node) -> Result<Self::Ref, NoMemory> {
        Ok(Gc::new(Inhabitant {
            probe: node.probe,
            fields: GcCell::new((0..node.fields).map(|_| None).collect()),
        }))
    }

    fn look(&self, at: &Self::Ref) -> Look {
        at.probe.look()
    }

    fn get(&self, at: &Self::Ref, field: usize) -> Option<Self::Ref> {
        at.fields.borrow()[field].clone()
    }

    fn set(&self, at: &Self::Ref, field: usize, to: Option<&Self::Ref>) {
        at.fields.borrow_mut()[field] = to.cloned();
    }

    fn same(&self, one: &Self::Ref, other: &Self::Ref) -> bool {
        Gc::ptr_eq(one, other)
    }

    fn clone_root(&self, root: &Self::Ref) -> Self::Ref {
        root.clone()
    }

    fn collect(&self, _how: Collect) {
        gc::force_collect();
    }
}
