//! Tests the heap of this crate.

use std::process::ExitCode;

use gcrucible_heap_subject::{Caps, Collect, HeapSubject, Knobs, Look, NoMemory, Node, Probe};
use own_heap::{Heap, Root, Weak};

struct OwnHeap(Heap<Probe>);

impl HeapSubject for OwnHeap {
    const NAME: &'static str = "own-heap";
    const CAPS: Caps = Caps::CYCLES
        .and(Caps::WEAK)
        .and(Caps::INCREMENTAL)
        .and(Caps::PROMPT);

    type Ref = Root<Probe>;
    type Weak = Weak;

    fn new(_knobs: &Knobs) -> Self {
        OwnHeap(Heap::new())
    }

    fn alloc(&self, node: Node) -> Result<Root<Probe>, NoMemory> {
        Ok(self.0.alloc(node.probe, node.fields))
    }

    fn look(&self, at: &Root<Probe>) -> Look {
        self.0.with(at, Probe::look)
    }

    fn get(&self, at: &Root<Probe>, field: usize) -> Option<Root<Probe>> {
        self.0.get(at, field)
    }

    fn set(&self, at: &Root<Probe>, field: usize, to: Option<&Root<Probe>>) {
        self.0.set(at, field, to);
    }

    fn same(&self, one: &Root<Probe>, other: &Root<Probe>) -> bool {
        one.is_same(other)
    }

    fn clone_root(&self, root: &Root<Probe>) -> Root<Probe> {
        root.clone()
    }

    fn collect(&self, how: Collect) {
        match how {
            Collect::Full => self.0.collect(),
            Collect::Minor | Collect::Step => self.0.step(),
        }
    }

    fn downgrade(&self, root: &Root<Probe>) -> Weak {
        self.0.downgrade(root)
    }

    fn upgrade(&self, weak: &Weak) -> Option<Root<Probe>> {
        self.0.upgrade(weak)
    }

    fn clone_weak(&self, weak: &Weak) -> Weak {
        weak.clone()
    }
}

fn main() -> ExitCode {
    gcrucible_heap_subject::heap_main::<OwnHeap>()
}
