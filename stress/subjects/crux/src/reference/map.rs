//! Maps: entries in insertion order, found by key.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::value::{Object, ObjectId, Store, Value};

/// A key, so that two keys are equal exactly when `==` says so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// nil
    Nil,
    /// A bool.
    Bool(bool),
    /// An int, or a float of the same value.
    Int(i64),
    /// The bits of a float that is no int.
    Float(u64),
    /// A string by content.
    String(Rc<str>),
    /// All else by identity.
    Object(ObjectId),
}

impl Key {
    /// The key that a value is; `None` for a NaN.
    pub fn of(value: Value, store: &Store) -> Option<Key> {
        Some(match value {
            Value::Nil => Key::Nil,
            Value::Bool(bool) => Key::Bool(bool),
            Value::Int(int) => Key::Int(int),
            Value::Float(float) if float.is_nan() => return None,
            Value::Float(float) => match exact_int(float) {
                Some(int) => Key::Int(int),
                None => Key::Float(float.to_bits()),
            },
            Value::Object(id) => match store.get(id) {
                Object::String(text) => Key::String(Rc::clone(text)),
                _ => Key::Object(id),
            },
        })
    }
}

/// The int that a float equals, if there is one.
pub(super) fn exact_int(float: f64) -> Option<i64> {
    // -2^63 is a float, 2^63 - 1 is none: the upper end is open.
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    (in_range && float.fract() == 0.0).then_some(float as i64)
}

/// A map. An entry keeps its position as long as it is there; a removed one leaves a gap.
#[derive(Clone, Debug, Default)]
pub struct MapObject {
    entries: Vec<Option<(Value, Value)>>,
    positions: FxHashMap<Key, usize>,
}

impl MapObject {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &Key) -> Option<Value> {
        let &position = self.positions.get(key)?;
        self.entries[position].map(|(_, value)| value)
    }

    /// Sets the value of a key, which stays where it is or comes to the end.
    pub fn set(&mut self, key: Key, name: Value, value: Value) {
        match self.positions.get(&key) {
            Some(&position) => {
                if let Some((_, old)) = &mut self.entries[position] {
                    *old = value;
                }
            }
            None => {
                self.positions.insert(key, self.entries.len());
                self.entries.push(Some((name, value)));
            }
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        let position = self.positions.remove(key)?;
        self.entries[position].take().map(|(_, value)| value)
    }

    /// Removes all. Positions go on from where they were.
    pub fn clear(&mut self) {
        self.entries.fill(None);
        self.positions.clear();
    }

    /// Keys and values in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (Value, Value)> {
        self.entries.iter().copied().flatten()
    }

    /// Entries by position, gaps too.
    pub fn positions(&self) -> impl Iterator<Item = Option<(Value, Value)>> {
        self.entries.iter().copied()
    }

    /// Leaves a gap at the end.
    pub fn skip(&mut self) {
        self.entries.push(None);
    }

    /// The first key at or after a position, and the position after it.
    pub fn key_from(&self, position: usize) -> Option<(Value, usize)> {
        let rest = self.entries.get(position..)?;
        let at = position + rest.iter().position(Option::is_some)?;
        self.entries[at].map(|(key, _)| (key, at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_equal_as_values_are() {
        let mut store = Store::new();
        let (a, b) = (store.string("k"), store.string("k"));
        let (x, y) = (
            store.value(Object::Array(vec![])),
            store.value(Object::Array(vec![])),
        );
        let key = |value| Key::of(value, &store);
        assert_eq!(key(Value::Int(1)), key(Value::Float(1.0)));
        assert_eq!(key(Value::Float(0.0)), key(Value::Float(-0.0)));
        assert_ne!(key(Value::Float(0.5)), key(Value::Int(0)));
        assert_eq!(key(a), key(b));
        assert_ne!(key(x), key(y));
        assert_eq!(key(Value::Float(f64::NAN)), None);
        assert_eq!(exact_int(9_223_372_036_854_775_808.0), None);
    }

    #[test]
    fn a_removed_entry_leaves_a_gap_and_comes_back_at_the_end() {
        let mut map = MapObject::default();
        for int in 1..=3 {
            map.set(Key::Int(int), Value::Int(int), Value::Nil);
        }
        assert_eq!(map.remove(&Key::Int(1)), Some(Value::Nil));
        map.set(Key::Int(1), Value::Int(1), Value::Bool(true));
        let keys: Vec<Value> = map.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [Value::Int(2), Value::Int(3), Value::Int(1)]);
        assert_eq!(map.key_from(0), Some((Value::Int(2), 2)));
        assert_eq!(map.key_from(4), None);
        assert_eq!(map.len(), 3);
        map.clear();
        assert_eq!(map.key_from(0), None);
        map.set(Key::Int(7), Value::Int(7), Value::Nil);
        assert_eq!(map.key_from(4), Some((Value::Int(7), 5)));
    }
}
