//! Deep copy and deep equality, cycles and sharing included (I-3).
//!
//! A copy first measures what it will allocate and asks for all of it, so that nothing
//! collects in its middle; then it copies object by object with a memo by identity.
//! Strings, boxed ints, ranges, functions and futures are shared; an unscheduled future's
//! arguments are copied.

use std::collections::HashMap;

use super::{FutureState, Mutator};
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, Slots, raw};
use crate::value::{Offset, Value, Word};

/// Whether a deep copy shares objects of this kind.
fn is_shared(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::String | Kind::BigInt | Kind::Range | Kind::Closure | Kind::Future | Kind::Cell
    )
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// First and last-plus-one slot of an object.
    fn slot_range(&self, at: Offset) -> (u32, u32) {
        let header = self.region().header(at);
        let layout = header.kind().map(Kind::layout);
        match layout.map(|layout| layout.slots) {
            None | Some(Slots::None) => (0, 0),
            Some(Slots::From(first)) => (first, header.size_words()),
            Some(Slots::Counted {
                first,
                count_at,
                per_unit,
            }) => (
                first,
                first + self.region().raw(at + count_at) as u32 * per_unit,
            ),
        }
    }

    /// The objects that a deep copy of `root` makes anew, in the order of discovery, each
    /// with its number.
    fn copied_objects(&self, root: Value<'p>) -> (Vec<Offset>, HashMap<Offset, usize>) {
        let mut order = Vec::new();
        let mut numbers = HashMap::new();
        let note = |word: Word, order: &mut Vec<Offset>, numbers: &mut HashMap<_, _>| {
            if word == Word::HOLE {
                return;
            }
            let value = self.checked(word);
            if self.kind(value).is_none_or(is_shared) {
                return;
            }
            let at = self.offset(value);
            if let std::collections::hash_map::Entry::Vacant(vacant) = numbers.entry(at) {
                vacant.insert(order.len());
                order.push(at);
            }
        };
        note(root.word(), &mut order, &mut numbers);
        let mut next = 0;
        while next < order.len() {
            let at = order[next];
            let (first, end) = self.slot_range(at);
            for index in first..end {
                note(
                    self.region().slot(at + index).get(),
                    &mut order,
                    &mut numbers,
                );
            }
            next += 1;
        }
        (order, numbers)
    }

    /// A copy of a value and of all that it reaches.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn deep_copy(&self, root: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        let (order, numbers) = self.copied_objects(root);
        if order.is_empty() {
            return Ok(root);
        }
        let sizes: Vec<u32> = order
            .iter()
            .map(|&at| self.region().header(at).size_words())
            .collect();
        let _grant = self.grant(sizes.iter().copied())?;
        let mut copies = Vec::with_capacity(order.len());
        for (&at, &words) in order.iter().zip(&sizes) {
            let header = self.region().header(at);
            let kind = header.kind().expect("a copied object has a kind");
            let copy = self.allocate(kind, header.shape(), words)?;
            self.region().copy(at + 2, copy + 2, words - 2);
            copies.push(copy);
        }
        for &copy in &copies {
            let (first, end) = self.slot_range(copy);
            for index in first..end {
                let word = self.region().slot(copy + index).get();
                if let Some(&number) = word
                    .is_object()
                    .then(|| numbers.get(&word.offset()))
                    .flatten()
                {
                    // The copy is as young as what it refers to: a plain store.
                    self.initialise(copy, index, &[self.reference(copies[number])]);
                }
            }
        }
        for &copy in &copies {
            if self.region().header(copy).kind() == Some(Kind::MapStorage) {
                self.rebuild_index(copy);
            }
        }
        Ok(self.reference(copies[0]))
    }

    /// Builds a copied map storage's index anew: keys by identity have other hashes now.
    fn rebuild_index(&self, storage: Offset) {
        let capacity = self.region().raw(storage + raw::MAP_CAPACITY) as u32;
        let index = storage + raw::MAP_FIRST + capacity * 2;
        self.region().fill(index, index + capacity, 0);
        self.reindex(storage, capacity);
    }

    /// Whether two values have the same structure: same kinds, shapes and parts, the same
    /// sharing on both sides. Functions compare by identity; futures by payload when both
    /// are ready or both failed, pending ones by id; different states differ.
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
                Kind::Closure | Kind::Cell => {
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
