//! What the program can still reach: what no collection may take away.

use gcrucible_bytecode::{Program, Reg};

use super::finalizers::Finalizer;
use super::model::{BodyEnd, Model};
use super::task::{Completion, ScopeKind, Status, Takes, Task};
use super::value::{Object, ObjectId, Value};

impl Model<'_> {
    /// Whether the target of a weak reference is reachable by anything but weak references,
    /// from globals, tasks that have not ended, and futures that have not settled. `None` if
    /// there is no weak reference of that number, or its target is no object with an identity.
    pub fn is_weak_target_reachable(&self, number: u64) -> Option<bool> {
        let id = self.store.numbered(number)?;
        let Object::Weak { target, .. } = self.store.get(id) else {
            return None;
        };
        let Value::Object(target) = *target else {
            return None;
        };
        if matches!(self.store.get(target), Object::String(_)) {
            return None;
        }
        Some(self.strongly_reachable()[target.index()])
    }

    /// What a major collection that comes now must find dead: the numbers of reachable weak
    /// references whose targets it clears, and of the finalizers that it queues.
    ///
    /// The engine may hold for a while what no program can get at any more: what a task has ended
    /// with, the payload of a future, a version that was replaced. Only what is dead however long that
    /// is held counts.
    pub fn overdue(&self) -> Overdue {
        let has_weak = self.store.weak().next().is_some();
        if !has_weak && self.finalizers.registered.is_empty() {
            return Overdue::default();
        }
        let reached = self.strongly_reachable();
        let mut walk = Walk {
            seen: vec![false; self.store.len()],
            next: Vec::new(),
        };
        self.roots(&mut walk);
        self.lasting_roots(&mut walk);
        self.walk_on(&mut walk);
        let is_dead = |id: ObjectId| !walk.seen[id.index()] && self.store.get(id).dies_singly();
        let weak = self.store.weak().filter(|(id, _, target)| {
            reached[id.index()] && matches!(target, Value::Object(target) if is_dead(*target))
        });
        let registered = self.finalizers.registered.iter();
        let finalizers = registered.filter(|finalizer| is_dead(finalizer.object));
        Overdue {
            weak: weak.map(|(_, number, _)| number).collect(),
            finalizers: finalizers.map(|finalizer| finalizer.number).collect(),
        }
    }

    /// What may be held though no program can get at it.
    fn lasting_roots(&self, walk: &mut Walk) {
        for version in 0..self.aside.len() {
            let loaded = self.loaded(version);
            walk.all(&loaded.globals);
            let made = loaded.functions.iter().chain(&loaded.variants).flatten();
            made.for_each(|&id| walk.object(id));
        }
        for task in self.tasks() {
            task_roots(task, self.loaded(task.version).program, walk);
            // A task that has not begun has all its arguments, also those that it never looks at.
            if !task.entered {
                let frames = task.frames.iter();
                frames.for_each(|frame| walk.all(&frame.registers));
            }
            if let Some(BodyEnd {
                result: Some(Ok(value) | Err(value)),
                ..
            }) = task.end
            {
                walk.value(value);
            }
        }
        self.futures()
            .iter()
            .for_each(|future| walk.value(future.payload));
    }

    /// Whether a future is reachable by anything but weak references.
    pub fn is_future_reachable(&self, future: u64) -> bool {
        let seen = self.strongly_reachable();
        (0..self.store.len()).any(|at| {
            let id = self.store.at(at);
            seen[at] && matches!(self.store.get(id), Object::Future(found) if *found == future)
        })
    }

    /// Of each object whether it is reachable by anything but weak references.
    pub(super) fn strongly_reachable(&self) -> Vec<bool> {
        let mut walk = Walk {
            seen: vec![false; self.store.len()],
            next: Vec::new(),
        };
        self.roots(&mut walk);
        self.walk_on(&mut walk);
        // A version that only registered finalizers would run on is alive while something else
        // leads to an object of one of them: until then, its globals count for nothing.
        let mut waiting: Vec<&Finalizer> = self.finalizers.registered.iter().collect();
        loop {
            let is_kept = |&waiting: &&Finalizer| walk.seen[waiting.object.index()];
            let Some(at) = waiting.iter().position(is_kept) else {
                return walk.seen;
            };
            let version = waiting.swap_remove(at).version;
            walk.all(&self.loaded(version).globals);
            self.walk_on(&mut walk);
        }
    }

    fn walk_on(&self, walk: &mut Walk) {
        while let Some(id) = walk.next.pop() {
            self.parts_of(self.store.get(id), walk);
        }
    }

    fn roots(&self, walk: &mut Walk) {
        for loaded in self.live() {
            walk.all(&loaded.globals);
            let made = loaded.functions.iter().chain(&loaded.variants).flatten();
            made.for_each(|&id| walk.object(id));
        }
        let queue = &self.finalizers.queue;
        for finalizer in self.finalizers.registered.iter().chain(queue) {
            walk.value(finalizer.function);
        }
        queue.iter().for_each(|queued| walk.object(queued.object));
        for task in self.tasks().filter(|task| task.status != Status::Ended) {
            task_roots(task, self.loaded(task.version).program, walk);
        }
        for future in self.futures() {
            // What a body has ended with is on its way to its future until that has settled.
            let end = self.task(future.runner).and_then(|task| task.end.as_ref());
            if future.settled.is_none()
                && let Some(Ok(value) | Err(value)) = end.and_then(|end| end.result)
            {
                walk.value(value);
            }
        }
    }

    fn parts_of(&self, object: &Object, walk: &mut Walk) {
        match object {
            Object::String(_) | Object::Range(..) | Object::Mutex(_) | Object::Weak { .. } => {}
            Object::Array(parts) | Object::Instance(_, parts) | Object::Variant(_, parts) => {
                walk.all(parts);
            }
            Object::Map(map) => map.iter().for_each(|(key, value)| walk.all(&[key, value])),
            Object::Closure(_, cells) => cells.iter().for_each(|&cell| walk.object(cell)),
            Object::Cell(value) | Object::Bound(_, value) => walk.value(*value),
            Object::Error {
                message, payload, ..
            } => walk.all(&[*message, *payload]),
            Object::Future(id) => {
                if let Some(future) = self.future(*id) {
                    walk.value(future.payload);
                }
            }
            Object::Iterator(over, _) => walk.object(*over),
            Object::Channel(channel) => channel.queue.iter().for_each(|&value| walk.value(value)),
            Object::Stream { source, .. } => walk.value(*source),
        }
    }
}

/// What is due at a major collection, each in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Numbers of weak references.
    pub weak: Vec<u64>,
    /// Numbers of registered finalizers.
    pub finalizers: Vec<u64>,
}

/// Where a frame can go on, and the register that is written on the way.
struct Continuation {
    instruction: usize,
    but: Option<Reg>,
}

/// All places where frame `at` of a task can go on: its next instruction, the handlers that it
/// has open, and where its `finally` blocks resume.
fn places(task: &Task, at: usize) -> Vec<Continuation> {
    let called = task.frames.get(at + 1).filter(|above| !above.interrupts);
    let mut places = vec![Continuation {
        instruction: task.frames[at].at,
        but: called.map(|called| called.result),
    }];
    let handlers = task
        .handlers
        .iter()
        .filter(|handler| handler.frames == at + 1);
    places.extend(handlers.map(|handler| Continuation {
        instruction: handler.target as usize,
        but: match handler.takes {
            Takes::Any(register) | Takes::Type(register, _) => Some(register),
            Takes::Finally => None,
        },
    }));
    for pending in task
        .completions
        .iter()
        .filter(|pending| pending.depth == at + 1)
    {
        let (instruction, but) = match pending.then {
            Completion::Resume(instruction) => (instruction, None),
            Completion::ResumeWith(instruction, register, _) => (instruction, Some(register)),
            Completion::Throw(..) => continue,
        };
        places.push(Continuation { instruction, but });
    }
    places
}

struct Walk {
    seen: Vec<bool>,
    next: Vec<ObjectId>,
}

impl Walk {
    fn object(&mut self, id: ObjectId) {
        if !std::mem::replace(&mut self.seen[id.index()], true) {
            self.next.push(id);
        }
    }

    fn value(&mut self, value: Value) {
        if let Value::Object(id) = value {
            self.object(id);
        }
    }

    fn all(&mut self, values: &[Value]) {
        values.iter().for_each(|&value| self.value(value));
    }
}

fn task_roots(task: &Task, program: &Program, walk: &mut Walk) {
    for (at, frame) in task.frames.iter().enumerate() {
        let function = &program.functions[usize::from(frame.function)];
        for place in places(task, at) {
            let alive = function.live.at(function.registers, place.instruction);
            for (register, &value) in (0..=Reg::MAX).zip(&frame.registers) {
                if alive.has(register) && place.but != Some(register) {
                    walk.value(value);
                }
            }
        }
    }
    let spawned = task.spawning.iter().map(|spawning| &spawning.body);
    spawned.clone().for_each(|body| walk.all(&body.registers));
    for closure in task
        .frames
        .iter()
        .chain(spawned)
        .filter_map(|it| it.closure)
    {
        walk.object(closure);
    }
    for pending in &task.completions {
        match pending.then {
            Completion::Resume(_) => {}
            Completion::ResumeWith(_, _, value) | Completion::Throw(value, _) => walk.value(value),
        }
    }
    for scope in &task.scopes {
        match scope.kind {
            ScopeKind::Guard(mutex) => walk.object(mutex),
            ScopeKind::Squad { children, .. } => walk.value(children),
            ScopeKind::Deadline(_) | ScopeKind::Step { .. } | ScopeKind::Interrupt => {}
        }
    }
    if let Some(locals) = task.locals {
        walk.value(locals);
    }
}
