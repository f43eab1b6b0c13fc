//! What collections do to registered finalizers and their objects.

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, CollectionReport, Heap, HeapConfig, Holder, Mutator, Value,
};

fn heap() -> Arc<Heap> {
    let modes = "zombie,verify=full".parse().expect("modes that exist");
    Heap::new(HeapConfig::tiny(), modes).expect("address space for a tiny heap")
}

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap, kind: CollectionKind) -> CollectionReport {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let report = permit.collect(kind);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    report
}

/// Takes the first of the queue: what its function's and its object's cell hold.
fn take(heap: &Heap, holder: &Holder) -> Option<[Option<i64>; 2]> {
    let permit = heap.try_shared().expect("nobody collects");
    let (function, object) = permit.take_finalizer()?;
    let m = permit.mutator::<Checked>(holder.tlab());
    Some([function, object].map(|cell| m.as_int(m.cell_get(cell)?)))
}

#[test]
fn finalizers_are_queued_in_order_of_registration_and_once() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    let kept = &holder.registers()[0];
    with(&heap, &holder, |m| {
        let cell = |n| m.cell(Value::int32(n)).unwrap();
        let [first, second, third] = [1, 2, 3].map(cell);
        m.store(kept, second);
        assert_eq!(m.add_finalizer(first, cell(10)), Ok(Some(1)));
        assert_eq!(m.add_finalizer(third, cell(20)), Ok(Some(2)));
        assert_eq!(m.add_finalizer(second, cell(30)), Ok(Some(3)));
        assert_eq!(m.add_finalizer(first, cell(40)), Ok(Some(4)));
        assert_eq!(m.add_finalizer(Value::TRUE, cell(50)), Ok(None));
    });
    assert_eq!(collect(&heap, CollectionKind::Minor).queued, [1, 2, 4]);
    assert_eq!(heap.next_finalizer(), Some(1));
    // The queue keeps them, wherever they move.
    for kind in [CollectionKind::Minor, CollectionKind::Major] {
        assert!(collect(&heap, kind).queued.is_empty());
    }
    kept.clear();
    assert!(collect(&heap, CollectionKind::Minor).queued.is_empty());
    assert_eq!(collect(&heap, CollectionKind::Major).queued, [3]);
    for expected in [[10, 1], [20, 3], [40, 1], [30, 2]] {
        assert_eq!(take(&heap, &holder), Some(expected.map(Some)));
    }
    assert_eq!(take(&heap, &holder), None);
    assert!(collect(&heap, CollectionKind::Major).queued.is_empty());
    let mut permit = heap.try_exclusive().expect("no permit is held");
    assert_eq!(permit.census(), []);
}

#[test]
fn weak_references_to_what_comes_back_to_life_are_cleared() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 3);
    let [strong, weak, part_weak] = [0, 1, 2].map(|at| &holder.registers()[at]);
    with(&heap, &holder, |m| {
        m.store(strong, m.cell(Value::TRUE).unwrap());
        let part = m.cell(Value::FALSE).unwrap();
        let to_part = m.weak(part).unwrap();
        let to_strong = m.weak(m.load_root(strong)).unwrap();
        let parts = [part, to_part, to_strong];
        let object = m.instance(1, &parts).unwrap();
        m.store(weak, m.weak(object).unwrap());
        m.store(part_weak, m.weak(part).unwrap());
        m.add_finalizer(object, Value::NIL).unwrap();
    });
    let report = collect(&heap, CollectionKind::Minor);
    assert_eq!(report.queued, [1]);
    assert_eq!(report.cleared, [1, 3, 4]);
    let permit = heap.try_shared().expect("nobody collects");
    let (_, object) = permit.take_finalizer().expect("it is queued");
    let m = permit.mutator::<Checked>(holder.tlab());
    let part = |index| m.field(object, index).expect("three fields");
    assert_eq!(m.cell_get(part(0)), Some(Value::FALSE));
    assert_eq!(m.weak_target(part(1)), Some(Value::NIL));
    assert_eq!(m.weak_target(part(2)), Some(m.load_root(strong)));
}

#[test]
fn dropped_registrations_keep_nothing_alive() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 0);
    with(&heap, &holder, |m| {
        for _ in 0..2 {
            let function = m.cell(Value::NIL).unwrap();
            m.add_finalizer(m.cell(Value::NIL).unwrap(), function)
                .unwrap();
        }
    });
    assert_eq!(collect(&heap, CollectionKind::Minor).queued.len(), 2);
    heap.drop_finalizers();
    assert_eq!(heap.next_finalizer(), None);
    collect(&heap, CollectionKind::Major);
    let mut permit = heap.try_exclusive().expect("no permit is held");
    assert_eq!(permit.census(), []);
}

#[test]
fn who_has_most_in_the_queue_loses_the_newest() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    let owners: [Arc<dyn std::any::Any + Send + Sync>; 3] = [Arc::new(0), Arc::new(1), Arc::new(2)];
    with(&heap, &holder, |m| {
        let cell = |n| m.cell(Value::int32(n)).unwrap();
        // The first has one, the second six, the third four which do not count.
        for (at, owner) in [1, 1, 2, 1, 0, 1, 2, 2, 1, 1, 2].into_iter().enumerate() {
            let owner = Some(Arc::clone(&owners[owner]));
            let (object, function) = (cell(at as i32), cell(10));
            assert!(m.add_finalizer_of(owner, object, function).is_ok());
        }
    });
    let is_counted = |owner: &Arc<dyn std::any::Any + Send + Sync>| !Arc::ptr_eq(owner, &owners[2]);
    assert_eq!(heap.give_up_finalizers(4, is_counted), 0, "none waits");
    assert_eq!(collect(&heap, CollectionKind::Minor).queued.len(), 11);
    assert_eq!(heap.give_up_finalizers(4, is_counted), 3);
    assert_eq!(heap.give_up_finalizers(4, is_counted), 0, "once is enough");
    for expected in [0, 1, 2, 3, 4, 6, 7, 10] {
        assert_eq!(take(&heap, &holder), Some([Some(10), Some(expected)]));
    }
    assert_eq!(heap.next_finalizer(), None);
}
