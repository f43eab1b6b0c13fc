//! Allocations below the heap's limit succeed after the collections that they ask for,
//! whatever the sizes of blocks, nursery, buffers and objects are to one another.

use std::sync::Arc;

use gcrucible_heap::{
    Checked, CollectionKind, Heap, HeapConfig, Holder, MapStoreError, Mutator, NeedsMemory, Value,
};

const LIMIT_BYTES: u64 = 1 << 20;
/// Modes that change what an allocation is refused for, or how buffers are cut.
const MODES: [&str; 5] = [
    "natural",
    "verify=quick",
    "collect=never,scribble",
    "collect=alloc:1,promote=always",
    "fail=alloc:4000000,scribble",
];

/// Sizes from one word to several blocks, those around each boundary among them.
fn sizes(config: &HeapConfig) -> Vec<u32> {
    let block = config.block_bytes / 8;
    let near = |words: u32| words.saturating_sub(6)..words + 2;
    let mut sizes: Vec<u32> = [block / 2, block, block * 2, config.nursery_bytes / 8]
        .into_iter()
        .flat_map(near)
        .chain([0, 1, 7, block * 5, config.tlab_bytes / 8])
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn configs() -> impl Iterator<Item = HeapConfig> {
    let blocks = [512, 2048];
    blocks.into_iter().flat_map(|block_bytes| {
        let nurseries = [256, 1024, 8192];
        nurseries.into_iter().flat_map(move |nursery_bytes| {
            [128, 2048].map(|tlab_bytes| HeapConfig {
                block_bytes,
                card_bytes: 128,
                nursery_bytes,
                tlab_bytes,
                limit_bytes: LIMIT_BYTES,
            })
        })
    })
}

struct World {
    heap: Arc<Heap>,
    holder: Holder,
    config: HeapConfig,
    modes: &'static str,
}

impl World {
    fn new(config: HeapConfig, modes: &'static str) -> World {
        let debug = modes.parse().expect("the test names modes that exist");
        let heap = Heap::new(config, debug).expect("address space for a tiny heap");
        let holder = Holder::new(&heap, "test", 4);
        World {
            heap,
            holder,
            config,
            modes,
        }
    }

    fn collect(&self, kind: CollectionKind) {
        let mut permit = self.heap.try_exclusive().expect("no permit is held");
        let report = permit.collect(kind);
        assert_eq!(report.violations, []);
    }

    /// Makes a value and stores it, with the collections that an engine makes for it: the
    /// usual one, then a major one. The value must come to be with those two.
    fn make<E: Into<MapStoreError>>(
        &self,
        register: usize,
        what: &str,
        make: impl for<'p> Fn(&Mutator<'p, Checked>, &'p Holder) -> Result<Value<'p>, E>,
    ) {
        for attempt in 0..3 {
            let permit = self.heap.try_shared().expect("nobody collects");
            let m = permit.mutator::<Checked>(self.holder.tlab());
            match make(&m, &self.holder).map_err(Into::into) {
                Ok(value) => return m.store(&self.holder.registers()[register], value),
                Err(MapStoreError::NeedsMemory(NeedsMemory { .. })) => {}
                Err(error) => panic!("{what}: {error:?}"),
            }
            drop(permit);
            match attempt {
                0 => self.collect(self.heap.kind_to_collect()),
                _ => self.collect(CollectionKind::Major),
            }
        }
        let used = self.heap.stats().used_bytes;
        let World { config, modes, .. } = self;
        panic!("{what}: refused with {used} bytes in use, {modes}, {config:?}");
    }
}

fn part<'p>(m: &Mutator<'p, Checked>, holder: &'p Holder, register: usize) -> Value<'p> {
    m.load(&holder.registers()[register])
}

fn on_each_heap(check: impl Fn(&World)) {
    for config in configs() {
        for modes in MODES {
            check(&World::new(config, modes));
        }
    }
}

#[test]
fn single_objects_of_any_size_are_made() {
    on_each_heap(|world| {
        for words in sizes(&world.config) {
            let text = "x".repeat(words as usize * 8);
            let fields = vec![Value::TRUE; words as usize];
            // Twice: the nursery is as full as the one before has left it.
            for _ in 0..2 {
                let what = format!("of {words} words");
                world.make(0, &what, |m, _| m.string(&text));
                world.make(1, &what, |m, _| m.instance(0, &fields));
                world.make(2, &what, |m, holder| m.cell(part(m, holder, 1)));
            }
        }
    });
}

#[test]
fn arrays_and_maps_of_any_size_are_made() {
    on_each_heap(|world| {
        for len in sizes(&world.config) {
            let what = format!("{len} elements");
            world.make(0, &what, |m, _| m.array(&vec![Value::NIL; len as usize]));
            world.make(1, &what, |m, holder| {
                m.array_push(part(m, holder, 0), part(m, holder, 1))
                    .map(|_| part(m, holder, 0))
            });
            let pairs: Vec<(Value<'_>, Value<'_>)> = (0..len as i32 / 2)
                .map(|key| (Value::int32(key), Value::NIL))
                .collect();
            world.make(2, &what, |m, _| m.map_of(&pairs));
            world.make(2, &what, |m, holder| {
                let map = part(m, holder, 2);
                m.map_set(map, Value::TRUE, part(m, holder, 1))
                    .map(|()| map)
            });
        }
    });
}

/// A copy of objects that follow each other in an order which leaves as much of each buffer
/// unused as can be.
#[test]
fn graphs_of_any_size_are_copied() {
    on_each_heap(|world| {
        for words in sizes(&world.config) {
            let wide = vec![Value::NIL; words as usize];
            for small in [0, 3] {
                let narrow = vec![Value::NIL; small];
                world.make(0, "the end", |m, _| m.array(&[]));
                for length in [1, 2, 6] {
                    let what = format!("{length} times {small} and {words} words");
                    for _ in 0..length {
                        world.make(1, &what, |m, holder| {
                            let fields = [&[part(m, holder, 0)], &narrow[..]].concat();
                            m.instance(1, &fields)
                        });
                        world.make(0, &what, |m, holder| {
                            let fields = [&[part(m, holder, 1)], &wide[..]].concat();
                            m.instance(2, &fields)
                        });
                    }
                    world.make(2, &what, |m, holder| m.deep_copy(part(m, holder, 1)));
                    world.make(2, &what, |m, holder| m.deep_copy(part(m, holder, 0)));
                    world.make(3, &what, |m, holder| m.deep_copy(part(m, holder, 2)));
                    let permit = world.heap.try_shared().expect("nobody collects");
                    let m = permit.mutator::<Checked>(world.holder.tlab());
                    let copied = |register| part(&m, &world.holder, register);
                    assert!(m.deep_equals(copied(0), copied(3)), "{what}");
                }
            }
        }
    });
}

/// The least that a limit lets through: what has its blocks alone may take all of it.
#[test]
fn one_array_may_take_nearly_the_whole_heap() {
    on_each_heap(|world| {
        let least = LIMIT_BYTES as u32 / 8 - 3 * world.config.block_bytes / 8;
        world.make(0, "the array", |m, _| m.array_with_capacity(least));
    });
}

/// Blocks in quarantine are not in use, and there may be several times as many of them as
/// the limit is.
#[test]
fn quarantine_takes_no_memory_away() {
    for modes in [
        "quarantine=1",
        "quarantine=3,scribble",
        "quarantine=9,zombie",
    ] {
        let config = HeapConfig {
            block_bytes: 512,
            limit_bytes: LIMIT_BYTES,
            ..HeapConfig::tiny()
        };
        let world = World::new(config, modes);
        let parts = [Value::NIL; 27];
        // Most of what the limit lets through, and all of it moves at each collection.
        while world.heap.stats().used_bytes < LIMIT_BYTES * 3 / 4 {
            world.make(0, "the next", |m, holder| {
                m.instance(0, &[&[part(m, holder, 0)], &parts[..]].concat())
            });
        }
        for _ in 0..12 {
            world.collect(CollectionKind::Major);
            world.make(1, "another", |m, _| m.array_with_capacity(400));
        }
    }
}
