//! Arrays, maps and ranges: what goes over them, and what callbacks are asked.

use std::cmp::Ordering;

use super::super::map::Key;
use super::super::model::Model;
use super::super::value::{Object, Value};
use super::shape::Shape;
use super::{Expected, Kept, Pledge, Pledged};

/// The truthy results of a callback end these at once.
const ASKS: [Pledged; 3] = [Pledged::ArrayFind, Pledged::ArrayAny, Pledged::ArrayAll];

impl Model<'_> {
    /// Judges the callbacks of a call that has returned `value`: they were asked with what there
    /// was, in order, and what they said is where it belongs.
    pub(super) fn called_back(&self, pledge: &Pledge, value: Value) -> Kept {
        let asked = &pledge.asked;
        let results = || asked.iter().map(|asked| asked.result.unwrap_or_default());
        let taken = |at: usize| {
            let chosen = asked
                .iter()
                .filter(|asked| asked.result.is_some_and(Value::is_truthy));
            chosen.map(move |asked| asked.args[at])
        };
        let expected = match pledge.function {
            Pledged::ArrayMap | Pledged::RangeMap => Shape::of(results()),
            Pledged::ArrayFilter => Shape::of(taken(0)),
            Pledged::ArrayEach | Pledged::MapEach | Pledged::RangeEach => Shape::Same(Value::Nil),
            Pledged::ArrayReduce => {
                let mut folded = pledge.args[2];
                for asked in asked {
                    if !self.is_same(asked.args[0], folded) {
                        let found = self.display(asked.args[0]);
                        let expected = self.display(folded);
                        return Err(format!("goes on with {found} instead of {expected}"));
                    }
                    folded = asked.result.unwrap_or_default();
                }
                Shape::Same(folded)
            }
            Pledged::ArrayFind => Shape::Same(taken(0).next().unwrap_or_default()),
            Pledged::ArrayAny => Shape::Same(Value::Bool(taken(0).next().is_some())),
            Pledged::ArrayAll => Shape::Same(Value::Bool(results().all(Value::is_truthy))),
            Pledged::ArraySortBy => {
                let items: Vec<Value> = asked.iter().map(|asked| asked.args[0]).collect();
                let keys: Vec<Value> = results().collect();
                match self.sorted(&items, &keys) {
                    Some(sorted) => Shape::of(sorted),
                    None => return Ok(()),
                }
            }
            Pledged::ArrayGroupBy => {
                match self.grouped(asked.iter().map(|asked| asked.args[0]).zip(results())) {
                    Some(groups) => groups,
                    None => return Ok(()),
                }
            }
            Pledged::MapFilter => {
                let entries = taken(0).zip(taken(1));
                Shape::Map(
                    entries
                        .map(|(key, value)| (Shape::Same(key), Shape::Same(value)))
                        .collect(),
                )
            }
            _ => return Ok(()),
        };
        if !self.is_shape(value, &expected) {
            return Err(format!(
                "gives {}, and what it was told makes {expected:?}",
                self.display(value)
            ));
        }
        self.asked_in_order(pledge)
    }

    /// Whether the callbacks were asked with each element, in order; some stop when they know
    /// enough.
    fn asked_in_order(&self, pledge: &Pledge) -> Kept {
        let asked = pledge.asked.iter();
        let stops_at = match pledge.function {
            Pledged::ArrayAll => false,
            function if ASKS.contains(&function) => true,
            _ => true,
        };
        let mut known = asked.clone();
        let enough = ASKS.contains(&pledge.function)
            && known.any(|asked| asked.result.is_some_and(Value::is_truthy) == stops_at);
        if enough && known.next().is_some() {
            return Err("asks on though it knows enough".to_owned());
        }
        if !self.is_unchanged(pledge) {
            return Ok(());
        }
        let given = &pledge.given[0];
        let (found, expected): (Vec<Value>, Vec<Value>) = match pledge.function {
            Pledged::ArrayReduce => (asked.map(|it| it.args[1]).collect(), given.clone()),
            Pledged::MapEach | Pledged::MapFilter => (
                asked.flat_map(|it| [it.args[0], it.args[1]]).collect(),
                given.clone(),
            ),
            Pledged::RangeMap | Pledged::RangeEach => (
                asked.map(|it| it.args[0]).collect(),
                self.ints(pledge.args[0]),
            ),
            _ => (asked.map(|it| it.args[0]).collect(), given.clone()),
        };
        let mut pairs = found.iter().zip(&expected);
        let is_all = pairs.all(|(&found, &expected)| self.is_same(found, expected))
            && (found.len() == expected.len() || (enough && found.len() < expected.len()));
        match is_all {
            true => Ok(()),
            false => Err("does not ask with each element once, in order".to_owned()),
        }
    }

    fn ints(&self, range: Value) -> Vec<Value> {
        match self.store.object(range) {
            Some(&Object::Range(from, to)) => (from..to).map(Value::Int).collect(),
            _ => Vec::new(),
        }
    }

    /// What a function gives that calls nothing back.
    pub(super) fn of_collection(&self, pledge: &Pledge) -> Expected {
        let given = &pledge.given[0];
        let shape = match pledge.function {
            Pledged::ArraySort => self.sorted(given, given).map(Shape::of),
            Pledged::ArraySum => self.sum(given).map(Shape::Same),
            Pledged::ArrayMin => self.extreme(given, Ordering::Less),
            Pledged::ArrayMax => self.extreme(given, Ordering::Greater),
            Pledged::ArrayZip => {
                let is_array = matches!(self.store.object(pledge.args[1]), Some(Object::Array(_)));
                let pairs = given.iter().zip(&pledge.given[1]);
                is_array.then(|| Shape::Array(pairs.map(|(&a, &b)| Shape::of([a, b])).collect()))
            }
            Pledged::ArrayEnumerate => {
                let pairs = given.iter().enumerate();
                let pair =
                    |(at, &element): (usize, &Value)| Shape::of([Value::Int(at as i64), element]);
                Some(Shape::Array(pairs.map(pair).collect()))
            }
            Pledged::ArrayTake | Pledged::ArraySkip => match pledge.args[1] {
                Value::Int(count) => {
                    let at = count.clamp(0, given.len() as i64) as usize;
                    let part = match pledge.function {
                        Pledged::ArrayTake => &given[..at],
                        _ => &given[at..],
                    };
                    Some(Shape::of(part.iter().copied()))
                }
                _ => None,
            },
            Pledged::ArrayFlat => {
                let parts = given
                    .iter()
                    .flat_map(|&element| match self.store.object(element) {
                        Some(Object::Array(inner)) => inner.clone(),
                        _ => vec![element],
                    });
                Some(Shape::of(parts))
            }
            Pledged::ArrayUnique => self.unique(given),
            Pledged::MapEntries => {
                let pairs = given.chunks(2);
                Some(Shape::Array(
                    pairs.map(|pair| Shape::of(pair.iter().copied())).collect(),
                ))
            }
            Pledged::MapMapValues => {
                let keys = given.iter().step_by(2);
                let results = pledge.asked.iter().map(|asked| asked.result);
                let entries = keys.zip(results).map(|(&key, result)| {
                    (Shape::Same(key), Shape::Same(result.unwrap_or_default()))
                });
                (pledge.asked.len() * 2 == given.len()).then(|| Shape::Map(entries.collect()))
            }
            Pledged::MapMerge => self.merged(given, &pledge.given[1], pledge.args[1]),
            Pledged::RangeToArray => Some(Shape::of(self.ints(pledge.args[0]))),
            _ => None,
        };
        shape.map_or(Expected::Anything, Expected::Returns)
    }

    /// Items in ascending order of their keys, those with equal ones as they were, those with a
    /// NaN last; none if there is no order among the keys.
    fn sorted(&self, items: &[Value], keys: &[Value]) -> Option<Vec<Value>> {
        let is_nan = |key: &Value| matches!(key, Value::Float(float) if float.is_nan());
        let is_number = |key: &Value| matches!(key, Value::Int(_) | Value::Float(_));
        let is_text = |key: &Value| self.store.text(*key).is_some();
        if !keys.iter().all(is_number) && !keys.iter().all(is_text) {
            return None;
        }
        let mut all: Vec<(Value, Value)> =
            keys.iter().copied().zip(items.iter().copied()).collect();
        all.sort_by(|(a, _), (b, _)| match (is_nan(a), is_nan(b)) {
            (false, false) => self
                .compare(*a, *b)
                .ok()
                .flatten()
                .unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        });
        Some(all.into_iter().map(|(_, item)| item).collect())
    }

    fn grouped(&self, pairs: impl Iterator<Item = (Value, Value)>) -> Option<Shape> {
        let mut groups: Vec<(Key, Value, Vec<Value>)> = Vec::new();
        for (element, key) in pairs {
            let known = Key::of(key, &self.store)?;
            match groups.iter_mut().find(|(of, ..)| *of == known) {
                Some((_, _, group)) => group.push(element),
                None => groups.push((known, key, vec![element])),
            }
        }
        let groups = groups.into_iter();
        Some(Shape::Map(
            groups
                .map(|(_, key, group)| (Shape::Same(key), Shape::of(group)))
                .collect(),
        ))
    }

    fn unique(&self, given: &[Value]) -> Option<Shape> {
        let mut known = Vec::new();
        let mut once = Vec::new();
        for &element in given {
            let key = Key::of(element, &self.store)?;
            if !known.contains(&key) {
                known.push(key);
                once.push(element);
            }
        }
        Some(Shape::of(once))
    }

    fn sum(&self, given: &[Value]) -> Option<Value> {
        given
            .iter()
            .try_fold(Value::Int(0), |sum, &element| match (sum, element) {
                (Value::Int(a), Value::Int(b)) => a.checked_add(b).map(Value::Int),
                (Value::Int(a), Value::Float(b)) => Some(Value::Float(a as f64 + b)),
                (Value::Float(a), Value::Int(b)) => Some(Value::Float(a + b as f64)),
                (Value::Float(a), Value::Float(b)) => Some(Value::Float(a + b)),
                _ => None,
            })
    }

    /// The first of the least, or of the greatest, of numbers or of texts.
    fn extreme(&self, given: &[Value], which: Ordering) -> Option<Shape> {
        let is_nan = |value: &&Value| matches!(value, Value::Float(float) if float.is_nan());
        let has_nan = given.iter().any(|value| is_nan(&value));
        let others: Vec<Value> = given
            .iter()
            .filter(|value| !is_nan(value))
            .copied()
            .collect();
        // It also says whether they have an order.
        self.sorted(given, given)?;
        if has_nan && (which == Ordering::Greater || others.is_empty()) {
            return Some(Shape::NaN);
        }
        let found = others
            .into_iter()
            .reduce(|best, next| match self.compare(next, best) {
                Ok(Some(order)) if order == which => next,
                _ => best,
            });
        Some(Shape::Same(found.unwrap_or_default()))
    }

    fn merged(&self, first: &[Value], second: &[Value], other: Value) -> Option<Shape> {
        if !matches!(self.store.object(other), Some(Object::Map(_))) {
            return None;
        }
        let mut entries: Vec<(Key, Value, Value)> = Vec::new();
        for pair in first.chunks(2).chain(second.chunks(2)) {
            let key = Key::of(pair[0], &self.store)?;
            match entries.iter_mut().find(|(known, ..)| *known == key) {
                Some((.., value)) => *value = pair[1],
                None => entries.push((key, pair[0], pair[1])),
            }
        }
        let entries = entries.into_iter();
        Some(Shape::Map(
            entries
                .map(|(_, key, value)| (Shape::Same(key), Shape::Same(value)))
                .collect(),
        ))
    }
}
