//! The table of instructions: the one place that lists them all.
//!
//! A row says what an instruction means, which operands it has and in which *role*
//! ([`Operand`](crate::Operand)), and a few facts about it ([`Facts`](crate::Facts)). What
//! follows from the table is not written down again: the enum [`Op`](crate::Op), the
//! disassembler, the verifier's look at operands and edges, which registers are alive
//! ([`live`](crate::live)), the code that the hot loop of the machine reads, and the dispatch to
//! the functions that execute instructions in full.
//!
//! ```text
//! /// meaning
//! Name { field: Role, field: Role(size) } => method fact fact;
//! ```
//!
//! The method is that of an executor which executes the instruction; it gets the fields. The
//! order of the fields is that of the listing. A role with a size says how many registers
//! an instruction reads behind the one that the field names.

/// Passes the table of instructions to a macro: `instructions!(with_them)`. The macro gets rows
/// of the form that this module describes.
#[macro_export]
macro_rules! instructions {
    ($with:ident) => {
        $with! {
            /// `dst = src`
            Move { dst: Def, src: Use } => copy local;
            /// `dst = nil`
            LoadNil { dst: Def } => load_nil local;
            /// `dst = value`
            LoadBool { dst: Def, value: Bool } => load_bool local;
            /// `dst = value`
            LoadInt { dst: Def, value: Int } => load_int local;
            /// `dst = constants[constant]`
            LoadConst { dst: Def, constant: Constant } => load_const local;
            /// `dst =` the closure of a function without captures (the same object each time).
            LoadFunction { dst: Def, function: BareFunction } => load_function local;
            /// `dst = globals[global]`
            LoadGlobal { dst: Def, global: Global } => load_global;
            /// `globals[global] = src`; throws `StoreGlobalAfterInit` outside the module's
            /// initialisation.
            StoreGlobal { global: Global, src: Use } => store_global;

            /// `dst = lhs + rhs`. Ints: checked, throws `Overflow`. Int and float mix to
            /// float. Two strings concatenate (allocates). All else throws `TypeError`.
            Add { dst: Def, lhs: Use, rhs: Use } => add local;
            /// `dst = lhs - rhs`, numbers only.
            Sub { dst: Def, lhs: Use, rhs: Use } => sub local;
            /// `dst = lhs * rhs`, numbers only.
            Mul { dst: Def, lhs: Use, rhs: Use } => mul local;
            /// `dst = lhs / rhs`. Ints truncate toward zero and throw `DivideByZero`;
            /// floats follow IEEE 754.
            Div { dst: Def, lhs: Use, rhs: Use } => div local;
            /// `dst = lhs % rhs`, the sign follows `lhs`; ints throw `DivideByZero`.
            Rem { dst: Def, lhs: Use, rhs: Use } => rem local;
            /// `dst = -src`, numbers only; ints throw `Overflow`.
            Neg { dst: Def, src: Use } => neg local;
            /// `dst = !truthy(src)`
            Not { dst: Def, src: Use } => not local;
            /// `dst = lhs == rhs`: numbers by value (int and float too), strings by content,
            /// nil and bools by value, all else by identity. Never throws.
            Eq { dst: Def, lhs: Use, rhs: Use } => eq local;
            /// `dst = lhs != rhs`
            Ne { dst: Def, lhs: Use, rhs: Use } => ne local;
            /// `dst = lhs < rhs`: numbers, or two strings by bytes; else `TypeError`.
            Lt { dst: Def, lhs: Use, rhs: Use } => lt local;
            /// `dst = lhs <= rhs`: as [`Op::Lt`].
            Le { dst: Def, lhs: Use, rhs: Use } => le local;
            /// `dst =` the display texts of `count` registers from `first`, joined. Allocates.
            Concat { dst: Def, first: Range(count), count: Count } => concat;

            /// `dst =` whether `src` is of `types[type_id]`. Never throws.
            Is { dst: Def, src: Use, type_id: Type } => is;

            /// Go to `target`, forwards or backwards; not a safepoint.
            Jump { target: Target } => jump local ends;
            /// Go to `target` if `cond` is truthy.
            JumpIf { cond: Use, target: Target } => jump_if local;
            /// Go to `target` if `cond` is falsy.
            JumpIfNot { cond: Use, target: Target } => jump_if_not local;
            /// The back-edge of a loop: go to `target`. A safepoint. Every backward jump but
            /// those out of a `finally` is one of these.
            Loop { target: Target } => loop_back local ends;

            /// `dst = [first, …]` of `count` registers. Allocates.
            NewArray { dst: Def, first: Range(count), count: Count } => new_array local;
            /// `dst = {first: first+1, …}` of `pairs` register pairs, later keys win. Allocates.
            /// Throws `InvalidKey` for a NaN key.
            NewMap { dst: Def, first: PairRange(pairs), pairs: PairCount } => new_map local;
            /// `dst =` an instance of `classes[class]`, its fields from `first` on. Allocates.
            NewInstance { dst: Def, class: Class, first: Fields(class) } => new_instance local;
            /// `dst =` the value of `variants[variant]`, which has no payload (the same object
            /// each time).
            LoadVariant { dst: Def, variant: BareVariant } => load_variant;
            /// `dst =` a value of `variants[variant]`, its payload from `first` on. Allocates.
            NewVariant { dst: Def, variant: Variant, first: Payload(variant) } => new_variant;
            /// `dst =` part `index` of the payload of the enum value in `src`. Throws `Internal`
            /// if it is none or has no such part.
            GetPayload { dst: Def, src: Use, index: Index } => get_payload;
            /// `dst =` a closure of `functions[function]` over the cells its captures name.
            /// Allocates.
            NewClosure { dst: Def, function: Closure } => new_closure local;
            /// `dst =` the range `first .. first+1` (end exclusive, both ints). Allocates.
            NewRange { dst: Def, first: Range(2) } => new_range local;
            /// `dst =` a cell that holds `src`. Cells hold captured variables; they are never
            /// values of the language. Allocates.
            NewCell { dst: Def, src: Use } => new_cell local;
            /// `dst =` what the cell in `cell` holds. Throws `Internal` if it is no cell.
            LoadCell { dst: Def, cell: Use } => load_cell;
            /// The cell in `cell` holds `src`. Throws `Internal` if it is no cell.
            StoreCell { cell: Use, src: Use } => store_cell;
            /// `dst =` what captured cell `index` of the running closure holds. Throws `Internal`
            /// if it is no cell.
            LoadCapture { dst: Def, index: Captured } => load_capture;
            /// Captured cell `index` of the running closure holds `src`. Throws `Internal` if it
            /// is no cell.
            StoreCapture { index: Captured, src: Use } => store_capture;

            /// `dst = object.name`: a field of an instance, or else a method of its class, bound
            /// to it (allocates), or else `UnknownField`; of an error: `kind` (text), `message`,
            /// `payload`. All else: `TypeError`.
            GetField { dst: Def, object: Use, name: Name } => get_field;
            /// `object.name = src`: a field of an instance.
            SetField { object: Use, name: Name, src: Use } => set_field;
            /// `dst = object[index]`: arrays by int (`IndexOutOfBounds`), maps by key (nil if
            /// absent), strings by byte index of a character (a one-character string; not at a
            /// character's start or out of bounds: `IndexOutOfBounds`). May allocate.
            GetIndex { dst: Def, object: Use, index: Use } => get_index;
            /// `object[index] = src`: arrays (`IndexOutOfBounds`), maps (insert or update;
            /// may allocate).
            SetIndex { object: Use, index: Use, src: Use } => set_index;

            /// `dst =` an iterator over an array (by index, sees later pushes), a map's keys
            /// (insertion order, sees later inserts), a range, or the characters of a string
            /// (one-character strings). Allocates. An iterator yields itself, as does an instance
            /// whose class has a method `next`; a stream too, which is *taken* then
            /// (`StreamTaken` if it was taken before); a channel. Else `NotIterable`.
            NewIterator { dst: Def, src: Use } => new_iterator;
            /// The following instruction is an [`Op::EndIfNil`] of the same `dst` and `target`.
            /// An iterator: `dst =` its next element and skip the following instruction, or go to
            /// `target` when it has none left (may allocate, over a string). An instance or a
            /// stream: call its method `next` without arguments as [`Op::CallMethod`] does, the
            /// result comes to `dst`; go on at the following instruction. A channel: as the
            /// method `receive`, but go to `target` when it is closed and empty, and skip the
            /// following instruction when there is a value. Throws `Internal` if it is neither.
            /// A safepoint for an instance or stream.
            NextOrJump { dst: Element, iterator: Use, target: Target } => next_or_jump skips;

            /// Go to `target` if `dst` is nil, which ends the loop over what
            /// [`Op::NextOrJump`] called. The same loop's back-edge is elsewhere.
            EndIfNil { dst: Use, target: Target } => end_if_nil;

            /// Call the closure in `base` with `argc` arguments from `base + 1`; the result
            /// comes to `base`. A bound method is called with its receiver before the arguments.
            /// A safepoint. `NotCallable`, `WrongArity`, `StackOverflow`; `StepExhausted` when the
            /// call budget of a step is spent.
            Call { base: Call(argc), argc: ArgumentCount } => call local;
            /// Call the method `name` of the receiver in `base`, result to `base`: of an instance
            /// the method of its class (the receiver is its first argument), else the closure in
            /// its field of that name (without a receiver argument); of a built-in kind a
            /// [`Method`](crate::Method), else the function that
            /// [`Program::library`](crate::Program::library) names for kind and name (the
            /// receiver is its first argument). Else `UnknownMethod`. A safepoint, may allocate.
            CallMethod { base: Call(argc), name: Name, argc: ArgumentCount } => call_method;
            /// Call a built-in with `argc` arguments from `base`; the result comes to `base`.
            /// May allocate, may end the slice.
            CallBuiltin { base: Arguments(argc), builtin: BuiltIn, argc: ArgumentCount } => call_builtin;
            /// Return `src` to the caller; the task ends when there is none.
            Return { src: Use } => return_from local ends;

            /// Throw `src`. Every throw, the machine's own too, has a *trace*: function and
            /// instruction of each frame, innermost first, taken before anything is unwound. Of a
            /// frame that called it is the call; of the top frame the instruction that throws, the
            /// sleep or host operation that it stands at, or else the next one. It
            /// stays the same through handlers that do not match and through `finally`, and is gone
            /// with a `catch`. A value that nobody catches is reported with it.
            Throw { src: Use } => throw local ends;
            /// Push a handler: a throw unwinds to this frame, stores the value in `dst` and
            /// goes to `target`. The handler is gone then.
            PushCatch { dst: Caught, target: Target } => push_catch local nests;
            /// As [`Op::PushCatch`], for values of `types[type_id]` only: any other value passes
            /// this handler, unchanged, on its way to the next.
            PushCatchIf { dst: Caught, type_id: Type, target: Target } => push_catch_if nests;
            /// Push a handler: a throw unwinds to this frame, pushes a `Throw(value)`
            /// completion and goes to `target`. The handler is gone then.
            PushFinally { target: Target } => push_finally local nests;
            /// Pop the innermost handler, which is one of this frame.
            PopHandler => pop_handler local nests;
            /// Push a `Resume(next instruction)` completion and go to `target`, a `finally`
            /// block.
            EnterFinally { target: Target } => enter_finally local nests;
            /// Push a `ResumeWith(next instruction, value)` completion, take the value out of
            /// its register (nil stays there) and go to `target`. [`Op::EndFinally`] puts it
            /// back in `value`. While the block runs, the value lives in the completion only.
            EnterFinallyWith { value: Taken, target: Target } => enter_finally_with local nests;
            /// Pop the innermost completion. `Resume`: go there. `ResumeWith`: put the value
            /// back into its register, go there. `Throw`: throw the value on.
            EndFinally => end_finally local nests ends;
            /// Pop the innermost completion and forget it: a `finally` block that is left by
            /// `return`, `break` or `continue`.
            DropCompletion => drop_completion local nests;

            /// `base =` a future that runs the closure in `base` with `argc` arguments from
            /// `base + 1` in a task of its own. Allocates, ends the slice.
            Spawn { base: Call(argc), argc: ArgumentCount } => spawn;
            /// As [`Op::Spawn`], but the task belongs to no squad and no run: neither a squad, nor a
            /// deadline, nor the end of the run waits for it or cancels it.
            SpawnDetached { base: Call(argc), argc: ArgumentCount } => spawn_detached;
            /// `dst =` the value of the future in `src`. Ends the slice; runs again after a
            /// wake-up. Error → throws it, cancelled → throws a `Cancelled` error, internal
            /// error → throws an `Internal` error. Not a future: `TypeError`.
            Await { dst: Def, src: Use } => await_future;
            /// Request cancellation of the future in `src`; `src` keeps its value. Harmless if
            /// it has ended. Ends the slice. Not a future: `TypeError`.
            Cancel { src: Use } => cancel;

            /// Acquire the mutex in `src`, waiting while another holder has it, and push a guard
            /// scope. A task that holds it already throws `WouldDeadlock`. No mutex: `TypeError`.
            PushGuard { src: Use } => push_guard nests opens_scope;
            /// Push a deadline scope: now plus the milliseconds in `src` (`TypeError` if it is no
            /// int or negative). The effective deadline of a task is the earliest of its scopes
            /// and of what it inherited. When it has passed, `DeadlineExceeded` is thrown once for
            /// the scope, at the start of a slice, then at each waiting instruction and host
            /// operation while the scope lasts; tasks that were spawned in the scope are cancelled
            /// when it is thrown first. A task inherits the effective deadline of its spawner, but
            /// not the times of its steps and interrupt handlers.
            PushDeadline { src: Use } => push_deadline nests opens_scope;
            /// `dst =` a new empty array, the children of a squad scope, which is pushed. Each
            /// [`Op::Spawn`] of this task while it is the innermost squad appends its future.
            /// Allocates.
            PushSquad { dst: Def } => push_squad nests opens_scope;
            /// Pop the innermost scope, which is one of this frame.
            PopScope => pop_scope nests;
            /// Wait until every future in the array `squad` has settled; then each element becomes
            /// the value of its future. As soon as one is settled as error, cancelled or internal
            /// error, throw what [`Op::Await`] of it throws, of several that which settled first.
            JoinSquad { squad: Use } => join_squad;
            /// Request cancellation of every pending future in the array `squad` (once), then wait
            /// until all are settled. Throws nothing.
            DrainSquad { squad: Use } => drain_squad;
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
            CallStep { base: Call(0), step: Step } => call_step opens_scope;
        }
    };
}
