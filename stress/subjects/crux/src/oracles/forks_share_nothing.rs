//! `forks_share_nothing`: a fork shares nothing with its template that can change, but for
//! channels and futures, and is shaped like it (I-23); no stream is reachable in it (I-24).
//!
//! Both are walked together when the fork has just been made. Each object of the template
//! stands for one object of the fork: the same where it is shared, another of the same kind,
//! shape and parts where it is copied. Weak references are looked at last: they refer to the
//! copy of their target, or to nothing.

use std::collections::BTreeMap;

use gcrucible_engine::Engine;
use gcrucible_heap::{Checks, Generation, Kind, Mutator, Unchecked, Value};
use gcrucible_vm::Realm;

use gcrucible_trace::Failure;

use super::Oracle;

/// Name of the oracle.
pub const NAME: &str = "forks_share_nothing";

/// Compares a fork of the realm that new calls run in with that, before anything runs in it.
///
/// # Errors
/// The first object that is not as it must be.
pub fn check(engine: &Engine, fork: &Realm) -> Result<(), Failure> {
    let template = engine.realm();
    let Some(permit) = engine.heap().try_shared() else {
        return Ok(());
    };
    let mut walk = Walk {
        m: permit.reader::<Unchecked>(),
        copies: BTreeMap::new(),
        originals: BTreeMap::new(),
        work: Vec::new(),
        weak: Vec::new(),
    };
    for global in 0..template.program().globals.len() as u16 {
        let m = walk.m;
        let pair = [&*template, fork].map(|realm| realm.load_global(&m, global));
        walk.meet(pair[0], pair[1])?;
    }
    while let Some((original, copy)) = walk.work.pop() {
        walk.parts(original, copy)?;
    }
    walk.weak_references()?;
    no_stream(&walk.m, fork)
}

fn failure(check: &str, site: &str, message: String) -> Failure {
    Failure {
        oracle: NAME.into(),
        check: check.into(),
        site: site.into(),
        message,
    }
}

struct Walk<'p, C: Checks> {
    m: Mutator<'p, C>,
    copies: BTreeMap<u64, Value<'p>>,
    originals: BTreeMap<u64, Value<'p>>,
    work: Vec<(Value<'p>, Value<'p>)>,
    weak: Vec<(Value<'p>, Value<'p>)>,
}

impl<'p, C: Checks> Walk<'p, C> {
    /// One stands for the other.
    fn meet(&mut self, original: Value<'p>, copy: Value<'p>) -> Result<(), Failure> {
        let m = self.m;
        let (kind, other) = (m.kind(original), m.kind(copy));
        let site = kind.map_or("value", Kind::name);
        if kind != other {
            let message = format!("{original:?} of kind {kind:?} was copied as {other:?}");
            return Err(failure("kind", site, message));
        }
        if is_shared(&m, original) {
            return match original.is_identical(copy) {
                true => Ok(()),
                false => Err(failure("shared", site, "what is shared was copied".into())),
            };
        }
        if original.is_identical(copy) {
            let message = "the fork has the template's own".into();
            return Err(failure("I-23", site, message));
        }
        let known = self.copies.insert(original.identity(), copy);
        let back = self.originals.insert(copy.identity(), original);
        let is_same = |known: Option<Value<'p>>, now: Value<'p>| {
            known.is_none_or(|known| known.is_identical(now))
        };
        if !is_same(known, copy) || !is_same(back, original) {
            let message = "what is one object in the template is two in the fork, or two are one";
            return Err(failure("identity", site, message.into()));
        }
        if known.is_none() {
            self.work.push((original, copy));
        }
        Ok(())
    }

    /// The parts of one stand for those of the other.
    fn parts(&mut self, original: Value<'p>, copy: Value<'p>) -> Result<(), Failure> {
        let m = self.m;
        let kind = m.kind(original).expect("only objects have parts");
        let different = |what: &str| failure("shape", kind.name(), format!("{what} differ"));
        if m.shape(original) != m.shape(copy) {
            return Err(different("the shapes"));
        }
        let pairs: Vec<(Value<'p>, Value<'p>)> = match kind {
            Kind::Array => {
                if m.array_len(original) != m.array_len(copy) {
                    return Err(different("the lengths"));
                }
                let element =
                    |index| Some((m.array_get(original, index)?, m.array_get(copy, index)?));
                let indexes = 0..m.array_len(original).unwrap_or(0);
                indexes.filter_map(element).collect()
            }
            Kind::Map => {
                let mut pairs = Vec::new();
                let (mut at, mut other) = (0, 0);
                loop {
                    match (m.map_next(original, at), m.map_next(copy, other)) {
                        (Some((next, key, value)), Some((next_other, key_copy, value_copy))) => {
                            if m.map_get(copy, key_copy).is_none() {
                                return Err(different("what is in and what is found"));
                            }
                            pairs.extend([(key, key_copy), (value, value_copy)]);
                            (at, other) = (next, next_other);
                        }
                        (None, None) => break pairs,
                        _ => return Err(different("the entries")),
                    }
                }
            }
            Kind::Weak => {
                self.weak.push((original, copy));
                Vec::new()
            }
            Kind::Mutex => match m.mutex_holder(copy) {
                Some(None) if m.wait_version(copy) != m.wait_version(original) => Vec::new(),
                _ => return Err(different("a mutex that nobody holds and the copy")),
            },
            _ => {
                if kind == Kind::Iterator
                    && m.iterator_parts(original).map(|parts| parts.1)
                        != m.iterator_parts(copy).map(|parts| parts.1)
                {
                    return Err(different("the positions"));
                }
                let all = [original, copy].map(|value| parts_of(&m, kind, value));
                if all[0].len() != all[1].len() {
                    return Err(different("the parts"));
                }
                all[0].iter().copied().zip(all[1].iter().copied()).collect()
            }
        };
        pairs.into_iter().try_for_each(|(a, b)| self.meet(a, b))
    }

    fn weak_references(&self) -> Result<(), Failure> {
        let m = &self.m;
        for &(original, copy) in &self.weak {
            let targets = [original, copy].map(|weak| m.weak_target(weak).unwrap_or(Value::NIL));
            let expected = match self.copies.get(&targets[0].identity()) {
                Some(&copy) => copy,
                None if is_shared(m, targets[0]) && m.kind(targets[0]) != Some(Kind::Stream) => {
                    targets[0]
                }
                None => Value::NIL,
            };
            if !targets[1].is_identical(expected) {
                let message = format!("it refers to {:?} instead of {expected:?}", targets[1]);
                return Err(failure("weak", "weak reference", message));
            }
        }
        Ok(())
    }
}

/// Whether a fork shares a value.
fn is_shared<C: Checks>(m: &Mutator<'_, C>, value: Value<'_>) -> bool {
    let shares = |kind| {
        matches!(
            kind,
            Kind::String | Kind::BigInt | Kind::Range | Kind::Future | Kind::Channel | Kind::Stream
        )
    };
    m.kind(value).is_none_or(shares) || m.generation(value) == Some(Generation::Immortal)
}

/// The parts of an object that is neither array nor map.
fn parts_of<'p, C: Checks>(m: &Mutator<'p, C>, kind: Kind, value: Value<'p>) -> Vec<Value<'p>> {
    let count = m.slot_count(value).unwrap_or(0);
    let all = |part: &dyn Fn(u32) -> Option<Value<'p>>| (0..count).filter_map(part).collect();
    match kind {
        Kind::Instance => all(&|index| m.field(value, index)),
        Kind::Enum => all(&|index| m.enum_payload(value, index)),
        Kind::Closure => all(&|index| m.closure_capture(value, index)),
        Kind::Cell => m.cell_get(value).into_iter().collect(),
        Kind::Bound => m.bound_parts(value).map_or(Vec::new(), |(a, b)| vec![a, b]),
        Kind::Iterator => m
            .iterator_parts(value)
            .map_or(Vec::new(), |(source, _)| vec![source]),
        Kind::Error => m
            .error_parts(value)
            .map_or(Vec::new(), |(_, a, b)| vec![a, b]),
        Kind::Unscheduled => all(&|index| m.unscheduled_part(value, index)),
        Kind::Channel => {
            let values = 0..m.channel_len(value).unwrap_or(0);
            values
                .filter_map(|index| m.channel_peek(value, index))
                .collect()
        }
        Kind::Future => m
            .future_state(value)
            .map_or(Vec::new(), |(_, payload)| vec![payload]),
        Kind::Array => {
            let elements = 0..m.array_len(value).unwrap_or(0);
            elements
                .filter_map(|index| m.array_get(value, index))
                .collect()
        }
        Kind::Map => {
            let mut parts = Vec::new();
            let mut at = 0;
            while let Some((next, key, entry)) = m.map_next(value, at) {
                parts.extend([key, entry]);
                at = next;
            }
            parts
        }
        _ => Vec::new(),
    }
}

/// No stream is reachable in a fork, through what is shared neither.
fn no_stream<C: Checks>(m: &Mutator<'_, C>, fork: &Realm) -> Result<(), Failure> {
    let globals = 0..fork.program().globals.len() as u16;
    let mut work: Vec<Value<'_>> = globals.map(|global| fork.load_global(m, global)).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(value) = work.pop() {
        let Some(kind) = m.kind(value).filter(|_| seen.insert(value.identity())) else {
            continue;
        };
        if kind == Kind::Stream {
            let message = "a stream is reachable in the fork".into();
            return Err(failure("I-24", kind.name(), message));
        }
        work.extend(parts_of(m, kind, value));
    }
    Ok(())
}

/// The oracle.
pub struct ForksShareNothing;

impl Oracle for ForksShareNothing {
    fn name(&self) -> &'static str {
        "forks_share_nothing"
    }

    fn claim(&self) -> &'static str {
        "a fork leads to nothing of its template that can change, and to no stream"
    }
}
