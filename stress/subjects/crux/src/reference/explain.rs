//! The details in the messages of errors that the machine makes: docs/crux/errors.md lists
//! them. An instruction that throws has left its operands as they were.

use gcrucible_bytecode::{ErrorKind, Op, Reg};

use super::machine::{args, get};
use super::model::Model;
use super::task::Task;
use super::value::{Object, Value};

/// Bytes of a value's text in a message, at most.
const SHOWN: usize = 200;

/// Bytes of a text that stands for itself among arguments, at most.
const SHORT: usize = 32;

/// Arguments of a call that are shown, at most.
const ARGUMENTS: usize = 8;

impl Model<'_> {
    /// The message of an error of this kind that the instruction throws.
    pub(super) fn message(&self, task: &Task, op: Op, kind: ErrorKind, payload: Value) -> String {
        let detail = match kind {
            ErrorKind::AssertionFailed | ErrorKind::Internal => match payload {
                Value::Nil => None,
                payload => Some(self.shown(payload)),
            },
            ErrorKind::TypeError => self.type_detail(task, op),
            ErrorKind::Overflow | ErrorKind::DivideByZero => self.number_detail(task, op),
            ErrorKind::IndexOutOfBounds => self.index_detail(task, op),
            ErrorKind::UnknownField | ErrorKind::UnknownMethod => match op {
                Op::GetField { object, name, .. } | Op::SetField { object, name, .. } => {
                    Some(self.name_of(name, get(task, object)))
                }
                Op::CallMethod { base, name, .. } => Some(self.name_of(name, get(task, base))),
                _ => None,
            },
            ErrorKind::NotCallable => self.called(task, op).map(|callee| self.type_name(callee)),
            ErrorKind::WrongArity => self.arity_detail(task, op),
            ErrorKind::NotIterable => match op {
                Op::NewIterator { src: at, .. } | Op::CallBuiltin { base: at, .. } => {
                    Some(self.type_name(get(task, at)))
                }
                _ => None,
            },
            ErrorKind::ParseError => self.builtin_text(task, op),
            ErrorKind::StoreGlobalAfterInit => match op {
                Op::StoreGlobal { global, .. } => {
                    let global = &self.loaded.program.globals[usize::from(global)];
                    Some(format!("`{}`", global.name))
                }
                _ => None,
            },
            _ => None,
        };
        with_detail(kind, detail)
    }

    /// The message of a call that does not begin.
    pub(super) fn refusal(&self, kind: ErrorKind, callee: Value, given: usize) -> String {
        let detail = match kind {
            ErrorKind::NotCallable => Some(self.type_name(callee)),
            ErrorKind::WrongArity => self.callee_arity(callee, given),
            _ => None,
        };
        with_detail(kind, detail)
    }

    /// The message for a value that no arm takes.
    pub(super) fn no_match(&self, value: Value) -> String {
        with_detail(ErrorKind::NoMatch, Some(self.shown(value)))
    }

    fn shown(&self, value: Value) -> String {
        let mut text = self.display(value);
        if text.len() > SHOWN {
            let end = (0..=SHOWN).rev().find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or_default());
            text.push('…');
        }
        text
    }

    fn name_of(&self, name: u16, object: Value) -> String {
        format!("`{}` of {}", self.name(name), self.type_name(object))
    }

    fn type_detail(&self, task: &Task, op: Op) -> Option<String> {
        let of = |register: Reg| self.type_name(get(task, register));
        let two = |what: &str, a: Reg, b: Reg| format!("{what} of {} and {}", of(a), of(b));
        Some(match op {
            Op::Add { lhs, rhs, .. } => two("`+`", lhs, rhs),
            Op::Sub { lhs, rhs, .. } => two("`-`", lhs, rhs),
            Op::Mul { lhs, rhs, .. } => two("`*`", lhs, rhs),
            Op::Div { lhs, rhs, .. } => two("`/`", lhs, rhs),
            Op::Rem { lhs, rhs, .. } => two("`%`", lhs, rhs),
            Op::Lt { lhs, rhs, .. } | Op::Le { lhs, rhs, .. } => two("comparison", lhs, rhs),
            Op::NewRange { first, .. } => two("`..`", first, first + 1),
            Op::Neg { src, .. } => format!("`-` of {}", of(src)),
            Op::Await { src, .. } => format!("`await` of {}", of(src)),
            Op::Cancel { src } => format!("`cancel` of {}", of(src)),
            Op::PushGuard { src } => format!("`sync` of {}", of(src)),
            Op::PushDeadline { src } => format!("`deadline` of {}", self.argument(get(task, src))),
            Op::GetField { object, name, .. } | Op::SetField { object, name, .. } => {
                format!("field {}", self.name_of(name, get(task, object)))
            }
            Op::GetIndex { object, index, .. } | Op::SetIndex { object, index, .. } => {
                format!("{} indexed by {}", of(object), of(index))
            }
            Op::CallMethod { base, name, argc } => self.method_text(task, base, name, argc),
            _ => return self.builtin_text(task, op),
        })
    }

    fn number_detail(&self, task: &Task, op: Op) -> Option<String> {
        let (lhs, sign, rhs) = match op {
            Op::Add { lhs, rhs, .. } => (lhs, "+", rhs),
            Op::Sub { lhs, rhs, .. } => (lhs, "-", rhs),
            Op::Mul { lhs, rhs, .. } => (lhs, "*", rhs),
            Op::Div { lhs, rhs, .. } => (lhs, "/", rhs),
            Op::Rem { lhs, rhs, .. } => (lhs, "%", rhs),
            Op::Neg { src, .. } => return Some(format!("-({})", self.argument(get(task, src)))),
            _ => return self.builtin_text(task, op),
        };
        let (lhs, rhs) = (get(task, lhs), get(task, rhs));
        Some(format!(
            "{} {sign} {}",
            self.argument(lhs),
            self.argument(rhs)
        ))
    }

    fn index_detail(&self, task: &Task, op: Op) -> Option<String> {
        let (text, of) = match op {
            Op::GetIndex { object, index, .. } | Op::SetIndex { object, index, .. } => {
                (self.argument(get(task, index)), get(task, object))
            }
            Op::CallMethod { base, name, argc } => {
                (self.method_text(task, base, name, argc), get(task, base))
            }
            _ => return self.builtin_text(task, op),
        };
        Some(match self.store.object(of) {
            Some(Object::Array(elements)) => format!("{text}, length {}", elements.len()),
            Some(Object::String(string)) => format!("{text}, length {}", string.len()),
            _ => text,
        })
    }

    /// The value that an instruction calls: a callee, or what is in the field that a method
    /// was looked for in vain beside.
    fn called(&self, task: &Task, op: Op) -> Option<Value> {
        match op {
            Op::Call { base, .. }
            | Op::CallStep { base, .. }
            | Op::Spawn { base, .. }
            | Op::SpawnDetached { base, .. } => Some(get(task, base)),
            Op::CallMethod { base, name, .. } => match self.store.object(get(task, base)) {
                Some(Object::Instance(class, fields)) => {
                    let name = self.name(name);
                    if self.method_of(*class, name).is_some() {
                        return None;
                    }
                    self.field_at(*class, name).map(|at| fields[at])
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn arity_detail(&self, task: &Task, op: Op) -> Option<String> {
        let given = match op {
            Op::Call { argc, .. }
            | Op::Spawn { argc, .. }
            | Op::SpawnDetached { argc, .. }
            | Op::CallMethod { argc, .. }
            | Op::CallBuiltin { argc, .. } => usize::from(argc),
            _ => 0,
        };
        if let Some(callee) = self.called(task, op) {
            return self.callee_arity(callee, given);
        }
        match op {
            Op::CallBuiltin { builtin, .. } => Some(takes(builtin.name(), builtin.arity(), given)),
            Op::NextOrJump { iterator, .. } => match self.store.object(get(task, iterator))? {
                Object::Instance(class, _) => {
                    Some(self.function_arity(self.method_of(*class, "next")?, 1, given))
                }
                _ => None,
            },
            Op::CallMethod { base, name, .. } => {
                let (receiver, name) = (get(task, base), self.name(name));
                if let Object::Instance(class, _) = self.store.object(receiver)? {
                    return Some(self.function_arity(self.method_of(*class, name)?, 1, given));
                }
                match self.own_method(receiver, name) {
                    Some(method) => {
                        let name = format!("{}.{name}", self.type_name(receiver));
                        Some(takes(&name, method.arity(), given))
                    }
                    None => {
                        let function = self.library_method(receiver, name)?;
                        Some(self.function_arity(function, 1, given))
                    }
                }
            }
            _ => None,
        }
    }

    fn callee_arity(&self, callee: Value, given: usize) -> Option<String> {
        match self.store.object(callee)? {
            Object::Closure(function, _) => Some(self.function_arity(*function, 0, given)),
            Object::Bound(function, _) => Some(self.function_arity(*function, 1, given)),
            _ => None,
        }
    }

    /// What a function takes besides `hidden` parameters.
    fn function_arity(&self, function: u16, hidden: u8, given: usize) -> String {
        let function = &self.loaded.program.functions[usize::from(function)];
        let arity = function.arity.saturating_sub(hidden);
        takes(&function.name, (arity, arity), given)
    }

    fn builtin_text(&self, task: &Task, op: Op) -> Option<String> {
        match op {
            Op::CallBuiltin {
                base,
                builtin,
                argc,
            } => Some(self.call_text(builtin.name(), args(task, base, argc))),
            _ => None,
        }
    }

    fn method_text(&self, task: &Task, base: Reg, name: u16, argc: u8) -> String {
        let of = self.type_name(get(task, base));
        let name = format!("{of}.{}", self.name(name));
        self.call_text(&name, args(task, base + 1, argc))
    }

    fn call_text(&self, name: &str, arguments: &[Value]) -> String {
        let shown = arguments.iter().take(ARGUMENTS);
        let mut shown: Vec<String> = shown.map(|&value| self.argument(value)).collect();
        if arguments.len() > ARGUMENTS {
            shown.push("…".to_owned());
        }
        format!("`{name}({})`", shown.join(", "))
    }

    /// A value that is short, else its type.
    fn argument(&self, value: Value) -> String {
        match (value, self.store.text(value)) {
            (_, Some(text)) if text.len() <= SHORT => format!("{text:?}"),
            (Value::Object(_), _) => self.type_name(value),
            _ => self.display(value),
        }
    }
}

fn with_detail(kind: ErrorKind, detail: Option<String>) -> String {
    match detail {
        Some(detail) => format!("{}: {detail}", kind.message()),
        None => kind.message().to_owned(),
    }
}

fn takes(name: &str, (fewest, most): (u8, u8), given: usize) -> String {
    let most = match most == fewest {
        true => String::new(),
        false => format!(" to {most}"),
    };
    format!("`{name}` takes {fewest}{most}, not {given}")
}
