//! Deep copy and deep equality.

use rustc_hash::FxHashMap;

use super::model::Model;
use super::value::{Object, ObjectId, Value};
use crate::executor::graph::FutureState;

impl Model<'_> {
    /// `deep_copy(v)`: keeps cycles and sharing; strings, ranges, functions and futures
    /// are shared with the original. A weak reference leads to the copy of its target, or to
    /// the target if there is none.
    pub(super) fn deep_copy(&mut self, value: Value) -> Value {
        let copies = self.copy_all(&[value], |model, id| !is_shared(model.store.get(id)));
        match value {
            Value::Object(id) => Value::Object(copies.get(&id).copied().unwrap_or(id)),
            other => other,
        }
    }

    /// `deep_equals(a, b)`: by structure, sharing included: each object on one side stands
    /// for one object on the other. Pairs met again are taken as equal, which closes
    /// cycles. A NaN equals a NaN.
    pub(super) fn deep_equals(&self, left: Value, right: Value) -> bool {
        let mut partner_of_left: FxHashMap<ObjectId, ObjectId> = FxHashMap::default();
        let mut partner_of_right: FxHashMap<ObjectId, ObjectId> = FxHashMap::default();
        let mut pairs = vec![(left, right)];
        while let Some((left, right)) = pairs.pop() {
            let (Value::Object(a), Value::Object(b)) = (left, right) else {
                let both_nan = matches!((left, right),
                    (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan());
                if self.equals(left, right) || both_nan {
                    continue;
                }
                return false;
            };
            if is_identity(self.store.get(a)) {
                if self.equals(left, right) {
                    continue;
                }
                return false;
            }
            match (partner_of_left.insert(a, b), partner_of_right.insert(b, a)) {
                (None, None) => {}
                (Some(partner), Some(_)) if partner == b => continue,
                _ => return false,
            }
            if !self.same_shape(a, b, &mut pairs) {
                return false;
            }
        }
        true
    }

    /// Whether two objects can be equal, provided that all pairs appended are.
    fn same_shape(&self, a: ObjectId, b: ObjectId, pairs: &mut Vec<(Value, Value)>) -> bool {
        match (self.store.get(a), self.store.get(b)) {
            (Object::Array(a), Object::Array(b)) => {
                pairs.extend(a.iter().copied().zip(b.iter().copied()));
                a.len() == b.len()
            }
            (Object::Instance(class_a, a), Object::Instance(class_b, b)) => {
                pairs.extend(a.iter().copied().zip(b.iter().copied()));
                class_a == class_b
            }
            (Object::Variant(variant_a, a), Object::Variant(variant_b, b)) => {
                pairs.extend(a.iter().copied().zip(b.iter().copied()));
                variant_a == variant_b
            }
            (Object::Weak { target: a, .. }, Object::Weak { target: b, .. }) => {
                pairs.push((*a, *b));
                true
            }
            (Object::Iterator(over_a, at_a), Object::Iterator(over_b, at_b)) => {
                pairs.push((Value::Object(*over_a), Value::Object(*over_b)));
                self.offset(*over_a, *at_a) == self.offset(*over_b, *at_b)
            }
            (Object::Map(a), Object::Map(b)) => {
                for ((key_a, value_a), (key_b, value_b)) in a.iter().zip(b.iter()) {
                    pairs.extend([(key_a, key_b), (value_a, value_b)]);
                }
                a.len() == b.len()
            }
            (Object::Range(from_a, to_a), Object::Range(from_b, to_b)) => {
                (from_a, to_a) == (from_b, to_b)
            }
            (Object::Cell(a), Object::Cell(b)) => {
                pairs.push((*a, *b));
                true
            }
            (
                Object::Error {
                    kind: kind_a,
                    message: message_a,
                    payload: payload_a,
                },
                Object::Error {
                    kind: kind_b,
                    message: message_b,
                    payload: payload_b,
                },
            ) => {
                pairs.extend([(*message_a, *message_b), (*payload_a, *payload_b)]);
                kind_a == kind_b
            }
            (Object::Future(a), Object::Future(b)) => self.same_future(*a, *b, pairs),
            // Strings and what has an identity were compared by `==` already.
            _ => false,
        }
    }

    /// The position of an iterator, counted from the start.
    pub(super) fn offset(&self, over: ObjectId, position: i64) -> i64 {
        match self.store.get(over) {
            Object::Range(from, _) => position.wrapping_sub(*from),
            _ => position,
        }
    }

    fn same_future(&self, a: u64, b: u64, pairs: &mut Vec<(Value, Value)>) -> bool {
        if a == b {
            return true;
        }
        let (Some(a), Some(b)) = (self.future(a), self.future(b)) else {
            return false;
        };
        match (a.state, b.state) {
            (FutureState::Ready, FutureState::Ready) | (FutureState::Error, FutureState::Error) => {
                pairs.push((a.payload, b.payload));
                true
            }
            // All others by id, and the ids differ.
            _ => false,
        }
    }
}

/// Whether a copy shares it with the original.
fn is_shared(object: &Object) -> bool {
    match object {
        Object::Variant(_, payload) => payload.is_empty(),
        Object::Range(..) | Object::Future(_) => true,
        object => is_identity(object),
    }
}

/// Whether only itself equals it; strings, by content.
fn is_identity(object: &Object) -> bool {
    matches!(
        object,
        Object::String(_)
            | Object::Closure(..)
            | Object::Bound(..)
            | Object::Channel(_)
            | Object::Mutex(_)
            | Object::Stream { .. }
    )
}
