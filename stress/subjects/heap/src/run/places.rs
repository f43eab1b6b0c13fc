//! Where a program's roots and weak references are.

use std::rc::Rc;

use super::Run;
use crate::model::Id;
use crate::program::{ROOTS, WEAKS};
use crate::subject::HeapSubject;

/// A root. An operation that uses it holds the `Rc` meanwhile; callbacks leave it alone then.
pub(super) struct Root<H: HeapSubject> {
    pub(super) node: Id,
    pub(super) it: Rc<H::Ref>,
}

/// A weak reference.
pub(super) struct WeakRoot<H: HeapSubject> {
    pub(super) node: Id,
    pub(super) it: Rc<H::Weak>,
}

impl<H: HeapSubject> Clone for Root<H> {
    fn clone(&self) -> Self {
        Root {
            node: self.node,
            it: Rc::clone(&self.it),
        }
    }
}

impl<H: HeapSubject> Clone for WeakRoot<H> {
    fn clone(&self) -> Self {
        WeakRoot {
            node: self.node,
            it: Rc::clone(&self.it),
        }
    }
}

/// All places.
pub(super) struct Places<H: HeapSubject> {
    roots: [Option<Root<H>>; ROOTS],
    weaks: [Option<WeakRoot<H>>; WEAKS],
}

impl<H: HeapSubject> Default for Places<H> {
    fn default() -> Self {
        Places {
            roots: [const { None }; ROOTS],
            weaks: [const { None }; WEAKS],
        }
    }
}

impl<H: HeapSubject> Run<H> {
    /// The root at a place.
    pub(super) fn root(&self, place: u8) -> Option<Root<H>> {
        self.places.borrow().roots[usize::from(place) % ROOTS].clone()
    }

    /// The weak reference at a place.
    pub(super) fn weak(&self, place: u8) -> Option<WeakRoot<H>> {
        self.places.borrow().weaks[usize::from(place) % WEAKS].clone()
    }

    /// Whether an operation that is under way uses the root at a place.
    pub(super) fn is_busy(&self, place: u8) -> bool {
        let places = self.places.borrow();
        let root = &places.roots[usize::from(place) % ROOTS];
        root.as_ref()
            .is_some_and(|root| Rc::strong_count(&root.it) > 1)
    }

    /// The same for a weak reference.
    pub(super) fn is_weak_busy(&self, place: u8) -> bool {
        let places = self.places.borrow();
        let weak = &places.weaks[usize::from(place) % WEAKS];
        weak.as_ref()
            .is_some_and(|weak| Rc::strong_count(&weak.it) > 1)
    }

    /// Puts a root, which the model counts already, or nothing; drops what was there.
    pub(super) fn put(&self, place: u8, root: Option<(Id, H::Ref)>) {
        let root = root.map(|(node, it)| Root {
            node,
            it: Rc::new(it),
        });
        let before = {
            let mut places = self.places.borrow_mut();
            std::mem::replace(&mut places.roots[usize::from(place) % ROOTS], root)
        };
        if let Some(before) = before {
            self.unroot(before, |heap, root| heap.unroot(root));
        }
    }

    /// Takes a root away.
    pub(super) fn take(&self, place: u8) -> Option<Root<H>> {
        self.places.borrow_mut().roots[usize::from(place) % ROOTS].take()
    }

    /// Gives a root back to the heap.
    pub(super) fn unroot(&self, root: Root<H>, give: impl FnOnce(&H, H::Ref)) {
        self.model.borrow_mut().node_mut(root.node).rooted -= 1;
        if let Ok(root) = Rc::try_unwrap(root.it) {
            give(&self.heap(), root);
        }
    }

    /// Puts a weak reference, or nothing.
    pub(super) fn put_weak(&self, place: u8, weak: Option<(Id, H::Weak)>) {
        let weak = weak.map(|(node, it)| WeakRoot {
            node,
            it: Rc::new(it),
        });
        let before = {
            let mut places = self.places.borrow_mut();
            std::mem::replace(&mut places.weaks[usize::from(place) % WEAKS], weak)
        };
        drop(before);
    }

    /// All roots, with their places.
    pub(super) fn all_roots(&self) -> Vec<(u8, Root<H>)> {
        let places = self.places.borrow();
        let all = (0..).zip(&places.roots);
        all.filter_map(|(place, root)| Some((place, root.clone()?)))
            .collect()
    }
}
