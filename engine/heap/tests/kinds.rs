//! What each kind of object does, collections apart.
#![allow(unsafe_code, reason = "copies in steps have roots")]

use std::sync::Arc;

use gcrucible_heap::{
    Acquired, Checked, CollectionKind, Copying, ForkStop, FutureState, Heap, HeapConfig, Holder,
    Mutator, Received, RootRight, Sent, Slot, StreamState, Value,
};

// SAFETY: each slot is filled and read under one permit.
const ROOTS: RootRight = unsafe { RootRight::claim() };

fn heap() -> Arc<Heap> {
    let modes = "zombie,verify=full".parse().expect("modes that exist");
    Heap::new(HeapConfig::tiny(), modes).expect("address space for a tiny heap")
}

fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab()))
}

fn collect(heap: &Heap, kind: CollectionKind) {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let report = permit.collect(kind);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

fn elements<'p>(m: &Mutator<'p, Checked>, array: Value<'p>) -> Vec<Option<i64>> {
    let len = m.array_len(array).expect("an array");
    (0..len)
        .map(|index| m.as_int(m.array_get(array, index).expect("within bounds")))
        .collect()
}

#[test]
fn a_channel_gives_back_what_it_took_in_order() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let channel = m.channel(6).unwrap();
        for round in 0..5 {
            for n in 0..6 {
                let sent = m.channel_try_send(channel, Value::int32(round * 10 + n));
                assert_eq!(sent, Ok(Some(Sent::Done)));
            }
            assert_eq!(
                m.channel_try_send(channel, Value::NIL),
                Ok(Some(Sent::Full))
            );
            assert_eq!(
                m.channel_peek(channel, 5),
                Some(Value::int32(round * 10 + 5))
            );
            for n in 0..6 {
                let received = m.channel_try_receive(channel);
                let expected = Value::int32(round * 10 + n);
                assert_eq!(received, Some(Received::Value(expected)));
            }
            assert_eq!(m.channel_try_receive(channel), Some(Received::Empty));
            // The ring begins elsewhere in the next round.
            assert_eq!(
                m.channel_try_send(channel, Value::TRUE),
                Ok(Some(Sent::Done))
            );
            assert_eq!(
                m.channel_try_receive(channel),
                Some(Received::Value(Value::TRUE))
            );
        }
    });
}

#[test]
fn a_closed_channel_takes_nothing_and_gives_what_it_has() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let channel = m.channel(2).unwrap();
        let (id, version) = m.wait_version(channel).unwrap();
        m.channel_try_send(channel, Value::TRUE).unwrap();
        assert_eq!(m.channel_close(channel), Some(true));
        assert_eq!(m.channel_close(channel), Some(false));
        assert_eq!(m.wait_version(channel), Some((id, version + 2)));
        assert_eq!(
            m.channel_try_send(channel, Value::NIL),
            Ok(Some(Sent::Closed))
        );
        assert_eq!(
            m.channel_try_receive(channel),
            Some(Received::Value(Value::TRUE))
        );
        assert_eq!(m.channel_try_receive(channel), Some(Received::Closed));
        let other = m.mutex().unwrap();
        assert_eq!(m.wait_version(other), Some((id + 1, 0)));
        assert_eq!(m.wait_version(Value::NIL), None);
    });
}

#[test]
fn a_mutex_has_one_holder() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let mutex = m.mutex().unwrap();
        assert_eq!(m.mutex_try_acquire(mutex, 0), Some(Acquired::Done));
        assert_eq!(m.mutex_try_acquire(mutex, 0), Some(Acquired::Again));
        assert_eq!(m.mutex_try_acquire(mutex, 1), Some(Acquired::Held));
        assert!(!m.mutex_release(mutex, 1));
        assert_eq!(m.mutex_holder(mutex), Some(Some(0)));
        assert_eq!(m.wait_version(mutex).map(|(_, version)| version), Some(0));
        assert!(m.mutex_release(mutex, 0));
        assert_eq!(m.wait_version(mutex).map(|(_, version)| version), Some(1));
        assert_eq!(m.mutex_holder(mutex), Some(None));
        assert_eq!(m.mutex_try_acquire(Value::NIL, 0), None);
    });
}

#[test]
fn a_stream_is_taken_once_and_lets_go_of_its_function() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let source = m.closure(1, &[]).unwrap();
        let stream = m.stream(source).unwrap();
        assert_eq!(m.stream_state(stream), Some(StreamState::Fresh));
        assert_eq!(m.stream_take(stream), Some(true));
        assert_eq!(m.stream_take(stream), Some(false));
        assert_eq!(m.stream_source(stream), Some(source));
        assert!(m.stream_end(stream));
        assert_eq!(m.stream_state(stream), Some(StreamState::Ended));
        assert_eq!(m.stream_source(stream), Some(Value::NIL));
    });
}

#[test]
fn a_weak_reference_is_cleared_with_its_target() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 3);
    let [weak, kept, kept_weak] = [0, 1, 2].map(|at| &holder.registers()[at]);
    with(&heap, &holder, |m| {
        let target = m.cell(Value::TRUE).unwrap();
        m.store(weak, m.weak(target).unwrap());
        m.store(kept, m.cell(Value::FALSE).unwrap());
        m.store(kept_weak, m.weak(m.load_root(kept)).unwrap());
        assert_eq!(m.weak_target(m.load_root(weak)), Some(target));
    });
    for kind in [
        CollectionKind::Minor,
        CollectionKind::Minor,
        CollectionKind::Major,
        CollectionKind::Minor,
    ] {
        collect(&heap, kind);
        with(&heap, &holder, |m| {
            assert_eq!(m.weak_target(m.load_root(weak)), Some(Value::NIL));
            let target = m.load_root(kept);
            assert_eq!(m.weak_target(m.load_root(kept_weak)), Some(target));
        });
    }
    // The target is old by now: minor collections leave it alone.
    kept.clear();
    collect(&heap, CollectionKind::Minor);
    with(&heap, &holder, |m| {
        let target = m.weak_target(m.load_root(kept_weak)).unwrap();
        assert_eq!(m.cell_get(target), Some(Value::FALSE));
    });
    collect(&heap, CollectionKind::Major);
    with(&heap, &holder, |m| {
        assert_eq!(m.weak_target(m.load_root(kept_weak)), Some(Value::NIL));
    });
}

#[test]
fn futures_know_the_order_in_which_they_settled() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let [first, second] = [1, 2].map(|id| m.future(id).unwrap());
        assert_eq!(m.future_settled_order(first), None);
        assert!(m.future_settle(second, FutureState::Error, Value::NIL));
        assert!(m.future_settle(first, FutureState::Ready, Value::NIL));
        assert!(m.future_settled_order(second) < m.future_settled_order(first));
    });
}

#[test]
fn arrays_change_as_a_whole() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let array = m.array(&[1, 2, 3].map(Value::int32)).unwrap();
        assert!(m.array_extend(array, array).unwrap());
        assert_eq!(elements(m, array), [1, 2, 3, 1, 2, 3].map(Some));
        assert!(m.array_reverse(array));
        assert_eq!(elements(m, array), [3, 2, 1, 3, 2, 1].map(Some));
        let slice = m.array_slice(array, 1, 4).unwrap().unwrap();
        assert_eq!(elements(m, slice), [2, 1, 3].map(Some));
        assert_eq!(m.array_slice(array, 4, 7), Ok(None));
        assert_eq!(m.array_slice(array, 3, 2), Ok(None));
        let empty = m.array_slice(array, 6, 6).unwrap().unwrap();
        assert!(m.array_extend(empty, slice).unwrap());
        assert!(m.array_fill(slice, Value::int32(9)));
        assert_eq!(elements(m, slice), [9, 9, 9].map(Some));
        assert_eq!(elements(m, empty), [2, 1, 3].map(Some));
        assert!(!m.array_reverse(Value::NIL));
    });
}

#[test]
fn forks_share_nothing_that_can_change() {
    forks_share_nothing(None);
}

#[test]
fn forks_in_steps_share_nothing_that_can_change() {
    for units in [1, 5, 100] {
        forks_share_nothing(Some(units));
    }
}

/// In one go, or in steps of so many units of work.
fn forks_share_nothing(step: Option<u32>) {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let copy_of = |value| {
            let [from, to] = [Slot::nil(ROOTS), Slot::nil(ROOTS)];
            m.store(&from, value);
            let slots = (std::slice::from_ref(&from), std::slice::from_ref(&to));
            let Some(step) = step else {
                let mut units = u32::MAX;
                let made = m.fork(slots.0, slots.1, &mut units);
                return made.map(|_| m.load_root(&to));
            };
            let mut copying = Copying::of_fork(ROOTS, slots.0);
            while !m.fork_on(&mut copying, slots.1, &mut { step })? {}
            Ok(m.load_root(&to))
        };
        let part = m.array(&[Value::int32(1)]).unwrap();
        let iterator = m.iterator(part, 1).unwrap();
        let copy = copy_of(iterator).unwrap();
        let (source, position) = m.iterator_parts(copy).unwrap();
        assert!(copy != iterator && source != part && position == 1);
        // A future that was not handed over yet has its arguments copied.
        let call = m.unscheduled(Value::NIL, &[part, part]).unwrap();
        let copy = copy_of(call).unwrap();
        let args = [1, 2].map(|index| m.unscheduled_part(copy, index).unwrap());
        assert!(args[0] != part && args[0] == args[1]);
        assert_eq!(elements(m, args[0]), [Some(1)]);
        // One that was, is shared, and so is what it gives.
        let future = m.future(1).unwrap();
        assert!(m.future_settle(future, FutureState::Ready, part));
        let channel = m.channel(1).unwrap();
        let text = m.string("text").unwrap();
        for shared in [future, channel, text, m.range(1, 2).unwrap()] {
            assert_eq!(copy_of(shared), Ok(shared));
        }
        m.channel_try_send(channel, part).unwrap();
        assert_eq!(copy_of(channel), Ok(channel));
        assert_eq!(m.channel_try_receive(channel), Some(Received::Value(part)));
        let cell = m.cell(part).unwrap();
        let closure = m.closure(1, &[cell, cell]).unwrap();
        let copy = copy_of(closure).unwrap();
        let cells = [0, 1].map(|index| m.closure_capture(copy, index).unwrap());
        assert!(copy != closure && cells[0] != cell && cells[0] == cells[1]);
        assert!(m.cell_get(cells[0]) != Some(part));
        let mutex = m.mutex().unwrap();
        assert_eq!(m.mutex_try_acquire(mutex, 3), Some(Acquired::Done));
        let copy = copy_of(mutex).unwrap();
        assert_eq!(m.mutex_holder(copy), Some(None));
        assert!(m.wait_version(copy) != m.wait_version(mutex));
        // A stream is found behind what is shared, too.
        let stream = m.stream(Value::NIL).unwrap();
        m.channel_try_send(channel, stream).unwrap();
        for refused in [stream, channel, m.cell(stream).unwrap()] {
            assert_eq!(copy_of(refused), Err(ForkStop::Stream));
        }
    });
}

#[test]
fn deep_copies_share_what_has_an_identity_of_its_own() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let shared = [
            m.channel(1).unwrap(),
            m.mutex().unwrap(),
            m.stream(Value::NIL).unwrap(),
            m.bound(Value::TRUE, Value::NIL).unwrap(),
            m.enum_value(3, &[]).unwrap(),
        ];
        let array = m.array(&shared).unwrap();
        let copy = m.deep_copy(array).unwrap();
        assert_ne!(copy, array);
        for (index, value) in shared.into_iter().enumerate() {
            assert_eq!(m.array_get(copy, index as u32), Some(value));
        }
        assert!(m.deep_equals(array, copy));
        assert!(!m.deep_equals(shared[0], m.channel(1).unwrap()));
        let [a, b, c] = [1, 1, 2].map(|n| m.enum_value(4, &[Value::int32(n)]).unwrap());
        assert!(m.deep_equals(a, b) && !m.deep_equals(a, c));
        let bound = m.bound(Value::TRUE, Value::NIL).unwrap();
        assert!(!m.deep_equals(shared[3], bound));
    });
}

#[test]
fn a_copied_weak_reference_leads_to_the_copy_of_its_target() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let targets = [1, 2].map(|n| m.instance(7, &[Value::int32(n)]).unwrap());
        let weak = targets.map(|target| m.weak(target).unwrap());
        // The first target comes after the weak reference to it; the second not at all.
        let array = m.array(&[weak[0], weak[1], weak[0], targets[0]]).unwrap();
        let copy = m.deep_copy(array).unwrap();
        let part = |index| m.array_get(copy, index).unwrap();
        assert_ne!(part(0), weak[0]);
        assert_eq!(part(0), part(2));
        assert_ne!(part(3), targets[0]);
        assert_eq!(m.weak_target(part(0)), Some(part(3)));
        assert_ne!(part(1), weak[1]);
        assert_eq!(m.weak_target(part(1)), Some(targets[1]));
        assert_eq!(m.weak_id(part(0)), Some(3));
        assert!(m.deep_equals(array, copy));
        let other = m.weak(targets[1]).unwrap();
        assert!(m.deep_equals(weak[1], other) && !m.deep_equals(weak[0], other));
        // A fork must not lead to what is the template's alone.
        let slots = [Slot::nil(ROOTS), Slot::nil(ROOTS)];
        m.store(&slots[0], array);
        let mut units = u32::MAX;
        assert_eq!(m.fork(&slots[..1], &slots[1..], &mut units), Ok(true));
        let forked = m.load_root(&slots[1]);
        let part = |index| m.array_get(forked, index).unwrap();
        assert_eq!(m.weak_target(part(0)), Some(part(3)));
        assert_eq!(m.weak_target(part(1)), Some(Value::NIL));
    });
}

#[test]
fn a_copy_in_steps_gives_the_ids_that_one_in_one_go_gives() {
    let heap = heap();
    let holder = Holder::new(&heap, "test", 1);
    with(&heap, &holder, |m| {
        let target = m.instance(7, &[Value::TRUE]).unwrap();
        let weak = [0, 1, 2].map(|_| m.weak(target).unwrap());
        // What an array holds comes behind what stands beside it.
        let inner = m.array(&[weak[0]]).unwrap();
        let side = m.instance(7, &[weak[1]]).unwrap();
        let map = m.map_of(&[(Value::TRUE, weak[2])]).unwrap();
        let array = m.array(&[inner, map, side, target]).unwrap();
        let ids = |copy: Value<'_>| {
            let part = |index| m.array_get(copy, index).unwrap();
            let copies = [
                m.array_get(part(0), 0).unwrap(),
                m.field(part(2), 0).unwrap(),
                m.map_get(part(1), Value::TRUE).unwrap(),
            ];
            for copy in copies {
                assert_eq!(m.weak_target(copy), Some(part(3)));
            }
            copies.map(|copy| m.weak_id(copy).unwrap())
        };
        let expected = ids(m.deep_copy(array).unwrap());
        let from = expected.into_iter().min().unwrap();
        for units in [1, 7, 100] {
            let mut copying = Copying::of_value(ROOTS, array);
            while !copying.step(m, &mut { units }).unwrap() {}
            copying.renew(m);
            let found = ids(copying.result(m, 0));
            let least = found.into_iter().min().unwrap();
            assert_eq!(found.map(|id| id - least), expected.map(|id| id - from));
        }
    });
}

#[test]
#[should_panic(expected = "the handle is one of another heap")]
fn a_handle_of_another_heap_is_refused() {
    let (one, other) = (heap(), heap());
    let handle = one.try_shared().unwrap().protect(Value::TRUE);
    // It has a handle in the same place.
    let _its_own = other.try_shared().unwrap().protect(Value::TRUE);
    other.unprotect(handle);
}
