//! The kinds of errors that the machine raises.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $message:literal,)*) => {
        /// What went wrong; `e.kind` in Crux is its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[repr(u8)]
        pub enum ErrorKind { $($(#[$doc])* $variant,)* }

        impl ErrorKind {
            /// All kinds, in order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, as `e.kind` gives it and as the display text begins.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }

            /// How the message of an error of this kind begins that the machine raised.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }
        }
    };
}

kinds! {
    /// An operand has a type the operation does not take.
    TypeError = "operand of a wrong type",
    /// An integer result does not fit in 64 bits.
    Overflow = "integer overflow",
    /// Integer division or remainder by zero.
    DivideByZero = "division by zero",
    /// An index outside the array or string.
    IndexOutOfBounds = "index out of bounds",
    /// A map key that is a NaN.
    InvalidKey = "NaN cannot be a map key",
    /// An instance or error without that field.
    UnknownField = "no such field",
    /// A receiver without that method.
    UnknownMethod = "no such method",
    /// A call of something that is no function.
    NotCallable = "not a function",
    /// A call with a wrong number of arguments.
    WrongArity = "wrong number of arguments",
    /// A `for` over something that is not iterable.
    NotIterable = "not iterable",
    /// A store to a global after its module's initialisation.
    StoreGlobalAfterInit = "a global cannot be assigned after its module was initialised",
    /// The task's cancellation was requested.
    Cancelled = "cancelled",
    /// An await of a future this engine never made.
    FutureNotFound = "no such future",
    /// A failed `assert`.
    AssertionFailed = "assertion failed",
    /// The heap limit is reached.
    OutOfMemory = "out of memory",
    /// Too many frames.
    StackOverflow = "stack overflow",
    /// A host operation failed.
    HostError = "host operation failed",
    /// The engine failed; the original cause is in the payload.
    Internal = "internal error",
    /// No arm of a `match` takes the value.
    NoMatch = "no arm matches",
    /// A stream that was taken before.
    StreamTaken = "a stream can be used only once",
    /// A send to a closed channel, or a receive from one that is closed and empty.
    ChannelClosed = "the channel is closed",
    /// A task that holds a mutex acquires it again.
    WouldDeadlock = "the task already holds this mutex",
    /// The time of a deadline is over.
    DeadlineExceeded = "deadline exceeded",
    /// The budget of a step is spent.
    StepExhausted = "the budget of the step is spent",
    /// A step whose budget was spent; the payload is the first error.
    StepEscalated = "",
    /// An interrupt handler ran longer than it may.
    HandlerTimeout = "an interrupt handler overran its time",
    /// A lifecycle hook did what it must not.
    HookError = "a hook cannot do that",
    /// Text that cannot be parsed (`json.parse`, `int`, `float`).
    ParseError = "malformed text",
    /// Made by `error(…)`.
    User = "",
}

impl ErrorKind {
    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
