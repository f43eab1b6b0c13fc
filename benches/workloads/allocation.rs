//! Small objects that die at once: by the engine, by a plain bump allocator, by `Box`.

use std::hint::black_box;
use std::sync::Arc;

use gcrucible_heap::{CollectionKind, Heap, HeapConfig, HeapDebug, Holder, Unchecked, Value};

/// Fields of each object. With the header it has one word more.
pub const FIELDS: usize = 3;

/// A heap on which objects are allocated.
#[derive(Debug)]
pub struct Allocation {
    heap: Arc<Heap>,
    holder: Holder,
}

impl Default for Allocation {
    /// A heap with the sizes of production.
    fn default() -> Self {
        let heap = Heap::new(HeapConfig::default(), HeapDebug::default())
            .expect("address space for a heap");
        let holder = Holder::new(&heap, "bench", 1);
        Allocation { heap, holder }
    }
}

impl Allocation {
    /// Allocates `count` instances, and collects whenever the nursery is full.
    pub fn instances(&self, count: usize) {
        let mut left = count;
        while left > 0 {
            left = self.until_full(left);
            if left > 0 {
                let mut permit = self.heap.try_exclusive().expect("nobody else has a permit");
                permit.collect(CollectionKind::Minor);
            }
        }
    }

    /// Allocates until `count` objects are made or a collection is due; how many are left.
    fn until_full(&self, count: usize) -> usize {
        let permit = self.heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<Unchecked>(self.holder.tlab());
        for made in 0..count {
            match m.instance(1, &[Value::NIL; FIELDS]) {
                Ok(object) => _ = black_box(object),
                Err(_) => return count - made,
            }
        }
        0
    }
}

/// A buffer from which words are taken from the front, and which begins anew when it is
/// full: the least that an allocator can do.
#[derive(Debug)]
pub struct Bump {
    words: Box<[u64]>,
    cursor: usize,
}

impl Default for Bump {
    /// A buffer as large as the nursery of production.
    fn default() -> Self {
        let bytes = HeapConfig::default().nursery_bytes as usize;
        Bump {
            words: vec![0; bytes / 8].into(),
            cursor: 0,
        }
    }
}

impl Bump {
    /// Allocates and initialises `count` objects.
    pub fn objects(&mut self, count: usize) {
        for _ in 0..count {
            black_box(self.object());
        }
    }

    #[inline]
    fn object(&mut self) -> &mut [u64] {
        let mut end = self.cursor + FIELDS + 1;
        if end > self.words.len() {
            end = FIELDS + 1;
        }
        self.cursor = end;
        let object = &mut self.words[end - FIELDS - 1..end];
        object[0] = black_box(0x0101);
        object[1..].fill(2);
        object
    }
}

/// Allocates and frees `count` boxes.
pub fn boxes(count: usize) {
    for _ in 0..count {
        black_box(Box::new([black_box(2_u64); FIELDS + 1]));
    }
}
