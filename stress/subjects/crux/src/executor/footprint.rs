//! What a step of the engine touched.
//!
//! It is read off what can be observed of it: the instruction that ran, the trace events it
//! left, who became ready. It is coarse on purpose: all arrays and maps are one thing, a field
//! is known by its name and not by its object. Whatever is not known here (an instruction, an
//! event, a yield point, an event of the host) depends on everything: that costs schedules,
//! never coverage.

use std::collections::{BTreeMap, BTreeSet};

use gcrucible_bytecode::{Builtin, Op, Program};
use gcrucible_engine::{CallKind, yield_points};
use gcrucible_platform::Place;

use gcrucible_explore::{Resource, Touched};
use gcrucible_trace::Site;

use super::trace::{Event, SliceEnd, TaskId};
use crate::scenario::HostEvent;

/// What tasks of the engine read and write, besides one another and the world.
#[derive(Clone, Copy, Debug)]
enum Shared {
    /// A future's entry in the registry.
    Future(u64),
    /// A call's entry in the table.
    Call(u32),
    /// States of futures, which an await reads.
    Settled,
    /// The counters that number tasks and futures.
    Numbers,
    /// Virtual time and its timers.
    Time,
    /// Lines printed.
    Output,
    /// The host's handles.
    Handles,
    /// What allocation buffers are taken from.
    Nursery,
    /// A module variable.
    Global(u16),
    /// The fields of this name, of all instances.
    Field(u16),
    /// Arrays, maps and iterators.
    Elements,
    /// Captured variables.
    Cells,
    /// All objects, as one: who looks into objects of any depth writes it, and who changes an
    /// object reads it, so that changes of different things stay independent.
    Depths,
}

impl From<Shared> for Resource {
    fn from(shared: Shared) -> Resource {
        let (space, id) = match shared {
            Shared::Future(future) => (0, future),
            Shared::Call(call) => (1, u64::from(call)),
            Shared::Settled => (2, 0),
            Shared::Numbers => (3, 0),
            Shared::Time => (4, 0),
            Shared::Output => (5, 0),
            Shared::Handles => (6, 0),
            Shared::Nursery => (7, 0),
            Shared::Global(global) => (8, u64::from(global)),
            Shared::Field(name) => (9, u64::from(name)),
            Shared::Elements => (10, 0),
            Shared::Cells => (11, 0),
            Shared::Depths => (12, 0),
        };
        Resource::Of { space, id }
    }
}

/// Looks into objects of any depth.
fn look_deep(touched: &mut Touched) {
    touched.write(Shared::Depths);
    touched.read(Shared::Settled);
}

/// Changes an object.
fn change(touched: &mut Touched, shared: Shared) {
    touched.write(shared);
    touched.read(Shared::Depths);
}

/// One step of a run, as it could be observed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// Where the actor stood.
    pub site: Site,
    /// What the host did, if it was the host that went through its script.
    pub host: Option<&'a HostEvent>,
    /// What the trace got, collections before the slice included.
    pub events: &'a [Event],
    /// Where the actor stands now, if it can go on.
    pub stands: Option<Site>,
    /// Allocation buffers were handed out.
    pub has_refilled: bool,
    /// There are more or fewer timers than before.
    pub has_timers_changed: bool,
}

/// Follows a run of the engine, and says what each of its steps touched.
#[derive(Debug)]
pub(super) struct Watch<'p> {
    program: &'p Program,
    /// Globals are frozen: who reads one depends on nobody.
    is_initialised: bool,
    /// The program has guards, deadlines, steps or handlers of interrupts: whatever throws,
    /// returns or begins a slice may release a mutex or find that a time is over.
    has_scopes: bool,
    tasks: BTreeMap<TaskId, Doing>,
    /// Futures by the task that runs them.
    futures: BTreeMap<TaskId, u64>,
    /// Everybody who ever waited for a future.
    waiters: BTreeMap<u64, BTreeSet<TaskId>>,
}

/// What a task's last slice ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Awaiting(u64),
    BodyOver,
    Other,
}

impl<'p> Watch<'p> {
    /// Watches a run of this program from its start.
    pub(super) fn new(program: &'p Program) -> Self {
        Watch {
            program,
            is_initialised: false,
            has_scopes: program.interrupt.is_some()
                || program
                    .functions
                    .iter()
                    .any(|function| function.code.iter().any(|op| op.facts().opens_scope)),
            tasks: BTreeMap::new(),
            futures: BTreeMap::new(),
            waiters: BTreeMap::new(),
        }
    }

    /// What a step touched.
    pub(super) fn step(&mut self, step: &Step<'_>) -> Touched {
        let mut touched = Touched::default();
        let actor = step.site.actor;
        match actor {
            Site::HOST => host(step, &mut touched),
            Site::TIMERS => touched.write(Resource::World),
            task => {
                touched.read(Resource::Task(task));
                self.task(step, &mut touched);
            }
        }
        for event in step.events {
            self.event(event, &mut touched);
        }
        if step.has_refilled {
            touched.write(Shared::Nursery);
        }
        if step.has_timers_changed {
            touched.write(Shared::Time);
        }
        touched.is_local_next = self.is_local_at(step.stands);
        touched
    }

    fn op(&self, function: u16, at: u32) -> Option<Op> {
        let function = self.program.functions.get(usize::from(function))?;
        function.code.get(at as usize).copied()
    }

    fn is_local_at(&self, stands: Option<Site>) -> bool {
        let Some(site) = stands else { return false };
        if self.has_scopes || site.actor == Site::HOST || site.function == Place::ENGINE {
            return false;
        }
        match self.op(site.function, site.at) {
            Some(Op::LoadGlobal { .. }) => self.is_initialised,
            Some(op) => is_local(&op),
            None => false,
        }
    }

    /// A step of a task: a slice, or one of the engine's own steps on its behalf.
    fn task(&self, step: &Step<'_>, touched: &mut Touched) {
        let task = step.site.actor;
        let (instructions, was_told) = slice(step.events);
        if was_told || instructions > 1 {
            // What was thrown into the body decided which instruction ran.
            touched.write(Resource::World);
            return;
        }
        if self.has_scopes && instructions > 0 {
            touched.write(Resource::World);
            return;
        }
        if step.site.function != Place::ENGINE {
            self.instruction(self.op(step.site.function, step.site.at), touched);
            return;
        }
        let doing = self.tasks.get(&task).copied().unwrap_or(Doing::Other);
        match (step.site.at, doing) {
            (yield_points::START, _) if instructions == 0 => {}
            (yield_points::START, _) => {
                // Only the second instruction's place tells which function began.
                let began = step
                    .stands
                    .filter(|site| site.function != Place::ENGINE && site.at == 1);
                let first = began.and_then(|site| self.op(site.function, 0));
                self.instruction(first, touched);
            }
            (yield_points::BEFORE_WAIT, Doing::Awaiting(future)) => {
                touched.write(Shared::Future(future));
            }
            (yield_points::BEFORE_SETTLE, Doing::BodyOver)
            | (yield_points::BEFORE_CALL_END, Doing::BodyOver) => {}
            (yield_points::BEFORE_REMOVE, Doing::BodyOver) => match self.futures.get(&task) {
                Some(&future) => touched.write(Shared::Future(future)),
                None => touched.write(Resource::World),
            },
            (yield_points::BEFORE_WAKE, Doing::BodyOver) => match self.futures.get(&task) {
                Some(&future) => {
                    touched.write(Shared::Future(future));
                    for &waiter in self.waiters.get(&future).into_iter().flatten() {
                        touched.write(Resource::Task(waiter));
                    }
                }
                None => touched.write(Resource::World),
            },
            _ => touched.write(Resource::World),
        }
    }

    fn instruction(&self, op: Option<Op>, touched: &mut Touched) {
        match op {
            Some(op) if is_local(&op) => {}
            Some(Op::LoadGlobal { global, .. }) => touched.read(Shared::Global(global)),
            Some(Op::StoreGlobal { global, .. }) => touched.write(Shared::Global(global)),
            Some(Op::LoadCell { .. } | Op::LoadCapture { .. }) => touched.read(Shared::Cells),
            Some(Op::StoreCell { .. } | Op::StoreCapture { .. }) => change(touched, Shared::Cells),
            Some(Op::GetField { name, .. }) => touched.read(Shared::Field(name)),
            Some(Op::SetField { name, .. }) => change(touched, Shared::Field(name)),
            Some(Op::GetIndex { .. } | Op::NewIterator { .. } | Op::NextOrJump { .. }) => {
                touched.read(Shared::Elements);
            }
            Some(Op::SetIndex { .. }) => change(touched, Shared::Elements),
            Some(Op::CallMethod { name, .. }) => {
                touched.read(Shared::Field(name));
                touched.write(Shared::Elements);
                look_deep(touched);
            }
            Some(Op::Concat { .. }) => look_deep(touched),
            Some(Op::CallBuiltin { builtin, .. }) => call_builtin(builtin, touched),
            Some(Op::Await { .. } | Op::Cancel { .. }) => touched.read(Shared::Settled),
            // What it registers is an event.
            Some(Op::Spawn { .. }) => {}
            _ => touched.write(Resource::World),
        }
    }

    fn event(&mut self, event: &Event, touched: &mut Touched) {
        match *event {
            // The task itself takes that step.
            Event::SliceBegan { .. } | Event::BodyEnded { .. } | Event::ClientGone { .. } => {}
            Event::Printed { .. } | Event::Unobserved { .. } => touched.write(Shared::Output),
            Event::SliceEnded { task, ref end, .. } => self.slice_ended(task, end, touched),
            Event::Registered { future, runner, .. } => {
                self.futures.insert(runner, future);
                touched.write(Shared::Numbers);
                touched.write(Shared::Future(future));
                touched.write(Resource::Task(runner));
            }
            Event::AwaitResolved { future, .. } => touched.read(Shared::Future(future)),
            Event::CancelRequested { task } => {
                touched.disturbed.push(task);
                touched.write(Resource::Task(task));
                // Whom it reaches depends on who was spawned and who has ended.
                touched.read(Shared::Numbers);
                touched.read(Shared::Settled);
            }
            Event::Settled { future, .. } | Event::SettleRefused { future } => {
                touched.write(Shared::Future(future));
                touched.write(Shared::Settled);
            }
            Event::Woken { task } => touched.write(Resource::Task(task)),
            Event::CallStarted { call, task, .. } => {
                touched.write(Shared::Numbers);
                touched.write(Shared::Call(call));
                touched.write(Resource::Task(task));
            }
            // Who does that says whose call it is.
            Event::CallDropped { .. } => {}
            Event::CallRefused { call } => touched.read(Shared::Call(call)),
            Event::CallEnded { call, .. } => {
                touched.write(Shared::Call(call));
                // The result is looked at as a whole, in whatever state others left it.
                look_deep(touched);
                if call == CallKind::Init.id() {
                    self.is_initialised = true;
                    touched.write(Resource::World);
                }
            }
            Event::Collected { .. } => {
                touched.disturbs_all = true;
                touched.write(Resource::World);
            }
            _ => touched.write(Resource::World),
        }
    }

    fn slice_ended(&mut self, task: TaskId, end: &SliceEnd, touched: &mut Touched) {
        let doing = match *end {
            SliceEnd::Awaiting { future } => {
                self.waiters.entry(future).or_default().insert(task);
                touched.read(Shared::Future(future));
                Doing::Awaiting(future)
            }
            SliceEnd::Cancelling { future } => {
                touched.read(Shared::Future(future));
                Doing::Other
            }
            SliceEnd::Yielded => {
                touched.yields = true;
                Doing::Other
            }
            SliceEnd::Returned | SliceEnd::Threw => Doing::BodyOver,
            SliceEnd::Sleeping { .. } => {
                touched.write(Shared::Time);
                Doing::Other
            }
            SliceEnd::Preempted | SliceEnd::Spawned { .. } | SliceEnd::Collecting => Doing::Other,
            SliceEnd::NoMemory
            | SliceEnd::AwaitingMany { .. }
            | SliceEnd::Waiting { .. }
            | SliceEnd::Resuming
            | SliceEnd::Host => {
                touched.write(Resource::World);
                Doing::Other
            }
        };
        self.tasks.insert(task, doing);
    }
}

/// Instructions of the step's slices, and whether one of them was told something or had an
/// effect on others.
fn slice(events: &[Event]) -> (u32, bool) {
    let mut ran = (0, false);
    for event in events {
        match event {
            Event::SliceBegan { start, .. } => ran.1 |= start.delivered || start.dispatched,
            Event::SliceEnded {
                instructions,
                effects,
                ..
            } => {
                ran.0 += instructions;
                ran.1 |= effects.is_some();
            }
            _ => {}
        }
    }
    ran
}

fn host(step: &Step<'_>, touched: &mut Touched) {
    match step.host {
        // Starting the initialisation, seeing its end, and starting a call leave events.
        None | Some(HostEvent::Call { .. }) => {}
        Some(HostEvent::CancelCall { call } | HostEvent::JoinCall { call }) => {
            touched.read(Shared::Call(*call));
        }
        Some(HostEvent::DropCall { call }) => touched.write(Shared::Call(*call)),
        Some(HostEvent::Protect { call } | HostEvent::Unprotect { call }) => {
            touched.read(Shared::Call(*call));
            touched.write(Shared::Handles);
        }
        Some(_) => touched.write(Resource::World),
    }
}

fn call_builtin(builtin: Builtin, touched: &mut Touched) {
    match builtin {
        Builtin::Print => {
            touched.write(Shared::Output);
            look_deep(touched);
        }
        Builtin::Str | Builtin::DeepEquals => look_deep(touched),
        Builtin::Len => touched.read(Shared::Elements),
        Builtin::Sleep => touched.write(Shared::Time),
        Builtin::YieldNow | Builtin::CancellationRequested => {}
        _ => touched.write(Resource::World),
    }
}

/// Whether an instruction touches nothing but registers and frames of its own task, objects
/// that it makes, and what never changes.
fn is_local(op: &Op) -> bool {
    let is_local_builtin =
        |builtin| matches!(builtin, Builtin::Assert | Builtin::TypeOf | Builtin::Error);
    match *op {
        Op::CallBuiltin { builtin, .. } => is_local_builtin(builtin),
        op => op.facts().local,
    }
}
