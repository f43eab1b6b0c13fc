//! Compile-time objects: those of a version live as long as anything refers to one of them.

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, CompileTimeObjects, Heap, HeapConfig, Holder, Mutator, Register,
};

const MODES: [&str; 4] = [
    "verify=full",
    "verify=full,zombie",
    "verify=full,scribble,tags",
    "verify=full,zombie,quarantine=2",
];

fn heap(modes: &str) -> Arc<Heap> {
    let modes = modes.parse().expect("modes that exist");
    Heap::new(HeapConfig::tiny(), modes).expect("address space for a tiny heap")
}

/// Makes a version of many objects, some of them large, and puts one of its strings into
/// `register`.
fn version(heap: &Heap, holder: &Holder, register: usize) {
    let permit = heap.try_shared().expect("nobody collects");
    let m = permit.mutator::<Checked>(holder.tlab());
    let mut objects = CompileTimeObjects::new(&permit);
    for number in 0..100 {
        objects.string(&format!("constant {number}")).unwrap();
        objects.int(i64::MAX - number).unwrap();
        objects.function(number as u16).unwrap();
        objects.variant(number as u16).unwrap();
    }
    objects.string(&"large ".repeat(1000)).unwrap();
    let message = objects.string("message").unwrap();
    let again = objects.string("message").unwrap();
    assert_eq!(message, again, "a text is made once");
    objects.error(1, "message").unwrap();
    m.store(&holder.registers()[register], message);
}

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap, kind: CollectionKind) {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let report = permit.collect(kind);
    assert_eq!(report.violations, []);
}

fn forget(slot: &Register, heap: &Heap, holder: &Holder) {
    with(heap, holder, |m| m.store(slot, gcrucible_heap::Value::NIL));
}

#[test]
fn a_version_goes_as_a_whole_with_the_last_reference_to_it() {
    for modes in MODES {
        let heap = heap(modes);
        let holder = Holder::new(&heap, "test", 2);
        version(&heap, &holder, 0);
        let of_one = heap.stats().used_bytes;
        version(&heap, &holder, 1);
        assert_eq!(heap.stats().versions, 2);
        collect(&heap, CollectionKind::Major);
        assert_eq!(heap.stats().versions, 2, "{modes}: both are referred to");
        forget(&holder.registers()[0], &heap, &holder);
        collect(&heap, CollectionKind::Minor);
        assert_eq!(heap.stats().versions, 2, "{modes}: a minor one frees none");
        collect(&heap, CollectionKind::Major);
        let stats = heap.stats();
        assert_eq!((stats.versions, stats.used_bytes), (1, of_one), "{modes}");
        with(&heap, &holder, |m| {
            let kept = m.load_root(&holder.registers()[1]);
            assert_eq!(m.text(kept), Some("message"));
        });
        forget(&holder.registers()[1], &heap, &holder);
        collect(&heap, CollectionKind::Major);
        let stats = heap.stats();
        assert_eq!((stats.versions, stats.used_bytes), (0, 0), "{modes}");
    }
}

#[test]
fn an_object_a_weak_reference_and_a_handle_keep_a_version() {
    for modes in MODES {
        let heap = heap(modes);
        let holder = Holder::new(&heap, "test", 3);
        for register in 0..3 {
            version(&heap, &holder, register);
        }
        let handle = with(&heap, &holder, |m| {
            let [first, second, third] =
                [0, 1, 2].map(|register| m.load_root(&holder.registers()[register]));
            m.store(&holder.registers()[0], m.array(&[first]).unwrap());
            m.store(&holder.registers()[1], m.weak(second).unwrap());
            heap.try_shared().unwrap().protect(third)
        });
        forget(&holder.registers()[2], &heap, &holder);
        for _ in 0..3 {
            collect(&heap, CollectionKind::Major);
            assert_eq!(heap.stats().versions, 3, "{modes}");
        }
        with(&heap, &holder, |m| {
            let array = m.load_root(&holder.registers()[0]);
            let weak = m.load_root(&holder.registers()[1]);
            let kept = [m.array_get(array, 0), m.weak_target(weak)];
            assert_eq!(kept.map(|kept| m.text(kept.unwrap())), [Some("message"); 2]);
        });
        heap.unprotect(handle);
        for (register, left) in [(0, 1), (1, 0)] {
            forget(&holder.registers()[register], &heap, &holder);
            collect(&heap, CollectionKind::Major);
            assert_eq!(heap.stats().versions, left, "{modes}");
        }
    }
}

#[test]
fn many_new_versions_ask_for_a_major_collection() {
    let heap = heap("natural");
    let holder = Holder::new(&heap, "test", 1);
    let mut most = 0;
    for _ in 0..200 {
        version(&heap, &holder, 0);
        most = most.max(heap.stats().versions);
        collect(&heap, heap.kind_to_collect());
    }
    assert!(most <= 10, "{most} versions at once");
    assert!(heap.stats().collections_minor > heap.stats().collections_major);
}
