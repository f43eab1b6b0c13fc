//! Compile-time objects: made once for each version of a program, never moved, freed together.
//!
//! A major collection marks each version that a root or an object refers to; one that nothing
//! refers to is gone with it. So the constants of a program that is reloaded again and again
//! take no more memory than those of the versions that something still uses.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::allocator::NeedsMemory;
use crate::heap::Heap;
use crate::mutator::string_words;
use crate::object::{HEADER_WORDS, Header, Kind, raw};
use crate::permit::SharedPermit;
use crate::value::{Offset, Value, Word};

/// Makes the compile-time objects of one version: equal ones once.
///
/// It holds the permit from the first object to the last. After that something has to refer
/// to one of them at each collection, or all of them are freed.
#[derive(Debug)]
pub struct CompileTimeObjects<'p> {
    heap: &'p Heap,
    version: u32,
    known: BTreeMap<Key, Offset>,
    /// Where the next object goes, and where the block ends.
    cursor: Offset,
    limit: Offset,
    /// It stays where its permit is.
    not_send: PhantomData<*const ()>,
}

/// What tells one from the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(Box<str>),
    Int(i64),
}

impl<'p> CompileTimeObjects<'p> {
    /// Opens a version without objects.
    pub fn new(permit: &'p SharedPermit<'_>) -> CompileTimeObjects<'p> {
        let heap = permit.heap();
        CompileTimeObjects {
            heap,
            not_send: PhantomData,
            version: heap.allocator.lock().open_version(),
            known: BTreeMap::new(),
            cursor: 0,
            limit: 0,
        }
    }

    /// A string.
    ///
    /// # Errors
    /// When the region is full.
    pub fn string(&mut self, text: &str) -> Result<Value<'p>, NeedsMemory> {
        self.once(Key::Text(text.into()), |objects| {
            let at = objects.allocate(Kind::String, 0, string_words(text.len()))?;
            let region = objects.heap.region();
            region.set_raw(at + raw::STRING_LEN, text.len() as u64);
            region.write_text(at + raw::STRING_BYTES, text);
            Ok(at)
        })
    }

    /// The closure of a function that captures nothing.
    ///
    /// # Errors
    /// When the region is full.
    pub fn function(&mut self, function: u16) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Closure, function, HEADER_WORDS)?;
        Ok(self.value(at))
    }

    /// The value of an enum variant without payload.
    ///
    /// # Errors
    /// When the region is full.
    pub fn variant(&mut self, variant: u16) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Enum, variant, HEADER_WORDS)?;
        Ok(self.value(at))
    }

    /// A boxed int (small ones need none).
    ///
    /// # Errors
    /// When the region is full.
    pub fn int(&mut self, int: i64) -> Result<Value<'p>, NeedsMemory> {
        if let Some(value) = Value::small_int(int) {
            return Ok(value);
        }
        self.once(Key::Int(int), |objects| {
            let at = objects.allocate(Kind::BigInt, 0, HEADER_WORDS + 1)?;
            objects.heap.region().set_raw(at + raw::BIG_INT, int as u64);
            Ok(at)
        })
    }

    /// The error for when there is no memory for any other. Its message is one of this version's
    /// strings: compile-time objects refer to nothing that moves, or is freed before them.
    ///
    /// # Errors
    /// When the region is full.
    pub fn error(&mut self, kind: u8, message: &str) -> Result<Value<'p>, NeedsMemory> {
        let message = self.string(message)?;
        let at = self.allocate(Kind::Error, u16::from(kind), HEADER_WORDS + 2)?;
        let region = self.heap.region();
        region.set_raw(at + HEADER_WORDS, message.word().0);
        region.set_raw(at + HEADER_WORDS + 1, Value::NIL.word().0);
        Ok(self.value(at))
    }

    /// The object of a key, which `make` makes if there is none.
    fn once(
        &mut self,
        key: Key,
        make: impl FnOnce(&mut Self) -> Result<Offset, NeedsMemory>,
    ) -> Result<Value<'p>, NeedsMemory> {
        let at = match self.known.get(&key) {
            Some(&at) => at,
            None => {
                let at = make(self)?;
                self.known.insert(key, at);
                at
            }
        };
        Ok(self.value(at))
    }

    fn value(&self, at: Offset) -> Value<'p> {
        let has_tags = self.heap.debug().tags;
        let block = self.heap.region().block_at(at);
        Value::from_word(Word::object(at, if has_tags { block.epoch() } else { 0 }))
    }

    fn allocate(&mut self, kind: Kind, shape: u16, words: u32) -> Result<Offset, NeedsMemory> {
        let region = self.heap.region();
        let at = if region.is_large(words) {
            let mut allocator = self.heap.allocator.lock();
            allocator.version_large(region, self.version, words)?
        } else {
            if self.limit - self.cursor < words {
                let block = self
                    .heap
                    .allocator
                    .lock()
                    .version_block(region, self.version);
                self.cursor = block.ok_or(NeedsMemory { words })?;
                self.limit = self.cursor + region.block_words();
            }
            let at = self.cursor;
            self.cursor += words;
            let block = region.block_of(at);
            region.set_block_top(block, self.cursor - region.block_start(block));
            at
        };
        let hash = u64::from(self.heap.compile_time_hashes().next_hash());
        region.set_raw(at + 1, hash);
        region.set_header(at, Header::new(kind, shape, words));
        Ok(at)
    }
}

impl Drop for CompileTimeObjects<'_> {
    fn drop(&mut self) {
        self.heap.allocator.lock().close_if_empty(self.version);
    }
}
