//! Calls of the host, by id.
//!
//! An id stays taken from its reservation until the call has really ended, however it
//! ends; a duplicate is refused without touching the first; the clean-up of an ended call
//! never removes its successor (I-17).

mod kind;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gcrucible_bytecode::{ErrorKind, Program};
use gcrucible_heap::{
    Checked, Checks, FutureState, Handle, Heap, Home, Mutator, RootAudit, RootKind, RootProvider,
    RootTracer, Slot, Value,
};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};
use gcrucible_vm::host_value::Unfit;
use gcrucible_vm::{HostValue, LoadedProgram, Realm, uncaught};

pub use self::kind::CallKind;
use crate::cancellation::{Link, Token, TokenTree};
use crate::conversion::{Kept, data_of, text_of};
use crate::engine::Engine;
use crate::failures::{Failure, add_frames};
use crate::futures::Signal;
use crate::roots::ROOTS;
use crate::run::Run;
use crate::serve::Admission;
use crate::trace::TraceFrame;

/// A call in progress or ended. It keeps the value it ended with alive.
pub struct Call {
    kind: CallKind,
    task: u32,
    token: Arc<Token>,
    run: Arc<Run>,
    /// What it runs, for the text of what it ends with.
    program: Arc<LoadedProgram>,
    /// The number of the realm that it runs in.
    realm: u32,
    /// The first state of its task's random numbers.
    seed: u64,
    home: Home,
    value: Slot,
    /// The promise of the top level that it runs, until that has ended; nil for other calls.
    promise: Slot,
    outcome: Mutex<Option<Outcome>>,
    /// Whether the error that it threw is a cancellation, or wraps one.
    threw_cancellation: AtomicBool,
    trace: Mutex<Vec<TraceFrame>>,
    /// What the engine itself panicked with in its task.
    fault: Mutex<Option<String>>,
    /// The place of the request that it answers, until it has ended.
    admission: Mutex<Option<Admission>>,
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
    /// A host operation, or the engine itself, panicked in its task, and no more of it ran;
    /// [`Call::value`] holds the message of the panic, nil if there was no memory for it.
    Panicked,
}

impl Outcome {
    /// The state of a future whose task ends so.
    pub(crate) fn future_state(self) -> FutureState {
        match self {
            Outcome::Returned => FutureState::Ready,
            Outcome::Threw => FutureState::Error,
            Outcome::Cancelled => FutureState::Cancelled,
            Outcome::Panicked => FutureState::InternalError,
        }
    }
}

/// Why a call could not be started or cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// A call with that id has not ended yet.
    DuplicateCallId(u32),
    /// No call with that id is in progress.
    CallNotFound(u32),
    /// The engine has made no future with that id: it is another engine's, or nobody's.
    FutureNotFound(u64),
    /// The program exports no such name.
    UnknownExport(String),
    /// An int argument has more than 48 bits.
    ArgumentTooLarge(i64),
    /// An argument has more than [`HostValue::LEVELS_MAX`] levels of arrays and maps.
    ArgumentTooDeep,
    /// The heap has no room for the arguments.
    OutOfMemory,
    /// A value that is passed or called is another engine's, or one of another version of the
    /// program.
    ForeignObject,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::DuplicateCallId(id) => write!(f, "call {id} has not ended yet"),
            CallError::CallNotFound(id) => write!(f, "no call {id} is in progress"),
            CallError::FutureNotFound(id) => write!(f, "this engine has made no future {id}"),
            CallError::ArgumentTooLarge(arg) => write!(f, "the argument {arg} has over 48 bits"),
            CallError::ArgumentTooDeep => write!(
                f,
                "an argument has over {} levels of arrays and maps",
                HostValue::LEVELS_MAX
            ),
            CallError::OutOfMemory => write!(f, "the heap has no room for the arguments"),
            CallError::ForeignObject => {
                write!(
                    f,
                    "a value belongs to another engine or version of the program"
                )
            }
            CallError::UnknownExport(name) => write!(f, "the program exports no `{name}`"),
        }
    }
}

impl std::error::Error for CallError {}

impl Call {
    /// What it runs.
    pub fn kind(&self) -> CallKind {
        self.kind
    }

    /// Its id, which is that of its [kind](CallKind::id).
    pub fn id(&self) -> u32 {
        self.kind.id()
    }

    /// Number of the task that runs it.
    pub fn task(&self) -> u32 {
        self.task
    }

    /// The number of the realm that it runs in.
    pub fn realm(&self) -> u32 {
        self.realm
    }

    /// The value or error it ended with; nil before that.
    ///
    /// # Panics
    /// If the mutator is one of another heap.
    pub fn value<'p, C: Checks>(&self, m: &Mutator<'p, C>) -> Value<'p> {
        self.home.check(m.heap());
        m.load(&self.value)
    }

    /// Notes the value or error it ends with.
    pub(crate) fn set_value<'p, C: Checks>(&self, m: &Mutator<'p, C>, value: Value<'p>) {
        m.store(&self.value, value);
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        *self.outcome.lock()
    }

    /// Whether cancellation is what it ended with: its own, or that of a future whose
    /// `Cancelled` nobody caught, whatever errors have that as their payload in the end.
    pub fn is_cancelled(&self) -> bool {
        self.outcome() == Some(Outcome::Cancelled) || self.threw_cancellation.load(SeqCst)
    }

    /// Where the error was thrown that nobody caught, innermost frame first; empty unless
    /// the call ended with one. An error that came with an await begins with the frames of the
    /// task that failed, and [`TraceFrame::awaits`] says where those of the next task begin.
    pub fn trace(&self) -> Vec<TraceFrame> {
        self.trace.lock().clone()
    }

    /// What the engine itself panicked with in the call's task, if it did. The heap may be
    /// [broken](Heap::broken) then, and the call without a value.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().clone()
    }

    pub(crate) fn set_fault(&self, message: String) {
        self.fault.lock().get_or_insert(message);
    }

    /// The first state of its task's random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The promise of the top level that it runs; nil for other calls, and after its end.
    pub(crate) fn promise(&self) -> &Slot {
        &self.promise
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.outcome() {
                // Another joiner may wait for the same signal.
                if !planted!(B219) {
                    self.ended.notify();
                }
                return outcome;
            }
            self.ended.wait().await;
        }
    }

    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// A request is under way for as long as this call.
    pub(crate) fn attach(&self, admission: Admission) {
        let mut attached = self.admission.lock();
        // Who ends the call notes the outcome first and looks for this afterwards.
        let Some(outcome) = self.outcome() else {
            *attached = Some(admission);
            return;
        };
        drop(attached);
        admission.end(outcome);
    }

    /// Looks whether the error that it ends with is a cancellation.
    pub(crate) fn recognise<'p, C: Checks>(&self, m: &Mutator<'p, C>, error: Value<'p>) {
        let is_cancelled = wraps_cancellation(m, error);
        self.threw_cancellation.store(is_cancelled, SeqCst);
    }

    /// The program that it runs, loaded.
    pub(crate) fn loaded(&self) -> &Arc<LoadedProgram> {
        &self.program
    }

    /// The program that it runs.
    pub(crate) fn program(&self) -> &Program {
        self.program.program()
    }

    /// `cause` is the failure of the task whose error the call ends with, if that is not its own.
    pub(crate) fn set_trace(&self, trace: &[(u16, u32)], cause: Option<&Failure>) {
        let mut frames = cause.map(Failure::trace).unwrap_or_default();
        add_frames(&mut frames, &self.program, trace);
        *self.trace.lock() = frames;
    }
}

/// Whether an error is `Cancelled`, or has one as the payload of its payload of its …
fn wraps_cancellation<'p, C: Checks>(m: &Mutator<'p, C>, error: Value<'p>) -> bool {
    let mut value = error;
    // Payloads are older than their errors: this ends.
    while let Some((kind, _, payload)) = m.error_parts(value) {
        if kind == ErrorKind::Cancelled as u8 {
            return true;
        }
        if planted!(B64, m.error_parts(payload).is_some()) {
            return false;
        }
        value = payload;
    }
    false
}

// SAFETY: rule 1: both slots are passed on. Rule 2: the home is made once, and `value` checks it.
// Rule 3: by inspection.
#[allow(unsafe_code, reason = "the collector believes what a provider says")]
unsafe impl RootProvider for Call {
    fn name(&self) -> String {
        format!("call {}", self.id())
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        tracer.slot(RootKind::CallResult, &self.value);
        tracer.slot(RootKind::Promise, &self.promise);
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        audit.root(RootKind::Promise, &self.promise);
        audit.root(RootKind::CallResult, &self.value);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id())
            .field("task", &self.task)
            .finish()
    }
}

/// The calls in progress.
#[derive(Debug, Default)]
pub(crate) struct CallTable {
    calls: Mutex<BTreeMap<CallKind, Entry>>,
}

/// A call in progress.
#[derive(Debug)]
struct Entry {
    call: Arc<Call>,
    /// What cancels it.
    token: Arc<Token>,
}

impl CallTable {
    /// Begins a call, whose id must be free; `new_run` gives its run and its random seed.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        heap: &Heap,
        kind: CallKind,
        realm: &Realm,
        tokens: &Arc<TokenTree>,
        new_run: impl FnOnce() -> (Arc<Run>, u64),
    ) -> Result<CallGuard, CallError> {
        let mut calls = self.calls.lock();
        if let Some(first) = calls.get_mut(&kind) {
            if planted!(B61) {
                first.token = Arc::new(Token::new(first.call.task));
            }
            return Err(CallError::DuplicateCallId(kind.id()));
        }
        let (run, seed) = new_run();
        let token = Arc::new(Token::new(run.root()));
        // It has no parent that could have been cancelled.
        let link = tokens.link(&token, None, 0);
        let call = Arc::new(Call {
            kind,
            task: run.root(),
            token,
            run,
            program: Arc::clone(realm.loaded()),
            realm: realm.number(),
            seed,
            home: Home::new(heap),
            value: Slot::nil(ROOTS),
            promise: Slot::nil(ROOTS),
            outcome: Mutex::default(),
            threw_cancellation: AtomicBool::new(false),
            trace: Mutex::default(),
            fault: Mutex::default(),
            admission: Mutex::default(),
            ended: Signal::default(),
        });
        heap.add_provider(&call);
        let entry = Entry {
            call: Arc::clone(&call),
            token: Arc::clone(&call.token),
        };
        calls.insert(kind, entry);
        Ok(CallGuard {
            table: Arc::clone(self),
            call,
            link: Some(link),
            outcome: Outcome::Cancelled,
        })
    }

    /// The call with an id, if it is in progress, for a signal.
    pub(crate) fn get(&self, id: u32) -> Result<Arc<Call>, CallError> {
        let kind = CallKind::of_id(id);
        if kind == CallKind::Finalizer {
            // Neither signals nor cancellation are for finalizers.
            return Err(CallError::CallNotFound(id));
        }
        let calls = self.calls.lock();
        let entry = calls.get(&kind).ok_or(CallError::CallNotFound(id))?;
        Ok(Arc::clone(&entry.call))
    }

    /// What cancels the call with an id, if it is in progress.
    pub(crate) fn token(&self, id: u32) -> Result<Arc<Token>, CallError> {
        self.get(id)?;
        let mut calls = self.calls.lock();
        let kind = CallKind::of_id(id);
        let token = calls.get(&kind).map(|entry| Arc::clone(&entry.token));
        if planted!(B60) {
            calls.remove(&kind);
        }
        token.ok_or(CallError::CallNotFound(id))
    }

    /// Number of calls in progress; zero at rest (I-18).
    pub(crate) fn open(&self) -> usize {
        self.calls.lock().len()
    }

    /// The same without that of a finalizer.
    pub(crate) fn open_of_host(&self) -> usize {
        let calls = self.calls.lock();
        calls.len() - usize::from(calls.contains_key(&CallKind::Finalizer))
    }
}

/// The reservation of an id, held by the call's task: the id is free when it drops.
#[derive(Debug)]
pub(crate) struct CallGuard {
    pub(crate) table: Arc<CallTable>,
    call: Arc<Call>,
    /// Its token's place among the others, until it has really ended.
    link: Option<Link>,
    /// How the call ends when this drops. A call whose task was dropped was cancelled.
    outcome: Outcome,
}

impl CallGuard {
    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Frees the id and notes how the call ended.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.link = None;
        if std::thread::panicking() {
            self.outcome = Outcome::Panicked;
        }
        // Who sees that no call is open sees no request either.
        let mut admission = self.call.admission.lock().take();
        if let Some(admission) = &mut admission {
            admission.leave();
        }
        let mut calls = self.table.calls.lock();
        let is_ours = calls
            .get(&self.call.kind)
            .is_some_and(|entry| Arc::ptr_eq(&entry.call, &self.call));
        // The guard of a call whose id was freed early removes its successor.
        if is_ours || planted!(B60) {
            calls.remove(&self.call.kind);
        }
        // Both at once: who sees that the call has ended may take its id for the next one, and
        // who sees that no call is open finds none that still runs.
        *self.call.outcome.lock() = Some(self.outcome);
        drop(calls);
        // One may have been attached in between.
        let attached = self.call.admission.lock().take();
        if let Some(admission) = admission.or(attached) {
            admission.end(self.outcome);
        }
        self.call.ended.notify();
    }
}

/// The host's end of a call. Dropping it requests cancellation of a call that has not
/// ended, and of all that it started (I-18), unless it is [detached](CallHandle::detach).
#[derive(Debug)]
pub struct CallHandle {
    call: Arc<Call>,
    engine: Engine,
    is_detached: bool,
}

impl CallHandle {
    pub(crate) fn new(call: Arc<Call>, engine: Engine) -> Self {
        CallHandle {
            call,
            engine,
            is_detached: false,
        }
    }

    /// The call.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until the call has ended.
    pub async fn join(&self) -> Outcome {
        self.call.ended().await
    }
}

impl CallHandle {
    /// The display text of the value or error that the call ended with; `nil` before that.
    pub async fn text(&self) -> String {
        if let Some(fault) = self.call.fault() {
            return fault;
        }
        let kept = Kept::Slot(&self.call.value);
        text_of(&self.engine.inner, self.call.program(), kept).await
    }

    /// The text of the error that the call ended with as a report shows it: with its payload, and
    /// that of the error in its payload, on lines of their own.
    pub async fn uncaught(&self) -> String {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<Checked>();
        uncaught(&m, self.call.program(), m.load_root(&self.call.value))
    }

    /// The value or error that the call ended with, if it is plain data.
    pub async fn data(&self) -> Option<HostValue> {
        self.try_data().await.ok()
    }

    /// The same, or why there is none: what shares parts is expanded, and may have too many.
    /// A large value is converted in steps, with other tasks between them; a conversion that is
    /// dropped is given up.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub async fn try_data(&self) -> Result<HostValue, Unfit> {
        data_of(&self.engine.inner, Kept::Slot(&self.call.value)).await
    }

    /// How many parameters the function has that the call returned; `None` if it returned
    /// something else, or a method that is bound to its receiver.
    pub async fn parameters(&self) -> Option<u8> {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<Checked>();
        let function = m.closure_function(m.load_root(&self.call.value))?;
        let functions = &self.call.program().functions;
        functions.get(usize::from(function)).map(|it| it.arity)
    }

    /// Keeps the value or error that the call ended with alive beyond the call, until the
    /// handle is given to [`Heap::unprotect`].
    pub async fn protect(&self) -> Handle {
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<Checked>();
        permit.protect(m.load_root(&self.call.value))
    }

    /// Gives the call up without cancelling it: it goes on alone, and its id is free when it has
    /// ended.
    pub fn detach(mut self) {
        self.set_detached();
    }

    pub(crate) fn set_detached(&mut self) {
        self.is_detached = true;
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
        if self.is_detached || self.call.outcome().is_some() {
            return;
        }
        if planted!(B70) {
            return;
        }
        self.engine.cancel(self.call.token());
    }
}
