//! The crate `bacon_rajan_cc`: counted references with trial deletion, weak references.

use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

/// A heap of one version of the crate.
macro_rules! heap {
    ($module:ident, $krate:ident, $name:literal, $trace:item) => {
        pub(crate) mod $module {
            use std::cell::RefCell;

            use $krate::{Cc, Trace, Weak};

            use super::*;

            pub(crate) struct Heap;

            pub(crate) struct Inhabitant {
                probe: Probe,
                pub(super) fields: RefCell<Vec<Option<Cc<Inhabitant>>>>,
                weak: RefCell<Option<Weak<Inhabitant>>>,
            }

            $trace

            impl Inside<Heap> for Inhabitant {
                fn look(&self, field: usize) -> Option<Look> {
                    let fields = self.fields.try_borrow().ok()?;
                    fields.get(field)?.as_ref().map(|node| node.probe.look())
                }
            }

            impl HeapSubject for Heap {
                const NAME: &'static str = $name;
                const CAPS: Caps = Caps::CYCLES.and(Caps::WEAK).and(Caps::WEAK_FIELDS);

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
                    let before =
                        std::mem::replace(&mut at.fields.borrow_mut()[field], to.cloned());
                    drop(before);
                }

                fn same(&self, one: &Self::Ref, other: &Self::Ref) -> bool {
                    std::ptr::eq(&one.probe, &other.probe)
                }

                fn clone_root(&self, root: &Self::Ref) -> Self::Ref {
                    root.clone()
                }

                fn collect(&self, _how: Collect) {
                    $krate::collect_cycles();
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
        }
    };
}

#[cfg(feature = "bad")]
heap!(first, bacon_first, "bacon-rajan-9", impl Trace for Inhabitant {
    fn trace(&mut self, tracer: &mut bacon_first::Tracer) {
        self.fields.trace(tracer);
    }
});
#[cfg(feature = "good")]
heap!(first, bacon_first, "bacon-rajan-9", impl Trace for Inhabitant {
    fn trace(&self, tracer: &mut bacon_first::Tracer) {
        self.fields.trace(tracer);
    }
});
#[cfg(feature = "bad")]
heap!(second, bacon_second, "bacon-rajan-31", impl Trace for Inhabitant {
    fn trace(&self, tracer: &mut bacon_second::Tracer) {
        self.fields.trace(tracer);
    }
});
#[cfg(feature = "good")]
heap!(second, bacon_first, "bacon-rajan-31", impl Trace for Inhabitant {
    fn trace(&self, tracer: &mut bacon_first::Tracer) {
        self.fields.trace(tracer);
    }
});

pub(crate) use first::Heap as First;
pub(crate) use second::Heap as Second;
