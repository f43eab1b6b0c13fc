//! Objects of fixed size: instances, enum values, cells, closures, bound methods,
//! iterators, ranges, errors, unscheduled futures.

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, Slots, raw};
use crate::slot::Slot;
use crate::value::Value;

impl<'p, C: Checks> Mutator<'p, C> {
    /// An object whose parts are in root slots, if the allocation buffer has room for it:
    /// what an interpreter does first, without a call.
    #[inline(always)]
    fn record_from(&self, kind: Kind, shape: u16, parts: &[Slot]) -> Option<Value<'p>> {
        let words = HEADER_WORDS + parts.len() as u32;
        if self.tlab.room() < words {
            return None;
        }
        let at = self.tlab.bump(words);
        self.write_header(at, kind, shape, words);
        for (index, part) in parts.iter().enumerate() {
            let value = self.load_root(part);
            self.region()
                .set_raw(at + HEADER_WORDS + index as u32, value.word().0);
        }
        Some(self.reference(at))
    }

    /// An instance of a class with the fields that are in root slots; `None` if there is no
    /// room without asking the heap: [`Mutator::instance`] does.
    #[inline(always)]
    pub fn instance_from(&self, class: u16, fields: &[Slot]) -> Option<Value<'p>> {
        self.record_from(Kind::Instance, class, fields)
    }

    /// An enum value, as [`Mutator::instance_from`] makes instances.
    #[inline(always)]
    pub fn enum_from(&self, variant: u16, payload: &[Slot]) -> Option<Value<'p>> {
        self.record_from(Kind::Enum, variant, payload)
    }

    /// A cell, as [`Mutator::instance_from`] makes instances.
    #[inline(always)]
    pub fn cell_from(&self, slot: &Slot) -> Option<Value<'p>> {
        self.record_from(Kind::Cell, 0, std::slice::from_ref(slot))
    }

    /// A closure over cells, as [`Mutator::instance_from`] makes instances. The slots must
    /// hold cells.
    #[inline(always)]
    pub fn closure_from(&self, function: u16, captures: &[Slot]) -> Option<Value<'p>> {
        self.record_from(Kind::Closure, function, captures)
    }

    #[inline]
    fn record(
        &self,
        kind: Kind,
        shape: u16,
        parts: &[Value<'p>],
    ) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(kind, shape, HEADER_WORDS + parts.len() as u32)?;
        self.initialise(at, HEADER_WORDS, parts);
        Ok(self.reference(at))
    }

    /// Part `index` of an object made by [`Mutator::record`].
    #[inline(always)]
    fn part(&self, value: Value<'p>, kind: Kind, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(value, kind)?;
        let size = self.region().header(at).size_words();
        (index < size - HEADER_WORDS).then(|| self.get(at, HEADER_WORDS + index))
    }

    fn parts(&self, value: Value<'p>, kind: Kind) -> Option<u32> {
        let at = self.as_kind(value, kind)?;
        Some(self.region().header(at).size_words() - HEADER_WORDS)
    }

    /// An instance of a class.
    ///
    /// # Errors
    /// When a collection is due first, here and below.
    pub fn instance(&self, class: u16, fields: &[Value<'p>]) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Instance, class, fields)
    }

    /// The class of an instance.
    #[inline(always)]
    pub fn class(&self, value: Value<'p>) -> Option<u16> {
        let at = self.as_kind(value, Kind::Instance)?;
        Some(self.region().header(at).shape())
    }

    /// Number of fields of an instance.
    pub fn field_count(&self, value: Value<'p>) -> Option<u32> {
        self.parts(value, Kind::Instance)
    }

    /// Field `index` of an instance.
    #[inline]
    pub fn field(&self, value: Value<'p>, index: u32) -> Option<Value<'p>> {
        self.part(value, Kind::Instance, index)
    }

    /// Stores field `index` of an instance; false if it has none.
    #[inline]
    pub fn set_field(&self, object: Value<'p>, index: u32, value: Value<'p>) -> bool {
        match self.as_kind(object, Kind::Instance) {
            Some(at) if index < self.region().header(at).size_words() - HEADER_WORDS => {
                self.set(at, HEADER_WORDS + index, value);
                true
            }
            _ => false,
        }
    }

    /// An enum value.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn enum_value(
        &self,
        variant: u16,
        payload: &[Value<'p>],
    ) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Enum, variant, payload)
    }

    /// The variant of an enum value.
    #[inline]
    pub fn enum_variant(&self, value: Value<'p>) -> Option<u16> {
        let at = self.as_kind(value, Kind::Enum)?;
        Some(self.region().header(at).shape())
    }

    /// Part `index` of an enum value's payload.
    pub fn enum_payload(&self, value: Value<'p>, index: u32) -> Option<Value<'p>> {
        self.part(value, Kind::Enum, index)
    }

    /// A cell, which holds a captured variable.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn cell(&self, value: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Cell, 0, &[value])
    }

    /// What a cell holds.
    #[inline]
    pub fn cell_get(&self, cell: Value<'p>) -> Option<Value<'p>> {
        self.as_kind(cell, Kind::Cell)
            .map(|at| self.get(at, HEADER_WORDS))
    }

    /// Stores into a cell; false if it is none.
    #[inline]
    pub fn cell_set(&self, cell: Value<'p>, value: Value<'p>) -> bool {
        match self.as_kind(cell, Kind::Cell) {
            Some(at) => {
                self.set(at, HEADER_WORDS, value);
                true
            }
            None => false,
        }
    }

    /// A closure over cells.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn closure(&self, function: u16, captures: &[Value<'p>]) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Closure, function, captures)
    }

    /// The function of a closure.
    #[inline(always)]
    pub fn closure_function(&self, value: Value<'p>) -> Option<u16> {
        let at = self.as_kind(value, Kind::Closure)?;
        Some(self.region().header(at).shape())
    }

    /// Captured cell `index` of a closure.
    #[inline]
    pub fn closure_capture(&self, value: Value<'p>, index: u32) -> Option<Value<'p>> {
        self.part(value, Kind::Closure, index)
    }

    /// Number of cells that a closure captures.
    pub fn closure_captures(&self, value: Value<'p>) -> Option<u32> {
        self.parts(value, Kind::Closure)
    }

    /// A method bound to its receiver.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn bound(
        &self,
        receiver: Value<'p>,
        function: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Bound, 0, &[receiver, function])
    }

    /// Receiver and function of a bound method.
    pub fn bound_parts(&self, value: Value<'p>) -> Option<(Value<'p>, Value<'p>)> {
        Some((
            self.part(value, Kind::Bound, 0)?,
            self.part(value, Kind::Bound, 1)?,
        ))
    }

    /// An error with message and payload; `kind` is its number.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn error(
        &self,
        kind: u8,
        message: Value<'p>,
        payload: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.record(Kind::Error, u16::from(kind), &[message, payload])
    }

    /// Kind number, message and payload of an error.
    pub fn error_parts(&self, value: Value<'p>) -> Option<(u8, Value<'p>, Value<'p>)> {
        let at = self.as_kind(value, Kind::Error)?;
        let kind = self.region().header(at).shape() as u8;
        Some((
            kind,
            self.get(at, HEADER_WORDS),
            self.get(at, HEADER_WORDS + 1),
        ))
    }

    /// A call that was not handed to the engine yet.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn unscheduled(
        &self,
        callee: Value<'p>,
        args: &[Value<'p>],
    ) -> Result<Value<'p>, NeedsMemory> {
        let words = HEADER_WORDS + 1 + args.len() as u32;
        let at = self.allocate(Kind::Unscheduled, 0, words)?;
        self.initialise(at, HEADER_WORDS, &[callee]);
        self.initialise(at, HEADER_WORDS + 1, args);
        Ok(self.reference(at))
    }

    /// Number of arguments of an unscheduled future.
    pub fn unscheduled_args(&self, value: Value<'p>) -> Option<u32> {
        self.parts(value, Kind::Unscheduled).map(|parts| parts - 1)
    }

    /// Callee (0) and arguments (from 1) of an unscheduled future.
    pub fn unscheduled_part(&self, value: Value<'p>, index: u32) -> Option<Value<'p>> {
        self.part(value, Kind::Unscheduled, index)
    }

    /// A range of ints, its end exclusive.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn range(&self, start: i64, end: i64) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Range, 0, HEADER_WORDS + 2)?;
        self.region().set_raw(at + raw::RANGE_START, start as u64);
        self.region().set_raw(at + raw::RANGE_START + 1, end as u64);
        Ok(self.reference(at))
    }

    /// Start and end of a range.
    pub fn range_bounds(&self, value: Value<'p>) -> Option<(i64, i64)> {
        let at = self.as_kind(value, Kind::Range)?;
        let start = self.region().raw(at + raw::RANGE_START) as i64;
        let end = self.region().raw(at + raw::RANGE_START + 1) as i64;
        Some((start, end))
    }

    /// An iterator over `source`, at `position`.
    ///
    /// # Errors
    /// See [`Mutator::instance`].
    pub fn iterator(&self, source: Value<'p>, position: i64) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Iterator, 0, HEADER_WORDS + 2)?;
        self.region()
            .set_raw(at + raw::ITERATOR_POSITION, position as u64);
        self.initialise(at, raw::ITERATOR_SOURCE, &[source]);
        Ok(self.reference(at))
    }

    /// Source and position of an iterator.
    #[inline]
    pub fn iterator_parts(&self, value: Value<'p>) -> Option<(Value<'p>, i64)> {
        let at = self.as_kind(value, Kind::Iterator)?;
        let position = self.region().raw(at + raw::ITERATOR_POSITION) as i64;
        Some((self.get(at, raw::ITERATOR_SOURCE), position))
    }

    /// Moves an iterator; false if it is none.
    pub fn iterator_move(&self, value: Value<'p>, position: i64) -> bool {
        let Some(at) = self.as_kind(value, Kind::Iterator) else {
            return false;
        };
        self.region()
            .set_raw(at + raw::ITERATOR_POSITION, position as u64);
        true
    }

    /// Number of slots of any object, `None` for an immediate.
    pub fn slot_count(&self, value: Value<'p>) -> Option<u32> {
        let kind = self.kind(value)?;
        let at = self.offset(value);
        Some(match kind.layout().slots {
            Slots::None | Slots::Weak(_) => 0,
            Slots::From(first) => self.region().header(at).size_words() - first,
            Slots::Counted {
                count_at, per_unit, ..
            } => self.region().raw(at + count_at) as u32 * per_unit,
        })
    }
}
