//! The model's state, and what the world outside can do to it.

use std::collections::BTreeSet;

use gcrucible_bytecode::{Constant, ErrorKind, Program, Reg};

use super::finalizers::Finalizers;
use super::library::Limited;
use super::loaded::Loaded;
use super::slice::SliceLog;
use super::task::{Began, Frame, Status, Task};
use super::value::{Object, Store, Value};
use crate::executor::graph::FutureState;
use crate::executor::trace::{Callee, Data, TaskId};

/// Limits that the engine ran with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames of one task; a call beyond them throws `StackOverflow`.
    pub max_frames: usize,
    /// Milliseconds that a cancelled host operation or body may go on.
    pub grace_ms: u64,
    /// Whether the library is the one that was compiled: edited bytecode keeps nobody's word.
    pub has_library: bool,
}

/// A future.
#[derive(Clone, Copy, Debug)]
pub struct ModelFuture {
    /// The task that runs its body.
    pub runner: TaskId,
    /// Its state, as of the settlements told to the model.
    pub state: FutureState,
    /// Its value or error; nil in all other states.
    pub payload: Value,
    /// How many had settled before it, if it has settled.
    pub settled: Option<u64>,
}

/// A spawn that the engine has not registered yet.
#[derive(Clone, Debug)]
pub(super) struct Spawning {
    /// The spawner's register that gets the future.
    pub(super) register: Reg,
    pub(super) body: Frame,
    pub(super) detached: bool,
}

/// How the body of a task ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyEnd {
    /// What it returned, or else what it threw. `None`: cancelled before it began.
    pub result: Option<Result<Value, Value>>,
    /// Whether its cancellation had been requested by then.
    pub token: bool,
    /// What the panic of a host operation said that ended it; there is no result then.
    pub panic: Option<Value>,
}

/// How much a model did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Instructions that took effect.
    pub instructions: u64,
    /// Statements: changes from one source line to another, and jumps back.
    pub statements: u64,
}

/// A run of a program without a collector.
#[derive(Clone, Debug)]
pub struct Model<'p> {
    /// The version of the task that runs.
    pub(super) loaded: Loaded<'p>,
    /// Its place among all.
    pub(super) in_place: usize,
    /// All others, each at its place.
    pub(super) aside: Vec<Option<Loaded<'p>>>,
    /// Of each version whether the host holds it.
    pub(super) held: Vec<bool>,
    pub(super) limits: Limits,
    pub(super) store: Store,
    /// The one error of that kind, made when first thrown.
    out_of_memory: Option<Value>,
    /// Task 1 comes first; the one that runs is not there.
    tasks: Vec<Option<Box<Task>>>,
    /// Future 1 comes first.
    pub(super) futures: Vec<ModelFuture>,
    pub(super) finalizers: Finalizers,
    settlements: u64,
    /// Of each host operation that has begun whether its task was cancelled while it was under
    /// way, or before.
    told: Vec<bool>,
    /// Failed futures whose errors the program has seen: an await has thrown them, or a squad has
    /// ended with them.
    pub(super) seen: BTreeSet<u64>,
    /// Streams of the first elements of others.
    pub(super) limited: Vec<Limited>,
    pub(super) log: SliceLog,
    /// Tasks of the running task's run that have not settled.
    pub(super) open_now: u32,
    pub(super) work: Work,
    now_ms: u64,
}

impl<'p> Model<'p> {
    /// A model that has done nothing yet.
    pub fn new(program: &'p Program, limits: Limits) -> Self {
        let loaded = Loaded::new(program);
        let loaded = match limits.has_library {
            true => loaded,
            false => loaded.without_pledges(),
        };
        Self {
            loaded,
            in_place: 0,
            aside: vec![None],
            held: vec![true],
            limits,
            store: Store::new(),
            out_of_memory: None,
            tasks: Vec::new(),
            futures: Vec::new(),
            finalizers: Finalizers::default(),
            settlements: 0,
            told: Vec::new(),
            seen: BTreeSet::new(),
            limited: Vec::new(),
            log: SliceLog::default(),
            open_now: 0,
            work: Work::default(),
            now_ms: 0,
        }
    }

    /// The program of the version in place.
    pub fn program(&self) -> &'p Program {
        self.loaded.program
    }

    /// What it did so far.
    pub fn work(&self) -> Work {
        self.work
    }

    /// All objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// All tasks, task 1 first.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().flatten().map(|task| &**task)
    }

    /// A task, if there is one of that number.
    pub fn task(&self, task: TaskId) -> Option<&Task> {
        let task = self.tasks.get((task as usize).checked_sub(1)?)?;
        task.as_deref()
    }

    /// A future, if there is one of that id.
    pub fn future(&self, future: u64) -> Option<&ModelFuture> {
        self.futures
            .get(usize::try_from(future.checked_sub(1)?).ok()?)
    }

    /// All futures, future 1 first.
    pub fn futures(&self) -> &[ModelFuture] {
        &self.futures
    }

    /// The value of a global.
    pub fn global(&self, global: u16) -> Option<Value> {
        self.loaded.globals.get(usize::from(global)).copied()
    }

    /// Ends the initialisation of a task's version, however it went: no global of that can be
    /// assigned any more.
    pub fn freeze(&mut self, task: TaskId) {
        if let Some(task) = self.task(task) {
            self.put_in_place(task.version);
        }
        self.loaded.frozen.fill(true);
    }

    /// How long what was told to end may go on.
    pub fn grace_ms(&self) -> u64 {
        self.limits.grace_ms
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Sets the time.
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Starts a call by the host, on the version in place, and gives the task that will run it.
    /// What cannot be called ends with an error in its first slice.
    pub fn start_call(&mut self, callee: &Callee, seed: u64) -> TaskId {
        let mut task = match callee {
            Callee::ModuleInit => {
                let modules = self.loaded.program.modules.iter().enumerate();
                let mut inits: std::collections::VecDeque<_> =
                    modules.map(|(at, module)| (at, module.init)).collect();
                let first = inits.pop_front();
                let frames = first.map(|(_, init)| Frame::new(self.loaded.program, init, &[]));
                Task {
                    frames: frames.into_iter().collect(),
                    inits,
                    module: first.map(|(module, _)| module),
                    ..Task::default()
                }
            }
            Callee::Finalizer { number } => self.start_finalizer(*number),
            Callee::Export { global, args } => {
                let args: Vec<Value> = args.iter().map(|&int| Value::Int(int)).collect();
                let closure = self.global(*global).unwrap_or_default();
                match self.frame_of(closure, &args) {
                    Ok(frame) => Task::of(frame),
                    Err(kind) => Task {
                        refused: Some((kind, self.refusal(kind, closure, args.len()))),
                        ..Task::default()
                    },
                }
            }
        };
        task.root = Some(self.next_task());
        task.random = seed;
        self.add_task(task)
    }

    /// Adds a task that runs on the version in place.
    fn add_task(&mut self, task: Task) -> TaskId {
        let number = self.next_task();
        let version = self.in_place;
        let task = Task {
            number,
            version,
            ..task
        };
        self.tasks.push(Some(Box::new(task)));
        number
    }

    /// The number that the next task will have.
    pub fn next_task(&self) -> TaskId {
        self.tasks.len() as TaskId + 1
    }

    /// The deadline that the task inherits which this one has spawned.
    pub fn inherited_by_child(&self, task: TaskId) -> Option<u64> {
        let task = self.task(task)?;
        match task.spawning.as_ref()?.detached {
            true => None,
            false => task.inheritable_deadline(),
        }
    }

    /// Whether a task has spawned something that is not registered yet, and whether that is
    /// detached.
    pub fn spawning(&self, task: TaskId) -> Option<bool> {
        Some(self.task(task)?.spawning.as_ref()?.detached)
    }

    /// Registers what a task has spawned: makes its future and the task that will run it.
    /// Gives both, unless nothing was spawned.
    pub fn register(&mut self, spawner: TaskId, seed: u64) -> Option<(u64, TaskId)> {
        self.spawning(spawner)?;
        let inherited_deadline = self.inherited_by_child(spawner);
        let mut task = self.take_task(spawner);
        let spawning = task.spawning.take()?;
        let future = self.futures.len() as u64 + 1;
        let runner = self.next_task();
        self.futures.push(ModelFuture {
            runner,
            state: FutureState::Pending,
            payload: Value::Nil,
            settled: None,
        });
        let value = self.store.value(Object::Future(future));
        super::machine::set(&mut task, spawning.register, value);
        let root = task.root.filter(|_| !spawning.detached);
        let above = (!spawning.detached).then_some(spawner);
        let squad = task.innermost_squad().filter(|_| !spawning.detached);
        let squad = squad.map(|number| (spawner, number));
        if !spawning.detached {
            self.note_child(&mut task, future, value);
        }
        self.put_task(spawner, task);
        self.add_task(Task {
            future: Some(future),
            root,
            above,
            squad,
            inherited_deadline,
            random: seed,
            ..Task::of(spawning.body)
        });
        Some((future, runner))
    }

    /// A frame that runs a closure with these arguments.
    pub(super) fn frame_of(&self, closure: Value, args: &[Value]) -> Result<Frame, ErrorKind> {
        let Value::Object(id) = closure else {
            return Err(ErrorKind::NotCallable);
        };
        match *self.store.get(id) {
            Object::Closure(function, _) => {
                let frame = self.frame_with(function, None, args)?;
                Ok(Frame {
                    closure: Some(id),
                    ..frame
                })
            }
            Object::Bound(function, receiver) => self.frame_with(function, Some(receiver), args),
            _ => Err(ErrorKind::NotCallable),
        }
    }

    /// A frame that runs a function, with a receiver before its arguments.
    pub(super) fn frame_with(
        &self,
        function: u16,
        receiver: Option<Value>,
        args: &[Value],
    ) -> Result<Frame, ErrorKind> {
        let args: Vec<Value> = receiver.iter().chain(args).copied().collect();
        if usize::from(self.loaded.program.functions[usize::from(function)].arity) != args.len() {
            return Err(ErrorKind::WrongArity);
        }
        Ok(Frame::new(self.loaded.program, function, &args))
    }

    /// There was no memory for the future of what a task has spawned: nil stands in its place.
    pub fn drop_spawn(&mut self, spawner: TaskId) {
        let mut task = self.take_task(spawner);
        if let Some(spawning) = task.spawning.take() {
            super::machine::set(&mut task, spawning.register, Value::Nil);
        }
        self.put_task(spawner, task);
    }

    /// Requests the cancellation of a task. Its end stays as it is if it has ended. `by_scope`: the
    /// scope in which it was spawned ends it. A task whose inherited time is over by then
    /// throws the error of that, and not the same cause twice.
    pub fn request_cancel(&mut self, task: TaskId, by_scope: bool) {
        let now_ms = self.now_ms();
        let mut told = Vec::new();
        let Some(task) = self.task_mut(task) else {
            return;
        };
        let is_over = task.inherited_deadline.is_some_and(|at| at <= now_ms);
        if !task.token {
            task.delivered |= by_scope && is_over;
            task.requested_ms = now_ms;
            task.body_since_ms = now_ms;
            let interrupted = task
                .interrupts
                .iter()
                .filter_map(|at| at.operation.as_ref());
            told.extend(
                interrupted
                    .chain(&task.operation)
                    .filter_map(|at| at.watched()),
            );
        }
        task.token = true;
        if !task.started && task.status != Status::Ended {
            task.end(None);
        }
        for operation in told {
            self.told[operation] = true;
        }
    }

    /// Of each host operation that has begun, in order, whether it was told to stop.
    pub fn told(&self) -> &[bool] {
        &self.told
    }

    /// Begins the host operation that a task has asked for; false if it has asked for none.
    pub fn begin_operation(&mut self, task: TaskId) -> bool {
        let (now_ms, number) = (self.now_ms, self.told.len());
        let Some(task) = self.task_mut(task) else {
            return false;
        };
        let is_handlers = !task.interrupts.is_empty();
        let is_told = task.token && !is_handlers;
        match &mut task.operation {
            Some(operation) if operation.status == Status::Host(false) => {
                if operation.began.is_some() {
                    return false;
                }
                operation.began = Some(Began {
                    number,
                    at_ms: now_ms,
                    is_handlers,
                });
            }
            _ => return false,
        }
        self.told.push(is_told);
        true
    }

    /// A task that was cancelled is aborted at the end of its grace time: what it holds is
    /// released.
    pub fn abort(&mut self, task: TaskId) {
        let mut ended = self.take_task(task);
        self.abandon(&mut ended);
        self.put_task(task, ended);
    }

    /// Ends a body without a result.
    fn abandon(&mut self, ended: &mut Task) {
        self.pop_scopes(ended, 0);
        ended.frames.clear();
        ended.operation = None;
        ended.interrupts.clear();
        ended.signals.clear();
        ended.locals = None;
        ended.end(None);
    }

    /// The tasks that a request for one of them reaches, in order: itself, and those below it
    /// which were not requested before. Nobody if it has ended for everybody.
    pub fn reached_by(&self, task: TaskId) -> Vec<TaskId> {
        let Some(found) = self.task(task).filter(|task| !task.is_over) else {
            return Vec::new();
        };
        let mut reached = vec![task];
        if found.token {
            return reached;
        }
        let mut below = vec![task];
        for other in self.tasks() {
            if other.above.is_some_and(|above| below.contains(&above)) {
                below.push(other.number);
                reached.extend((!other.token).then_some(other.number));
            }
        }
        reached
    }

    /// A task has ended for everybody: those below it move up.
    pub fn end_for_all(&mut self, task: TaskId) {
        let Some(ended) = self.task_mut(task) else {
            return;
        };
        ended.is_over = true;
        let above = ended.above.take();
        for other in self.tasks.iter_mut().flatten() {
            if other.above == Some(task) {
                other.above = above;
            }
        }
    }

    /// Raises a signal for the run of a root task. Without effect if that has ended.
    pub fn raise(&mut self, task: TaskId, signal: &str) {
        if let Some(task) = self.task_mut(task)
            && task.status != Status::Ended
        {
            task.signals.push_back(signal.to_owned());
        }
    }

    /// Ends the host operation that a task stands at; false if it stands at none.
    pub fn end_operation(&mut self, task: TaskId, result: &Result<Data, String>) -> bool {
        let Some(stands) = self.task(task).and_then(|task| task.operation.as_ref()) else {
            return false;
        };
        if !matches!(stands.status, Status::Host(false)) || stands.began.is_none() {
            return false;
        }
        let value = match result {
            Ok(data) => self.data(data),
            Err(_) => Value::Nil,
        };
        if let Some(task) = self.task_mut(task)
            && let Some(operation) = &mut task.operation
        {
            operation.status = Status::Host(true);
            operation.value = value;
            task.failed_operation = result.as_ref().err().cloned();
            if task.status == Status::Host(false) {
                task.status = Status::Host(true);
            }
        }
        true
    }

    /// The host operation that a task stands at panics, which ends the task: what it holds is
    /// released. False if it stands at none.
    pub fn panic_operation(&mut self, task: TaskId, message: &str) -> bool {
        let Some(stands) = self.task(task).and_then(|task| task.operation.as_ref()) else {
            return false;
        };
        if !matches!(stands.status, Status::Host(false)) || stands.began.is_none() {
            return false;
        }
        let cause = self.store.string(message);
        let mut ended = self.take_task(task);
        self.abandon(&mut ended);
        if let Some(end) = &mut ended.end {
            end.panic = Some(cause);
        }
        self.put_task(task, ended);
        true
    }

    /// There was no memory for what the panic said that ended a task, if one did.
    pub fn forget_panic(&mut self, task: TaskId) {
        if let Some(task) = self.task_mut(task)
            && let Some(BodyEnd {
                panic: Some(cause), ..
            }) = &mut task.end
        {
            *cause = Value::Nil;
        }
    }

    /// Makes a waiting task ready.
    pub fn wake(&mut self, task: TaskId) {
        if let Some(task) = self.task_mut(task)
            && task.status != Status::Ended
        {
            task.status = Status::Ready;
        }
    }

    /// Settles a future in a state that its runner's end allows; `state` is believed.
    pub fn settle(&mut self, future: u64, state: FutureState) {
        let Some(runner) = self.future(future).map(|future| future.runner) else {
            return;
        };
        self.end_for_all(runner);
        let end = self.task(runner).and_then(|task| task.end);
        let result = end.and_then(|end| end.result);
        let payload = match (state, result) {
            (FutureState::Ready, Some(Ok(value))) | (FutureState::Error, Some(Err(value))) => value,
            (FutureState::InternalError, None) => end.and_then(|end| end.panic).unwrap_or_default(),
            _ => Value::Nil,
        };
        let squad = self.task(runner).and_then(|task| task.squad);
        if let Some((owner, number)) = squad.filter(|_| state != FutureState::Ready)
            && let Some(owner) = self.task_mut(owner)
        {
            owner.failed_squads.push(number);
        }
        let entry = &mut self.futures[future as usize - 1];
        entry.state = state;
        entry.payload = payload;
        entry.settled = Some(self.settlements);
        self.settlements += 1;
    }

    /// A task's body has ended, and what comes of it is decided: whether its cancellation counts is
    /// what was requested by now.
    pub fn decide(&mut self, task: TaskId) {
        if let Some(task) = self.task_mut(task)
            && let Some(end) = &mut task.end
        {
            end.token = task.token;
        }
    }

    /// Notes that the program has seen what a future failed with, if it has failed.
    pub(super) fn note_seen(&mut self, future: u64) {
        let state = self.future(future).map(|future| future.state);
        if let Some(FutureState::Error | FutureState::InternalError) = state {
            self.seen.insert(future);
        }
    }

    /// The failure of a future was reported: that counts as seen.
    pub fn report(&mut self, future: u64) {
        self.note_seen(future);
    }

    /// Whether a future has failed with an error that the program has not seen.
    pub fn is_unseen(&self, future: u64) -> bool {
        let state = self.future(future).map(|future| future.state);
        matches!(state, Some(FutureState::Error | FutureState::InternalError))
            && !self.seen.contains(&future)
    }

    /// The futures of a run that have failed with errors that the program has not seen.
    pub fn unseen_of(&self, root: TaskId) -> Vec<u64> {
        let all = 1..=self.futures.len() as u64;
        let is_of = |future: &u64| {
            let runner = self
                .future(*future)
                .and_then(|future| self.task(future.runner));
            runner.is_some_and(|runner| runner.root == Some(root))
        };
        all.filter(is_of)
            .filter(|&future| self.is_unseen(future))
            .collect()
    }

    /// When time next ends the wait of a task, if it will: that of a sleep, of a deadline, of a host
    /// operation that is to end.
    pub fn due(&self, task: &Task) -> Option<u64> {
        let is_waiting = !matches!(
            task.status,
            Status::Ready | Status::Ended | Status::WaitingForAny { drain: true, .. }
        );
        let sleep = match task.status {
            Status::Sleeping { ms, since } => Some(since.saturating_add(ms)),
            _ => None,
        };
        let times = [
            sleep,
            self.grace_end(task),
            task.deadline(self.limits.grace_ms),
        ];
        times.into_iter().flatten().min().filter(|_| is_waiting)
    }

    /// Whether the root of a run and all that belongs to the run have ended, and their
    /// futures have settled.
    pub fn is_run_over(&self, root: TaskId) -> bool {
        self.task(root).is_some_and(|task| task.end.is_some())
            && self.futures.iter().all(|future| {
                future.settled.is_some()
                    || self.task(future.runner).and_then(|task| task.root) != Some(root)
            })
    }

    /// Who waits for futures, in order.
    pub fn waiting(&self) -> Vec<(TaskId, u64)> {
        let mut waiting = Vec::new();
        for task in self.tasks() {
            match &task.status {
                Status::Waiting(future) => waiting.push((task.number, *future)),
                Status::WaitingForAny { futures, .. } => {
                    waiting.extend(futures.iter().map(|&future| (task.number, future)));
                }
                _ => {}
            }
        }
        waiting
    }

    /// Who waits for channels and mutexes, in order.
    pub fn blocked(&self) -> Vec<(TaskId, u64)> {
        let blocked = self.tasks().filter_map(|task| match task.status {
            Status::Blocked { object, .. } => Some((task.number, object)),
            _ => None,
        });
        blocked.collect()
    }

    /// Clears a weak reference; false if there is none of that number.
    pub fn clear_weak(&mut self, number: u64) -> bool {
        let Some(id) = self.store.numbered(number) else {
            return false;
        };
        match self.store.get_mut(id) {
            Object::Weak { target, .. } => {
                *target = Value::Nil;
                true
            }
            _ => false,
        }
    }

    /// The error that there is no memory.
    pub(super) fn no_memory(&mut self) -> Value {
        if let Some(error) = self.out_of_memory {
            return error;
        }
        let error = self.store.error(ErrorKind::OutOfMemory, Value::Nil);
        *self.out_of_memory.insert(error)
    }

    /// Whether an object is the error that there is no memory.
    pub(super) fn is_no_memory(&self, id: super::value::ObjectId) -> bool {
        self.out_of_memory == Some(Value::Object(id))
    }

    /// Where a task stands, as `function opcode`: names that survive shrinking.
    pub fn site(&self, task: TaskId) -> String {
        let Some(task) = self.task(task) else {
            return "no task".into();
        };
        let program = self.loaded(task.version).program;
        let place = task
            .last
            .or_else(|| task.next(program).map(|(f, at, _)| (f, at)));
        let Some((function, at)) = place else {
            return "no frame".into();
        };
        let function = &program.functions[usize::from(function)];
        let op = format!("{:?}", function.code[at]);
        let op = op.split([' ', '{']).next().unwrap_or_default();
        format!("{} {op}", function.name)
    }

    pub(super) fn take_task(&mut self, task: TaskId) -> Box<Task> {
        let at = (task as usize).wrapping_sub(1);
        let task = self.tasks.get_mut(at).and_then(Option::take);
        let task = task.expect("a task that runs was created");
        self.put_in_place(task.version);
        task
    }

    pub(super) fn put_task(&mut self, task: TaskId, running: Box<Task>) {
        self.tasks[task as usize - 1] = Some(running);
    }

    pub(super) fn task_mut(&mut self, task: TaskId) -> Option<&mut Task> {
        let task = self.tasks.get_mut((task as usize).checked_sub(1)?)?;
        task.as_deref_mut()
    }

    /// The value that data stands for.
    pub(super) fn data(&mut self, data: &Data) -> Value {
        match data {
            Data::Nil => Value::Nil,
            Data::Bool(bool) => Value::Bool(*bool),
            Data::Int(int) => Value::Int(*int),
            Data::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Data::Text(text) => self.store.string(text),
            Data::List(elements) => {
                let elements = elements.iter().map(|element| self.data(element)).collect();
                self.store.value(Object::Array(elements))
            }
            Data::Map(entries) => {
                let mut map = super::map::MapObject::default();
                for (name, value) in entries {
                    let (name, value) = (self.store.string(name), self.data(value));
                    if let Some(key) = super::map::Key::of(name, &self.store) {
                        map.set(key, name, value);
                    }
                }
                self.store.value(Object::Map(map))
            }
        }
    }

    /// The data that a value stands for; `None` if it stands for none.
    pub(super) fn as_data(&self, value: Value, levels: u32) -> Option<Data> {
        Some(match value {
            Value::Nil => Data::Nil,
            Value::Bool(bool) => Data::Bool(bool),
            Value::Int(int) => Data::Int(int),
            Value::Float(float) => Data::Float(float.to_bits()),
            Value::Object(id) => match self.store.get(id) {
                Object::String(text) => Data::Text(text.to_string()),
                Object::Array(elements) => {
                    let levels = levels.checked_sub(1)?;
                    let parts = elements.iter().map(|&part| self.as_data(part, levels));
                    Data::List(parts.collect::<Option<_>>()?)
                }
                Object::Map(map) => {
                    let levels = levels.checked_sub(1)?;
                    let entries = map.iter().map(|(key, value)| {
                        let key = self.store.text(key)?.to_string();
                        Some((key, self.as_data(value, levels)?))
                    });
                    Data::Map(entries.collect::<Option<_>>()?)
                }
                _ => return None,
            },
        })
    }

    /// The value of a constant.
    pub(super) fn constant(&mut self, constant: u16) -> Value {
        let at = usize::from(constant);
        if let Some(value) = self.loaded.constants[at] {
            return value;
        }
        let value = match &self.loaded.program.constants[at] {
            Constant::Int(int) => Value::Int(*int),
            Constant::Float(float) => Value::Float(*float),
            Constant::String(text) => self.store.string(text),
        };
        self.loaded.constants[at] = Some(value);
        value
    }

    /// The text of a constant that is a name.
    pub(super) fn name(&self, constant: u16) -> &'p str {
        match &self.loaded.program.constants[usize::from(constant)] {
            Constant::String(text) => text,
            other => panic!("names are strings, this one is {other:?}"),
        }
    }
}
