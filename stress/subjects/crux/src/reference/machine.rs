//! One instruction.

use gcrucible_bytecode::{ErrorKind, Op, Reg};

use super::model::Model;
use super::scopes::push_scope;
use super::task::{Completion, Frame, Handler, Pending, ScopeKind, Takes, Task, Trace};
use super::value::{Object, Value};
use crate::executor::trace::SliceEnd;

/// What became of one instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It took effect; the task goes on.
    Ran,
    /// It was executed and ended the slice. One that waits runs again.
    Ended(SliceEnd),
}

/// What an instruction throws.
#[derive(Clone, Debug)]
pub(super) enum Raise {
    /// An error that the machine makes, with a payload.
    Kind(ErrorKind, Value),
    /// A value.
    Value(Value),
    /// A value that was thrown before, with its trace.
    Again(Value, Trace),
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
    /// Into the frame of a step.
    EnterStep(Frame, u16),
    /// Out of this frame, with a value.
    Leave(Value),
    /// To the next one, in a later slice.
    End(SliceEnd),
    /// To the same one, in a later slice.
    Wait(SliceEnd),
}

pub(super) type Outcome<T> = Result<T, Raise>;

impl Model<'_> {
    /// Runs the next instruction of a task that is not among the others just now.
    pub(super) fn step_task(&mut self, task: &mut Task) -> Step {
        let (function, at, op) = task
            .next(self.loaded.program)
            .expect("a task that runs has a frame");
        self.count_statement(task, function, at);
        task.last = Some((function, at));
        task.executed += 1;
        self.work.instructions += 1;
        match self.execute(task, op, at) {
            Ok(Flow::Wait(end)) => return Step::Ended(end),
            Ok(Flow::Next) => {
                frame(task).at = at + 1;
                self.note_client_store(task, op);
            }
            Ok(Flow::Goto(target)) => frame(task).at = target,
            Ok(Flow::Enter(mut callee)) => {
                frame(task).at = at + 1;
                self.note_client_call(task, &mut callee);
                self.note_library_call(task, &mut callee);
                task.frames.push(callee);
            }
            Ok(Flow::EnterStep(callee, step)) => {
                frame(task).at = at + 1;
                task.frames.push(callee);
                self.push_step(task, step, function);
            }
            Ok(Flow::End(end)) => {
                frame(task).at = at + 1;
                return Step::Ended(end);
            }
            Ok(Flow::Leave(value)) => return self.leave(task, value),
            Err(raise) => {
                let (value, trace) = match raise {
                    Raise::Value(value) => (value, None),
                    Raise::Again(value, trace) => (value, Some(trace)),
                    Raise::Kind(kind, payload) => {
                        let message = self.message(task, op, kind, payload);
                        (self.store.error_saying(kind, &message, payload), None)
                    }
                };
                let pledge = self.throwing(task);
                let end = self.throw(task, value, trace);
                if let Some(pledge) = pledge {
                    self.note_library_throw(task, pledge, value);
                }
                return end.map_or(Step::Ran, Step::Ended);
            }
        }
        Step::Ran
    }

    fn count_statement(&mut self, task: &Task, function: u16, at: usize) {
        let spans = &self.loaded.program.functions[usize::from(function)].spans;
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
        let depth = task.frames.len();
        let keep = task.scopes.iter().take_while(|scope| scope.depth < depth);
        let keep = keep.count();
        self.pop_scopes(task, keep);
        let mut left = task.frames.pop().expect("a task that runs has a frame");
        self.note_library_return(task, &mut left, value);
        if left.interrupts {
            self.end_interrupt(task);
            return match task.operation {
                Some(_) => Step::Ended(SliceEnd::Resuming),
                None => Step::Ran,
            };
        }
        if let Some(caller) = task.frames.last_mut() {
            caller.registers[usize::from(left.result)] = value;
            return Step::Ran;
        }
        if let Some(module) = task.module.take() {
            self.loaded.frozen[module] = true;
        }
        if let Some((module, init)) = task.inits.pop_front() {
            task.module = Some(module);
            task.frames.push(Frame::new(self.loaded.program, init, &[]));
            return Step::Ran;
        }
        if let (Some(finish), Some(_), false) =
            (self.loaded.program.finish, task.locals, task.finishing)
        {
            task.finishing = true;
            self.log.effects.finishing = true;
            let mut finishing = Frame::new(self.loaded.program, finish, &[value]);
            self.note_library_entry(task, &mut finishing);
            task.frames.push(finishing);
            return Step::Ran;
        }
        task.locals = None;
        task.end(Some(Ok(value)));
        Step::Ended(SliceEnd::Returned)
    }

    fn execute(&mut self, task: &mut Task, op: Op, at: usize) -> Outcome<Flow> {
        match op {
            Op::Move { dst, src } => set(task, dst, get(task, src)),
            Op::LoadNil { dst } => set(task, dst, Value::Nil),
            Op::LoadBool { dst, value } => set(task, dst, Value::Bool(value)),
            Op::LoadInt { dst, value } => set(task, dst, Value::Int(value.into())),
            Op::LoadConst { dst, constant } => set(task, dst, self.constant(constant)),
            Op::LoadFunction { dst, function } => set(task, dst, self.function(function)),
            Op::LoadGlobal { dst, global } => {
                set(task, dst, self.loaded.globals[usize::from(global)])
            }
            Op::StoreGlobal { global, src } => {
                let module = self.loaded.program.globals[usize::from(global)].module;
                if self.loaded.frozen[usize::from(module)] {
                    return Err(ErrorKind::StoreGlobalAfterInit.into());
                }
                self.loaded.globals[usize::from(global)] = get(task, src);
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

            Op::Is { dst, src, type_id } => {
                let is = self.is_of(get(task, src), type_id);
                set(task, dst, Value::Bool(is));
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
                let fields = self.loaded.program.classes[usize::from(class)].fields.len();
                let fields = args(task, first, fields).to_vec();
                set(task, dst, self.store.value(Object::Instance(class, fields)));
            }
            Op::LoadVariant { dst, variant } => set(task, dst, self.variant(variant)),
            Op::NewVariant {
                dst,
                variant,
                first,
            } => {
                let arity = self.loaded.program.variants[usize::from(variant)].arity;
                let payload = args(task, first, arity).to_vec();
                set(
                    task,
                    dst,
                    self.store.value(Object::Variant(variant, payload)),
                );
            }
            Op::GetPayload { dst, src, index } => {
                let part = match self.store.object(get(task, src)) {
                    Some(Object::Variant(_, payload)) => payload.get(usize::from(index)).copied(),
                    _ => None,
                };
                set(task, dst, part.ok_or(ErrorKind::Internal)?);
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
            } => return self.next_or_jump(task, dst, get(task, iterator), at, target as usize),
            Op::EndIfNil { dst, target } => {
                if get(task, dst) == Value::Nil {
                    return Ok(Flow::Goto(target as usize));
                }
            }

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
                self.note_library_builtin(task, builtin);
                return self.call_builtin(task, base, builtin, &arguments);
            }
            Op::Return { src } => return Ok(Flow::Leave(get(task, src))),

            Op::Throw { src } => return Err(Raise::Value(get(task, src))),
            Op::PushCatch { dst, target } => push_handler(task, Takes::Any(dst), target),
            Op::PushCatchIf {
                dst,
                type_id,
                target,
            } => push_handler(task, Takes::Type(dst, type_id), target),
            Op::PushFinally { target } => push_handler(task, Takes::Finally, target),
            Op::PopHandler => {
                task.handlers.pop();
            }
            Op::EnterFinally { target } => {
                complete_later(task, Completion::Resume(at + 1));
                return Ok(Flow::Goto(target as usize));
            }
            Op::EnterFinallyWith { value, target } => {
                let taken = get(task, value);
                set(task, value, Value::Nil);
                complete_later(task, Completion::ResumeWith(at + 1, value, taken));
                return Ok(Flow::Goto(target as usize));
            }
            Op::EndFinally => match task.completions.pop().map(|pending| pending.then) {
                Some(Completion::Resume(target)) => return Ok(Flow::Goto(target)),
                Some(Completion::ResumeWith(target, register, value)) => {
                    set(task, register, value);
                    return Ok(Flow::Goto(target));
                }
                Some(Completion::Throw(value, trace)) => return Err(Raise::Again(value, trace)),
                None => return Err(ErrorKind::Internal.into()),
            },
            Op::DropCompletion => {
                task.completions.pop();
            }

            Op::Spawn { base, argc } => return self.spawn(task, base, argc, false),
            Op::SpawnDetached { base, argc } => return self.spawn(task, base, argc, true),
            Op::Await { dst, src } => {
                self.before_waiting(task)?;
                let future = self.future_id(get(task, src))?;
                self.note_seen(future);
                match self.settled_value(future)? {
                    Some(value) => set(task, dst, value),
                    None => return Ok(Flow::Wait(SliceEnd::Awaiting { future })),
                }
            }
            Op::Cancel { src } => {
                let future = self.future_id(get(task, src))?;
                return Ok(Flow::End(SliceEnd::Cancelling { future }));
            }

            Op::PushGuard { src } => return self.push_guard(task, get(task, src)),
            Op::PushDeadline { src } => {
                let Value::Int(ms @ 0..) = get(task, src) else {
                    return Err(ErrorKind::TypeError.into());
                };
                let until = self.now_ms().saturating_add(ms.unsigned_abs());
                let children = task.children.len();
                push_scope(task, Some(until), ScopeKind::Deadline(children));
            }
            Op::PushSquad { dst } => {
                let children = self.store.value(Object::Array(Vec::new()));
                set(task, dst, children);
                let number = task.squads;
                task.squads += 1;
                let kind = ScopeKind::Squad {
                    children,
                    drains: false,
                    number,
                    failed: false,
                };
                push_scope(task, None, kind);
            }
            Op::PopScope => self.pop_scope(task),
            Op::JoinSquad { squad } => return self.join_squad(task, get(task, squad)),
            Op::DrainSquad { squad } => return self.drain_squad(task, get(task, squad)),
            Op::CallStep { base, step } => {
                return match self.enter(task, base, get(task, base), &[])? {
                    Flow::Enter(frame) => Ok(Flow::EnterStep(frame, step)),
                    other => Ok(other),
                };
            }
        }
        Ok(Flow::Next)
    }
}

pub(super) fn frame(task: &mut Task) -> &mut Frame {
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
pub(super) fn args(task: &Task, first: Reg, count: impl Into<usize>) -> &[Value] {
    let frame = task.frames.last().expect("a task that runs has a frame");
    let first = usize::from(first);
    &frame.registers[first..first + count.into()]
}

fn push_handler(task: &mut Task, takes: Takes, target: u32) {
    task.handlers.push(Handler {
        frames: task.frames.len(),
        completions: task.completions.len(),
        scopes: task.scopes.len(),
        takes,
        target,
    });
}

fn complete_later(task: &mut Task, then: Completion) {
    let depth = task.frames.len();
    task.completions.push(Pending { depth, then });
}
