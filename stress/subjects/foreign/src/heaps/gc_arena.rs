//! The crate `gc-arena`: an incremental mark-sweep collector in an arena. Roots of the host are places of a table in the arena's
//! root object.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[cfg(feature = "good")]
use gc_arena::{Arena as ArenaOf, Collection, Gc, Mutation, Rootable, lock::RefLock};
use gc_arena::{ArenaParameters, Collect};
#[cfg(feature = "bad")]
use gc_arena::{CollectionContext as Collection, GcCell, MutationContext, make_arena};
use gcrucible_heap_subject::{
    Caps, Collect as How, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

/// The cell of the version that is tested.
#[cfg(feature = "bad")]
type Shared<'gc, T> = GcCell<'gc, T>;
#[cfg(feature = "good")]
type Shared<'gc, T> = Gc<'gc, RefLock<T>>;
#[cfg(feature = "bad")]
type Mc<'gc, 'a> = MutationContext<'gc, 'a>;
#[cfg(feature = "good")]
type Mc<'gc, 'a> = &'a Mutation<'gc>;

#[cfg(feature = "bad")]
fn shared<'gc, T: 'gc + Collect>(mc: Mc<'gc, '_>, value: T) -> Shared<'gc, T> {
    GcCell::allocate(mc, value)
}
#[cfg(feature = "good")]
fn shared<'gc, T: 'gc + Collect>(mc: Mc<'gc, '_>, value: T) -> Shared<'gc, T> {
    Gc::new(mc, RefLock::new(value))
}

#[cfg(feature = "bad")]
fn write<'gc, T: 'gc + Collect>(mc: Mc<'gc, '_>, at: Shared<'gc, T>, write: impl FnOnce(&mut T)) {
    write(&mut at.write(mc));
}
#[cfg(feature = "good")]
fn write<'gc, T: 'gc + Collect>(mc: Mc<'gc, '_>, at: Shared<'gc, T>, write: impl FnOnce(&mut T)) {
    write(&mut at.borrow_mut(mc));
}

#[cfg(feature = "bad")]
fn read<'gc, T: 'gc + Collect, R>(at: Shared<'gc, T>, read: impl FnOnce(&T) -> R) -> R {
    read(&at.read())
}
#[cfg(feature = "good")]
fn read<'gc, T: 'gc + Collect, R>(at: Shared<'gc, T>, read: impl FnOnce(&T) -> R) -> R {
    read(&at.borrow())
}

pub(crate) struct Inhabitant<'gc> {
    probe: Probe,
    fields: Vec<Option<Place<'gc>>>,
}

/// A reference to a node.
#[derive(Clone, Copy)]
pub(crate) struct Place<'gc>(Shared<'gc, Inhabitant<'gc>>);

// SAFETY: the one reference is traced.
unsafe impl Collect for Place<'_> {
    fn trace(&self, collection: TraceContext<'_>) {
        self.0.trace(collection);
    }
}

#[cfg(feature = "bad")]
type TraceContext<'a> = Collection<'a>;
#[cfg(feature = "good")]
type TraceContext<'a> = &'a Collection;

/// What callbacks of a node see.
struct Blind;

impl Inside<Heap> for Blind {
    fn look(&self, _field: usize) -> Option<Look> {
        None
    }
}

// SAFETY: all fields are traced, and no reference is dropped by a destructor.
unsafe impl Collect for Inhabitant<'_> {
    fn trace(&self, collection: TraceContext<'_>) {
        self.probe.tracing::<Heap>(&Blind);
        self.fields.trace(collection);
    }
}

/// The roots of the host, by place.
pub(crate) struct Table<'gc>(Shared<'gc, Vec<Option<Place<'gc>>>>);

// SAFETY: the one reference is traced.
unsafe impl Collect for Table<'_> {
    fn trace(&self, collection: TraceContext<'_>) {
        self.0.trace(collection);
    }
}

#[cfg(feature = "bad")]
make_arena!(Arena, Table);
#[cfg(feature = "good")]
type Arena = ArenaOf<Rootable![Table<'_>]>;

fn arena() -> Arena {
    Arena::new(ArenaParameters::default(), |mc| {
        Table(shared(mc, Vec::new()))
    })
}

pub(crate) struct Heap {
    arena: RefCell<Arena>,
    free: Rc<RefCell<Vec<usize>>>,
    places: Cell<usize>,
}

/// A place of the table. Its reference goes when the place is used again, or at the next collection.
pub(crate) struct Root {
    place: usize,
    free: Rc<RefCell<Vec<usize>>>,
}

impl Drop for Root {
    fn drop(&mut self) {
        self.free.borrow_mut().push(self.place);
    }
}

impl Heap {
    /// Gives a new root to what `find` finds in the arena.
    fn root(
        &self,
        find: impl for<'gc> FnOnce(Mc<'gc, '_>, &Vec<Option<Place<'gc>>>) -> Option<Place<'gc>>,
    ) -> Option<Root> {
        let known = self.free.borrow_mut().pop();
        let place = known.unwrap_or_else(|| self.places.replace(self.places.get() + 1));
        let root = Root {
            place,
            free: Rc::clone(&self.free),
        };
        let is_found = self.arena.borrow_mut().mutate(|mc, table| {
            let found = read(table.0, |roots| find(mc, roots));
            write(mc, table.0, |roots| {
                roots.resize(roots.len().max(place + 1), None);
                roots[place] = found;
            });
            found.is_some()
        });
        is_found.then_some(root)
    }

    /// Forgets what is in places that are free.
    fn forget(&self) {
        let free = self.free.borrow();
        self.arena.borrow_mut().mutate(|mc, table| {
            write(mc, table.0, |roots| {
                for &place in free.iter() {
                    if let Some(root) = roots.get_mut(place) {
                        *root = None;
                    }
                }
            });
        });
    }
}

impl HeapSubject for Heap {
    const NAME: &'static str = "gc-arena";
    const CAPS: Caps = Caps::CYCLES
        .and(Caps::TRACE_PANICS)
        .and(Caps::INCREMENTAL)
        .and(Caps::PROMPT);

    type Ref = Root;
    type Weak = ();

    fn new(_knobs: &Knobs) -> Self {
        Heap {
            arena: RefCell::new(arena()),
            free: Rc::default(),
            places: Cell::new(0),
        }
    }

    fn alloc(&self, node: Node) -> Result<Root, NoMemory> {
        let root = self.root(|mc, _| {
            Some(Place(shared(
                mc,
                Inhabitant {
                    probe: node.probe,
                    fields: (0..node.fields).map(|_| None).collect(),
                },
            )))
        });
        root.ok_or(NoMemory)
    }

    fn look(&self, at: &Root) -> Look {
        self.arena.borrow_mut().mutate(|_, table| {
            let node = read(table.0, |roots| roots[at.place]);
            node.map_or(Look::Garbage, |node| read(node.0, |node| node.probe.look()))
        })
    }

    fn get(&self, at: &Root, field: usize) -> Option<Root> {
        self.root(|_, roots| read(roots[at.place]?.0, |node| node.fields[field]))
    }

    fn set(&self, at: &Root, field: usize, to: Option<&Root>) {
        self.arena.borrow_mut().mutate(|mc, table| {
            let (node, to) = read(table.0, |roots| {
                (roots[at.place], to.and_then(|to| roots[to.place]))
            });
            if let Some(node) = node {
                write(mc, node.0, |node| node.fields[field] = to);
            }
        });
    }

    fn same(&self, one: &Root, other: &Root) -> bool {
        self.arena.borrow_mut().mutate(|_, table| {
            let (one, other) = read(table.0, |roots| (roots[one.place], roots[other.place]));
            one.zip(other)
                .is_some_and(|(one, other)| pointer(one) == pointer(other))
        })
    }

    fn clone_root(&self, root: &Root) -> Root {
        let clone = self.root(|_, roots| roots[root.place]);
        clone.expect("a root has a node")
    }

    fn collect(&self, how: How) {
        self.forget();
        let mut arena = self.arena.borrow_mut();
        match how {
            How::Full => {
                // A cycle that is under way ends first.
                arena.collect_all();
                arena.collect_all();
            }
            How::Minor | How::Step => arena.collect_debt(),
        }
    }
}

#[cfg(feature = "bad")]
fn pointer(at: Place<'_>) -> *const () {
    at.0.as_ptr().cast_const().cast()
}
#[cfg(feature = "good")]
fn pointer(at: Place<'_>) -> *const () {
    Gc::as_ptr(at.0).cast()
}
