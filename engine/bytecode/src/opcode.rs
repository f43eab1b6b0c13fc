//! The instructions of Crux bytecode.
//!
//! A register machine: each frame owns `Function::registers` registers, parameters
//! first. An instruction reads and writes registers of its own frame only. All
//! instructions fit in eight bytes.
//!
//! # Rules that every executor of this format follows
//!
//! 1. One instruction costs one unit of fuel. An instruction that ends a slice
//!    without effect (no memory, safepoint taken) costs none and runs again.
//! 2. Registers of a new frame hold nil, then the arguments are stored.
//! 3. `false` and nil are falsy, all else is truthy.
//! 4. A *throw* finds the innermost handler of the task (see [`Op::PushCatch`]),
//!    pops frames above it, truncates the completion stack to what it was when the
//!    handler was pushed, and jumps. Without a handler the task ends with the value.
//! 5. Errors the machine itself raises are error objects with an
//!    [`ErrorKind`](crate::ErrorKind), whose message is
//!    [`ErrorKind::message`](crate::ErrorKind::message).

use serde::{Deserialize, Serialize};

/// A register of the current frame.
pub type Reg = u8;

/// One instruction.
///
/// `target` is always an absolute index into the function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "operands are named after their role")]
#[repr(u8)]
pub enum Op {
    /// `dst = src`
    Move { dst: Reg, src: Reg },
    /// `dst = nil`
    LoadNil { dst: Reg },
    /// `dst = value`
    LoadBool { dst: Reg, value: bool },
    /// `dst = value`
    LoadInt { dst: Reg, value: i32 },
    /// `dst = constants[constant]`
    LoadConst { dst: Reg, constant: u16 },
    /// `dst =` the closure of a function without captures (the same object each time).
    LoadFunction { dst: Reg, function: u16 },
    /// `dst = globals[global]`
    LoadGlobal { dst: Reg, global: u16 },
    /// `globals[global] = src`; throws `StoreGlobalAfterInit` outside the module's
    /// initialisation.
    StoreGlobal { global: u16, src: Reg },

    /// `dst = lhs + rhs`. Ints: checked, throws `Overflow`. Int and float mix to
    /// float. Two strings concatenate (allocates). All else throws `TypeError`.
    Add { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs - rhs`, numbers only.
    Sub { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs * rhs`, numbers only.
    Mul { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs / rhs`. Ints truncate toward zero and throw `DivideByZero`;
    /// floats follow IEEE 754.
    Div { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs % rhs`, the sign follows `lhs`; ints throw `DivideByZero`.
    Rem { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = -src`, numbers only; ints throw `Overflow`.
    Neg { dst: Reg, src: Reg },
    /// `dst = !truthy(src)`
    Not { dst: Reg, src: Reg },
    /// `dst = lhs == rhs`: numbers by value (int and float too), strings by content,
    /// nil and bools by value, all else by identity. Never throws.
    Eq { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs != rhs`
    Ne { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs < rhs`: numbers, or two strings by bytes; else `TypeError`.
    Lt { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst = lhs <= rhs`: as [`Op::Lt`].
    Le { dst: Reg, lhs: Reg, rhs: Reg },
    /// `dst =` the display texts of `count` registers from `first`, joined. Allocates.
    Concat { dst: Reg, first: Reg, count: u8 },

    /// Go to `target`, forwards or backwards; not a safepoint.
    Jump { target: u32 },
    /// Go to `target` if `cond` is truthy.
    JumpIf { cond: Reg, target: u32 },
    /// Go to `target` if `cond` is falsy.
    JumpIfNot { cond: Reg, target: u32 },
    /// The back-edge of a loop: go to `target`. A safepoint. Every backward jump but
    /// those out of a `finally` is one of these.
    Loop { target: u32 },

    /// `dst = [first, …]` of `count` registers. Allocates.
    NewArray { dst: Reg, first: Reg, count: u8 },
    /// `dst = {first: first+1, …}` of `pairs` register pairs, later keys win. Allocates.
    /// Throws `InvalidKey` for a NaN key.
    NewMap { dst: Reg, first: Reg, pairs: u8 },
    /// `dst =` an instance of `classes[class]`, its fields from `first` on. Allocates.
    NewInstance { dst: Reg, class: u16, first: Reg },
    /// `dst =` a closure of `functions[function]` over the cells its captures name.
    /// Allocates.
    NewClosure { dst: Reg, function: u16 },
    /// `dst =` the range `first .. first+1` (end exclusive, both ints). Allocates.
    NewRange { dst: Reg, first: Reg },
    /// `dst =` a cell that holds `src`. Cells hold captured variables; they are never
    /// values of the language. Allocates.
    NewCell { dst: Reg, src: Reg },
    /// `dst =` what the cell in `cell` holds. Throws `Internal` if it is no cell.
    LoadCell { dst: Reg, cell: Reg },
    /// The cell in `cell` holds `src`. Throws `Internal` if it is no cell.
    StoreCell { cell: Reg, src: Reg },
    /// `dst =` what captured cell `index` of the running closure holds. Throws `Internal`
    /// if it is no cell.
    LoadCapture { dst: Reg, index: u8 },
    /// Captured cell `index` of the running closure holds `src`. Throws `Internal` if it
    /// is no cell.
    StoreCapture { index: u8, src: Reg },

    /// `dst = object.name`: a field of an instance (`UnknownField` if it has none), or
    /// of an error: `kind` (text), `message`, `payload`. All else: `TypeError`.
    GetField { dst: Reg, object: Reg, name: u16 },
    /// `object.name = src`: a field of an instance.
    SetField { object: Reg, name: u16, src: Reg },
    /// `dst = object[index]`: arrays by int (`IndexOutOfBounds`), maps by key (nil if
    /// absent), strings by byte index of a character (a one-character string; not at a
    /// character's start or out of bounds: `IndexOutOfBounds`). May allocate.
    GetIndex { dst: Reg, object: Reg, index: Reg },
    /// `object[index] = src`: arrays (`IndexOutOfBounds`), maps (insert or update;
    /// may allocate).
    SetIndex { object: Reg, index: Reg, src: Reg },

    /// `dst =` an iterator over an array (by index, sees later pushes), a map's keys
    /// (insertion order, sees later inserts), or a range. Else `NotIterable`. Allocates.
    NewIterator { dst: Reg, src: Reg },
    /// `dst =` the iterator's next element, or go to `target` when it has none left.
    /// Throws `Internal` if it is no iterator.
    NextOrJump {
        dst: Reg,
        iterator: Reg,
        target: u32,
    },

    /// Call the closure in `base` with `argc` arguments from `base + 1`; the result
    /// comes to `base`. A safepoint. `NotCallable`, `WrongArity`, `StackOverflow`.
    Call { base: Reg, argc: u8 },
    /// Call the method `name` of the receiver in `base`: a [`Method`](crate::Method) of
    /// a built-in kind, else the closure in an instance's field of that name (without
    /// a receiver argument). Result to `base`. A safepoint, may allocate.
    CallMethod { base: Reg, name: u16, argc: u8 },
    /// Call a built-in with `argc` arguments from `base`; the result comes to `base`.
    /// May allocate, may end the slice.
    CallBuiltin {
        base: Reg,
        builtin: crate::Builtin,
        argc: u8,
    },
    /// Return `src` to the caller; the task ends when there is none.
    Return { src: Reg },

    /// Throw `src`.
    Throw { src: Reg },
    /// Push a handler: a throw unwinds to this frame, stores the value in `dst` and
    /// goes to `target`. The handler is gone then.
    PushCatch { dst: Reg, target: u32 },
    /// Push a handler: a throw unwinds to this frame, pushes a `Throw(value)`
    /// completion and goes to `target`. The handler is gone then.
    PushFinally { target: u32 },
    /// Pop the innermost handler, which is one of this frame.
    PopHandler,
    /// Push a `Resume(next instruction)` completion and go to `target`, a `finally`
    /// block.
    EnterFinally { target: u32 },
    /// Push a `ResumeWith(next instruction, value)` completion, take the value out of
    /// its register (nil stays there) and go to `target`. [`Op::EndFinally`] puts it
    /// back in `value`. While the block runs, the value lives in the completion only.
    EnterFinallyWith { value: Reg, target: u32 },
    /// Pop the innermost completion. `Resume`: go there. `ResumeWith`: put the value
    /// back into its register, go there. `Throw`: throw the value on.
    EndFinally,
    /// Pop the innermost completion and forget it: a `finally` block that is left by
    /// `return`, `break` or `continue`.
    DropCompletion,

    /// `base =` a future that runs the closure in `base` with `argc` arguments from
    /// `base + 1` in a task of its own. Allocates, ends the slice.
    Spawn { base: Reg, argc: u8 },
    /// `dst =` the value of the future in `src`. Ends the slice; runs again after a
    /// wake-up. Error → throws it, cancelled → throws a `Cancelled` error, internal
    /// error → throws an `Internal` error. Not a future: `TypeError`.
    Await { dst: Reg, src: Reg },
    /// Request cancellation of the future in `src`; `src` keeps its value. Harmless if
    /// it has ended. Ends the slice. Not a future: `TypeError`.
    Cancel { src: Reg },
}
