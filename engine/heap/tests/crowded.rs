//! A heap that is nearly full: what a collection copies to, what it leaves, what breaks it.
#![allow(unsafe_code, reason = "a root provider that panics")]

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use gcrucible_heap::{
    Checked, CollectionKind, CompileTimeObjects, Heap, HeapConfig, HeapDebug, Holder, Home,
    Mutator, RootAudit, RootProvider, RootTracer, Value, VerifyLevel,
};

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap, kind: CollectionKind) {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    assert_eq!(permit.collect(kind).violations, []);
}

/// A chain of cells, until the heap has no room for one more; returns how many there are.
fn fill(heap: &Heap, holder: &Holder, register: usize) -> u32 {
    let mut made = 0;
    let mut failed = false;
    loop {
        let more = with(heap, holder, |m| {
            let mut more = 0;
            let slot = &holder.registers()[register];
            while let Ok(cell) = m.cell(m.load(slot)) {
                m.store(slot, cell);
                more += 1;
            }
            more
        });
        made += more;
        if more == 0 && failed {
            return made;
        }
        failed = more == 0;
        collect(
            heap,
            if failed {
                CollectionKind::Major
            } else {
                heap.kind_to_collect()
            },
        );
    }
}

fn length(heap: &Heap, holder: &Holder, register: usize) -> u32 {
    with(heap, holder, |m| {
        let mut at = m.load(&holder.registers()[register]);
        let mut length = 0;
        while at.is_object() {
            at = m.cell_get(at).expect("a cell");
            length += 1;
        }
        length
    })
}

#[test]
fn a_full_heap_is_collected_within_half_as_much_again() {
    let config = HeapConfig {
        limit_bytes: 20 << 20,
        ..HeapConfig::default()
    };
    let heap = Heap::new(config, HeapDebug::default()).expect("address space");
    let holder = Holder::new(&heap, "test", 2);
    let most = config.limit_bytes * 3 / 2 + (8 << 20);
    let made = fill(&heap, &holder, 0);
    assert!(u64::from(made) * 24 > config.limit_bytes / 2, "{made}");
    for _ in 0..3 {
        collect(&heap, CollectionKind::Major);
        assert!(heap.stats().used_bytes <= most);
    }
    assert_eq!(length(&heap, &holder, 0), made);
    {
        let mut permit = heap.try_exclusive().expect("no permit is held");
        assert_eq!(permit.verify(VerifyLevel::Full), []);
    }
    // What dies is found, in as many collections as it takes.
    with(&heap, &holder, |m| {
        m.store(&holder.registers()[0], Value::NIL)
    });
    collect(&heap, CollectionKind::Major);
    collect(&heap, CollectionKind::Major);
    assert!(heap.stats().used_bytes < 1 << 20, "{:?}", heap.stats());
    assert_eq!(fill(&heap, &holder, 1) / 1000, made / 1000);
}

#[test]
fn dead_large_objects_make_a_major_collection_due() {
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    let holder = Holder::new(&heap, "test", 1);
    let text = "x".repeat(20_000);
    let mut most = 0;
    for _ in 0..1000 {
        let made = with(&heap, &holder, |m| {
            let made = m.string(&text);
            made.map(|text| m.store(&holder.registers()[0], text))
                .is_ok()
        });
        collect(&heap, heap.kind_to_collect());
        // Old by now, and dead soon.
        collect(&heap, heap.kind_to_collect());
        assert!(made);
        most = most.max(heap.stats().used_bytes);
    }
    assert!(most < 200_000, "{most}");
}

struct Broken(Home);

// SAFETY: it has no slots.
unsafe impl RootProvider for Broken {
    fn name(&self) -> String {
        "broken".to_owned()
    }

    fn home(&self) -> &Home {
        &self.0
    }

    fn trace(&self, _tracer: &mut dyn RootTracer) {
        panic!("it cannot be traced")
    }

    fn audit(&self, _audit: &mut RootAudit<'_>) {}
}

#[test]
fn a_collection_that_panics_closes_the_heap() {
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    let broken = Arc::new(Broken(Home::new(&heap)));
    heap.add_provider(&broken);
    let collected = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        collect(&heap, CollectionKind::Minor);
    }));
    assert!(collected.is_err());
    assert_eq!(heap.broken().as_deref(), Some("it cannot be traced"));
    assert!(heap.try_shared().is_none() && heap.try_exclusive().is_none());
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut cx = Context::from_waker(Waker::noop());
        pin!(heap.shared()).as_mut().poll(&mut cx).is_ready()
    }));
    let message = asked.expect_err("it is refused");
    let message = message.downcast_ref::<String>().expect("a text");
    assert_eq!(message, "a collection broke the heap: it cannot be traced");
}

#[test]
fn handles_are_found_by_what_they_keep() {
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    let holder = Holder::new(&heap, "test", 1);
    let mut handles = Vec::new();
    for n in 0..3000 {
        with(&heap, &holder, |m| {
            let cell = m.cell(Value::small_int(n).expect("a small int"));
            let Ok(cell) = cell else { return };
            let permit = heap.try_shared().expect("nobody collects");
            handles.push((permit.protect(cell), permit.protect(cell)));
        });
        if n % 500 == 0 {
            collect(&heap, CollectionKind::Minor);
        }
    }
    let count = 2 * handles.len() as u64;
    assert_eq!(heap.stats().protected_by_kind.get("cell"), Some(&count));
    collect(&heap, CollectionKind::Major);
    for (first, second) in handles {
        heap.unprotect(second);
        heap.unprotect(first);
    }
    assert!(heap.stats().protected_by_kind.is_empty());
}

#[test]
fn a_version_without_objects_is_none() {
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    for _ in 0..100 {
        let permit = heap.try_shared().expect("nobody collects");
        drop(CompileTimeObjects::new(&permit));
    }
    assert_eq!(heap.stats().versions, 0);
}

#[test]
fn charges_count_against_the_limit_and_an_account() {
    let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).expect("address space");
    let account = heap.open_account(1 << 20);
    let charge = heap
        .charge(Some(&account), 900 << 10)
        .expect("there is room");
    assert!(heap.charge(Some(&account), 200 << 10).is_err());
    assert_eq!(account.used(), 900 << 10);
    let beside = heap.charge(None, 3 << 20).expect("there is room");
    assert!(heap.charge(None, 1 << 20).is_err());
    assert!(heap.charge(None, u64::MAX).is_err());
    assert!(!heap.has_room_within_limit(1 << 20 >> 3));
    drop((charge, beside));
    assert_eq!((account.used(), heap.stats().external_bytes), (0, 0));
}

#[test]
fn what_is_outside_of_blocks_takes_the_memory_of_free_ones() {
    let config = HeapConfig {
        limit_bytes: 20 << 20,
        ..HeapConfig::default()
    };
    let heap = Heap::new(config, HeapDebug::default()).expect("address space");
    let holder = Holder::new(&heap, "test", 1);
    // What it dies in is kept for the next collections.
    fill(&heap, &holder, 0);
    collect(&heap, CollectionKind::Major);
    let full = heap.stats().resident_bytes;
    assert!(full > config.limit_bytes, "{full}");
    let most = config.limit_bytes * 11 / 8 + (8 << 20);
    with(&heap, &holder, |m| {
        m.store(&holder.registers()[0], Value::NIL)
    });
    for _ in 0..2 {
        collect(&heap, CollectionKind::Minor);
    }
    for bytes in [5, 20, 60, 1] {
        let charge = heap.charge_anyway(None, bytes << 20);
        let stats = heap.stats();
        let both = stats.resident_bytes + charge.bytes();
        let least = stats.used_bytes + charge.bytes();
        assert!(both <= most.max(least), "{stats:?}");
    }
    assert_eq!(heap.stats().external_bytes, 0);
}
