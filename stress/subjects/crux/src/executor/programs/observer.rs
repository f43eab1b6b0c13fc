//! Turns what the engine does into the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;

use gcrucible_bytecode::Program;
use gcrucible_engine::{
    Call, CallKind, EngineEvent, ForkError, Observer, Outcome as CallOutcome, ReloadFailure,
    ReloadStep,
};
use gcrucible_heap::{
    Checked, Checks, CollectionKind, CollectionReport, FutureState as HeapState, Heap, Unchecked,
};
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::{SliceEnd as VmEnd, SliceInput, SliceOutcome};

use super::dump::dump;
use super::host::HostScript;
use crate::executor::graph::{FutureState, GraphDump};
use crate::executor::simulated_platform::data;
use crate::executor::trace::{
    Callee, Effects, Event, ForkRefusal, Outcome, SliceEnd, SliceStart, TaskId, VersionFailure,
    VersionStep,
};
use crate::oracles::matches_reference::Happening;
use gcrucible_trace::{EventKind, Failure, PairTracker, Site};

/// More refusals of memory than this one after the other, while nobody gets further, are for ever.
const REFUSED_IN_VAIN_MAX: u32 = 1000;

/// Sees everything that the engine does in a run.
pub(super) struct TraceObserver {
    state: Mutex<State>,
    is_checked: bool,
}

#[derive(Default)]
struct State {
    heap: Option<Arc<Heap>>,
    events: Vec<Event>,
    failure: Option<Failure>,
    instructions: u64,
    /// Parent and child of tasks spawned since they were last taken.
    spawned: Vec<(TaskId, TaskId)>,
    /// What happened inside slices: number of trace events before it, task, kind.
    slice_events: Vec<(usize, TaskId, EventKind)>,
    /// Marked cards and refilled buffers so far.
    heap_counts: (u64, u64),
    callees: BTreeMap<u32, Callee>,
    /// Tasks that had a slice.
    begun: BTreeSet<TaskId>,
    /// Tasks in the middle of an instruction that works in steps.
    unfinished: BTreeSet<TaskId>,
    /// Injected failures so far.
    faults: u64,
    /// Refusals of memory since a task got further or was thrown an error.
    refused_in_vain: u32,
    /// Calls at whose steps the observer panics.
    panics: BTreeSet<u32>,
}

impl State {
    /// Notes whether the slice that just ended hit the barrier or got a fresh buffer.
    fn note_slice_events(&mut self, task: TaskId) {
        let Some(heap) = &self.heap else { return };
        let counts = (heap.cards_marked(), heap.tlab_refills());
        let at = self.events.len();
        if counts.1 > self.heap_counts.1 {
            self.slice_events.push((at, task, EventKind::TlabRefill));
        }
        if counts.0 > self.heap_counts.0 {
            self.slice_events.push((at, task, EventKind::BarrierHit));
        }
        self.heap_counts = counts;
    }

    /// What the engine itself has stored and allocated is no task's doing.
    fn forget_heap_events(&mut self) {
        if let Some(heap) = &self.heap {
            self.heap_counts = (heap.cards_marked(), heap.tlab_refills());
        }
    }
}

impl TraceObserver {
    pub(super) fn new(is_checked: bool) -> Self {
        TraceObserver {
            state: Mutex::default(),
            is_checked,
        }
    }

    pub(super) fn attach(&self, heap: &Arc<Heap>) {
        self.state.lock().heap = Some(Arc::clone(heap));
    }

    /// Lets go of the heap, so that its region can be used again.
    pub(super) fn detach(&self) {
        self.state.lock().heap = None;
    }

    pub(super) fn push(&self, event: Event) {
        self.state.lock().events.push(event);
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().events.len()
    }

    /// Shows the trace events from this number on.
    pub(super) fn with_events_from<T>(&self, from: usize, see: impl FnOnce(&[Event]) -> T) -> T {
        see(self.state.lock().events.get(from..).unwrap_or_default())
    }

    pub(super) fn instructions(&self) -> u64 {
        self.state.lock().instructions
    }

    pub(super) fn take_spawned(&self) -> Vec<(TaskId, TaskId)> {
        std::mem::take(&mut self.state.lock().spawned)
    }

    /// Notes what an oracle says that looks while the run goes on.
    pub(super) fn fail(&self, failure: Failure) {
        self.state.lock().failure.get_or_insert(failure);
    }

    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.state.lock().failure.take()
    }

    /// The trace so far.
    pub(super) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.state.lock().events)
    }

    /// What happened inside slices: number of trace events before it, task, kind.
    pub(super) fn take_slice_events(&self) -> Vec<(usize, TaskId, EventKind)> {
        std::mem::take(&mut self.state.lock().slice_events)
    }

    /// What the next call will run; the engine's event names only the task.
    pub(super) fn announce(&self, call: u32, callee: Callee) {
        self.state.lock().callees.insert(call, callee);
    }

    /// Makes the observer panic at the steps of the next call of this id, or no more.
    pub(super) fn set_panics(&self, call: u32, panics: bool) {
        let mut state = self.state.lock();
        match panics {
            true => state.panics.insert(call),
            false => state.panics.remove(&call),
        };
    }

    fn panic_at(&self, call: u32) {
        let panics = self.state.lock().panics.contains(&call);
        if panics {
            // Without a word on the standard error.
            resume_unwind(Box::new("the observer panics".to_owned()));
        }
    }

    fn dump_value(&self, call: &Call) -> GraphDump {
        let heap = self.state.lock().heap.clone();
        let Some(heap) = heap else {
            return GraphDump::default();
        };
        if self.is_checked {
            self.dump_with::<Checked>(&heap, call)
        } else {
            self.dump_with::<Unchecked>(&heap, call)
        }
    }

    fn dump_with<C: Checks>(&self, heap: &Heap, call: &Call) -> GraphDump {
        let permit = heap
            .try_shared()
            .expect("the engine observes without a permit in hand");
        let m = permit.reader::<C>();
        dump(&m, call.value(&m))
    }

    fn collected(&self, report: &CollectionReport) {
        let mut state = self.state.lock();
        state.events.push(Event::Collected {
            kind: report.kind.unwrap_or(CollectionKind::Minor),
            moved: report.moved,
            promoted: report.promoted,
            cleared: report.cleared.clone(),
            queued: report.queued.clone(),
        });
        if let (None, Some(violation)) = (&state.failure, report.violations.first()) {
            state.failure = Some(Failure {
                oracle: "heap_is_sound".into(),
                check: violation.check.into(),
                site: violation.site.clone(),
                message: violation.to_string(),
            });
        }
    }

    fn memory_refused(&self, task: TaskId, words: u32, account_bytes: Option<u64>) {
        let mut state = self.state.lock();
        let stats = state.heap.as_ref().map(|heap| heap.stats());
        let stats = stats.unwrap_or_default();
        let is_injected = stats.faults > state.faults;
        state.faults = stats.faults;
        state.events.push(Event::MemoryRefused {
            task,
            words,
            used_bytes: stats.used_bytes + stats.external_bytes,
            account_bytes,
            is_injected,
        });
        state.refused_in_vain += 1;
        if state.refused_in_vain > REFUSED_IN_VAIN_MAX {
            // The engine does not come back from this: only the end of the process ends it.
            eprintln!(
                "task {task} was refused memory {REFUSED_IN_VAIN_MAX} times, and neither was the error thrown nor did \
                 anybody get further"
            );
            std::process::abort();
        }
    }

    fn slice(
        &self,
        task: TaskId,
        input: &SliceInput,
        outcome: &SliceOutcome,
        cancelling: Option<u64>,
    ) {
        let mut state = self.state.lock();
        state.instructions += u64::from(outcome.instructions);
        state.note_slice_events(task);
        let did_nothing = outcome.instructions == 0
            && outcome.thrown == 0
            && !outcome.delivered
            && !outcome.interrupted
            && input.failed_squads.is_empty();
        if !did_nothing {
            state.refused_in_vain = 0;
        }
        // What it had is gone, though nothing has come of it: it begins anew, and each time that
        // looks like getting further.
        let was_unfinished = match outcome.unfinished {
            true => !state.unfinished.insert(task),
            false => state.unfinished.remove(&task),
        };
        if was_unfinished
            && did_nothing
            && !outcome.unfinished
            && matches!(outcome.end, VmEnd::NeedsMemory { .. })
        {
            state.failure.get_or_insert_with(|| Failure {
                oracle: "progress_is_made".into(),
                check: "begun_anew".into(),
                site: "slice".into(),
                message: format!(
                    "task {task}: an instruction that works in steps begins anew for want of memory"
                ),
            });
        }
        // Taking a safepoint or needing memory is nothing that the program could see. The first
        // slice of a task enters its frame.
        let is_first = state.begun.insert(task);
        if did_nothing
            && !is_first
            && matches!(outcome.end, VmEnd::Safepoint | VmEnd::NeedsMemory { .. })
        {
            return;
        }
        let start = SliceStart {
            fuel: input.fuel,
            offered: input.deliver,
            message: input.deliver_message.clone(),
            delivered: outcome.delivered,
            cancel_requested: input.cancel_requested,
            now_ms: input.now_ms,
            inherited_deadline: input.inherited_deadline,
            interrupt: input.interrupt.clone(),
            dispatched: outcome.interrupted,
            operation_over: input.operation_over,
            open_tasks: input.open_tasks,
            failed_squads: input.failed_squads.clone(),
        };
        state.events.push(Event::SliceBegan { task, start });
        for line in &outcome.printed {
            state.events.push(Event::Printed {
                task,
                text: line.clone(),
            });
        }
        state.events.push(Event::SliceEnded {
            task,
            instructions: outcome.instructions,
            end: slice_end(outcome.end, cancelling),
            thrown: outcome.thrown,
            caught: outcome.caught,
            effects: effects(outcome),
        });
    }
}

fn slice_end(end: VmEnd, cancelling: Option<u64>) -> SliceEnd {
    match end {
        VmEnd::Fuel | VmEnd::Safepoint => SliceEnd::Preempted,
        VmEnd::NeedsMemory { .. } => SliceEnd::NoMemory,
        VmEnd::Yielded => SliceEnd::Yielded,
        VmEnd::Spawn { detached } => SliceEnd::Spawned { detached },
        VmEnd::Await { future } => SliceEnd::Awaiting { future },
        VmEnd::AwaitMany { drain } => SliceEnd::AwaitingMany { drain },
        VmEnd::Resume => SliceEnd::Resuming,
        VmEnd::Wait { object, .. } => SliceEnd::Waiting { object },
        VmEnd::Cancel => SliceEnd::Cancelling {
            future: cancelling.unwrap_or(0),
        },
        VmEnd::Sleep { ms } => SliceEnd::Sleeping { ms },
        VmEnd::Host => SliceEnd::Host,
        VmEnd::Collect => SliceEnd::Collecting,
        VmEnd::Returned => SliceEnd::Returned,
        VmEnd::Threw => SliceEnd::Threw,
    }
}

/// What a slice did to others; most do nothing.
fn effects(outcome: &SliceOutcome) -> Option<Box<Effects>> {
    let did_nothing = outcome.changed.is_empty()
        && outcome.cancel.is_empty()
        && outcome.interrupts.is_empty()
        && outcome.awaited.is_empty()
        && outcome.host.is_none()
        && outcome.trace.is_empty()
        && outcome.skipped_steps == 0
        && !outcome.finishing;
    if did_nothing {
        return None;
    }
    let host = outcome.host.as_ref();
    Some(Box::new(Effects {
        changed: outcome.changed.iter().map(|at| at.object).collect(),
        cancel: outcome.cancel.clone(),
        interrupts: outcome.interrupts.clone(),
        awaited: outcome.awaited.clone(),
        host: host.map(|host| (host.name.clone(), host.args.iter().map(data).collect())),
        trace: outcome.trace.clone(),
        skipped_steps: outcome.skipped_steps,
        finishing: outcome.finishing,
    }))
}

impl Observer for TraceObserver {
    fn event(&self, event: &EngineEvent<'_>) {
        if matches!(
            event,
            EngineEvent::Forked { .. } | EngineEvent::Reload { .. }
        ) {
            self.state.lock().forget_heap_events();
        }
        match *event {
            EngineEvent::CallStarted { call, finalizer } => {
                let mut state = self.state.lock();
                let announced = || state.callees.get(&call.id()).cloned();
                let callee = match finalizer {
                    Some(number) => Callee::Finalizer { number },
                    None => announced().unwrap_or(Callee::ModuleInit),
                };
                state.events.push(Event::CallStarted {
                    call: call.id(),
                    task: call.task(),
                    callee,
                    realm: call.realm(),
                    seed: call.seed(),
                });
            }
            EngineEvent::Slice {
                task,
                realm: _,
                input,
                outcome,
                cancelling,
            } => self.slice(task, input, outcome, cancelling),
            EngineEvent::Registered {
                task,
                future,
                runner,
                detached,
                deadline,
                seed,
            } => {
                let mut state = self.state.lock();
                state.spawned.push((task, runner));
                state.events.push(Event::Registered {
                    task,
                    future,
                    runner,
                    detached,
                    deadline,
                    seed,
                });
            }
            EngineEvent::AwaitManyResolved { task } => {
                self.push(Event::AwaitManyResolved { task });
            }
            EngineEvent::WaitResolved { task, object } => {
                self.push(Event::WaitResolved { task, object });
            }
            EngineEvent::InterruptRaised { task, signal } => {
                self.push(Event::InterruptRaised {
                    task,
                    signal: signal.to_owned(),
                });
            }
            EngineEvent::HostEnded { task, result } => {
                let result = match result {
                    Ok(value) => Ok(data(value)),
                    Err(message) => Err(message.clone()),
                };
                self.push(Event::HostEnded { task, result });
            }
            EngineEvent::AwaitResolved { task, future } => {
                self.push(Event::AwaitResolved { task, future });
            }
            EngineEvent::BodyEnded { task } => self.push(Event::BodyEnded { task }),
            EngineEvent::WaitBegan { task, object } => {
                self.push(Event::WaitBegan { task, object });
            }
            EngineEvent::Unobserved { future, .. } => self.push(Event::Unobserved { future }),
            EngineEvent::HostBegan { task } => self.push(Event::HostBegan { task }),
            EngineEvent::Aborted { task } => self.push(Event::Aborted { task }),
            EngineEvent::HostPanicked { task, message } => self.push(Event::HostPanicked {
                task,
                message: message.to_owned(),
            }),
            EngineEvent::CancelRequested { task } => self.push(Event::CancelRequested { task }),
            EngineEvent::Reload { version, step } => {
                let step = match step {
                    ReloadStep::Begun => VersionStep::Begun,
                    ReloadStep::Swapped => VersionStep::Swapped,
                    ReloadStep::Deferred => VersionStep::Deferred,
                    ReloadStep::Failed(failure) => VersionStep::Failed(version_failure(failure)),
                };
                self.push(Event::Version { version, step });
            }
            EngineEvent::Settled { future, state } => {
                self.push(Event::Settled {
                    future,
                    state: visible(state),
                });
            }
            EngineEvent::SettleRefused { future } => self.push(Event::SettleRefused { future }),
            EngineEvent::Woken { task } => self.push(Event::Woken { task }),
            EngineEvent::MemoryRefused {
                task,
                words,
                account_bytes,
            } => self.memory_refused(task, words, account_bytes),
            EngineEvent::CallEnded { call, outcome } => {
                let outcome = match outcome {
                    CallOutcome::Returned => Outcome::Returned(self.dump_value(call)),
                    CallOutcome::Threw => Outcome::Threw(self.dump_value(call)),
                    CallOutcome::Cancelled => Outcome::Cancelled,
                    CallOutcome::Panicked => Outcome::Panicked(self.dump_value(call)),
                };
                self.push(Event::CallEnded {
                    call: call.id(),
                    task: call.task(),
                    outcome,
                    is_cancelled: call.is_cancelled(),
                });
                self.panic_at(call.id());
            }
            // The call's end says it, as a graph.
            EngineEvent::FinalizerFailed { .. } => {}
            EngineEvent::Forked {
                template,
                fork,
                refused,
            } => self.push(Event::Forked {
                template,
                fork,
                refused: refused.map(|error| match error {
                    ForkError::Initialising => ForkRefusal::Initialising,
                    ForkError::Stream { path } => ForkRefusal::Stream(path.clone()),
                    ForkError::OutOfMemory => ForkRefusal::NoMemory,
                }),
            }),
            EngineEvent::RequestRefused { id } => self.push(Event::RequestRefused {
                id: id.as_str().to_owned(),
            }),
            EngineEvent::RequestBegan {
                request,
                id,
                fork,
                call,
            } => {
                self.push(Event::RequestBegan {
                    request,
                    id: id.as_str().to_owned(),
                    fork,
                    call: call.id(),
                    task: call.task(),
                });
                self.panic_at(call.id());
            }
            EngineEvent::Disconnected { request, .. } => {
                self.push(Event::Disconnected { request });
            }
            EngineEvent::RequestEnded { request, id, .. } => self.push(Event::RequestEnded {
                request,
                id: id.as_str().to_owned(),
            }),
            EngineEvent::ForkDropped { fork } => self.push(Event::ForkDropped { fork }),
            EngineEvent::Collected { report } => self.collected(report),
        }
    }
}

/// What the trace keeps of a failure: its texts are those of errors, which the model has.
pub(super) fn version_failure(failure: &ReloadFailure) -> VersionFailure {
    match failure {
        ReloadFailure::Source(_) => VersionFailure::Source,
        ReloadFailure::OutOfMemory => VersionFailure::OutOfMemory,
        ReloadFailure::Threw { .. } => VersionFailure::Threw,
        ReloadFailure::Cancelled => VersionFailure::Cancelled,
        ReloadFailure::Panicked(_) => VersionFailure::Panicked,
    }
}

fn visible(state: HeapState) -> FutureState {
    match state {
        HeapState::Pending => FutureState::Pending,
        HeapState::Ready => FutureState::Ready,
        HeapState::Error => FutureState::Error,
        HeapState::Cancelled => FutureState::Cancelled,
        HeapState::InternalError => FutureState::InternalError,
    }
}

/// Subjects of pairs: tasks and futures have ranges of their own.
fn of_task(task: TaskId) -> u64 {
    1 << 40 | u64::from(task)
}

fn of_future(future: u64) -> u64 {
    2 << 40 | future
}

fn of_object(object: u64) -> u64 {
    3 << 40 | object
}

/// The event pairs of a run. What the host does to a call happens to the task that runs
/// the call, too, and what happens to a spawned task happens to its future.
pub(super) fn pairs(
    events: &[Event],
    host: &HostScript,
    slice_events: &[(usize, TaskId, EventKind)],
    happened: &[Happening],
) -> PairTracker {
    let mut subjects = Subjects {
        pairs: PairTracker::new(),
        ..Subjects::default()
    };
    let mut actions = host.actions.iter().peekable();
    let mut slice_events = slice_events.iter().peekable();
    let mut happened = happened.iter().peekable();
    for (index, event) in events.iter().enumerate() {
        while let Some(&(_, task, kind)) = slice_events.next_if(|(at, ..)| *at <= index) {
            subjects.task(task, kind);
        }
        while let Some(&(_, task, kind)) = actions.next_if(|(at, ..)| *at <= index) {
            subjects.task(task, kind);
        }
        while let Some(&(_, task, kind, object)) = happened.next_if(|(at, ..)| *at <= index) {
            subjects.task(task, kind);
            if let Some(object) = object {
                subjects.pairs.event(of_object(object), kind);
            }
        }
        subjects.note(event);
    }
    for &(_, task, kind) in actions {
        subjects.task(task, kind);
    }
    subjects.pairs
}

/// Who is who, for the pairs.
#[derive(Default)]
struct Subjects {
    pairs: PairTracker,
    /// Futures by the task that runs them.
    futures: BTreeMap<TaskId, u64>,
    /// Tasks by the future they run.
    runners: BTreeMap<u64, TaskId>,
    /// Futures that have settled: nobody is reached by cancelling one.
    settled: BTreeSet<u64>,
    /// Realms by the tasks that run in them.
    realms: BTreeMap<TaskId, u32>,
    /// The last event of each realm.
    last_in_realm: BTreeMap<u32, EventKind>,
    /// Templates by their forks.
    templates: BTreeMap<u32, u32>,
}

impl Subjects {
    fn task(&mut self, task: TaskId, kind: EventKind) {
        self.pairs.event(of_task(task), kind);
        if let Some(&realm) = self.realms.get(&task) {
            self.realm(realm, kind);
        }
        if let Some(&future) = self.futures.get(&task) {
            self.pairs.event(of_future(future), kind);
        }
    }

    /// Something happened in a realm. Only what is next to forks is a pair.
    fn realm(&mut self, realm: u32, kind: EventKind) {
        let is_of_forks = |kind| matches!(kind, EventKind::Fork | EventKind::ForkDrop);
        if let Some(last) = self.last_in_realm.insert(realm, kind)
            && (is_of_forks(last) || is_of_forks(kind))
        {
            self.pairs.pair(last, kind);
        }
    }

    fn every_realm(&mut self, kind: EventKind) {
        let realms: Vec<u32> = self.last_in_realm.keys().copied().collect();
        for realm in realms {
            self.realm(realm, kind);
        }
    }

    fn future(&mut self, future: u64, kind: EventKind) {
        match self.runners.get(&future) {
            Some(&runner) => self.task(runner, kind),
            None => self.pairs.event(of_future(future), kind),
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::CallStarted {
                call, task, realm, ..
            } => {
                self.realms.insert(*task, *realm);
                if CallKind::of_id(*call).is_of_host() {
                    self.task(*task, EventKind::CallBegin);
                }
            }
            Event::Forked {
                template,
                fork,
                refused: None,
            } => {
                self.templates.insert(*fork, *template);
                self.realm(*template, EventKind::Fork);
                self.realm(*fork, EventKind::Fork);
            }
            Event::ForkDropped { fork } => {
                self.realm(*fork, EventKind::ForkDrop);
                if let Some(&template) = self.templates.get(fork) {
                    self.realm(template, EventKind::ForkDrop);
                }
            }
            Event::CallEnded { call, task, .. } if CallKind::of_id(*call).is_of_host() => {
                self.task(*task, EventKind::CallEnd);
            }
            Event::Registered {
                task,
                future,
                runner,
                ..
            } => {
                self.task(*task, EventKind::Spawn);
                if let Some(&realm) = self.realms.get(task) {
                    self.realms.insert(*runner, realm);
                }
                self.futures.insert(*runner, *future);
                self.runners.insert(*future, *runner);
                self.future(*future, EventKind::Spawn);
            }
            Event::SliceEnded {
                task,
                end: SliceEnd::Awaiting { future },
                ..
            } => {
                self.task(*task, EventKind::Await);
                self.pairs.event(of_future(*future), EventKind::Await);
            }
            Event::SliceEnded {
                task,
                end: SliceEnd::AwaitingMany { .. },
                effects: Some(effects),
                ..
            } => {
                self.task(*task, EventKind::Await);
                for &future in &effects.awaited {
                    self.pairs.event(of_future(future), EventKind::Await);
                }
            }
            Event::AwaitResolved { task, future } => {
                self.task(*task, EventKind::Await);
                self.future(*future, EventKind::Await);
            }
            Event::CancelRequested { task } => self.task(*task, EventKind::Cancel),
            // It releases guards and fails, as a throw does that nobody catches.
            Event::Aborted { task } => self.task(*task, EventKind::Throw),
            // What becomes of a version happens to everybody: who starts from now on sees
            // another one, or does not.
            Event::Version { step, .. } => {
                let kind = match step {
                    VersionStep::Begun => EventKind::ReloadBegin,
                    VersionStep::Swapped => EventKind::ReloadSwap,
                    VersionStep::Failed(_) => EventKind::ReloadFail,
                    VersionStep::Deferred => return,
                };
                self.pairs.event_on_all(kind);
                self.every_realm(kind);
            }
            Event::SliceEnded {
                end: SliceEnd::Cancelling { future },
                ..
            } if self.settled.contains(future) => self.future(*future, EventKind::Cancel),
            Event::Settled { future, state } => {
                self.settled.insert(*future);
                let kind = match state {
                    FutureState::Ready => EventKind::Complete,
                    _ => EventKind::Fail,
                };
                self.future(*future, kind);
            }
            Event::Collected { kind, promoted, .. } => {
                // A collection that makes objects old is that first of all.
                let kind = match kind {
                    _ if *promoted > 0 => EventKind::Promote,
                    CollectionKind::Minor => EventKind::Minor,
                    CollectionKind::Major => EventKind::Major,
                };
                self.pairs.event_on_all(kind);
                self.every_realm(kind);
            }
            _ => {}
        }
    }
}

/// The trace as lines for people: actor and text. `places` says where tasks stood when
/// they were chosen: number of trace events before it, site.
pub(super) fn timeline(
    events: &[Event],
    places: &[(usize, Site)],
    program: &Program,
) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let mut places = places.iter().peekable();
    let mut standing = Site::default();
    for (index, event) in events.iter().enumerate() {
        while let Some(&(_, site)) = places.next_if(|(before, _)| *before <= index) {
            standing = site;
        }
        let Some((actor, mut text)) = event.in_words(program) else {
            continue;
        };
        if let Event::SliceEnded { task, .. } = event {
            let line = source_line(program, *task, std::mem::take(&mut standing));
            text.insert_str(0, &line);
        }
        lines.push((actor, text));
    }
    lines
}

/// The source line on which a task stood, if it is the one that was chosen there.
fn source_line(program: &Program, task: TaskId, site: Site) -> String {
    let function = program.functions.get(usize::from(site.function));
    match function.and_then(|function| function.spans.get(site.at as usize)) {
        Some(span) if site.actor == task && span.line > 0 => format!("line {}: ", span.line),
        _ => String::new(),
    }
}
