//! Deep copy and deep equality, cycles and sharing included (I-3).
//!
//! A copy keeps identity: what is met again is the same object again.
//! Strings, boxed ints, ranges, functions (bound methods are functions), futures, channels,
//! mutexes and streams are shared, and enum values without payload; an unscheduled future's
//! arguments are copied. A weak reference is copied, but not for it what it refers to: the copy
//! leads to the target's copy if the value led there in another way, else to the target.

use std::collections::HashMap;

use gcrucible_platform::seeded_bugs::{self, Bug};

use super::copy::Reach;
use super::{FutureState, Mutator};
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::Kind;
use crate::value::{Value, Word};

impl<'p, C: Checks> Mutator<'p, C> {
    /// A copy of a value and of all that it reaches.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn deep_copy(&self, root: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        let graph = self.look([root.word()], Reach::Value);
        let copies = self.make(&graph)?;
        // The root comes first.
        Ok(copies.first().map_or(root, |&copy| self.reference(copy)))
    }

    /// Whether two values have the same structure: same kinds, shapes and parts, the same
    /// sharing on both sides. Functions, bound methods too, channels, mutexes and streams
    /// compare by identity, weak references by what they refer to; futures by payload when both are ready or both failed, pending
    /// ones by id; different states differ.
    pub fn deep_equals(&self, a: Value<'p>, b: Value<'p>) -> bool {
        let mut forward: HashMap<Word, Word> = HashMap::new();
        let mut backward: HashMap<Word, Word> = HashMap::new();
        let mut work = vec![(a, b)];
        while let Some((a, b)) = work.pop() {
            let (Some(kind), Some(other)) = (self.kind(a), self.kind(b)) else {
                if self.are_equal(a, b) || (is_nan(a) && is_nan(b)) {
                    continue;
                }
                return false;
            };
            if kind != other {
                return false;
            }
            match kind {
                Kind::String | Kind::BigInt => {
                    if self.are_equal(a, b) {
                        continue;
                    }
                    return false;
                }
                Kind::Closure
                | Kind::Bound
                | Kind::Cell
                | Kind::Channel
                | Kind::Mutex
                | Kind::Stream => {
                    if a.is_identical(b) {
                        continue;
                    }
                    return false;
                }
                _ => {}
            }
            match (
                forward.insert(a.word(), b.word()),
                backward.insert(b.word(), a.word()),
            ) {
                (Some(seen), Some(back)) if seen == b.word() && back == a.word() => continue,
                (None, None) => {}
                _ => return false,
            }
            if !self.compare_parts(kind, a, b, &mut work) {
                return false;
            }
        }
        true
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
            Kind::Error if seeded_bugs::is_on(Bug::B30) => {
                // B-30: errors are equal only to themselves.
                if !a.is_identical(b) {
                    seeded_bugs::note_triggered(Bug::B30);
                }
                a.is_identical(b)
            }
            Kind::Array => {
                let (len, other) = (self.array_len(a), self.array_len(b));
                if len != other {
                    return false;
                }
                for index in 0..len.unwrap_or(0) {
                    let pair = (self.array_get(a, index), self.array_get(b, index));
                    work.push((pair.0.unwrap_or(Value::NIL), pair.1.unwrap_or(Value::NIL)));
                }
                true
            }
            Kind::Map => {
                if self.map_len(a) != self.map_len(b) {
                    return false;
                }
                let (mut at, mut other) = (0, 0);
                while let Some((next, key, value)) = self.map_next(a, at) {
                    let Some((next_other, key_other, value_other)) = self.map_next(b, other) else {
                        return false;
                    };
                    work.push((key, key_other));
                    work.push((value, value_other));
                    (at, other) = (next, next_other);
                }
                true
            }
            Kind::Future => {
                let (Some((state, x)), Some((other, y))) =
                    (self.future_state(a), self.future_state(b))
                else {
                    return false;
                };
                match (state, other) {
                    (FutureState::Ready, FutureState::Ready)
                    | (FutureState::Error, FutureState::Error) => {
                        work.push((x, y));
                        true
                    }
                    _ => state == other && self.future_id(a) == self.future_id(b),
                }
            }
            Kind::Range => self.range_bounds(a) == self.range_bounds(b),
            Kind::Weak => {
                work.extend(self.weak_target(a).zip(self.weak_target(b)));
                true
            }
            _ => {
                let is_same_shape = self.shape(a) == self.shape(b);
                let (x, y) = (self.offset(a), self.offset(b));
                let (range, other) = (self.slot_range(x), self.slot_range(y));
                let positions = (self.iterator_parts(a), self.iterator_parts(b));
                if let (Some((_, p)), Some((_, q))) = positions
                    && p != q
                {
                    return false;
                }
                if !is_same_shape || range != other {
                    return false;
                }
                work.extend((range.0..range.1).map(|i| (self.get(x, i), self.get(y, i))));
                true
            }
        }
    }
}

fn is_nan(value: Value<'_>) -> bool {
    value.as_float().is_some_and(f64::is_nan)
}
