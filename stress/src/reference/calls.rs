//! Closures, cells, calls and spawns.

use gcrucible_bytecode::{Capture, ErrorKind, Reg};

use super::machine::{Flow, Outcome, get};
use super::model::{Model, ModelFuture};
use super::task::{Frame, Task};
use super::value::{Object, ObjectId, Value};
use crate::executor::graph::FutureState;

impl Model<'_> {
    /// The closure of a function without captures.
    pub(super) fn function(&mut self, function: u16) -> Value {
        let made = self.functions[usize::from(function)];
        let closure = made.unwrap_or_else(|| self.store.make(Object::Closure(function, vec![])));
        self.functions[usize::from(function)] = Some(closure);
        Value::Object(closure)
    }

    pub(super) fn new_closure(&mut self, task: &Task, function: u16) -> Outcome<Value> {
        let captures = &self.program.functions[usize::from(function)].captures;
        let mut cells = Vec::with_capacity(captures.len());
        for capture in captures {
            cells.push(match *capture {
                Capture::Register(register) => self.cell(get(task, register))?,
                Capture::Outer(index) => self.capture(task, index)?,
            });
        }
        Ok(self.store.value(Object::Closure(function, cells)))
    }

    pub(super) fn cell(&self, value: Value) -> Outcome<ObjectId> {
        match value {
            Value::Object(id) if matches!(self.store.get(id), Object::Cell(_)) => Ok(id),
            _ => Err(ErrorKind::Internal.into()),
        }
    }

    pub(super) fn capture(&self, task: &Task, index: u8) -> Outcome<ObjectId> {
        let closure = task.frames.last().and_then(|frame| frame.closure);
        match closure.map(|closure| self.store.get(closure)) {
            Some(Object::Closure(_, cells)) => cells
                .get(usize::from(index))
                .copied()
                .ok_or(ErrorKind::Internal.into()),
            _ => Err(ErrorKind::Internal.into()),
        }
    }

    pub(super) fn load_cell(&self, cell: ObjectId) -> Outcome<Value> {
        match self.store.get(cell) {
            Object::Cell(value) => Ok(*value),
            _ => Err(ErrorKind::Internal.into()),
        }
    }

    pub(super) fn store_cell(&mut self, cell: ObjectId, value: Value) -> Outcome<()> {
        match self.store.get_mut(cell) {
            Object::Cell(held) => {
                *held = value;
                Ok(())
            }
            _ => Err(ErrorKind::Internal.into()),
        }
    }

    /// Calls a closure; the result will come to `base`.
    pub(super) fn enter(
        &mut self,
        task: &Task,
        base: Reg,
        closure: Value,
        arguments: &[Value],
    ) -> Outcome<Flow> {
        let callee = self.frame_of(closure, arguments)?;
        if task.frames.len() >= self.limits.max_frames {
            return Err(ErrorKind::StackOverflow.into());
        }
        Ok(Flow::Enter(Frame {
            result: base,
            ..callee
        }))
    }

    pub(super) fn spawn(&mut self, closure: Value, arguments: &[Value]) -> Outcome<Value> {
        let body = self.frame_of(closure, arguments)?;
        let id = self.futures.len() as u64 + 1;
        let runner = self.next_task();
        self.futures.push(ModelFuture {
            runner,
            state: FutureState::Pending,
            payload: Value::Nil,
        });
        self.add_task(Task {
            future: Some(id),
            ..Task::of(body)
        });
        Ok(self.store.value(Object::Future(id)))
    }

    pub(super) fn future_id(&self, value: Value) -> Outcome<u64> {
        match self.store.object(value) {
            Some(Object::Future(id)) => Ok(*id),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }
}
