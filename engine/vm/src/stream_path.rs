//! The shortest way from a global to a stream, in words that a program's author knows.

use std::collections::{HashSet, VecDeque};

use gcrucible_bytecode::Program;
use gcrucible_heap::{Checks, Kind, Mutator, Value};
use gcrucible_platform::planted;

use crate::realm::Realm;

/// Where a stream is, if any is reachable from a realm's globals, through shared channels and
/// futures too: `handlers["list"].captured log[3]`.
pub(crate) fn path_to_stream<'p, C: Checks>(m: &Mutator<'p, C>, realm: &Realm) -> Option<String> {
    let program = realm.program();
    let mut met = HashSet::new();
    let mut found: Vec<Step<'p>> = Vec::new();
    let mut work = VecDeque::new();
    for (index, slot) in realm.globals().iter().enumerate() {
        let label = Label::Global(index);
        let value = m.load_root(slot);
        if value.is_object() && met.insert(value.identity()) {
            found.push(Step {
                from: None,
                label,
                value,
            });
            work.push_back(found.len() - 1);
        }
    }
    while let Some(at) = work.pop_front() {
        let value = found[at].value;
        if m.kind(value) == Some(Kind::Stream) {
            return Some(in_words(program, m, &found, at));
        }
        for (label, value) in parts(m, value) {
            if value.is_object() && met.insert(value.identity()) {
                found.push(Step {
                    from: Some(at),
                    label,
                    value,
                });
                work.push_back(found.len() - 1);
            }
        }
    }
    None
}

/// An object that was met, and how.
struct Step<'p> {
    from: Option<usize>,
    label: Label<'p>,
    value: Value<'p>,
}

/// How a part belongs to its whole.
#[derive(Clone, Copy)]
enum Label<'p> {
    Global(usize),
    /// Of an array or of what a channel holds.
    Element(u32),
    /// Of a map, at a key.
    Entry(Value<'p>),
    /// Of a map.
    Key,
    /// Of an instance of a class.
    Field(u16, u32),
    /// Of an enum value.
    Payload(u32),
    /// Of a function.
    Captured(u16, u32),
    /// A part with a name.
    Named(&'static str),
    /// Of an unscheduled future.
    Argument(u32),
}

/// The parts of an object in order. A captured variable is a part of the closure.
fn parts<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>) -> Vec<(Label<'p>, Value<'p>)> {
    let mut parts = Vec::new();
    let Some(kind) = m.kind(value) else {
        return parts;
    };
    match kind {
        Kind::Array => {
            let elements = 0..m.array_len(value).unwrap_or(0);
            parts
                .extend(elements.filter_map(|i| Some((Label::Element(i), m.array_get(value, i)?))));
        }
        Kind::Channel => {
            let elements = 0..m.channel_len(value).unwrap_or(0);
            parts.extend(
                elements.filter_map(|i| Some((Label::Element(i), m.channel_peek(value, i)?))),
            );
        }
        Kind::Map => {
            let mut at = 0;
            while let Some((next, key, entry)) = m.map_next(value, at) {
                parts.push((Label::Key, key));
                parts.push((Label::Entry(key), entry));
                at = next;
            }
        }
        Kind::Instance => {
            let class = m.class(value).unwrap_or(0);
            let fields = 0..m.field_count(value).unwrap_or(0);
            parts.extend(fields.filter_map(|i| Some((Label::Field(class, i), m.field(value, i)?))));
        }
        Kind::Enum => {
            let payload = 0..m.slot_count(value).unwrap_or(0);
            parts.extend(
                payload.filter_map(|i| Some((Label::Payload(i), m.enum_payload(value, i)?))),
            );
        }
        Kind::Closure => {
            let function = m.closure_function(value).unwrap_or(0);
            let captures = 0..m.closure_captures(value).unwrap_or(0);
            parts.extend(captures.filter_map(|i| {
                let cell = m.closure_capture(value, i)?;
                Some((Label::Captured(function, i), m.cell_get(cell)?))
            }));
        }
        Kind::Bound => {
            if let Some((receiver, _)) = m.bound_parts(value) {
                parts.push((Label::Named("receiver"), receiver));
            }
        }
        Kind::Iterator => {
            if let Some((source, _)) = m.iterator_parts(value) {
                parts.push((Label::Named("source"), source));
            }
        }
        Kind::Error => {
            if let Some((_, _, payload)) = m.error_parts(value) {
                parts.push((Label::Named("payload"), payload));
            }
        }
        Kind::Unscheduled => {
            let all = 0..=m.unscheduled_args(value).unwrap_or(0);
            parts.extend(
                all.filter_map(|i| Some((Label::Argument(i), m.unscheduled_part(value, i)?))),
            );
        }
        Kind::Future => {
            if let Some((_, payload)) = m.future_state(value)
                && !planted!(B224, payload.is_object())
            {
                parts.push((Label::Named("result"), payload));
            }
        }
        Kind::Filler
        | Kind::String
        | Kind::BigInt
        | Kind::ArrayStorage
        | Kind::MapStorage
        | Kind::Range
        | Kind::Cell
        | Kind::Mutex
        | Kind::Stream
        | Kind::Weak => {}
    }
    parts
}

fn in_words<'p, C: Checks>(
    program: &Program,
    m: &Mutator<'p, C>,
    found: &[Step<'p>],
    at: usize,
) -> String {
    let mut way = Vec::new();
    let mut next = Some(at);
    while let Some(at) = next {
        way.push(found[at].label);
        next = found[at].from;
    }
    let words = way.iter().rev().map(|&label| word(program, m, label));
    words.collect()
}

fn word<C: Checks>(program: &Program, m: &Mutator<'_, C>, label: Label<'_>) -> String {
    match label {
        Label::Global(index) => program.globals[index].name.clone(),
        Label::Element(index) => format!("[{index}]"),
        Label::Entry(key) => match (m.text(key), m.as_int(key)) {
            (Some(text), _) => format!("[{text:?}]"),
            (_, Some(int)) => format!("[{int}]"),
            (None, None) => "[…]".to_owned(),
        },
        Label::Key => ".key".to_owned(),
        Label::Field(class, index) => {
            let class = program.classes.get(usize::from(class));
            match class.and_then(|class| class.fields.get(index as usize)) {
                Some(name) => format!(".{name}"),
                None => format!(".{index}"),
            }
        }
        Label::Payload(index) => format!(".{index}"),
        Label::Captured(function, index) => {
            let function = program.functions.get(usize::from(function));
            match function.and_then(|function| function.capture_names.get(index as usize)) {
                Some(name) => format!(".captured {name}"),
                None => format!(".captured {index}"),
            }
        }
        Label::Named(name) => format!(".{name}"),
        Label::Argument(0) => ".callee".to_owned(),
        Label::Argument(index) => format!(".argument {index}"),
    }
}
