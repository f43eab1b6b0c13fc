//! The graph that a value reaches, in the form that heaps are compared by.

use rustc_hash::FxHashMap;

use super::model::Model;
use super::value::{Object, ObjectId, Value};
use crate::executor::graph::{FutureState, GraphDump, GraphNode, GraphValue};

/// An object whose parts are being visited.
struct Visit {
    node: usize,
    object: ObjectId,
    parts: Vec<Value>,
    done: Vec<GraphValue>,
}

impl Model<'_> {
    /// A value with all that it reaches.
    pub fn dump(&self, value: Value) -> GraphDump {
        let mut numbers = FxHashMap::default();
        let mut visits = Vec::new();
        let root = self.number(value, &mut numbers, &mut visits);
        let mut nodes: Vec<Option<GraphNode>> = vec![None; numbers.len()];
        // The last visit is the innermost one, so that numbers are given depth first.
        while let Some(visit) = visits.last_mut() {
            if let Some(&part) = visit.parts.get(visit.done.len()) {
                let last = visits.len() - 1;
                let part = self.number(part, &mut numbers, &mut visits);
                visits[last].done.push(part);
                nodes.resize(numbers.len(), None);
            } else if let Some(visit) = visits.pop() {
                nodes[visit.node] = Some(self.node(visit.object, visit.done));
            }
        }
        GraphDump {
            root,
            nodes: nodes.into_iter().flatten().collect(),
        }
    }

    /// The value as part of a dump. An object that is met for the first time gets a number
    /// and a visit.
    fn number(
        &self,
        value: Value,
        numbers: &mut FxHashMap<ObjectId, u32>,
        visits: &mut Vec<Visit>,
    ) -> GraphValue {
        let object = match value {
            Value::Nil => return GraphValue::Nil,
            Value::Bool(bool) => return GraphValue::Bool(bool),
            Value::Int(int) => return GraphValue::Int(int),
            Value::Float(float) if float.is_nan() => return GraphValue::Float(f64::NAN.to_bits()),
            Value::Float(float) => return GraphValue::Float(float.to_bits()),
            Value::Object(id) => id,
        };
        if let Object::String(text) = self.store.get(object) {
            return GraphValue::String(text.to_string());
        }
        let next = numbers.len() as u32;
        let number = *numbers.entry(object).or_insert(next);
        if number == next {
            let parts = self.parts(object);
            let done = Vec::with_capacity(parts.len());
            visits.push(Visit {
                node: number as usize,
                object,
                parts,
                done,
            });
        }
        GraphValue::Node(number)
    }

    /// The values inside an object, in the order of a dump.
    fn parts(&self, object: ObjectId) -> Vec<Value> {
        match self.store.get(object) {
            Object::String(_) | Object::Range(..) | Object::Mutex(_) | Object::Weak { .. } => {
                Vec::new()
            }
            Object::Variant(_, payload) => payload.clone(),
            Object::Bound(_, receiver) => vec![*receiver],
            Object::Channel(channel) => channel.queue.iter().copied().collect(),
            Object::Stream { source, .. } => vec![*source],
            Object::Array(elements) => elements.clone(),
            Object::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).collect(),
            Object::Instance(_, fields) => fields.clone(),
            Object::Closure(_, cells) => cells.iter().map(|&cell| Value::Object(cell)).collect(),
            Object::Cell(value) => vec![*value],
            Object::Error {
                message, payload, ..
            } => vec![*message, *payload],
            Object::Future(id) => vec![self.future(*id).map(|f| f.payload).unwrap_or_default()],
            Object::Iterator(over, _) => vec![Value::Object(*over)],
        }
    }

    fn node(&self, object: ObjectId, mut parts: Vec<GraphValue>) -> GraphNode {
        let mut part = |at: usize| parts.get_mut(at).map(std::mem::take).unwrap_or_default();
        match self.store.get(object) {
            Object::String(_) => panic!("strings are values of a dump"),
            Object::Range(from, to) => GraphNode::Range(*from, *to),
            Object::Array(_) => GraphNode::Array(parts),
            Object::Map(_) => {
                let mut parts = parts.into_iter();
                let mut entries = Vec::with_capacity(parts.len() / 2);
                while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                    entries.push((key, value));
                }
                GraphNode::Map(entries)
            }
            Object::Instance(class, _) => GraphNode::Instance(*class, parts),
            Object::Closure(function, _) => GraphNode::Closure(*function, parts),
            Object::Cell(_) => GraphNode::Cell(part(0)),
            Object::Error { kind, .. } => GraphNode::Error(*kind as u8, part(0), part(1)),
            Object::Future(id) => {
                let state = self
                    .future(*id)
                    .map_or(FutureState::Pending, |future| future.state);
                GraphNode::Future(*id, state, part(0))
            }
            Object::Iterator(over, position) => {
                GraphNode::Iterator(part(0), self.offset(*over, *position))
            }
            Object::Variant(variant, _) => GraphNode::Variant(*variant, parts),
            Object::Bound(function, _) => GraphNode::Bound(*function, part(0)),
            Object::Channel(channel) => GraphNode::Channel(channel.id, channel.is_closed, parts),
            Object::Mutex(mutex) => GraphNode::Mutex(mutex.id, mutex.holder),
            Object::Stream { is_taken, .. } => GraphNode::Stream(*is_taken, part(0)),
            Object::Weak { .. } => GraphNode::Weak,
        }
    }
}
