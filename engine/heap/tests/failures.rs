//! Allocations that fail because a mode says so, or because the heap is at its limit.

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, Heap, HeapConfig, Holder, Mutator, NeedsMemory, Value, VerifyLevel,
};

fn heap(limit_bytes: u64, modes: &str) -> Arc<Heap> {
    let config = HeapConfig {
        limit_bytes,
        ..HeapConfig::tiny()
    };
    let debug = modes.parse().expect("the test names modes that exist");
    Heap::new(config, debug).expect("address space for a tiny heap")
}

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap) {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    permit.collect(CollectionKind::Major);
}

/// Allocates a cell as an engine does; gives whether it was refused for good.
fn is_refused(heap: &Heap, holder: &Holder) -> bool {
    for _ in 0..4 {
        match with(heap, holder, |m| m.cell(Value::NIL).map(drop)) {
            Ok(()) => return false,
            Err(NeedsMemory { words }) => {
                collect(heap);
                if !heap.has_room_within_limit(words) {
                    return true;
                }
            }
        }
    }
    panic!("the heap says that there is room, and there is none");
}

#[test]
fn the_listed_allocations_fail_once_and_no_others() {
    for modes in ["", "scribble,collect=alloc:3,", "verify=full,"] {
        let heap = heap(1 << 20, &format!("{modes}fail=alloc:0:5:6"));
        let holder = Holder::new(&heap, "test", 1);
        let refused: Vec<usize> = (0..2000).filter(|_| is_refused(&heap, &holder)).collect();
        assert_eq!(refused, [0, 5, 6]);
        assert_eq!(heap.stats().faults, 3);
    }
}

#[test]
fn a_fault_lasts_until_it_is_answered() {
    let heap = heap(1 << 20, "fail=alloc:0");
    let holder = Holder::new(&heap, "test", 1);
    let make = || with(&heap, &holder, |m| m.cell(Value::NIL).map(drop));
    assert!(make().is_err());
    collect(&heap);
    let needs = make().unwrap_err();
    assert_eq!(heap.stats().faults, 0);
    assert!(!heap.has_room_within_limit(needs.words));
    assert!(heap.has_room_within_limit(needs.words));
    assert_eq!(heap.stats().faults, 1);
    assert!(make().is_ok());
}

#[test]
fn large_objects_and_copies_of_graphs_fail_too() {
    let heap = heap(1 << 20, "fail=alloc:1:2");
    let holder = Holder::new(&heap, "test", 1);
    let root = &holder.registers()[0];
    with(&heap, &holder, |m| {
        let array = m.array_with_capacity(300).unwrap();
        while m.array_len(array).unwrap() < 300 {
            m.array_push(array, Value::TRUE).unwrap();
        }
        m.store(root, array);
    });
    collect(&heap);
    with(&heap, &holder, |m| {
        assert!(m.deep_copy(m.load_root(root)).is_err());
        assert!(!heap.has_room_within_limit(1));
        assert!(m.array_with_capacity(300).is_err());
        assert!(!heap.has_room_within_limit(1));
    });
    assert_eq!(heap.stats().faults, 2);
    collect(&heap);
    with(&heap, &holder, |m| {
        assert!(m.deep_copy(m.load_root(root)).is_ok())
    });
}

/// Whoever is told that there is room tries again. A copy asks for more room than its
/// objects have, and must be refused by that measure.
#[test]
fn what_is_not_refused_succeeds_after_a_collection() {
    for strings in 0..120 {
        let heap = heap(64 << 10, "natural");
        let holder = Holder::new(&heap, "test", 2);
        let [kept, graph] = holder.registers() else {
            panic!("there are two registers");
        };
        with(&heap, &holder, |m| {
            m.store(graph, m.array_with_capacity(500).unwrap());
        });
        collect(&heap);
        for _ in 0..strings {
            with(&heap, &holder, |m| {
                let cell = m
                    .string(&"x".repeat(400))
                    .and_then(|text| m.enum_value(0, &[text, m.load_root(kept)]));
                if let Ok(cell) = cell {
                    m.store(kept, cell);
                }
            });
            collect(&heap);
        }
        let copy = || {
            with(&heap, &holder, |m| {
                m.deep_copy(m.load_root(graph)).map(drop)
            })
        };
        if let Err(needs) = copy()
            && heap.has_room_within_limit(needs.words)
        {
            assert_eq!(copy(), Ok(()), "with {strings} strings");
        }
    }
}

#[test]
fn an_allocation_fails_on_demand_once() {
    let heap = heap(1 << 20, "natural");
    let holder = Holder::new(&heap, "test", 1);
    let make = |count| (0..count).filter(|_| is_refused(&heap, &holder)).count();
    assert_eq!(make(100), 0);
    heap.fail_allocation(0);
    heap.fail_allocation(0);
    // Two that are due at once are one, and the first that comes fails, whatever its buffer has
    // left.
    assert_eq!(make(1), 1);
    assert_eq!(make(1000), 0);
    assert_eq!(heap.stats().faults, 1);
    heap.fail_allocation(3);
    let refused: Vec<bool> = (0..6).map(|_| is_refused(&heap, &holder)).collect();
    assert_eq!(refused, [false, false, false, true, false, false]);
}

#[test]
fn a_buffer_that_is_given_up_can_still_be_walked() {
    let heap = heap(1 << 20, "scribble,verify=full");
    let holder = Holder::new(&heap, "test", 1);
    assert!(!is_refused(&heap, &holder));
    heap.fail_allocation(0);
    let mut permit = heap.try_exclusive().expect("no permit is held");
    assert_eq!(permit.verify(VerifyLevel::Full), []);
    assert_eq!(permit.collect(CollectionKind::Major).violations, []);
}
