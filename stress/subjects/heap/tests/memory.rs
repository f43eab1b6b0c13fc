//! Memory errors that no probe sees are told by the allocator that keeps what is freed.

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use gcrucible_heap_subject::{
    Caps, Collect, HeapLane, HeapSubject, Knobs, Look, NoMemory, Node, Probe, generate,
};
use gcrucible_quarantine::Quarantine;
use gcrucible_scenario::Lane;
use gcrucible_subject::Subject as _;
use gcrucible_trace::RunOptions;
use gcrucible_trace::choices::SeededChoices;

#[global_allocator]
static GLOBAL: Quarantine = Quarantine;

/// What a collection does with a block of its own.
const RIGHT: u8 = 0;
const FREES_TWICE: u8 = 1;
const WRITES_LATE: u8 = 2;

/// Counted references, and a collection that has nothing to do but that.
struct Careless<const BUG: u8>;

struct Counted {
    probe: Probe,
    fields: RefCell<Vec<Option<Rc<Counted>>>>,
}

impl<const BUG: u8> HeapSubject for Careless<BUG> {
    const NAME: &'static str = "careless";
    const CAPS: Caps = Caps::NONE;

    type Ref = Rc<Counted>;
    type Weak = ();

    fn new(_knobs: &Knobs) -> Self {
        Careless
    }

    fn alloc(&self, node: Node) -> Result<Rc<Counted>, NoMemory> {
        let fields = RefCell::new(vec![None; node.fields]);
        let probe = node.probe;
        Ok(Rc::new(Counted { probe, fields }))
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

    #[allow(
        unsafe_code,
        reason = "errors of memory are the bugs that are to be found"
    )]
    fn collect(&self, _how: Collect) {
        let layout = Layout::new::<[u64; 8]>();
        // SAFETY: the layout is not empty. What is wrong on purpose meets the quarantine, which keeps the block until the end
        // of the run: a write to it harms nobody, and its second free is refused.
        unsafe {
            let block = black_box(alloc(layout));
            dealloc(black_box(block), layout);
            match BUG {
                FREES_TWICE => dealloc(block, layout),
                WRITES_LATE => block.add(3).write_volatile(7),
                _ => {}
            }
        }
    }
}

/// The first failure of so many programs.
fn first<const BUG: u8>() -> Option<(String, String)> {
    let lane = HeapLane::<Careless<BUG>>::new(Lane::EXTRA);
    (0..200).find_map(|seed| {
        let program = generate(&mut SeededChoices::new(seed), Careless::<BUG>::CAPS, None);
        let report = lane.run(&lane.scenario(program), &RunOptions::default());
        let failure = report.failure?;
        Some((failure.oracle, failure.check))
    })
}

fn memory(check: &str) -> Option<(String, String)> {
    Some(("memory_is_sound".to_owned(), check.to_owned()))
}

#[test]
fn a_second_free_and_a_late_write_are_told() {
    assert_eq!(first::<RIGHT>(), None);
    assert_eq!(first::<FREES_TWICE>(), memory("double_free"));
    assert_eq!(first::<WRITES_LATE>(), memory("late_write"));
}
