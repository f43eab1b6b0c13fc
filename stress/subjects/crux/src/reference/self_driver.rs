//! Runs a program and a host script on the model alone.
//!
//! The driver takes the engine's part: it decides by choices what a schedule decides, and
//! writes the trace that an engine without faults would leave behind. It serves as a dry
//! run (how many slices, tasks, instructions a scenario has) and as a source of traces
//! that must be accepted.

use std::collections::{BTreeMap, BTreeSet};

use gcrucible_bytecode::Program;
use gcrucible_heap::CollectionKind;

use super::model::{Limits, Model, Work};
use super::task::Status;
use crate::executor::graph::FutureState;
use crate::executor::programs::REQUESTS_MAX;
use crate::executor::trace::{Callee, Event, Outcome, Passing, SliceEnd, TaskId};
use crate::scenario::{Header, HostAnswer, HostEvent};
use gcrucible_trace::choices::Choices;

/// The id under which the modules are initialised; host scripts count from below.
pub const INIT_CALL: u32 = u32::MAX;

/// How long a drive may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveLimits {
    /// Limits of the model.
    pub model: Limits,
    /// Longest slice.
    pub fuel: u32,
    /// Slices and host events, after which the drive stops without being quiescent.
    pub decisions: u32,
}

/// What a drive did.
#[derive(Clone, Debug, Default)]
pub struct Drive {
    /// The trace.
    pub events: Vec<Event>,
    /// Instructions and statements.
    pub work: Work,
    /// Tasks made.
    pub tasks: usize,
    /// Objects made.
    pub objects: usize,
    /// Slices and host events.
    pub decisions: u32,
    /// Whether it came to its end.
    pub quiescent: bool,
}

/// What a program is raced with.
#[derive(Clone, Copy, Debug, Default)]
pub struct World<'a> {
    /// What the host does.
    pub host: &'a [HostEvent],
    /// What it answers to host operations.
    pub answers: &'a [HostAnswer],
}

/// Runs a program raced with a host script.
pub fn drive<C: Choices>(
    program: &Program,
    world: World<'_>,
    choices: &mut C,
    limits: DriveLimits,
) -> Drive {
    let mut driver = Driver {
        model: Model::new(program, limits.model),
        events: Vec::new(),
        calls: BTreeMap::new(),
        forks: BTreeMap::new(),
        requests: BTreeMap::new(),
        gone: BTreeMap::new(),
        admitted: 0,
        realms: 0,
        world,
        at: 0,
        answered: 0,
        seeds: 0,
        turns: BTreeMap::new(),
        decided: BTreeSet::new(),
    };
    driver.start(INIT_CALL, Callee::ModuleInit, (0, 0));
    let mut decisions = 0;
    let mut quiescent = false;
    let mut actors = Vec::new();
    while decisions < limits.decisions && !quiescent {
        driver.actors(&mut actors);
        match actors.get(choices.below(actors.len() as u32) as usize) {
            None => quiescent = true,
            Some(Actor::Host) => driver.host_event(),
            Some(Actor::Timers) => driver.fire_timer(match actors.len() {
                1 => Passing::Idle,
                _ => Passing::Timer,
            }),
            Some(&Actor::Operation(task)) => driver.end_operation(task),
            Some(&Actor::Task(task)) => {
                let fuel = choices.within(1, limits.fuel);
                driver.slice(task, fuel);
            }
        }
        decisions += 1;
    }
    if quiescent {
        driver.quiescent();
    }
    let Driver { model, events, .. } = driver;
    Drive {
        events,
        work: model.work(),
        tasks: model.tasks().count(),
        objects: model.store().len(),
        decisions,
        quiescent,
    }
}

/// Who can act.
#[derive(Clone, Copy, Debug)]
enum Actor {
    Host,
    Timers,
    Operation(TaskId),
    Task(TaskId),
}

struct Driver<'a> {
    model: Model<'a>,
    events: Vec<Event>,
    /// Open calls and their tasks.
    calls: BTreeMap<u32, TaskId>,
    /// By the script's number: the fork's realm, and its version.
    forks: BTreeMap<u32, (u32, usize)>,
    /// Requests by the ids of their calls.
    requests: BTreeMap<u32, Served>,
    /// Requests whose client is gone: number and name.
    gone: BTreeMap<u32, (u64, String)>,
    admitted: u64,
    realms: u32,
    world: World<'a>,
    /// Host events that have happened.
    at: usize,
    /// Host operations that were begun.
    answered: usize,
    seeds: u64,
    /// Who was woken for a channel or mutex and has not run since, and for which.
    turns: BTreeMap<TaskId, (u64, bool)>,
    /// Whose bodies have ended, as everybody can see.
    decided: BTreeSet<TaskId>,
}

/// A request that the host holds.
struct Served {
    number: u64,
    id: String,
    realm: u32,
    version: usize,
    is_open: bool,
}

impl Driver<'_> {
    /// Everybody who can act now.
    fn actors(&self, actors: &mut Vec<Actor>) {
        actors.clear();
        let is_initialised = !self.calls.contains_key(&INIT_CALL);
        match self.world.host.get(self.at) {
            Some(HostEvent::JoinCall { call }) if self.calls.contains_key(call) => {}
            Some(_) if is_initialised => actors.push(Actor::Host),
            _ => {}
        }
        for task in self.model.tasks() {
            match task.status {
                Status::Ready => actors.push(Actor::Task(task.number)),
                // Else it is cut off.
                Status::Host(false) if !self.model.could_run(task.number) => {
                    actors.push(Actor::Operation(task.number));
                }
                _ => {}
            }
        }
        if self.next_timer().is_some() {
            actors.push(Actor::Timers);
        }
    }

    /// When the next sleep or deadline is over.
    fn next_timer(&self) -> Option<u64> {
        let times = self.model.tasks().filter_map(|task| self.model.due(task));
        times.min()
    }

    fn seed(&mut self) -> u64 {
        self.seeds += 1;
        self.seeds
    }

    fn start(&mut self, call: u32, callee: Callee, (realm, version): (u32, usize)) {
        let seed = self.seed();
        self.model.put_in_place(version);
        let task = self.model.start_call(&callee, seed);
        self.calls.insert(call, task);
        self.events.push(Event::CallStarted {
            call,
            task,
            callee,
            realm,
            seed,
        });
    }

    fn host_event(&mut self) {
        let event = &self.world.host[self.at];
        self.at += 1;
        match event {
            HostEvent::Call {
                call,
                function,
                args,
            } => {
                self.start_call(*call, function, args, (0, 0));
            }
            HostEvent::Fork { fork } => {
                if !self.forks.contains_key(fork) {
                    self.fork(*fork);
                }
            }
            HostEvent::CallInFork {
                fork,
                call,
                function,
                args,
            } => {
                if let Some(&place) = self.forks.get(fork) {
                    self.start_call(*call, function, args, place);
                }
            }
            HostEvent::DropFork { fork } => {
                if let Some((realm, version)) = self.forks.remove(fork) {
                    self.events.push(Event::ForkDropped { fork: realm });
                    self.model.set_held(version, false);
                }
            }
            HostEvent::Request {
                call,
                function,
                args,
                header,
                ..
            } => self.request(*call, function, args, header),
            HostEvent::Disconnect { call } => {
                if let Some(served) = self.requests.remove(call) {
                    if served.is_open {
                        let request = served.number;
                        self.events.push(Event::ClientGone { request });
                        self.events.push(Event::Disconnected { request });
                        self.cancel(self.calls[call]);
                        // The table has it until its call has ended.
                        self.gone.insert(*call, (request, served.id));
                    }
                    let fork = served.realm;
                    self.events.push(Event::ForkDropped { fork });
                    self.model.set_held(served.version, false);
                }
            }
            HostEvent::CancelCall { call } | HostEvent::DropCall { call } => {
                if let (HostEvent::DropCall { .. }, Some(&task)) = (event, self.calls.get(call)) {
                    self.events.push(Event::CallDropped { task });
                }
                if let Some(&task) = self.calls.get(call) {
                    self.cancel(task);
                }
            }
            HostEvent::CancelFuture { future } => {
                let pending = self.model.future(*future);
                let pending = pending.filter(|future| future.state == FutureState::Pending);
                if let Some(runner) = pending.map(|future| future.runner) {
                    self.cancel(runner);
                }
            }
            HostEvent::Collect { .. } => {
                // The driver has no collector, so nothing is cleared or queued: only a minor
                // collection may end so.
                self.events.push(Event::Collected {
                    kind: CollectionKind::Minor,
                    moved: 0,
                    promoted: 0,
                    cleared: Vec::new(),
                    queued: Vec::new(),
                });
            }
            HostEvent::AdvanceTime { ms } => {
                self.advance(self.model.now_ms() + u64::from(*ms), Passing::Host);
            }
            HostEvent::Interrupt { call, signal } => {
                if let Some(&task) = self.calls.get(call) {
                    self.raise(task, signal);
                }
            }
            // It knows one version only.
            HostEvent::JoinCall { .. }
            | HostEvent::Protect { .. }
            | HostEvent::Unprotect { .. }
            | HostEvent::Reload { .. }
            | HostEvent::Tick
            | HostEvent::JoinEntry
            | HostEvent::Preload { .. }
            | HostEvent::FinishPreload
            | HostEvent::OverrideEntry { .. }
            | HostEvent::UnchangedEntry
            | HostEvent::Isolate => {}
        }
    }

    fn start_call(&mut self, call: u32, function: &str, args: &[i64], place: (u32, usize)) {
        if self.calls.contains_key(&call) {
            self.events.push(Event::CallRefused { call });
        } else if let Some(global) = self.model.program().entry_export(function) {
            let args = args.to_vec();
            self.start(call, Callee::Export { global, args }, place);
        }
    }

    fn fork(&mut self, number: u32) {
        if let Some(place) = self.make_fork() {
            self.forks.insert(number, place);
        }
    }

    /// A new realm and its version.
    fn make_fork(&mut self) -> Option<(u32, usize)> {
        self.realms += 1;
        let fork = self.realms;
        let made = self.model.fork(0);
        self.events.push(Event::Forked {
            template: 0,
            fork,
            refused: made.as_ref().err().cloned(),
        });
        let version = made.ok()?;
        self.model.set_held(version, true);
        Some((fork, version))
    }

    fn request(&mut self, call: u32, function: &str, args: &[i64], header: &Header) {
        let id = header.expected(&format!("generated {call}"));
        let asked = id.clone();
        self.events.push(Event::RequestAsked { call, id: asked });
        let held = self.requests.values().filter(|served| served.is_open);
        if held.count() + self.gone.len() >= REQUESTS_MAX {
            return self.events.push(Event::RequestRefused { id });
        }
        self.admitted += 1;
        let number = self.admitted;
        let Some((realm, version)) = self.make_fork() else {
            return;
        };
        self.start_call(call, function, args, (realm, version));
        let Some(&Event::CallStarted { task, .. }) = self.events.last() else {
            self.events.push(Event::ForkDropped { fork: realm });
            return self.model.set_held(version, false);
        };
        self.events.push(Event::RequestBegan {
            request: number,
            id: id.clone(),
            fork: realm,
            call,
            task,
        });
        let served = Served {
            number,
            id,
            realm,
            version,
            is_open: true,
        };
        self.requests.insert(call, served);
    }

    fn raise(&mut self, root: TaskId, signal: &str) {
        let is_running = self
            .model
            .task(root)
            .is_some_and(|task| task.status != Status::Ended);
        if !self.model.has_handler(root, signal) || !is_running {
            return;
        }
        self.model.raise(root, signal);
        self.events.push(Event::InterruptRaised {
            task: root,
            signal: signal.to_owned(),
        });
        self.wake_if_possible(root);
    }

    fn advance(&mut self, now_ms: u64, why: Passing) {
        self.model.set_now(now_ms);
        self.events.push(Event::TimeAdvanced { now_ms, why });
        self.wake_all();
    }

    fn fire_timer(&mut self, why: Passing) {
        if let Some(due) = self.next_timer() {
            self.advance(due.max(self.model.now_ms()), why);
        }
    }

    fn end_operation(&mut self, task: TaskId) {
        let answer = self.world.answers.get(self.answered);
        self.answered += 1;
        if let Some(message) = answer.and_then(|answer| answer.panics.clone()) {
            self.events.push(Event::Woken { task });
            self.model.panic_operation(task, &message);
            self.events.push(Event::HostPanicked { task, message });
            self.wake_all();
            return self.body_ended(task);
        }
        let result = match answer {
            Some(answer) => answer.result.clone(),
            None => Err("no answer".to_owned()),
        };
        self.events.push(Event::Woken { task });
        self.model.end_operation(task, &result);
        self.events.push(Event::HostEnded { task, result });
        self.model.wake(task);
    }

    /// Wakes the tasks that wait and could run.
    fn wake_all(&mut self) {
        for task in 1..self.model.next_task() {
            self.wake_if_possible(task);
        }
    }

    fn wake_if_possible(&mut self, task: TaskId) {
        let waits = self
            .model
            .task(task)
            .is_some_and(|task| !matches!(task.status, Status::Ready | Status::Ended));
        if waits && self.model.could_run(task) && self.takes_turn(task) {
            self.model.wake(task);
            self.events.push(Event::Woken { task });
        }
    }

    /// Whether a task is not one of too many who wait for the same thing.
    fn takes_turn(&mut self, task: TaskId) -> bool {
        let status = self.model.task(task).map(|task| &task.status);
        let Some(&Status::Blocked { object, puts, .. }) = status else {
            return true;
        };
        if self.model.has_news(task) {
            return true;
        }
        let place = (object, puts);
        let under_way = self.turns.values().filter(|turn| **turn == place).count();
        let is_turn = self.model.available(object, puts) as usize > under_way;
        if is_turn {
            self.turns.insert(task, place);
        }
        is_turn
    }

    fn cancel(&mut self, task: TaskId) {
        for task in self.request_cancel(task, false) {
            self.body_ended(task);
        }
    }

    /// Requests cancellation of a task and those below it. Gives those that have ended by that.
    fn request_cancel(&mut self, task: TaskId, by_scope: bool) -> Vec<TaskId> {
        let mut ended = Vec::new();
        for task in self.model.reached_by(task) {
            let had_ended = self.model.task(task).is_some_and(|task| task.end.is_some());
            // Asked again before the future has settled, it is told again.
            self.events.push(Event::CancelRequested { task });
            self.model.request_cancel(task, by_scope);
            let has_ended = self.model.task(task).is_some_and(|task| task.end.is_some());
            if !has_ended {
                self.wake_if_possible(task);
            } else if !had_ended {
                ended.push(task);
            }
        }
        ended
    }

    fn slice(&mut self, task: TaskId, fuel: u32) {
        let had_turn = self.turns.remove(&task).is_some();
        self.run_slice(task, fuel);
        if had_turn {
            // Perhaps it took nothing.
            self.wake_all();
        }
    }

    fn run_slice(&mut self, task: TaskId, fuel: u32) {
        if self.model.is_body_overdue(task) {
            self.model.abort(task);
            self.events.push(Event::Aborted { task });
            self.wake_all();
            return self.body_ended(task);
        }
        let start = self.model.slice_start(task, fuel);
        let report = self.model.run_task(task, &start);
        self.events.push(Event::SliceBegan { task, start });
        let log = report.log;
        self.events.extend(
            log.printed
                .into_iter()
                .map(|text| Event::Printed { task, text }),
        );
        self.events.push(Event::SliceEnded {
            task,
            instructions: report.instructions,
            end: report.end.clone(),
            thrown: log.thrown,
            caught: log.caught,
            effects: Some(Box::new(log.effects.clone())),
        });
        let single = match report.end {
            SliceEnd::Cancelling { future } => Some((future, false)),
            _ => None,
        };
        let mut ended = Vec::new();
        let of_scopes = log.effects.cancel.into_iter().map(|future| (future, true));
        for (future, by_scope) in single.into_iter().chain(of_scopes) {
            let pending = self.model.future(future);
            let pending = pending.filter(|future| future.state == FutureState::Pending);
            if let Some(runner) = pending.map(|future| future.runner) {
                ended.extend(self.request_cancel(runner, by_scope));
            }
        }
        let root = self.model.task(task).and_then(|task| task.root);
        for signal in log.effects.interrupts {
            if let Some(root) = root {
                self.raise(root, &signal);
            }
        }
        for task in ended {
            self.body_ended(task);
        }
        if !log.effects.changed.is_empty() {
            self.wake_all();
        }
        match report.end {
            SliceEnd::Spawned { detached } => {
                let deadline = self.model.inherited_by_child(task);
                let seed = self.seed();
                if let Some((future, runner)) = self.model.register(task, seed) {
                    self.events.push(Event::Registered {
                        task,
                        future,
                        runner,
                        detached,
                        deadline,
                        seed,
                    });
                    if !detached && self.model.task(task).is_some_and(|task| task.token) {
                        self.cancel(runner);
                    }
                }
            }
            SliceEnd::Returned | SliceEnd::Threw => self.body_ended(task),
            SliceEnd::Host => {
                self.model.begin_operation(task);
                self.events.push(Event::HostBegan { task });
                self.wake_if_possible(task);
            }
            // What it waits for may have come while it ran.
            _ => self.wake_if_possible(task),
        }
    }

    /// Settles the future of a task, and ends the calls whose runs are over.
    fn body_ended(&mut self, task: TaskId) {
        let Some(found) = self.model.task(task) else {
            return;
        };
        if found.end.is_none() {
            return;
        }
        let future = found.future;
        self.events.push(Event::BodyEnded { task });
        self.decided.insert(task);
        self.model.decide(task);
        let Some(end) = self.model.task(task).and_then(|task| task.end) else {
            return;
        };
        if let Some(future) = future {
            let state = match end.result {
                Some(Ok(_)) => FutureState::Ready,
                Some(Err(_)) if !end.token => FutureState::Error,
                None if end.panic.is_some() && !end.token => FutureState::InternalError,
                Some(Err(_)) | None => FutureState::Cancelled,
            };
            self.model.settle(future, state);
            self.events.push(Event::Settled { future, state });
            self.wake_all();
        }
        let over: Vec<(u32, TaskId)> = self
            .calls
            .iter()
            .map(|(&call, &root)| (call, root))
            .filter(|&(call, root)| {
                // What top levels have spawned goes on.
                let is_over = call == INIT_CALL || self.model.is_run_over(root);
                is_over && self.decided.contains(&root)
            })
            .collect();
        for (call, root) in over {
            self.end_call(call, root);
        }
    }

    fn end_call(&mut self, call: u32, task: TaskId) {
        let Some(end) = self.model.task(task).and_then(|task| task.end) else {
            return;
        };
        let unseen = self.model.unseen_of(task);
        for &future in unseen.iter().filter(|_| call != INIT_CALL) {
            self.events.push(Event::Unobserved { future });
            self.model.report(future);
        }
        self.calls.remove(&call);
        self.model.end_for_all(task);
        if call == INIT_CALL {
            self.model.freeze(task);
        }
        let outcome = match end.result {
            Some(Ok(value)) => Outcome::Returned(self.model.dump(value)),
            Some(Err(error)) if !end.token => Outcome::Threw(self.model.dump(error)),
            None if end.panic.is_some() && !end.token => {
                Outcome::Panicked(self.model.dump(end.panic.unwrap_or_default()))
            }
            Some(Err(_)) | None => Outcome::Cancelled,
        };
        let is_cancelled = match (&outcome, end.result) {
            (Outcome::Cancelled, _) => true,
            (Outcome::Threw(_), Some(Err(error))) => self.model.store().wraps_cancellation(error),
            _ => false,
        };
        let ended = match self.requests.get_mut(&call) {
            Some(served) if served.is_open => {
                served.is_open = false;
                Some((served.number, served.id.clone()))
            }
            _ => self.gone.remove(&call),
        };
        if let Some((request, id)) = ended {
            self.events.push(Event::RequestEnded { request, id });
        }
        self.events.push(Event::CallEnded {
            call,
            task,
            outcome,
            is_cancelled,
        });
    }

    fn quiescent(&mut self) {
        let waiting = self.model.waiting();
        let blocked = self.model.blocked();
        self.events.push(Event::Quiescent { waiting, blocked });
    }
}
