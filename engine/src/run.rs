//! Runs: a call of the host and every task that it started, but for detached ones.
//!
//! The call ends when its root task and all of these have ended (A11 of the semantics), and
//! the signals of the host come to its root task.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use gcrucible_heap::Charge;
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gcrucible_vm::Vm;

use crate::futures::Signal;

/// One run.
pub(crate) struct Run {
    /// Id of the call.
    call: u32,
    /// Number of the root task.
    root: u32,
    /// What the root task waits for.
    signal: Arc<Signal>,
    /// Whether the root's body has ended, so that the root may wait for the others.
    has_root_ended: AtomicBool,
    /// Signals that were raised and not dispatched yet, oldest first. None when there is nobody to
    /// see them: the program has no interrupt function, or the root's body has ended.
    pending: Mutex<Option<VecDeque<Pending>>>,
    /// Spawned tasks whose futures are not settled.
    unsettled: AtomicU32,
    /// Spawned tasks that have not ended.
    live: AtomicU32,
    /// Set when the last of them has.
    over: Signal,
}

/// A signal that was raised and not dispatched yet.
struct Pending {
    name: String,
    /// There may be any number of them.
    _charge: Charge,
}

impl Run {
    /// The run of a call's root task.
    pub(crate) fn new(call: u32, root: u32, takes_interrupts: bool) -> Arc<Run> {
        Arc::new(Run {
            call,
            root,
            signal: Arc::default(),
            has_root_ended: AtomicBool::new(false),
            pending: Mutex::new(takes_interrupts.then(VecDeque::new)),
            unsettled: AtomicU32::new(0),
            live: AtomicU32::new(0),
            over: Signal::default(),
        })
    }

    /// Id of the call.
    pub(crate) fn call(&self) -> u32 {
        self.call
    }

    /// Number of the root task.
    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// Notes a signal for the root task, unless no handler could ever see it.
    pub(crate) fn raise(&self, name: &str, charge: impl FnOnce(u64) -> Charge) -> bool {
        // In one step with the look: what is noted when the root has ended, nobody sees.
        let mut pending = self.pending.lock();
        let Some(pending) = &mut *pending else {
            return false;
        };
        pending.push_back(Pending {
            name: name.to_owned(),
            _charge: charge((size_of::<Pending>() + name.len()) as u64),
        });
        true
    }

    /// Whether a handler of the program could be run.
    pub(crate) fn takes_interrupts(&self) -> bool {
        self.pending.lock().is_some()
    }

    /// The first signal that the root's machine could dispatch now.
    pub(crate) fn dispatchable(&self, vm: &Vm) -> Option<String> {
        let pending = self.pending.lock();
        let names = pending.iter().flatten().map(|it| &it.name);
        let is_first_only = planted!(B216, pending.iter().flatten().count() > 1);
        let mut names = names.take(if is_first_only { 1 } else { usize::MAX });
        names.find(|name| vm.can_dispatch(name)).cloned()
    }

    /// The first pending signal of that name was dispatched.
    pub(crate) fn dispatched(&self, name: &str) {
        if let Some(pending) = &mut *self.pending.lock()
            && let Some(at) = pending.iter().position(|pending| pending.name == name)
        {
            pending.remove(at);
        }
    }

    /// The root's body has ended: what is pending now never comes.
    pub(crate) fn root_ended(&self) {
        self.has_root_ended.store(true, SeqCst);
        if !planted!(B217, self.takes_interrupts()) {
            *self.pending.lock() = None;
        }
    }

    /// Adds a spawned task.
    pub(crate) fn join(self: &Arc<Self>) -> Membership {
        self.unsettled.fetch_add(1, SeqCst);
        self.live.fetch_add(1, SeqCst);
        Membership {
            run: Arc::clone(self),
            is_settled: AtomicBool::new(false),
        }
    }

    /// Spawned tasks whose futures are not settled: `sys.unsettled()`.
    pub(crate) fn unsettled(&self) -> u32 {
        self.unsettled.load(SeqCst)
    }

    /// Waits until every spawned task has ended.
    pub(crate) async fn all_ended(&self) {
        while !self.is_over() {
            self.over.wait().await;
        }
        // Another may wait for the same signal.
        self.over.notify();
    }

    /// Whether every spawned task has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.live.load(SeqCst) == 0
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("root", &self.root)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

/// A spawned task's place in its run; it leaves when this drops, however it ends.
#[derive(Debug)]
pub(crate) struct Membership {
    run: Arc<Run>,
    is_settled: AtomicBool,
}

impl Membership {
    /// The task's future is settled.
    pub(crate) fn settled(&self) {
        if !self.is_settled.swap(true, SeqCst) {
            self.run.unsettled.fetch_sub(1, SeqCst);
        }
    }

    /// Ends the task's part of the run. Whether it was the last, which is what the root
    /// may wait for.
    pub(crate) fn leave(self) -> Option<Arc<Run>> {
        let run = Arc::clone(&self.run);
        drop(self);
        let is_awaited = run.has_root_ended.load(SeqCst);
        (run.is_over() && is_awaited).then_some(run)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.settled();
        if self.run.live.fetch_sub(1, SeqCst) == 1 {
            self.run.over.notify();
        }
    }
}
