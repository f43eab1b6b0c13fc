//! Data that machine and host hand to each other.

use gcrucible_heap::{Checks, Kind, MapStoreError, Mutator, NeedsMemory, Sizes, Value};
use gcrucible_platform::HostValue;

/// The data that a value of the language is, `None` if it is none: what has more than
/// [`HostValue::LEVELS_MAX`] levels, or a cycle, is not.
pub fn of<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>) -> Option<HostValue> {
    within(m, value, HostValue::LEVELS_MAX)
}

fn within<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>, levels: u32) -> Option<HostValue> {
    if let Some(int) = m.as_int(value) {
        return Some(HostValue::Int(int));
    }
    if let Some(float) = value.as_float() {
        return Some(HostValue::Float(float));
    }
    if let Some(bool) = value.as_bool() {
        return Some(HostValue::Bool(bool));
    }
    match m.kind(value) {
        None => Some(HostValue::Nil),
        Some(Kind::String) => Some(HostValue::String(m.text(value)?.to_owned())),
        Some(Kind::Array) => {
            let levels = levels.checked_sub(1)?;
            let mut elements = Vec::new();
            while let Some(element) = m.array_get(value, elements.len() as u32) {
                elements.push(within(m, element, levels)?);
            }
            Some(HostValue::Array(elements))
        }
        Some(Kind::Map) => {
            let levels = levels.checked_sub(1)?;
            let mut entries = Vec::new();
            let mut position = 0;
            while let Some((next, key, value)) = m.map_next(value, position) {
                let key = m.text(key)?.to_owned();
                entries.push((key, within(m, value, levels)?));
                position = next;
            }
            Some(HostValue::Map(entries))
        }
        Some(_) => None,
    }
}

/// Makes the value of the language that data stands for. All its objects are asked for at
/// once: an attempt that was held up in its middle would be held up there again.
///
/// # Errors
/// When a collection is due first; then it is tried again as a whole.
pub fn build<'p, C: Checks>(
    data: &HostValue,
    m: &Mutator<'p, C>,
) -> Result<Value<'p>, NeedsMemory> {
    Ok(build_all(std::slice::from_ref(data), m)?[0])
}

/// The same for several data, of which none is made without the others.
///
/// # Errors
/// See [`build`].
pub fn build_all<'p, C: Checks>(
    data: &[HostValue],
    m: &Mutator<'p, C>,
) -> Result<Vec<Value<'p>>, NeedsMemory> {
    let mut sizes = Sizes::default();
    data.iter().for_each(|data| measure(data, &mut sizes));
    let _grant = m.grant(sizes)?;
    data.iter().map(|data| granted(data, m)).collect()
}

/// Adds the objects that data becomes.
fn measure(data: &HostValue, sizes: &mut Sizes) {
    match data {
        HostValue::Nil | HostValue::Bool(_) | HostValue::Float(_) => {}
        HostValue::Int(int) => {
            sizes.int(*int);
        }
        HostValue::String(text) => {
            sizes.string(text.len());
        }
        HostValue::Array(elements) => {
            elements.iter().for_each(|element| measure(element, sizes));
            sizes.array(elements.len() as u32);
        }
        HostValue::Map(entries) => {
            for (key, value) in entries {
                sizes.string(key.len());
                measure(value, sizes);
            }
            sizes.map(entries.len() as u32);
        }
    }
}

/// Makes a value whose objects were granted.
fn granted<'p, C: Checks>(data: &HostValue, m: &Mutator<'p, C>) -> Result<Value<'p>, NeedsMemory> {
    match data {
        HostValue::Nil => Ok(Value::NIL),
        HostValue::Bool(bool) => Ok(Value::bool(*bool)),
        HostValue::Int(int) => m.int(*int),
        HostValue::Float(float) => Ok(Value::float(*float)),
        HostValue::String(text) => m.string(text),
        HostValue::Array(elements) => {
            let elements: Vec<_> = elements
                .iter()
                .map(|element| granted(element, m))
                .collect::<Result<_, _>>()?;
            m.array(&elements)
        }
        HostValue::Map(entries) => {
            let pairs: Vec<_> = entries
                .iter()
                .map(|(key, value)| Ok((m.string(key)?, granted(value, m)?)))
                .collect::<Result<_, _>>()?;
            // The keys are strings, which are all fit for keys.
            match m.map_of(&pairs) {
                Ok(map) => Ok(map),
                Err(MapStoreError::NeedsMemory(needs)) => Err(needs),
                Err(other) => unreachable!("a map of strings: {other:?}"),
            }
        }
    }
}
