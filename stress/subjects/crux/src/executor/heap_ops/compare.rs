//! Compares what the heap reaches with what the model reaches, up to isomorphism.

use gcrucible_heap::{Checks, FutureState, Generation, Kind, Mutator, Value};

use super::model::{Model, Object, Settled, Value as ModelValue, text_bytes};

/// Pairs of a heap value and the model's that it should be.
pub(super) type Pairs<'p> = Vec<(Value<'p>, ModelValue)>;

/// Where heap and model differ: the parts of a failure.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) oracle: &'static str,
    pub(super) check: &'static str,
    pub(super) site: String,
    pub(super) message: String,
}

impl Difference {
    fn of_graph(site: String, message: String) -> Self {
        Difference {
            oracle: "matches_reference",
            check: "graph",
            site,
            message,
        }
    }
}

/// A walk over pairs of heap values and model values. Its buffers are kept from one walk
/// to the next.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// For each model object the heap object met with it, as an identity.
    partners: Vec<Option<u64>>,
    /// Identities of heap objects met.
    met: rustc_hash::FxHashSet<u64>,
    parts: Vec<ModelValue>,
}

impl Walk {
    /// Walks everything that `work` reaches. Returns a digest of the structure, or where
    /// the two differ and how. What has seen `old_after` collections must be old.
    pub(super) fn run<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        model: &Model,
        old_after: Option<u32>,
        mut work: Pairs<'p>,
    ) -> Result<u64, Difference> {
        self.partners.clear();
        self.partners.resize(model.objects.len(), None);
        self.met.clear();
        let mut digest = 0u64;
        while let Some((value, expected)) = work.pop() {
            if let Some(found) = difference(m, value, model, expected) {
                let site = site(model, expected);
                return Err(Difference::of_graph(
                    site,
                    format!("the heap has {found}, the model {expected:?}"),
                ));
            }
            let ModelValue::Object(at) = expected else {
                continue;
            };
            digest = digest.rotate_left(7) ^ u64::from(at);
            if !model.objects[at as usize].has_identity() {
                continue;
            }
            let identity = value.identity();
            match self.partners[at as usize] {
                Some(partner) if partner == identity => continue,
                Some(_) => {
                    let message = "two references to one object lead to two".to_owned();
                    return Err(Difference::of_graph(site(model, expected), message));
                }
                None => {}
            }
            self.partners[at as usize] = Some(identity);
            if !self.met.insert(identity) {
                let message = "references to two objects lead to one".to_owned();
                return Err(Difference::of_graph(site(model, expected), message));
            }
            let age = model.collections - model.born[at as usize];
            if old_after.is_some_and(|most| age >= most)
                && m.generation(value) != Some(Generation::Old)
            {
                let message = format!(
                    "it survived {age} collections and is in {:?}",
                    m.generation(value)
                );
                return Err(Difference {
                    oracle: "survivors_grow_old",
                    check: "I-26",
                    site: site(model, expected),
                    message,
                });
            }
            self.push_parts(m, value, model, at, &mut work)?;
        }
        Ok(digest)
    }

    fn push_parts<'p, C: Checks>(
        &mut self,
        m: &Mutator<'p, C>,
        value: Value<'p>,
        model: &Model,
        at: u32,
        work: &mut Pairs<'p>,
    ) -> Result<(), Difference> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        model.parts(at, &mut parts);
        let before = work.len();
        let mut expected = parts.iter().copied();
        let mut push = |part: Option<Value<'p>>| {
            if let Some(model) = expected.next() {
                // A missing part shows up as a difference from anything but nil.
                work.push((part.unwrap_or(Value::NIL), model));
            }
        };
        let mut is_complete = true;
        match &model.objects[at as usize] {
            Object::Array(all) => (0..all.len()).for_each(|i| push(m.array_get(value, i as u32))),
            Object::Instance(all) => (0..all.len()).for_each(|i| push(m.field(value, i as u32))),
            Object::Map(all) => {
                let mut position = 0;
                let mut count = 0;
                while let Some((next, key, found)) = m.map_next(value, position) {
                    is_complete &= m.map_get(value, key) == Some(found);
                    push(Some(key));
                    push(Some(found));
                    position = next;
                    count += 1;
                }
                is_complete &= count == all.len();
            }
            Object::Enum(_) => (0..2).for_each(|i| push(m.enum_payload(value, i))),
            Object::Closure(_) => (0..2).for_each(|i| push(m.closure_capture(value, i))),
            Object::Bound(_) => {
                let bound = m.bound_parts(value);
                push(bound.map(|(receiver, _)| receiver));
                push(bound.map(|(_, function)| function));
            }
            Object::Unscheduled(_) => (0..2).for_each(|i| push(m.unscheduled_part(value, i))),
            Object::Cell(_) => push(m.cell_get(value)),
            Object::Iterator(..) => push(m.iterator_parts(value).map(|(source, _)| source)),
            Object::Error(_) => push(m.error_parts(value).map(|(_, _, payload)| payload)),
            Object::Future { .. } => push(m.future_state(value).map(|(_, payload)| payload)),
            Object::Channel { values, .. } => {
                (0..values.len()).for_each(|i| push(m.channel_peek(value, i as u32)));
            }
            Object::Stream { .. } => push(m.stream_source(value)),
            Object::Weak { .. } => push(m.weak_target(value)),
            Object::BigInt(_) | Object::String(..) | Object::Mutex { .. } => {}
        }
        is_complete &= work.len() - before == parts.len();
        self.parts = parts;
        if is_complete {
            return Ok(());
        }
        let object = &model.objects[at as usize];
        Err(Difference::of_graph(
            object.name().to_owned(),
            format!("a {} has lost entries", object.name()),
        ))
    }
}

fn site(model: &Model, expected: ModelValue) -> String {
    model
        .object(expected)
        .map_or("immediate", Object::name)
        .to_owned()
}

/// What the heap has, in words, if it differs from the model's in kind, size or immediate
/// content.
pub(super) fn difference<'p, C: Checks>(
    m: &Mutator<'p, C>,
    value: Value<'p>,
    model: &Model,
    expected: ModelValue,
) -> Option<String> {
    let (object, shape) = match expected {
        ModelValue::Nil => return (!value.is_nil()).then(|| format!("{value:?}")),
        ModelValue::Bool(b) => return (value.as_bool() != Some(b)).then(|| format!("{value:?}")),
        ModelValue::Int(i) => {
            return (value.as_small_int() != Some(i)).then(|| format!("{value:?}"));
        }
        ModelValue::Float(f) => {
            return (value.as_float() != Some(f)).then(|| format!("{value:?}"));
        }
        ModelValue::Object(at) => (&model.objects[at as usize], model.shapes[at as usize]),
    };
    let is_same = match object {
        Object::BigInt(int) => m.as_int(value) == Some(*int),
        Object::String(len, salt) => {
            // Comparing lengths and ends finds foreign text.
            m.text(value).is_some_and(|found| {
                found.len() == usize::from(*len)
                    && (found.is_empty() || found.as_bytes()[0] == b'a' + (*salt % 26) as u8)
                    && (found.len() < 64 || found.bytes().eq(text_bytes(*len, *salt)))
            })
        }
        Object::Array(all) => m.array_len(value) == Some(all.len() as u32),
        Object::Map(all) => m.map_len(value) == Some(all.len() as u32),
        Object::Instance(all) => {
            m.field_count(value) == Some(all.len() as u32) && m.shape(value) == Some(shape)
        }
        Object::Enum(_) => m.kind(value) == Some(Kind::Enum) && m.shape(value) == Some(shape),
        Object::Cell(_) => m.kind(value) == Some(Kind::Cell),
        Object::Closure(_) => m.kind(value) == Some(Kind::Closure),
        Object::Bound(_) => m.kind(value) == Some(Kind::Bound),
        Object::Iterator(_, place) => {
            let found = m.iterator_parts(value).map(|(_, place)| place as u64);
            found == Some(*place)
        }
        Object::Error(_) => m.kind(value) == Some(Kind::Error),
        Object::Unscheduled(_) => m.kind(value) == Some(Kind::Unscheduled),
        Object::Future { id, state, .. } => {
            let expected = match state {
                Settled::Pending => FutureState::Pending,
                Settled::Ready => FutureState::Ready,
                Settled::Error => FutureState::Error,
            };
            m.future_id(value) == Some(*id)
                && m.future_state(value).map(|(state, _)| state) == Some(expected)
                && m.future_settled_order(value).is_some() == (*state != Settled::Pending)
        }
        Object::Channel {
            id,
            version,
            capacity,
            is_closed,
            values,
        } => {
            m.wait_version(value) == Some((*id, *version))
                && m.channel_len(value) == Some(values.len() as u32)
                && m.channel_capacity(value) == Some(*capacity as u32)
                && m.channel_is_closed(value) == Some(*is_closed)
        }
        Object::Mutex {
            id,
            version,
            holder,
        } => {
            m.wait_version(value) == Some((*id, *version)) && m.mutex_holder(value) == Some(*holder)
        }
        Object::Stream { state, .. } => m.stream_state(value) == Some(*state),
        Object::Weak { id, .. } => m.weak_id(value) == Some(*id),
    };
    if is_same {
        return None;
    }
    let kind = m.kind(value);
    Some(kind.map_or_else(
        || format!("{value:?}"),
        |kind| format!("another {}", kind.name()),
    ))
}
