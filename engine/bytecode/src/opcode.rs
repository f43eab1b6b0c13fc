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
//!    [`ErrorKind`](crate::ErrorKind), whose message begins with
//!    [`ErrorKind::message`](crate::ErrorKind::message); what follows behind a colon, if
//!    anything does, is read off the instruction (docs/crux/errors.md).
//! 6. A task has a stack of *scopes*: guards, deadlines, squads, steps. A handler
//!    remembers how many there were when it was pushed, a frame how many when it was
//!    entered; a throw that reaches the handler, and a return from the frame, pop those
//!    above, innermost first. Popping a guard releases it, popping a deadline disarms it,
//!    popping a squad or step forgets it.
//!    A scope with a time ([`Op::PushDeadline`], [`Op::CallStep`], an interrupt handler)
//!    throws when that is over: once at the start of a slice, of several the outermost's
//!    first, then at each waiting instruction and host operation while it lasts. Nothing is
//!    thrown at the start of a slice whose next instruction is [`Op::DrainSquad`].
//! 7. *Waiting* instructions ([`Op::Await`], [`Op::JoinSquad`], [`Op::DrainSquad`],
//!    [`Op::PushGuard`], the built-ins that send and receive) that cannot go on yet cost
//!    their unit of fuel, end the slice and run again after a wake-up. Each time they run,
//!    before anything else, they throw `Cancelled` if the task's cancellation was
//!    requested, and `DeadlineExceeded` if a deadline of the task has passed
//!    ([`Op::DrainSquad`] throws neither). A built-in's number of arguments is looked at
//!    first.
//! 8. An interrupt handler runs in a frame on top of what it interrupts, in the root task of
//!    a run. It sees nothing below: no handler, no squad, no deadline; `Cancelled` is not
//!    delivered while it runs. What is thrown out of it ends it alone and is printed as
//!    `interrupt handler failed: TEXT`; its result is dropped.

use serde::{Deserialize, Serialize};

/// A register of the current frame.
pub type Reg = u8;

/// One instruction.
///
/// `target` is always an absolute index into the function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "operands are named after their role")]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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

    /// `dst =` whether `src` is of `types[type_id]`. Never throws.
    Is { dst: Reg, src: Reg, type_id: u16 },

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
    /// `dst =` the value of `variants[variant]`, which has no payload (the same object
    /// each time).
    LoadVariant { dst: Reg, variant: u16 },
    /// `dst =` a value of `variants[variant]`, its payload from `first` on. Allocates.
    NewVariant { dst: Reg, variant: u16, first: Reg },
    /// `dst =` part `index` of the payload of the enum value in `src`. Throws `Internal`
    /// if it is none or has no such part.
    GetPayload { dst: Reg, src: Reg, index: u8 },
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

    /// `dst = object.name`: a field of an instance, or else a method of its class, bound
    /// to it (allocates), or else `UnknownField`; of an error: `kind` (text), `message`,
    /// `payload`. All else: `TypeError`.
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
    /// (insertion order, sees later inserts), a range, or the characters of a string
    /// (one-character strings). Allocates. An iterator yields itself, as does an instance
    /// whose class has a method `next`; a stream too, which is *taken* then
    /// (`StreamTaken` if it was taken before); a channel. Else `NotIterable`.
    NewIterator { dst: Reg, src: Reg },
    /// The following instruction is an [`Op::EndIfNil`] of the same `dst` and `target`.
    /// An iterator: `dst =` its next element and skip the following instruction, or go to
    /// `target` when it has none left (may allocate, over a string). An instance or a
    /// stream: call its method `next` without arguments as [`Op::CallMethod`] does, the
    /// result comes to `dst`; go on at the following instruction. A channel: as the
    /// method `receive`, but go to `target` when it is closed and empty, and skip the
    /// following instruction when there is a value. Throws `Internal` if it is neither.
    /// A safepoint for an instance or stream.
    NextOrJump {
        dst: Reg,
        iterator: Reg,
        target: u32,
    },

    /// Go to `target` if `dst` is nil, which ends the loop over what
    /// [`Op::NextOrJump`] called. The same loop's back-edge is elsewhere.
    EndIfNil { dst: Reg, target: u32 },

    /// Call the closure in `base` with `argc` arguments from `base + 1`; the result
    /// comes to `base`. A bound method is called with its receiver before the arguments.
    /// A safepoint. `NotCallable`, `WrongArity`, `StackOverflow`; `StepExhausted` when the
    /// call budget of a step is spent.
    Call { base: Reg, argc: u8 },
    /// Call the method `name` of the receiver in `base`, result to `base`: of an instance
    /// the method of its class (the receiver is its first argument), else the closure in
    /// its field of that name (without a receiver argument); of a built-in kind a
    /// [`Method`](crate::Method), else the function that
    /// [`Program::library`](crate::Program::library) names for kind and name (the
    /// receiver is its first argument). Else `UnknownMethod`. A safepoint, may allocate.
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

    /// Throw `src`. Every throw, the machine's own too, has a *trace*: function and
    /// instruction of each frame, innermost first, taken before anything is unwound. Of a
    /// frame that called it is the call; of the top frame the instruction that throws, the
    /// sleep or host operation that it stands at, or else the next one. It
    /// stays the same through handlers that do not match and through `finally`, and is gone
    /// with a `catch`. A value that nobody catches is reported with it.
    Throw { src: Reg },
    /// Push a handler: a throw unwinds to this frame, stores the value in `dst` and
    /// goes to `target`. The handler is gone then.
    PushCatch { dst: Reg, target: u32 },
    /// As [`Op::PushCatch`], for values of `types[type_id]` only: any other value passes
    /// this handler, unchanged, on its way to the next.
    PushCatchIf { dst: Reg, type_id: u16, target: u32 },
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
    /// As [`Op::Spawn`], but the task belongs to no squad and no run: neither a squad, nor a
    /// deadline, nor the end of the run waits for it or cancels it.
    SpawnDetached { base: Reg, argc: u8 },
    /// `dst =` the value of the future in `src`. Ends the slice; runs again after a
    /// wake-up. Error → throws it, cancelled → throws a `Cancelled` error, internal
    /// error → throws an `Internal` error. Not a future: `TypeError`.
    Await { dst: Reg, src: Reg },
    /// Request cancellation of the future in `src`; `src` keeps its value. Harmless if
    /// it has ended. Ends the slice. Not a future: `TypeError`.
    Cancel { src: Reg },

    /// Acquire the mutex in `src`, waiting while another holder has it, and push a guard
    /// scope. A task that holds it already throws `WouldDeadlock`. No mutex: `TypeError`.
    PushGuard { src: Reg },
    /// Push a deadline scope: now plus the milliseconds in `src` (`TypeError` if it is no
    /// int or negative). The effective deadline of a task is the earliest of its scopes
    /// and of what it inherited. When it has passed, `DeadlineExceeded` is thrown once for
    /// the scope, at the start of a slice, then at each waiting instruction and host
    /// operation while the scope lasts; tasks that were spawned in the scope are cancelled
    /// when it is thrown first. A task inherits the effective deadline of its spawner, but
    /// not the times of its steps and interrupt handlers.
    PushDeadline { src: Reg },
    /// `dst =` a new empty array, the children of a squad scope, which is pushed. Each
    /// [`Op::Spawn`] of this task while it is the innermost squad appends its future.
    /// Allocates.
    PushSquad { dst: Reg },
    /// Pop the innermost scope, which is one of this frame.
    PopScope,
    /// Wait until every future in the array `squad` has settled; then each element becomes
    /// the value of its future. As soon as one is settled as error, cancelled or internal
    /// error, throw what [`Op::Await`] of it throws, of several that which settled first.
    JoinSquad { squad: Reg },
    /// Request cancellation of every pending future in the array `squad` (once), then wait
    /// until all are settled. Throws nothing.
    DrainSquad { squad: Reg },
    /// Call the closure in `base` without arguments as the step `steps[step]`: push a step
    /// scope with its budget; the result comes to `base`. A safepoint. When the budget of
    /// instructions, calls or time is spent, `StepExhausted` is thrown in the running
    /// frame; if no handler between catches it, the step's own frame is its boundary:
    /// `Continue` returns nil from it, `Escalate` throws an error of kind
    /// `StepEscalated` whose message is `step NAME in FUNCTION` (the function that has
    /// this instruction) and whose payload is the first error, `Fail` throws it on.
    ///
    /// A step throws once, whichever budget is spent. Instructions are counted from the
    /// first of the step's frame, for all steps around it too: after the last that is
    /// allowed the throw comes before the next one, at no cost (but not before an
    /// [`Op::DrainSquad`]), of several steps the outermost's. A call that no budget allows
    /// throws instead, at its own cost; the call of a step counts for those around it.
    CallStep { base: Reg, step: u16 },
}
