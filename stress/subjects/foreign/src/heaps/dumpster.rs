//! The crate `dumpster`, its collector for one thread: counted references with a collector of cycles.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dumpster::unsync::Gc;
use dumpster::{Collectable, Visitor};
use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

pub(crate) struct Heap;

pub(crate) struct Inhabitant {
    probe: Probe,
    fields: RefCell<Vec<Option<Gc<Inhabitant>>>>,
}

// SAFETY: each reference that the node holds is shown to the visitor, once.
unsafe impl Collectable for Inhabitant {
    fn accept<V: Visitor>(&self, visitor: &mut V) -> Result<(), ()> {
        self.fields.accept(visitor)
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        self.probe.dropping::<Heap>(self);
    }
}

impl Inside<Heap> for Inhabitant {
    fn look(&self, field: usize) -> Option<Look> {
        let fields = self.fields.try_borrow().ok()?;
        let node = fields.get(field)?.as_ref()?;
        // The crate may refuse by a panic.
        catch_unwind(AssertUnwindSafe(|| node.probe.look())).ok()
    }
}

impl HeapSubject for Heap {
    const NAME: &'static str = "dumpster";
    const CAPS: Caps = Caps::CYCLES.and(Caps::DROP_LOOKS).and(Caps::PROMPT);

    // The order in which a cycle is dropped comes from a hash table with a seed of its own.
    const RUNS: u32 = 8;

    type Ref = Gc<Inhabitant>;
    type Weak = ();

    fn new(_knobs: &Knobs) -> Self {
        Heap
    }

    fn alloc(&self, node: Node) -> Result<Self::Ref, NoMemory> {
        Ok(Gc::new(Inhabitant {
            probe: node.probe,
            fields: RefCell::new((0..node.fields).map(|_| None).collect()),
        }))
    }

    fn look(&self, at: &Self::Ref) -> Look {
        at.probe.look()
    }

    fn get(&self, at: &Self::Ref, field: usize) -> Option<Self::Ref> {
        at.fields.borrow()[field].clone()
    }

    fn set(&self, at: &Self::Ref, field: usize, to: Option<&Self::Ref>) {
        let before = std::mem::replace(&mut at.fields.borrow_mut()[field], to.cloned());
        drop(before);
    }

    fn same(&self, one: &Self::Ref, other: &Self::Ref) -> bool {
        std::ptr::eq(&one.probe, &other.probe)
    }

    fn clone_root(&self, root: &Self::Ref) -> Self::Ref {
        root.clone()
    }

    fn collect(&self, _how: Collect) {
        dumpster::unsync::collect();
    }
}
