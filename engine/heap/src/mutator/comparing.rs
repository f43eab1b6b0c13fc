//! Deep equality that works in steps, with collections between them.
//!
//! It goes through both values together, parts after wholes, and keeps what it has met in
//! roots. What other machines change meanwhile it sees or not, as a loop would.

use super::Mutator;
use super::memo::Memo;
use crate::checks::Checks;
use crate::slot::{RootRight, Slot};
use crate::value::{Value, Word};
use gcrucible_platform::planted;

/// Units of work for a pair of objects.
const UNITS_PER_PAIR: u32 = 6;

/// Bytes of text that are compared for one unit.
const BYTES_PER_UNIT: usize = 64;

/// A comparison under way. Between two steps it has roots, so it takes the right to have some.
#[derive(Debug)]
pub struct Comparing {
    left: Vec<Slot>,
    /// What each object on the left is equal to if all is.
    right: Vec<Slot>,
    numbers_left: Memo,
    numbers_right: Memo,
    /// Number of the pair whose parts come next, and where in it.
    next: usize,
    place: Place,
    /// The roots, before they are looked at.
    begin: Option<Box<(Slot, Slot)>>,
}

/// A place among the parts of two objects.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    left: u64,
    right: u64,
}

/// What is compared next.
enum Part<'p> {
    One(Value<'p>, Value<'p>),
    Two([(Value<'p>, Value<'p>); 2]),
    None,
}

fn slot(value: Value<'_>) -> Slot {
    Slot::of(value.word())
}

impl Comparing {
    /// Begins the comparison of two values.
    pub fn new(_: RootRight, a: Value<'_>, b: Value<'_>) -> Self {
        Comparing {
            left: Vec::new(),
            right: Vec::new(),
            numbers_left: Memo::default(),
            numbers_right: Memo::default(),
            next: 0,
            place: Place::default(),
            begin: Some(Box::new((slot(a), slot(b)))),
        }
    }

    /// Passes all its roots on. They must be roots between two steps.
    pub fn roots(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        if let Some(begin) = &self.begin {
            root(&begin.0);
            root(&begin.1);
        }
        self.left.iter().for_each(&mut *root);
        self.right.iter().for_each(&mut *root);
    }

    /// The same roots, listed by other code for the verifier.
    pub fn audit(&self, _: RootRight, root: &mut dyn FnMut(&Slot)) {
        for list in [&self.right, &self.left] {
            for slot in list {
                root(slot);
            }
        }
        if let Some(begin) = self.begin.as_deref() {
            for slot in [&begin.1, &begin.0] {
                root(slot);
            }
        }
    }

    /// Goes on with about so many units of work, and takes what it did from `units`. Returns
    /// what came of it, once it is done.
    pub fn step<C: Checks>(&mut self, m: &Mutator<'_, C>, units: &mut u32) -> Option<bool> {
        if let Some(begin) = self.begin.take() {
            let (a, b) = (m.load_root(&begin.0), m.load_root(&begin.1));
            if !self.meet(m, a, b, units) {
                return Some(false);
            }
        }
        while self.next < self.left.len() {
            if *units == 0 {
                return None;
            }
            *units -= 1;
            let a = m.load_root(&self.left[self.next]);
            let b = m.load_root(&self.right[self.next]);
            let is_same = match m.parts_at(a, b, &mut self.place) {
                Part::One(x, y) => self.meet(m, x, y, units),
                Part::Two(pairs) => pairs.into_iter().all(|(x, y)| self.meet(m, x, y, units)),
                Part::None => {
                    self.next += 1;
                    if !planted!(B286, self.next < self.left.len()) {
                        self.place = Place::default();
                    }
                    true
                }
            };
            if !is_same {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Compares two values but for their parts, which come later. False if they differ.
    fn meet<C: Checks>(
        &mut self,
        m: &Mutator<'_, C>,
        a: Value<'_>,
        b: Value<'_>,
        units: &mut u32,
    ) -> bool {
        let (a, b) = (m.checked(a.word()), m.checked(b.word()));
        let kind = match m.compared_alone(a, b) {
            Ok(is_equal) => {
                let bytes = m.size_bytes(a).min(m.size_bytes(b));
                let bytes = u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX);
                *units = units.saturating_sub(bytes);
                return is_equal;
            }
            Err(kind) => kind,
        };
        *units = units.saturating_sub(UNITS_PER_PAIR);
        let (hash_left, hash_right) = (m.identity_hash(a), m.identity_hash(b));
        let at = |word: Word| word.offset();
        let left = self.numbers_left.find(hash_left, at(a.word()), &self.left);
        let right = self
            .numbers_right
            .find(hash_right, at(b.word()), &self.right);
        match (left, right) {
            (None, None) => {}
            (left, right) => return left == right,
        }
        let number = self.left.len() as u32;
        self.numbers_left.insert(hash_left, number);
        self.numbers_right.insert(hash_right, number);
        self.left.push(slot(a));
        self.right.push(slot(b));
        m.is_same_frame(kind, a, b)
    }
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// The parts of two objects of a kind at a place, which moves on.
    fn parts_at(&self, a: Value<'p>, b: Value<'p>, place: &mut Place) -> Part<'p> {
        use super::FutureState;
        use crate::object::Kind;
        // Only the places in maps go beyond 32 bits.
        let index = place.left as u32;
        match self.kind(a) {
            Some(Kind::Array) => {
                place.left += 1;
                match (self.array_get(a, index), self.array_get(b, index)) {
                    (None, None) => Part::None,
                    (x, y) => Part::One(x.unwrap_or(Value::NIL), y.unwrap_or(Value::NIL)),
                }
            }
            Some(Kind::Map) => {
                let (x, y) = (self.map_next(a, place.left), self.map_next(b, place.right));
                match (x, y) {
                    (Some((next, key, value)), Some((next_other, key_other, value_other))) => {
                        *place = Place {
                            left: next,
                            right: next_other,
                        };
                        Part::Two([(key, key_other), (value, value_other)])
                    }
                    (None, None) => Part::None,
                    // One of them has changed since their lengths were compared.
                    _ => Part::One(Value::bool(true), Value::bool(false)),
                }
            }
            Some(Kind::Future) => {
                place.left += 1;
                match (self.future_state(a), self.future_state(b)) {
                    (Some((state, x)), Some((other, y)))
                        if index == 0
                            && state == other
                            && matches!(state, FutureState::Ready | FutureState::Error) =>
                    {
                        Part::One(x, y)
                    }
                    _ => Part::None,
                }
            }
            Some(Kind::Weak) => {
                place.left += 1;
                match (self.weak_target(a), self.weak_target(b)) {
                    (Some(x), Some(y)) if index == 0 => Part::One(x, y),
                    _ => Part::None,
                }
            }
            Some(Kind::Range) | None => Part::None,
            Some(_) => {
                let (x, y) = (self.offset(a), self.offset(b));
                let (first, end) = self.slot_range(x);
                let at = index.max(first);
                place.left = u64::from(at) + 1;
                match at < end {
                    true => Part::One(self.get(x, at), self.get(y, at)),
                    false => Part::None,
                }
            }
        }
    }
}
