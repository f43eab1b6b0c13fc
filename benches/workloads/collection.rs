//! Collections against the amount that survives, and the barrier of stores.

use std::hint::black_box;
use std::sync::Arc;

use gcrucible_heap::{
    CollectionKind, CollectionReport, Heap, HeapConfig, HeapDebug, Holder, PromoteMode, Register,
    Unchecked, Value,
};

/// A heap on which a linked list of objects is alive, all young, forever: nothing is
/// promoted.
#[derive(Debug)]
pub struct Collection {
    heap: Arc<Heap>,
    holder: Holder,
}

impl Collection {
    /// A heap with `live` objects in the list.
    ///
    /// # Panics
    /// If they need more than half a gigabyte.
    pub fn with_live(live: usize) -> Self {
        let config = HeapConfig {
            nursery_bytes: 512 << 20,
            ..HeapConfig::default()
        };
        let debug = HeapDebug {
            promote: PromoteMode::Never,
            ..HeapDebug::default()
        };
        let made = Self::on(config, debug);
        let permit = made.heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<Unchecked>(made.holder.tlab());
        for _ in 0..live {
            let next = m.load_root(made.list());
            let object = m
                .instance(1, &[next, Value::NIL])
                .expect("a nursery with room");
            m.store(made.list(), object);
        }
        drop(permit);
        made
    }

    fn on(config: HeapConfig, debug: HeapDebug) -> Self {
        let heap = Heap::new(config, debug).expect("address space for a heap");
        let holder = Holder::new(&heap, "bench", 2);
        Collection { heap, holder }
    }

    fn list(&self) -> &Register {
        &self.holder.registers()[0]
    }

    /// Collects once.
    pub fn collect(&self, kind: CollectionKind) -> CollectionReport {
        let mut permit = self.heap.try_exclusive().expect("nobody else has a permit");
        permit.collect(kind)
    }
}

/// What is stored where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// An int into an old object: the barrier has nothing to do.
    ImmediateInOld,
    /// A young object into a young one.
    YoungInYoung,
    /// A young object into an old one: the barrier marks a card.
    YoungInOld,
}

/// A heap with an old and a young object, to store into.
#[derive(Debug)]
pub struct Barrier(Collection);

impl Default for Barrier {
    fn default() -> Self {
        let made = Collection::on(HeapConfig::default(), HeapDebug::default());
        {
            let permit = made.heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Unchecked>(made.holder.tlab());
            let object = m.instance(1, &[Value::NIL]).expect("an empty nursery");
            m.store(made.list(), object);
        }
        for _ in 0..3 {
            made.collect(CollectionKind::Minor);
        }
        Barrier(made)
    }
}

impl Barrier {
    /// Stores `count` times.
    pub fn stores(&self, store: Store, count: usize) {
        let Collection { heap, holder } = &self.0;
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<Unchecked>(holder.tlab());
        let old = m.load_root(self.0.list());
        let young = || {
            m.instance(1, &[Value::NIL])
                .expect("a nursery with room for a few objects")
        };
        let (object, value) = match store {
            Store::ImmediateInOld => (old, Value::int32(7)),
            Store::YoungInYoung => (young(), young()),
            Store::YoungInOld => (old, young()),
        };
        for _ in 0..count {
            black_box(m.set_field(black_box(object), 0, black_box(value)));
        }
        // The next round finds the old object without a reference to a young one.
        m.set_field(old, 0, Value::NIL);
    }

    /// Empties the nursery, cleans the cards.
    pub fn reset(&self) {
        self.0.collect(CollectionKind::Minor);
    }
}
