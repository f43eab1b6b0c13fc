//! Runs a program and a host script on the model alone.
//!
//! The driver takes the engine's part: it decides by choices what a schedule decides, and
//! writes the trace that an engine without faults would leave behind. It serves as a dry
//! run (how many slices, tasks, instructions a scenario has) and as a source of traces
//! that must be accepted.

use std::collections::BTreeMap;

use gcrucible_bytecode::Program;

use super::model::{Limits, Model, Work};
use super::task::Status;
use crate::executor::graph::FutureState;
use crate::executor::trace::{Callee, Event, Outcome, SliceEnd, TaskId};
use crate::generator::choices::Choices;
use crate::scenario::HostEvent;

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

/// Runs a program raced with a host script.
pub fn drive<C: Choices>(
    program: &Program,
    host: &[HostEvent],
    choices: &mut C,
    limits: DriveLimits,
) -> Drive {
    let mut driver = Driver {
        model: Model::new(program, limits.model),
        events: Vec::new(),
        calls: BTreeMap::new(),
        host,
        at: 0,
    };
    driver.start(INIT_CALL, Callee::ModuleInit);
    let mut decisions = 0;
    let mut quiescent = false;
    let mut actors = Vec::new();
    while decisions < limits.decisions && !quiescent {
        driver.actors(&mut actors);
        match actors.get(choices.below(actors.len() as u32) as usize) {
            None => quiescent = true,
            Some(Actor::Host) => driver.host_event(),
            Some(Actor::Timers) => driver.fire_timer(),
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
        tasks: model.tasks().len(),
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
    Task(TaskId),
}

struct Driver<'a> {
    model: Model<'a>,
    events: Vec<Event>,
    /// Open calls and their tasks.
    calls: BTreeMap<u32, TaskId>,
    host: &'a [HostEvent],
    at: usize,
}

impl Driver<'_> {
    /// Everybody who can act now.
    fn actors(&self, actors: &mut Vec<Actor>) {
        actors.clear();
        let is_initialised = !self.calls.contains_key(&INIT_CALL);
        match self.host.get(self.at) {
            Some(HostEvent::JoinCall { call }) if self.calls.contains_key(call) => {}
            Some(_) if is_initialised => actors.push(Actor::Host),
            _ => {}
        }
        let mut sleeps = false;
        for (task, at) in self.model.tasks().iter().zip(1..) {
            match task.status {
                Status::Ready => actors.push(Actor::Task(at)),
                Status::Sleeping { .. } => sleeps = true,
                Status::Waiting(_) | Status::Ended => {}
            }
        }
        if sleeps {
            actors.push(Actor::Timers);
        }
    }

    fn start(&mut self, call: u32, callee: Callee) {
        let task = self.model.start_call(&callee);
        self.calls.insert(call, task);
        self.events.push(Event::CallStarted { call, task, callee });
    }

    fn host_event(&mut self) {
        let event = &self.host[self.at];
        self.at += 1;
        match event {
            HostEvent::Call {
                call,
                function,
                args,
            } => {
                let program = self.model.program();
                if self.calls.contains_key(call) {
                    self.events.push(Event::CallRefused { call: *call });
                } else if let Some(global) = program.entry_export(function) {
                    self.start(
                        *call,
                        Callee::Export {
                            global,
                            args: args.clone(),
                        },
                    );
                }
            }
            HostEvent::CancelCall { call } | HostEvent::DropCall { call } => {
                if let Some(&task) = self.calls.get(call) {
                    self.cancel(task);
                }
            }
            HostEvent::Collect { kind } => {
                self.events.push(Event::Collected {
                    kind: *kind,
                    moved: 0,
                    promoted: 0,
                });
            }
            HostEvent::AdvanceTime { ms } => {
                self.advance(self.model.now_ms() + u64::from(*ms));
            }
            HostEvent::JoinCall { .. }
            | HostEvent::Protect { .. }
            | HostEvent::Unprotect { .. } => {}
        }
    }

    fn advance(&mut self, now_ms: u64) {
        self.model.set_now(now_ms);
        self.events.push(Event::TimeAdvanced { now_ms });
        self.wake(|status| matches!(status, Status::Sleeping { .. }));
    }

    fn fire_timer(&mut self) {
        let due = self
            .model
            .tasks()
            .iter()
            .filter_map(|task| match task.status {
                Status::Sleeping { ms, since } => Some(since.saturating_add(ms)),
                _ => None,
            });
        if let Some(due) = due.min() {
            self.advance(due.max(self.model.now_ms()));
        }
    }

    /// Wakes the tasks of such a status that could run.
    fn wake(&mut self, concerned: impl Fn(Status) -> bool) {
        for task in 1..=self.model.tasks().len() as TaskId {
            let status = self.model.task(task).map(|task| task.status);
            if status.is_some_and(&concerned) && self.model.could_run(task) {
                self.model.wake(task);
                self.events.push(Event::Woken { task });
            }
        }
    }

    fn cancel(&mut self, task: TaskId) {
        if self
            .model
            .task(task)
            .is_none_or(|task| task.status == Status::Ended)
        {
            return;
        }
        self.events.push(Event::CancelRequested { task });
        let status = self.model.task(task).map(|task| task.status);
        self.model.request_cancel(task);
        if self.model.task(task).is_some_and(|task| task.end.is_some()) {
            self.body_ended(task);
        } else if matches!(status, Some(Status::Waiting(_) | Status::Sleeping { .. }))
            && self.model.could_run(task)
        {
            self.model.wake(task);
            self.events.push(Event::Woken { task });
        }
    }

    fn slice(&mut self, task: TaskId, fuel: u32) {
        let delivered = self.model.to_deliver(task);
        self.events.push(Event::SliceBegan { task, delivered });
        let report = self.model.run_task(task, delivered, fuel);
        self.events.extend(
            report
                .printed
                .into_iter()
                .map(|text| Event::Printed { task, text }),
        );
        self.events.push(Event::SliceEnded {
            task,
            instructions: report.instructions,
            end: report.end.clone(),
        });
        if let Some((future, runner)) = report.registered {
            self.events.push(Event::Registered {
                task,
                future,
                runner,
            });
        }
        match report.end {
            SliceEnd::Cancelling { future } => {
                let pending = self.model.future(future);
                let pending = pending.filter(|future| future.state == FutureState::Pending);
                if let Some(runner) = pending.map(|future| future.runner) {
                    self.cancel(runner);
                }
            }
            SliceEnd::Returned | SliceEnd::Threw => self.body_ended(task),
            _ => {}
        }
    }

    /// Settles the future of a task, or ends its call.
    fn body_ended(&mut self, task: TaskId) {
        let Some(found) = self.model.task(task) else {
            return;
        };
        let Some(end) = found.end else { return };
        if let Some(future) = found.future {
            let state = match end.result {
                Some(Ok(_)) => FutureState::Ready,
                Some(Err(_)) if !end.token => FutureState::Error,
                Some(Err(_)) | None => FutureState::Cancelled,
            };
            self.model.settle(future, state);
            self.events.push(Event::Settled { future, state });
            self.wake(|status| status == Status::Waiting(future));
        }
        let call = self
            .calls
            .iter()
            .find(|(_, runner)| **runner == task)
            .map(|(&call, _)| call);
        if let Some(call) = call {
            self.calls.remove(&call);
            let outcome = match end.result {
                Some(Ok(value)) => Outcome::Returned(self.model.dump(value)),
                Some(Err(error)) if !end.token => Outcome::Threw(self.model.dump(error)),
                Some(Err(_)) | None => Outcome::Cancelled,
            };
            self.events.push(Event::CallEnded {
                call,
                task,
                outcome,
            });
        }
    }

    fn quiescent(&mut self) {
        let waiting =
            self.model
                .tasks()
                .iter()
                .zip(1..)
                .filter_map(|(task, at)| match task.status {
                    Status::Waiting(future) => Some((at, future)),
                    _ => None,
                });
        let waiting = waiting.collect();
        self.events.push(Event::Quiescent { waiting });
    }
}
