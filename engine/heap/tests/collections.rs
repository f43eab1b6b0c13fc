//! What collections do to objects, roots and cards.
#![allow(unsafe_code, reason = "some tests keep what no collection knows")]

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, FutureState, Generation, Heap, HeapConfig, Holder, Home, Mutator,
    RootAudit, RootProvider, RootRight, RootTracer, Slot, Tlab, Unchecked, Value,
};

/// For slots that no provider names.
// SAFETY: not kept, on purpose: the tests look at what the checks say of stale words, and read no
// text through them.
const ROOTS: RootRight = unsafe { RootRight::claim() };

fn heap(modes: &str) -> Arc<Heap> {
    let debug = modes.parse().expect("the test names modes that exist");
    Heap::new(HeapConfig::tiny(), debug).expect("address space for a tiny heap")
}

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap, kind: CollectionKind) -> Vec<String> {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let report = permit.collect(kind);
    report.violations.iter().map(ToString::to_string).collect()
}

#[test]
fn survivors_move_and_age() {
    let heap = heap("zombie,verify=full");
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        m.store(&holder.registers()[0], m.string("kept").unwrap())
    });
    for generation in [Generation::Young1, Generation::Old, Generation::Old] {
        let before = with(&heap, &holder, |m| {
            m.load_root(&holder.registers()[0]).identity()
        });
        assert!(collect(&heap, CollectionKind::Minor).is_empty());
        with(&heap, &holder, |m| {
            let value = m.load_root(&holder.registers()[0]);
            assert_eq!(m.text(value), Some("kept"));
            assert_eq!(m.generation(value), Some(generation));
            let is_old_already = generation == Generation::Old && value.identity() == before;
            assert!(value.identity() != before || is_old_already);
        });
    }
    let before = with(&heap, &holder, |m| {
        m.load_root(&holder.registers()[0]).identity()
    });
    assert!(collect(&heap, CollectionKind::Major).is_empty());
    let after = with(&heap, &holder, |m| {
        m.load_root(&holder.registers()[0]).identity()
    });
    assert_ne!(before, after, "a major collection moves old objects too");
}

/// A holder without roots, whose buffer can be there for longer than the holder.
struct Dying {
    tlab: Arc<Tlab>,
    home: Home,
}

// SAFETY: it has no slots.
unsafe impl RootProvider for Dying {
    fn name(&self) -> String {
        "dying".to_owned()
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, _tracer: &mut dyn RootTracer) {}

    fn audit(&self, _audit: &mut RootAudit<'_>) {}

    fn tlab(&self) -> Option<&Tlab> {
        Some(&self.tlab)
    }
}

/// What a machine is for a moment when one thread drops it and another collects.
#[test]
fn the_buffer_of_a_holder_that_is_being_dropped_is_forgotten() {
    for modes in ["verify=full", "verify=full,scribble", "verify=full,zombie"] {
        let heap = heap(modes);
        let holder = Holder::new(&heap, "test", 64);
        let tlab = Arc::new(Tlab::new(&heap, 0));
        let dying = Arc::new(Dying {
            tlab: Arc::clone(&tlab),
            home: Home::new(&heap),
        });
        heap.add_provider(&dying);
        {
            let permit = heap.try_shared().expect("nobody collects");
            permit.mutator::<Checked>(&tlab).string("garbage").unwrap();
        }
        drop(dying);
        assert!(collect(&heap, CollectionKind::Minor).is_empty());
        // The memory is used again, more than once.
        for _ in 0..4 {
            with(&heap, &holder, |m| {
                for (index, register) in holder.registers().iter().enumerate() {
                    m.store(register, m.string(&format!("kept {index}")).unwrap());
                }
            });
            let violations = collect(&heap, CollectionKind::Minor);
            assert!(violations.is_empty(), "{modes}: {violations:?}");
        }
        with(&heap, &holder, |m| {
            for (index, register) in holder.registers().iter().enumerate() {
                let kept = m.load_root(register);
                assert_eq!(m.text(kept), Some(format!("kept {index}").as_str()));
            }
        });
    }
}

#[test]
fn old_to_young_store_dirties_its_card() {
    let heap = heap("promote=always,verify=full");
    let holder = Holder::new(&heap, "test", 1);
    let root = &holder.registers()[0];
    with(&heap, &holder, |m| {
        m.store(root, m.instance(1, &[Value::NIL; 3]).unwrap())
    });
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    let marked = heap.cards_marked();
    with(&heap, &holder, |m| {
        let young = m.string("young").unwrap();
        assert!(m.set_field(m.load_root(root), 2, young));
    });
    assert_eq!(heap.cards_marked(), marked + 1);
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        let kept = m.field(m.load_root(root), 2).unwrap();
        assert_eq!(m.text(kept), Some("young"));
    });
}

#[test]
fn a_dead_object_is_named_by_who_touches_it() {
    let heap = heap("zombie,scribble,quarantine=3");
    let holder = Holder::new(&heap, "test", 1);
    let stale = Slot::nil(ROOTS);
    with(&heap, &holder, |m| {
        m.store(&stale, m.at_site(77).cell(Value::NIL).unwrap())
    });
    collect(&heap, CollectionKind::Minor);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        with(&heap, &holder, |m| m.load_root(&stale).is_nil())
    }))
    .unwrap_err();
    let fault = panic
        .downcast::<gcrucible_heap::HeapFault>()
        .expect("a typed fault");
    assert_eq!(fault.what, gcrucible_heap::FaultKind::Zombie);
    assert_eq!(fault.kind, Some(gcrucible_heap::Kind::Cell));
    assert_eq!(
        (fault.allocated_at, fault.died_in_collection),
        (Some(77), Some(1))
    );
    assert!(heap.stats().zombies > 0);
    assert!(heap.stats().bytes_scribbled > 0);
}

#[test]
fn the_verifier_finds_a_root_that_was_not_forwarded() {
    let heap = heap("tags,verify=quick");
    let holder = Holder::new(&heap, "test", 2);
    let stale = Slot::nil(ROOTS);
    with(&heap, &holder, |m| {
        let value = m.string("moves").unwrap();
        m.store(&holder.registers()[0], value);
        m.store(&stale, value);
    });
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    // What `load` would say at once, the unchecked copy does not see.
    {
        let permit = heap.try_shared().unwrap();
        let m = permit.mutator::<Unchecked>(holder.tlab());
        m.store(&holder.registers()[1], m.load(&stale));
    }
    let violations = collect(&heap, CollectionKind::Minor);
    assert!(
        violations[0].starts_with("dangling_reference at root register"),
        "{violations:?}"
    );
}

#[test]
fn maps_keep_objects_as_keys_when_these_move() {
    let heap = heap("kind=major,verify=full");
    let holder = Holder::new(&heap, "test", 3);
    let [map, key, other] = [0, 1, 2].map(|at| &holder.registers()[at]);
    with(&heap, &holder, |m| {
        m.store(map, m.map().unwrap());
        m.store(key, m.cell(Value::NIL).unwrap());
        m.store(other, m.cell(Value::NIL).unwrap());
        m.map_set(m.load_root(map), m.load_root(key), Value::TRUE)
            .unwrap();
    });
    for _ in 0..3 {
        assert!(collect(&heap, CollectionKind::Major).is_empty());
        with(&heap, &holder, |m| {
            assert_eq!(
                m.map_get(m.load_root(map), m.load_root(key)),
                Some(Value::TRUE)
            );
            assert_eq!(m.map_get(m.load_root(map), m.load_root(other)), None);
        });
    }
}

#[test]
fn large_objects_stay_where_they_are_and_die_when_nothing_refers_to_them() {
    let heap = heap("verify=full");
    let holder = Holder::new(&heap, "test", 1);
    let root = &holder.registers()[0];
    with(&heap, &holder, |m| {
        let inside = m.string("inside").unwrap();
        m.store(root, inside);
    });
    assert!(
        with(&heap, &holder, |m| m.array_with_capacity(2000).is_err()),
        "collect first"
    );
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        let inside = m.load_root(root);
        let array = m
            .array_with_capacity(2000)
            .expect("an empty nursery takes any one object");
        m.store(root, array);
        assert!(m.array_push(array, inside).unwrap());
    });
    for kind in [
        CollectionKind::Minor,
        CollectionKind::Minor,
        CollectionKind::Major,
    ] {
        assert!(collect(&heap, kind).is_empty());
        with(&heap, &holder, |m| {
            let element = m.array_get(m.load_root(root), 0).unwrap();
            assert_eq!(m.text(element), Some("inside"));
        });
    }
    let used = heap.stats().used_bytes;
    root.clear();
    assert!(collect(&heap, CollectionKind::Major).is_empty());
    assert!(heap.stats().used_bytes + 16_000 <= used);
    let mut permit = heap.try_exclusive().unwrap();
    assert!(permit.census().is_empty());
}

#[test]
fn a_future_settles_once() {
    let heap = heap("verify=full");
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let future = m.future(7).unwrap();
        assert!(m.future_settle(future, FutureState::Ready, Value::TRUE));
        assert!(!m.future_settle(future, FutureState::Error, Value::FALSE));
        assert_eq!(
            m.future_state(future),
            Some((FutureState::Ready, Value::TRUE))
        );
    });
}

#[test]
fn deep_copies_keep_cycles_and_sharing() {
    let heap = heap("verify=full");
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let shared = m.array(&[]).unwrap();
        let cycle = m.instance(1, &[shared, shared, Value::NIL]).unwrap();
        assert!(m.set_field(cycle, 2, cycle));
        let copy = m.deep_copy(cycle).unwrap();
        assert!(!copy.is_identical(cycle));
        assert_eq!(m.field(copy, 2), Some(copy));
        assert_eq!(m.field(copy, 0), m.field(copy, 1));
        assert_ne!(m.field(copy, 0), m.field(cycle, 0));
        assert!(m.deep_equals(cycle, copy));
        m.array_push(shared, Value::TRUE).unwrap();
        assert!(!m.deep_equals(cycle, copy));
    });
}

#[test]
fn the_limit_is_an_error_and_a_collection_makes_room_again() {
    let config = HeapConfig {
        limit_bytes: 64 << 10,
        ..HeapConfig::tiny()
    };
    let heap = Heap::new(config, "collect=never".parse().unwrap()).unwrap();
    let holder = Holder::new(&heap, "test", 1);
    let fill = || {
        with(&heap, &holder, |m| {
            (0..10_000).all(|_| m.string("text").is_ok())
        })
    };
    assert!(!fill(), "64 KiB do not hold 10,000 strings");
    collect(&heap, CollectionKind::Major);
    assert!(with(&heap, &holder, |m| m.string("fits again").is_ok()));
}

#[test]
fn handles_keep_objects_and_count_by_kind() {
    let heap = heap("kind=major,verify=full");
    let holder = Holder::new(&heap, "test", 1);
    let (first, second) = with(&heap, &holder, |m| {
        let value = m.array(&[Value::TRUE]).unwrap();
        (
            heap.try_shared().unwrap().protect(value),
            heap.try_shared().unwrap().protect(value),
        )
    });
    collect(&heap, CollectionKind::Major);
    assert_eq!(heap.stats().protected_by_kind.get("array"), Some(&2));
    heap.unprotect(first);
    {
        let permit = heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(holder.tlab());
        let value = permit.protected(&second);
        assert_eq!(m.array_get(value, 0), Some(Value::TRUE));
    }
    heap.unprotect(second);
    assert!(heap.stats().protected_by_kind.is_empty());
    collect(&heap, CollectionKind::Major);
    let mut permit = heap.try_exclusive().unwrap();
    assert!(permit.census().is_empty());
}

#[test]
fn what_cannot_be_copied_survives_where_it_is() {
    for modes in [
        "exhausted=0,verify=full",
        "exhausted=0,zombie,scribble,verify=full",
        "exhausted=0,promote=always,verify=full",
        "exhausted=0,kind=major,tags,verify=full",
    ] {
        let heap = heap(modes);
        let holder = Holder::new(&heap, "test", 2);
        let [root, weak] = [0, 1].map(|at| &holder.registers()[at]);
        with(&heap, &holder, |m| {
            let leaf = m.string("leaf").unwrap();
            let inner = m.cell(leaf).unwrap();
            m.store(weak, m.weak(inner).unwrap());
            m.store(root, m.instance(1, &[inner, leaf, Value::NIL]).unwrap());
        });
        let mut kept = 0;
        for kind in [
            CollectionKind::Minor,
            CollectionKind::Minor,
            CollectionKind::Minor,
            CollectionKind::Major,
        ] {
            let mut permit = heap.try_exclusive().unwrap();
            let report = permit.collect(kind);
            drop(permit);
            assert!(report.violations.is_empty(), "{modes}: {report:?}");
            kept += report.kept;
            with(&heap, &holder, |m| {
                let object = m.load_root(root);
                let inner = m.field(object, 0).unwrap();
                assert_eq!(m.weak_target(m.load_root(weak)), Some(inner));
                assert_eq!(m.text(m.cell_get(inner).unwrap()), Some("leaf"));
                if kind == CollectionKind::Major {
                    let fresh = m.string("fresh").unwrap();
                    assert!(m.set_field(object, 2, fresh));
                }
            });
        }
        assert!(kept > 0, "{modes}: nothing was kept in place");
        assert!(collect(&heap, CollectionKind::Major).is_empty());
        with(&heap, &holder, |m| {
            let fresh = m.field(m.load_root(root), 2).unwrap();
            assert_eq!(m.text(fresh), Some("fresh"));
        });
        root.clear();
        weak.clear();
        collect(&heap, CollectionKind::Major);
        let mut permit = heap.try_exclusive().unwrap();
        assert!(permit.census().is_empty(), "{modes}");
    }
}

#[test]
fn the_card_table_grows_with_the_old_generation() {
    let config = HeapConfig {
        limit_bytes: 8 << 20,
        ..HeapConfig::tiny()
    };
    let heap = Heap::new(config, "promote=always,verify=full".parse().unwrap()).unwrap();
    let holder = Holder::new(&heap, "test", 2);
    let [large, root] = [0, 1].map(|at| &holder.registers()[at]);
    // 20,000 words make the old generation reach far beyond the table's first part.
    with(&heap, &holder, |m| {
        m.store(large, m.array_with_capacity(20_000).unwrap());
    });
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        m.store(root, m.instance(1, &[Value::NIL]).unwrap());
    });
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    let marked = heap.cards_marked();
    with(&heap, &holder, |m| {
        assert_eq!(m.generation(m.load_root(root)), Some(Generation::Old));
        let young = m.string("young").unwrap();
        assert!(m.set_field(m.load_root(root), 0, young));
    });
    assert_eq!(heap.cards_marked(), marked + 1);
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        let kept = m.field(m.load_root(root), 0).unwrap();
        assert_eq!(m.text(kept), Some("young"));
    });
}

#[test]
fn interned_strings_are_shared_while_they_live() {
    let heap = heap("zombie,verify=full");
    let holder = Holder::new(&heap, "test", 1);
    let root = &holder.registers()[0];
    with(&heap, &holder, |m| {
        let first = m.intern("x").unwrap();
        assert!(first.is_identical(m.intern("x").unwrap()));
        m.store(root, first);
    });
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        assert!(m.load_root(root).is_identical(m.intern("x").unwrap()));
    });
    root.clear();
    assert!(collect(&heap, CollectionKind::Minor).is_empty());
    with(&heap, &holder, |m| {
        assert_eq!(m.text(m.intern("x").unwrap()), Some("x"));
    });
}

#[test]
fn a_handle_changes_what_it_keeps() {
    let heap = heap("verify=full");
    let holder = Holder::new(&heap, "test", 1);
    let handle = with(&heap, &holder, |m| {
        heap.try_shared().unwrap().protect(m.array(&[]).unwrap())
    });
    let copy = {
        let permit = heap.try_shared().unwrap();
        permit
            .protect_copy::<Checked>(&handle, holder.tlab())
            .unwrap()
    };
    assert_eq!(heap.stats().protected_by_kind.get("array"), Some(&2));
    let handle = with(&heap, &holder, |m| {
        let permit = heap.try_shared().unwrap();
        permit.reprotect(handle, m.cell(Value::TRUE).unwrap())
    });
    assert_eq!(heap.stats().protected_by_kind.get("array"), Some(&1));
    assert_eq!(heap.stats().protected_by_kind.get("cell"), Some(&1));
    heap.unprotect(copy);
    heap.unprotect(handle);
    assert!(heap.stats().protected_by_kind.is_empty());
}
