//! Closures, cells, calls and spawns.

use gcrucible_bytecode::{Capture, ErrorKind, Reg};

use super::machine::{Flow, Outcome, get};
use super::model::Model;
use super::task::{Frame, Task};
use super::value::{Object, ObjectId, Value};

impl Model<'_> {
    /// The closure of a function without captures.
    pub(super) fn function(&mut self, function: u16) -> Value {
        let made = self.loaded.functions[usize::from(function)];
        let closure = made.unwrap_or_else(|| self.store.make(Object::Closure(function, vec![])));
        self.loaded.functions[usize::from(function)] = Some(closure);
        Value::Object(closure)
    }

    pub(super) fn new_closure(&mut self, task: &Task, function: u16) -> Outcome<Value> {
        let captures = &self.loaded.program.functions[usize::from(function)].captures;
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
        task: &mut Task,
        base: Reg,
        closure: Value,
        arguments: &[Value],
    ) -> Outcome<Flow> {
        let callee = self.frame_of(closure, arguments)?;
        self.enter_frame(task, base, callee)
    }

    /// Enters a frame; the result will come to `base`.
    pub(super) fn enter_frame(
        &mut self,
        task: &mut Task,
        base: Reg,
        callee: Frame,
    ) -> Outcome<Flow> {
        if task.frames.len() >= self.limits.max_frames {
            return Err(ErrorKind::StackOverflow.into());
        }
        self.spend_call(task)?;
        Ok(Flow::Enter(Frame {
            result: base,
            ..callee
        }))
    }

    /// The enum value of a variant without payload.
    pub(super) fn variant(&mut self, variant: u16) -> Value {
        let made = self.loaded.variants[usize::from(variant)];
        let value = made.unwrap_or_else(|| self.store.make(Object::Variant(variant, vec![])));
        self.loaded.variants[usize::from(variant)] = Some(value);
        Value::Object(value)
    }

    /// The method of a class.
    pub(super) fn method_of(&self, class: u16, name: &str) -> Option<u16> {
        let methods = &self.loaded.program.classes[usize::from(class)].methods;
        methods.iter().find(|(n, _)| n == name).map(|&(_, f)| f)
    }

    /// The library's method of a built-in kind.
    pub(super) fn library_method(&self, value: Value, name: &str) -> Option<u16> {
        let kind = self.kind_of(value)?;
        let mut methods = self.loaded.program.library.iter();
        methods
            .find(|method| method.receiver == kind && method.name == name)
            .map(|method| method.function)
    }
}
