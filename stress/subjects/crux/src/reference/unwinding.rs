//! Throws: what stops one, and what is left behind on its way there.

use gcrucible_bytecode::{Boundary, ErrorKind, Op, Type, ValueKind};

use super::machine::{frame, set};
use super::model::Model;
use super::scopes::Cut;
use super::task::{Completion, Pending, ScopeKind, Takes, Task, Trace};
use super::value::{Object, Value};
use crate::executor::trace::SliceEnd;
use gcrucible_trace::EventKind;

/// What stops a throw.
enum Target {
    /// The handler at this place.
    Handler(usize),
    /// The step whose scope is at this place.
    Step(usize, Boundary),
    /// The interrupt handler that runs.
    Interrupt,
    /// The task ends.
    Nothing,
}

impl Model<'_> {
    /// Throws a value in a task; `trace` is there if it was thrown before. Gives how the
    /// slice ends, if it does.
    pub(super) fn throw(
        &mut self,
        task: &mut Task,
        mut value: Value,
        mut trace: Option<Trace>,
    ) -> Option<SliceEnd> {
        // What is thrown at an operation is thrown by its instruction.
        if task.operation.take().is_some() {
            let top = frame(task);
            top.at = top.at.saturating_sub(1);
        }
        loop {
            self.log.thrown += 1;
            self.log.note(EventKind::Throw, None);
            let target = self.target(task, value);
            let trace_now = trace.get_or_insert_with(|| trace_of(task));
            match target {
                Target::Handler(at) => {
                    let trace = std::mem::take(trace_now);
                    self.unwind_to_handler(task, at, value, trace);
                    return None;
                }
                Target::Step(at, boundary) => {
                    let ScopeKind::Step { step, caller, .. } = task.scopes[at].kind else {
                        panic!("only steps are boundaries");
                    };
                    self.unwind_to_step(task, at);
                    if boundary == Boundary::Continue {
                        self.log.effects.skipped_steps += 1;
                        return None;
                    }
                    let name = &self.loaded.program.steps[usize::from(step)].name;
                    let function = &self.loaded.program.functions[usize::from(caller)].name;
                    let message = format!("step {name} in {function}");
                    value = self
                        .store
                        .error_saying(ErrorKind::StepEscalated, &message, value);
                }
                Target::Interrupt => {
                    let text = self.display(value);
                    self.log
                        .printed
                        .push(format!("interrupt handler failed: {text}"));
                    self.end_interrupt(task);
                    return task.operation.as_ref().map(|_| SliceEnd::Resuming);
                }
                Target::Nothing => {
                    self.log.effects.trace = std::mem::take(trace_now);
                    self.pop_scopes(task, 0);
                    task.frames.clear();
                    task.inits.clear();
                    task.handlers.clear();
                    task.completions.clear();
                    task.interrupts.clear();
                    task.locals = None;
                    task.end(Some(Err(value)));
                    return Some(SliceEnd::Threw);
                }
            }
        }
    }

    fn target(&self, task: &Task, value: Value) -> Target {
        let (first, lowest) = match task.interrupts.last() {
            Some(interrupt) => (interrupt.handlers, interrupt.frames),
            None => (0, 0),
        };
        let takes = |at: &usize| match task.handlers[*at].takes {
            Takes::Any(_) | Takes::Finally => true,
            Takes::Type(_, type_id) => self.is_of(value, type_id),
        };
        let cut = task.cut();
        // Where nothing catches any more, squads still wait for their children.
        let counts =
            |at: &usize| cut.is_none_or(|cut| *at < cut.handlers) || self.drains_at(task, *at);
        let mut handlers = (first..task.handlers.len()).rev().filter(counts);
        let handler = handlers.find(takes);
        let depth = handler.map_or(lowest, |at| task.handlers[at].frames);
        let is_exhausted = matches!(
            self.store.object(value),
            Some(Object::Error {
                kind: ErrorKind::StepExhausted,
                ..
            })
        );
        if is_exhausted && let Some(step) = self.boundary(task, depth, cut) {
            return step;
        }
        match handler {
            Some(at) => Target::Handler(at),
            None if !task.interrupts.is_empty() => Target::Interrupt,
            None => Target::Nothing,
        }
    }

    /// Whether a handler waits for the end of a squad.
    fn drains_at(&self, task: &Task, handler: usize) -> bool {
        let handler = &task.handlers[handler];
        let function = task.frames[handler.frames - 1].function;
        let code = &self.loaded.program.functions[usize::from(function)].code;
        matches!(code[handler.target as usize], Op::DrainSquad { .. })
    }

    /// The innermost step above `depth` frames that has thrown and does something about it; none
    /// inside of what was cut.
    fn boundary(&self, task: &Task, depth: usize, cut: Option<Cut>) -> Option<Target> {
        for (at, scope) in task.scopes.iter().enumerate().rev() {
            if scope.depth <= depth {
                return None;
            }
            if cut.is_some_and(|cut| cut.at.is_none_or(|cut| at > cut)) {
                continue;
            }
            if let ScopeKind::Step { step, .. } = scope.kind
                && scope.threw
            {
                let boundary = self.loaded.program.steps[usize::from(step)].boundary;
                if boundary != Boundary::Fail {
                    return Some(Target::Step(at, boundary));
                }
            }
        }
        None
    }

    fn unwind_to_handler(&mut self, task: &mut Task, at: usize, value: Value, trace: Trace) {
        let handler = task.handlers[at];
        task.handlers.truncate(at);
        self.pop_scopes(task, handler.scopes);
        task.frames.truncate(handler.frames);
        task.completions.truncate(handler.completions);
        match handler.takes {
            Takes::Any(register) | Takes::Type(register, _) => {
                self.log.caught += 1;
                self.log.note(EventKind::Catch, None);
                set(task, register, value);
            }
            Takes::Finally => task.completions.push(Pending {
                depth: handler.frames,
                then: Completion::Throw(value, trace),
            }),
        }
        frame(task).at = handler.target as usize;
    }

    /// Leaves the frame of a step, which gives nil to its caller.
    fn unwind_to_step(&mut self, task: &mut Task, at: usize) {
        let depth = task.scopes[at].depth;
        task.handlers.retain(|handler| handler.frames < depth);
        task.completions.retain(|pending| pending.depth < depth);
        let keep = task.scopes.iter().take_while(|scope| scope.depth < depth);
        let keep = keep.count();
        self.pop_scopes(task, keep);
        let register = task.frames[depth - 1].result;
        task.frames.truncate(depth - 1);
        set(task, register, Value::Nil);
    }

    /// Ends the innermost interrupt handler: what was there before it is left.
    pub(super) fn end_interrupt(&mut self, task: &mut Task) {
        let Some(interrupt) = task.interrupts.pop() else {
            return;
        };
        task.handlers.truncate(interrupt.handlers);
        task.completions.truncate(interrupt.completions);
        self.pop_scopes(task, interrupt.scopes);
        task.frames.truncate(interrupt.frames);
        task.operation = interrupt.operation;
    }

    /// Whether a value is of a type.
    pub(super) fn is_of(&self, value: Value, type_id: u16) -> bool {
        let object = self.store.object(value);
        match (&self.loaded.program.types[usize::from(type_id)], object) {
            (Type::Class(class), Some(Object::Instance(of, _))) => class == of,
            (Type::Variant(variant), Some(Object::Variant(of, _))) => variant == of,
            (Type::Enum(number), Some(Object::Variant(of, _))) => {
                self.loaded.program.variants[usize::from(*of)].of == *number
            }
            (Type::Error(kind), Some(Object::Error { kind: of, .. })) => kind == of,
            (Type::Kind(kind), _) => self.kind_of(value) == Some(*kind),
            _ => false,
        }
    }

    /// The built-in kind of a value; none of an instance or enum value.
    pub(super) fn kind_of(&self, value: Value) -> Option<ValueKind> {
        Some(match value {
            Value::Nil => ValueKind::Nil,
            Value::Bool(_) => ValueKind::Bool,
            Value::Int(_) => ValueKind::Int,
            Value::Float(_) => ValueKind::Float,
            Value::Object(id) => match self.store.get(id) {
                Object::String(_) => ValueKind::String,
                Object::Array(_) => ValueKind::Array,
                Object::Map(_) => ValueKind::Map,
                Object::Range(..) => ValueKind::Range,
                Object::Closure(..) | Object::Bound(..) => ValueKind::Function,
                Object::Future(_) => ValueKind::Future,
                Object::Error { .. } => ValueKind::Error,
                Object::Iterator(..) => ValueKind::Iterator,
                Object::Channel(_) => ValueKind::Channel,
                Object::Mutex(_) => ValueKind::Mutex,
                Object::Stream { .. } => ValueKind::Stream,
                Object::Weak { .. } => ValueKind::Weak,
                Object::Instance(..) | Object::Variant(..) | Object::Cell(_) => return None,
            },
        })
    }
}

/// Where every frame stands, innermost first: the top one at its next instruction, one that
/// called at the call, one that was interrupted at its next instruction.
fn trace_of(task: &Task) -> Trace {
    let mut called = 0;
    let mut trace = Trace::with_capacity(task.frames.len());
    for frame in task.frames.iter().rev() {
        trace.push((frame.function, frame.at.saturating_sub(called) as u32));
        called = usize::from(!frame.interrupts);
    }
    trace
}
