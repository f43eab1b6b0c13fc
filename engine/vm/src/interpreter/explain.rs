//! What an error that the machine raises says besides the words of its kind: which operator,
//! name, types, numbers. It is read off the instruction, whose operands are as they were,
//! because one that throws has changed nothing. So no instruction pays for it that ends well,
//! and no place that raises an error has to put words together.

use std::fmt::Write as _;

use gcrucible_bytecode::{Constant, ErrorKind, Op, Reg};
use gcrucible_heap::{Checks, NeedsMemory, Slot, Value};
use gcrucible_platform::planted;

use super::Context;
use crate::display::write_display;
use crate::stack::Registers;

/// The most bytes of a value's display text in a message.
const VALUE_BYTES_MAX: usize = 200;

/// A text that is an argument is shown itself up to so many bytes, and else its type.
const ARGUMENT_BYTES_MAX: usize = 32;

/// The most arguments that are shown.
const ARGUMENTS_MAX: usize = 8;

impl<'p, C: Checks> Context<'p, C> {
    /// The error that instruction `op` of the running frame raises.
    #[cold]
    #[inline(never)]
    pub(super) fn raised(
        &self,
        kind: ErrorKind,
        payload: Value<'p>,
        op: Op,
        registers: Registers<'_, C>,
    ) -> Result<Value<'p>, NeedsMemory> {
        match self.detail(kind, payload, op, registers) {
            Some(detail) => {
                let message = format!("{}: {detail}", kind.message());
                self.error_saying(kind, &message, payload)
            }
            None => self.error(kind, payload),
        }
    }

    /// The error of a call that cannot begin: what was to be called, with how many arguments.
    #[cold]
    pub(crate) fn refused(
        &self,
        kind: ErrorKind,
        callee: Value<'p>,
        argc: usize,
    ) -> Result<Value<'p>, NeedsMemory> {
        let detail = match kind {
            ErrorKind::NotCallable => Some(self.type_name(callee).to_owned()),
            ErrorKind::WrongArity => self.arity_of(callee, argc),
            _ => None,
        };
        match detail {
            Some(detail) => {
                let message = format!("{}: {detail}", kind.message());
                self.error_saying(kind, &message, Value::NIL)
            }
            None => self.error(kind, Value::NIL),
        }
    }

    /// A display text of bounded length.
    pub(crate) fn shown(&self, value: Value<'p>) -> String {
        let mut text = String::new();
        let (part, is_cut) = match self.m.text(value) {
            Some(whole) => cut(whole),
            None => {
                let program = self.program.program();
                write_display(&self.m, program, value, &mut text, VALUE_BYTES_MAX);
                cut(&text)
            }
        };
        match is_cut {
            true => format!("{part}…"),
            false => part.to_owned(),
        }
    }

    fn detail(
        &self,
        kind: ErrorKind,
        payload: Value<'p>,
        op: Op,
        registers: Registers<'_, C>,
    ) -> Option<String> {
        match kind {
            ErrorKind::AssertionFailed | ErrorKind::Internal => {
                (!payload.is_nil()).then(|| self.shown(payload))
            }
            ErrorKind::TypeError => self.wrong_types(op, registers),
            ErrorKind::Overflow | ErrorKind::DivideByZero => self.operation(op, registers),
            ErrorKind::IndexOutOfBounds => self.wrong_index(op, registers),
            ErrorKind::UnknownField | ErrorKind::UnknownMethod => {
                let (name, object) = match op {
                    Op::GetField { object, name, .. } | Op::SetField { object, name, .. } => {
                        (name, object)
                    }
                    Op::CallMethod { base, name, .. } => (name, base),
                    _ => return None,
                };
                let object = registers.get(&self.m, object);
                Some(format!(
                    "`{}` of {}",
                    self.constant_name(name),
                    self.type_name(object)
                ))
            }
            ErrorKind::NotCallable => {
                let callee = self.callee(op, registers)?;
                Some(self.type_name(callee).to_owned())
            }
            ErrorKind::WrongArity => self.wrong_arity(op, registers),
            ErrorKind::NotIterable => {
                let source = match op {
                    Op::NewIterator { src, .. } => src,
                    Op::CallBuiltin { base, .. } => base,
                    _ => return None,
                };
                let source = registers.get(&self.m, source);
                Some(self.type_name(source).to_owned())
            }
            ErrorKind::ParseError => self.builtin_call(op, registers),
            ErrorKind::StoreGlobalAfterInit => match op {
                Op::StoreGlobal { global, .. } => {
                    let global = &self.program.program().globals[usize::from(global)];
                    Some(format!("`{}`", global.name))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Operator and types, or the call and its arguments.
    fn wrong_types(&self, op: Op, registers: Registers<'_, C>) -> Option<String> {
        let type_of = |register: Reg| self.type_name(registers.get(&self.m, register));
        if let Some((sign, lhs, rhs)) = operator(op) {
            let (mut lhs, mut rhs) = (type_of(lhs), type_of(rhs));
            if planted!(B190, lhs != rhs) {
                std::mem::swap(&mut lhs, &mut rhs);
            }
            return Some(format!("`{sign}` of {lhs} and {rhs}"));
        }
        Some(match op {
            Op::Lt { lhs, rhs, .. } | Op::Le { lhs, rhs, .. } => {
                // Which of them stands on the left depends on the operator in the source.
                format!("comparison of {} and {}", type_of(lhs), type_of(rhs))
            }
            Op::Neg { src, .. } => format!("`-` of {}", type_of(src)),
            Op::NewRange { first, .. } => {
                format!("`..` of {} and {}", type_of(first), type_of(first + 1))
            }
            Op::GetField { object, name, .. } | Op::SetField { object, name, .. } => {
                format!(
                    "field `{}` of {}",
                    self.constant_name(name),
                    type_of(object)
                )
            }
            Op::GetIndex { object, index, .. } | Op::SetIndex { object, index, .. } => {
                format!("{} indexed by {}", type_of(object), type_of(index))
            }
            Op::Await { src, .. } => format!("`await` of {}", type_of(src)),
            Op::Cancel { src } => format!("`cancel` of {}", type_of(src)),
            Op::PushGuard { src } => format!("`sync` of {}", type_of(src)),
            Op::PushDeadline { src } => {
                let ms = registers.get(&self.m, src);
                format!("`deadline` of {}", self.argument(ms))
            }
            Op::CallMethod { base, name, argc } => self.method_call(registers, base, name, argc),
            _ => return self.builtin_call(op, registers),
        })
    }

    /// The operation as it would be written with the values of its operands.
    fn operation(&self, op: Op, registers: Registers<'_, C>) -> Option<String> {
        let shown = |register: Reg| self.argument(registers.get(&self.m, register));
        if let Some((sign, lhs, rhs)) = operator(op) {
            return Some(format!("{} {sign} {}", shown(lhs), shown(rhs)));
        }
        match op {
            Op::Neg { src, .. } => Some(format!("-({})", shown(src))),
            _ => self.builtin_call(op, registers),
        }
    }

    /// The index and the length, or the call and its arguments.
    fn wrong_index(&self, op: Op, registers: Registers<'_, C>) -> Option<String> {
        match op {
            Op::GetIndex { object, index, .. } | Op::SetIndex { object, index, .. } => {
                let object = registers.get(&self.m, object);
                let index = self.argument(registers.get(&self.m, index));
                Some(format!("{index}{}", self.length_of(object)))
            }
            Op::CallMethod { base, name, argc } => {
                let call = self.method_call(registers, base, name, argc);
                let receiver = registers.get(&self.m, base);
                Some(format!("{call}{}", self.length_of(receiver)))
            }
            _ => self.builtin_call(op, registers),
        }
    }

    /// `, length N` of what has one.
    fn length_of(&self, value: Value<'p>) -> String {
        let text = self.m.text(value).map(|text| text.len() as u64);
        match text.or_else(|| self.m.array_len(value).map(u64::from)) {
            Some(length) => format!(", length {length}"),
            None => String::new(),
        }
    }

    /// What a call instruction calls, if that is a value.
    fn callee(&self, op: Op, registers: Registers<'_, C>) -> Option<Value<'p>> {
        match op {
            Op::Call { base, .. }
            | Op::CallStep { base, .. }
            | Op::Spawn { base, .. }
            | Op::SpawnDetached { base, .. } => Some(registers.get(&self.m, base)),
            Op::CallMethod { base, name, .. } => {
                let receiver = registers.get(&self.m, base);
                let class = self.m.class(receiver)?;
                if self.program.class_method(class, name).is_some() {
                    return None;
                }
                let index = self.program.field(class, name)?;
                self.m.field(receiver, index)
            }
            _ => None,
        }
    }

    fn wrong_arity(&self, op: Op, registers: Registers<'_, C>) -> Option<String> {
        if let Some(callee) = self.callee(op, registers) {
            let argc = match op {
                Op::Call { argc, .. }
                | Op::Spawn { argc, .. }
                | Op::SpawnDetached { argc, .. }
                | Op::CallMethod { argc, .. } => argc,
                _ => 0,
            };
            return self.arity_of(callee, usize::from(argc));
        }
        match op {
            Op::CallMethod { base, name, argc } => {
                let receiver = registers.get(&self.m, base);
                let argc = usize::from(argc);
                if let Some(class) = self.m.class(receiver) {
                    let function = self.program.class_method(class, name)?;
                    return Some(self.arity_of_method(function, argc));
                }
                if self.has_builtin_method(receiver, name) {
                    let arity = self.program.method(name)?.arity();
                    let of = self.type_name(receiver);
                    return Some(takes(
                        &format!("{of}.{}", self.constant_name(name)),
                        arity,
                        argc,
                    ));
                }
                let function = self
                    .program
                    .library_method(self.value_kind(receiver)?, name)?;
                Some(self.arity_of_method(function, argc))
            }
            Op::NextOrJump { iterator, .. } => {
                let class = self.m.class(registers.get(&self.m, iterator))?;
                Some(self.arity_of_method(self.program.next_method(class)?, 0))
            }
            Op::CallBuiltin { builtin, argc, .. } => {
                Some(takes(builtin.name(), builtin.arity(), usize::from(argc)))
            }
            _ => None,
        }
    }

    /// What a function takes and what it was given.
    fn arity_of(&self, callee: Value<'p>, argc: usize) -> Option<String> {
        if let Some((_, closure)) = self.m.bound_parts(callee) {
            let function = self.m.closure_function(closure)?;
            return Some(self.arity_of_method(function, argc));
        }
        let function = self.m.closure_function(callee)?;
        let function = &self.program.program().functions[usize::from(function)];
        Some(takes(
            &function.name,
            (function.arity, function.arity),
            argc,
        ))
    }

    /// The same of one whose first parameter is the receiver.
    fn arity_of_method(&self, function: u16, argc: usize) -> String {
        let function = &self.program.program().functions[usize::from(function)];
        let arity = function.arity.saturating_sub(1);
        takes(&function.name, (arity, arity), argc)
    }

    fn builtin_call(&self, op: Op, registers: Registers<'_, C>) -> Option<String> {
        let Op::CallBuiltin {
            base,
            builtin,
            argc,
        } = op
        else {
            return None;
        };
        let args = registers.range(base, usize::from(argc));
        Some(self.call_text(builtin.name(), args))
    }

    fn method_call(&self, registers: Registers<'_, C>, base: Reg, name: u16, argc: u8) -> String {
        let slots = registers.range(base, 1 + usize::from(argc));
        let of = self.type_name(self.m.load_root(&slots[0]));
        self.call_text(&format!("{of}.{}", self.constant_name(name)), &slots[1..])
    }

    fn call_text(&self, name: &str, args: &[Slot]) -> String {
        let mut text = format!("`{name}(");
        for (at, slot) in args.iter().enumerate() {
            if at > 0 {
                text.push_str(", ");
            }
            if at == ARGUMENTS_MAX {
                text.push('…');
                break;
            }
            text.push_str(&self.argument(self.m.load_root(slot)));
        }
        text.push_str(")`");
        text
    }

    /// A value, if it is short, and else its type.
    fn argument(&self, value: Value<'p>) -> String {
        let mut text = String::new();
        if let Some(string) = self.m.text(value) {
            // Writing to a string cannot fail.
            let _ = match string.len() <= ARGUMENT_BYTES_MAX {
                true => write!(text, "{string:?}"),
                false => write!(text, "string"),
            };
            return text;
        }
        let is_plain = value.is_nil()
            || value.as_bool().is_some()
            || value.as_float().is_some()
            || self.m.as_int(value).is_some();
        if is_plain {
            let program = self.program.program();
            write_display(&self.m, program, value, &mut text, VALUE_BYTES_MAX);
            return text;
        }
        self.type_name(value).to_owned()
    }

    fn constant_name(&self, name: u16) -> &'p str {
        match &self.program.program().constants[usize::from(name)] {
            Constant::String(name) => name,
            _ => "?",
        }
    }
}

/// `NAME takes N, not M`.
fn takes(name: &str, (fewest, most): (u8, u8), given: usize) -> String {
    match fewest == most {
        true => format!("`{name}` takes {fewest}, not {given}"),
        false => format!("`{name}` takes {fewest} to {most}, not {given}"),
    }
}

/// The sign and the operands of an operator on numbers.
fn operator(op: Op) -> Option<(char, Reg, Reg)> {
    Some(match op {
        Op::Add { lhs, rhs, .. } => ('+', lhs, rhs),
        Op::Sub { lhs, rhs, .. } => ('-', lhs, rhs),
        Op::Mul { lhs, rhs, .. } => ('*', lhs, rhs),
        Op::Div { lhs, rhs, .. } => ('/', lhs, rhs),
        Op::Rem { lhs, rhs, .. } => ('%', lhs, rhs),
        _ => return None,
    })
}

/// The part of a text that is shown, and whether that is not all.
fn cut(text: &str) -> (&str, bool) {
    if text.len() <= VALUE_BYTES_MAX {
        return (text, false);
    }
    let mut end = VALUE_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}
