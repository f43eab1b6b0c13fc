//! `matches_reference`: the engine does what the reference interpreter does.
//!
//! The trace is walked once. Events that are decisions (who runs, for how many
//! instructions, who is cancelled when, in which order futures settle) drive the model;
//! everything that follows from program and decisions is compared with it.

mod endings;
mod failures;
mod slices;
mod time;
mod turns;
mod versions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gcrucible_bytecode::Program;
use gcrucible_heap::CollectionKind;

use self::turns::Turns;
use self::versions::Versions;
use crate::executor::graph::FutureState;
use crate::executor::trace::{
    Callee, Data, Event, ForkRefusal, SliceStart, TaskId, VersionFailure, VersionStep,
};
pub use crate::reference::Limits;
use crate::reference::{Model, Overdue, Status};
use gcrucible_trace::{EventKind, Failure};

use super::{Evidence, Notes, Oracle};

/// Name of the oracle.
pub const NAME: &str = "matches_reference";

/// What happened inside a slice: the index of its end in the trace, its task, what, and to
/// which channel or mutex.
pub type Happening = (usize, TaskId, EventKind, Option<u64>);

/// What the model did while it judged a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelStats {
    /// Instructions run.
    pub instructions: u64,
    /// Statements run.
    pub statements: u64,
    /// Slices compared.
    pub slices: u64,
    /// Printed lines compared.
    pub printed: u64,
    /// Call results compared, with all that they reach.
    pub outcomes: u64,
    /// Objects the model made.
    pub objects: u64,
}

/// Checks a trace of a program against the model.
///
/// # Errors
/// The first event that the model does not allow.
pub fn check(program: &Program, events: &[Event], limits: Limits) -> Result<ModelStats, Failure> {
    check_and_note(program, &[], events, limits, &mut Vec::new())
}

/// The same for a program that is reloaded to others, none of those that do not compile;
/// appends what happened inside slices: number of trace events before the end of
/// the slice, task, kind, and the channel or mutex that it happened to.
///
/// # Errors
/// The first event that the model does not allow.
pub fn check_and_note<'p>(
    program: &'p Program,
    versions: &'p [Option<&'p Program>],
    events: &[Event],
    limits: Limits,
    happened: &mut Vec<Happening>,
) -> Result<ModelStats, Failure> {
    let mut judge = Judge {
        model: Model::new(program, limits),
        versions: Versions::new(versions),
        calls: BTreeMap::new(),
        slice: None,
        realms: BTreeMap::from([(0, 0)]),
        forks: BTreeSet::new(),
        requests: BTreeMap::new(),
        due: VecDeque::new(),
        decided: BTreeSet::new(),
        delayed: BTreeSet::new(),
        has_lacked_memory: false,
        wakes: BTreeMap::new(),
        woken_from: BTreeMap::new(),
        refused: BTreeSet::new(),
        woken_at_host: BTreeSet::new(),
        turns: Turns::default(),
        majors: 0,
        stats: ModelStats::default(),
    };
    for (at, event) in events.iter().enumerate() {
        judge.event(event)?;
        if let Event::SliceEnded { task, .. } = event {
            let all = judge.model.log().happened.iter();
            happened.extend(all.map(|&(kind, object)| (at, *task, kind, object)));
        }
    }
    Ok(judge.finish())
}

/// A slice that began and did not end yet.
struct Slice<'e> {
    task: TaskId,
    start: &'e SliceStart,
    printed: Vec<&'e str>,
}

/// What the next events must be.
#[derive(Clone, Debug, PartialEq)]
enum Due {
    /// The request that a slice of `by` makes, or one that reaches a task because it reached
    /// `by`, which that one belongs to.
    CancelRequested {
        by: TaskId,
        task: TaskId,
        /// A scope of a slice ends it.
        by_scope: bool,
        /// It came from above.
        is_passed_on: bool,
    },
    /// The signal that a slice of `by` raises. It may be missing if the root's body has ended.
    InterruptRaised {
        by: TaskId,
        root: TaskId,
        signal: String,
        is_optional: bool,
    },
    /// What became of a version. That one begins may come to nothing for want of memory.
    Version { version: u32, step: VersionStep },
}

impl Due {
    fn is_optional(&self) -> bool {
        match self {
            Due::CancelRequested { .. } | Due::Version { .. } => false,
            Due::InterruptRaised { is_optional, .. } => *is_optional,
        }
    }

    fn is(&self, event: &Event) -> bool {
        match (self, event) {
            (Due::CancelRequested { task, .. }, Event::CancelRequested { task: found }) => {
                task == found
            }
            (
                Due::InterruptRaised { root, signal, .. },
                Event::InterruptRaised {
                    task,
                    signal: found,
                },
            ) => root == task && signal == found,
            (
                Due::Version { version, step },
                Event::Version {
                    version: found,
                    step: became,
                },
            ) => {
                let is_without_memory = *step == VersionStep::Begun
                    && *became == VersionStep::Failed(VersionFailure::OutOfMemory);
                version == found && (step == became || is_without_memory)
            }
            _ => false,
        }
    }
}

/// Major collections of a run that are all judged by what they leave, and how many make one
/// after that.
const MAJORS_JUDGED: u32 = 16;
const MAJORS_PER_JUDGED: u32 = 32;

struct Judge<'p, 'e> {
    model: Model<'p>,
    versions: Versions<'p>,
    /// Open calls and their tasks.
    calls: BTreeMap<u32, TaskId>,
    slice: Option<Slice<'e>>,
    /// Versions of the model by the numbers of their realms.
    realms: BTreeMap<u32, usize>,
    /// Realms of forks that the host has.
    forks: BTreeSet<u32>,
    /// Tasks of requests under way.
    requests: BTreeMap<u64, TaskId>,
    due: VecDeque<Due>,
    /// Tasks whose bodies have ended, as everybody can see.
    decided: BTreeSet<TaskId>,
    /// Tasks that others may have come before between a slice and the sleep that it ended with.
    delayed: BTreeSet<TaskId>,
    /// Whether there was no memory for something.
    has_lacked_memory: bool,
    /// How many futures have settled that a task waited for. Each wakes it once, perhaps when
    /// it waits for something else already.
    wakes: BTreeMap<TaskId, u32>,
    /// What a woken task has waited for: it goes on waiting until it runs, and a future that
    /// settles until then wakes it, too.
    woken_from: BTreeMap<TaskId, Status>,
    /// Who was refused memory since its last slice.
    refused: BTreeSet<TaskId>,
    /// Tasks woken while they stand at a host operation.
    woken_at_host: BTreeSet<TaskId>,
    /// Who may be woken for channels and mutexes.
    turns: Turns,
    /// Major collections so far.
    majors: u32,
    stats: ModelStats,
}

type Verdict = Result<(), Failure>;

fn failure(check: &str, site: impl Into<String>, message: String) -> Failure {
    Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: site.into(),
        message,
    }
}

fn said(refused: Option<&ForkRefusal>) -> String {
    match refused {
        None => "made".to_owned(),
        Some(why) => format!("refused ({why:?})"),
    }
}

impl<'e> Judge<'_, 'e> {
    fn finish(mut self) -> ModelStats {
        let work = self.model.work();
        self.stats.instructions = work.instructions;
        self.stats.statements = work.statements;
        self.stats.objects = self.model.store().len() as u64;
        self.stats
    }

    /// A failure at the place where a task stands.
    fn fail(&self, check: &str, task: TaskId, message: String) -> Verdict {
        Err(failure(
            check,
            self.model.site(task),
            format!("task {task}: {message}"),
        ))
    }

    fn event(&mut self, event: &'e Event) -> Verdict {
        let request = self.settle_due(event)?;
        match event {
            Event::CallStarted {
                call,
                task,
                callee,
                realm,
                seed,
            } => self.call_started(*call, *task, callee, *realm, *seed),
            Event::CallRefused { call } => match self.calls.contains_key(call) {
                true => Ok(()),
                false => Err(failure(
                    "call_refused",
                    "host",
                    format!("call id {call} was refused as taken, but no open call has it"),
                )),
            },
            Event::CallDropped { task } => self.call_dropped(*task),
            Event::Forked {
                template,
                fork,
                refused,
            } => self.forked(*template, *fork, refused.as_ref()),
            Event::ForkDropped { fork } => {
                let version = self.version(*fork)?;
                self.model.set_held(version, false);
                self.forks.remove(fork);
                Ok(())
            }
            // What becomes of requests is for another oracle; a client that goes away cancels.
            Event::RequestAsked { .. }
            | Event::RequestRefused { .. }
            | Event::ClientGone { .. } => Ok(()),
            Event::RequestBegan { request, task, .. } => {
                self.requests.insert(*request, *task);
                Ok(())
            }
            Event::Disconnected { request } => match self.requests.get(request) {
                Some(&task) => self.call_dropped(task),
                None => Ok(()),
            },
            Event::RequestEnded { request, .. } => {
                self.requests.remove(request);
                Ok(())
            }
            Event::SliceBegan { task, start } => self.slice_began(*task, start),
            Event::Printed { task, text } => match &mut self.slice {
                Some(slice) if slice.task == *task => {
                    slice.printed.push(text);
                    Ok(())
                }
                _ => self.fail(
                    "printed",
                    *task,
                    format!("printed {text:?} outside its slices"),
                ),
            },
            Event::SliceEnded { .. } => self.slice_ended(event),
            Event::Registered { .. } => self.registered(event),
            Event::AwaitResolved { task, future } => self.await_resolved(*task, *future),
            Event::AwaitManyResolved { task } => self.await_many_resolved(*task),
            Event::WaitResolved { task, object } => self.wait_resolved(*task, *object),
            Event::InterruptRaised { task, signal } => self.interrupt_raised(*task, signal),
            Event::HostBegan { task } => match self.model.begin_operation(*task) {
                true => Ok(()),
                false => {
                    let message = "a host operation begins that it never asked for".into();
                    self.fail("host_began", *task, message)
                }
            },
            Event::BodyEnded { task } => self.body_ended(*task),
            Event::WaitBegan { task, object } => self.wait_began(*task, *object),
            Event::Unobserved { future } => self.unobserved(*future),
            Event::Aborted { task } => self.aborted(*task),
            Event::Told { operations } => self.told(operations),
            Event::HostEnded { task, result } => self.host_ended(*task, result),
            Event::HostPanicked { task, message } => {
                let is_known = self.model.panic_operation(*task, message);
                self.note_changes();
                match is_known {
                    true => Ok(()),
                    false => {
                        let message = "a host operation panicked that it never began".into();
                        self.fail("host_panicked", *task, message)
                    }
                }
            }
            Event::CancelRequested { task } => self.cancel_requested(*task, request),
            Event::Asked { asked } => {
                self.asked(*asked);
                Ok(())
            }
            Event::Version { version, step } => {
                self.version_step(*version, *step, request.as_ref())
            }
            Event::PreloadFinished { failure } => self.preload_finished(*failure),
            // For another oracle.
            Event::Protected { .. } => Ok(()),
            Event::Settled { future, state } => self.settled(*future, *state),
            Event::SettleRefused { future } => match self.model.future(*future) {
                Some(known) if known.state != FutureState::Pending => Ok(()),
                _ => Err(failure(
                    "settle_refused",
                    "future",
                    format!("completing future {future} was refused, but it is pending"),
                )),
            },
            Event::Woken { task } => self.woken(*task),
            // Whether it had a reason is for another oracle to say.
            Event::MemoryRefused { task, .. } => {
                self.model.forget_panic(*task);
                self.has_lacked_memory = true;
                self.refused.insert(*task);
                Ok(())
            }
            Event::CallEnded {
                call,
                task,
                outcome,
                is_cancelled,
            } => {
                self.call_ended(*call, *task, outcome)?;
                self.recognised(*call, *task, outcome, *is_cancelled)
            }
            Event::Collected {
                kind,
                cleared,
                queued,
                ..
            } => self.collected(*kind, cleared, queued),
            Event::TimeAdvanced { now_ms, why } => self.time_advanced(*now_ms, *why),
            Event::Quiescent { waiting, blocked } => self.quiescent(waiting, blocked),
        }
    }

    /// Compares an event with what is due, if something is, and says what that was.
    fn settle_due(&mut self, event: &Event) -> Result<Option<Due>, Failure> {
        if self.due.is_empty()
            || matches!(
                event,
                Event::Collected { .. } | Event::TimeAdvanced { .. } | Event::Woken { .. }
            )
        {
            return Ok(None);
        }
        // Loading a version may collect, and that may start a finalizer and find that nobody will see
        // a failure any more.
        let is_of_collection = matches!(
            event,
            Event::Unobserved { .. }
                | Event::CallStarted {
                    callee: Callee::Finalizer { .. },
                    ..
                }
        );
        let begins = matches!(
            self.due.front(),
            Some(Due::Version {
                step: VersionStep::Begun,
                ..
            })
        );
        if is_of_collection && begins {
            return Ok(None);
        }
        while let Some(due) = self.due.pop_front() {
            if due.is(event) {
                return Ok(Some(due));
            }
            if due.is_optional() {
                continue;
            }
            let verdict = match due {
                Due::CancelRequested { by, task, .. } => {
                    let message = format!(
                        "cancellation of task {task} must be requested with it at once, but next \
                         came {event:?}"
                    );
                    self.fail("cancel_requested", by, message)
                }
                Due::InterruptRaised {
                    by, root, signal, ..
                } => {
                    let message = format!(
                        "it must raise {signal:?} for task {root} at once, but next came {event:?}"
                    );
                    self.fail("interrupt_raised", by, message)
                }
                Due::Version { version, step } => {
                    let message = format!(
                        "version {version} must be {step:?} at once, but next came {event:?}"
                    );
                    Err(failure("version", "reload", message))
                }
            };
            return verdict.map(|()| None);
        }
        Ok(None)
    }

    /// What a task has spawned is registered.
    fn registered(&mut self, event: &Event) -> Verdict {
        let Event::Registered {
            task,
            future,
            runner,
            detached,
            deadline,
            seed,
        } = *event
        else {
            return Ok(());
        };
        let Some(expected) = self.model.spawning(task) else {
            return self.fail(
                "registered",
                task,
                format!("future {future} registered, none spawned"),
            );
        };
        let inherited = self.model.inherited_by_child(task);
        if (detached, deadline) != (expected, inherited) {
            let message = format!(
                "future {future} was registered with (detached, deadline) {:?}, in the model {:?}",
                (detached, deadline),
                (expected, inherited)
            );
            return self.fail("registered", task, message);
        }
        let made = self.model.register(task, seed);
        if made != Some((future, runner)) {
            let message = format!(
                "future {future} was registered to be run by task {runner}, in the model \
                 {made:?}"
            );
            return self.fail("registered", task, message);
        }
        if !detached && self.model.task(task).is_some_and(|task| task.token) {
            // The child of a cancelled task is born cancelled.
            self.due.push_back(Due::CancelRequested {
                by: task,
                task: runner,
                by_scope: false,
                is_passed_on: true,
            });
        }
        Ok(())
    }

    /// The model's version that is the realm of this number.
    fn version(&self, realm: u32) -> Result<usize, Failure> {
        let known = self.realms.get(&realm).copied();
        known.ok_or_else(|| {
            let message = format!("nothing has made realm {realm}");
            failure("realm", "host", message)
        })
    }

    fn forked(&mut self, template: u32, fork: u32, refused: Option<&ForkRefusal>) -> Verdict {
        // That there is no memory is for another oracle to judge.
        if refused == Some(&ForkRefusal::NoMemory) {
            return Ok(());
        }
        let template = self.version(template)?;
        let made = self.model.fork(template);
        if made.as_ref().err() != refused {
            let message = format!(
                "realm {fork} was {}, in the model it was {}",
                said(refused),
                said(made.as_ref().err())
            );
            return Err(failure("forked", "host", message));
        }
        if let Ok(version) = made {
            self.model.set_held(version, true);
            self.realms.insert(fork, version);
            self.forks.insert(fork);
        }
        Ok(())
    }

    fn call_started(
        &mut self,
        call: u32,
        task: TaskId,
        callee: &Callee,
        realm: u32,
        seed: u64,
    ) -> Verdict {
        if let Some(open) = self.calls.get(&call) {
            let message =
                format!("call id {call} was given out while task {open} still runs under it");
            return Err(failure("duplicate_call", "host", message));
        }
        if let Callee::Finalizer { number } = *callee
            && self.model.next_finalizer() != Some(number)
        {
            let message = format!(
                "finalizer {number} runs, in the model the next one is {:?}",
                self.model.next_finalizer()
            );
            return Err(failure("finalizer_started", "finalizer", message));
        }
        self.choose_version(callee, realm)?;
        let expected = self.model.start_call(callee, seed);
        let version = self.version(realm)?;
        if let Some(made) = self.model.task(expected)
            && made.version != version
        {
            let message = format!(
                "call {call} runs in realm {realm}, which is version {version} of the model, but \
                 there it runs in version {}",
                made.version
            );
            return Err(failure("realm", "host", message));
        }
        if task != expected {
            let message = format!("call {call} got task number {task}, the next one is {expected}");
            return Err(failure("call_started", "host", message));
        }
        self.calls.insert(call, task);
        if *callee == Callee::ModuleInit {
            self.evaluation_begun(task);
        }
        Ok(())
    }

    /// Dropping a call that has not ended cancels it.
    fn call_dropped(&mut self, task: TaskId) -> Verdict {
        if self.model.task(task).is_some_and(|task| !task.is_over) {
            self.due.push_back(Due::CancelRequested {
                by: task,
                task,
                by_scope: false,
                is_passed_on: false,
            });
        }
        Ok(())
    }

    fn cancel_requested(&mut self, task: TaskId, request: Option<Due>) -> Verdict {
        let (by_scope, is_passed_on) = match request {
            Some(Due::CancelRequested {
                by_scope,
                is_passed_on,
                ..
            }) => (by_scope, is_passed_on),
            _ => (false, false),
        };
        let Some(found) = self.model.task(task) else {
            return self.fail(
                "cancel_requested",
                task,
                "cancelled but never created".into(),
            );
        };
        if found.is_over {
            let message = "cancelled after its end, when nothing of it was left".into();
            return self.fail("cancel_requested", task, message);
        }
        let below = match is_passed_on {
            true => Vec::new(),
            false => self.model.reached_by(task),
        };
        for &below in below.iter().skip(1).rev() {
            self.due.push_front(Due::CancelRequested {
                by: task,
                task: below,
                by_scope,
                is_passed_on: true,
            });
        }
        self.model.request_cancel(task, by_scope);
        Ok(())
    }

    fn interrupt_raised(&mut self, task: TaskId, signal: &str) -> Verdict {
        let is_root = self
            .model
            .task(task)
            .is_some_and(|task| task.future.is_none());
        if !is_root || !self.model.has_handler(task, signal) {
            let message = format!("{signal:?} was raised for it, but it has no handler of that");
            return self.fail("interrupt_raised", task, message);
        }
        if self.decided.contains(&task) {
            let message = format!("{signal:?} was raised for it, but its body has ended");
            return self.fail("interrupt_raised", task, message);
        }
        self.model.raise(task, signal);
        Ok(())
    }

    /// A body is aborted at the first slice start after its grace time, and not before.
    fn aborted(&mut self, task: TaskId) -> Verdict {
        if self.model.spawning(task).is_some() && self.refused.contains(&task) {
            self.model.drop_spawn(task);
        }
        let status = self.model.task(task).map(|task| task.status.clone());
        if self.slice.is_some()
            || !self.model.is_body_overdue(task)
            || !(self.model.could_run(task) || self.looks_in_vain(task))
        {
            let message = format!("aborted at {} ms while {status:?}", self.model.now_ms());
            return self.fail("aborted", task, message);
        }
        self.woken_from.remove(&task);
        self.turns.ran(task, None);
        self.turns.leave(task);
        self.model.abort(task);
        self.note_changes();
        Ok(())
    }

    /// Compares which host operations were told to stop.
    fn told(&self, operations: &[Option<bool>]) -> Verdict {
        let told = self.model.told();
        if operations.len() != told.len() {
            let message = format!(
                "{} host operations began, in the model {}",
                operations.len(),
                told.len()
            );
            return Err(failure("told", "host", message));
        }
        let differs = operations.iter().zip(told);
        let differs = differs
            .enumerate()
            .find(|(_, (engine, model))| engine.is_some_and(|engine| engine != **model));
        let Some((number, (engine, model))) = differs else {
            return Ok(());
        };
        let message = format!(
            "host operation number {number} was told to stop: {engine:?}, in the model {model}"
        );
        Err(failure("told", "host", message))
    }

    fn host_ended(&mut self, task: TaskId, result: &Result<Data, String>) -> Verdict {
        if let Some(found) = self.model.task(task)
            && let Some(end) = self.model.grace_end(found)
            && end <= self.model.now_ms()
        {
            let message = format!(
                "its host operation ended at {} ms, but its grace time at {end} ms",
                self.model.now_ms()
            );
            return self.fail("grace", task, message);
        }
        match self.model.end_operation(task, result) {
            true => Ok(()),
            false => {
                let message = format!("a host operation ended with {result:?} that it never began");
                self.fail("host_ended", task, message)
            }
        }
    }

    fn collected(&mut self, kind: CollectionKind, cleared: &[u64], queued: &[u64]) -> Verdict {
        let overdue = match kind == CollectionKind::Major && self.is_next_major_judged() {
            true => self.model.overdue(),
            false => Overdue::default(),
        };
        for &weak in cleared {
            if self.model.is_weak_target_reachable(weak) == Some(true) {
                let message =
                    format!("weak reference {weak} was cleared, but its target is reachable");
                return Err(failure("weak_cleared", "weak", message));
            }
            if !self.model.clear_weak(weak) {
                let message = format!("object {weak} was cleared, but it is no weak reference");
                return Err(failure("weak_cleared", "weak", message));
            }
        }
        let verdict = self.model.queue_finalizers(queued);
        verdict.map_err(|message| failure("finalizer_queued", "finalizer", message))?;
        let missing = |all: &[u64], done: &[u64]| all.iter().find(|it| !done.contains(it)).copied();
        if let Some(weak) = missing(&overdue.weak, cleared) {
            let message = format!(
                "a major collection has not cleared weak reference {weak}, its target is dead"
            );
            return Err(failure("weak_late", "weak", message));
        }
        if let Some(number) = missing(&overdue.finalizers, queued) {
            let message =
                format!("a major collection has not queued finalizer {number}, its object is dead");
            return Err(failure("finalizer_late", "finalizer", message));
        }
        Ok(())
    }

    /// Whether what the next major collection leaves is judged: it is where no slice is under way,
    /// and of very many each [`MAJORS_PER_JUDGED`]-th, for the model looks at all that it has.
    fn is_next_major_judged(&mut self) -> bool {
        self.majors += 1;
        let is_one = self.majors <= MAJORS_JUDGED || self.majors.is_multiple_of(MAJORS_PER_JUDGED);
        is_one && self.slice.is_none()
    }

    fn await_resolved(&mut self, task: TaskId, future: u64) -> Verdict {
        let status = self.model.task(task).map(|task| task.status.clone());
        let state = self.model.future(future).map(|future| future.state);
        if status != Some(Status::Waiting(future)) || state == Some(FutureState::Pending) {
            let message = format!(
                "its await was answered as resolved; the task is {status:?}, future {future} is \
                 {state:?}"
            );
            return self.fail("await_resolved", task, message);
        }
        self.answered(task, &[future]);
        self.model.wake(task);
        Ok(())
    }

    /// A task that does not wait after all is not woken by what has settled meanwhile.
    fn answered(&mut self, task: TaskId, futures: &[u64]) {
        let settled = futures.iter().filter(|&&future| {
            let known = self.model.future(future);
            known.is_some_and(|future| future.settled.is_some())
        });
        let settled = settled.count() as u32;
        if let Some(left) = self.wakes.get_mut(&task) {
            *left = left.saturating_sub(settled);
        }
    }

    fn await_many_resolved(&mut self, task: TaskId) -> Verdict {
        let status = self.model.task(task).map(|task| task.status.clone());
        if let Some(Status::WaitingForAny { futures, .. }) = &status
            && futures.iter().any(|&future| {
                let known = self.model.future(future);
                known.is_some_and(|future| future.settled.is_some())
            })
        {
            self.answered(task, futures);
            self.model.wake(task);
            return Ok(());
        }
        let message =
            format!("its wait for several was answered as resolved; the task is {status:?}");
        self.fail("await_resolved", task, message)
    }

    fn wait_resolved(&mut self, task: TaskId, object: u64) -> Verdict {
        let status = self.model.task(task).map(|task| task.status.clone());
        let is_it = matches!(status, Some(Status::Blocked { object: on, .. }) if on == object);
        if !is_it || !self.model.could_run(task) {
            let message = format!(
                "its wait for object {object} was answered as changed; the task is {status:?}"
            );
            return self.fail("wait_resolved", task, message);
        }
        self.turns.resolved(task);
        self.model.wake(task);
        Ok(())
    }

    /// Whether a task may be woken for what it has waited for before: whoever changes something
    /// lets others go first before it wakes.
    fn is_woken_late(&mut self, task: TaskId) -> bool {
        match self.model.task(task).map(|task| &task.status) {
            // Which of its wake-ups this is, is seen with its turn.
            Some(Status::Blocked { object, .. }) => {
                self.model.has_changed(*object) || self.has_late_wake(task)
            }
            _ => self.take_late_wake(task),
        }
    }

    /// Whether a future that it has waited for and that has settled has yet to wake it.
    fn has_late_wake(&self, task: TaskId) -> bool {
        self.wakes.get(&task).is_some_and(|left| *left > 0)
    }

    /// Whether it is woken by such a future now.
    fn take_late_wake(&mut self, task: TaskId) -> bool {
        match self.wakes.get_mut(&task) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether a task that stands at a host operation looks after it for nothing, woken for what
    /// it has waited for before, or for what it cannot take just now.
    fn looks_in_vain(&mut self, task: TaskId) -> bool {
        let status = self.model.task(task).map(|task| &task.status);
        matches!(status, Some(Status::Host(_)))
            && self.woken_at_host.remove(&task)
            && !self.model.could_run(task)
            && (self.model.was_told(task) || self.is_woken_late(task))
    }

    fn woken(&mut self, task: TaskId) -> Verdict {
        let Some(found) = self.model.task(task) else {
            return self.fail("woken", task, "woken but never created".into());
        };
        let status = found.status.clone();
        match &status {
            // It is told before the result of its operation is; or it is woken for what it
            // waited for before.
            Status::Host(_) => {
                self.woken_at_host.insert(task);
                return Ok(());
            }
            // The root of a run waits for the others.
            Status::Ended if self.calls.values().any(|&root| root == task) => return Ok(()),
            Status::Ready | Status::Ended => {}
            Status::Waiting(_) | Status::WaitingForAny { .. }
                if self.model.is_settled_only(task) =>
            {
                // A future that has settled wakes who waits for it once: this was the time.
                if let Some(left) = self.wakes.get_mut(&task) {
                    *left = left.saturating_sub(1);
                }
                self.woken_from.insert(task, status);
                self.model.wake(task);
                return Ok(());
            }
            _ if self.model.could_run(task)
                || self.model.was_told(task)
                || self.is_woken_late(task) =>
            {
                self.compare_turn(task, &status)?;
                self.turns.leave(task);
                self.woken_from.insert(task, status);
                self.model.wake(task);
                return Ok(());
            }
            _ => {}
        }
        let message = format!("woken while {status:?}");
        self.fail("woken", task, message)
    }
}

/// The oracle.
pub struct MatchesReference;

impl Oracle for MatchesReference {
    fn name(&self) -> &'static str {
        "matches_reference"
    }

    fn claim(&self) -> &'static str {
        "results and graphs are those of the reference model"
    }

    fn judge(&self, evidence: &Evidence<'_>, notes: &mut Notes) -> Result<(), Failure> {
        let Some(limits) = evidence.model else {
            return Ok(());
        };
        let stats = check_and_note(
            evidence.program,
            evidence.versions,
            evidence.events,
            limits,
            &mut notes.happened,
        )?;
        notes.statements += stats.statements;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
