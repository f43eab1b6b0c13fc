//! Built-in functions and the methods of built-in kinds.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$outer:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident = $name:literal ($min:literal ..= $max:literal),)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $enum { $($(#[$doc])* $variant,)* }

        impl $enum {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in source text.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Fewest and most arguments (a receiver not counted).
            pub fn arity(self) -> (u8, u8) {
                match self { $(Self::$variant => ($min, $max),)* }
            }
        }
    };
}

named! {
    /// A function that every module sees. A call with a wrong number of arguments is
    /// an error of the front end; executors check it again (`WrongArity`).
    Builtin {
        /// `print(v…)`: the display texts joined by one space, as one line of output. nil.
        Print = "print" (0..=255),
        /// `str(v)`: the display text. Allocates.
        Str = "str" (1..=1),
        /// `len(v)`: of a string (bytes), array, map, range; else `TypeError`.
        Len = "len" (1..=1),
        /// `type(v)`: `nil bool int float string array map range function future error
        /// iterator`, or the class name of an instance. Allocates.
        TypeOf = "type" (1..=1),
        /// `assert(cond)`, `assert(cond, message)`: throws `AssertionFailed` (its payload
        /// is the message) if `cond` is falsy. nil.
        Assert = "assert" (1..=2),
        /// `error(message)`, `error(message, payload)`: a new error of kind `User`. The
        /// message must be a string. Allocates.
        Error = "error" (1..=2),
        /// `sleep(ms)`: a host operation that ends after that much time, then nil. Ends
        /// the slice. Negative or not an int: `TypeError`.
        Sleep = "sleep" (1..=1),
        /// `yield_now()`: ends the slice, the task stays ready. nil.
        YieldNow = "yield_now" (0..=0),
        /// `deep_copy(v)`: cycles and sharing kept; strings, ranges, functions and futures
        /// shared. Allocates.
        DeepCopy = "deep_copy" (1..=1),
        /// `deep_equals(a, b)`: by structure and sharing, cycles too, maps in insertion
        /// order, NaN equal to NaN; functions by identity; futures ready and error by
        /// payload, all others by id, different states unequal.
        DeepEquals = "deep_equals" (2..=2),
        /// `cancellation_requested()`: whether this task's cancellation was requested.
        CancellationRequested = "cancellation_requested" (0..=0),
        /// `collect()`: asks for a major collection. Ends the slice. nil.
        Collect = "collect" (0..=0),
    }
}

named! {
    /// A method of an array, map or string, found by name and receiver kind. A kind
    /// without it throws `UnknownMethod`, a wrong number of arguments `WrongArity`.
    Method {
        /// array: append the value; nil. May allocate.
        Push = "push" (1..=1),
        /// array: remove and return the last; `IndexOutOfBounds` if empty.
        Pop = "pop" (0..=0),
        /// array: `insert(index, value)`, index up to and including the length; nil. May
        /// allocate.
        Insert = "insert" (2..=2),
        /// array: `remove(index)` returns the element. map: `remove(key)` returns the
        /// value or nil.
        Remove = "remove" (1..=1),
        /// array, map: remove all; nil.
        Clear = "clear" (0..=0),
        /// array, map, string, range: as the built-in.
        Len = "len" (0..=0),
        /// map: whether the key is there. array: whether an equal (`==`) element is.
        /// string: whether the argument is part of it.
        Has = "has" (1..=1),
        /// map: `get(key)`, `get(key, default)`.
        Get = "get" (1..=2),
        /// map: a new array of the keys in insertion order. Allocates.
        Keys = "keys" (0..=0),
        /// map: a new array of the values in insertion order. Allocates.
        Values = "values" (0..=0),
        /// string: `slice(from, to)` in bytes; both must lie on character starts and in
        /// order, else `IndexOutOfBounds`. array: a new array. Allocates.
        Slice = "slice" (2..=2),
        /// array: the display texts joined by the string argument. Allocates.
        Join = "join" (1..=1),
    }
}
