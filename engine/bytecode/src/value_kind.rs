//! The kinds of values that programs can tell apart.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A built-in kind of values; `type(v)` gives its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[repr(u8)]
        pub enum ValueKind { $($(#[$doc])* $variant,)* }

        impl ValueKind {
            /// All kinds, in order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in source text.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// `nil`.
    Nil = "nil",
    /// `true`, `false`.
    Bool = "bool",
    /// A 64-bit integer.
    Int = "int",
    /// A 64-bit float.
    Float = "float",
    /// A string.
    String = "string",
    /// An array.
    Array = "array",
    /// A map.
    Map = "map",
    /// A range of ints.
    Range = "range",
    /// A function, closure or bound method.
    Function = "function",
    /// A future.
    Future = "future",
    /// An error.
    Error = "error",
    /// An iterator.
    Iterator = "iterator",
    /// A channel.
    Channel = "channel",
    /// A mutex.
    Mutex = "mutex",
    /// A stream.
    Stream = "stream",
    /// A weak reference.
    Weak = "weak",
}
