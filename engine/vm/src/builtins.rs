//! Built-in functions.
//!
//! Like an instruction, a built-in allocates before it changes anything: text is put
//! together outside of the heap first, and then copied there in one allocation.
//!
//! ```text
//! charges   what they cost by size
//! long_texts texts that are made and searched in steps
//! methods   methods of arrays, maps and channels
//! text      methods of strings
//! steps     those that work in steps
//! numbers   conversions, mathematics, random numbers
//! ```

mod charges;
mod long_texts;
mod methods;
mod numbers;
mod steps;
mod text;

use gcrucible_bytecode::{Builtin, ErrorKind, Reg};
use gcrucible_heap::{Checks, FinalizerOwner, Kind, NeedsMemory, Sizes, Value};
use gcrucible_platform::HostRequest;

use crate::interpreter::{Context, Effects, Made, Safepoint, Stop};
use crate::slice::SliceEnd;
use crate::stack::Registers;

pub(crate) use long_texts::{Copied, Find, Trim, Writing};
pub(crate) use steps::{Entries, Range, Search, Split};

/// The most values that a channel holds at once.
const CHANNEL_CAPACITY_MAX: i64 = 65_536;

/// What `trim` takes away, and `int` and `float` pass over.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

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
        effects: &mut Effects,
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
                let get = |index| args.get(index as usize).map(|slot| self.m.load_root(slot));
                done(self.show(" ", get, |line, _, _| {
                    effects.printed.push(std::mem::take(line));
                    Ok(Some(Value::NIL))
                })?)
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
                let payload = if argc == 2 { arg(1) } else { Value::NIL };
                done(self.new_error(ErrorKind::User, arg(0), payload, safepoint)?)
            }
            Builtin::NewHookError => {
                done(self.new_error(ErrorKind::HookError, arg(0), Value::NIL, safepoint)?)
            }
            Builtin::NewParseError => {
                done(self.new_error(ErrorKind::ParseError, arg(0), Value::NIL, safepoint)?)
            }
            Builtin::NewNoMatch => {
                self.safepoint(safepoint)?;
                let (kind, value) = (ErrorKind::NoMatch, arg(0));
                let message = format!("{}: {}", kind.message(), self.shown(value));
                done(self.error_saying(kind, &message, value)?)
            }
            Builtin::Sleep => {
                let ms = self.m.as_int(arg(0)).and_then(|ms| u64::try_from(ms).ok());
                let ms = ms.ok_or(ErrorKind::TypeError)?;
                Ok((Value::NIL, Some(SliceEnd::Sleep { ms })))
            }
            Builtin::YieldNow => Ok((Value::NIL, Some(SliceEnd::Yielded))),
            Builtin::DeepCopy => {
                self.safepoint(safepoint)?;
                done(self.deep_copy(arg(0))?)
            }
            Builtin::DeepEquals => done(self.deep_equals(arg(0), arg(1))?),
            Builtin::CancellationRequested => done(Value::bool(self.is_cancel_requested)),
            Builtin::Collect => Ok((Value::NIL, Some(SliceEnd::Collect))),
            Builtin::Iter => {
                self.safepoint(safepoint)?;
                done(self.new_iterator(arg(0))?)
            }
            Builtin::Next => {
                if self.m.kind(arg(0)) != Some(Kind::Iterator) {
                    return Err(ErrorKind::TypeError.into());
                }
                done(self.next(arg(0))?.unwrap_or(Value::NIL))
            }
            Builtin::Channel => {
                self.safepoint(safepoint)?;
                let capacity = self.m.as_int(arg(0));
                match capacity.filter(|capacity| (1..=CHANNEL_CAPACITY_MAX).contains(capacity)) {
                    Some(capacity) => done(self.m.channel(capacity as u32)?),
                    None => Err(self.no_capacity(arg(0))),
                }
            }
            Builtin::Mutex => {
                self.safepoint(safepoint)?;
                done(self.m.mutex()?)
            }
            Builtin::Weak => {
                self.safepoint(safepoint)?;
                done(self.m.weak(arg(0))?)
            }
            Builtin::Finalizer => {
                let (object, function) = (self.m.kind(arg(0)), self.m.kind(arg(1)));
                let has_object = matches!(object, Some(Kind::Array | Kind::Map | Kind::Instance));
                if !has_object || !matches!(function, Some(Kind::Closure | Kind::Bound)) {
                    return Err(ErrorKind::TypeError.into());
                }
                let owner: FinalizerOwner = self.realm.clone();
                self.m.add_finalizer_of(Some(owner), arg(0), arg(1))?;
                done(Value::NIL)
            }
            Builtin::Chr => {
                self.safepoint(safepoint)?;
                let code = self.m.as_int(arg(0)).ok_or(ErrorKind::TypeError)?;
                let character = u32::try_from(code).ok().and_then(char::from_u32);
                let character = character.ok_or(ErrorKind::IndexOutOfBounds)?;
                done(self.m.string(character.encode_utf8(&mut [0; 4]))?)
            }
            Builtin::Ord => {
                let text = self.m.text(arg(0)).ok_or(ErrorKind::TypeError)?;
                let first = text.chars().next().ok_or(ErrorKind::IndexOutOfBounds)?;
                done(Value::int32(first as i32))
            }
            Builtin::Int | Builtin::Float if self.m.kind(arg(0)) == Some(Kind::String) => {
                self.charge_text(arg(0));
                match builtin {
                    Builtin::Int => done(self.to_int(arg(0), safepoint)?),
                    _ => done(self.to_float(arg(0))?),
                }
            }
            Builtin::Int => done(self.to_int(arg(0), safepoint)?),
            Builtin::Float => done(self.to_float(arg(0))?),
            Builtin::Floor | Builtin::Ceil | Builtin::Round => done(self.rounded(builtin, arg(0))?),
            Builtin::Sqrt | Builtin::Sin | Builtin::Cos | Builtin::Exp | Builtin::Ln => {
                done(self.of_float(builtin, arg(0))?)
            }
            Builtin::Pow => done(self.pow(arg(0), arg(1), safepoint)?),
            Builtin::Bits => done(self.bits(arg(0), arg(1), arg(2), safepoint)?),
            Builtin::Now => done(self.int(self.now_ms as i64, safepoint)?),
            Builtin::RandomInt => done(self.random_int(arg(0), arg(1), safepoint, effects)?),
            Builtin::RandomFloat => done(self.random_float(effects)),
            Builtin::RandomSeed => {
                effects.random = self.m.as_int(arg(0)).ok_or(ErrorKind::TypeError)? as u64;
                done(Value::NIL)
            }
            Builtin::Args => {
                self.safepoint(safepoint)?;
                done(self.strings(self.args.iter().map(String::as_str))?)
            }
            Builtin::Unsettled => done(self.int(i64::from(self.open_tasks), safepoint)?),
            Builtin::Interrupt => {
                let signal = self.m.text(arg(0)).ok_or(ErrorKind::TypeError)?;
                self.work.charge_bytes(signal.len());
                effects.interrupts.push(signal.to_owned());
                done(Value::NIL)
            }
            Builtin::Host => {
                let name = self.m.text(arg(0)).ok_or(ErrorKind::TypeError)?.to_owned();
                let args = self.host_args(&args[1..])?;
                effects.host = Some(HostRequest {
                    name,
                    args,
                    ..HostRequest::default()
                });
                Ok((Value::NIL, Some(SliceEnd::Host)))
            }
            // It has looked already.
            Builtin::CheckWait => done(Value::NIL),
            Builtin::Locals => done(self.run_locals(safepoint)?),
            Builtin::NewStream => {
                self.safepoint(safepoint)?;
                done(self.m.stream(arg(0))?)
            }
            Builtin::StreamSource => {
                done(self.m.stream_source(arg(0)).ok_or(ErrorKind::TypeError)?)
            }
            Builtin::StreamEnd => match self.m.stream_end(arg(0)) {
                true => done(Value::NIL),
                false => Err(ErrorKind::TypeError.into()),
            },
            Builtin::StreamTake => match self.m.stream_take(arg(0)) {
                Some(true) => done(Value::NIL),
                Some(false) => Err(ErrorKind::StreamTaken.into()),
                None => Err(ErrorKind::TypeError.into()),
            },
        }
    }

    /// Throws an error that says what the capacity of a channel may be.
    #[cold]
    fn no_capacity(&self, value: Value<'p>) -> Stop<'p> {
        let found = match self.m.as_int(value) {
            Some(int) => int.to_string(),
            None => self.type_name(value).to_owned(),
        };
        let message = format!(
            "the capacity of a channel is an int from 1 to {CHANNEL_CAPACITY_MAX}, not {found}"
        );
        match self.error_saying(ErrorKind::TypeError, &message, Value::NIL) {
            Ok(error) => Stop::Throw(error),
            Err(needs) => needs.into(),
        }
    }

    /// An error with a message that must be a string.
    fn new_error(
        &self,
        kind: ErrorKind,
        message: Value<'p>,
        payload: Value<'p>,
        safepoint: Safepoint,
    ) -> Made<'p> {
        self.safepoint(safepoint)?;
        if self.m.kind(message) != Some(Kind::String) {
            return Err(ErrorKind::TypeError.into());
        }
        Ok(self.m.error(kind as u8, message, payload)?)
    }

    /// The map that belongs to the run, made when it is first asked for.
    fn run_locals(&self, safepoint: Safepoint) -> Made<'p> {
        let locals = self.locals.ok_or(ErrorKind::HookError)?;
        if locals.is_nil() {
            self.safepoint(safepoint)?;
            self.m.store(locals, self.m.map_of(&[])?);
        }
        Ok(self.m.load(locals))
    }

    /// A new array of strings, allocated as a whole: a part of it would be in the way of the
    /// next attempt.
    pub(crate) fn strings<'t>(&self, parts: impl Iterator<Item = &'t str> + Clone) -> Made<'p> {
        let mut sizes = Sizes::default();
        let mut count = 0;
        for part in parts.clone() {
            sizes.string(part.len());
            count += 1;
        }
        let _grant = self.m.grant(sizes.array(count))?;
        let strings: Vec<Value<'p>> = parts
            .map(|part| self.m.string(part))
            .collect::<Result<_, NeedsMemory>>()?;
        Ok(self.m.array(&strings)?)
    }

    /// The display texts of `count` registers from `first` on, joined.
    pub(crate) fn concat(&self, registers: Registers<'_, C>, first: Reg, count: u8) -> Made<'p> {
        let slots = registers.range(first, usize::from(count));
        let get = |index| slots.get(index as usize).map(|slot| self.m.load_root(slot));
        self.show("", get, |text, copied, units| {
            self.copied(text, copied, units)
        })
    }

    /// Refuses to put together text of so many bytes that no string of this heap holds them.
    pub(crate) fn check_text(&self, bytes: u64) -> Result<(), NeedsMemory> {
        if bytes <= self.text_bytes_max as u64 {
            return Ok(());
        }
        Err(NeedsMemory::of_bytes(bytes))
    }

    /// The length of what has one.
    fn len(&self, value: Value<'p>) -> Option<Made<'p>> {
        let count = match self.m.kind(value)? {
            Kind::String => self.m.text(value)?.len() as i64,
            Kind::Array => i64::from(self.m.array_len(value)?),
            Kind::Map => i64::from(self.m.map_len(value)?),
            Kind::Range => {
                let (start, end) = self.m.range_bounds(value)?;
                match end.checked_sub(start) {
                    Some(count) => count.max(0),
                    None if end < start => 0,
                    // The widest ranges have more ints than there are ints above zero.
                    None => return Some(Err(ErrorKind::Overflow.into())),
                }
            }
            _ => return None,
        };
        Some(self.m.int(count).map_err(Stop::from))
    }
}
