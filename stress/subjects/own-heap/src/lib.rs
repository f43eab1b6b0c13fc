//! The engine's heap as a [`HeapSubject`]: it is tested as a heap of somebody else's would be, with the same
//! programs and the same model, beside the lane `heap-ops` that knows all that it can do.
//!
//! ```text
//! node            an instance: its key, its weak field, its fields
//! root            a handle
//! weak reference  a handle on a weak object
//! probe           in a table beside the heap, as objects have no destructors: the heap is asked to watch
//!                 each node, and the probe drops when it says that the node is freed
//! finalizer       registered for each node, in every other program: with one a node dies later
//! ```
//!
//! Not handled: ephemerons and collections in steps, which the heap does not have; drops that look at
//! fields, as nothing of the host's is called while memory is freed.

mod dying;
mod root;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, Heap, HeapConfig, HeapDebug, HeapFault, Holder, Mutator, NeedsMemory,
    PromoteMode, SharedPermit, Value, VerifyLevel,
};
use gcrucible_heap_subject::{
    Caps, Collect, HeapLane, HeapSubject, Knobs, Look, NoMemory, Node, Probe,
};

use self::dying::Dying;
pub use self::root::Root;

/// Class of the nodes.
const NODE: u16 = 1;
/// Field of a node that holds its key.
const KEY: u32 = 0;
/// Field of a node that holds its weak object.
const WEAK: u32 = 1;
/// The first of a node's own fields.
const FIRST: u32 = 2;

/// The lane, at this place of the order of all lanes.
pub const fn lane(order: u16) -> HeapLane<OwnHeap> {
    HeapLane::new(order)
}

/// The engine's heap.
#[derive(Debug)]
pub struct OwnHeap(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    heap: Arc<Heap>,
    holder: Holder,
    /// Of the nodes that are not freed, by their keys.
    probes: RefCell<BTreeMap<u32, Rc<Probe>>>,
    keys: Cell<u32>,
    /// Whether nodes have finalizers.
    finalizes: bool,
    /// Allocations between two collections that nobody needs; 0: none.
    threshold: u32,
    /// Failures that were asked for.
    failures: Cell<u64>,
    /// What collections found when they verified.
    violations: RefCell<Vec<String>>,
}

/// The heap's debug modes, by the program's knobs. Bit 0 is that of the finalizers.
fn modes(extra: u8) -> HeapDebug {
    HeapDebug {
        promote: match (extra >> 1) & 3 {
            0 => PromoteMode::Always,
            1 => PromoteMode::Never,
            _ => PromoteMode::Natural,
        },
        zombie: extra & 8 != 0,
        scribble: extra & 16 != 0,
        exhausted: (extra & 96 == 96).then_some(3),
        verify: if extra & 128 == 0 {
            VerifyLevel::Off
        } else {
            VerifyLevel::Full
        },
        ..HeapDebug::default()
    }
}

impl Shared {
    /// Looks at objects, or changes them; `Err` for a reference that leads to none.
    fn try_with<R>(
        &self,
        act: impl FnOnce(&SharedPermit<'_>, &Mutator<'_, Checked>) -> R,
    ) -> Result<R, HeapFault> {
        let acted = catch_unwind(AssertUnwindSafe(|| {
            let permit = self.heap.try_shared().expect("nobody collects");
            let mutator = permit.mutator::<Checked>(self.holder.tlab());
            act(&permit, &mutator)
        }));
        acted.map_err(|panic| match panic.downcast::<HeapFault>() {
            Ok(fault) => *fault,
            Err(other) => resume_unwind(other),
        })
    }

    /// The same where such a reference ends the run.
    fn with<R>(&self, act: impl FnOnce(&SharedPermit<'_>, &Mutator<'_, Checked>) -> R) -> R {
        self.try_with(act).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn root(&self, permit: &SharedPermit<'_>, value: Value<'_>) -> Root {
        Root::new(&self.heap, permit.protect(value))
    }

    /// What the probe of a node says, whose key is in the heap.
    fn probe(&self, key: Option<Value<'_>>) -> Look {
        let key = key.and_then(Value::as_small_int).map(u32::try_from);
        let Some(Ok(key)) = key else {
            return Look::Garbage;
        };
        match self.probes.borrow().get(&key) {
            Some(probe) => probe.look(),
            None if key < self.keys.get() => Look::Dropped(key),
            None => Look::Garbage,
        }
    }

    fn look(&self, at: &Root) -> Look {
        let look = |permit: &SharedPermit<'_>, m: &Mutator<'_, Checked>| {
            self.probe(m.field(permit.protected(at.handle()), KEY))
        };
        self.try_with(look).unwrap_or(Look::Garbage)
    }

    fn collect(&self, kind: CollectionKind) {
        let mut permit = self.heap.try_exclusive().expect("no permit is held");
        let report = permit.collect(kind);
        drop(permit);
        let violations = report.violations.iter().map(ToString::to_string);
        self.violations.borrow_mut().extend(violations);
        for key in self.heap.take_freed() {
            // Outside of the borrow: probes tell others of their end.
            let probe = self.probes.borrow_mut().remove(&(key as u32));
            drop(probe);
        }
        self.finalize();
    }

    /// Calls the finalizers that are due. They may use the heap: nothing is held meanwhile.
    fn finalize(&self) {
        while let Some(node) = self.next_to_finalize() {
            let dying = Dying { shared: self, node };
            let probe = dying
                .key()
                .and_then(|key| self.probes.borrow().get(&key).cloned());
            let probe = probe.unwrap_or_else(|| panic!("the heap finalizes what is no node"));
            probe.finalizing::<OwnHeap>(&dying);
        }
    }

    fn next_to_finalize(&self) -> Option<Root> {
        self.heap.next_finalizer()?;
        self.with(|permit, _| {
            let (_, object) = permit.take_finalizer()?;
            Some(self.root(permit, object))
        })
    }

    /// Allocates, and collects where there is no memory until then.
    fn allocate(
        &self,
        make: impl Fn(&SharedPermit<'_>, &Mutator<'_, Checked>) -> Result<Root, NeedsMemory>,
    ) -> Result<Root, NoMemory> {
        for attempt in 0..3 {
            let NeedsMemory { words } = match self.with(&make) {
                Ok(root) => return Ok(root),
                Err(needs) => needs,
            };
            match attempt {
                0 => self.collect(self.heap.kind_to_collect()),
                1 => self.collect(CollectionKind::Major),
                // By this question a failure that was asked for is over.
                _ => {
                    self.heap.has_room_within_limit(words);
                }
            }
        }
        Err(NoMemory)
    }

    fn weak(&self, target: &Root) -> Root {
        let make = |permit: &SharedPermit<'_>, m: &Mutator<'_, Checked>| {
            let weak = m.weak(permit.protected(target.handle()))?;
            Ok(self.root(permit, weak))
        };
        // The first may be a failure that was asked for, of the next node.
        let made = self.allocate(make).or_else(|_| self.allocate(make));
        made.unwrap_or_else(|NoMemory| panic!("there is no memory for a weak reference"))
    }
}

impl HeapSubject for OwnHeap {
    const NAME: &'static str = "own-heap";
    const CAPS: Caps = Caps::CYCLES
        .and(Caps::WEAK)
        .and(Caps::WEAK_FIELDS)
        .and(Caps::FINALIZERS)
        .and(Caps::RESURRECTION)
        .and(Caps::FINALIZER_USES)
        .and(Caps::NESTED_COLLECT)
        .and(Caps::PANICS)
        .and(Caps::ARRAYS)
        .and(Caps::GENERATIONS)
        .and(Caps::THREADS)
        .and(Caps::OWNED)
        .and(Caps::PROMPT)
        .and(Caps::FAILURES)
        .and(Caps::DEEP);
    const FIELDS_MAX: usize = 64;

    type Ref = Root;
    type Weak = Root;

    fn new(knobs: &Knobs) -> Self {
        // Small, but with room for the deep chains, whose nodes are charged for their finalizers, too.
        let config = HeapConfig {
            limit_bytes: 64 << 20,
            ..HeapConfig::tiny()
        };
        let heap = Heap::new(config, modes(knobs.extra));
        let heap = heap.expect("address space for a tiny heap");
        let holder = Holder::new(&heap, "nodes", 0);
        OwnHeap(Rc::new(Shared {
            heap,
            holder,
            probes: RefCell::default(),
            keys: Cell::new(0),
            finalizes: knobs.extra & 1 != 0,
            threshold: knobs.threshold,
            failures: Cell::new(0),
            violations: RefCell::default(),
        }))
    }

    fn alloc(&self, node: Node) -> Result<Root, NoMemory> {
        let this = &self.0;
        let key = this.keys.get();
        this.keys.set(key + 1);
        if this.threshold > 0 && key % this.threshold == this.threshold - 1 {
            this.collect(CollectionKind::Minor);
        }
        let mut fields = vec![Value::NIL; FIRST as usize + node.fields];
        fields[KEY as usize] = Value::int32(key as i32);
        let root = this.allocate(|permit, m| {
            let node = m.instance(NODE, &fields)?;
            if this.finalizes {
                m.add_finalizer(node, Value::NIL)?;
            }
            permit.watch(node, key.into());
            Ok(this.root(permit, node))
        })?;
        this.probes.borrow_mut().insert(key, Rc::new(node.probe));
        Ok(root)
    }

    fn look(&self, at: &Root) -> Look {
        self.0.look(at)
    }

    fn get(&self, at: &Root, field: usize) -> Option<Root> {
        self.0.with(|permit, m| {
            let value = m.field(permit.protected(at.handle()), FIRST + field as u32)?;
            (!value.is_nil()).then(|| self.0.root(permit, value))
        })
    }

    fn set(&self, at: &Root, field: usize, to: Option<&Root>) {
        self.0.with(|permit, m| {
            let to = to.map_or(Value::NIL, |to| permit.protected(to.handle()));
            let node = permit.protected(at.handle());
            let is_there = m.set_field(node, FIRST + field as u32, to);
            assert!(is_there, "the node has lost its field {field}");
        });
    }

    fn same(&self, one: &Root, other: &Root) -> bool {
        self.0
            .with(|permit, _| permit.protected(one.handle()) == permit.protected(other.handle()))
    }

    fn clone_root(&self, root: &Root) -> Root {
        self.0
            .with(|permit, _| self.0.root(permit, permit.protected(root.handle())))
    }

    fn collect(&self, how: Collect) {
        self.0.collect(match how {
            Collect::Full => CollectionKind::Major,
            Collect::Minor | Collect::Step => CollectionKind::Minor,
        });
    }

    fn verify(&self) -> Result<(), String> {
        let mut wrong = self.0.violations.take();
        let mut permit = self.0.heap.try_exclusive().expect("no permit is held");
        let now = permit.verify(VerifyLevel::Full);
        wrong.extend(now.iter().map(ToString::to_string));
        if wrong.is_empty() {
            return Ok(());
        }
        Err(wrong.join("; "))
    }

    fn downgrade(&self, root: &Root) -> Root {
        self.0.weak(root)
    }

    fn upgrade(&self, weak: &Root) -> Option<Root> {
        self.0.with(|permit, m| {
            let target = m.weak_target(permit.protected(weak.handle()));
            let target = target.unwrap_or_else(|| panic!("it is no weak reference any more"));
            (!target.is_nil()).then(|| self.0.root(permit, target))
        })
    }

    fn clone_weak(&self, weak: &Root) -> Root {
        self.clone_root(weak)
    }

    fn set_weak(&self, at: &Root, to: Option<&Root>) {
        self.0.with(|permit, m| {
            let to = to.map_or(Value::NIL, |to| permit.protected(to.handle()));
            let is_there = m.set_field(permit.protected(at.handle()), WEAK, to);
            assert!(is_there, "the node has lost its weak field");
        });
    }

    fn get_weak(&self, at: &Root) -> Option<Root> {
        self.0.with(|permit, m| {
            let weak = m.field(permit.protected(at.handle()), WEAK)?;
            (!weak.is_nil()).then(|| self.0.root(permit, weak))
        })
    }

    fn unroot_elsewhere(&self, root: Root) {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(root));
        });
    }

    fn accepts(&self, root: &Root) -> bool {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let permit = self.0.heap.try_shared().expect("nobody collects");
            permit.protected(root.handle()).is_nil()
        }));
        tried.is_ok()
    }

    /// Lets one fail, the next that needs more than what is left of the allocation buffer.
    fn fail_allocations(&self, _count: u32) {
        let is_due = self.0.failures.get() > self.0.heap.stats().faults;
        if !is_due {
            self.0.failures.set(self.0.failures.get() + 1);
            self.0.heap.fail_allocation(0);
        }
    }
}
