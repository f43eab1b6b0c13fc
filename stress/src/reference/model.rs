//! The model's state, and what the world outside can do to it.

use gcrucible_bytecode::{Constant, ErrorKind, Op, Program};

use super::machine::Step;
use super::task::{Frame, Status, Task};
use super::value::{Object, ObjectId, Store, Value};
use crate::executor::graph::FutureState;
use crate::executor::trace::{Callee, SliceEnd, TaskId};

/// Limits that the engine ran with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames of one task; a call beyond them throws `StackOverflow`.
    pub max_frames: usize,
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
}

/// How the body of a task ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyEnd {
    /// What it returned, or else what it threw. `None`: cancelled before it began.
    pub result: Option<Result<Value, Value>>,
    /// Whether its cancellation had been requested by then.
    pub token: bool,
}

/// How much a model did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Instructions that took effect.
    pub instructions: u64,
    /// Statements: changes from one source line to another, and jumps back.
    pub statements: u64,
}

/// What a slice did.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceReport {
    /// Instructions that took effect.
    pub instructions: u32,
    /// Lines that it printed.
    pub printed: Vec<String>,
    /// Why it ended.
    pub end: SliceEnd,
    /// The future it made and the task that will run it, if the slice ended with that.
    pub registered: Option<(u64, TaskId)>,
}

/// A run of a program without a collector.
#[derive(Clone, Debug)]
pub struct Model<'p> {
    pub(super) program: &'p Program,
    pub(super) limits: Limits,
    pub(super) store: Store,
    pub(super) globals: Vec<Value>,
    /// Whether the modules are initialised.
    pub(super) frozen: bool,
    /// Strings among the constants, made when first loaded.
    pub(super) constants: Vec<Option<Value>>,
    /// Closures of functions without captures, made when first loaded.
    pub(super) functions: Vec<Option<ObjectId>>,
    /// The one error of that kind, made when first thrown.
    out_of_memory: Option<Value>,
    /// Task 1 comes first.
    tasks: Vec<Task>,
    /// Future 1 comes first.
    pub(super) futures: Vec<ModelFuture>,
    pub(super) printed: Vec<String>,
    pub(super) work: Work,
    now_ms: u64,
}

impl<'p> Model<'p> {
    /// A model that has done nothing yet.
    pub fn new(program: &'p Program, limits: Limits) -> Self {
        Self {
            program,
            limits,
            store: Store::new(),
            globals: vec![Value::Nil; program.globals.len()],
            frozen: false,
            constants: vec![None; program.constants.len()],
            functions: vec![None; program.functions.len()],
            out_of_memory: None,
            tasks: Vec::new(),
            futures: Vec::new(),
            printed: Vec::new(),
            work: Work::default(),
            now_ms: 0,
        }
    }

    /// The program it runs.
    pub fn program(&self) -> &'p Program {
        self.program
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
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// A task, if there is one of that number.
    pub fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get((task as usize).checked_sub(1)?)
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
        self.globals.get(usize::from(global)).copied()
    }

    /// Whether all modules are initialised.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Sets the time.
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Starts a call by the host and gives the task that will run it. What cannot be
    /// called ends with an error in its first slice.
    pub fn start_call(&mut self, callee: &Callee) -> TaskId {
        let task = match callee {
            Callee::ModuleInit => {
                let mut inits: std::collections::VecDeque<_> = self
                    .program
                    .modules
                    .iter()
                    .map(|module| module.init)
                    .collect();
                let frames = inits
                    .pop_front()
                    .map(|init| Frame::new(self.program, init, &[]));
                Task {
                    frames: frames.into_iter().collect(),
                    inits,
                    initialises: true,
                    ..Task::default()
                }
            }
            Callee::Export { global, args } => {
                let args: Vec<Value> = args.iter().map(|&int| Value::Int(int)).collect();
                let closure = self.global(*global).unwrap_or_default();
                match self.frame_of(closure, &args) {
                    Ok(frame) => Task::of(frame),
                    Err(kind) => Task {
                        refused: Some(kind),
                        ..Task::default()
                    },
                }
            }
        };
        self.add_task(task)
    }

    pub(super) fn add_task(&mut self, task: Task) -> TaskId {
        self.tasks.push(task);
        self.tasks.len() as TaskId
    }

    /// The number that the next task will have. Tasks are added while one is running.
    pub(super) fn next_task(&self) -> TaskId {
        self.tasks.len() as TaskId + 1
    }

    /// A frame that runs a closure with these arguments.
    pub(super) fn frame_of(&self, closure: Value, args: &[Value]) -> Result<Frame, ErrorKind> {
        let Value::Object(id) = closure else {
            return Err(ErrorKind::NotCallable);
        };
        let Object::Closure(function, _) = *self.store.get(id) else {
            return Err(ErrorKind::NotCallable);
        };
        if usize::from(self.program.functions[usize::from(function)].arity) != args.len() {
            return Err(ErrorKind::WrongArity);
        }
        Ok(Frame {
            closure: Some(id),
            ..Frame::new(self.program, function, args)
        })
    }

    /// Requests the cancellation of a task. Without effect if it has ended.
    pub fn request_cancel(&mut self, task: TaskId) {
        let Some(task) = self.task_mut(task) else {
            return;
        };
        if task.status == Status::Ended {
            return;
        }
        task.token = true;
        if !task.started {
            let initialises = task.initialises;
            task.end(None);
            self.frozen |= initialises;
        }
    }

    /// The error that the next slice of a task must begin with: a cancellation that was
    /// requested and not delivered yet.
    pub fn to_deliver(&self, task: TaskId) -> Option<ErrorKind> {
        let task = self.task(task)?;
        (task.token && !task.delivered).then_some(ErrorKind::Cancelled)
    }

    /// Whether a task could run: it is ready, or what it waits for has happened.
    pub fn could_run(&self, task: TaskId) -> bool {
        let Some(found) = self.task(task) else {
            return false;
        };
        match found.status {
            Status::Ready => true,
            Status::Ended => false,
            Status::Waiting(future) => {
                self.to_deliver(task).is_some()
                    || self
                        .future(future)
                        .is_none_or(|f| f.state != FutureState::Pending)
            }
            Status::Sleeping { ms, since } => {
                self.to_deliver(task).is_some() || since.saturating_add(ms) <= self.now_ms
            }
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
        let result = self
            .task(runner)
            .and_then(|task| task.end)
            .and_then(|end| end.result);
        let payload = match (state, result) {
            (FutureState::Ready, Some(Ok(value))) | (FutureState::Error, Some(Err(value))) => value,
            _ => Value::Nil,
        };
        let entry = &mut self.futures[future as usize - 1];
        entry.state = state;
        entry.payload = payload;
    }

    /// Runs a task for at most `fuel` instructions, from a slice start on.
    ///
    /// # Panics
    /// If there is no such task or it has ended.
    pub fn run_task(
        &mut self,
        task: TaskId,
        delivered: Option<ErrorKind>,
        fuel: u32,
    ) -> SliceReport {
        let mut instructions = 0;
        let mut end = self.begin_slice(task, delivered);
        while end.is_none() && instructions < fuel {
            match self.step(task) {
                Step::Ran => instructions += 1,
                Step::Ended(how) => {
                    instructions += 1;
                    end = Some(how);
                }
                Step::Blocked(future) => end = Some(SliceEnd::Awaiting { future }),
            }
        }
        let end = end.unwrap_or(SliceEnd::Preempted);
        self.finish_slice(task, &end);
        let registered = match end {
            SliceEnd::Spawned => self.last_registered(),
            _ => None,
        };
        SliceReport {
            instructions,
            printed: std::mem::take(&mut self.printed),
            end,
            registered,
        }
    }

    /// The future registered last and its runner.
    pub fn last_registered(&self) -> Option<(u64, TaskId)> {
        self.futures
            .last()
            .map(|future| (self.futures.len() as u64, future.runner))
    }

    /// Undoes the last spawn, by `spawner` in the slice that just ended: there was no memory
    /// for its future.
    ///
    /// # Panics
    /// If the last instruction of that task was no spawn.
    pub fn take_back_spawn(&mut self, spawner: TaskId) {
        self.futures.pop().expect("a future was spawned");
        self.tasks.pop().expect("a task was spawned");
        let mut task = self.take_task(spawner);
        let (function, at) = task.last.expect("the task has run");
        let Op::Spawn { base, .. } = self.program.functions[usize::from(function)].code[at] else {
            panic!("the last instruction was a spawn");
        };
        super::machine::set(&mut task, base, Value::Nil);
        self.put_task(spawner, task);
    }

    /// Begins a slice: throws what is delivered, if anything. Gives how the slice ended,
    /// if nothing caught it.
    ///
    /// # Panics
    /// If there is no such task.
    pub fn begin_slice(&mut self, task: TaskId, delivered: Option<ErrorKind>) -> Option<SliceEnd> {
        let mut running = self.take_task(task);
        running.status = Status::Ready;
        running.started = true;
        running.delivered |= delivered == Some(ErrorKind::Cancelled);
        let kind = delivered.or(running.refused);
        let thrown = kind.is_some_and(|kind| {
            let error = match kind {
                // The machine makes this one beforehand: there is one for all.
                ErrorKind::OutOfMemory => match self.out_of_memory {
                    Some(error) => error,
                    None => {
                        let error = self.store.error(kind, Value::Nil);
                        *self.out_of_memory.insert(error)
                    }
                },
                kind => self.store.error(kind, Value::Nil),
            };
            !self.throw(&mut running, error)
        });
        self.put_task(task, running);
        thrown.then_some(SliceEnd::Threw)
    }

    /// Ends a slice that ended so: the task waits, or can run again.
    ///
    /// # Panics
    /// If there is no such task.
    pub fn finish_slice(&mut self, task: TaskId, end: &SliceEnd) {
        let now = self.now_ms;
        let Some(task) = self.task_mut(task) else {
            return;
        };
        match *end {
            SliceEnd::Awaiting { future } => task.status = Status::Waiting(future),
            SliceEnd::Sleeping { ms } => task.status = Status::Sleeping { ms, since: now },
            _ => {}
        }
    }

    /// Lines printed since this was asked last.
    pub fn take_printed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.printed)
    }

    /// Runs one instruction of a task.
    ///
    /// # Panics
    /// If there is no such task or it has ended.
    pub fn step(&mut self, task: TaskId) -> Step {
        let mut running = self.take_task(task);
        let step = self.step_task(&mut running);
        self.put_task(task, running);
        step
    }

    /// The pending future that the next instruction of a task awaits, if it does that.
    pub fn blocked_on(&self, task: TaskId) -> Option<u64> {
        let task = self.task(task)?;
        let (_, _, op) = task.next(self.program)?;
        let Op::Await { src, .. } = op else {
            return None;
        };
        let value = task.frames.last()?.registers[usize::from(src)];
        let Some(&Object::Future(future)) = self.store.object(value) else {
            return None;
        };
        let is_pending = self.future(future)?.state == FutureState::Pending;
        (is_pending && !task.token).then_some(future)
    }

    /// Where a task stands, as `function opcode`: names that survive shrinking.
    pub fn site(&self, task: TaskId) -> String {
        let Some(task) = self.task(task) else {
            return "no task".into();
        };
        let place = task
            .last
            .or_else(|| task.next(self.program).map(|(f, at, _)| (f, at)));
        let Some((function, at)) = place else {
            return "no frame".into();
        };
        let function = &self.program.functions[usize::from(function)];
        let op = format!("{:?}", function.code[at]);
        let op = op.split([' ', '{']).next().unwrap_or_default();
        format!("{} {op}", function.name)
    }

    pub(super) fn take_task(&mut self, task: TaskId) -> Task {
        std::mem::take(self.task_mut(task).expect("a task that runs was created"))
    }

    pub(super) fn put_task(&mut self, task: TaskId, running: Task) {
        *self.task_mut(task).expect("a task that runs was created") = running;
    }

    fn task_mut(&mut self, task: TaskId) -> Option<&mut Task> {
        self.tasks.get_mut((task as usize).checked_sub(1)?)
    }

    /// The value of a constant.
    pub(super) fn constant(&mut self, constant: u16) -> Value {
        let at = usize::from(constant);
        if let Some(value) = self.constants[at] {
            return value;
        }
        let value = match &self.program.constants[at] {
            Constant::Int(int) => Value::Int(*int),
            Constant::Float(float) => Value::Float(*float),
            Constant::String(text) => self.store.string(text),
        };
        self.constants[at] = Some(value);
        value
    }

    /// The text of a constant that is a name.
    pub(super) fn name(&self, constant: u16) -> &'p str {
        match &self.program.constants[usize::from(constant)] {
            Constant::String(text) => text,
            other => panic!("names are strings, this one is {other:?}"),
        }
    }
}
