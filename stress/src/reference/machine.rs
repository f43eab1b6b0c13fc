//! One instruction.

use gcrucible_bytecode::{ErrorKind, Op, Reg};

use super::model::Model;
use super::task::{Completion, Frame, Handler, Task};
use super::value::{Object, Value};
use crate::executor::graph::FutureState;
use crate::executor::trace::SliceEnd;

/// What became of one instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It took effect; the task goes on.
    Ran,
    /// It took effect and ended the slice.
    Ended(SliceEnd),
    /// It is an await of this pending future: no effect, and it runs again.
    Blocked(u64),
}

/// What an instruction throws.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raise {
    /// An error that the machine makes, with a payload.
    Kind(ErrorKind, Value),
    /// A value.
    Value(Value),
}

impl From<ErrorKind> for Raise {
    fn from(kind: ErrorKind) -> Self {
        Raise::Kind(kind, Value::Nil)
    }
}

/// Where an instruction leads.
#[derive(Clone, Debug)]
pub(super) enum Flow {
    /// To the next one.
    Next,
    /// To that one.
    Goto(usize),
    /// Into a new frame.
    Enter(Frame),
    /// Out of this frame, with a value.
    Leave(Value),
    /// To the next one, in a later slice.
    End(SliceEnd),
    /// Nowhere: the future is pending.
    Block(u64),
}

pub(super) type Outcome<T> = Result<T, Raise>;

impl Model<'_> {
    /// Runs the next instruction of a task that is not among the others just now.
    pub(super) fn step_task(&mut self, task: &mut Task) -> Step {
        let (function, at, op) = task
            .next(self.program)
            .expect("a task that runs has a frame");
        self.count_statement(task, function, at);
        task.last = Some((function, at));
        match self.execute(task, op, at) {
            Ok(Flow::Block(future)) => return Step::Blocked(future),
            Ok(Flow::Next) => frame(task).at = at + 1,
            Ok(Flow::Goto(target)) => frame(task).at = target,
            Ok(Flow::Enter(callee)) => {
                frame(task).at = at + 1;
                task.frames.push(callee);
            }
            Ok(Flow::End(end)) => {
                frame(task).at = at + 1;
                self.work.instructions += 1;
                return Step::Ended(end);
            }
            Ok(Flow::Leave(value)) => {
                self.work.instructions += 1;
                return self.leave(task, value);
            }
            Err(raise) => {
                self.work.instructions += 1;
                let value = match raise {
                    Raise::Value(value) => value,
                    Raise::Kind(kind, payload) => self.store.error(kind, payload),
                };
                return match self.throw(task, value) {
                    true => Step::Ran,
                    false => Step::Ended(SliceEnd::Threw),
                };
            }
        }
        self.work.instructions += 1;
        Step::Ran
    }

    fn count_statement(&mut self, task: &Task, function: u16, at: usize) {
        let spans = &self.program.functions[usize::from(function)].spans;
        let line = |at: usize| spans.get(at).map_or(0, |span| span.line);
        let same = task.last.is_some_and(|(last, before)| {
            last == function && before < at && line(before) == line(at)
        });
        if !same && line(at) != 0 {
            self.work.statements += 1;
        }
    }

    /// Returns from the innermost frame.
    fn leave(&mut self, task: &mut Task, value: Value) -> Step {
        let left = task.frames.pop().expect("a task that runs has a frame");
        if let Some(caller) = task.frames.last_mut() {
            caller.registers[usize::from(left.result)] = value;
            return Step::Ran;
        }
        if let Some(init) = task.inits.pop_front() {
            task.frames.push(Frame::new(self.program, init, &[]));
            return Step::Ran;
        }
        self.end(task, Ok(value));
        Step::Ended(SliceEnd::Returned)
    }

    fn end(&mut self, task: &mut Task, result: Result<Value, Value>) {
        task.end(Some(result));
        self.frozen |= task.initialises;
    }

    /// Throws a value in a task; false when nothing handles it and the task has ended.
    pub(super) fn throw(&mut self, task: &mut Task, value: Value) -> bool {
        let Some(handler) = task.handlers.pop() else {
            task.frames.clear();
            task.inits.clear();
            task.completions.clear();
            self.end(task, Err(value));
            return false;
        };
        task.frames.truncate(handler.frames);
        task.completions.truncate(handler.completions);
        match handler.register {
            Some(register) => set(task, register, value),
            None => task.completions.push(Completion::Throw(value)),
        }
        frame(task).at = handler.target as usize;
        true
    }

    fn execute(&mut self, task: &mut Task, op: Op, at: usize) -> Outcome<Flow> {
        match op {
            Op::Move { dst, src } => set(task, dst, get(task, src)),
            Op::LoadNil { dst } => set(task, dst, Value::Nil),
            Op::LoadBool { dst, value } => set(task, dst, Value::Bool(value)),
            Op::LoadInt { dst, value } => set(task, dst, Value::Int(value.into())),
            Op::LoadConst { dst, constant } => set(task, dst, self.constant(constant)),
            Op::LoadFunction { dst, function } => set(task, dst, self.function(function)),
            Op::LoadGlobal { dst, global } => set(task, dst, self.globals[usize::from(global)]),
            Op::StoreGlobal { global, src } => {
                if self.frozen {
                    return Err(ErrorKind::StoreGlobalAfterInit.into());
                }
                self.globals[usize::from(global)] = get(task, src);
            }

            Op::Add { dst, lhs, rhs } => {
                let sum = self.add(get(task, lhs), get(task, rhs))?;
                set(task, dst, sum);
            }
            Op::Sub { dst, lhs, rhs } => {
                set(task, dst, self.subtract(get(task, lhs), get(task, rhs))?);
            }
            Op::Mul { dst, lhs, rhs } => {
                set(task, dst, self.multiply(get(task, lhs), get(task, rhs))?);
            }
            Op::Div { dst, lhs, rhs } => {
                set(task, dst, self.divide(get(task, lhs), get(task, rhs))?);
            }
            Op::Rem { dst, lhs, rhs } => {
                set(task, dst, self.remainder(get(task, lhs), get(task, rhs))?);
            }
            Op::Neg { dst, src } => set(task, dst, self.negate(get(task, src))?),
            Op::Not { dst, src } => set(task, dst, Value::Bool(!get(task, src).is_truthy())),
            Op::Eq { dst, lhs, rhs } => {
                set(
                    task,
                    dst,
                    Value::Bool(self.equals(get(task, lhs), get(task, rhs))),
                );
            }
            Op::Ne { dst, lhs, rhs } => {
                set(
                    task,
                    dst,
                    Value::Bool(!self.equals(get(task, lhs), get(task, rhs))),
                );
            }
            Op::Lt { dst, lhs, rhs } => {
                let less = self
                    .compare(get(task, lhs), get(task, rhs))?
                    .is_some_and(|o| o.is_lt());
                set(task, dst, Value::Bool(less));
            }
            Op::Le { dst, lhs, rhs } => {
                let less = self
                    .compare(get(task, lhs), get(task, rhs))?
                    .is_some_and(|o| o.is_le());
                set(task, dst, Value::Bool(less));
            }
            Op::Concat { dst, first, count } => {
                let text: String = args(task, first, count)
                    .iter()
                    .map(|&value| self.display(value))
                    .collect();
                set(task, dst, self.store.string(&text));
            }

            Op::Jump { target } | Op::Loop { target } => return Ok(Flow::Goto(target as usize)),
            Op::JumpIf { cond, target } => {
                if get(task, cond).is_truthy() {
                    return Ok(Flow::Goto(target as usize));
                }
            }
            Op::JumpIfNot { cond, target } => {
                if !get(task, cond).is_truthy() {
                    return Ok(Flow::Goto(target as usize));
                }
            }

            Op::NewArray { dst, first, count } => {
                let elements = args(task, first, count).to_vec();
                set(task, dst, self.store.value(Object::Array(elements)));
            }
            Op::NewMap { dst, first, pairs } => {
                let map = self.new_map(args(task, first, 2 * usize::from(pairs)))?;
                set(task, dst, map);
            }
            Op::NewInstance { dst, class, first } => {
                let fields = self.program.classes[usize::from(class)].fields.len();
                let fields = args(task, first, fields).to_vec();
                set(task, dst, self.store.value(Object::Instance(class, fields)));
            }
            Op::NewClosure { dst, function } => {
                let closure = self.new_closure(task, function)?;
                set(task, dst, closure);
            }
            Op::NewRange { dst, first } => {
                let (Value::Int(from), Value::Int(to)) = (get(task, first), get(task, first + 1))
                else {
                    return Err(ErrorKind::TypeError.into());
                };
                set(task, dst, self.store.value(Object::Range(from, to)));
            }
            Op::NewCell { dst, src } => {
                let value = get(task, src);
                set(task, dst, self.store.value(Object::Cell(value)));
            }
            Op::LoadCell { dst, cell } => {
                let cell = self.cell(get(task, cell))?;
                set(task, dst, self.load_cell(cell)?);
            }
            Op::StoreCell { cell, src } => {
                let cell = self.cell(get(task, cell))?;
                self.store_cell(cell, get(task, src))?;
            }
            Op::LoadCapture { dst, index } => {
                let cell = self.capture(task, index)?;
                set(task, dst, self.load_cell(cell)?);
            }
            Op::StoreCapture { index, src } => {
                let cell = self.capture(task, index)?;
                self.store_cell(cell, get(task, src))?;
            }

            Op::GetField { dst, object, name } => {
                let value = self.get_field(get(task, object), self.name(name))?;
                set(task, dst, value);
            }
            Op::SetField { object, name, src } => {
                self.set_field(get(task, object), self.name(name), get(task, src))?;
            }
            Op::GetIndex { dst, object, index } => {
                let value = self.get_index(get(task, object), get(task, index))?;
                set(task, dst, value);
            }
            Op::SetIndex { object, index, src } => {
                self.set_index(get(task, object), get(task, index), get(task, src))?;
            }

            Op::NewIterator { dst, src } => {
                let iterator = self.new_iterator(get(task, src))?;
                set(task, dst, iterator);
            }
            Op::NextOrJump {
                dst,
                iterator,
                target,
            } => match self.next_of(get(task, iterator))? {
                Some(value) => set(task, dst, value),
                None => return Ok(Flow::Goto(target as usize)),
            },

            Op::Call { base, argc } => {
                let arguments = args(task, base + 1, argc).to_vec();
                return self.enter(task, base, get(task, base), &arguments);
            }
            Op::CallMethod { base, name, argc } => {
                let arguments = args(task, base + 1, argc).to_vec();
                return self.call_method(task, base, self.name(name), &arguments);
            }
            Op::CallBuiltin {
                base,
                builtin,
                argc,
            } => {
                let arguments = args(task, base, argc).to_vec();
                return self.call_builtin(task, base, builtin, &arguments);
            }
            Op::Return { src } => return Ok(Flow::Leave(get(task, src))),

            Op::Throw { src } => return Err(Raise::Value(get(task, src))),
            Op::PushCatch { dst, target } => push_handler(task, Some(dst), target),
            Op::PushFinally { target } => push_handler(task, None, target),
            Op::PopHandler => {
                task.handlers.pop();
            }
            Op::EnterFinally { target } => {
                task.completions.push(Completion::Resume(at + 1));
                return Ok(Flow::Goto(target as usize));
            }
            Op::EnterFinallyWith { value, target } => {
                let taken = get(task, value);
                set(task, value, Value::Nil);
                task.completions
                    .push(Completion::ResumeWith(at + 1, value, taken));
                return Ok(Flow::Goto(target as usize));
            }
            Op::EndFinally => match task.completions.pop() {
                Some(Completion::Resume(target)) => return Ok(Flow::Goto(target)),
                Some(Completion::ResumeWith(target, register, value)) => {
                    set(task, register, value);
                    return Ok(Flow::Goto(target));
                }
                Some(Completion::Throw(value)) => return Err(Raise::Value(value)),
                None => return Err(ErrorKind::Internal.into()),
            },
            Op::DropCompletion => {
                task.completions.pop();
            }

            Op::Spawn { base, argc } => {
                let arguments = args(task, base + 1, argc).to_vec();
                let future = self.spawn(get(task, base), &arguments)?;
                set(task, base, future);
                return Ok(Flow::End(SliceEnd::Spawned));
            }
            Op::Await { dst, src } => {
                if task.token {
                    return Err(ErrorKind::Cancelled.into());
                }
                let future = self.future_id(get(task, src))?;
                let found = *self.future(future).ok_or(ErrorKind::FutureNotFound)?;
                match found.state {
                    FutureState::Pending => return Ok(Flow::Block(future)),
                    FutureState::Ready => set(task, dst, found.payload),
                    FutureState::Error => return Err(Raise::Value(found.payload)),
                    FutureState::Cancelled => return Err(ErrorKind::Cancelled.into()),
                    FutureState::InternalError => return Err(ErrorKind::Internal.into()),
                }
            }
            Op::Cancel { src } => {
                let future = self.future_id(get(task, src))?;
                return Ok(Flow::End(SliceEnd::Cancelling { future }));
            }
        }
        Ok(Flow::Next)
    }
}

fn frame(task: &mut Task) -> &mut Frame {
    task.frames
        .last_mut()
        .expect("a task that runs has a frame")
}

pub(super) fn get(task: &Task, register: Reg) -> Value {
    let frame = task.frames.last().expect("a task that runs has a frame");
    frame.registers[usize::from(register)]
}

pub(super) fn set(task: &mut Task, register: Reg, value: Value) {
    frame(task).registers[usize::from(register)] = value;
}

/// `count` registers from `first` on.
fn args(task: &Task, first: Reg, count: impl Into<usize>) -> &[Value] {
    let frame = task.frames.last().expect("a task that runs has a frame");
    let first = usize::from(first);
    &frame.registers[first..first + count.into()]
}

fn push_handler(task: &mut Task, register: Option<Reg>, target: u32) {
    task.handlers.push(Handler {
        frames: task.frames.len(),
        completions: task.completions.len(),
        register,
        target,
    });
}
