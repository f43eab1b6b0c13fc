//! Methods of arrays, maps, ranges, channels and weak references.

use gcrucible_bytecode::{ErrorKind, Method, Reg};
use gcrucible_heap::{Checks, Kind, Slot, Value};

use crate::interpreter::{Context, Effects, Made, Stop, key};
use crate::stack::Registers;

/// Receiver and arguments of a call.
#[derive(Clone, Copy)]
pub(super) struct Call<'p, 'a> {
    pub(super) receiver: Value<'p>,
    args: &'a [Slot],
}

impl Call<'_, '_> {
    /// How many arguments there are.
    pub(super) fn count(self) -> usize {
        self.args.len()
    }
}

impl<'p, C: Checks> Context<'p, C> {
    /// Whether the machine has a method of that name for the receiver.
    #[inline(always)]
    pub(crate) fn has_builtin_method(&self, receiver: Value<'p>, name: u16) -> bool {
        match (self.m.kind(receiver), self.program.method(name)) {
            (Some(kind), Some(method)) => has_method(kind, method),
            _ => false,
        }
    }

    /// Calls the built-in method that string constant `name` names on the receiver in
    /// `base`, which has it.
    #[inline(never)]
    pub(crate) fn call_method(
        &self,
        registers: Registers<'_, C>,
        base: Reg,
        name: u16,
        argc: u8,
        effects: &mut Effects,
    ) -> Made<'p> {
        let receiver = registers.get(&self.m, base);
        let kind = self.m.kind(receiver);
        let (Some(kind), Some(method)) = (kind, self.program.method(name)) else {
            return Err(ErrorKind::UnknownMethod.into());
        };
        let (fewest, most) = method.arity();
        if argc < fewest || argc > most {
            return Err(ErrorKind::WrongArity.into());
        }
        let args = &registers.range(base, 1 + usize::from(argc))[1..];
        let call = Call { receiver, args };
        self.charge_method(kind, method, call);
        match (kind, method) {
            (_, Method::Len) => self
                .len(receiver)
                .unwrap_or(Err(ErrorKind::UnknownMethod.into())),
            (Kind::Array, _) => self.array_method(method, call),
            (Kind::Map, _) => self.map_method(method, call),
            (Kind::Channel, _) => self.channel_method(method, call, effects),
            (Kind::Weak, _) => Ok(self.m.weak_target(receiver).unwrap_or(Value::NIL)),
            _ => self.string_method(method, call),
        }
    }

    fn channel_method(
        &self,
        method: Method,
        call: Call<'p, '_>,
        effects: &mut Effects,
    ) -> Made<'p> {
        let channel = call.receiver;
        match method {
            Method::Send => {
                self.send(channel, self.arg(call, 0), effects)?;
                Ok(Value::NIL)
            }
            Method::TrySend => {
                let has_room = self.try_send(channel, self.arg(call, 0), effects)?;
                Ok(Value::bool(has_room))
            }
            Method::Receive => {
                let value = self.receive(channel, true, effects)?;
                value.ok_or(ErrorKind::ChannelClosed.into())
            }
            Method::TryReceive => {
                let value = self.receive(channel, false, effects)?;
                Ok(value.unwrap_or(Value::NIL))
            }
            _ => {
                if self.m.channel_close(channel) == Some(true) {
                    effects.note_change(self, channel);
                }
                Ok(Value::NIL)
            }
        }
    }

    pub(super) fn arg(&self, call: Call<'p, '_>, index: usize) -> Value<'p> {
        self.m.load_root(&call.args[index])
    }

    fn array_method(&self, method: Method, call: Call<'p, '_>) -> Made<'p> {
        let array = call.receiver;
        let out_of_bounds = || ErrorKind::IndexOutOfBounds.into();
        match method {
            Method::Push => {
                self.m.array_push(array, self.arg(call, 0))?;
                Ok(Value::NIL)
            }
            Method::Pop => self.m.array_pop(array).ok_or_else(out_of_bounds),
            Method::Insert => {
                let index = self.index(self.arg(call, 0))?;
                let index = index.ok_or(ErrorKind::IndexOutOfBounds)?;
                if self.m.array_insert(array, index, self.arg(call, 1))? {
                    Ok(Value::NIL)
                } else {
                    Err(out_of_bounds())
                }
            }
            Method::Remove => {
                let index = self.index(self.arg(call, 0))?;
                let removed = index.and_then(|index| self.m.array_remove(array, index));
                removed.ok_or_else(out_of_bounds)
            }
            Method::Clear => {
                self.m.array_clear(array);
                Ok(Value::NIL)
            }
            Method::Has => {
                let index = self.array_search(array, self.arg(call, 0))?;
                Ok(Value::bool(!index.is_nil()))
            }
            Method::Slice => {
                let len = self.m.array_len(array).unwrap_or(0);
                let (from, to) = self.bounds(call, len as usize)?;
                self.array_part(array, from as u32, to as u32)
            }
            Method::Join => self.join(call),
            Method::Extend => self.extended(array, self.arg(call, 0)),
            Method::Fill => {
                let value = self.arg(call, 0);
                self.over_range(array, |from, to| {
                    self.m.array_fill_range(array, value, from, to);
                })
            }
            Method::Reverse => {
                let count = self.m.array_len(array).unwrap_or(0);
                self.over_range(array, |from, to| {
                    self.m.array_swap_range(array, count, from, to);
                })
            }
            Method::IndexOf => self.array_search(array, self.arg(call, 0)),
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    fn map_method(&self, method: Method, call: Call<'p, '_>) -> Made<'p> {
        let map = call.receiver;
        match method {
            Method::Remove => {
                let removed = self.m.map_remove(map, key(self.arg(call, 0))?);
                Ok(removed.unwrap_or(Value::NIL))
            }
            Method::Clear => {
                self.m.map_clear(map);
                Ok(Value::NIL)
            }
            Method::Has => {
                let has = self.m.map_get(map, key(self.arg(call, 0))?).is_some();
                Ok(Value::bool(has))
            }
            Method::Get => match self.m.map_get(map, key(self.arg(call, 0))?) {
                Some(value) => Ok(value),
                None if call.args.len() == 2 => Ok(self.arg(call, 1)),
                None => Ok(Value::NIL),
            },
            Method::Keys => self.map_entries(map, true),
            Method::Values => self.map_entries(map, false),
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    pub(crate) fn elements(&self, array: Value<'p>) -> impl Iterator<Item = Value<'p>> {
        let mut index = 0;
        std::iter::from_fn(move || {
            index += 1;
            self.m.array_get(array, index - 1)
        })
    }

    /// The arguments of `slice`: in order and within `len`.
    pub(super) fn bounds(
        &self,
        call: Call<'p, '_>,
        len: usize,
    ) -> Result<(usize, usize), Stop<'p>> {
        let bound = |index: usize| {
            let bound = self
                .index(self.arg(call, index))?
                .map(|bound| bound as usize);
            let bound = bound.filter(|&bound| bound <= len);
            bound.ok_or(Stop::from(ErrorKind::IndexOutOfBounds))
        };
        match (bound(0)?, bound(1)?) {
            (from, to) if from <= to => Ok((from, to)),
            _ => Err(ErrorKind::IndexOutOfBounds.into()),
        }
    }

    fn join(&self, call: Call<'p, '_>) -> Made<'p> {
        let separator = self.arg(call, 0);
        let separator = self.m.text(separator).ok_or(ErrorKind::TypeError)?;
        let get = |index| self.m.array_get(call.receiver, index);
        self.show(separator, get, |text, copied, units| {
            self.copied(text, copied, units)
        })
    }
}

/// Whether objects of this kind have the method.
fn has_method(kind: Kind, method: Method) -> bool {
    match method {
        Method::Push
        | Method::Pop
        | Method::Insert
        | Method::Join
        | Method::Extend
        | Method::Fill
        | Method::Reverse => kind == Kind::Array,
        Method::Get | Method::Keys | Method::Values => kind == Kind::Map,
        Method::Remove | Method::Clear => matches!(kind, Kind::Array | Kind::Map),
        Method::Has => matches!(kind, Kind::Array | Kind::Map | Kind::String),
        Method::Slice | Method::IndexOf => matches!(kind, Kind::Array | Kind::String),
        Method::Len => matches!(kind, Kind::Array | Kind::Map | Kind::String | Kind::Range),
        Method::Upper
        | Method::Lower
        | Method::Trim
        | Method::Split
        | Method::Replace
        | Method::StartsWith
        | Method::EndsWith
        | Method::Repeat => kind == Kind::String,
        Method::Send | Method::Receive | Method::TrySend | Method::TryReceive | Method::Close => {
            kind == Kind::Channel
        }
        Method::Target => kind == Kind::Weak,
    }
}
