//! What each node carries: it notices that it is dropped, and whether it is used after that.
//!
//! A probe has a magic number, its node's number and a checksum of both. The drop overwrites the
//! magic number, so that a reference to a dropped node that is not overwritten yet is known; one that is
//! overwritten has a wrong checksum. That needs no sanitizer. Under one, reading it is a report of its own.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::run::Run;
use super::subject::{HeapSubject, Inside};

const LIVE: u64 = 0x6C69_7665_6E6F_6465;
const DEAD: u64 = 0xDEAD_6E6F_6465_DEAD;

/// Notices what happens to its node.
#[derive(Debug)]
pub struct Probe {
    magic: Cell<u64>,
    /// Which run's node it is: one that outlives its run, because that failed, is nobody's business.
    run: u32,
    node: u32,
    sum: u32,
    /// Its drop was told of already.
    told: Cell<bool>,
}

/// What a probe says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The node with this number lives.
    Live(u32),
    /// The node was dropped.
    Dropped(u32),
    /// No node was here, or its memory is used for something else.
    Garbage,
}

/// What listens to probes.
pub(crate) trait Listener {
    /// A node drops; its number, if the probe knows it.
    fn dropped(&self, look: Look);
    /// The listener itself.
    fn as_any(self: Rc<Self>) -> Rc<dyn std::any::Any>;
}

thread_local! {
    static LISTENER: RefCell<Option<(u32, Rc<dyn Listener>)>> = const { RefCell::new(None) };
}

/// Runs of this process.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Nodes that dropped on threads without a listener, with their runs.
static ELSEWHERE: Mutex<Vec<(u32, Look)>> = Mutex::new(Vec::new());

/// Makes the probes of a new run on this thread tell a listener. Returns the run's number.
pub(crate) fn listen(listener: Rc<dyn Listener>) -> u32 {
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    LISTENER.set(Some((run, listener)));
    run
}

/// Makes the probes of this thread tell nobody.
pub(crate) fn listen_no_more() {
    LISTENER.set(None);
}

/// What of a run dropped on other threads since the last time.
pub(crate) fn dropped_elsewhere(run: u32) -> Vec<Look> {
    let all = std::mem::take(&mut *ELSEWHERE.lock());
    let of_run = all.into_iter().filter(|(number, _)| *number == run);
    of_run.map(|(_, look)| look).collect()
}

fn checksum(node: u32) -> u32 {
    (node ^ 0x5bd1_e995)
        .wrapping_mul(0x9e37_79b1)
        .rotate_left(7)
}

impl Probe {
    /// The probe of node number `node` of a run.
    pub(crate) fn new(run: u32, node: u32) -> Probe {
        Probe {
            magic: Cell::new(LIVE),
            run,
            node,
            sum: checksum(node),
            told: Cell::new(false),
        }
    }

    /// What it says of its node.
    pub fn look(&self) -> Look {
        // Opaque: that a reference to a dropped node is undefined must not be used against us.
        let this = black_box(self);
        match (this.magic.get(), this.sum == checksum(this.node)) {
            (LIVE, true) => Look::Live(this.node),
            (DEAD, true) => Look::Dropped(this.node),
            _ => Look::Garbage,
        }
    }

    fn run<H: HeapSubject>(&self) -> Option<Rc<Run<H>>> {
        self.listener()?.as_any().downcast::<Run<H>>().ok()
    }

    /// Who listens to the probe's run on this thread.
    fn listener(&self) -> Option<Rc<dyn Listener>> {
        let listener = LISTENER
            .try_with(|listener| listener.borrow().clone())
            .ok()??;
        (listener.0 == self.run).then_some(listener.1)
    }

    /// To be called by the `Drop` of the node, while it can still see its fields. Needed for
    /// [`Caps::DROP_LOOKS`](crate::Caps::DROP_LOOKS) and `DROP_TAKES`; else the probe's own drop does.
    pub fn dropping<H: HeapSubject>(&self, node: &dyn Inside<H>) {
        self.told.set(true);
        if let Some(run) = self.run::<H>() {
            run.node_drops(self.look(), Some(node));
        }
    }

    /// To be called by the finalizer of the node.
    pub fn finalizing<H: HeapSubject>(&self, node: &dyn Inside<H>) {
        if let Some(run) = self.run::<H>() {
            run.node_is_finalized(self.look(), node);
        }
    }

    /// To be called when the node is traced, before its fields are.
    pub fn tracing<H: HeapSubject>(&self, node: &dyn Inside<H>) {
        if let Some(run) = self.run::<H>() {
            run.node_is_traced(self.look(), node);
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let look = self.look();
        // A dropped node whose drop was told of is one that drops twice.
        if !self.told.replace(true) || look != Look::Live(self.node) {
            let is_listening = LISTENER.try_with(|listener| listener.borrow().is_some());
            match self.listener() {
                Some(listener) => listener.dropped(look),
                None if is_listening != Ok(true) => ELSEWHERE.lock().push((self.run, look)),
                None => {}
            }
        }
        self.magic.set(DEAD);
        // Nobody may leave the store out because the memory is given back next.
        black_box(&self.magic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_knows_itself_and_what_is_no_probe() {
        let probe = Probe::new(1, 7);
        assert_eq!(probe.look(), Look::Live(7));
        probe.magic.set(DEAD);
        assert_eq!(probe.look(), Look::Dropped(7));
        let other = Probe {
            magic: Cell::new(LIVE),
            run: 1,
            node: 8,
            sum: 8,
            told: Cell::new(true),
        };
        assert_eq!(other.look(), Look::Garbage);
        std::mem::forget((probe, other));
    }
}
