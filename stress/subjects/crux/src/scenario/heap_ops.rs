//! The heap-operations body: a program of heap API calls.
//!
//! The operations work on *registers*: numbered root slots of a holder. Every operand is
//! taken modulo what exists, and an operation whose operand has another kind than it
//! needs does nothing, so that each sequence of operations is a valid program, also after
//! operations before it were removed.

use gcrucible_heap::CollectionKind;
use serde::{Deserialize, Serialize};

/// A heap program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeapOps {
    /// Allocating holders, each with a TLAB and registers of its own; at least 1.
    pub holders: u8,
    /// Registers of each holder; at least 1.
    pub registers: u8,
    /// The operations in order.
    pub ops: Vec<HeapOp>,
}

/// A register of the current holder.
pub type Register = u8;

/// One heap operation; `dst`, `src`, … are registers of the current holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeapOp {
    /// Continue with another holder: its TLAB, its registers.
    SwitchHolder(u8),
    /// Load a small value: nil, a bool, an int, a float.
    Immediate(Register, i16),
    /// Allocate a boxed integer.
    BigInt(Register, i16),
    /// Allocate a string of that many characters.
    String(Register, u8),
    /// Allocate an empty array with that capacity.
    Array(Register, u8),
    /// Allocate an empty map.
    Map(Register),
    /// Allocate an instance with that many fields, all nil.
    Instance(Register, u8),
    /// Allocate an instance with 64 fields more than that, all nil: one that has blocks of its own
    /// unless blocks are large.
    LargeInstance(Register, u8),
    /// Allocate an enum value with a payload of two: `(dst, first, second)`. Instances and enum
    /// values made in even registers have another class or variant than those made in odd ones.
    Enum(Register, Register, Register),
    /// Allocate a cell that holds a register: `(dst, src)`.
    Cell(Register, Register),
    /// Allocate a closure that captures two cells: `(dst, first, second)`.
    Closure(Register, Register, Register),
    /// Allocate a bound method: `(dst, receiver, function)`.
    Bound(Register, Register, Register),
    /// Allocate an iterator over a register: `(dst, src)`.
    Iterator(Register, Register),
    /// Take a step of a walk: `dst =` the element or value that an iterator comes to next, nil at
    /// the end, `(dst, iterator)`. What it goes over may have changed since the last step.
    Next(Register, Register),
    /// Allocate an error with a payload: `(dst, payload)`.
    Error(Register, Register),
    /// Allocate an unscheduled future: `(dst, callee, argument)`.
    Unscheduled(Register, Register, Register),
    /// Register a future in the registry holder: `(dst)`.
    FutureCreate(Register),
    /// Complete the future in the first register with the value of the second.
    FutureComplete(Register, Register),
    /// Allocate an array of n times four elements, all the value of a register:
    /// `(dst, n, src)`. Large ones are objects with blocks of their own.
    ArrayOf(Register, u8, Register),
    /// Take one of a few short strings from the interning table: `(dst, n)`.
    Intern(Register, u8),
    /// Allocate a channel with that capacity.
    Channel(Register, u8),
    /// Send to a channel without waiting: `(channel, src)`.
    Send(Register, Register),
    /// Receive from a channel without waiting: `(dst, channel)`.
    Receive(Register, Register),
    /// Close a channel.
    Close(Register),
    /// Allocate a mutex.
    Mutex(Register),
    /// Acquire a mutex for the current holder, if it is free.
    Acquire(Register),
    /// Release a mutex, if the current holder holds it.
    Release(Register),
    /// Allocate a stream over a register: `(dst, src)`.
    Stream(Register, Register),
    /// Take a stream: it can be used once.
    Take(Register),
    /// End a stream: it lets go of its source.
    End(Register),
    /// Allocate a weak reference to a register: `(dst, src)`.
    Weak(Register, Register),
    /// `dst =` the target of a weak reference, nil when that was collected: `(dst, weak)`.
    Target(Register, Register),
    /// Register a finalizer: `(object, function)`. What has no identity gets none.
    Finalizer(Register, Register),
    /// `dst =` the object of the finalizer that is first in the queue, which leaves it; nil
    /// when the queue is empty: `(dst)`.
    Finalize(Register),
    /// Copy a register.
    Copy(Register, Register),
    /// Clear a register: unroot.
    Clear(Register),
    /// `dst = object.field[n]`, `(dst, object, n)`: any slot of any kind that can be read.
    Load(Register, Register, u8),
    /// `object.field[n] = src`, `(object, n, src)`: instances and cells.
    StoreField(Register, u8, Register),
    /// `array[n] = src`.
    StoreElement(Register, u8, Register),
    /// `array.push(src)`.
    Push(Register, Register),
    /// `array.insert(n, src)`.
    Insert(Register, u8, Register),
    /// `array.remove(n)`.
    Remove(Register, u8),
    /// `array.extend(other)`, `(array, other)`.
    Extend(Register, Register),
    /// `array.fill(src)`, `(array, src)`.
    Fill(Register, Register),
    /// `array.reverse()`.
    Reverse(Register),
    /// `dst =` the elements of an array from the n-th on, `(dst, array, n)`.
    Slice(Register, Register, u8),
    /// Remove all of an array or map.
    RemoveAll(Register),
    /// `map[i] = value` for each int below n modulo 32, `(map, n, value)`.
    MapSetMany(Register, u8, Register),
    /// `map[key] = value`, `(map, key, value)`.
    MapSet(Register, Register, Register),
    /// `dst = map[key]`, `(dst, map, key)`.
    MapGet(Register, Register, Register),
    /// `map.remove(key)`, `(map, key)`.
    MapRemove(Register, Register),
    /// `dst = deep_copy(src)`.
    DeepCopy(Register, Register),
    /// Compare two registers deeply.
    DeepEquals(Register, Register),
    /// Take a handle on a register.
    Protect(Register),
    /// Undo the n-th live handle.
    Unprotect(u8),
    /// Make the n-th live handle keep the value of a register: `(n, src)`.
    Reprotect(u8, Register),
    /// Take a handle on a deep copy of what the n-th live handle keeps.
    ProtectCopy(u8),
    /// Collect.
    Collect(CollectionKind),
}

macro_rules! kinds {
    ($($variant:ident = $name:literal,)*) => {
        #[derive(Clone, Copy)]
        enum Kind { $($variant,)* }

        impl HeapOp {
            /// The name of each kind of operation.
            pub const KINDS: &'static [&'static str] = &[$($name,)*];

            /// The number of its kind.
            pub fn kind(&self) -> usize {
                let kind = match self { $(HeapOp::$variant(..) => Kind::$variant,)* };
                kind as usize
            }
        }
    };
}

kinds! {
    SwitchHolder = "switch_holder",
    Immediate = "immediate",
    BigInt = "big_int",
    String = "string",
    Array = "array",
    Map = "map",
    Instance = "instance",
    LargeInstance = "large_instance",
    Enum = "enum",
    Cell = "cell",
    Closure = "closure",
    Bound = "bound",
    Iterator = "iterator",
    Next = "next",
    Error = "error",
    Unscheduled = "unscheduled",
    FutureCreate = "future_create",
    FutureComplete = "future_complete",
    ArrayOf = "array_of",
    Intern = "intern",
    Channel = "channel",
    Send = "send",
    Receive = "receive",
    Close = "close",
    Mutex = "mutex",
    Acquire = "acquire",
    Release = "release",
    Stream = "stream",
    Take = "take",
    End = "end",
    Weak = "weak",
    Target = "target",
    Finalizer = "finalizer",
    Finalize = "finalize",
    Copy = "copy",
    Clear = "clear",
    Load = "load",
    StoreField = "store_field",
    StoreElement = "store_element",
    Push = "push",
    Insert = "insert",
    Remove = "remove",
    Extend = "extend",
    Fill = "fill",
    Reverse = "reverse",
    Slice = "slice",
    RemoveAll = "remove_all",
    MapSetMany = "map_set_many",
    MapSet = "map_set",
    MapGet = "map_get",
    MapRemove = "map_remove",
    DeepCopy = "deep_copy",
    DeepEquals = "deep_equals",
    Protect = "protect",
    Unprotect = "unprotect",
    Reprotect = "reprotect",
    ProtectCopy = "protect_copy",
    Collect = "collect",
}

impl HeapOps {
    /// The operations with a collection, or two, put in at place number k.
    pub fn with_collections(&self, k: u64) -> HeapOps {
        // A minor and a major collection before each operation, and after the last.
        let (first, second) = gcrucible_explore::places(k, (self.ops.len() as u64 + 1) * 2);
        let mut body = self.clone();
        for place in [second, first].into_iter().flatten() {
            let kind = if place.is_multiple_of(2) {
                CollectionKind::Minor
            } else {
                CollectionKind::Major
            };
            let at = (place / 2) as usize;
            body.ops.insert(at, HeapOp::Collect(kind));
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_put_between_operations() {
        let body = HeapOps {
            holders: 1,
            registers: 2,
            ops: vec![HeapOp::Map(0), HeapOp::Map(1)],
        };
        let mut programs: Vec<Vec<HeapOp>> = Vec::new();
        for k in 0..21 {
            let ops = body.with_collections(k).ops;
            let kept = ops
                .iter()
                .filter(|op| !matches!(op, HeapOp::Collect(_)))
                .copied();
            assert_eq!(kept.collect::<Vec<_>>(), body.ops);
            assert_eq!(ops.len(), 2 + if k < 6 { 1 } else { 2 });
            assert!(!programs.contains(&ops), "{k}");
            programs.push(ops);
        }
    }
}
