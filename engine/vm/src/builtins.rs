//! Built-in functions.
//!
//! Like an instruction, a built-in allocates before it changes anything: text is put
//! together outside of the heap first, and then copied there in one allocation.

mod methods;

use gcrucible_bytecode::{Builtin, ErrorKind, Reg};
use gcrucible_heap::{Checks, Kind, NeedsMemory, Value};

use crate::display::write_display;
use crate::interpreter::{Context, Made, Safepoint, Stop};
use crate::slice::SliceEnd;
use crate::stack::Registers;

impl<'p, C: Checks> Context<'p, C> {
    /// Calls a built-in: its result, and how it ends the slice if it does.
    #[inline(never)]
    pub(crate) fn call_builtin(
        &self,
        registers: Registers<'_, C>,
        base: Reg,
        builtin: Builtin,
        argc: u8,
        safepoint: Safepoint,
        printed: &mut Vec<String>,
    ) -> Result<(Value<'p>, Option<SliceEnd>), Stop<'p>> {
        let (fewest, most) = builtin.arity();
        if argc < fewest || argc > most {
            return Err(ErrorKind::WrongArity.into());
        }
        let args = registers.range(base, usize::from(argc));
        let arg = |index: usize| self.m.load_root(&args[index]);
        let done = |value| Ok((value, None));
        match builtin {
            Builtin::Print => {
                let mut line = String::new();
                for (index, _) in args.iter().enumerate() {
                    if index > 0 {
                        line.push(' ');
                    }
                    let program = self.program.program();
                    write_display(&self.m, program, arg(index), &mut line, usize::MAX);
                }
                printed.push(line);
                done(Value::NIL)
            }
            Builtin::Str => {
                self.safepoint(safepoint)?;
                done(self.concat(registers, base, 1)?)
            }
            Builtin::Len => done(
                self.len(arg(0))
                    .unwrap_or(Err(ErrorKind::TypeError.into()))?,
            ),
            Builtin::TypeOf => {
                self.safepoint(safepoint)?;
                done(self.m.string(self.type_name(arg(0)))?)
            }
            Builtin::Assert => {
                if arg(0).is_truthy() {
                    return done(Value::NIL);
                }
                let message = if argc == 2 { arg(1) } else { Value::NIL };
                Err(Stop::Raise(ErrorKind::AssertionFailed, message))
            }
            Builtin::Error => {
                self.safepoint(safepoint)?;
                if self.m.kind(arg(0)) != Some(Kind::String) {
                    return Err(ErrorKind::TypeError.into());
                }
                let payload = if argc == 2 { arg(1) } else { Value::NIL };
                done(self.m.error(ErrorKind::User as u8, arg(0), payload)?)
            }
            Builtin::Sleep => {
                if self.is_cancel_requested {
                    return Err(ErrorKind::Cancelled.into());
                }
                let ms = self.m.as_int(arg(0)).and_then(|ms| u64::try_from(ms).ok());
                let ms = ms.ok_or(ErrorKind::TypeError)?;
                Ok((Value::NIL, Some(SliceEnd::Sleep { ms })))
            }
            Builtin::YieldNow => Ok((Value::NIL, Some(SliceEnd::Yielded))),
            Builtin::DeepCopy => {
                self.safepoint(safepoint)?;
                done(self.m.deep_copy(arg(0))?)
            }
            Builtin::DeepEquals => done(Value::bool(self.m.deep_equals(arg(0), arg(1)))),
            Builtin::CancellationRequested => done(Value::bool(self.is_cancel_requested)),
            Builtin::Collect => Ok((Value::NIL, Some(SliceEnd::Collect))),
        }
    }

    /// The display texts of `count` registers from `first` on, joined.
    pub(crate) fn concat(&self, registers: Registers<'_, C>, first: Reg, count: u8) -> Made<'p> {
        let mut text = String::new();
        for slot in registers.range(first, usize::from(count)) {
            self.append(self.m.load_root(slot), &mut text)?;
        }
        Ok(self.m.string(&text)?)
    }

    /// Appends a display text to what is to become a string. Text that no string of this
    /// heap could hold is given up: it would take the process's memory, not the heap's.
    fn append(&self, value: Value<'p>, text: &mut String) -> Result<(), NeedsMemory> {
        let most = self.text_bytes_max;
        write_display(&self.m, self.program.program(), value, text, most);
        if text.len() <= most {
            return Ok(());
        }
        Err(NeedsMemory {
            words: u32::try_from(text.len() / 8).unwrap_or(u32::MAX),
        })
    }

    /// The length of what has one.
    fn len(&self, value: Value<'p>) -> Option<Made<'p>> {
        let count = match self.m.kind(value)? {
            Kind::String => self.m.text(value)?.len() as i64,
            Kind::Array => i64::from(self.m.array_len(value)?),
            Kind::Map => i64::from(self.m.map_len(value)?),
            Kind::Range => {
                let (start, end) = self.m.range_bounds(value)?;
                end.saturating_sub(start).max(0)
            }
            _ => return None,
        };
        Some(self.m.int(count).map_err(Stop::from))
    }

    fn type_name(&self, value: Value<'p>) -> &'p str {
        if self.m.as_int(value).is_some() {
            return "int";
        }
        if value.as_float().is_some() {
            return "float";
        }
        if value.as_bool().is_some() {
            return "bool";
        }
        match self.m.kind(value) {
            None => "nil",
            Some(Kind::String) => "string",
            Some(Kind::Array) => "array",
            Some(Kind::Map) => "map",
            Some(Kind::Range) => "range",
            Some(Kind::Closure | Kind::Bound) => "function",
            Some(Kind::Future | Kind::Unscheduled) => "future",
            Some(Kind::Error) => "error",
            Some(Kind::Iterator) => "iterator",
            Some(Kind::Instance) => {
                let class = self.m.class(value).map(usize::from);
                let class = class.and_then(|class| self.program.program().classes.get(class));
                class.map_or("instance", |class| &class.name)
            }
            // Programs never hold the other kinds.
            Some(other) => other.name(),
        }
    }
}
