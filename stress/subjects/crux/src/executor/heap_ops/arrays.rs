//! Operations on whole arrays and maps.

use gcrucible_heap::{Checks, Holder, MapStoreError, Mutator, Value};

use super::model::{Object, Value as ModelValue};
use super::{Run, Stop};
use crate::scenario::HeapOp;

/// An array is not extended beyond so many elements: doubling ones would fill the heap.
const ELEMENTS_MAX: usize = 1024;

impl<C: Checks> Run<'_, C> {
    /// The operations that change many elements at once.
    pub(super) fn change_many(
        &mut self,
        m: &Mutator<'_, C>,
        holder: &Holder,
        op: &HeapOp,
    ) -> Result<(), Stop> {
        let registers = self.registers;
        let slot = |register: u8| &holder.registers()[usize::from(register) % registers];
        let get = |register: u8| m.load_root(slot(register));
        match *op {
            HeapOp::ArrayOf(dst, n, src) => {
                let len = usize::from(n) * 4;
                m.store(slot(dst), m.array(&vec![get(src); len])?);
                let element = self.register(src);
                self.new_object(dst, Object::Array(vec![element; len]));
            }
            HeapOp::Extend(array, other) => {
                if self.array_len(array) + self.array_len(other) > ELEMENTS_MAX {
                    return Ok(());
                }
                let done = m.array_extend(get(array), get(other))?;
                let more = match self.model.object(self.register(other)) {
                    Some(Object::Array(more)) => Some(more.clone()),
                    _ => None,
                };
                let expected = more.is_some() && self.is_array(array);
                self.expect_bool(done, expected)?;
                if let (Some(Object::Array(elements)), Some(more)) = (self.object_mut(array), more)
                {
                    elements.extend(more);
                }
            }
            HeapOp::Fill(array, src) => {
                let done = m.array_fill(get(array), get(src));
                let model = self.register(src);
                self.expect_bool(done, self.is_array(array))?;
                if let Some(Object::Array(elements)) = self.object_mut(array) {
                    elements.fill(model);
                }
            }
            HeapOp::Reverse(array) => {
                let done = m.array_reverse(get(array));
                self.expect_bool(done, self.is_array(array))?;
                if let Some(Object::Array(elements)) = self.object_mut(array) {
                    elements.reverse();
                }
            }
            HeapOp::Slice(dst, array, n) => {
                let len = self.array_len(array);
                let from = usize::from(n) % (len + 1);
                let slice = m.array_slice(get(array), from as u32, len as u32)?;
                self.expect_bool(slice.is_some(), self.is_array(array))?;
                m.store(slot(dst), slice.unwrap_or(Value::NIL));
                match self.model.object(self.register(array)) {
                    Some(Object::Array(elements)) => {
                        let elements = elements[from..].to_vec();
                        self.new_object(dst, Object::Array(elements));
                    }
                    _ => self.set_register(dst, ModelValue::Nil),
                }
            }
            HeapOp::RemoveAll(object) => {
                let value = get(object);
                let done = m.array_clear(value) || m.map_clear(value);
                let expected = match self.object_mut(object) {
                    Some(Object::Array(elements)) => {
                        elements.clear();
                        true
                    }
                    Some(Object::Map(entries)) => {
                        entries.clear();
                        true
                    }
                    _ => false,
                };
                self.expect_bool(done, expected)?;
            }
            HeapOp::MapSetMany(map, n, src) => {
                self.map_set_many(m, get(map), map, n, get(src), src)?
            }
            _ => unreachable!("other operations are done by `perform`"),
        }
        Ok(())
    }

    /// Each key is set on heap and model in step: when memory runs out in the middle, the
    /// next attempt goes on from there.
    fn map_set_many<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        map: Value<'p>,
        map_register: u8,
        n: u8,
        value: Value<'p>,
        src: u8,
    ) -> Result<(), Stop> {
        for key in i64::from(self.parts_done)..i64::from(n % 32) {
            let done = match m.map_set(map, Value::int32(key as i32), value) {
                Ok(()) => true,
                Err(MapStoreError::NeedsMemory(needs)) => return Err(needs.into()),
                Err(MapStoreError::InvalidKey | MapStoreError::NotAMap) => false,
            };
            let expected = self.model_map_set(map_register, ModelValue::Int(key), src);
            self.expect_bool(done, expected)?;
            self.parts_done += 1;
        }
        Ok(())
    }
}
