//! Strings and boxed ints: immutable values on the heap.

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::interning::LONGEST;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::Value;

/// The checked copy looks at texts of so many bytes again whenever they are read. It leaves
/// longer ones alone, or a loop over the characters of one would take the square of its length.
const CHECKED_BYTES: usize = 128;

/// Words of a string object with `len` bytes.
pub(crate) fn string_words(len: usize) -> u32 {
    HEADER_WORDS + 1 + len.div_ceil(8) as u32
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A new string.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn string(&self, text: &str) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::String, 0, string_words(text.len()))?;
        self.region()
            .set_raw(at + raw::STRING_LEN, text.len() as u64);
        self.region().write_text(at + raw::STRING_BYTES, text);
        Ok(self.reference(at))
    }

    /// A string of `len` bytes that are written piece by piece.
    ///
    /// # Errors
    /// When a collection is due first.
    ///
    /// # Safety
    /// Until all of its bytes are [written](Mutator::write_string), what it holds is not text:
    /// nobody reads it, and nobody else gets to see it.
    ///
    /// ```compile_fail,E0133
    /// # use gcrucible_heap::*;
    /// fn half_a_text(m: &Mutator<'_, Checked>) {
    ///     let _ = m.begin_string(1000); // error: unsafe
    /// }
    /// ```
    pub unsafe fn begin_string(&self, len: usize) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::String, 0, string_words(len))?;
        self.region().set_raw(at + raw::STRING_LEN, len as u64);
        Ok(self.reference(at))
    }

    /// Writes bytes of a string from byte `from` on, a multiple of eight.
    ///
    /// # Panics
    /// If it is no string, or has no such bytes.
    ///
    /// # Safety
    /// The string was [begun](Mutator::begin_string), and nobody has seen it yet. All of its bytes
    /// are UTF-8 in the end.
    pub unsafe fn write_string(&self, string: Value<'p>, from: usize, bytes: &[u8]) {
        let at = self.as_kind(string, Kind::String).expect("it is a string");
        let len = self.region().raw(at + raw::STRING_LEN) as usize;
        assert!(
            from.is_multiple_of(8) && from + bytes.len() <= len,
            "whole words of the string"
        );
        let word = at + raw::STRING_BYTES + (from / 8) as u32;
        self.region().write_bytes(word, bytes);
    }

    /// A string with this text, the same object for as long as that lives: for short texts
    /// that are asked for again and again.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn intern(&self, text: &str) -> Result<Value<'p>, NeedsMemory> {
        if text.len() > LONGEST {
            return self.string(text);
        }
        let hash = self.heap.hashing.text(text.as_bytes());
        if let Some(word) = self.heap.interned.get(hash) {
            let known = self.checked(word);
            // Another text may have the same hash.
            if self.text(known) == Some(text) {
                return Ok(known);
            }
        }
        let string = self.string(text)?;
        // Somebody else may have been quicker with the same text.
        let known = self.checked(self.heap.interned.insert(hash, string.word()));
        match self.text(known) == Some(text) {
            true => Ok(known),
            false => Ok(string),
        }
    }

    /// The text of a string. It takes the same time however long the text is.
    #[inline]
    pub fn text(&self, value: Value<'p>) -> Option<&'p str> {
        let at = self.as_kind(value, Kind::String)?;
        let len = self.region().raw(at + raw::STRING_LEN) as usize;
        if C::ENABLED && len <= CHECKED_BYTES {
            let bytes = self.region().bytes(at + raw::STRING_BYTES, len);
            assert!(std::str::from_utf8(bytes).is_ok(), "a string holds text");
        }
        // SAFETY: the object is a string, which is whole: the value was read under the permit that
        // it borrows, and only `begin_string` makes others, whose callers do not come here.
        Some(unsafe { self.region().text(at + raw::STRING_BYTES, len) })
    }

    /// An int, boxed if it must be.
    ///
    /// # Errors
    /// When a box is needed and a collection is due first.
    #[inline]
    pub fn int(&self, value: i64) -> Result<Value<'p>, NeedsMemory> {
        match Value::small_int(value) {
            Some(value) => Ok(value),
            None => self.boxed_int(value),
        }
    }

    fn boxed_int(&self, value: i64) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::BigInt, 0, HEADER_WORDS + 1)?;
        self.region().set_raw(at + raw::BIG_INT, value as u64);
        Ok(self.reference(at))
    }

    /// The int, boxed or not.
    #[inline]
    pub fn as_int(&self, value: Value<'p>) -> Option<i64> {
        match value.as_small_int() {
            Some(int) => Some(int),
            None => {
                let at = self.as_kind(value, Kind::BigInt)?;
                Some(self.region().raw(at + raw::BIG_INT) as i64)
            }
        }
    }

    /// Whether two values are equal as `==` in Crux says: numbers by value, strings by
    /// content, all else by identity.
    pub fn are_equal(&self, a: Value<'p>, b: Value<'p>) -> bool {
        if a.is_object() && a.is_identical(b) {
            return true;
        }
        match (self.as_int(a), self.as_int(b)) {
            (Some(a), Some(b)) => return a == b,
            (Some(int), None) => return b.as_float().is_some_and(|float| int_is(int, float)),
            (None, Some(int)) => return a.as_float().is_some_and(|float| int_is(int, float)),
            (None, None) => {}
        }
        match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => return a == b,
            (None, None) => {}
            _ => return false,
        }
        if a.is_identical(b) {
            return true;
        }
        match (self.text(a), self.text(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

/// Whether an int and a float are the same number, exactly.
fn int_is(int: i64, float: f64) -> bool {
    // Every i64 within these bounds converts to a float and back; outside them the float
    // is out of range of i64.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float)
        && float.fract() == 0.0
        && float as i64 == int
}
