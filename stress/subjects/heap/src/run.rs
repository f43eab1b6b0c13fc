//! Runs a program on a heap and on the model, and compares the two after each step.
//!
//! Callbacks of the heap (drops, finalizers, tracing) come in here while an operation is under
//! way, and may do operations of their own. So nothing here is borrowed while the heap is called, and
//! the model is brought up to date *before* the heap is told what to do: what it drops in the middle is judged by
//! what can be reached then.

mod callbacks;
mod end;
mod held;
mod operations;
mod places;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use gcrucible_trace::{Counters, Failure, RunOptions, RunReport};

use super::model::{Id, Model};
use super::probe::{self, Listener, Look};
use super::program::{Op, Plan, Program};
use super::subject::{HeapSubject, Knobs};
use places::Places;

/// How deep callbacks may do operations whose callbacks do operations.
const DEPTH_MAX: u32 = 3;

/// A panic of a program's own.
struct PlannedPanic;

/// A run under way.
pub(crate) struct Run<H: HeapSubject> {
    heap: RefCell<Option<Rc<H>>>,
    /// A heap beside it, for references that it must refuse.
    stranger: RefCell<Option<Rc<H>>>,
    knobs: Knobs,
    places: RefCell<Places<H>>,
    model: RefCell<Model>,
    /// What each node does in its callbacks.
    plans: RefCell<Vec<Option<Rc<Plan>>>>,
    number: Cell<u32>,
    depth: Cell<u32>,
    /// Callbacks do what their plans say.
    acts: Cell<bool>,
    /// A callback panicked: from then on nothing need be dropped, and the heap may refuse to go on.
    has_panicked: Cell<bool>,
    /// The node being allocated: if that fails it may drop.
    unborn: Cell<Option<Id>>,
    /// Allocations that may fail.
    failures_due: Cell<u32>,
    /// The next look is falsified.
    canary: Cell<bool>,
    /// The operation under way.
    site: Cell<&'static str>,
    failure: RefCell<Option<Failure>>,
    counters: RefCell<Counters>,
    hash: Cell<u64>,
    timeline: RefCell<Option<Vec<(u32, String)>>>,
}

/// Runs a program. Also says whether it leaves a heap behind that was not cleaned up: where heaps are
/// of their thread, that thread is spoilt.
pub(crate) fn run<H: HeapSubject>(program: &Program, options: &RunOptions) -> (RunReport, bool) {
    let run = Rc::new(Run::<H>::new(program.knobs, options));
    run.number
        .set(probe::listen(Rc::clone(&run) as Rc<dyn Listener>));
    run.guarded("new", |run| {
        *run.heap.borrow_mut() = Some(Rc::new(H::new(&program.knobs)));
    });
    for op in &program.ops {
        if run.is_over() {
            break;
        }
        run.guarded(op.name(), |run| run.operate(op));
    }
    if !run.is_over() {
        run.end();
    }
    probe::listen_no_more();
    let report = run.report();
    let is_spoilt = report.failure.is_some() || run.has_panicked.get();
    if is_spoilt {
        // A heap that is wrong is not to be asked to clean up.
        std::mem::forget(run);
    }
    (report, is_spoilt)
}

impl<H: HeapSubject> Run<H> {
    fn new(knobs: Knobs, options: &RunOptions) -> Run<H> {
        Run {
            heap: RefCell::new(None),
            stranger: RefCell::new(None),
            knobs,
            places: RefCell::new(Places::default()),
            model: RefCell::new(Model::default()),
            plans: RefCell::new(Vec::new()),
            number: Cell::new(0),
            depth: Cell::new(0),
            acts: Cell::new(true),
            has_panicked: Cell::new(false),
            unborn: Cell::new(None),
            failures_due: Cell::new(0),
            canary: Cell::new(options.canary),
            site: Cell::new(""),
            failure: RefCell::new(None),
            counters: RefCell::new(Counters::default()),
            hash: Cell::new(0),
            timeline: RefCell::new(options.record.then(Vec::new)),
        }
    }

    /// Does one thing from outside all callbacks. A panic of the heap is a failure.
    fn guarded(self: &Rc<Self>, site: &'static str, does: impl FnOnce(&Rc<Self>)) {
        self.site.set(site);
        self.depth.set(0);
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| does(self))) else {
            return;
        };
        if payload.is::<PlannedPanic>() {
            self.say(|| "the panic comes out of the heap".to_owned());
        } else if self.has_panicked.get() {
            // After a panic of a callback a heap may refuse to go on.
            self.acts.set(false);
            self.site.set("");
            std::mem::forget(self.heap.take());
        } else {
            self.fail("no_crash", "panic", &panic_text(&*payload));
        }
    }

    /// Whether there is nothing more to do: something failed, or the heap refuses to go on.
    fn is_over(&self) -> bool {
        self.failure.borrow().is_some() || self.heap.borrow().is_none()
    }

    fn heap(&self) -> Rc<H> {
        let heap = self.heap.borrow();
        Rc::clone(heap.as_ref().expect("operations run while there is a heap"))
    }

    /// Notes the first claim that does not hold.
    fn fail(&self, oracle: &str, check: &str, message: &str) {
        self.say(|| format!("WRONG: {message}"));
        self.failure.borrow_mut().get_or_insert_with(|| Failure {
            oracle: oracle.to_owned(),
            check: check.to_owned(),
            site: self.site.get().to_owned(),
            message: format!("in `{}`: {message}", self.site.get()),
        });
    }

    /// A line of the timeline, if somebody wants it.
    fn say(&self, line: impl FnOnce() -> String) {
        if let Some(timeline) = &mut *self.timeline.borrow_mut() {
            let indent = "  ".repeat(self.depth.get() as usize);
            timeline.push((0, format!("{indent}{}", line())));
        }
    }

    /// Adds to what the trace hash is of.
    fn observe(&self, word: u64) {
        let mixed = (self.hash.get() ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash.set(mixed ^ (mixed >> 29));
    }

    fn count(&self, what: impl FnOnce(&mut Counters)) {
        what(&mut self.counters.borrow_mut());
    }

    fn report(&self) -> RunReport {
        RunReport {
            counters: self.counters.borrow().clone(),
            failure: self.failure.borrow().clone(),
            trace_hash: self.hash.get(),
            timeline: self.timeline.take().unwrap_or_default(),
            ..RunReport::default()
        }
    }

    /// What a root's probe says, with the falsification of a canary.
    fn look(&self, root: &H::Ref) -> Look {
        let look = self.heap().look(root);
        match look {
            Look::Live(id) if self.canary.replace(false) => Look::Live(id + 1),
            look => look,
        }
    }

    /// Whether an operation of this depth may go on; it is skipped if not.
    fn may(&self, op: &Op) -> bool {
        super::generator::is_allowed(H::CAPS, op, self.depth.get() > 0)
            && self.depth.get() <= DEPTH_MAX
    }
}

/// What a panic says.
fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    format!(
        "the heap panics: {}",
        text.as_deref().unwrap_or("a value that is no text")
    )
}
