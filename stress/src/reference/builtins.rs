//! Built-in functions.

use gcrucible_bytecode::{Builtin, ErrorKind, Reg};

use super::machine::{Flow, Outcome, Raise, set};
use super::model::Model;
use super::task::Task;
use super::value::{Object, Value};
use crate::executor::trace::SliceEnd;

impl Model<'_> {
    /// Calls a built-in; the result comes to `base`.
    pub(super) fn call_builtin(
        &mut self,
        task: &mut Task,
        base: Reg,
        builtin: Builtin,
        args: &[Value],
    ) -> Outcome<Flow> {
        let (fewest, most) = builtin.arity();
        if args.len() < usize::from(fewest) || args.len() > usize::from(most) {
            return Err(ErrorKind::WrongArity.into());
        }
        let mut flow = Flow::Next;
        let result = match builtin {
            Builtin::Print => {
                let texts: Vec<String> = args.iter().map(|&value| self.display(value)).collect();
                self.printed.push(texts.join(" "));
                Value::Nil
            }
            Builtin::Str => {
                let text = self.display(args[0]);
                self.store.string(&text)
            }
            Builtin::Len => Value::Int(self.len(args[0]).ok_or(ErrorKind::TypeError)?),
            Builtin::TypeOf => {
                let name = self.type_name(args[0]);
                self.store.string(&name)
            }
            Builtin::Assert => {
                if !args[0].is_truthy() {
                    let message = args.get(1).copied().unwrap_or_default();
                    return Err(Raise::Kind(ErrorKind::AssertionFailed, message));
                }
                Value::Nil
            }
            Builtin::Error => {
                if self.store.text(args[0]).is_none() {
                    return Err(ErrorKind::TypeError.into());
                }
                let payload = args.get(1).copied().unwrap_or_default();
                self.store.value(Object::Error {
                    kind: ErrorKind::User,
                    message: args[0],
                    payload,
                })
            }
            Builtin::Sleep => {
                if task.token {
                    return Err(ErrorKind::Cancelled.into());
                }
                let Value::Int(ms @ 0..) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                flow = Flow::End(SliceEnd::Sleeping {
                    ms: ms.unsigned_abs(),
                });
                Value::Nil
            }
            Builtin::YieldNow => {
                flow = Flow::End(SliceEnd::Yielded);
                Value::Nil
            }
            Builtin::DeepCopy => self.deep_copy(args[0]),
            Builtin::DeepEquals => Value::Bool(self.deep_equals(args[0], args[1])),
            Builtin::CancellationRequested => Value::Bool(task.token),
            Builtin::Collect => {
                flow = Flow::End(SliceEnd::Collecting);
                Value::Nil
            }
        };
        set(task, base, result);
        Ok(flow)
    }

    /// `len(v)`; `None` for what has no length.
    pub(super) fn len(&self, value: Value) -> Option<i64> {
        let length = match self.store.object(value)? {
            Object::String(text) => text.len(),
            Object::Array(elements) => elements.len(),
            Object::Map(map) => map.len(),
            Object::Range(from, to) => return Some(to.saturating_sub(*from).max(0)),
            _ => return None,
        };
        i64::try_from(length).ok()
    }

    fn type_name(&self, value: Value) -> String {
        let name = match value {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Object(id) => match self.store.get(id) {
                Object::String(_) => "string",
                Object::Array(_) => "array",
                Object::Map(_) => "map",
                Object::Range(..) => "range",
                Object::Instance(class, _) => &self.program.classes[usize::from(*class)].name,
                Object::Closure(..) => "function",
                Object::Future(_) => "future",
                Object::Error { .. } => "error",
                Object::Iterator(..) | Object::Cell(_) => "iterator",
            },
        };
        name.to_owned()
    }
}
