//! Objects: a header of two words and a body whose layout follows from the kind.
//!
//! ```text
//! word 0   kind 8 | flags 8 | shape 16 | size in words, header included 32
//! word 1   identity hash 32 | allocation site 32       (forwarded: the new reference)
//!          (array storage, which is no value and has no hash: place of its first element)
//! word 2…  raw words and slots, as the kind's Layout says
//! ```
//!
//! Tracing, forwarding, size and printing of a kind come from its one [`Layout`]; the
//! verifier's walker reads the same table but shares no code with the tracer.

use crate::value::Word;

/// Words of an object header.
pub(crate) const HEADER_WORDS: u32 = 2;

/// Declares the kinds of objects from one row each: what it is, its name in reports, its slots and
/// their names (the last one stands for all that follow), what a deep copy and a fork do with its
/// objects, and when two of them are deeply equal.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $kind:ident $(= $number:literal)?: $name:literal, $slots:expr, [$($slot:literal),*],
        copy $copy:ident, fork $fork:ident, equal $equal:ident;
    )*) => {
        /// The kinds of heap objects.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind $(= $number)?,)*
        }

        impl Kind {
            /// All kinds in order.
            pub const ALL: [Kind; [$(Kind::$kind),*].len()] = [$(Kind::$kind),*];
        }

        static LAYOUTS: [Layout; Kind::ALL.len()] = [$(Layout {
            name: $name,
            slots: $slots,
            slot_names: &[$($slot),*],
            copy: Copied::$copy,
            fork: Forked::$fork,
            equal: Equal::$equal,
        },)*];
    };
}

kinds! {
    /// Unused space between objects; never referenced.
    Filler = 1: "filler", Slots::None, [], copy Shared, fork Shared, equal Alone;
    /// Immutable text: length in bytes, then the bytes.
    String: "string", Slots::None, [], copy Shared, fork Shared, equal AsValues;
    /// An int beyond 48 bits.
    BigInt: "boxed int", Slots::None, [], copy Shared, fork Shared, equal AsValues;
    /// A growable array: length, then its storage.
    Array: "array", Slots::From(raw::ARRAY_STORAGE), ["storage"],
        copy Copied, fork Copied, equal InParts;
    /// Places for the elements of an array, as many as its capacity, and which of them is the
    /// first in use. Those that are not in use hold nil.
    ArrayStorage: "array storage", Slots::From(raw::STORAGE_FIRST), ["element"],
        copy Copied, fork Copied, equal InParts;
    /// A map in insertion order: its storage.
    Map: "map", Slots::From(raw::MAP_STORAGE), ["storage"],
        copy Copied, fork Copied, equal InParts;
    /// Entries of a map and the hash index over them.
    MapStorage: "map storage", Slots::Counted {
            first: raw::MAP_FIRST,
            count_at: raw::MAP_CAPACITY,
            per_unit: 2,
        }, ["entry"],
        copy Copied, fork Copied, equal InParts;
    /// A range of ints: start and end.
    Range: "range", Slots::None, [], copy Shared, fork Shared, equal InParts;
    /// An instance of a class (the shape): its fields.
    Instance: "instance", Slots::From(2), ["field"], copy Copied, fork Copied, equal InParts;
    /// An enum value (the shape is the variant): its payload.
    Enum: "enum", Slots::From(2), ["payload"], copy Copied, fork Copied, equal InParts;
    /// A captured variable.
    Cell: "cell", Slots::From(2), ["variable"], copy Shared, fork Copied, equal Alone;
    /// A function (the shape) with its captured cells.
    Closure: "closure", Slots::From(2), ["captured cell"], copy Shared, fork Copied, equal Alone;
    /// A method bound to a receiver: receiver, function.
    Bound: "bound method", Slots::From(2), ["receiver", "function"],
        copy Shared, fork Copied, equal Alone;
    /// An iterator: position, then what it goes over.
    Iterator: "iterator", Slots::From(raw::ITERATOR_SOURCE), ["source"],
        copy Copied, fork Copied, equal InParts;
    /// An error (the shape is its kind): message, payload.
    Error: "error", Slots::From(2), ["message", "payload"],
        copy Copied, fork Copied, equal InParts;
    /// A call that was not handed to the engine yet: callee, arguments.
    Unscheduled: "unscheduled future", Slots::From(2), ["callee", "argument"],
        copy Copied, fork Copied, equal InParts;
    /// A future: id, state, when it settled, then its payload.
    Future: "future", Slots::From(raw::FUTURE_PAYLOAD), ["payload"],
        copy Shared, fork Followed, equal InParts;
    /// A channel: id, version, capacity, ring position, then its storage.
    Channel: "channel", Slots::From(raw::CHANNEL_STORAGE), ["storage"],
        copy Shared, fork Followed, equal Alone;
    /// A mutex: id, version, holder.
    Mutex: "mutex", Slots::None, [], copy Shared, fork Copied, equal Alone;
    /// A stream: state, then the function it draws from.
    Stream: "stream", Slots::From(raw::STREAM_SOURCE), ["source"],
        copy Shared, fork Refused, equal Alone;
    /// A weak reference: id, then its target, which it does not keep alive.
    Weak: "weak reference", Slots::Weak(raw::WEAK_TARGET), ["target"],
        copy Copied, fork Copied, equal InParts;
}

impl Kind {
    /// The kind with this number in a header, where 0 is none.
    #[inline(always)]
    pub(crate) fn from_number(number: u8) -> Option<Kind> {
        Self::ALL.get(usize::from(number).wrapping_sub(1)).copied()
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        self.layout().name
    }

    /// What the heap knows of it.
    #[inline(always)]
    pub(crate) fn layout(self) -> &'static Layout {
        &LAYOUTS[self as usize - 1]
    }
}

/// Which words of a body are slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slots {
    /// None: the body is raw.
    None,
    /// From this word to the end of the object.
    From(u32),
    /// From word `first`, `per_unit` for each unit that the raw word `count_at` counts.
    Counted {
        /// First slot.
        first: u32,
        /// Raw word that holds the number of units.
        count_at: u32,
        /// Slots of a unit.
        per_unit: u32,
    },
    /// This word alone, and it keeps nothing alive: collections clear it when they free
    /// what it refers to.
    Weak(u32),
}

/// What a deep copy does with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// They are the same in the copy: values, functions, and everything that tasks share.
    Shared,
    /// The copy has its own.
    Copied,
}

/// What a fork does with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forked {
    /// They cannot change, and are the fork's, too.
    Shared,
    /// They are shared on purpose, and what they lead to is looked at.
    Followed,
    /// It has its own.
    Copied,
    /// There is no fork where one can be reached (I-24).
    Refused,
}

/// When two objects of a kind are deeply equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equal {
    /// When they are one.
    Alone,
    /// When they are equal values.
    AsValues,
    /// When their parts are.
    InParts,
}

/// Everything that the heap knows of a kind.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Name in reports.
    pub(crate) name: &'static str,
    /// Its slots.
    pub(crate) slots: Slots,
    /// Names of the first slots; the last name stands for all that follow.
    pub(crate) slot_names: &'static [&'static str],
    /// What a deep copy does with its objects.
    pub(crate) copy: Copied,
    /// What a fork does with them.
    pub(crate) fork: Forked,
    /// When two of them are deeply equal.
    pub(crate) equal: Equal,
}

/// Raw words of the kinds that have some.
pub(crate) mod raw {
    /// Bytes of a string.
    pub(crate) const STRING_LEN: u32 = 2;
    /// First word of its text.
    pub(crate) const STRING_BYTES: u32 = 3;
    /// The int of a boxed int.
    pub(crate) const BIG_INT: u32 = 2;
    /// Elements of an array in use.
    pub(crate) const ARRAY_LEN: u32 = 2;
    /// Slot: the storage of an array.
    pub(crate) const ARRAY_STORAGE: u32 = 3;
    /// Place of an array storage that holds its first element (low half).
    pub(crate) const STORAGE_HEAD: u32 = 1;
    /// First place of an array storage.
    pub(crate) const STORAGE_FIRST: u32 = 2;
    /// Live entries of a map.
    pub(crate) const MAP_LEN: u32 = 2;
    /// Sequence number of a map's next insertion.
    pub(crate) const MAP_SEQUENCE: u32 = 3;
    /// Slot: the storage of a map.
    pub(crate) const MAP_STORAGE: u32 = 4;
    /// Entries that a map storage has room for.
    pub(crate) const MAP_CAPACITY: u32 = 2;
    /// Entries of a map storage in use, removed ones included.
    pub(crate) const MAP_USED: u32 = 3;
    /// First slot of a map storage: key and value of entry 0.
    pub(crate) const MAP_FIRST: u32 = 4;
    /// Start of a range; its end is the next word.
    pub(crate) const RANGE_START: u32 = 2;
    /// Position of an iterator.
    pub(crate) const ITERATOR_POSITION: u32 = 2;
    /// Slot: what an iterator goes over.
    pub(crate) const ITERATOR_SOURCE: u32 = 3;
    /// Id of a future.
    pub(crate) const FUTURE_ID: u32 = 2;
    /// State of a future.
    pub(crate) const FUTURE_STATE: u32 = 3;
    /// Position of a future among all that have settled, from 1; 0 while it has not.
    pub(crate) const FUTURE_ORDER: u32 = 4;
    /// Slot: payload of a future.
    pub(crate) const FUTURE_PAYLOAD: u32 = 5;
    /// Id of a channel, mutex or weak reference.
    pub(crate) const WAIT_ID: u32 = 2;
    /// Version of a channel or mutex: one more with each change that a waiter may wait for.
    pub(crate) const WAIT_VERSION: u32 = 3;
    /// Values that a channel holds at most (low half), 1 in the high half when it is closed.
    pub(crate) const CHANNEL_LIMITS: u32 = 4;
    /// Position of a channel's oldest value in the ring (low half), values in it (high half).
    pub(crate) const CHANNEL_RING: u32 = 5;
    /// Slot: the storage that a channel uses as a ring.
    pub(crate) const CHANNEL_STORAGE: u32 = 6;
    /// Task that holds a mutex, plus one; 0 when it is free.
    pub(crate) const MUTEX_HOLDER: u32 = 4;
    /// State of a stream.
    pub(crate) const STREAM_STATE: u32 = 2;
    /// Slot: the function of a stream.
    pub(crate) const STREAM_SOURCE: u32 = 3;
    /// Weak slot: target of a weak reference.
    pub(crate) const WEAK_TARGET: u32 = 3;
}

/// The first header word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header(pub(crate) u64);

impl Header {
    /// The object was moved; word 1 is its new reference.
    pub(crate) const FORWARDED: u8 = 1;
    /// The object is dead and kept to be recognised.
    pub(crate) const ZOMBIE: u8 = 2;
    /// A structural change is going on.
    pub(crate) const LOCKED: u8 = 4;
    /// A large object that the running collection has reached.
    pub(crate) const REACHED: u8 = 8;
    /// The running collection could not copy the object: it survives where it is.
    pub(crate) const KEPT: u8 = 16;

    #[inline(always)]
    pub(crate) const fn new(kind: Kind, shape: u16, size_words: u32) -> Self {
        Self(kind as u64 | (shape as u64) << 16 | (size_words as u64) << 32)
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> Option<Kind> {
        Kind::from_number(self.0 as u8)
    }

    #[inline(always)]
    pub(crate) const fn kind_number(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub(crate) const fn flags(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    pub(crate) const fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    pub(crate) const fn with(self, flag: u8) -> Self {
        Self(self.0 | (flag as u64) << 8)
    }

    pub(crate) const fn without(self, flag: u8) -> Self {
        Self(self.0 & !((flag as u64) << 8))
    }

    #[inline(always)]
    pub(crate) const fn shape(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub(crate) const fn size_words(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What debug modes write over dead memory, so that a dump tells what it was.
pub(crate) mod pattern {
    use super::Word;

    /// Freed, was young.
    pub(crate) const FREED_YOUNG: Word = Word::poison(0xDEAD_0001);
    /// Freed, was old.
    pub(crate) const FREED_OLD: Word = Word::poison(0xDEAD_0002);
    /// The place that a moved object left.
    pub(crate) const FROM_SPACE: Word = Word::poison(0xDEAD_0003);
    /// The unused end of an allocation buffer.
    pub(crate) const TLAB_TAIL: Word = Word::poison(0xDEAD_0004);
    /// Given out by the allocator, not written yet.
    pub(crate) const UNINITIALISED: Word = Word::poison(0xDEAD_0005);
    /// A register that is dead: its frame writes it before it reads it.
    pub(crate) const DEAD_REGISTER: Word = Word::poison(0xDEAD_0006);
    /// The last word of an allocation buffer's chunk.
    pub(crate) const CANARY: u16 = 0xCA9A;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_comes_back_from_its_number() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
            assert!(kind == Kind::Filler || !kind.name().is_empty());
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(Kind::ALL.len() as u8 + 1), None);
    }

    #[test]
    fn a_header_keeps_its_parts() {
        let header = Header::new(Kind::Instance, 7, 12).with(Header::LOCKED);
        assert_eq!(header.kind(), Some(Kind::Instance));
        assert_eq!((header.shape(), header.size_words()), (7, 12));
        assert!(header.has(Header::LOCKED));
        assert!(!header.without(Header::LOCKED).has(Header::LOCKED));
    }
}
