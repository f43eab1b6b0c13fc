//! Forks for serving: a version whose globals are copies.
//!
//! The copy is made breadth first, for the new mutexes and weak references have their numbers
//! in that order; an array or map comes before what it holds by two steps, as in a heap where
//! that lies in an object of its own.

use std::collections::VecDeque;
use std::fmt::Write as _;

use rustc_hash::{FxHashMap, FxHashSet};

use super::map::{Key, MapObject};
use super::model::Model;
use super::value::{Mutex, Object, ObjectId, Value};
use crate::executor::trace::ForkRefusal;

/// Something whose parts are to be noted.
#[derive(Clone, Copy)]
enum Node {
    Object(ObjectId),
    /// What an array or map holds.
    Held(ObjectId),
}

impl Model<'_> {
    /// Forks a version for serving; the place of the fork among the versions.
    ///
    /// # Errors
    /// Why there is none. That memory runs out is for the engine to say.
    pub fn fork(&mut self, template: usize) -> Result<usize, ForkRefusal> {
        self.put_in_place(template);
        if self.loaded.frozen.contains(&false) {
            return Err(ForkRefusal::Initialising);
        }
        if let Some(path) = self.path_to_stream() {
            return Err(ForkRefusal::Stream(path));
        }
        // What is made when first used is there from the beginning, and the same for all.
        for function in 0..self.loaded.functions.len() as u16 {
            if self.loaded.program.functions[usize::from(function)]
                .captures
                .is_empty()
            {
                self.function(function);
            }
        }
        for variant in 0..self.loaded.variants.len() as u16 {
            if self.loaded.program.variants[usize::from(variant)].arity == 0 {
                self.variant(variant);
            }
        }
        let globals = self.loaded.globals.clone();
        let copies = self.copy_all(&globals, Self::is_forked);
        // A weak reference must not lead to what is the template's alone.
        for (&original, &copy) in &copies {
            if let Object::Weak {
                target: Value::Object(target),
                ..
            } = *self.store.get(original)
                && !copies.contains_key(&target)
                && (self.is_forked(target)
                    || matches!(self.store.get(target), Object::Stream { .. }))
                && let Object::Weak { target, .. } = self.store.get_mut(copy)
            {
                *target = Value::Nil;
            }
        }
        let part = |value: Value| copy_of(&copies, value);
        let mut fork = self.loaded.clone();
        fork.globals = globals.into_iter().map(part).collect();
        self.aside.push(Some(fork));
        Ok(self.aside.len() - 1)
    }

    /// Copies what roots lead to and `is_copied` says is copied: from each original to its copy.
    pub(super) fn copy_all(
        &mut self,
        roots: &[Value],
        is_copied: fn(&Self, ObjectId) -> bool,
    ) -> FxHashMap<ObjectId, ObjectId> {
        let order = self.copied_with(roots, is_copied);
        let mut copies: FxHashMap<ObjectId, ObjectId> = FxHashMap::default();
        for &original in &order {
            let copy = match self.store.get(original) {
                Object::Mutex(_) => self.store.make_numbered(|id| {
                    Object::Mutex(Mutex {
                        id,
                        holder: None,
                        version: 0,
                    })
                }),
                Object::Weak { target, .. } => {
                    let target = *target;
                    self.store.make_numbered(|id| Object::Weak { id, target })
                }
                other => {
                    let other = other.clone();
                    self.store.value(other)
                }
            };
            if let Value::Object(copy) = copy {
                copies.insert(original, copy);
            }
        }
        for original in order {
            self.link_copy(copies[&original], &copies);
        }
        copies
    }

    /// The objects that are copied, in order.
    fn copied_with(
        &self,
        roots: &[Value],
        is_copied: fn(&Self, ObjectId) -> bool,
    ) -> Vec<ObjectId> {
        let mut order = Vec::new();
        let mut met: FxHashSet<ObjectId> = FxHashSet::default();
        let mut work = VecDeque::new();
        let note = |value: Value,
                    order: &mut Vec<ObjectId>,
                    met: &mut FxHashSet<ObjectId>,
                    work: &mut VecDeque<Node>| {
            if let Value::Object(id) = value
                && is_copied(self, id)
                && met.insert(id)
            {
                order.push(id);
                work.push_back(Node::Object(id));
            }
        };
        for &root in roots {
            note(root, &mut order, &mut met, &mut work);
        }
        while let Some(node) = work.pop_front() {
            let parts = match node {
                Node::Object(id)
                    if matches!(self.store.get(id), Object::Array(_) | Object::Map(_)) =>
                {
                    work.push_back(Node::Held(id));
                    continue;
                }
                Node::Object(id) | Node::Held(id) => self.forked_parts(id),
            };
            for part in parts {
                note(part, &mut order, &mut met, &mut work);
            }
        }
        order
    }

    /// Whether a fork has a copy of an object, rather than the object.
    fn is_forked(&self, id: ObjectId) -> bool {
        match self.store.get(id) {
            Object::String(_)
            | Object::Range(..)
            | Object::Future(_)
            | Object::Channel(_)
            | Object::Stream { .. } => false,
            Object::Closure(_, cells) => !cells.is_empty(),
            Object::Variant(_, payload) => !payload.is_empty(),
            Object::Error { .. } => !self.is_no_memory(id),
            Object::Array(_)
            | Object::Map(_)
            | Object::Instance(..)
            | Object::Cell(_)
            | Object::Iterator(..)
            | Object::Bound(..)
            | Object::Mutex(_)
            | Object::Weak { .. } => true,
        }
    }

    fn forked_parts(&self, id: ObjectId) -> Vec<Value> {
        match self.store.get(id) {
            Object::Array(parts) | Object::Instance(_, parts) | Object::Variant(_, parts) => {
                parts.clone()
            }
            Object::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).collect(),
            Object::Closure(_, cells) => cells.iter().map(|&cell| Value::Object(cell)).collect(),
            Object::Cell(value) | Object::Bound(_, value) => vec![*value],
            Object::Iterator(over, _) => vec![Value::Object(*over)],
            Object::Error {
                message, payload, ..
            } => vec![*message, *payload],
            _ => Vec::new(),
        }
    }

    /// Makes a copy refer to copies.
    fn link_copy(&mut self, copy: ObjectId, copies: &FxHashMap<ObjectId, ObjectId>) {
        let part = |value: Value| copy_of(copies, value);
        let mut object = self.store.get(copy).clone();
        match &mut object {
            Object::Array(values) | Object::Instance(_, values) | Object::Variant(_, values) => {
                values.iter_mut().for_each(|value| *value = part(*value));
            }
            Object::Map(map) => {
                let entries: Vec<_> = map.positions().collect();
                *map = MapObject::default();
                for entry in entries {
                    match entry.map(|(key, value)| (part(key), part(value))) {
                        Some((key, value)) => {
                            if let Some(found) = Key::of(key, &self.store) {
                                map.set(found, key, value);
                            }
                        }
                        None => map.skip(),
                    }
                }
            }
            Object::Closure(_, cells) => {
                for cell in cells {
                    *cell = copies.get(cell).copied().unwrap_or(*cell);
                }
            }
            Object::Cell(value) | Object::Bound(_, value) => *value = part(*value),
            Object::Iterator(over, _) => *over = copies.get(over).copied().unwrap_or(*over),
            Object::Error {
                message, payload, ..
            } => {
                *message = part(*message);
                *payload = part(*payload);
            }
            Object::Weak { target, .. } => *target = part(*target),
            _ => {}
        }
        *self.store.get_mut(copy) = object;
    }

    /// The shortest way from a global to a stream, in words.
    fn path_to_stream(&self) -> Option<String> {
        let mut met: FxHashSet<ObjectId> = FxHashSet::default();
        let mut work = VecDeque::new();
        for (index, &value) in self.loaded.globals.iter().enumerate() {
            if let Value::Object(id) = value
                && met.insert(id)
            {
                work.push_back((id, self.loaded.program.globals[index].name.clone()));
            }
        }
        while let Some((id, path)) = work.pop_front() {
            if matches!(self.store.get(id), Object::Stream { .. }) {
                return Some(path);
            }
            for (label, value) in self.labelled_parts(id) {
                if let Value::Object(part) = value
                    && met.insert(part)
                {
                    work.push_back((part, format!("{path}{label}")));
                }
            }
        }
        None
    }

    /// The parts of an object, each with what a path says of it.
    fn labelled_parts(&self, id: ObjectId) -> Vec<(String, Value)> {
        let program = self.loaded.program;
        let indexed = |values: &mut dyn Iterator<Item = Value>| {
            let all = values.enumerate();
            all.map(|(at, value)| (format!("[{at}]"), value)).collect()
        };
        match self.store.get(id) {
            Object::Array(values) => indexed(&mut values.iter().copied()),
            Object::Channel(channel) => indexed(&mut channel.queue.iter().copied()),
            Object::Map(map) => map
                .iter()
                .flat_map(|(key, value)| {
                    let mut label = String::new();
                    let text = self.store.text(key);
                    let _ = match (text, key) {
                        (Some(text), _) => write!(label, "[{:?}]", &**text),
                        (None, Value::Int(int)) => write!(label, "[{int}]"),
                        (None, _) => write!(label, "[…]"),
                    };
                    [(".key".to_owned(), key), (label, value)]
                })
                .collect(),
            Object::Instance(class, fields) => {
                let names = &program.classes[usize::from(*class)].fields;
                let named = fields.iter().zip(names);
                named
                    .map(|(&value, name)| (format!(".{name}"), value))
                    .collect()
            }
            Object::Variant(_, payload) => {
                let all = payload.iter().enumerate();
                all.map(|(at, &value)| (format!(".{at}"), value)).collect()
            }
            Object::Closure(function, cells) => {
                let names = &program.functions[usize::from(*function)].capture_names;
                let captured = cells.iter().enumerate().map(|(at, &cell)| {
                    let label = match names.get(at) {
                        Some(name) => format!(".captured {name}"),
                        None => format!(".captured {at}"),
                    };
                    let value = match self.store.get(cell) {
                        Object::Cell(value) => *value,
                        _ => Value::Nil,
                    };
                    (label, value)
                });
                captured.collect()
            }
            Object::Bound(_, receiver) => vec![(".receiver".to_owned(), *receiver)],
            Object::Iterator(over, _) => vec![(".source".to_owned(), Value::Object(*over))],
            Object::Error { payload, .. } => vec![(".payload".to_owned(), *payload)],
            Object::Future(future) => {
                let payload = self.future(*future).map(|future| future.payload);
                vec![(".result".to_owned(), payload.unwrap_or_default())]
            }
            _ => Vec::new(),
        }
    }
}

fn copy_of(copies: &FxHashMap<ObjectId, ObjectId>, value: Value) -> Value {
    match value {
        Value::Object(id) => Value::Object(copies.get(&id).copied().unwrap_or(id)),
        other => other,
    }
}
