//! Programs on one virtual machine, without an engine.

use std::sync::Arc;

use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{CollectionKind, Heap, HeapConfig, HeapDebug, Unchecked};
use gcrucible_vm::{Realm, SliceEnd, SliceInput, Vm};

/// Calls, ints and comparisons.
pub const FIB: &str = "
fn fib(n) {
  if n < 2 { return n }
  return fib(n - 1) + fib(n - 2)
}
fn main() { return fib(18) }
";

/// Ints and jumps alone.
pub const LOOP: &str = "
fn main() {
  let sum = 0
  let i = 0
  while i < 30000 {
    sum = sum + i % 7
    i = i + 1
  }
  return sum
}
";

/// Maps, strings and arrays, with collections in between.
pub const OBJECTS: &str = "
class Point { x, y }
fn main() {
  let map = {}
  let points = []
  for i in 0..2000 {
    let point = Point { x: i, y: i * 2 }
    points.push(point)
    map[\"k${i % 50}\"] = point
  }
  let sum = 0
  for point in points { sum += point.x + point.y }
  return sum + map.len()
}
";

/// A loaded program.
#[derive(Debug)]
pub struct Interpreter {
    heap: Arc<Heap>,
    realm: Arc<Realm>,
}

impl Interpreter {
    /// Compiles and loads a program, and runs its top level.
    ///
    /// # Panics
    /// If the source is wrong.
    pub fn new(source: &str) -> Self {
        let program =
            compile(&Source::new("bench.crux", source)).unwrap_or_else(|errors| panic!("{errors}"));
        let heap = Heap::new(HeapConfig::default(), HeapDebug::default())
            .expect("address space for a heap");
        let realm = {
            let permit = heap.try_shared().expect("nobody collects");
            Realm::load(&permit, Arc::new(program)).expect("a verified program")
        };
        let made = Interpreter { heap, realm };
        made.run(Vm::start_init);
        made.realm.freeze();
        made
    }

    /// Calls `main`; how many instructions it took.
    pub fn main(&self) -> u64 {
        let main = self
            .realm
            .program()
            .entry_export("main")
            .expect("the program has a main");
        self.run(|vm| {
            let permit = self.heap.try_shared().expect("nobody collects");
            vm.start_global(&permit, main, &[]);
        })
    }

    fn run(&self, start: impl FnOnce(&Vm)) -> u64 {
        let vm = Vm::new(&self.heap, Arc::clone(&self.realm), 1);
        start(&vm);
        let mut instructions = 0;
        loop {
            let outcome = {
                let permit = self.heap.try_shared().expect("nobody collects");
                vm.run_slice::<Unchecked>(&permit, SliceInput::with_fuel(100_000))
            };
            instructions += u64::from(outcome.instructions);
            match outcome.end {
                SliceEnd::Fuel | SliceEnd::Safepoint => {}
                SliceEnd::NeedsMemory { .. } => {
                    let mut permit = self.heap.try_exclusive().expect("no slice runs");
                    permit.collect(CollectionKind::Minor);
                }
                SliceEnd::Returned => return instructions,
                other => panic!("a bench program ended with {other:?}"),
            }
        }
    }
}
