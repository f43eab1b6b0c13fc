//! Deep copy and deep equality, cycles and sharing included (I-3).
//!
//! A copy keeps identity: what is met again is the same object again.
//! Strings, boxed ints, ranges, functions (bound methods are functions), futures, channels,
//! mutexes and streams are shared, and enum values without payload; an unscheduled future's
//! arguments are copied. A weak reference is copied, but not for it what it refers to: the copy
//! leads to the target's copy if the value led there in another way, else to the target.

use std::collections::HashMap;

use gcrucible_platform::planted;

use super::copy::Reach;
use super::{FutureState, Mutator};
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Equal, Kind};
use crate::value::{Value, Word};

/// Bytes of objects that are compared for one unit.
const UNIT_BYTES: usize = 64;

impl<'p, C: Checks> Mutator<'p, C> {
    /// A copy of a value and of all that it reaches.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn deep_copy(&self, root: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        let mut units = u32::MAX;
        let copy = self.deep_copy_within(root, &mut units)?;
        Ok(copy.expect("there is no end to the units"))
    }

    /// The same in one go, if that takes no more than so many units of work: what it takes is
    /// taken from `units`. `None` if there is more to do, for a [`Copying`](super::Copying).
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn deep_copy_within(
        &self,
        root: Value<'p>,
        units: &mut u32,
    ) -> Result<Option<Value<'p>>, NeedsMemory> {
        let Some(graph) = self.look([root.word()], Reach::Value, units) else {
            return Ok(None);
        };
        let copies = self.make(&graph)?;
        // The root comes first.
        let copy = copies.first().map_or(root, |&copy| self.reference(copy));
        Ok(Some(copy))
    }

    /// Whether two values have the same structure: same kinds, shapes and parts, the same
    /// sharing on both sides. Functions, bound methods too, channels, mutexes and streams
    /// compare by identity, weak references by what they refer to; futures by payload when both are ready or both failed, pending
    /// ones by id; different states differ.
    pub fn deep_equals(&self, a: Value<'p>, b: Value<'p>) -> bool {
        let mut units = u32::MAX;
        self.deep_equals_within(a, b, &mut units)
            .expect("there is no end to the units")
    }

    /// The same in one go, if that takes no more than so many units of work: what it takes is
    /// taken from `units`. `None` if there is more to do, for a [`Comparing`](super::Comparing).
    pub fn deep_equals_within(&self, a: Value<'p>, b: Value<'p>, units: &mut u32) -> Option<bool> {
        let mut forward: HashMap<Word, Word> = HashMap::new();
        let mut backward: HashMap<Word, Word> = HashMap::new();
        let mut work = vec![(a, b)];
        while let Some((a, b)) = work.pop() {
            let bytes = self.size_bytes(a).min(self.size_bytes(b));
            *units = units.checked_sub(1 + (bytes / UNIT_BYTES) as u32)?;
            let kind = match self.compared_alone(a, b) {
                Ok(true) => continue,
                Ok(false) => return Some(false),
                Err(kind) => kind,
            };
            match (
                forward.insert(a.word(), b.word()),
                backward.insert(b.word(), a.word()),
            ) {
                (Some(seen), Some(back)) if seen == b.word() && back == a.word() => continue,
                (None, None) => {}
                (None, Some(_)) if planted!(B283) => {}
                _ => return Some(false),
            }
            let parts = self.array_len(a).or(self.map_len(a)).unwrap_or(0);
            if parts > *units {
                return None;
            }
            if !self.compare_parts(kind, a, b, &mut work) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Compares two values of which at least one has no parts that matter: what does not
    /// refer to objects, or is the same only as itself. Else the kind of both.
    pub(super) fn compared_alone(&self, a: Value<'p>, b: Value<'p>) -> Result<bool, Kind> {
        let (Some(kind), Some(other)) = (self.kind(a), self.kind(b)) else {
            return Ok(self.are_equal(a, b) || (is_nan(a) && is_nan(b)));
        };
        if kind != other {
            return Ok(false);
        }
        match kind.layout().equal {
            Equal::AsValues => Ok(self.are_equal(a, b)),
            Equal::Alone => Ok(a.is_identical(b)),
            Equal::InParts => Err(kind),
        }
    }

    /// Whether two objects of a kind are the same but for their parts.
    pub(super) fn is_same_frame(&self, kind: Kind, a: Value<'p>, b: Value<'p>) -> bool {
        match kind {
            Kind::Array => self.array_len(a) == self.array_len(b),
            Kind::Map => self.map_len(a) == self.map_len(b),
            Kind::Future => match (self.future_state(a), self.future_state(b)) {
                (Some((FutureState::Ready, _)), Some((FutureState::Ready, _)))
                | (Some((FutureState::Error, _)), Some((FutureState::Error, _))) => true,
                (Some((state, _)), Some((other, _))) => {
                    state == other && self.future_id(a) == self.future_id(b)
                }
                _ => false,
            },
            Kind::Range => self.range_bounds(a) == self.range_bounds(b),
            _ => {
                let range = self.slot_range(self.offset(a));
                let positions = (self.iterator_parts(a), self.iterator_parts(b));
                let is_same_position = match positions {
                    (Some((_, p)), Some((_, q))) => p == q,
                    _ => true,
                };
                is_same_position
                    && (self.shape(a) == self.shape(b) || planted!(B284))
                    && range == self.slot_range(self.offset(b))
            }
        }
    }

    /// Compares two objects of a kind but for their parts, which it adds to `work`.
    fn compare_parts(
        &self,
        kind: Kind,
        a: Value<'p>,
        b: Value<'p>,
        work: &mut Vec<(Value<'p>, Value<'p>)>,
    ) -> bool {
        match kind {
            Kind::Error if planted!(B30, !a.is_identical(b)) => false,
            _ if !self.is_same_frame(kind, a, b) => false,
            Kind::Array => {
                for index in 0..self.array_len(a).unwrap_or(0) {
                    let pair = (self.array_get(a, index), self.array_get(b, index));
                    work.push((pair.0.unwrap_or(Value::NIL), pair.1.unwrap_or(Value::NIL)));
                }
                true
            }
            Kind::Map => {
                let (mut at, mut other) = (0, 0);
                while let Some((next, key, value)) = self.map_next(a, at) {
                    let Some((next_other, key_other, value_other)) = self.map_next(b, other) else {
                        return false;
                    };
                    if !planted!(B285, !self.are_equal(key, key_other)) {
                        work.push((key, key_other));
                    }
                    work.push((value, value_other));
                    (at, other) = (next, next_other);
                }
                true
            }
            Kind::Future => {
                if let (
                    Some((FutureState::Ready | FutureState::Error, x)),
                    Some((FutureState::Ready | FutureState::Error, y)),
                ) = (self.future_state(a), self.future_state(b))
                {
                    work.push((x, y));
                }
                true
            }
            Kind::Range => true,
            Kind::Weak => {
                work.extend(self.weak_target(a).zip(self.weak_target(b)));
                true
            }
            _ => {
                let (x, y) = (self.offset(a), self.offset(b));
                let (first, end) = self.slot_range(x);
                work.extend((first..end).map(|i| (self.get(x, i), self.get(y, i))));
                true
            }
        }
    }
}

fn is_nan(value: Value<'_>) -> bool {
    value.as_float().is_some_and(f64::is_nan)
}
