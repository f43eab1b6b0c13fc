//! A mark-sweep heap in safe Rust, with a bug or none: what the oracles are shown on.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

/// What is wrong with a heap.
pub(crate) const NONE: u8 = 0;
/// The second root of a node does not count.
pub(crate) const ONE_ROOT_COUNTS: u8 = 1;
/// A node with itself in a field is never swept.
pub(crate) const SELF_REFERENCE_LEAKS: u8 = 2;
/// Places are used again, and weak references do not look who lives there.
pub(crate) const WEAK_FINDS_ANOTHER: u8 = 3;
/// Weak references are dead once a collection has begun.
pub(crate) const WEAK_DIES_EARLY: u8 = 4;
/// The third field is the second one.
pub(crate) const FIELDS_OVERLAP: u8 = 5;
/// Each node drops twice.
pub(crate) const DROPS_TWICE: u8 = 6;
/// Nodes are not traced further than their first field.
pub(crate) const TRACES_ONE_FIELD: u8 = 7;
/// Nodes that a finalizer has made reachable are freed all the same.
pub(crate) const RESURRECTED_IS_FREED: u8 = 8;
/// Nodes see others that were dropped before them.
pub(crate) const SHOWS_THE_DROPPED: u8 = 9;
/// Another heap's root is taken for one of its own.
pub(crate) const TAKES_STRANGERS: u8 = 10;
/// Allocation fails from the start.
pub(crate) const NEVER_ALLOCATES: u8 = 11;
/// A root differs from itself.
pub(crate) const NOT_REFLEXIVE: u8 = 12;
/// Its own checker complains once there are three nodes.
pub(crate) const VERIFY_COMPLAINS: u8 = 13;
/// An ephemeron's value is not kept.
pub(crate) const EPHEMERON_FORGOTTEN: u8 = 14;
/// After a panic in a drop, what was swept is swept again.
pub(crate) const PANIC_SWEEPS_AGAIN: u8 = 15;
/// `new` panics.
pub(crate) const NEW_PANICS: u8 = 16;
/// A collection never ends.
pub(crate) const HANGS: u8 = 17;
/// A collection ends the process.
pub(crate) const ABORTS: u8 = 18;
/// It does not say so when the third collection panics.
pub(crate) const COLLECT_PANICS: u8 = 19;
/// A node in its drop is given roots of nodes that are gone.
pub(crate) const TAKES_THE_DROPPED: u8 = 20;
/// The weak field of a node is always empty.
pub(crate) const WEAK_FIELD_IS_LOST: u8 = 21;
/// The weak field of a node cannot be emptied.
pub(crate) const WEAK_FIELD_STAYS: u8 = 22;
/// All roots are of the same node.
pub(crate) const ALL_ARE_THE_SAME: u8 = 23;
/// Once something was swept, fields hold what is gone.
pub(crate) const GETS_THE_DROPPED: u8 = 24;
/// Once something was swept, fields hold what is no node.
pub(crate) const GETS_GARBAGE: u8 = 25;
/// What was dropped is finalized.
pub(crate) const FINALIZES_THE_DROPPED: u8 = 26;
/// What was dropped is traced.
pub(crate) const TRACES_THE_DROPPED: u8 = 27;
/// Nothing, but there are no finalizers: each full collection has to be thorough.
pub(crate) const NO_FINALIZERS: u8 = 28;

/// The number of what is gone.
const GONE: u64 = u64::MAX - 1;

/// A place of a node, and which of its inhabitants is meant.
type At = (usize, u64);

pub(crate) struct Inhabitant<const BUG: u8> {
    probe: Probe,
    fields: RefCell<Vec<Option<At>>>,
    weak: Cell<Option<At>>,
    heap: Weak<Shared<BUG>>,
}

struct Place<const BUG: u8> {
    inhabitant: Option<Rc<Inhabitant<BUG>>>,
    number: u64,
    roots: u32,
    is_marked: bool,
    is_finalized: bool,
}

pub(crate) struct Shared<const BUG: u8> {
    places: RefCell<Vec<Place<BUG>>>,
    free: RefCell<Vec<usize>>,
    ephemerons: RefCell<Vec<(At, At)>>,
    allocated: Cell<u64>,
    failing: Cell<u32>,
    collections: Cell<u32>,
    is_collecting: Cell<bool>,
}

/// The heap.
pub(crate) struct Marked<const BUG: u8>(Rc<Shared<BUG>>);

pub(crate) struct Root<const BUG: u8> {
    heap: Rc<Shared<BUG>>,
    at: At,
}

impl<const BUG: u8> Drop for Root<BUG> {
    fn drop(&mut self) {
        let mut places = self.heap.places.borrow_mut();
        let place = &mut places[self.at.0];
        place.roots = place.roots.saturating_sub(1);
    }
}

impl<const BUG: u8> Shared<BUG> {
    fn live(&self, at: At) -> Option<Rc<Inhabitant<BUG>>> {
        let places = self.places.borrow();
        let place = places.get(at.0)?;
        (place.number == at.1).then(|| place.inhabitant.clone())?
    }

    fn root(self: &Rc<Self>, at: At) -> Root<BUG> {
        let mut places = self.places.borrow_mut();
        let place = &mut places[at.0];
        if BUG != ONE_ROOT_COUNTS || place.roots == 0 {
            place.roots += 1;
        }
        Root {
            heap: Rc::clone(self),
            at,
        }
    }

    fn mark(&self) {
        let mut work: Vec<At> = Vec::new();
        for (index, place) in self.places.borrow_mut().iter_mut().enumerate() {
            place.is_marked = false;
            if place.roots > 0 {
                work.push((index, place.number));
            }
        }
        while let Some(at) = work.pop() {
            let Some(node) = self.live(at) else { continue };
            if std::mem::replace(&mut self.places.borrow_mut()[at.0].is_marked, true) {
                continue;
            }
            node.probe.tracing::<Marked<BUG>>(&*node);
            let traced = if BUG == TRACES_ONE_FIELD {
                1
            } else {
                usize::MAX
            };
            work.extend(node.fields.borrow().iter().take(traced).flatten());
            if BUG != EPHEMERON_FORGOTTEN {
                let ephemerons = self.ephemerons.borrow();
                work.extend(
                    ephemerons
                        .iter()
                        .filter(|(key, _)| *key == at)
                        .map(|(_, value)| *value),
                );
            }
        }
    }

    fn unmarked(&self) -> Vec<usize> {
        let places = self.places.borrow();
        let dead = |place: &Place<BUG>| {
            let itself = place.inhabitant.as_ref().is_some_and(|node| {
                let me = node.fields.borrow();
                me.first()
                    .copied()
                    .flatten()
                    .is_some_and(|at| at.1 == place.number)
            });
            place.inhabitant.is_some()
                && !place.is_marked
                && !(BUG == SELF_REFERENCE_LEAKS && itself)
        };
        (0..places.len())
            .filter(|&index| dead(&places[index]))
            .collect()
    }

    fn collect(self: &Rc<Self>) {
        if self.is_collecting.replace(true) {
            return;
        }
        let _done = Done(self);
        self.collections.set(self.collections.get() + 1);
        match BUG {
            HANGS => loop {
                std::hint::spin_loop();
            },
            ABORTS => std::process::abort(),
            COLLECT_PANICS if self.collections.get() == 3 => panic!("no third collection"),
            _ => {}
        }
        self.mark();
        let dead = self.unmarked();
        for &index in &dead {
            let node = {
                let mut places = self.places.borrow_mut();
                let was = std::mem::replace(&mut places[index].is_finalized, true);
                (!was).then(|| places[index].inhabitant.clone()).flatten()
            };
            if let Some(node) = node {
                node.probe.finalizing::<Marked<BUG>>(&*node);
            }
        }
        let dead = if BUG == RESURRECTED_IS_FREED {
            dead
        } else {
            self.mark();
            self.unmarked()
        };
        self.sweep(&dead);
    }

    fn sweep(&self, dead: &[usize]) {
        // All go before any of them drops: none can see another.
        let gone: Vec<_> = dead
            .iter()
            .map(|&index| {
                let mut places = self.places.borrow_mut();
                if BUG != SHOWS_THE_DROPPED {
                    places[index].number = u64::MAX;
                }
                places[index].is_finalized = false;
                self.free.borrow_mut().push(index);
                places[index].inhabitant.take()
            })
            .collect();
        for node in gone.into_iter().flatten() {
            if [DROPS_TWICE, FINALIZES_THE_DROPPED, TRACES_THE_DROPPED].contains(&BUG) {
                node.probe.dropping::<Marked<BUG>>(&*node);
            }
            match BUG {
                FINALIZES_THE_DROPPED => node.probe.finalizing::<Marked<BUG>>(&*node),
                TRACES_THE_DROPPED => node.probe.tracing::<Marked<BUG>>(&*node),
                _ => {}
            }
            if BUG == PANIC_SWEEPS_AGAIN {
                let again = SweptAgain(&node);
                drop(Rc::clone(&node));
                node.probe.dropping::<Marked<BUG>>(&*node);
                std::mem::forget(again);
                node.drops_quietly();
                continue;
            }
            drop(node);
        }
    }
}

/// What sweeping leaves undone if a drop panics.
struct SweptAgain<'a, const BUG: u8>(&'a Rc<Inhabitant<BUG>>);

impl<const BUG: u8> Drop for SweptAgain<'_, BUG> {
    fn drop(&mut self) {
        self.0.probe.dropping::<Marked<BUG>>(&**self.0);
    }
}

struct Done<'a, const BUG: u8>(&'a Shared<BUG>);

impl<const BUG: u8> Drop for Done<'_, BUG> {
    fn drop(&mut self) {
        self.0.is_collecting.set(false);
    }
}

impl<const BUG: u8> Inhabitant<BUG> {
    /// Leaves the memory to nobody, once the probe was told.
    fn drops_quietly(self: Rc<Self>) {
        std::mem::forget(self);
    }
}

impl<const BUG: u8> Drop for Inhabitant<BUG> {
    fn drop(&mut self) {
        self.probe.dropping::<Marked<BUG>>(self);
    }
}

impl<const BUG: u8> Inside<Marked<BUG>> for Inhabitant<BUG> {
    fn look(&self, field: usize) -> Option<Look> {
        let at = (*self.fields.borrow().get(field)?)?;
        let heap = self.heap.upgrade()?;
        match heap.live(at) {
            Some(node) => Some(node.probe.look()),
            None if BUG == SHOWS_THE_DROPPED => Some(Look::Dropped(0)),
            None => None,
        }
    }

    fn take(&self, field: usize) -> Option<Root<BUG>> {
        let at = (*self.fields.borrow().get(field)?)?;
        let heap = self.heap.upgrade()?;
        if BUG != TAKES_THE_DROPPED {
            heap.live(at)?;
        }
        Some(heap.root(at))
    }
}

/// All that the heap can do.
const ALL: Caps = Caps::CYCLES
    .and(Caps::WEAK)
    .and(Caps::WEAK_FIELDS)
    .and(Caps::EPHEMERONS)
    .and(Caps::FINALIZERS)
    .and(Caps::RESURRECTION)
    .and(Caps::DROP_LOOKS)
    .and(Caps::DROP_TAKES)
    .and(Caps::DROP_USES)
    .and(Caps::FINALIZER_USES)
    .and(Caps::NESTED_COLLECT)
    .and(Caps::PANICS)
    .and(Caps::OWNED)
    .and(Caps::PROMPT)
    .and(Caps::FAILURES)
    .and(Caps::ARRAYS)
    .and(Caps::DEEP);

impl<const BUG: u8> HeapSubject for Marked<BUG> {
    const NAME: &'static str = match BUG {
        NEW_PANICS => "new-panics",
        HANGS => "hangs",
        ABORTS => "aborts",
        COLLECT_PANICS => "collect-panics",
        NEVER_ALLOCATES => "never-allocates",
        NOT_REFLEXIVE => "not-reflexive",
        _ => "marked",
    };
    const CAPS: Caps = match BUG {
        NO_FINALIZERS => ALL.without(Caps::FINALIZERS),
        _ => ALL,
    };
    const FIELDS_MAX: usize = 64;

    type Ref = Root<BUG>;
    type Weak = At;

    fn new(_knobs: &Knobs) -> Self {
        assert_ne!(BUG, NEW_PANICS, "there is no heap");
        Marked(Rc::new(Shared {
            places: RefCell::default(),
            free: RefCell::default(),
            ephemerons: RefCell::default(),
            allocated: Cell::new(0),
            failing: Cell::new(0),
            collections: Cell::new(0),
            is_collecting: Cell::new(false),
        }))
    }

    fn alloc(&self, node: Node) -> Result<Root<BUG>, NoMemory> {
        let failing = self.0.failing.get();
        if failing > 0 || BUG == NEVER_ALLOCATES {
            self.0.failing.set(failing.saturating_sub(1));
            return Err(NoMemory);
        }
        let number = self.0.allocated.get();
        self.0.allocated.set(number + 1);
        let inhabitant = Rc::new(Inhabitant {
            probe: node.probe,
            fields: RefCell::new(vec![None; node.fields]),
            weak: Cell::new(None),
            heap: Rc::downgrade(&self.0),
        });
        let index = {
            let mut places = self.0.places.borrow_mut();
            let free = self.0.free.borrow_mut().pop();
            let index = free.unwrap_or(places.len());
            if index == places.len() {
                places.push(Place {
                    inhabitant: None,
                    number: 0,
                    roots: 0,
                    is_marked: false,
                    is_finalized: false,
                });
            }
            places[index].inhabitant = Some(inhabitant);
            places[index].number = number;
            index
        };
        Ok(self.0.root((index, number)))
    }

    fn look(&self, at: &Root<BUG>) -> Look {
        if at.at.1 == GONE {
            return match BUG {
                GETS_THE_DROPPED => Look::Dropped(0),
                _ => Look::Garbage,
            };
        }
        self.0
            .live(at.at)
            .map_or(Look::Garbage, |node| node.probe.look())
    }

    fn get(&self, at: &Root<BUG>, field: usize) -> Option<Root<BUG>> {
        let node = self.0.live(at.at)?;
        let field = if BUG == FIELDS_OVERLAP {
            field.min(1)
        } else {
            field
        };
        let to = (*node.fields.borrow().get(field)?)?;
        if [GETS_THE_DROPPED, GETS_GARBAGE].contains(&BUG) && !self.0.free.borrow().is_empty() {
            return Some(self.0.root((to.0, GONE)));
        }
        Some(self.0.root(to))
    }

    fn set(&self, at: &Root<BUG>, field: usize, to: Option<&Root<BUG>>) {
        let Some(node) = self.0.live(at.at) else {
            return;
        };
        let field = if BUG == FIELDS_OVERLAP {
            field.min(1)
        } else {
            field
        };
        if let Some(field) = node.fields.borrow_mut().get_mut(field) {
            *field = to.map(|to| to.at);
        }
    }

    fn same(&self, one: &Root<BUG>, other: &Root<BUG>) -> bool {
        match BUG {
            NOT_REFLEXIVE => false,
            ALL_ARE_THE_SAME => true,
            _ => one.at == other.at,
        }
    }

    fn clone_root(&self, root: &Root<BUG>) -> Root<BUG> {
        self.0.root(root.at)
    }

    fn collect(&self, _how: Collect) {
        self.0.collect();
    }

    fn verify(&self) -> Result<(), String> {
        let nodes = self.0.places.borrow().len();
        if BUG == VERIFY_COMPLAINS && nodes > 2 {
            return Err(format!("{nodes} nodes are too many"));
        }
        Ok(())
    }

    fn downgrade(&self, root: &Root<BUG>) -> At {
        root.at
    }

    fn upgrade(&self, weak: &At) -> Option<Root<BUG>> {
        let places = self.0.places.borrow();
        let place = places.get(weak.0)?;
        let is_there = place.inhabitant.is_some()
            && (place.number == weak.1 || BUG == WEAK_FINDS_ANOTHER)
            && (BUG != WEAK_DIES_EARLY || self.0.collections.get() == 0);
        let at = (weak.0, place.number);
        drop(places);
        is_there.then(|| self.0.root(at))
    }

    fn clone_weak(&self, weak: &At) -> At {
        *weak
    }

    fn set_weak(&self, at: &Root<BUG>, to: Option<&At>) {
        if let Some(node) = self.0.live(at.at)
            && (to.is_some() || BUG != WEAK_FIELD_STAYS)
        {
            node.weak.set(to.copied());
        }
    }

    fn get_weak(&self, at: &Root<BUG>) -> Option<At> {
        let node = self.0.live(at.at)?;
        node.weak.get().filter(|_| BUG != WEAK_FIELD_IS_LOST)
    }

    fn ephemeron(&self, key: &Root<BUG>, value: &Root<BUG>) {
        self.0.ephemerons.borrow_mut().push((key.at, value.at));
    }

    fn accepts(&self, root: &Root<BUG>) -> bool {
        Rc::ptr_eq(&root.heap, &self.0) || BUG == TAKES_STRANGERS
    }

    fn fail_allocations(&self, count: u32) {
        self.0.failing.set(count);
    }
}
