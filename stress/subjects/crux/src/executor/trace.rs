//! What happened in a run of programs, event by event.
//!
//! The trace is what the oracles judge. It has everything that the reference model needs
//! to run the same program under the same decisions, and what it must find.

use std::fmt::Write as _;

use gcrucible_bytecode::{ErrorKind, Program};
use gcrucible_engine::CallKind;
use gcrucible_heap::{CollectionKind, NeedsMemory};
use gcrucible_trace::Site;

use super::graph::{FutureState, GraphDump};
pub use crate::scenario::Data;

/// Number of a task: 1, 2, … in order of creation; [`Site::HOST`](gcrucible_trace::Site)
/// is 0.
pub type TaskId = u32;

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The host started a call; `task` will run it. `globals` are initialised before the
    /// first call by a call of its own to the module's top level ([`Callee::ModuleInit`]).
    CallStarted {
        /// Id of the call.
        call: u32,
        /// The task that runs it.
        task: TaskId,
        /// What it calls.
        callee: Callee,
        /// The realm that it runs in: 0 is the first, forks and all others are numbered on.
        realm: u32,
        /// First state of its random numbers.
        seed: u64,
    },
    /// The host's call was refused because its id is taken.
    CallRefused {
        /// Id of the call.
        call: u32,
    },
    /// The host dropped its end of a call.
    CallDropped {
        /// The task that runs the call.
        task: TaskId,
    },
    /// The host asked for a fork for serving.
    Forked {
        /// The realm that was to be copied.
        template: u32,
        /// The number of the fork's realm.
        fork: u32,
        /// Why there is none.
        refused: Option<ForkRefusal>,
    },
    /// The host has dropped a fork.
    ForkDropped {
        /// The number of its realm.
        fork: u32,
    },
    /// The host takes a request in, to be served by a call of this id.
    RequestAsked {
        /// Id of the call.
        call: u32,
        /// What the request must be called.
        id: String,
    },
    /// The request was refused because too many are under way.
    RequestRefused {
        /// What it is called.
        id: String,
    },
    /// A request is served.
    RequestBegan {
        /// Its number.
        request: u64,
        /// What it is called.
        id: String,
        /// The number of its fork's realm.
        fork: u32,
        /// Id of its call.
        call: u32,
        /// The task that runs the call.
        task: TaskId,
    },
    /// The host lets the client of a request go whose call has not ended.
    ClientGone {
        /// The number of the request.
        request: u64,
    },
    /// The client of a request is gone before its call has ended.
    Disconnected {
        /// Its number.
        request: u64,
    },
    /// A request ended with its call.
    RequestEnded {
        /// Its number.
        request: u64,
        /// What it is called.
        id: String,
    },
    /// A task runs.
    SliceBegan {
        /// The task.
        task: TaskId,
        /// What it was told, and what it made of that.
        start: SliceStart,
    },
    /// `print` was called.
    Printed {
        /// The task.
        task: TaskId,
        /// The line without its newline.
        text: String,
    },
    /// The slice is over.
    SliceEnded {
        /// The task.
        task: TaskId,
        /// Instructions that were executed since the slice began.
        instructions: u32,
        /// Why.
        end: SliceEnd,
        /// Values thrown in it.
        thrown: u32,
        /// Of these, values that a `catch` got.
        caught: u32,
        /// What it did to others; nothing in most slices.
        effects: Option<Box<Effects>>,
    },
    /// A spawned future is in the registry; its body will run as `runner`.
    Registered {
        /// The spawning task.
        task: TaskId,
        /// Id of the future.
        future: u64,
        /// The task that will run its body.
        runner: TaskId,
        /// Whether the new task belongs to no run.
        detached: bool,
        /// The deadline that it inherits.
        deadline: Option<u64>,
        /// First state of its random numbers.
        seed: u64,
    },
    /// The engine answered an await: the future is not in the registry, so it is resolved,
    /// and the await runs again.
    AwaitResolved {
        /// The awaiting task.
        task: TaskId,
        /// Id of the future.
        future: u64,
    },
    /// The engine answered a wait for several futures: one of them is resolved, and the
    /// instruction runs again.
    AwaitManyResolved {
        /// The waiting task.
        task: TaskId,
    },
    /// The engine answered a wait for a channel or mutex: it has changed in the meantime, and
    /// the instruction runs again.
    WaitResolved {
        /// The waiting task.
        task: TaskId,
        /// Id of the channel or mutex.
        object: u64,
    },
    /// A signal was raised for the run of this root task; it stays pending until a slice
    /// dispatches it.
    InterruptRaised {
        /// The root task.
        task: TaskId,
        /// Name of the signal.
        signal: String,
    },
    /// A host operation begins.
    HostBegan {
        /// The task that asked for it.
        task: TaskId,
    },
    /// The body of a task has ended, or will never begin: what comes of its future or call is
    /// decided.
    BodyEnded {
        /// The task.
        task: TaskId,
    },
    /// A task waits for a channel or mutex from now on.
    WaitBegan {
        /// The task.
        task: TaskId,
        /// Id of the channel or mutex.
        object: u64,
    },
    /// The failure of a future was reported that nobody had seen.
    Unobserved {
        /// Id of the future.
        future: u64,
    },
    /// A task that was cancelled went on for longer than its grace time: its body has ended by
    /// that.
    Aborted {
        /// The task.
        task: TaskId,
    },
    /// Of each host operation, in order of their begins, whether it was told to stop before it
    /// ended or was dropped; nothing of one that panicked. It comes once, when all is over.
    Told {
        /// The operations.
        operations: Vec<Option<bool>>,
    },
    /// A host operation ended.
    HostEnded {
        /// The task that began it.
        task: TaskId,
        /// What it gave, or why it failed.
        result: Result<Data, String>,
    },
    /// A host operation panicked, which ended the body of the task that began it.
    HostPanicked {
        /// The task.
        task: TaskId,
        /// What the panic said.
        message: String,
    },
    /// Somebody requested cancellation of a task (by call id or by future).
    CancelRequested {
        /// Who is to be cancelled.
        task: TaskId,
    },
    /// The host asks for something that concerns the versions of the program.
    Asked {
        /// What.
        asked: Asked,
    },
    /// Something became of a version.
    Version {
        /// Its number; 1 is the program that the run began with.
        version: u32,
        /// What became of it.
        step: VersionStep,
    },
    /// The host was told how the preload ended that it had waited for.
    PreloadFinished {
        /// Why it failed, if it did.
        failure: Option<VersionFailure>,
    },
    /// What was protected when the host had been answered: counts by kind of object.
    Protected {
        /// All that the heap counts.
        all: Vec<(String, u64)>,
        /// Of these, what the host's script took.
        of_host: Vec<(String, u64)>,
    },
    /// A future left the pending state; from now on every await sees it.
    Settled {
        /// Id of the future.
        future: u64,
        /// Its final state.
        state: FutureState,
    },
    /// A late completion was refused.
    SettleRefused {
        /// Id of the future.
        future: u64,
    },
    /// A waiting task became ready (its future settled, its sleep ended, it was
    /// cancelled).
    Woken {
        /// The task.
        task: TaskId,
    },
    /// An allocation of a task failed for good; `OutOfMemory` will be thrown in it.
    MemoryRefused {
        /// The task.
        task: TaskId,
        /// Words that were asked for.
        words: u32,
        /// Bytes in use by then.
        used_bytes: u64,
        /// Bytes that the task's fork used of them, if that has an account.
        account_bytes: Option<u64>,
        /// Whether the scenario injected the failure.
        is_injected: bool,
    },
    /// A call ended and its id is free again.
    CallEnded {
        /// Id of the call.
        call: u32,
        /// The task that ran it.
        task: TaskId,
        /// How it ended.
        outcome: Outcome,
        /// Whether the host takes that for a cancellation.
        is_cancelled: bool,
    },
    /// A collection.
    Collected {
        /// Which kind.
        kind: CollectionKind,
        /// Objects moved.
        moved: u32,
        /// Objects promoted to the old generation.
        promoted: u32,
        /// Ids of the weak references that it cleared.
        cleared: Vec<u64>,
        /// Numbers of the finalizers that it queued, in order.
        queued: Vec<u64>,
    },
    /// Virtual time went on.
    TimeAdvanced {
        /// Milliseconds since the start.
        now_ms: u64,
        /// What let it pass.
        why: Passing,
    },
    /// Nothing is ready and nothing is to come: who waits for ever, and for what.
    Quiescent {
        /// Waiting task and the id of its future.
        waiting: Vec<(TaskId, u64)>,
        /// Waiting task and the id of its channel or mutex.
        blocked: Vec<(TaskId, u64)>,
    },
}

impl Event {
    /// Who does what collections do.
    const COLLECTOR: u32 = u32::MAX;

    /// The event for people: who does what; `None` if it says nothing that others do not.
    pub(super) fn in_words(&self, program: &Program) -> Option<(u32, String)> {
        Some(match self {
            Event::CallStarted {
                call,
                task,
                callee,
                realm,
                ..
            } => {
                let what = match callee {
                    Callee::ModuleInit => "initialise the modules".to_owned(),
                    Callee::Finalizer { number } => format!("run finalizer {number}"),
                    Callee::Export { global, args } => {
                        let name = program.globals.get(usize::from(*global));
                        let name = name.map_or("?", |global| global.name.as_str());
                        let args: Vec<String> = args.iter().map(i64::to_string).collect();
                        format!("call {call}: {name}({})", args.join(", "))
                    }
                };
                let place = match realm {
                    0 => String::new(),
                    realm => format!(" of realm {realm}"),
                };
                (Site::HOST, format!("{what} in task {task}{place}"))
            }
            Event::CallRefused { call } => (Site::HOST, format!("call {call} refused: id taken")),
            Event::CallDropped { task } => {
                (Site::HOST, format!("the call of task {task} is dropped"))
            }
            Event::Forked {
                template,
                fork,
                refused,
            } => {
                let text = match refused {
                    None => format!("realm {template} is forked as realm {fork}"),
                    Some(ForkRefusal::Initialising) => "no fork: initialising".to_owned(),
                    Some(ForkRefusal::Stream(path)) => format!("no fork: {path} is a stream"),
                    Some(ForkRefusal::NoMemory) => "no fork: no memory".to_owned(),
                };
                (Site::HOST, text)
            }
            Event::ForkDropped { fork } => (Site::HOST, format!("fork {fork} is dropped")),
            Event::RequestAsked { call, id } => {
                (Site::HOST, format!("request {id:?} for call {call}"))
            }
            Event::RequestRefused { id } => {
                (Site::HOST, format!("request {id:?} refused: too many"))
            }
            Event::RequestBegan {
                request,
                id,
                fork,
                task,
                ..
            } => (
                Site::HOST,
                format!("request {request}, {id:?}, is served by task {task} in fork {fork}"),
            ),
            Event::Disconnected { request } => (
                Site::HOST,
                format!("the client of request {request} is gone"),
            ),
            Event::RequestEnded { request, .. } => (Site::HOST, format!("request {request} ended")),
            Event::SliceBegan { task, start } => match (&start.interrupt, start.offered) {
                (Some(signal), _) if start.dispatched => (*task, format!("! signal {signal}")),
                (_, Some(error)) if start.delivered => {
                    (*task, format!("! {} arrives", error.name()))
                }
                _ => return None,
            },
            Event::Printed { task, text } => (*task, format!("print {text}")),
            Event::SliceEnded {
                task,
                instructions,
                end,
                effects,
                ..
            } => {
                let futures = effects.as_ref().map_or(&[][..], |effects| &effects.awaited);
                (
                    *task,
                    format!("runs {instructions}{}", end.in_words(futures)),
                )
            }
            Event::Registered {
                task,
                future,
                runner,
                ..
            } => (*task, format!("future {future} runs as task {runner}")),
            Event::AwaitResolved { task, future } => {
                (*task, format!("future {future} is resolved"))
            }
            Event::AwaitManyResolved { task } => (*task, "one of them is resolved".to_owned()),
            Event::WaitResolved { task, object } => (*task, format!("object {object} has changed")),
            Event::InterruptRaised { task, signal } => (*task, format!("signal {signal} raised")),
            Event::HostEnded { task, result } => (
                *task,
                match result {
                    Ok(_) => "the host answers".to_owned(),
                    Err(message) => format!("the host fails: {message}"),
                },
            ),
            Event::HostBegan { task } => (*task, "the host begins".to_owned()),
            Event::Aborted { task } => (*task, "aborted: its grace time is over".to_owned()),
            Event::Told { operations } => {
                let told = operations.iter().filter(|told| **told == Some(true));
                (
                    Site::HOST,
                    format!("{} operations were told to stop", told.count()),
                )
            }
            Event::HostPanicked { task, message } => (*task, format!("the host panics: {message}")),
            Event::CancelRequested { task } => (*task, "cancellation requested".to_owned()),
            Event::Asked { asked } => (Site::HOST, asked.in_words()),
            Event::Version { version, step } => {
                let became = match step {
                    VersionStep::Begun => "begins".to_owned(),
                    VersionStep::Swapped => "is current".to_owned(),
                    VersionStep::Deferred => "waits for the pending entry".to_owned(),
                    VersionStep::Failed(why) => format!("failed: {why:?}"),
                };
                (Site::HOST, format!("version {version} {became}"))
            }
            Event::PreloadFinished { failure } => {
                let how = match failure {
                    None => "well".to_owned(),
                    Some(why) => format!("badly: {why:?}"),
                };
                (Site::HOST, format!("the preload ended {how}"))
            }
            Event::Protected { .. } => return None,
            Event::Settled { future, state } => (Site::HOST, format!("future {future}: {state:?}")),
            Event::SettleRefused { future } => (
                Site::HOST,
                format!("future {future}: late completion refused"),
            ),
            Event::Woken { task } => (*task, "woken".to_owned()),
            Event::MemoryRefused {
                task,
                words,
                is_injected,
                ..
            } => {
                let why = if *is_injected {
                    ", as the scenario says"
                } else {
                    ""
                };
                let (words, is_side_by_side) = NeedsMemory::parts(*words);
                let side = if is_side_by_side { " side by side" } else { "" };
                (*task, format!("no memory for {words} words{side}{why}"))
            }
            Event::CallEnded { call, outcome, .. } => {
                let mut text = match CallKind::of_id(*call) {
                    CallKind::Init => "initialisation ended: ".to_owned(),
                    CallKind::Finalizer => "finalizer ended: ".to_owned(),
                    CallKind::Host(call) => format!("call {call} ended: "),
                };
                match outcome {
                    Outcome::Returned(_) => text.push_str("returned"),
                    Outcome::Threw(dump) => {
                        let _ = write!(text, "threw {}", dump.error_text());
                    }
                    Outcome::Cancelled => text.push_str("cancelled"),
                    Outcome::Panicked(_) => text.push_str("panicked"),
                }
                (Site::HOST, text)
            }
            Event::Collected {
                kind,
                moved,
                promoted,
                ..
            } => (
                Self::COLLECTOR,
                format!("{kind:?}: {moved} moved, {promoted} promoted"),
            ),
            Event::TimeAdvanced { now_ms, .. } => (Site::HOST, format!("time is {now_ms} ms")),
            Event::BodyEnded { .. } | Event::WaitBegan { .. } | Event::ClientGone { .. } => {
                return None;
            }
            Event::Unobserved { future } => {
                let text = format!("nobody has seen that future {future} failed");
                (Site::HOST, text)
            }
            Event::Quiescent { waiting, blocked } if waiting.is_empty() && blocked.is_empty() => {
                (Site::HOST, "nothing is left to do".to_owned())
            }
            Event::Quiescent { waiting, blocked } => (
                Site::HOST,
                format!("waiting for ever: for futures {waiting:?}, for objects {blocked:?}"),
            ),
        })
    }
}

/// What lets time pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Passing {
    /// The host, whatever is due meanwhile.
    Host,
    /// A timer, while others could have gone on.
    Timer,
    /// A timer, when nobody else could go on.
    Idle,
}

/// Why there is no fork.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForkRefusal {
    /// The top level has not ended.
    Initialising,
    /// A stream is reachable, on this way.
    Stream(String),
    /// There was no memory.
    NoMemory,
}

/// What the host asks for that concerns the versions of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A new version; an index among those of the scenario, or none if it does not compile.
    Reload {
        /// What it is made of.
        program: Option<usize>,
        /// Whether a pending top level is cancelled for it.
        forced: bool,
    },
    /// A look at the entry's promise.
    Tick,
    /// To run a program before the entry.
    Preload {
        /// An index among the versions of the scenario.
        program: usize,
    },
    /// Another entry in place of the first one.
    Override {
        /// An index among the versions of the scenario.
        program: usize,
    },
    /// An entry that has nothing to evaluate.
    Unchanged,
    /// To forget the entry.
    Isolate,
}

impl Asked {
    fn in_words(self) -> String {
        match self {
            Asked::Reload { program, forced } => {
                let what = match program {
                    Some(program) => format!("reload to program {program}"),
                    None => "reload to a program that does not compile".to_owned(),
                };
                let how = if forced { ", by force" } else { "" };
                format!("{what}{how}")
            }
            Asked::Tick => "tick".to_owned(),
            Asked::Preload { program } => format!("preload program {program}"),
            Asked::Override { program } => format!("program {program} instead of the entry"),
            Asked::Unchanged => "an entry with nothing to evaluate".to_owned(),
            Asked::Isolate => "forget the entry".to_owned(),
        }
    }
}

/// What became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionStep {
    /// Its top level begins, as the next call that starts.
    Begun,
    /// It is current.
    Swapped,
    /// It waits for a pending top level.
    Deferred,
    /// It will never be current.
    Failed(VersionFailure),
}

/// Why a version failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are named after what happened")]
pub enum VersionFailure {
    Source,
    Refused,
    OutOfMemory,
    Threw,
    Cancelled,
    Panicked,
}

/// What a task was told at the start of a slice, and what it made of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SliceStart {
    /// The most instructions to execute.
    pub fuel: u32,
    /// An error offered to be thrown inside it before the first instruction.
    pub offered: Option<ErrorKind>,
    /// The message of that error, if it is not that of its kind.
    pub message: Option<String>,
    /// Whether it was thrown.
    pub delivered: bool,
    /// Whether the task's cancellation was requested.
    pub cancel_requested: bool,
    /// Milliseconds since the engine began.
    pub now_ms: u64,
    /// The deadline that the task inherited.
    pub inherited_deadline: Option<u64>,
    /// A signal offered to be dispatched.
    pub interrupt: Option<String>,
    /// Whether it was dispatched.
    pub dispatched: bool,
    /// Whether the operation that the task stands at is over.
    pub operation_over: bool,
    /// Tasks of its run that have not settled.
    pub open_tasks: u32,
    /// Its squads, by number, one of whose children has failed since its last slice.
    pub failed_squads: Vec<u32>,
}

/// What a slice did to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effects {
    /// Ids of channels and mutexes that changed.
    pub changed: Vec<u64>,
    /// Futures whose cancellation it asks for: children of a deadline that fired, or of a
    /// squad that drains.
    pub cancel: Vec<u64>,
    /// Signals it raised.
    pub interrupts: Vec<String>,
    /// With [`SliceEnd::AwaitingMany`]: the pending futures.
    pub awaited: Vec<u64>,
    /// With [`SliceEnd::Host`]: name and arguments of the operation.
    pub host: Option<(String, Vec<Data>)>,
    /// With [`SliceEnd::Threw`]: where every frame stood, innermost first.
    pub trace: Vec<(u16, u32)>,
    /// Steps that returned nil because their budget was spent.
    pub skipped_steps: u32,
    /// Whether the lifecycle's end began.
    pub finishing: bool,
}

/// What a call runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// The init function of each module in order; globals are frozen when it returns. Which
    /// version's is what was asked for last.
    ModuleInit,
    /// The closure in this global, with these arguments.
    Export {
        /// Index of the global.
        global: u16,
        /// Arguments.
        args: Vec<i64>,
    },
    /// The finalizer of that number, with its object: no call of the host.
    Finalizer {
        /// Its number among those that were registered.
        number: u64,
    },
}

/// Why a slice ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SliceEnd {
    /// The fuel is spent or a safepoint was taken: nothing that the program could see.
    Preempted,
    /// More memory is needed; what was about to happen will.
    NoMemory,
    /// `yield_now()`.
    Yielded,
    /// `spawn`; [`Event::Registered`] follows at once, then the task goes on.
    Spawned {
        /// `spawn detached`.
        detached: bool,
    },
    /// `await` of a pending future; the instruction runs again.
    Awaiting {
        /// Id of the future.
        future: u64,
    },
    /// A squad waits for the futures in [`Effects::awaited`]; the instruction runs again.
    AwaitingMany {
        /// Whether only their end ends the wait.
        drain: bool,
    },
    /// A channel or mutex must change first; the instruction runs again.
    Waiting {
        /// Its id.
        object: u64,
    },
    /// It stands at an operation that is not over.
    Resuming,
    /// A host operation.
    Host,
    /// `cancel(f)`; [`Event::CancelRequested`] follows if the future is pending.
    Cancelling {
        /// Id of the future.
        future: u64,
    },
    /// `sleep(ms)`.
    Sleeping {
        /// For how long.
        ms: u64,
    },
    /// `collect()`.
    Collecting,
    /// The task's body returned.
    Returned,
    /// The task's body ended with an uncaught error.
    Threw,
}

impl SliceEnd {
    /// Whether the task has nothing to wait for: it goes on at once, or has ended.
    pub(crate) fn goes_on(&self) -> bool {
        match self {
            SliceEnd::Preempted
            | SliceEnd::NoMemory
            | SliceEnd::Yielded
            | SliceEnd::Spawned { .. }
            | SliceEnd::Cancelling { .. }
            | SliceEnd::Collecting
            | SliceEnd::Returned
            | SliceEnd::Threw => true,
            SliceEnd::Awaiting { .. }
            | SliceEnd::AwaitingMany { .. }
            | SliceEnd::Waiting { .. }
            | SliceEnd::Resuming
            | SliceEnd::Host
            | SliceEnd::Sleeping { .. } => false,
        }
    }

    /// What follows the number of instructions; `futures` are those that it waits for.
    fn in_words(&self, futures: &[u64]) -> String {
        match self {
            SliceEnd::Preempted | SliceEnd::NoMemory => String::new(),
            SliceEnd::Yielded => ", yields".to_owned(),
            SliceEnd::Spawned { detached: false } => ", spawns".to_owned(),
            SliceEnd::Spawned { detached: true } => ", spawns detached".to_owned(),
            SliceEnd::AwaitingMany { drain } => {
                let verb = if *drain { "drains" } else { "joins" };
                format!(", {verb} futures {futures:?}")
            }
            SliceEnd::Waiting { object } => format!(", waits for object {object}"),
            SliceEnd::Resuming => ", goes on waiting".to_owned(),
            SliceEnd::Host => ", asks the host".to_owned(),
            SliceEnd::Awaiting { future } => format!(", awaits future {future}"),
            SliceEnd::Cancelling { future } => format!(", cancels future {future}"),
            SliceEnd::Sleeping { ms } => format!(", sleeps {ms} ms"),
            SliceEnd::Collecting => ", asks for a collection".to_owned(),
            SliceEnd::Returned => ", returns".to_owned(),
            SliceEnd::Threw => ", ends with an error".to_owned(),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With this value and all that it reaches.
    Returned(GraphDump),
    /// With this error value and all that it reaches.
    Threw(GraphDump),
    /// With an error while its cancellation was requested, or before it started.
    Cancelled,
    /// With the panic of a host operation; its message, if there was memory for that.
    Panicked(GraphDump),
}
