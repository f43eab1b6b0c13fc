//! The reference model of heap operations: objects in a list, nothing moves, nothing dies.

use std::collections::VecDeque;

use gcrucible_heap::StreamState;

/// A value of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Object(u32),
}

/// State of a future of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Pending,
    Ready,
    Error,
}

/// Entries of a map, with the numbers by which a walk knows its place: each insertion has the next
/// one, whatever was removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries {
    pairs: Vec<(Value, Value)>,
    numbers: Vec<u64>,
    inserted: u64,
}

impl Entries {
    pub(super) fn push(&mut self, key: Value, value: Value) {
        self.pairs.push((key, value));
        self.numbers.push(self.inserted);
        self.inserted += 1;
    }

    pub(super) fn remove(&mut self, at: usize) -> (Value, Value) {
        self.numbers.remove(at);
        self.pairs.remove(at)
    }

    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.numbers.clear();
    }

    /// The first value at or behind a place, and the place behind it.
    fn next(&self, place: u64) -> Option<(Value, u64)> {
        let at = self.numbers.iter().position(|&number| number >= place)?;
        Some((self.pairs[at].1, self.numbers[at] + 1))
    }
}

impl std::ops::Deref for Entries {
    type Target = [(Value, Value)];

    fn deref(&self) -> &Self::Target {
        &self.pairs
    }
}

impl std::ops::DerefMut for Entries {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.pairs
    }
}

/// An object of the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    BigInt(i64),
    String(u8, u16),
    Array(Vec<Value>),
    Map(Entries),
    Instance(Vec<Value>),
    Enum([Value; 2]),
    Cell(Value),
    Closure([Value; 2]),
    Bound([Value; 2]),
    /// What it goes over, and where it is.
    Iterator(Value, u64),
    Error(Value),
    Unscheduled([Value; 2]),
    Future {
        id: u64,
        state: Settled,
        payload: Value,
    },
    Channel {
        id: u64,
        version: u64,
        capacity: usize,
        is_closed: bool,
        values: Vec<Value>,
    },
    Mutex {
        id: u64,
        version: u64,
        holder: Option<u32>,
    },
    Stream {
        state: StreamState,
        source: Value,
    },
    Weak {
        id: u64,
        target: Value,
    },
}

impl Object {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Object::BigInt(_) => "boxed int",
            Object::String(..) => "string",
            Object::Array(_) => "array",
            Object::Map(_) => "map",
            Object::Instance(_) => "instance",
            Object::Enum(_) => "enum",
            Object::Cell(_) => "cell",
            Object::Closure(_) => "closure",
            Object::Bound(_) => "bound method",
            Object::Iterator(..) => "iterator",
            Object::Error(_) => "error",
            Object::Unscheduled(_) => "unscheduled future",
            Object::Future { .. } => "future",
            Object::Channel { .. } => "channel",
            Object::Mutex { .. } => "mutex",
            Object::Stream { .. } => "stream",
            Object::Weak { .. } => "weak reference",
        }
    }

    /// What deep copies share and deep equality takes as it is, besides functions.
    fn is_compared_by_identity(&self) -> bool {
        matches!(
            self,
            Object::Bound(_)
                | Object::Channel { .. }
                | Object::Mutex { .. }
                | Object::Stream { .. }
        )
    }

    /// Whether programs can tell two of them apart that are alike.
    pub(super) fn has_identity(&self) -> bool {
        !matches!(self, Object::BigInt(_) | Object::String(..))
    }
}

/// The whole state: what a heap of any kind must agree with.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) objects: Vec<Object>,
    pub(super) registers: Vec<Vec<Value>>,
    /// Live handles, in order of creation.
    pub(super) handles: Vec<Value>,
    pub(super) next_future: u64,
    /// Channels, mutexes and weak references made so far.
    pub(super) waited_on: u64,
    pub(super) finalizers: Finalizers,
    /// Collections so far.
    pub(super) collections: u32,
    /// For each object, how many collections there had been when it was made.
    pub(super) born: Vec<u32>,
    /// For each object its class or variant, 0 where that does not matter.
    pub(super) shapes: Vec<u16>,
    /// Objects that were interned.
    pub(super) interned: Vec<u32>,
    /// For each object the most elements that it has had or was made for, if it is an array.
    pub(super) peaks: Vec<u32>,
}

/// A registered finalizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finalizer {
    pub(super) number: u64,
    pub(super) object: Value,
    pub(super) function: Value,
}

/// The registered finalizers.
#[derive(Debug, Default)]
pub(super) struct Finalizers {
    pub(super) registered_ever: u64,
    /// In order of registration.
    pub(super) registered: Vec<Finalizer>,
    pub(super) queue: VecDeque<Finalizer>,
}

/// Text of a string object: what the operations allocate.
pub(super) fn text(len: u8, salt: u16) -> String {
    text_bytes(len, salt).map(char::from).collect()
}

/// The bytes of such a text, which is compared far more often than made.
pub(super) fn text_bytes(len: u8, salt: u16) -> impl Iterator<Item = u8> {
    (0..u16::from(len)).map(move |at| b'a' + ((at.wrapping_add(salt)) % 26) as u8)
}

impl Model {
    pub(super) fn new(holders: usize, registers: usize) -> Self {
        Model {
            registers: vec![vec![Value::Nil; registers]; holders],
            ..Model::default()
        }
    }

    pub(super) fn add(&mut self, object: Object) -> Value {
        self.objects.push(object);
        self.born.push(self.collections);
        self.shapes.push(0);
        self.peaks.push(0);
        Value::Object(self.objects.len() as u32 - 1)
    }

    /// The next id of a channel, mutex or weak reference.
    pub(super) fn next_wait_id(&mut self) -> u64 {
        self.waited_on += 1;
        self.waited_on
    }

    pub(super) fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(at) => Some(&self.objects[at as usize]),
            _ => None,
        }
    }

    pub(super) fn object_mut(&mut self, value: Value) -> Option<&mut Object> {
        match value {
            Value::Object(at) => Some(&mut self.objects[at as usize]),
            _ => None,
        }
    }

    pub(super) fn int(&self, value: Value) -> Option<i64> {
        match (value, self.object(value)) {
            (Value::Int(int), _) => Some(int),
            (_, Some(Object::BigInt(int))) => Some(*int),
            _ => None,
        }
    }

    /// `==`: numbers and strings by value, all else by identity.
    pub(super) fn are_equal(&self, a: Value, b: Value) -> bool {
        if let (Some(a), Some(b)) = (self.int(a), self.int(b)) {
            return a == b;
        }
        match (a, b) {
            // The floats and ints that the operations make are all exact.
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Float(float), _) => self.int(b).is_some_and(|int| int as f64 == float),
            (_, Value::Float(float)) => self.int(a).is_some_and(|int| int as f64 == float),
            _ => match (self.object(a), self.object(b)) {
                (Some(Object::String(len, salt)), Some(Object::String(other, other_salt))) => {
                    let (left, right) = (text_bytes(*len, *salt), text_bytes(*other, *other_salt));
                    a == b || len == other && left.eq(right)
                }
                _ => a == b,
            },
        }
    }

    pub(super) fn map_entry(&self, map: Value, key: Value) -> Option<usize> {
        let Some(Object::Map(entries)) = self.object(map) else {
            return None;
        };
        entries
            .iter()
            .position(|&(other, _)| self.are_equal(other, key))
    }

    /// Part `n` (modulo how many there are) of an object that can be read.
    pub(super) fn part(&self, object: Value, n: usize) -> Option<Value> {
        let pick = |parts: &[Value]| (!parts.is_empty()).then(|| parts[n % parts.len()]);
        match self.object(object)? {
            Object::BigInt(_) | Object::String(..) => None,
            Object::Array(parts) | Object::Instance(parts) => pick(parts),
            Object::Map(entries) => (!entries.is_empty()).then(|| entries[n % entries.len()].1),
            Object::Enum(parts)
            | Object::Closure(parts)
            | Object::Bound(parts)
            | Object::Unscheduled(parts) => pick(parts),
            Object::Cell(value) | Object::Iterator(value, _) | Object::Error(value) => Some(*value),
            Object::Future { state, payload, .. } => {
                (*state != Settled::Pending).then_some(*payload)
            }
            Object::Channel { values, .. } => pick(values),
            Object::Mutex { .. } => None,
            Object::Stream { source, .. } => Some(*source),
            Object::Weak { target, .. } => Some(*target),
        }
    }

    /// A step of an iterator: what it comes to.
    pub(super) fn advance(&mut self, iterator: Value) -> Option<Value> {
        let Some(&Object::Iterator(source, place)) = self.object(iterator) else {
            return None;
        };
        let (value, next) = match self.object(source)? {
            Object::Map(entries) => entries.next(place)?,
            Object::Array(elements) => (*elements.get(place as usize)?, place + 1),
            _ => return None,
        };
        if let Some(Object::Iterator(_, place)) = self.object_mut(iterator) {
            *place = next;
        }
        Some(value)
    }

    /// The parts of an object, in the order in which the comparison walks them.
    pub(super) fn parts(&self, object: u32, parts: &mut Vec<Value>) {
        self.each_part(object, |part| parts.push(part));
    }

    fn each_part(&self, object: u32, mut visit: impl FnMut(Value)) {
        match &self.objects[object as usize] {
            Object::BigInt(_) | Object::String(..) | Object::Mutex { .. } => {}
            Object::Array(all) | Object::Instance(all) => all.iter().copied().for_each(visit),
            Object::Map(entries) => {
                for (key, value) in entries.iter() {
                    visit(*key);
                    visit(*value);
                }
            }
            Object::Enum(all)
            | Object::Closure(all)
            | Object::Bound(all)
            | Object::Unscheduled(all) => all.iter().copied().for_each(visit),
            Object::Cell(value) | Object::Iterator(value, _) | Object::Error(value) => {
                visit(*value);
            }
            Object::Future { payload, .. } => visit(*payload),
            Object::Channel { values, .. } => values.iter().copied().for_each(visit),
            Object::Stream { source, .. } => visit(*source),
            Object::Weak { target, .. } => visit(*target),
        }
    }

    /// Which objects `roots` keep alive.
    pub(super) fn strongly_reachable(&self, roots: impl Iterator<Item = Value>) -> Vec<bool> {
        let mut reached = vec![false; self.objects.len()];
        let mut work: Vec<u32> = Vec::new();
        let mut reach = |value: Value, work: &mut Vec<u32>| {
            if let Value::Object(at) = value
                && !std::mem::replace(&mut reached[at as usize], true)
                && !matches!(self.objects[at as usize], Object::Weak { .. })
            {
                work.push(at);
            }
        };
        roots.for_each(|root| reach(root, &mut work));
        while let Some(at) = work.pop() {
            self.each_part(at, |part| reach(part, &mut work));
        }
        reached
    }

    /// What finalizers keep alive: all functions, and the objects of those in the queue.
    pub(super) fn held_by_finalizers(&self) -> impl Iterator<Item = Value> {
        let queue = self.finalizers.queue.iter();
        let functions = self.finalizers.registered.iter().chain(queue.clone());
        functions
            .map(|finalizer| finalizer.function)
            .chain(queue.map(|finalizer| finalizer.object))
    }

    fn is_shared_by_copies(&self, value: Value) -> bool {
        match self.object(value) {
            None => true,
            Some(object) => {
                matches!(
                    object,
                    Object::BigInt(_)
                        | Object::String(..)
                        | Object::Closure(_)
                        | Object::Cell(_)
                        | Object::Future { .. }
                ) || object.is_compared_by_identity()
            }
        }
    }

    /// A deep copy, cycles and sharing kept.
    pub(super) fn deep_copy(&mut self, root: Value) -> Value {
        // Two passes: first all copies as they are, then their parts replaced. No
        // recursion, so deep structures are no problem. Breadth first, for the new weak
        // references have their ids in that order; what an array or map holds comes a step
        // later, as in a heap where that lies in an object of its own.
        let mut order: Vec<u32> = Vec::new();
        let mut memo: Vec<(u32, u32)> = Vec::new();
        let mut work = std::collections::VecDeque::from([(vec![root], false)]);
        while let Some((values, is_held)) = work.pop_front() {
            if is_held {
                work.push_back((values, false));
                continue;
            }
            for value in values {
                let Value::Object(at) = value else { continue };
                if self.is_shared_by_copies(value) || memo.iter().any(|&(from, _)| from == at) {
                    continue;
                }
                let copy = self.objects[at as usize].clone();
                let Value::Object(to) = self.add(copy) else {
                    continue;
                };
                self.shapes[to as usize] = self.shapes[at as usize];
                self.peaks[to as usize] = self.peaks[at as usize];
                memo.push((at, to));
                order.push(to);
                let object = &self.objects[at as usize];
                if matches!(object, Object::Weak { .. }) {
                    continue;
                }
                let is_held = matches!(object, Object::Array(_) | Object::Map(_));
                let mut parts = Vec::new();
                self.parts(at, &mut parts);
                work.push_back((parts, is_held));
            }
        }
        for &to in &order {
            if matches!(self.objects[to as usize], Object::Weak { .. }) {
                let new = self.next_wait_id();
                if let Object::Weak { id, .. } = &mut self.objects[to as usize] {
                    *id = new;
                }
            }
        }
        let copied = |value: Value| match value {
            Value::Object(at) => memo
                .iter()
                .find(|&&(from, _)| from == at)
                .map_or(value, |&(_, to)| Value::Object(to)),
            other => other,
        };
        for to in order {
            match &mut self.objects[to as usize] {
                Object::Array(parts) | Object::Instance(parts) => {
                    parts.iter_mut().for_each(|part| *part = copied(*part));
                }
                Object::Map(entries) => {
                    entries
                        .iter_mut()
                        .for_each(|(k, v)| (*k, *v) = (copied(*k), copied(*v)));
                }
                Object::Enum(parts) | Object::Unscheduled(parts) => {
                    parts.iter_mut().for_each(|part| *part = copied(*part));
                }
                Object::Cell(part) | Object::Iterator(part, _) | Object::Error(part) => {
                    *part = copied(*part);
                }
                Object::Weak { target, .. } => *target = copied(*target),
                Object::BigInt(_)
                | Object::String(..)
                | Object::Closure(_)
                | Object::Bound(_)
                | Object::Future { .. }
                | Object::Channel { .. }
                | Object::Mutex { .. }
                | Object::Stream { .. } => {}
            }
        }
        copied(root)
    }

    /// Deep equality, by simultaneous walk; identity of sharing on both sides.
    pub(super) fn deep_equals(&self, a: Value, b: Value) -> bool {
        let mut paired: Vec<(u32, u32)> = Vec::new();
        let mut work = vec![(a, b)];
        let (mut left, mut right) = (Vec::new(), Vec::new());
        while let Some((a, b)) = work.pop() {
            let (Value::Object(x), Value::Object(y)) = (a, b) else {
                if self.are_equal(a, b) {
                    continue;
                }
                return false;
            };
            let (first, second) = (&self.objects[x as usize], &self.objects[y as usize]);
            match (first, second) {
                (Object::BigInt(_), Object::BigInt(_))
                | (Object::String(..), Object::String(..)) => {
                    if self.are_equal(a, b) {
                        continue;
                    }
                    return false;
                }
                (Object::Closure(_), Object::Closure(_)) | (Object::Cell(_), Object::Cell(_)) => {
                    if x == y {
                        continue;
                    }
                    return false;
                }
                _ if first.is_compared_by_identity() => {
                    if x == y {
                        continue;
                    }
                    return false;
                }
                _ => {}
            }
            let is_same_shape = self.shapes[x as usize] == self.shapes[y as usize];
            if std::mem::discriminant(first) != std::mem::discriminant(second) || !is_same_shape {
                return false;
            }
            if let (Object::Iterator(_, place), Object::Iterator(_, other)) = (first, second)
                && place != other
            {
                return false;
            }
            match paired.iter().find(|&&(p, q)| p == x || q == y) {
                Some(&(p, q)) if p == x && q == y => continue,
                Some(_) => return false,
                None => paired.push((x, y)),
            }
            if let (
                Object::Future { id, state, .. },
                Object::Future {
                    id: other,
                    state: other_state,
                    ..
                },
            ) = (first, second)
                && (state != other_state || (*state == Settled::Pending && id != other))
            {
                return false;
            }
            left.clear();
            right.clear();
            self.parts(x, &mut left);
            self.parts(y, &mut right);
            if left.len() != right.len() {
                return false;
            }
            work.extend(left.iter().copied().zip(right.iter().copied()));
        }
        true
    }
}
