//! Programs of 100 operations a CPU second on a heap that counts references, with the model on: what the harness costs.
//!
//! `cargo bench -p gcrucible-heap-subject` prints a line.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use gcrucible_heap_subject::{
    Caps, Collect, HeapLane, HeapSubject, Knobs, Look, NoMemory, Node, Probe, generate,
};
use gcrucible_scenario::Lane;
use gcrucible_subject::Subject as _;
use gcrucible_trace::choices::SeededChoices;
use gcrucible_trace::{RunOptions, clock};

struct Counted {
    probe: Probe,
    fields: RefCell<Vec<Option<Rc<Counted>>>>,
}

struct Counting;

impl HeapSubject for Counting {
    const NAME: &'static str = "counting";
    const CAPS: Caps = Caps::WEAK.and(Caps::PROMPT);
    type Ref = Rc<Counted>;
    type Weak = Weak<Counted>;

    fn new(_knobs: &Knobs) -> Self {
        Counting
    }

    fn alloc(&self, node: Node) -> Result<Rc<Counted>, NoMemory> {
        Ok(Rc::new(Counted {
            probe: node.probe,
            fields: RefCell::new(vec![None; node.fields]),
        }))
    }

    fn look(&self, at: &Rc<Counted>) -> Look {
        at.probe.look()
    }

    fn get(&self, at: &Rc<Counted>, field: usize) -> Option<Rc<Counted>> {
        at.fields.borrow()[field].clone()
    }

    fn set(&self, at: &Rc<Counted>, field: usize, to: Option<&Rc<Counted>>) {
        let before = std::mem::replace(&mut at.fields.borrow_mut()[field], to.cloned());
        drop(before);
    }

    fn same(&self, one: &Rc<Counted>, other: &Rc<Counted>) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn clone_root(&self, root: &Rc<Counted>) -> Rc<Counted> {
        Rc::clone(root)
    }

    fn collect(&self, _how: Collect) {}

    fn downgrade(&self, root: &Rc<Counted>) -> Weak<Counted> {
        Rc::downgrade(root)
    }

    fn upgrade(&self, weak: &Weak<Counted>) -> Option<Rc<Counted>> {
        weak.upgrade()
    }

    fn clone_weak(&self, weak: &Weak<Counted>) -> Weak<Counted> {
        Weak::clone(weak)
    }
}

fn main() {
    const PROGRAMS: u64 = 50_000;
    let lane = HeapLane::<Counting>::new(Lane::EXTRA);
    let begun = clock::process_cpu_ns();
    let mut operations = 0;
    for seed in 0..PROGRAMS {
        let program = generate(&mut SeededChoices::new(seed), Counting::CAPS, Some(100));
        let report = lane.run(&lane.scenario(program), &RunOptions::default());
        assert_eq!(report.failure, None);
        operations += report.counters.operations;
    }
    let seconds = (clock::process_cpu_ns() - begun) as f64 / 1e9;
    println!(
        "{:.0} programs of 100 operations a CPU second, drawn, run and judged; {:.0} ns an operation",
        PROGRAMS as f64 / seconds,
        seconds * 1e9 / operations as f64
    );
}
