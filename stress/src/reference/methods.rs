//! Fields, elements, methods and iteration.

use gcrucible_bytecode::{ErrorKind, Method, Reg};

use super::machine::{Flow, Outcome, set};
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
                let at = self.field_at(*class, name).ok_or(ErrorKind::UnknownField)?;
                Ok(fields[at])
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

    fn field_at(&self, class: u16, name: &str) -> Option<usize> {
        let fields = &self.program.classes[usize::from(class)].fields;
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

    pub(super) fn new_iterator(&mut self, over: Value) -> Outcome<Value> {
        let Value::Object(id) = over else {
            return Err(ErrorKind::NotIterable.into());
        };
        let position = match self.store.get(id) {
            Object::Array(_) | Object::Map(_) => 0,
            Object::Range(from, _) => *from,
            _ => return Err(ErrorKind::NotIterable.into()),
        };
        Ok(self.store.value(Object::Iterator(id, position)))
    }

    /// The next element of an iterator.
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
            _ => None,
        };
        Ok(found.map(|(value, after)| {
            *self.store.get_mut(id) = Object::Iterator(over, after);
            value
        }))
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
            let at = self
                .field_at(*class, name)
                .ok_or(ErrorKind::UnknownMethod)?;
            let closure = fields[at];
            return self.enter(task, base, closure, args);
        }
        let method = Method::from_name(name).ok_or(ErrorKind::UnknownMethod)?;
        let object = self.store.get(id);
        if !has_method(object, method) {
            return Err(ErrorKind::UnknownMethod.into());
        }
        let (fewest, most) = method.arity();
        if args.len() < usize::from(fewest) || args.len() > usize::from(most) {
            return Err(ErrorKind::WrongArity.into());
        }
        let result = match object {
            Object::Array(_) => self.array_method(id, method, args)?,
            Object::Map(_) => self.map_method(id, method, args)?,
            Object::String(_) => self.string_method(id, method, args)?,
            // A range has `len` alone.
            _ => self.len(receiver).map(Value::Int).unwrap_or_default(),
        };
        set(task, base, result);
        Ok(Flow::Next)
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
            Method::Get | Method::Keys | Method::Values => {
                return Err(ErrorKind::UnknownMethod.into());
            }
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
            Method::Push | Method::Pop | Method::Insert | Method::Slice | Method::Join => {
                return Err(ErrorKind::UnknownMethod.into());
            }
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
            _ => return Err(ErrorKind::UnknownMethod.into()),
        })
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

fn has_method(object: &Object, method: Method) -> bool {
    use Method::{Clear, Get, Has, Insert, Join, Keys, Len, Pop, Push, Remove, Slice, Values};
    let methods: &[Method] = match object {
        Object::Array(_) => &[Push, Pop, Insert, Remove, Clear, Len, Has, Slice, Join],
        Object::Map(_) => &[Remove, Clear, Len, Has, Get, Keys, Values],
        Object::String(_) => &[Len, Has, Slice],
        Object::Range(..) => &[Len],
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
