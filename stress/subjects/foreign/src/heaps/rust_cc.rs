//! The crate `rust-cc`: counted references with a collector of cycles, weak references, finalizers.

use std::cell::RefCell;

use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};
use rust_cc::weak::Weak;
use rust_cc::{Cc, Context, Finalize, Trace};

pub(crate) struct Heap;

pub(crate) struct Inhabitant {
    probe: Probe,
    fields: RefCell<Vec<Option<Cc<Inhabitant>>>>,
    weak: RefCell<Option<Weak<Inhabitant>>>,
}

// SAFETY: all strong references are traced, each once; the destructor moves none of them.
unsafe impl Trace for Inhabitant {
    fn trace(&self, context: &mut Context<'_>) {
        self.fields.trace(context);
    }
}

impl Finalize for Inhabitant {
    fn finalize(&self) {
        self.probe.finalizing::<Heap>(self);
    }
}

impl Inside<Heap> for Inhabitant {
    fn look(&self, field: usize) -> Option<Look> {
        let fields = self.fields.try_borrow().ok()?;
        fields.get(field)?.as_ref().map(|node| node.probe.look())
    }

    fn take(&self, field: usize) -> Option<Cc<Self>> {
        self.fields.try_borrow().ok()?.get(field)?.clone()
    }
}

impl HeapSubject for Heap {
    const NAME: &'static str = "rust-cc";
    const CAPS: Caps = Caps::CYCLES
        .and(Caps::WEAK)
        .and(Caps::WEAK_FIELDS)
        .and(Caps::FINALIZERS)
        .and(Caps::PROMPT);

    type Ref = Cc<Inhabitant>;
    type Weak = Weak<Inhabitant>;

    fn new(_knobs: &Knobs) -> Self {
        Heap
    }

    fn alloc(&self, node: Node) -> Result<Self::Ref, NoMemory> {
        Ok(Cc::new(Inhabitant {
            probe: node.probe,
            fields: RefCell::new((0..node.fields).map(|_| None).collect()),
            weak: RefCell::new(None),
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
        Cc::ptr_eq(one, other)
    }

    fn clone_root(&self, root: &Self::Ref) -> Self::Ref {
        root.clone()
    }

    fn collect(&self, _how: Collect) {
        rust_cc::collect_cycles();
    }

    fn downgrade(&self, root: &Self::Ref) -> Self::Weak {
        root.downgrade()
    }

    fn upgrade(&self, weak: &Self::Weak) -> Option<Self::Ref> {
        weak.upgrade()
    }

    fn clone_weak(&self, weak: &Self::Weak) -> Self::Weak {
        weak.clone()
    }

    fn set_weak(&self, at: &Self::Ref, to: Option<&Self::Weak>) {
        let before = at.weak.replace(to.cloned());
        drop(before);
    }

    fn get_weak(&self, at: &Self::Ref) -> Option<Self::Weak> {
        at.weak.borrow().clone()
    }
}
