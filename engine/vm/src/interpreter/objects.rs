//! Making, reading and writing objects.

use gcrucible_bytecode::{Capture, Constant, ErrorKind, Function, Reg};
use gcrucible_heap::{Checks, Kind, Value};

use super::{Context, Made, Stop};
use crate::feedback::Site;
use crate::interpreter::Safepoint;
use crate::stack::Registers;

impl<'p, C: Checks> Context<'p, C> {
    pub(super) fn new_array(&self, registers: Registers<'_, C>, first: Reg, count: u8) -> Made<'p> {
        self.with_values(registers, first, usize::from(count), |elements| {
            Ok(self.m.array(elements)?)
        })
    }

    pub(super) fn new_map(&self, registers: Registers<'_, C>, first: Reg, pairs: u8) -> Made<'p> {
        self.with_values(registers, first, 2 * usize::from(pairs), |values| {
            // All keys are looked at before anything is allocated: an instruction that
            // allocates and then throws would need memory for both at once.
            let pairs = values
                .chunks_exact(2)
                .map(|pair| Ok((key(pair[0])?, pair[1])));
            let pairs: Vec<_> = pairs.collect::<Result<_, ErrorKind>>()?;
            pairs.iter().for_each(|&(key, _)| self.charge_key(key));
            Ok(self.m.map_of(&pairs)?)
        })
    }

    pub(super) fn new_instance(
        &self,
        registers: Registers<'_, C>,
        class: u16,
        first: Reg,
    ) -> Made<'p> {
        let count = self.program.program().classes[usize::from(class)]
            .fields
            .len();
        self.with_values(registers, first, count, |fields| {
            Ok(self.m.instance(class, fields)?)
        })
    }

    pub(super) fn new_variant(
        &self,
        registers: Registers<'_, C>,
        variant: u16,
        first: Reg,
    ) -> Made<'p> {
        let count = self.program.program().variants[usize::from(variant)].arity;
        self.with_values(registers, first, usize::from(count), |payload| {
            Ok(self.m.enum_value(variant, payload)?)
        })
    }

    pub(super) fn new_closure(&self, registers: Registers<'_, C>, function: u16) -> Made<'p> {
        let Function { captures, .. } = &self.program.program().functions[usize::from(function)];
        let mut cells = Vec::with_capacity(captures.len());
        for &capture in captures {
            let cell = match capture {
                Capture::Register(register) => registers.get(&self.m, register),
                Capture::Outer(index) => self.captured_cell(registers, index)?,
            };
            // A closure over something else would fail far from here, at its first use.
            if self.m.kind(cell) != Some(Kind::Cell) {
                return Err(ErrorKind::Internal.into());
            }
            cells.push(cell);
        }
        Ok(self.m.closure(function, &cells)?)
    }

    pub(super) fn new_range(&self, registers: Registers<'_, C>, first: Reg) -> Made<'p> {
        let bounds = registers.range(first, 2);
        let bound = |index: usize| self.m.as_int(self.m.load_root(&bounds[index]));
        match (bound(0), bound(1)) {
            (Some(start), Some(end)) => Ok(self.m.range(start, end)?),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// Captured cell `index` of the running closure.
    pub(super) fn captured_cell(&self, registers: Registers<'_, C>, index: u8) -> Made<'p> {
        let callee = self.m.load_root(registers.callee());
        let cell = self.m.closure_capture(callee, u32::from(index));
        cell.ok_or(ErrorKind::Internal.into())
    }

    pub(super) fn get_field(
        &self,
        site: Option<&Site>,
        object: Value<'p>,
        name: u16,
        safepoint: Safepoint,
    ) -> Made<'p> {
        let Some(class) = self.m.class(object) else {
            return self.get_error_field(object, name);
        };
        if let Some(index) = self.field_at(site, class, name) {
            let value = self.m.field(object, index);
            return value.ok_or(ErrorKind::UnknownField.into());
        }
        let method = self.program.class_method(class, name);
        let method = method.ok_or(ErrorKind::UnknownField)?;
        self.safepoint(safepoint)?;
        let function = self.m.load(self.program.function(method));
        Ok(self.m.bound(object, function)?)
    }

    fn get_error_field(&self, object: Value<'p>, name: u16) -> Made<'p> {
        let (kind, message, payload) = self.m.error_parts(object).ok_or(ErrorKind::TypeError)?;
        match &self.program.program().constants[usize::from(name)] {
            Constant::String(name) if name == "kind" => {
                let name = self.program.kind_name(kind).ok_or(ErrorKind::Internal)?;
                Ok(self.m.load(name))
            }
            Constant::String(name) if name == "message" => Ok(message),
            Constant::String(name) if name == "payload" => Ok(payload),
            _ => Err(ErrorKind::UnknownField.into()),
        }
    }

    #[inline]
    pub(super) fn set_field(
        &self,
        site: Option<&Site>,
        object: Value<'p>,
        name: u16,
        value: Value<'p>,
    ) -> Result<(), Stop<'p>> {
        let class = self.m.class(object).ok_or(ErrorKind::TypeError)?;
        match self.field_at(site, class, name) {
            Some(index) if self.m.set_field(object, index, value) => Ok(()),
            _ => Err(ErrorKind::UnknownField.into()),
        }
    }

    pub(super) fn get_index(
        &self,
        object: Value<'p>,
        index: Value<'p>,
        safepoint: Safepoint,
    ) -> Made<'p> {
        match self.m.kind(object) {
            Some(Kind::Array) => {
                let index = self.index(index)?.ok_or(ErrorKind::IndexOutOfBounds)?;
                let element = self.m.array_get(object, index);
                element.ok_or(ErrorKind::IndexOutOfBounds.into())
            }
            Some(Kind::Map) => {
                self.charge_key(index);
                let value = self.m.map_get(object, key(index)?);
                Ok(value.unwrap_or(Value::NIL))
            }
            Some(Kind::String) => {
                let text = self.m.text(object).unwrap_or_default();
                let at = self.index(index)?.map(|index| index as usize);
                let character = at
                    .and_then(|at| text.get(at..))
                    .and_then(|rest| rest.chars().next())
                    .ok_or(ErrorKind::IndexOutOfBounds)?;
                self.safepoint(safepoint)?;
                Ok(self.m.string(character.encode_utf8(&mut [0; 4]))?)
            }
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    pub(super) fn set_index(
        &self,
        object: Value<'p>,
        index: Value<'p>,
        value: Value<'p>,
        safepoint: Safepoint,
    ) -> Result<(), Stop<'p>> {
        match self.m.kind(object) {
            Some(Kind::Array) => match self.index(index)? {
                Some(index) if self.m.array_set(object, index, value) => Ok(()),
                _ => Err(ErrorKind::IndexOutOfBounds.into()),
            },
            Some(Kind::Map) => {
                self.safepoint(safepoint)?;
                self.charge_entry(object, index);
                Ok(self.m.map_set(object, index, value)?)
            }
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// An index of an array or string; `None` if it is an int that no array can have.
    pub(crate) fn index(&self, index: Value<'p>) -> Result<Option<u32>, Stop<'p>> {
        let int = self.m.as_int(index).ok_or(ErrorKind::TypeError)?;
        Ok(u32::try_from(int).ok())
    }
}

/// A value as a key of a map.
pub(crate) fn key(value: Value<'_>) -> Result<Value<'_>, ErrorKind> {
    match value.as_float() {
        Some(float) if float.is_nan() => Err(ErrorKind::InvalidKey),
        _ => Ok(value),
    }
}
