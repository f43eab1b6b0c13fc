//! Values: one machine word each, NaN-boxed.
//!
//! ```text
//! float    any double that is not in the rows below; NaN is 7FF8_0000_0000_0000
//! int      FFF9 | 48 bits, two's complement; larger ones are boxed objects
//! special  FFFA | 0 nil, 1 false, 2 true, 3 hole (never seen by programs)
//! object   FFFB | 16 bits generation tag | 32 bits offset in words
//! poison   FFFE | pattern; what debug modes write over dead memory
//! ```
//!
//! A reference is an offset into the heap's one region, not an address. The generation
//! tag is the epoch of the block that the object lay in when the reference was made; it
//! is 0 unless the debug mode `tags` is on.

use gcrucible_platform::sync::atomic::Ordering;
use gcrucible_platform::sync::memory;
use std::fmt;
use std::marker::PhantomData;

const TAG_SHIFT: u32 = 48;
/// What the payload is shifted by to have its sign where an `i64` has it.
const SCALE: u32 = 64 - TAG_SHIFT;
const TAG_INT: u64 = 0xFFF9;
const TAG_SPECIAL: u64 = 0xFFFA;
const TAG_OBJECT: u64 = 0xFFFB;
const TAG_POISON: u64 = 0xFFFE;
const PAYLOAD: u64 = (1 << TAG_SHIFT) - 1;

const NIL: u64 = TAG_SPECIAL << TAG_SHIFT;
const FALSE: u64 = NIL | 1;
const TRUE: u64 = NIL | 2;
const HOLE: u64 = NIL | 3;
const CANONICAL_NAN: u64 = 0x7FF8 << TAG_SHIFT;

/// Smallest and largest int that needs no box.
pub const SMALL_INT_MIN: i64 = -(1 << 47);
/// See [`SMALL_INT_MIN`].
pub const SMALL_INT_MAX: i64 = (1 << 47) - 1;

/// A value of the language, as a word without a lifetime. Only the heap's own modules
/// and root containers see it; everybody else holds a [`Value`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Word(pub(crate) u64);

/// Where an object lies, in words from the start of the region.
pub(crate) type Offset = u32;

impl Word {
    pub(crate) const NIL: Word = Word(NIL);
    pub(crate) const HOLE: Word = Word(HOLE);

    #[inline(always)]
    pub(crate) const fn object(offset: Offset, tag: u16) -> Word {
        Word((TAG_OBJECT << TAG_SHIFT) | ((tag as u64) << 32) | offset as u64)
    }

    pub(crate) const fn poison(pattern: u32) -> Word {
        Word((TAG_POISON << TAG_SHIFT) | pattern as u64)
    }

    #[inline(always)]
    pub(crate) const fn is_object(self) -> bool {
        self.0 >> TAG_SHIFT == TAG_OBJECT
    }

    pub(crate) const fn is_poison(self) -> bool {
        self.0 >> TAG_SHIFT == TAG_POISON
    }

    /// Whether the word is one of the forms above.
    pub(crate) const fn is_well_formed(self) -> bool {
        match self.0 >> TAG_SHIFT {
            TAG_INT | TAG_OBJECT => true,
            TAG_SPECIAL => self.0 <= HOLE,
            tag => tag < TAG_INT,
        }
    }

    /// The offset of an object word.
    #[inline(always)]
    pub(crate) const fn offset(self) -> Offset {
        self.0 as u32
    }

    /// The generation tag of an object word.
    #[inline(always)]
    pub(crate) const fn tag(self) -> u16 {
        (self.0 >> 32) as u16
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_object() {
            write!(f, "@{:x}#{}", self.offset(), self.tag())
        } else {
            fmt::Debug::fmt(&Value::from_word(*self), f)
        }
    }
}

/// A value of the language, borrowed from a permit.
///
/// It is a plain word. What keeps it valid is the lifetime: `'p` is a borrow of the
/// [permit](crate::permit::SharedPermit) under which it was read, and whatever may collect
/// needs that permit back. So a `Value` held across a possible collection is a compile
/// error:
///
/// ```compile_fail,E0505
/// # use gcrucible_heap::{Heap, HeapConfig, HeapDebug, Holder, Unchecked};
/// # let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).unwrap();
/// # let holder = Holder::new(&heap, "test", 1);
/// let permit = heap.try_shared().unwrap();
/// let value = permit.mutator::<Unchecked>(holder.tlab()).string("kept").unwrap();
/// drop(permit); // error: `value` still borrows it
/// assert!(value.is_object());
/// ```
///
/// What must survive a collection is put into a root first, and read again:
///
/// ```
/// # use gcrucible_heap::{CollectionKind, Heap, HeapConfig, HeapDebug, Holder, Unchecked};
/// # let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default()).unwrap();
/// # let holder = Holder::new(&heap, "test", 1);
/// let permit = heap.try_shared().unwrap();
/// let m = permit.mutator::<Unchecked>(holder.tlab());
/// m.store(&holder.registers()[0], m.string("kept").unwrap());
/// drop(permit);
/// heap.try_exclusive().unwrap().collect(CollectionKind::Minor);
/// let permit = heap.try_shared().unwrap();
/// let m = permit.mutator::<Unchecked>(holder.tlab());
/// assert_eq!(m.text(m.load(&holder.registers()[0])), Some("kept"));
/// ```
///
/// A value stays on the thread whose permit it borrows: what a thread has read of one heap can
/// so never be taken for a value of another ([`SharedPermit`](crate::SharedPermit), rule 3).
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>(_: T) {}
/// is_send(gcrucible_heap::Value::NIL);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value<'p> {
    word: Word,
    /// The borrow of the permit, and neither `Send` nor `Sync`.
    permit: PhantomData<(&'p (), *const ())>,
}

impl<'p> Value<'p> {
    /// nil
    pub const NIL: Value<'static> = Value::from_word(Word::NIL);
    /// true
    pub const TRUE: Value<'static> = Value::from_word(Word(TRUE));
    /// false
    pub const FALSE: Value<'static> = Value::from_word(Word(FALSE));

    #[inline(always)]
    pub(crate) const fn from_word(word: Word) -> Self {
        Self {
            word,
            permit: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) const fn word(self) -> Word {
        self.word
    }

    /// A bool.
    #[inline(always)]
    pub const fn bool(value: bool) -> Value<'static> {
        Value::from_word(Word(if value { TRUE } else { FALSE }))
    }

    /// An int, if it needs no box.
    #[inline(always)]
    pub const fn small_int(value: i64) -> Option<Value<'static>> {
        if value >= SMALL_INT_MIN && value <= SMALL_INT_MAX {
            Some(Value::from_word(Word(
                (TAG_INT << TAG_SHIFT) | (value as u64 & PAYLOAD),
            )))
        } else {
            None
        }
    }

    /// An int of 32 bits, which never needs a box.
    #[inline(always)]
    pub const fn int32(value: i32) -> Value<'static> {
        Value::from_word(Word(
            (TAG_INT << TAG_SHIFT) | (value as i64 as u64 & PAYLOAD),
        ))
    }

    /// A float. All NaNs become one.
    #[inline(always)]
    pub fn float(value: f64) -> Value<'static> {
        let bits = if value.is_nan() {
            CANONICAL_NAN
        } else {
            value.to_bits()
        };
        Value::from_word(Word(bits))
    }

    /// Whether it is nil.
    #[inline(always)]
    pub const fn is_nil(self) -> bool {
        self.word.0 == NIL
    }

    /// The bool, if it is one.
    pub const fn as_bool(self) -> Option<bool> {
        match self.word.0 {
            TRUE => Some(true),
            FALSE => Some(false),
            _ => None,
        }
    }

    /// False for nil and false.
    #[inline(always)]
    pub const fn is_truthy(self) -> bool {
        self.word.0 != NIL && self.word.0 != FALSE
    }

    /// The int, if it is one without a box.
    #[inline(always)]
    pub const fn as_small_int(self) -> Option<i64> {
        if self.word.0 >> TAG_SHIFT == TAG_INT {
            Some(((self.word.0 << SCALE) as i64) >> SCALE)
        } else {
            None
        }
    }

    /// The int times 2¹⁶, if it is one without a box: sums and differences of such overflow
    /// exactly where the int would need a box, so that arithmetic on them has no range to check.
    #[inline(always)]
    pub const fn as_scaled_int(self) -> Option<i64> {
        if self.word.0 >> TAG_SHIFT == TAG_INT {
            Some((self.word.0 << SCALE) as i64)
        } else {
            None
        }
    }

    /// The int of which this is 2¹⁶ times as much, rounded down.
    #[inline(always)]
    pub const fn scaled_int(scaled: i64) -> Value<'static> {
        Value::from_word(Word((TAG_INT << TAG_SHIFT) | (scaled as u64 >> SCALE)))
    }

    /// The float, if it is one.
    #[inline(always)]
    pub fn as_float(self) -> Option<f64> {
        (self.word.0 >> TAG_SHIFT < TAG_INT).then(|| f64::from_bits(self.word.0))
    }

    /// Whether it is a reference to an object.
    #[inline(always)]
    pub const fn is_object(self) -> bool {
        self.word.is_object()
    }

    /// A number that two values share exactly when they are identical; good until the
    /// next collection.
    pub const fn identity(self) -> u64 {
        self.word.0
    }

    /// Whether both are the same immediate value or the same object.
    #[inline(always)]
    pub const fn is_identical(self, other: Value<'_>) -> bool {
        self.word.0 == other.word.0
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word.0 {
            NIL => f.write_str("nil"),
            TRUE => f.write_str("true"),
            FALSE => f.write_str("false"),
            HOLE => f.write_str("hole"),
            _ if self.word.is_poison() => write!(f, "poison:{:x}", self.word.0 as u32),
            _ if self.word.is_object() => f.write_str("object"),
            bits => match (self.as_small_int(), self.as_float()) {
                (Some(int), _) => write!(f, "{int}"),
                (None, Some(float)) => write!(f, "{float:?}"),
                (None, None) => write!(f, "bad:{bits:x}"),
            },
        }
    }
}

/// A word of an object that holds a value. Read and written through a
/// [`Mutator`](crate::Mutator) alone, which knows when a store must mark a card.
///
/// Fields are atomics, because virtual machines in parallel may race on them: reference
/// stores release and loads acquire, so that who sees an object sees it filled (I-2).
#[repr(transparent)]
pub(crate) struct Field(memory::Word);

impl Field {
    #[inline(always)]
    pub(crate) fn get(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn set(&self, word: Word) {
        self.0.store(word.0, Ordering::Release);
    }

    /// Makes it hold nil.
    #[inline]
    pub(crate) fn clear(&self) {
        self.set(Word::NIL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates_come_back_as_they_went_in() {
        for int in [0, 1, -1, SMALL_INT_MIN, SMALL_INT_MAX] {
            assert_eq!(Value::small_int(int).unwrap().as_small_int(), Some(int));
        }
        assert!(Value::small_int(SMALL_INT_MAX + 1).is_none());
        for int in [0, 1, -1, SMALL_INT_MIN, SMALL_INT_MAX] {
            let value = Value::small_int(int).unwrap();
            let scaled = value.as_scaled_int().unwrap();
            assert_eq!(scaled, int << 16);
            assert_eq!(Value::scaled_int(scaled), value);
            for other in [1, -1] {
                assert_eq!(
                    scaled.checked_add(other << 16).map(Value::scaled_int),
                    Value::small_int(int + other),
                    "{int} + {other}"
                );
            }
        }
        assert!(Value::float(1.5).as_scaled_int().is_none());
        for float in [0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, f64::MIN] {
            assert_eq!(
                Value::float(float).as_float().map(f64::to_bits),
                Some(float.to_bits())
            );
        }
        let signalling = f64::from_bits(0xFFFB_0000_0000_0001);
        assert!(Value::float(signalling).as_float().unwrap().is_nan());
        assert!(!Value::float(signalling).is_object());
        assert!(Value::NIL.as_float().is_none());
        assert!(Value::int32(-5).as_float().is_none());
    }

    #[test]
    fn an_object_word_keeps_offset_and_tag() {
        let word = Word::object(0xDEAD_BEEF, 0xFFFF);
        assert!(word.is_object());
        assert_eq!((word.offset(), word.tag()), (0xDEAD_BEEF, 0xFFFF));
    }
}
