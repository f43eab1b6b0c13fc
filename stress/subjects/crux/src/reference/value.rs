//! Values, objects and the store that holds all objects.

use std::collections::VecDeque;
use std::rc::Rc;

use gcrucible_bytecode::ErrorKind;
use rustc_hash::FxHashMap;

use super::map::MapObject;

/// A value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value {
    /// nil
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// An object; two values with the same number are the same object.
    Object(ObjectId),
}

impl Value {
    /// Everything but `false` and nil.
    pub fn is_truthy(self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }
}

/// Number of an object: its index in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(u32);

impl ObjectId {
    /// The number.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An object.
#[derive(Clone, Debug)]
pub enum Object {
    /// A string; strings are compared by content, never by number.
    String(Rc<str>),
    /// An array.
    Array(Vec<Value>),
    /// A map.
    Map(MapObject),
    /// Start and end.
    Range(i64, i64),
    /// Class and fields.
    Instance(u16, Vec<Value>),
    /// Function and captured cells.
    Closure(u16, Vec<ObjectId>),
    /// A captured variable.
    Cell(Value),
    /// An error.
    Error {
        /// What went wrong.
        kind: ErrorKind,
        /// A string.
        message: Value,
        /// Anything.
        payload: Value,
    },
    /// The future with this id; its state is in the model.
    Future(u64),
    /// What it goes over and its position: the next index of an array, the next entry of
    /// a map, the next int of a range, the next byte of a string.
    Iterator(ObjectId, i64),
    /// Variant and payload.
    Variant(u16, Vec<Value>),
    /// Function of a method and its receiver.
    Bound(u16, Value),
    /// A channel.
    Channel(Channel),
    /// A mutex.
    Mutex(Mutex),
    /// A stream.
    Stream {
        /// The function it draws from; nil when it has ended.
        source: Value,
        /// Whether somebody goes over it already.
        is_taken: bool,
    },
    /// A weak reference.
    Weak {
        /// Its number among channels, mutexes and weak references.
        id: u64,
        /// What it refers to; nil when that was collected.
        target: Value,
    },
}

impl Object {
    /// Whether an object of the heap is its own, and dies when nothing leads to it: what is
    /// shared unseen, or made with the program, is not.
    pub(super) fn dies_singly(&self) -> bool {
        match self {
            Object::Array(_) | Object::Map(_) | Object::Instance(..) => true,
            Object::Variant(_, parts) => !parts.is_empty(),
            Object::Closure(_, captures) => !captures.is_empty(),
            _ => false,
        }
    }
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its number among channels, mutexes and weak references.
    pub id: u64,
    /// Values that it holds at most.
    pub capacity: usize,
    /// Whether it takes no more.
    pub is_closed: bool,
    /// The oldest value first.
    pub queue: VecDeque<Value>,
    /// How often it changed.
    pub version: u64,
}

/// A mutex.
#[derive(Clone, Debug)]
pub struct Mutex {
    /// Its number among channels, mutexes and weak references.
    pub id: u64,
    /// The task that holds it.
    pub holder: Option<u32>,
    /// How often it changed.
    pub version: u64,
}

/// All objects that were ever made.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: Vec<Object>,
    /// Channels, mutexes and weak references so far.
    numbered: Vec<ObjectId>,
    /// How often those objects were changed that somebody watches.
    watched: FxHashMap<ObjectId, u32>,
}

impl Store {
    /// A store without objects.
    pub fn new() -> Self {
        Self {
            objects: Vec::with_capacity(256),
            numbered: Vec::new(),
            watched: FxHashMap::default(),
        }
    }

    /// Counts the changes of an object from now on. Gives how many there were.
    pub fn watch(&mut self, id: ObjectId) -> u32 {
        *self.watched.entry(id).or_default()
    }

    /// How often an object was changed that is watched.
    pub fn changes(&self, id: ObjectId) -> u32 {
        self.watched.get(&id).copied().unwrap_or_default()
    }

    /// Makes a channel, mutex or weak reference, given its number.
    pub fn make_numbered(&mut self, object: impl FnOnce(u64) -> Object) -> Value {
        let number = self.numbered.len() as u64 + 1;
        let id = self.make(object(number));
        self.numbered.push(id);
        Value::Object(id)
    }

    /// The channel, mutex or weak reference of that number.
    pub fn numbered(&self, number: u64) -> Option<ObjectId> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.numbered.get(at).copied()
    }

    /// All weak references: object, number, target.
    pub fn weak(&self) -> impl Iterator<Item = (ObjectId, u64, Value)> {
        let numbered = (1..).zip(&self.numbered);
        numbered.filter_map(|(number, &id)| match *self.get(id) {
            Object::Weak { target, .. } if target != Value::Nil => Some((id, number, target)),
            _ => None,
        })
    }

    /// Makes an object.
    ///
    /// # Panics
    /// With more than 2^32 objects.
    pub fn make(&mut self, object: Object) -> ObjectId {
        let id =
            u32::try_from(self.objects.len()).expect("the store holds fewer than 2^32 objects");
        self.objects.push(object);
        ObjectId(id)
    }

    /// Makes an object and gives it as a value.
    pub fn value(&mut self, object: Object) -> Value {
        Value::Object(self.make(object))
    }

    /// Makes a string.
    pub fn string(&mut self, text: &str) -> Value {
        self.value(Object::String(Rc::from(text)))
    }

    /// Whether a value is an error that is a cancellation, or has one as its payload, or as
    /// the payload of that, and so on.
    pub fn wraps_cancellation(&self, error: Value) -> bool {
        let mut value = error;
        while let Some(Object::Error { kind, payload, .. }) = self.object(value) {
            if *kind == ErrorKind::Cancelled {
                return true;
            }
            value = *payload;
        }
        false
    }

    /// Makes an error as the machine raises it.
    pub fn error(&mut self, kind: ErrorKind, payload: Value) -> Value {
        self.error_saying(kind, kind.message(), payload)
    }

    /// Makes an error with a message of its own.
    pub fn error_saying(&mut self, kind: ErrorKind, message: &str, payload: Value) -> Value {
        let message = self.string(message);
        self.value(Object::Error {
            kind,
            message,
            payload,
        })
    }

    /// An object.
    pub fn get(&self, id: ObjectId) -> &Object {
        &self.objects[id.0 as usize]
    }

    /// An object, to be changed.
    pub fn get_mut(&mut self, id: ObjectId) -> &mut Object {
        if !self.watched.is_empty()
            && let Some(changes) = self.watched.get_mut(&id)
        {
            *changes += 1;
        }
        &mut self.objects[id.0 as usize]
    }

    /// The object that a value names, if it names one.
    pub fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(id) => Some(self.get(id)),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self, value: Value) -> Option<&Rc<str>> {
        match self.object(value) {
            Some(Object::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The object that was made after so many others.
    pub fn at(&self, index: usize) -> ObjectId {
        ObjectId(index as u32)
    }

    /// How many objects were made.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether no object was made yet.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}
