//! Iterators, and what else a `for` loop goes over.

use gcrucible_bytecode::{ErrorKind, ValueKind};
use gcrucible_heap::{Checks, Kind, Value};
use gcrucible_platform::planted;

use super::{Context, Made, Stop};

impl<'p, C: Checks> Context<'p, C> {
    /// What a `for` loop over `source` keeps: an iterator, or what yields itself.
    pub(crate) fn new_iterator(&self, source: Value<'p>) -> Made<'p> {
        match self.m.kind(source) {
            Some(Kind::Instance) => match self.next_method(source) {
                Ok(None) => Err(ErrorKind::NotIterable.into()),
                // A method of the wrong arity is found out by the call.
                _ => Ok(source),
            },
            Some(Kind::Stream) => match self.m.stream_take(source) {
                Some(true) => Ok(source),
                _ => Err(ErrorKind::StreamTaken.into()),
            },
            Some(Kind::Channel) => Ok(source),
            _ => match self.iterator_over(source)? {
                Some(iterator) => Ok(iterator),
                None => Err(ErrorKind::NotIterable.into()),
            },
        }
    }

    /// An iterator over an array, map, range or string, or the iterator itself.
    fn iterator_over(&self, source: Value<'p>) -> Result<Option<Value<'p>>, Stop<'p>> {
        match self.m.kind(source) {
            Some(Kind::Array | Kind::Map | Kind::Range | Kind::String) => {
                Ok(Some(self.m.iterator(source, 0)?))
            }
            Some(Kind::Iterator) => Ok(Some(source)),
            _ => Ok(None),
        }
    }

    /// Whether it is a stream.
    pub(super) fn is_stream(&self, value: Value<'p>) -> bool {
        self.value_kind(value) == Some(ValueKind::Stream)
    }

    /// The next element of an iterator, `None` at the end. The iterator has moved then.
    #[inline]
    pub(crate) fn next(&self, iterator: Value<'p>) -> Result<Option<Value<'p>>, Stop<'p>> {
        let (source, position) = self.m.iterator_parts(iterator).ok_or(ErrorKind::Internal)?;
        if let Some((start, end)) = self.m.range_bounds(source) {
            // The position is an offset. It counts up to the distance, which may wrap; the
            // sum wraps back.
            let int = start.wrapping_add(position);
            if start >= end || int == end {
                return Ok(None);
            }
            let element = self.m.int(int)?;
            self.m.iterator_move(iterator, position.wrapping_add(1));
            return Ok(Some(element));
        }
        // The position is an index or a byte, which have 32 bits, or a count of insertions.
        let (element, next) = match self.m.kind(source) {
            Some(Kind::Array) => match self.m.array_get(source, position as u32) {
                Some(element) => (element, position + 1),
                None => return Ok(None),
            },
            Some(Kind::Map) => match self.m.map_next(source, position as u64) {
                Some((next, key, _)) => (key, next as i64),
                None => return Ok(None),
            },
            Some(Kind::String) => {
                let text = self.m.text(source).unwrap_or_default();
                let rest = text.get(position as usize..).unwrap_or_default();
                let Some(character) = rest.chars().next() else {
                    return Ok(None);
                };
                let element = self.m.string(character.encode_utf8(&mut [0; 4]))?;
                let bytes = match planted!(B239b, character.len_utf8() > 2) {
                    true => 2,
                    false => character.len_utf8(),
                };
                (element, position + bytes as i64)
            }
            _ => return Err(ErrorKind::Internal.into()),
        };
        self.m.iterator_move(iterator, next);
        Ok(Some(element))
    }
}
