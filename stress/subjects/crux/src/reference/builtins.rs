//! Built-in functions.

use gcrucible_bytecode::{Builtin, ErrorKind, Reg};

use super::machine::{Flow, Outcome, Raise, set};
use super::map::{MapObject, exact_int};
use super::methods::is_blank;
use super::model::Model;
use super::task::Task;
use super::value::{Object, ObjectId, Value};
use crate::executor::trace::{Data, SliceEnd};
use gcrucible_trace::EventKind;

/// Levels of arrays and maps in data for the host, at most.
const DATA_LEVELS: u32 = 64;

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
                self.log.printed.push(texts.join(" "));
                Value::Nil
            }
            Builtin::Str => {
                let text = self.display(args[0]);
                self.store.string(&text)
            }
            Builtin::Len => Value::Int(self.len(args[0])?.ok_or(ErrorKind::TypeError)?),
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
                self.before_waiting(task)?;
                let Value::Int(ms @ 0..) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                task.operation_register = base;
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
            Builtin::Int => self.to_int(args[0])?,
            Builtin::Float => self.to_float(args[0])?,
            Builtin::Iter => self.new_iterator(args[0])?,
            Builtin::Next => match (args[0], self.store.object(args[0])) {
                (_, Some(Object::Iterator(..))) => self.next_of(args[0])?.unwrap_or_default(),
                (Value::Object(id), Some(Object::Channel(_))) => {
                    match self.next_received(task, id)? {
                        Ok(value) => value.unwrap_or_default(),
                        Err(waits) => return Ok(Flow::Wait(waits)),
                    }
                }
                (receiver, Some(Object::Instance(class, _))) => {
                    let next = self.method_of(*class, "next");
                    let next = next.ok_or(ErrorKind::TypeError)?;
                    let callee = self.frame_with(next, Some(receiver), &[])?;
                    return self.enter_frame(task, base, callee);
                }
                (receiver, Some(Object::Stream { .. })) => {
                    let next = self.library_method(receiver, "next");
                    let next = next.ok_or(ErrorKind::TypeError)?;
                    let callee = self.frame_with(next, Some(receiver), &[])?;
                    return self.enter_frame(task, base, callee);
                }
                _ => return Err(ErrorKind::TypeError.into()),
            },
            Builtin::Channel => self.new_channel(args[0])?,
            Builtin::Mutex => self.new_mutex(),
            Builtin::Weak => {
                let target = args[0];
                self.store.make_numbered(|id| Object::Weak { id, target })
            }
            Builtin::Finalizer => {
                self.add_finalizer(args[0], args[1])?;
                Value::Nil
            }
            Builtin::Chr => {
                let Value::Int(code) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                let code = u32::try_from(code).ok().and_then(char::from_u32);
                let code = code.ok_or(ErrorKind::IndexOutOfBounds)?;
                self.store.string(code.encode_utf8(&mut [0; 4]))
            }
            Builtin::Ord => {
                let text = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
                let first = text.chars().next().ok_or(ErrorKind::IndexOutOfBounds)?;
                Value::Int(i64::from(u32::from(first)))
            }
            Builtin::Floor
            | Builtin::Ceil
            | Builtin::Round
            | Builtin::Sqrt
            | Builtin::Pow
            | Builtin::Sin
            | Builtin::Cos
            | Builtin::Exp
            | Builtin::Ln
            | Builtin::Bits => self.calculate(builtin, args)?,
            Builtin::Now => Value::Int(self.now_ms() as i64),
            Builtin::RandomInt => {
                let (Value::Int(from), Value::Int(to)) = (args[0], args[1]) else {
                    return Err(ErrorKind::TypeError.into());
                };
                if from >= to {
                    return Err(ErrorKind::IndexOutOfBounds.into());
                }
                let range = to.wrapping_sub(from) as u64;
                Value::Int(from.wrapping_add((next_random(task) % range) as i64))
            }
            Builtin::RandomFloat => {
                Value::Float((next_random(task) >> 11) as f64 / (1u64 << 53) as f64)
            }
            Builtin::RandomSeed => {
                let Value::Int(seed) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                task.random = seed as u64;
                Value::Nil
            }
            // The harness starts programs without arguments.
            Builtin::Args => self.store.value(Object::Array(Vec::new())),
            Builtin::Unsettled => Value::Int(i64::from(self.open_now)),
            Builtin::Interrupt => {
                let signal = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
                let signal = signal.to_string();
                self.log.effects.interrupts.push(signal);
                Value::Nil
            }
            Builtin::Host => {
                self.before_waiting(task)?;
                let name = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
                let name = name.to_string();
                let data: Option<Vec<Data>> = args[1..]
                    .iter()
                    .map(|&argument| self.as_data(argument, DATA_LEVELS))
                    .collect();
                let data = data.ok_or(ErrorKind::TypeError)?;
                self.log.effects.host = Some((name, data));
                task.operation_register = base;
                flow = Flow::End(SliceEnd::Host);
                Value::Nil
            }
            Builtin::Locals => {
                if task.future.is_some() {
                    return Err(ErrorKind::HookError.into());
                }
                match task.locals {
                    Some(locals) => locals,
                    None => {
                        let locals = self.store.value(Object::Map(MapObject::default()));
                        *task.locals.insert(locals)
                    }
                }
            }
            Builtin::CheckWait => {
                self.before_waiting(task)?;
                Value::Nil
            }
            Builtin::NewStream => self.store.value(Object::Stream {
                source: args[0],
                is_taken: false,
            }),
            Builtin::StreamSource => {
                self.stream(args[0])?;
                self.log.note(EventKind::StreamNext, None);
                match self.store.object(args[0]) {
                    Some(Object::Stream { source, .. }) => *source,
                    _ => Value::Nil,
                }
            }
            Builtin::StreamEnd => {
                let id = self.stream(args[0])?;
                if let Object::Stream { source, is_taken } = self.store.get_mut(id) {
                    *source = Value::Nil;
                    // Nobody can use it from its start any more.
                    *is_taken = true;
                }
                Value::Nil
            }
            Builtin::StreamTake => {
                let id = self.stream(args[0])?;
                if let Object::Stream { is_taken, .. } = self.store.get_mut(id)
                    && std::mem::replace(is_taken, true)
                {
                    return Err(ErrorKind::StreamTaken.into());
                }
                Value::Nil
            }
            Builtin::NewNoMatch => {
                let message = self.no_match(args[0]);
                self.store
                    .error_saying(ErrorKind::NoMatch, &message, args[0])
            }
            Builtin::NewHookError => self.new_error(ErrorKind::HookError, args[0])?,
            Builtin::NewParseError => self.new_error(ErrorKind::ParseError, args[0])?,
        };
        set(task, base, result);
        Ok(flow)
    }

    /// `len(v)`; `None` for what has no length.
    pub(super) fn len(&self, value: Value) -> Outcome<Option<i64>> {
        let length = match self.store.object(value) {
            Some(Object::String(text)) => text.len() as i128,
            Some(Object::Array(elements)) => elements.len() as i128,
            Some(Object::Map(map)) => map.len() as i128,
            Some(Object::Range(from, to)) => (i128::from(*to) - i128::from(*from)).max(0),
            _ => return Ok(None),
        };
        match i64::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(ErrorKind::Overflow.into()),
        }
    }

    pub(super) fn type_name(&self, value: Value) -> String {
        if let Some(kind) = self.kind_of(value) {
            return kind.name().to_owned();
        }
        let name = match self.store.object(value) {
            Some(Object::Instance(class, _)) => {
                &self.loaded.program.classes[usize::from(*class)].name
            }
            Some(Object::Variant(variant, _)) => {
                let of = self.loaded.program.variants[usize::from(*variant)].of;
                &self.loaded.program.enums[usize::from(of)].name
            }
            _ => "iterator",
        };
        name.to_owned()
    }

    fn stream(&self, value: Value) -> Outcome<ObjectId> {
        match (value, self.store.object(value)) {
            (Value::Object(id), Some(Object::Stream { .. })) => Ok(id),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    fn new_error(&mut self, kind: ErrorKind, message: Value) -> Outcome<Value> {
        if self.store.text(message).is_none() {
            return Err(ErrorKind::TypeError.into());
        }
        Ok(self.store.value(Object::Error {
            kind,
            message,
            payload: Value::Nil,
        }))
    }

    fn to_int(&self, value: Value) -> Outcome<Value> {
        if let Some(text) = self.store.text(value) {
            let int = text.trim_matches(is_blank).parse();
            return Ok(Value::Int(int.map_err(|_| ErrorKind::ParseError)?));
        }
        match value {
            Value::Int(_) => Ok(value),
            Value::Float(float) => match exact_int(float.trunc()) {
                Some(int) => Ok(Value::Int(int)),
                None => Err(ErrorKind::Overflow.into()),
            },
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    fn to_float(&self, value: Value) -> Outcome<Value> {
        if let Some(text) = self.store.text(value) {
            let text = text.trim_matches(is_blank);
            let float = match text {
                "inf" => f64::INFINITY,
                "-inf" => f64::NEG_INFINITY,
                "nan" => f64::NAN,
                text if text.contains(|c: char| c.is_alphabetic() && !matches!(c, 'e' | 'E')) => {
                    return Err(ErrorKind::ParseError.into());
                }
                text => text.parse().map_err(|_| ErrorKind::ParseError)?,
            };
            return Ok(Value::Float(float));
        }
        match value {
            Value::Int(int) => Ok(Value::Float(int as f64)),
            Value::Float(_) => Ok(value),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    fn calculate(&self, builtin: Builtin, args: &[Value]) -> Outcome<Value> {
        if builtin == Builtin::Bits {
            return self.bits(args);
        }
        let number = |value: Value| match value {
            Value::Int(int) => Ok(int as f64),
            Value::Float(float) => Ok(float),
            _ => Err(Raise::from(ErrorKind::TypeError)),
        };
        let x = number(args[0])?;
        let is_int = matches!(args[0], Value::Int(_));
        Ok(match builtin {
            Builtin::Floor | Builtin::Ceil | Builtin::Round if is_int => args[0],
            Builtin::Floor => Value::Float(x.floor()),
            Builtin::Ceil => Value::Float(x.ceil()),
            Builtin::Round => Value::Float(x.round()),
            Builtin::Sqrt => Value::Float(x.sqrt()),
            Builtin::Sin => Value::Float(x.sin()),
            Builtin::Cos => Value::Float(x.cos()),
            Builtin::Exp => Value::Float(x.exp()),
            Builtin::Ln => Value::Float(x.ln()),
            Builtin::Pow => match (args[0], args[1]) {
                (Value::Int(base), Value::Int(exponent @ 0..)) => power(base, exponent)?,
                (_, exponent) => Value::Float(x.powf(number(exponent)?)),
            },
            _ => return Err(ErrorKind::Internal.into()),
        })
    }

    fn bits(&self, args: &[Value]) -> Outcome<Value> {
        let op = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
        let (Value::Int(a), Value::Int(b)) = (args[1], args[2]) else {
            return Err(ErrorKind::TypeError.into());
        };
        let count = b.rem_euclid(64) as u32;
        Ok(Value::Int(match &**op {
            "and" => a & b,
            "or" => a | b,
            "xor" => a ^ b,
            "shl" => a << count,
            "shr" => a >> count,
            _ => return Err(ErrorKind::TypeError.into()),
        }))
    }
}

/// An int to the power of another, by squaring.
fn power(base: i64, exponent: i64) -> Outcome<Value> {
    let (mut result, mut square, mut rest) = (1_i64, Some(base), exponent);
    while rest > 0 {
        let factor = match square {
            Some(factor) => factor,
            None => return Err(ErrorKind::Overflow.into()),
        };
        if rest % 2 == 1 {
            result = result.checked_mul(factor).ok_or(ErrorKind::Overflow)?;
        }
        square = factor.checked_mul(factor);
        rest /= 2;
    }
    Ok(Value::Int(result))
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn next_random(task: &mut Task) -> u64 {
    task.random = task.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = task.random;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
