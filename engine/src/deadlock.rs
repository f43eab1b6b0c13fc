//! Deadlock: every task that has not ended waits for another one.
//!
//! [`Busy`] counts the tasks that could go on by themselves: those that run, are ready, or wait
//! for a time or for the host. A task is not among them from the moment at which it begins to
//! wait for nothing but its signal until somebody gives that: both happen under the lock of the
//! signal, so that a task which was woken and not yet polled counts. Hence there is no moment at
//! which all have been counted out although one goes on, whatever the threads do, and no time-out
//! is needed. When the count reaches zero, only the host can change anything; what each task waits
//! for is put together then, from the wait lists, and not before anybody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gcrucible_bytecode::{Constant, Op, Program};
use gcrucible_heap::Checked;
use gcrucible_platform::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::engine::Engine;
use crate::futures::Signal;
use crate::task::Task;
use crate::trace::TraceFrame;

/// How many tasks could go on by themselves.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    count: AtomicUsize,
    /// Set when the last of them begins to wait or ends.
    still: Signal,
}

impl Busy {
    /// One more.
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, SeqCst);
    }

    /// One less.
    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, SeqCst) == 1 {
            self.still.notify();
        }
    }

    fn is_still(&self) -> bool {
        self.count.load(SeqCst) == 0
    }
}

/// A task's part of the count, from its start to its end.
#[derive(Debug)]
pub(crate) struct Presence {
    busy: Arc<Busy>,
    signal: Arc<Signal>,
}

impl Presence {
    /// Counts a task that waits for `signal` when it waits.
    pub(crate) fn new(busy: &Arc<Busy>, signal: &Arc<Signal>) -> Presence {
        busy.enter();
        signal.count_in(busy);
        Presence {
            busy: Arc::clone(busy),
            signal: Arc::clone(signal),
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // A task that is dropped while it waits was counted out before.
        self.signal.end_wait();
        self.busy.leave();
    }
}

/// Who waits for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// All tasks that have not ended, in order of their numbers.
    pub tasks: Vec<WaitingTask>,
    /// The signals that the runs of these tasks have handlers of. One of them may end the deadlock,
    /// if the host can raise it.
    pub handled_signals: Vec<String>,
}

/// One task of a deadlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingTask {
    /// Its number.
    pub task: u32,
    /// Where it stands, if it runs the program; the innermost frame that is none of the library's.
    pub at: Option<TraceFrame>,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a task of a deadlock waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// The end of other tasks, or of itself: `await`, the end of a squad.
    Tasks(Vec<u32>),
    /// A value from the channel with this id.
    Receive(u64),
    /// Room in the channel with this id.
    Send(u64),
    /// The mutex with this id, held by that task.
    Mutex(u64, Option<u32>),
    /// The end of the tasks that its call has started.
    Run,
    /// Something that is not in the wait lists any more.
    Unknown,
}

impl Engine {
    /// Who waits for whom, if every task waits for another: only the host can change anything
    /// then, by a call, a signal, a cancellation. `None` if a task can go on, or none is left.
    ///
    /// For a host that serves, whose next request may be what a task waits for, this is no
    /// error; for one that waits for a call it is (see [`Engine::deadlocked`]).
    pub async fn deadlock(&self) -> Option<Deadlock> {
        let inner = &self.inner;
        if !inner.busy.is_still() {
            return None;
        }
        let tasks = inner.tasks.live();
        if tasks.is_empty() {
            return None;
        }
        let mut runners: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (task, future) in inner.registry.waiting() {
            let runner = inner.registry.token(future).map(|token| token.task());
            runners.entry(task).or_default().extend(runner);
        }
        let objects: BTreeMap<u32, u64> = inner.wait_lists.waiting().into_iter().collect();
        let mut waiting = Vec::with_capacity(tasks.len());
        for task in &tasks {
            let number = task.number();
            let waits_for = match (runners.remove(&number), objects.get(&number)) {
                (Some(runners), _) => WaitsFor::Tasks(runners),
                (None, Some(&object)) => self.waits_for_object(task, object).await,
                (None, None) if task.vm().trace().is_empty() => WaitsFor::Run,
                (None, None) => WaitsFor::Unknown,
            };
            waiting.push(WaitingTask {
                task: number,
                at: place_of(task),
                waits_for,
            });
        }
        let mut handled_signals = Vec::new();
        for root in tasks.iter().filter(|task| task.takes_interrupts()) {
            let permit = inner.heap.shared().await;
            for signal in root.vm().handled::<Checked>(&permit) {
                if !handled_signals.contains(&signal) {
                    handled_signals.push(signal);
                }
            }
        }
        let deadlock = Deadlock {
            tasks: waiting,
            handled_signals,
        };
        // While it was put together the host may have done something.
        inner.busy.is_still().then_some(deadlock)
    }

    /// Waits until there is a [deadlock](Engine::deadlock).
    pub async fn deadlocked(&self) -> Deadlock {
        loop {
            if let Some(deadlock) = self.deadlock().await {
                // Another may wait for the same news.
                self.inner.busy.still.notify();
                return deadlock;
            }
            self.inner.busy.still.wait().await;
        }
    }

    async fn waits_for_object(&self, task: &Task, object: u64) -> WaitsFor {
        let program = task.vm().realm().program();
        let holder = {
            let permit = self.inner.heap.shared().await;
            let m = permit.reader::<Checked>();
            m.mutex_holder(task.vm().load_exchange(&m))
        };
        match holder {
            Some(holder) => WaitsFor::Mutex(object, holder),
            None if sends(program, task.vm().position()) => WaitsFor::Send(object),
            None => WaitsFor::Receive(object),
        }
    }
}

/// Whether the instruction is a call of the method `send`.
fn sends(program: &Program, (function, at): (u16, u32)) -> bool {
    let function = program.functions.get(usize::from(function));
    match function.and_then(|function| function.code.get(at as usize)) {
        Some(&Op::CallMethod { name, .. }) => {
            let name = program.constants.get(usize::from(name));
            matches!(name, Some(Constant::String(name)) if name == "send")
        }
        _ => false,
    }
}

/// The innermost frame of a task that is none of the library's, or else the innermost.
fn place_of(task: &Task) -> Option<TraceFrame> {
    let program = task.vm().realm().program();
    let trace = task.vm().trace();
    let mut frames = trace.iter().map(|&at| TraceFrame::at(program, at));
    let own = frames.find(|frame| !frame.is_library());
    own.or_else(|| trace.first().map(|&at| TraceFrame::at(program, at)))
}

impl fmt::Display for Deadlock {
    /// A line for each task.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, task) in self.tasks.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{task}")?;
        }
        Ok(())
    }
}

impl fmt::Display for WaitingTask {
    /// `task N waits for … at FUNCTION (FILE:LINE:COLUMN)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} waits for ", self.task)?;
        match &self.waits_for {
            WaitsFor::Tasks(tasks) if tasks[..] == [self.task] => write!(f, "its own end")?,
            WaitsFor::Tasks(tasks) => {
                let s = if tasks.len() == 1 { "" } else { "s" };
                write!(f, "the end of task{s} ")?;
                for (at, task) in tasks.iter().enumerate() {
                    let before = if at == 0 { "" } else { ", " };
                    write!(f, "{before}{task}")?;
                }
            }
            WaitsFor::Receive(channel) => write!(f, "a value from channel {channel}")?,
            WaitsFor::Send(channel) => write!(f, "room in channel {channel}")?,
            WaitsFor::Mutex(mutex, None) => write!(f, "mutex {mutex}")?,
            WaitsFor::Mutex(mutex, Some(holder)) => {
                write!(f, "mutex {mutex}, which task {holder} holds,")?;
            }
            WaitsFor::Run => write!(f, "the end of the tasks that it has started")?,
            WaitsFor::Unknown => write!(f, "what does not come")?,
        }
        match &self.at {
            Some(at) => write!(f, " at {at}"),
            None => Ok(()),
        }
    }
}
