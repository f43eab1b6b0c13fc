//! Fields, elements, methods and iteration.

use gcrucible_bytecode::{ErrorKind, Method, Reg};

use super::machine::{Flow, Outcome, Raise, set};
use super::map::{Key, MapObject};
use super::model::Model;
use super::task::Task;
use super::value::{Object, ObjectId, Value};

impl Model<'_> {
    pub(super) fn new_map(&mut self, pairs: &[Value]) -> Outcome<Value> {
        let mut map = MapObject::default();
        for pair in pairs.chunks_exact(2) {
            let key = self.key(pair[0])?;
            map.set(key, pair[0], pair[1]);
        }
        Ok(self.store.value(Object::Map(map)))
    }

    fn key(&self, value: Value) -> Outcome<Key> {
        Key::of(value, &self.store).ok_or(ErrorKind::InvalidKey.into())
    }

    pub(super) fn get_field(&mut self, object: Value, name: &str) -> Outcome<Value> {
        match self.store.object(object) {
            Some(Object::Instance(class, fields)) => {
                if let Some(at) = self.field_at(*class, name) {
                    return Ok(fields[at]);
                }
                let method = self.method_of(*class, name);
                let method = method.ok_or(ErrorKind::UnknownField)?;
                Ok(self.store.value(Object::Bound(method, object)))
            }
            Some(&Object::Error {
                kind,
                message,
                payload,
            }) => match name {
                "kind" => Ok(self.store.string(kind.name())),
                "message" => Ok(message),
                "payload" => Ok(payload),
                _ => Err(ErrorKind::UnknownField.into()),
            },
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    pub(super) fn set_field(&mut self, object: Value, name: &str, value: Value) -> Outcome<()> {
        let Value::Object(id) = object else {
            return Err(ErrorKind::TypeError.into());
        };
        let Object::Instance(class, _) = *self.store.get(id) else {
            return Err(ErrorKind::TypeError.into());
        };
        let at = self.field_at(class, name).ok_or(ErrorKind::UnknownField)?;
        if let Object::Instance(_, fields) = self.store.get_mut(id) {
            fields[at] = value;
        }
        Ok(())
    }

    pub(super) fn field_at(&self, class: u16, name: &str) -> Option<usize> {
        let fields = &self.loaded.program.classes[usize::from(class)].fields;
        fields.iter().position(|field| field == name)
    }

    pub(super) fn get_index(&mut self, object: Value, index: Value) -> Outcome<Value> {
        match self.store.object(object) {
            Some(Object::Array(elements)) => {
                let Value::Int(index) = index else {
                    return Err(ErrorKind::TypeError.into());
                };
                element(elements, index).ok_or(ErrorKind::IndexOutOfBounds.into())
            }
            Some(Object::Map(map)) => {
                let key = self.key(index)?;
                Ok(map.get(&key).unwrap_or_default())
            }
            Some(Object::String(text)) => {
                let Value::Int(index) = index else {
                    return Err(ErrorKind::TypeError.into());
                };
                let from = usize::try_from(index).map_err(|_| ErrorKind::IndexOutOfBounds)?;
                let rest = text.get(from..).ok_or(ErrorKind::IndexOutOfBounds)?;
                let c = rest.chars().next().ok_or(ErrorKind::IndexOutOfBounds)?;
                Ok(self.store.string(c.encode_utf8(&mut [0; 4])))
            }
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    pub(super) fn set_index(&mut self, object: Value, index: Value, value: Value) -> Outcome<()> {
        let Value::Object(id) = object else {
            return Err(ErrorKind::TypeError.into());
        };
        match self.store.get(id) {
            Object::Array(_) => {
                let Value::Int(index) = index else {
                    return Err(ErrorKind::TypeError.into());
                };
                let elements = self.array_mut(id);
                let at = usize::try_from(index).map_err(|_| ErrorKind::IndexOutOfBounds)?;
                *elements.get_mut(at).ok_or(ErrorKind::IndexOutOfBounds)? = value;
            }
            Object::Map(_) => {
                let key = self.key(index)?;
                self.map_mut(id).set(key, index, value);
            }
            _ => return Err(ErrorKind::TypeError.into()),
        }
        Ok(())
    }

    /// What a loop over a value keeps.
    pub(super) fn new_iterator(&mut self, over: Value) -> Outcome<Value> {
        let Value::Object(id) = over else {
            return Err(ErrorKind::NotIterable.into());
        };
        // What is gone over has not changed by that, but for a stream.
        match self.store.get(id) {
            Object::Channel(_) => Ok(over),
            Object::Stream { is_taken: true, .. } => Err(ErrorKind::StreamTaken.into()),
            Object::Stream { .. } => {
                if let Object::Stream { is_taken, .. } = self.store.get_mut(id) {
                    *is_taken = true;
                }
                Ok(over)
            }
            Object::Instance(class, _) if self.method_of(*class, "next").is_some() => Ok(over),
            _ => self
                .iterator_over(over)
                .ok_or(ErrorKind::NotIterable.into()),
        }
    }

    /// An iterator over an array, map, range or string; an iterator itself.
    pub(super) fn iterator_over(&mut self, over: Value) -> Option<Value> {
        let Value::Object(id) = over else {
            return None;
        };
        let position = match self.store.get(id) {
            Object::Array(_) | Object::Map(_) | Object::String(_) => 0,
            Object::Range(from, _) => *from,
            Object::Iterator(..) => return Some(over),
            _ => return None,
        };
        Some(self.store.value(Object::Iterator(id, position)))
    }

    /// The next element of an iterator; an error if it is none.
    pub(super) fn next_of(&mut self, iterator: Value) -> Outcome<Option<Value>> {
        let Value::Object(id) = iterator else {
            return Err(ErrorKind::Internal.into());
        };
        let Object::Iterator(over, position) = *self.store.get(id) else {
            return Err(ErrorKind::Internal.into());
        };
        let found = match self.store.get(over) {
            Object::Array(elements) => element(elements, position).map(|v| (v, position + 1)),
            Object::Map(map) => map
                .key_from(position as usize)
                .map(|(key, after)| (key, after as i64)),
            Object::Range(_, to) if position < *to => Some((Value::Int(position), position + 1)),
            Object::String(text) => {
                let rest = text.get(position as usize..).unwrap_or_default();
                rest.chars().next().map(|c| {
                    let text = self.store.string(c.encode_utf8(&mut [0; 4]));
                    (text, position + c.len_utf8() as i64)
                })
            }
            _ => None,
        };
        Ok(found.map(|(value, after)| {
            *self.store.get_mut(id) = Object::Iterator(over, after);
            value
        }))
    }

    /// The head of a loop at `at` over what [`Model::new_iterator`] gave.
    pub(super) fn next_or_jump(
        &mut self,
        task: &mut Task,
        dst: Reg,
        iterator: Value,
        at: usize,
        target: usize,
    ) -> Outcome<Flow> {
        let Value::Object(id) = iterator else {
            return Err(ErrorKind::Internal.into());
        };
        let next = match self.store.get(id) {
            Object::Instance(class, _) => self
                .method_of(*class, "next")
                .ok_or(Raise::from(ErrorKind::Internal))?,
            Object::Stream { .. } => self
                .library_method(iterator, "next")
                .ok_or(Raise::from(ErrorKind::Internal))?,
            Object::Channel(_) => {
                return Ok(match self.next_received(task, id)? {
                    Ok(Some(value)) => {
                        set(task, dst, value);
                        Flow::Goto(at + 2)
                    }
                    Ok(None) => Flow::Goto(target),
                    Err(waits) => Flow::Wait(waits),
                });
            }
            _ => {
                return Ok(match self.next_of(iterator)? {
                    Some(value) => {
                        set(task, dst, value);
                        Flow::Goto(at + 2)
                    }
                    None => Flow::Goto(target),
                });
            }
        };
        let callee = self.frame_with(next, Some(iterator), &[])?;
        self.enter_frame(task, dst, callee)
    }

    /// Calls a method, or the closure in a field of an instance.
    pub(super) fn call_method(
        &mut self,
        task: &mut Task,
        base: Reg,
        name: &str,
        args: &[Value],
    ) -> Outcome<Flow> {
        let receiver = task
            .frames
            .last()
            .expect("a task that runs has a frame")
            .registers[usize::from(base)];
        let Value::Object(id) = receiver else {
            return Err(ErrorKind::UnknownMethod.into());
        };
        if let Object::Instance(class, fields) = self.store.get(id) {
            if let Some(method) = self.method_of(*class, name) {
                let callee = self.frame_with(method, Some(receiver), args)?;
                return self.enter_frame(task, base, callee);
            }
            let at = self
                .field_at(*class, name)
                .ok_or(ErrorKind::UnknownMethod)?;
            let closure = fields[at];
            return self.enter(task, base, closure, args);
        }
        let object = self.store.get(id);
        let method = Method::from_name(name).filter(|&method| has_method(object, method));
        let Some(method) = method else {
            let function = self.library_method(receiver, name);
            let function = function.ok_or(ErrorKind::UnknownMethod)?;
            let callee = self.frame_with(function, Some(receiver), args)?;
            return self.enter_frame(task, base, callee);
        };
        let (fewest, most) = method.arity();
        if args.len() < usize::from(fewest) || args.len() > usize::from(most) {
            return Err(ErrorKind::WrongArity.into());
        }
        let result = match object {
            Object::Array(_) => self.array_method(id, method, args)?,
            Object::Map(_) => self.map_method(id, method, args)?,
            Object::String(_) => self.string_method(id, method, args)?,
            Object::Channel(_) => return self.channel_method(task, base, id, method, args),
            Object::Weak { target, .. } => *target,
            // A range has `len` alone.
            _ => self.len(receiver)?.map(Value::Int).unwrap_or_default(),
        };
        set(task, base, result);
        Ok(Flow::Next)
    }

    /// The method that the machine itself has for a value.
    pub(super) fn own_method(&self, receiver: Value, name: &str) -> Option<Method> {
        let object = self.store.object(receiver)?;
        Method::from_name(name).filter(|&method| has_method(object, method))
    }

    fn array_method(&mut self, id: ObjectId, method: Method, args: &[Value]) -> Outcome<Value> {
        let length = self.array(id).len();
        Ok(match method {
            Method::Push => {
                self.array_mut(id).push(args[0]);
                Value::Nil
            }
            Method::Pop => self
                .array_mut(id)
                .pop()
                .ok_or(ErrorKind::IndexOutOfBounds)?,
            Method::Insert => {
                let at = bounded(args[0], length)?;
                self.array_mut(id).insert(at, args[1]);
                Value::Nil
            }
            Method::Remove => {
                let at = bounded(args[0], length)?;
                if at == length {
                    return Err(ErrorKind::IndexOutOfBounds.into());
                }
                self.array_mut(id).remove(at)
            }
            Method::Clear => {
                self.array_mut(id).clear();
                Value::Nil
            }
            Method::Len => Value::Int(length as i64),
            Method::Has => Value::Bool(
                self.array(id)
                    .iter()
                    .any(|&value| self.equals(value, args[0])),
            ),
            Method::Slice => {
                let (from, to) = (bounded(args[0], length)?, bounded(args[1], length)?);
                let part = self
                    .array(id)
                    .get(from..to)
                    .ok_or(ErrorKind::IndexOutOfBounds)?;
                let part = part.to_vec();
                self.store.value(Object::Array(part))
            }
            Method::Join => {
                let between = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
                let texts: Vec<String> = self
                    .array(id)
                    .iter()
                    .map(|&value| self.display(value))
                    .collect();
                let joined = texts.join(between);
                self.store.string(&joined)
            }
            Method::Extend => {
                let Value::Object(other) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                let Object::Array(other) = self.store.get(other) else {
                    return Err(ErrorKind::TypeError.into());
                };
                let other = other.clone();
                self.array_mut(id).extend(other);
                Value::Nil
            }
            Method::Fill => {
                self.array_mut(id).fill(args[0]);
                Value::Nil
            }
            Method::Reverse => {
                self.array_mut(id).reverse();
                Value::Nil
            }
            Method::IndexOf => {
                let mut elements = self.array(id).iter();
                let at = elements.position(|&value| self.equals(value, args[0]));
                at.map_or(Value::Nil, |at| Value::Int(at as i64))
            }
            _ => return Err(ErrorKind::UnknownMethod.into()),
        })
    }

    fn map_method(&mut self, id: ObjectId, method: Method, args: &[Value]) -> Outcome<Value> {
        Ok(match method {
            Method::Remove => {
                let key = self.key(args[0])?;
                self.map_mut(id).remove(&key).unwrap_or_default()
            }
            Method::Clear => {
                self.map_mut(id).clear();
                Value::Nil
            }
            Method::Len => Value::Int(self.map(id).len() as i64),
            Method::Has => {
                let key = self.key(args[0])?;
                Value::Bool(self.map(id).get(&key).is_some())
            }
            Method::Get => {
                let key = self.key(args[0])?;
                let absent = args.get(1).copied().unwrap_or_default();
                self.map(id).get(&key).unwrap_or(absent)
            }
            Method::Keys => {
                let keys = self.map(id).iter().map(|(key, _)| key).collect();
                self.store.value(Object::Array(keys))
            }
            Method::Values => {
                let values = self.map(id).iter().map(|(_, value)| value).collect();
                self.store.value(Object::Array(values))
            }
            _ => return Err(ErrorKind::UnknownMethod.into()),
        })
    }

    fn string_method(&mut self, id: ObjectId, method: Method, args: &[Value]) -> Outcome<Value> {
        let Object::String(text) = self.store.get(id).clone() else {
            return Err(ErrorKind::UnknownMethod.into());
        };
        Ok(match method {
            Method::Len => Value::Int(text.len() as i64),
            Method::Has => {
                let part = self.store.text(args[0]).ok_or(ErrorKind::TypeError)?;
                Value::Bool(text.contains(&**part))
            }
            Method::Slice => {
                let (from, to) = (bounded(args[0], text.len())?, bounded(args[1], text.len())?);
                // `get` refuses what does not lie on character starts.
                let part = text.get(from..to).ok_or(ErrorKind::IndexOutOfBounds)?;
                self.store.string(part)
            }
            Method::IndexOf => {
                let part = self.part(args[0])?;
                text.find(&*part)
                    .map_or(Value::Nil, |at| Value::Int(at as i64))
            }
            Method::Upper => self.store.string(&text.to_ascii_uppercase()),
            Method::Lower => self.store.string(&text.to_ascii_lowercase()),
            Method::Trim => self.store.string(text.trim_matches(is_blank)),
            Method::Split => {
                let by = self.part(args[0])?;
                let parts: Vec<Value> = if by.is_empty() {
                    let mut buffer = [0; 4];
                    let each = text.chars();
                    each.map(|c| self.store.string(c.encode_utf8(&mut buffer)))
                        .collect()
                } else {
                    text.split(&*by).map(|p| self.store.string(p)).collect()
                };
                self.store.value(Object::Array(parts))
            }
            Method::Replace => {
                let (from, to) = (self.part(args[0])?, self.part(args[1])?);
                match from.is_empty() {
                    true => Value::Object(id),
                    false => self.store.string(&text.replace(&*from, &to)),
                }
            }
            Method::StartsWith => Value::Bool(text.starts_with(&*self.part(args[0])?)),
            Method::EndsWith => Value::Bool(text.ends_with(&*self.part(args[0])?)),
            Method::Repeat => {
                let Value::Int(times) = args[0] else {
                    return Err(ErrorKind::TypeError.into());
                };
                let times = usize::try_from(times).map_err(|_| ErrorKind::IndexOutOfBounds)?;
                self.store.string(&text.repeat(times))
            }
            _ => return Err(ErrorKind::UnknownMethod.into()),
        })
    }

    fn part(&self, value: Value) -> Outcome<std::rc::Rc<str>> {
        let text = self.store.text(value).ok_or(ErrorKind::TypeError)?;
        Ok(std::rc::Rc::clone(text))
    }

    fn array(&self, id: ObjectId) -> &Vec<Value> {
        match self.store.get(id) {
            Object::Array(elements) => elements,
            other => panic!("{other:?} is no array"),
        }
    }

    fn array_mut(&mut self, id: ObjectId) -> &mut Vec<Value> {
        match self.store.get_mut(id) {
            Object::Array(elements) => elements,
            other => panic!("{other:?} is no array"),
        }
    }

    fn map(&self, id: ObjectId) -> &MapObject {
        match self.store.get(id) {
            Object::Map(map) => map,
            other => panic!("{other:?} is no map"),
        }
    }

    fn map_mut(&mut self, id: ObjectId) -> &mut MapObject {
        match self.store.get_mut(id) {
            Object::Map(map) => map,
            other => panic!("{other:?} is no map"),
        }
    }
}

/// What [`Method::Trim`] takes away.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn has_method(object: &Object, method: Method) -> bool {
    use Method::*;
    let methods: &[Method] = match object {
        Object::Array(_) => &[
            Push, Pop, Insert, Remove, Clear, Len, Has, Slice, Join, Extend, Fill, Reverse, IndexOf,
        ],
        Object::Map(_) => &[Remove, Clear, Len, Has, Get, Keys, Values],
        Object::String(_) => &[
            Len, Has, Slice, IndexOf, Upper, Lower, Trim, Split, Replace, StartsWith, EndsWith,
            Repeat,
        ],
        Object::Range(..) => &[Len],
        Object::Channel(_) => &[Send, Receive, TrySend, TryReceive, Close],
        Object::Weak { .. } => &[Target],
        _ => &[],
    };
    methods.contains(&method)
}

fn element(elements: &[Value], index: i64) -> Option<Value> {
    elements.get(usize::try_from(index).ok()?).copied()
}

/// An index up to and including the length.
fn bounded(index: Value, length: usize) -> Outcome<usize> {
    let Value::Int(index) = index else {
        return Err(ErrorKind::TypeError.into());
    };
    match usize::try_from(index) {
        Ok(index) if index <= length => Ok(index),
        _ => Err(ErrorKind::IndexOutOfBounds.into()),
    }
}
