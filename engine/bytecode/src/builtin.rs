//! Built-in functions and the methods of built-in kinds.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$outer:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident = $name:literal ($min:literal ..= $max:literal),)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
        /// `type(v)`: the name of its [`ValueKind`](crate::ValueKind), the class name of an
        /// instance, the enum name of an enum value. Allocates.
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
        /// `int(v)`: an int as it is; a float truncated toward zero (`Overflow` if it does
        /// not fit or is NaN); a string in decimal, sign and surrounding spaces allowed
        /// (`ParseError`); else `TypeError`.
        Int = "int" (1..=1),
        /// `float(v)`: of an int, a float, or a string as a float literal with sign, or
        /// `inf` `-inf` `nan` (`ParseError`); else `TypeError`.
        Float = "float" (1..=1),
        /// `iter(v)`: what [`Op::NewIterator`](crate::Op::NewIterator) makes of it. Allocates.
        Iter = "iter" (1..=1),
        /// `next(v)`: the next element of what `iter` yields, as
        /// [`Op::NextOrJump`](crate::Op::NextOrJump) gets it; nil when there is none left.
        /// `TypeError`. May allocate, call, wait.
        Next = "next" (1..=1),
        /// `channel(capacity)`: an open, empty channel; the capacity is an int from 1 to
        /// 65536, else `TypeError` with a message that says so. Allocates.
        Channel = "channel" (1..=1),
        /// `mutex()`: a mutex that nobody holds. Allocates.
        Mutex = "mutex" (0..=0),
        /// `weak(v)`: a weak reference to a value, see method `target`. Allocates.
        Weak = "weak" (1..=1),
        /// `finalizer(v, f)`: `f(v)` runs after a collection has found that nothing strong
        /// leads to `v`, an array, a map or an instance; else, or if `f` is no function,
        /// `TypeError`. nil.
        Finalizer = "finalizer" (2..=2),
        /// `chr(code)`: a one-character string; `TypeError` if it is no int,
        /// `IndexOutOfBounds` if no such character exists. Allocates.
        Chr = "chr" (1..=1),
        /// `ord(s)`: the code of a string's first character; `IndexOutOfBounds` if empty,
        /// `TypeError` if it is no string.
        Ord = "ord" (1..=1),
        /// `math.floor(x)`, and so on: an int stays, a float gives a float. `TypeError`.
        Floor = "math.floor" (1..=1),
        /// Rounds up.
        Ceil = "math.ceil" (1..=1),
        /// Rounds half away from zero.
        Round = "math.round" (1..=1),
        /// `math.sqrt(x)`: a float.
        Sqrt = "math.sqrt" (1..=1),
        /// `math.pow(x, y)`: ints with `y >= 0` give an int (`Overflow`), else a float.
        Pow = "math.pow" (2..=2),
        /// `math.sin(x)`: a float.
        Sin = "math.sin" (1..=1),
        /// `math.cos(x)`: a float.
        Cos = "math.cos" (1..=1),
        /// `math.exp(x)`: a float.
        Exp = "math.exp" (1..=1),
        /// `math.ln(x)`: a float, the natural logarithm.
        Ln = "math.ln" (1..=1),
        /// `math.bits(op, a, b)`: `op` is one of `"and" "or" "xor" "shl" "shr"`; ints; shifts
        /// take the count modulo 64, `shr` keeps the sign. Else `TypeError`.
        Bits = "math.bits" (3..=3),
        /// `time.now()`: milliseconds since the engine began, an int, as of the start of
        /// the slice.
        Now = "time.now" (0..=0),
        /// `random.int(from, to)`: an int in `from..to` (`IndexOutOfBounds` if empty,
        /// `TypeError`): `from + next() mod (to - from)`, where `next` is SplitMix64 on the
        /// task's own 64-bit state.
        RandomInt = "random.int" (2..=2),
        /// `random.float()`: the high 53 bits of `next()` as a float in 0..1.
        RandomFloat = "random.float" (0..=0),
        /// `random.seed(n)`: sets the task's state to the int. nil.
        RandomSeed = "random.seed" (1..=1),
        /// `sys.args()`: a new array of the strings that the program was started with.
        /// Allocates.
        Args = "sys.args" (0..=0),
        /// `sys.unsettled()`: tasks of this run, not detached, that have not settled, as of
        /// the start of the slice.
        Unsettled = "sys.unsettled" (0..=0),
        /// `sys.interrupt(signal)`: a text; the same as if the host had delivered the
        /// signal to this run. nil.
        Interrupt = "sys.interrupt" (1..=1),
        /// `host(name, args…)`: the host operation of that name, with arguments that are
        /// data: nil, bools, ints, floats, strings, arrays and maps with string keys of
        /// such (else `TypeError`). Its result, or a `HostError` whose message is the
        /// host's. Ends the slice, waits.
        Host = "host" (1..=255),
        /// `__locals()`: a map that belongs to the run, made when it is first asked for;
        /// `HookError` in a task that is not the root of its run. May allocate. For the
        /// library.
        Locals = "__locals" (0..=0),
        /// `__check_wait()`: nil; throws what a wait would throw now, if that would not wait but
        /// throw: a requested cancellation, or that a deadline is over. For the library.
        CheckWait = "__check_wait" (0..=0),
        /// `__stream(f)`: a fresh stream over a function, which yields nil at its end.
        /// Allocates. For the library.
        NewStream = "__stream" (1..=1),
        /// `__stream_source(s)`: its function, nil when it has ended.
        StreamSource = "__stream_source" (1..=1),
        /// `__stream_end(s)`: it has ended. nil.
        StreamEnd = "__stream_end" (1..=1),
        /// `__stream_take(s)`: it is taken; `StreamTaken` if it was. nil.
        StreamTake = "__stream_take" (1..=1),
        /// `__hook_error(message)`: an error of kind `HookError`. Allocates.
        NewHookError = "__hook_error" (1..=1),
        /// `__parse_error(message)`: an error of kind `ParseError`. Allocates.
        NewParseError = "__parse_error" (1..=1),
        /// `__no_match(v)`: an error of kind `NoMatch` whose payload is the value. Allocates.
        /// For `match`.
        NewNoMatch = "__no_match" (1..=1),
    }
}

named! {
    /// A method of a built-in kind that the machine has, found by name and receiver kind. A kind
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
        /// array: appends the elements of another array, itself too; nil. May allocate.
        Extend = "extend" (1..=1),
        /// array: `fill(value)`, every element; nil.
        Fill = "fill" (1..=1),
        /// array: in place; nil.
        Reverse = "reverse" (0..=0),
        /// array: the index of the first equal (`==`) element, else nil. string: the byte
        /// index where the part begins first, else nil.
        IndexOf = "index_of" (1..=1),
        /// string: in upper case (ASCII letters). Allocates.
        Upper = "upper" (0..=0),
        /// string: in lower case (ASCII letters). Allocates.
        Lower = "lower" (0..=0),
        /// string: without spaces, tabs and line ends at its ends. Allocates.
        Trim = "trim" (0..=0),
        /// string: the parts between separators, a new array; an empty separator gives the
        /// characters. Allocates.
        Split = "split" (1..=1),
        /// string: `replace(from, to)`, every occurrence from left to right; an empty `from`
        /// changes nothing. Allocates.
        Replace = "replace" (2..=2),
        /// string: whether it begins with the argument.
        StartsWith = "starts_with" (1..=1),
        /// string: whether it ends with the argument.
        EndsWith = "ends_with" (1..=1),
        /// string: so many times; `IndexOutOfBounds` if negative. Allocates.
        Repeat = "repeat" (1..=1),
        /// channel: append the value, waiting while it is full; nil. `ChannelClosed`.
        Send = "send" (1..=1),
        /// channel: remove and return the oldest value, waiting while it is empty.
        /// `ChannelClosed` when it is closed and empty.
        Receive = "receive" (0..=0),
        /// channel: as `send` without waiting: whether there was room.
        TrySend = "try_send" (1..=1),
        /// channel: as `receive` without waiting: nil if it is empty, closed or not.
        TryReceive = "try_receive" (0..=0),
        /// channel: closed from now on, harmless if repeated; who waits sees it. nil.
        Close = "close" (0..=0),
        /// weak: what it refers to, nil when that was collected.
        Target = "target" (0..=0),
    }
}
