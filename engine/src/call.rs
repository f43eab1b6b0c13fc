//! Calls of the host, by id.
//!
//! An id stays taken from its reservation until the call has really ended, however it
//! ends; a duplicate is refused without touching the first; the clean-up of an ended call
//! never removes its successor (I-17).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gcrucible_heap::{Checked, Handle, Heap, RootAudit, RootKind, RootProvider, RootTracer, Slot};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::{HostValue, LoadedProgram, display, host_value};

use crate::cancellation::Token;
use crate::engine::Engine;
use crate::futures::Signal;
use crate::run::Run;
use crate::trace::TraceFrame;

/// A call in progress or ended. It keeps the value it ended with alive.
pub struct Call {
    id: u32,
    task: u32,
    token: Arc<Token>,
    run: Arc<Run>,
    /// The first state of its task's random numbers.
    seed: u64,
    value: Slot,
    outcome: Mutex<Option<Outcome>>,
    trace: Mutex<Vec<TraceFrame>>,
    ended: Signal,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned; [`Call::value`] holds the value.
    Returned,
    /// It ended with an error nobody caught; [`Call::value`] holds it.
    Threw,
    /// It ended with an error while its cancellation was requested, or never started.
    Cancelled,
}

/// Why a call could not be started or cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// A call with that id has not ended yet.
    DuplicateCallId(u32),
    /// No call with that id is in progress.
    CallNotFound(u32),
    /// The program exports no such name.
    UnknownExport(String),
    /// An int argument has more than 48 bits.
    ArgumentTooLarge(i64),
    /// An argument has more than [`HostValue::LEVELS_MAX`] levels of arrays and maps.
    ArgumentTooDeep,
    /// The heap has no room for the arguments.
    OutOfMemory,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::DuplicateCallId(id) => write!(f, "call {id} has not ended yet"),
            CallError::CallNotFound(id) => write!(f, "no call {id} is in progress"),
            CallError::ArgumentTooLarge(arg) => write!(f, "the argument {arg} has over 48 bits"),
            CallError::ArgumentTooDeep => write!(
                f,
                "an argument has over {} levels of arrays and maps",
                HostValue::LEVELS_MAX
            ),
            CallError::OutOfMemory => write!(f, "the heap has no room for the arguments"),
            CallError::UnknownExport(name) => write!(f, "the program exports no `{name}`"),
        }
    }
}

impl std::error::Error for CallError {}

impl Call {
    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Number of the task that runs it.
    pub fn task(&self) -> u32 {
        self.task
    }

    /// The value or error it ended with; nil before that.
    pub fn value(&self) -> &Slot {
        &self.value
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        *self.outcome.lock()
    }

    /// Where the error was thrown that nobody caught, innermost frame first; empty unless
    /// the call ended with one.
    pub fn trace(&self) -> Vec<TraceFrame> {
        self.trace.lock().clone()
    }

    /// The first state of its task's random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(crate) fn set_trace(&self, program: &LoadedProgram, trace: &[(u16, u32)]) {
        let frame = |&at: &(u16, u32)| TraceFrame::at(program.program(), at);
        *self.trace.lock() = trace.iter().map(frame).collect();
    }
}

impl RootProvider for Call {
    fn name(&self) -> String {
        format!("call {}", self.id)
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        tracer.slot(RootKind::CallResult, &self.value);
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        audit.root(RootKind::CallResult, &self.value);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("task", &self.task)
            .finish()
    }
}

/// The calls in progress.
#[derive(Debug, Default)]
pub(crate) struct CallTable {
    calls: Mutex<BTreeMap<u32, Arc<Call>>>,
}

impl CallTable {
    /// Takes an id for a new call; `new_run` gives its run and its random seed.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        heap: &Heap,
        id: u32,
        new_run: impl FnOnce() -> (Arc<Run>, u64),
    ) -> Result<CallGuard, CallError> {
        let mut calls = self.calls.lock();
        if calls.contains_key(&id) {
            return Err(CallError::DuplicateCallId(id));
        }
        let (run, seed) = new_run();
        let call = Arc::new(Call {
            id,
            task: run.root(),
            token: Arc::default(),
            run,
            seed,
            value: Slot::nil(),
            outcome: Mutex::default(),
            trace: Mutex::default(),
            ended: Signal::default(),
        });
        let weak: std::sync::Weak<Call> = Arc::downgrade(&call);
        heap.add_provider(weak);
        calls.insert(id, Arc::clone(&call));
        Ok(CallGuard {
            table: Arc::clone(self),
            call,
            outcome: Outcome::Cancelled,
        })
    }

    /// The call with an id, if it is in progress, for a signal.
    pub(crate) fn get(&self, id: u32) -> Result<Arc<Call>, CallError> {
        if id == Engine::FINALIZER_CALL {
            // Neither signals nor cancellation are for finalizers.
            return Err(CallError::CallNotFound(id));
        }
        let calls = self.calls.lock();
        calls.get(&id).cloned().ok_or(CallError::CallNotFound(id))
    }

    /// The call with an id, if it is in progress, to be cancelled.
    pub(crate) fn find(&self, id: u32) -> Result<Arc<Call>, CallError> {
        let call = self.get(id)?;
        let mut calls = self.calls.lock();
        if seeded_bugs::is_on(Bug::B60) {
            // B-60: who looks a call up to cancel it frees its id, before it has ended.
            seeded_bugs::note_triggered(Bug::B60);
            calls.remove(&id);
        }
        Ok(call)
    }

    /// Number of calls in progress; zero at rest (I-18).
    pub(crate) fn open(&self) -> usize {
        self.calls.lock().len()
    }
}

/// The reservation of an id, held by the call's task: the id is free when it drops.
#[derive(Debug)]
pub(crate) struct CallGuard {
    table: Arc<CallTable>,
    call: Arc<Call>,
    /// How the call ends when this drops. A call whose task was dropped was cancelled.
    outcome: Outcome,
}

impl CallGuard {
    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Frees the id and notes how the call ended.
    pub(crate) fn end(mut self, outcome: Outcome) -> Arc<Call> {
        self.outcome = outcome;
        Arc::clone(&self.call)
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let mut calls = self.table.calls.lock();
        let is_ours = calls
            .get(&self.call.id)
            .is_some_and(|call| Arc::ptr_eq(call, &self.call));
        // B-60 again: the guard of a call whose id was freed early removes its successor.
        if is_ours || seeded_bugs::is_on(Bug::B60) {
            calls.remove(&self.call.id);
        }
        drop(calls);
        // Only now: who sees that the call has ended may take its id for the next one.
        *self.call.outcome.lock() = Some(self.outcome);
        self.call.ended.notify();
    }
}

/// The host's end of a call. Dropping it requests cancellation of a call that has not
/// ended (I-18).
#[derive(Debug)]
pub struct CallHandle {
    call: Arc<Call>,
    engine: Engine,
}

impl CallHandle {
    pub(crate) fn new(call: Arc<Call>, engine: Engine) -> Self {
        CallHandle { call, engine }
    }

    /// The call.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Waits until the call has ended.
    pub async fn join(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.call.outcome() {
                // Another joiner may wait for the same signal.
                self.call.ended.notify();
                return outcome;
            }
            self.call.ended.wait().await;
        }
    }
}

impl CallHandle {
    /// The display text of the value or error that the call ended with; `nil` before that.
    pub async fn text(&self) -> String {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.mutator::<Checked>(inner.registry.tlab());
        display(&m, inner.program.program(), m.load_root(&self.call.value))
    }

    /// The value or error that the call ended with, if it is plain data.
    pub async fn data(&self) -> Option<HostValue> {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.mutator::<Checked>(inner.registry.tlab());
        host_value::of(&m, m.load_root(&self.call.value))
    }

    /// Keeps the value or error that the call ended with alive beyond the call, until the
    /// handle is given to [`Heap::unprotect`].
    pub async fn protect(&self) -> Handle {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.mutator::<Checked>(inner.registry.tlab());
        inner.heap.protect(m.load_root(&self.call.value))
    }

    /// Waits until the call and every task that it started, but for detached ones, have ended.
    /// For a call this is the same as [`CallHandle::join`]; the initialisation ends before the
    /// tasks that it started.
    pub async fn join_run(&self) -> Outcome {
        let outcome = self.join().await;
        self.call.run.all_ended().await;
        outcome
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if self.call.outcome().is_none() {
            self.engine.cancel_task(self.call.task, self.call.token());
        }
    }
}
