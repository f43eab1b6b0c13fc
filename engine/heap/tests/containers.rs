//! Arrays and maps against the standard library's, and what their operations cost, counted in
//! storages made.

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, Heap, HeapConfig, HeapDebug, Holder, MapStoreError, Mutator,
    NeedsMemory, Unchecked, Value,
};

fn heap(config: HeapConfig) -> Arc<Heap> {
    let modes = "zombie,verify=full".parse().expect("modes that exist");
    Heap::new(config, modes).expect("address space for a heap")
}

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

fn collect(heap: &Heap, kind: CollectionKind) {
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let report = permit.collect(kind);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

fn elements<'p>(m: &Mutator<'p, Checked>, array: Value<'p>) -> Vec<i64> {
    let len = m.array_len(array).expect("an array");
    (0..len)
        .map(|index| {
            m.as_int(m.array_get(array, index).expect("there"))
                .expect("an int")
        })
        .collect()
}

/// Does `act`, collecting as often as it finds no memory.
fn with<R>(
    heap: &Heap,
    holder: &Holder,
    act: impl for<'p> Fn(&Mutator<'p, Checked>) -> Result<R, NeedsMemory>,
) -> R {
    for kind in [CollectionKind::Minor, CollectionKind::Major] {
        {
            let permit = heap.try_shared().expect("nobody collects");
            if let Ok(done) = act(&permit.mutator::<Checked>(holder.tlab())) {
                return done;
            }
        }
        collect(heap, kind);
    }
    let permit = heap.try_shared().expect("nobody collects");
    act(&permit.mutator::<Checked>(holder.tlab())).expect("room after two collections")
}

#[test]
fn an_array_does_what_a_vector_does_at_both_ends_and_between() {
    let heap = heap(HeapConfig::tiny());
    let holder = Holder::new(&heap, "test", 2);
    let mut numbers = Numbers(7);
    for round in 0..40u64 {
        let (array, copied) = (&holder.registers()[0], &holder.registers()[1]);
        with(&heap, &holder, |m| {
            m.array(&[]).map(|new| m.store(array, new))
        });
        let mut expected: Vec<i64> = Vec::new();
        for step in 0..200u64 {
            let len = expected.len() as u64;
            let value = (round * 1000 + step) as i64;
            let int = Value::int32(value as i32);
            // Each round has ends of its own.
            match (numbers.below(12) + round % 3 * 2) % 12 {
                0..=2 => {
                    let at = match numbers.below(3) {
                        0 => 0,
                        1 => len,
                        _ => numbers.below(len + 1),
                    };
                    let moves = with(&heap, &holder, |m| {
                        Ok(m.array_insert_moves(m.load_root(array), at as u32))
                    });
                    assert!(u64::from(moves) <= len);
                    let is_done = with(&heap, &holder, |m| {
                        m.array_insert(m.load_root(array), at as u32, int)
                    });
                    assert!(is_done);
                    expected.insert(at as usize, value);
                }
                3..=5 => {
                    with(&heap, &holder, |m| m.array_push(m.load_root(array), int));
                    expected.push(value);
                }
                6 | 7 => {
                    let at = numbers.below(2) * numbers.below(len + 1);
                    let removed = with(&heap, &holder, |m| {
                        let removed = m.array_remove(m.load_root(array), at as u32);
                        Ok(removed.and_then(|value| m.as_int(value)))
                    });
                    let is_there = at < len;
                    assert_eq!(removed, is_there.then(|| expected.remove(at as usize)));
                }
                8 => {
                    let popped = with(&heap, &holder, |m| {
                        Ok(m.array_pop(m.load_root(array)).and_then(|v| m.as_int(v)))
                    });
                    assert_eq!(popped, expected.pop());
                }
                9 => {
                    let (from, to) = (numbers.below(len + 1), len);
                    with(&heap, &holder, |m| {
                        let slice = m.array_slice(m.load_root(array), from as u32, to as u32)?;
                        let slice = slice.expect("within bounds");
                        assert_eq!(elements(m, slice), expected[from as usize..]);
                        m.store(copied, slice);
                        Ok(())
                    });
                    with(&heap, &holder, |m| {
                        m.array_extend(m.load_root(array), m.load_root(copied))
                    });
                    expected.extend_from_within(from as usize..);
                    if numbers.below(2) == 0 {
                        with(&heap, &holder, |m| Ok(m.array_reverse(m.load_root(array))));
                        expected.reverse();
                    }
                }
                10 => {
                    with(&heap, &holder, |m| {
                        m.store(copied, m.deep_copy(m.load_root(array))?);
                        assert!(m.deep_equals(m.load_root(array), m.load_root(copied)));
                        m.store(array, m.load_root(copied));
                        Ok(())
                    });
                }
                _ => collect(
                    &heap,
                    match numbers.below(2) {
                        0 => CollectionKind::Minor,
                        _ => CollectionKind::Major,
                    },
                ),
            }
            expected.truncate(100);
            let found = with(&heap, &holder, |m| {
                let array = m.load_root(array);
                while m.array_len(array) > Some(100) {
                    m.array_pop(array);
                }
                Ok(elements(m, array))
            });
            assert_eq!(found, expected);
        }
    }
}

/// How many storages an array of `len` elements has had when `act` has run `times` times.
fn storages(
    len: usize,
    times: u32,
    act: impl for<'p> Fn(&Mutator<'p, Unchecked>, Value<'p>),
) -> u64 {
    let heap = Heap::new(HeapConfig::default(), HeapDebug::default()).expect("address space");
    let holder = Holder::new(&heap, "test", 1);
    {
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<Unchecked>(holder.tlab());
        let array = m.array(&vec![Value::TRUE; len]).expect("room");
        for _ in 0..times {
            act(&m, array);
        }
    }
    // Nothing was collected: all that were ever made are there.
    let mut permit = heap.try_exclusive().expect("no permit is held");
    let census = permit.census();
    let storages = census.iter().find(|(name, _)| *name == "array storage");
    storages.map_or(0, |&(_, count)| count)
}

#[test]
fn both_ends_move_all_elements_only_now_and_then() {
    let in_front = |m: &Mutator<'_, Unchecked>, array: Value<'_>| {
        assert_eq!(m.array_insert(array, 0, Value::NIL), Ok(true));
    };
    assert!(storages(100, 10_000, in_front) < 20);
    let both_ends = |m: &Mutator<'_, Unchecked>, array: Value<'_>| {
        assert_eq!(m.array_insert(array, 0, Value::NIL), Ok(true));
        assert_eq!(m.array_push(array, Value::NIL), Ok(true));
    };
    assert!(storages(100, 10_000, both_ends) < 40);
    // A queue moves its elements once for as many as go through it as it has.
    let queue = |m: &Mutator<'_, Unchecked>, array: Value<'_>| {
        assert_eq!(m.array_push(array, Value::NIL), Ok(true));
        assert!(m.array_remove(array, 0).is_some());
        let (len, room) = m.array_room(array).expect("an array");
        assert!(room <= 4 * len);
    };
    assert!(storages(100, 10_000, queue) < 150);
}

#[test]
fn a_map_does_what_a_list_of_entries_does() {
    let heap = heap(HeapConfig::tiny());
    let holder = Holder::new(&heap, "test", 1);
    let map = &holder.registers()[0];
    let mut numbers = Numbers(11);
    for round in 0..20u64 {
        with(&heap, &holder, |m| m.map().map(|new| m.store(map, new)));
        // Removed entries stay in the list, so that a place in it is one in the map.
        let mut expected: Vec<(i64, Option<i64>)> = Vec::new();
        let mut walk = (0, 0);
        for step in 0..300u64 {
            let key = numbers.below(20 + round * 5) as i64;
            let (name, value) = (Value::int32(key as i32), Value::int32(step as i32));
            let known = |expected: &[(i64, Option<i64>)]| {
                expected
                    .iter()
                    .position(|&(other, value)| other == key && value.is_some())
            };
            match numbers.below(8) {
                0..=3 => {
                    let done = with(&heap, &holder, |m| {
                        match m.map_set(m.load_root(map), name, value) {
                            Err(MapStoreError::NeedsMemory(needs)) => Err(needs),
                            done => Ok(done),
                        }
                    });
                    assert_eq!(done, Ok(()));
                    match known(&expected) {
                        Some(at) => expected[at].1 = Some(step as i64),
                        None => expected.push((key, Some(step as i64))),
                    }
                }
                4 | 5 => {
                    // Mostly the first one, as a queue does.
                    let first = expected.iter().position(|entry| entry.1.is_some());
                    let at = if numbers.below(3) > 0 {
                        first
                    } else {
                        known(&expected)
                    };
                    let key = at.map_or(key, |at| expected[at].0);
                    let removed = with(&heap, &holder, |m| {
                        let removed = m.map_remove(m.load_root(map), Value::int32(key as i32));
                        Ok(removed.and_then(|value| m.as_int(value)))
                    });
                    assert_eq!(removed, at.and_then(|at| expected[at].1.take()));
                }
                6 => {
                    // A walk goes on where it was, whatever has changed meanwhile.
                    let found = with(&heap, &holder, |m| {
                        let next = m.map_next(m.load_root(map), walk.0);
                        Ok(next.map(|(after, key, _)| (after, m.as_int(key))))
                    });
                    let rest = expected[walk.1..]
                        .iter()
                        .position(|entry| entry.1.is_some());
                    match found {
                        Some((after, key)) => {
                            let at = walk.1 + rest.expect("an entry is left");
                            assert_eq!(key, Some(expected[at].0));
                            walk = (after, at + 1);
                        }
                        None => {
                            assert_eq!(rest, None);
                            walk = (0, 0);
                        }
                    }
                }
                _ => collect(&heap, CollectionKind::Minor),
            }
            let live = expected
                .iter()
                .filter_map(|&(key, value)| Some((key, value?)));
            let found = with(&heap, &holder, |m| {
                let entries = m.map_entries(m.load_root(map)).expect("a map");
                assert_eq!(m.map_len(m.load_root(map)), Some(entries.len() as u32));
                let numbers = |(key, value)| Some((m.as_int(key)?, m.as_int(value)?));
                Ok(entries.into_iter().map(numbers).collect::<Option<Vec<_>>>())
            });
            assert_eq!(found, Some(live.collect::<Vec<_>>()));
        }
    }
}
