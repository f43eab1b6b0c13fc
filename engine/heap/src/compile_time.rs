//! Compile-time objects: made once, never moved, never freed.
//!
//! A version of a program comes and goes, and its constants would stay. So those of all
//! versions are shared: a string by its text, a boxed int by its value, a closure without
//! captures and a variant without payload by their number. A number means something else in
//! another version, but values do not get from one into the other. So however often a program
//! is loaded, only what was never loaded before takes memory.

use std::collections::BTreeMap;

use gcrucible_platform::sync::{Mutex, MutexGuard};

use crate::allocator::{NeedsMemory, Terms};
use crate::heap::Heap;
use crate::mutator::string_words;
use crate::object::{HEADER_WORDS, Header, Kind, raw};
use crate::permit::SharedPermit;
use crate::space::Generation;
use crate::value::{Offset, Value, Word};

/// Where the compile-time objects are.
#[derive(Debug, Default)]
pub(crate) struct CompileTime {
    known: Mutex<Known>,
}

type Known = BTreeMap<Key, Offset>;

/// What tells one from the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(Box<str>),
    Function(u16),
    Variant(u16),
    Int(i64),
    Error(u8),
}

impl Heap {
    /// A compile-time string.
    ///
    /// # Errors
    /// When the region is full.
    pub fn immortal_string<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
        text: &str,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.immortal(Key::Text(text.into()), || {
            let at = self.allocate_immortal(Kind::String, 0, string_words(text.len()))?;
            let region = self.region();
            region.set_raw(at + raw::STRING_LEN, text.len() as u64);
            region.write_bytes(at + raw::STRING_BYTES, text.as_bytes());
            Ok(at)
        })
    }

    /// The closure of a function that captures nothing.
    ///
    /// # Errors
    /// When the region is full.
    pub fn immortal_function<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
        function: u16,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.immortal(Key::Function(function), || {
            self.allocate_immortal(Kind::Closure, function, HEADER_WORDS)
        })
    }

    /// The value of an enum variant without payload.
    ///
    /// # Errors
    /// When the region is full.
    pub fn immortal_variant<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
        variant: u16,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.immortal(Key::Variant(variant), || {
            self.allocate_immortal(Kind::Enum, variant, HEADER_WORDS)
        })
    }

    /// A boxed int (small ones need none).
    ///
    /// # Errors
    /// When the region is full.
    pub fn immortal_int<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
        int: i64,
    ) -> Result<Value<'p>, NeedsMemory> {
        if let Some(value) = Value::small_int(int) {
            return Ok(value);
        }
        self.immortal(Key::Int(int), || {
            let at = self.allocate_immortal(Kind::BigInt, 0, HEADER_WORDS + 1)?;
            self.region().set_raw(at + raw::BIG_INT, int as u64);
            Ok(at)
        })
    }

    /// The error for when there is no memory for any other. Its message must be immortal too,
    /// and the same for a kind each time: nothing immortal refers to what moves.
    ///
    /// # Errors
    /// When the region is full.
    pub fn immortal_error<'p>(
        &self,
        _permit: &'p SharedPermit<'_>,
        kind: u8,
        message: Value<'p>,
    ) -> Result<Value<'p>, NeedsMemory> {
        self.immortal(Key::Error(kind), || {
            let at = self.allocate_immortal(Kind::Error, u16::from(kind), HEADER_WORDS + 2)?;
            self.region().set_raw(at + HEADER_WORDS, message.word().0);
            self.region()
                .set_raw(at + HEADER_WORDS + 1, Value::NIL.word().0);
            Ok(at)
        })
    }

    /// The object of a key, which `make` makes if there is none.
    fn immortal<'p>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<Offset, NeedsMemory>,
    ) -> Result<Value<'p>, NeedsMemory> {
        let mut known: MutexGuard<'_, Known> = self.compile_time.known.lock();
        let at = match known.get(&key) {
            Some(&at) => at,
            None => {
                let at = make()?;
                known.insert(key, at);
                at
            }
        };
        let tag = if self.debug().tags {
            self.region().block_at(at).epoch()
        } else {
            0
        };
        Ok(Value::from_word(Word::object(at, tag)))
    }

    fn allocate_immortal(&self, kind: Kind, shape: u16, words: u32) -> Result<Offset, NeedsMemory> {
        let region = self.region();
        let mut allocator = self.allocator.lock();
        let at = if region.is_large(words) {
            allocator.large(region, Generation::Immortal, words, Terms::Granted)?
        } else {
            let at = allocator.bump(region, Generation::Immortal, words);
            allocator.settle_tops(region);
            at.ok_or(NeedsMemory { words })?
        };
        let hash = u64::from(self.immortal_hashes().buffer().next_hash());
        region.set_raw(at + 1, hash);
        region.set_header(at, Header::new(kind, shape, words));
        Ok(at)
    }
}
