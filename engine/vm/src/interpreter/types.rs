//! What `is`, typed handlers and patterns ask for.

use gcrucible_bytecode::{Program, Type, ValueKind};
use gcrucible_heap::{Checks, Kind, Mutator, Value};

use super::Context;

impl<'p, C: Checks> Context<'p, C> {
    /// Whether `value` is of type `type_id` of the program.
    pub(crate) fn is(&self, value: Value<'p>, type_id: u16) -> bool {
        let program = self.program.program();
        match program.types[usize::from(type_id)] {
            Type::Class(class) => self.m.class(value) == Some(class),
            Type::Variant(variant) => self.m.enum_variant(value) == Some(variant),
            Type::Enum(of) => self
                .m
                .enum_variant(value)
                .and_then(|variant| program.variants.get(usize::from(variant)))
                .is_some_and(|variant| variant.of == of),
            Type::Error(kind) => self
                .m
                .error_parts(value)
                .is_some_and(|(number, _, _)| number == kind as u8),
            Type::Kind(kind) => self.value_kind(value) == Some(kind),
        }
    }

    /// The built-in kind of a value; `None` for instances and enum values.
    pub(crate) fn value_kind(&self, value: Value<'p>) -> Option<ValueKind> {
        value_kind(&self.m, value)
    }

    /// The name that `type(v)` gives.
    pub(crate) fn type_name(&self, value: Value<'p>) -> &'p str {
        type_name(&self.m, self.program.program(), value)
    }
}

fn value_kind<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>) -> Option<ValueKind> {
    if value.as_small_int().is_some() {
        return Some(ValueKind::Int);
    }
    if value.as_float().is_some() {
        return Some(ValueKind::Float);
    }
    if value.as_bool().is_some() {
        return Some(ValueKind::Bool);
    }
    match m.kind(value) {
        None => Some(ValueKind::Nil),
        Some(Kind::BigInt) => Some(ValueKind::Int),
        Some(Kind::String) => Some(ValueKind::String),
        Some(Kind::Array) => Some(ValueKind::Array),
        Some(Kind::Map) => Some(ValueKind::Map),
        Some(Kind::Range) => Some(ValueKind::Range),
        Some(Kind::Closure | Kind::Bound) => Some(ValueKind::Function),
        Some(Kind::Future | Kind::Unscheduled) => Some(ValueKind::Future),
        Some(Kind::Error) => Some(ValueKind::Error),
        Some(Kind::Iterator) => Some(ValueKind::Iterator),
        Some(Kind::Channel) => Some(ValueKind::Channel),
        Some(Kind::Mutex) => Some(ValueKind::Mutex),
        Some(Kind::Stream) => Some(ValueKind::Stream),
        Some(Kind::Weak) => Some(ValueKind::Weak),
        // Programs never hold the other kinds.
        Some(_) => None,
    }
}

/// The name that `type(v)` gives for a value of a program.
pub fn type_name<'p, 'n, C: Checks>(
    m: &Mutator<'p, C>,
    program: &'n Program,
    value: Value<'p>,
) -> &'n str {
    if let Some(kind) = value_kind(m, value) {
        return kind.name();
    }
    if let Some(class) = m.class(value) {
        let class = program.classes.get(usize::from(class));
        return class.map_or("instance", |class| &class.name);
    }
    let variant = m.enum_variant(value);
    variant
        .and_then(|variant| program.variants.get(usize::from(variant)))
        .and_then(|variant| program.enums.get(usize::from(variant.of)))
        .map_or("enum", |of| &of.name)
}
