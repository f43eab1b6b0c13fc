//! The instructions, one function each.
//!
//! ```text
//! values     registers, constants, globals, operators, captured variables
//! objects    making, reading and writing objects
//! flow       jumps, returns, throws, handlers, `finally`
//! calling    calls of all sorts, the protocol of `for`
//! waiting    tasks, squads, guards, deadlines
//! ```
//!
//! An instruction that cannot go on is an `Err` of [`Stop`](super::Stop), and has had no effect
//! then; what it leads to otherwise is a [`Flow`](super::run::Flow). The hot loop does the common
//! cases of most of them by itself; here is all that each of them can do.

mod calling;
mod flow;
mod objects;
mod values;
mod waiting;

use gcrucible_bytecode::Op;
use gcrucible_heap::Checks;

use super::arithmetic::Operator;
use super::run::{Executed, Run};

impl<'p, C: Checks> Run<'_, 'p, C> {
    /// Executes one instruction.
    #[inline(always)]
    #[rustfmt::skip]
    pub(super) fn execute(&mut self, op: Op) -> Executed<'p> {
        match op {
            Op::Move { dst, src } => self.set(dst, self.get(src)),
            Op::LoadNil { dst } => self.load_nil(dst),
            Op::LoadBool { dst, value } => self.load_bool(dst, value),
            Op::LoadInt { dst, value } => self.load_int(dst, value),
            Op::LoadConst { dst, constant } => self.load_const(dst, constant),
            Op::LoadFunction { dst, function } => self.load_function(dst, function),
            Op::LoadGlobal { dst, global } => self.load_global(dst, global),
            Op::StoreGlobal { global, src } => self.store_global(global, src),
            Op::Add { dst, lhs, rhs } => self.binary(dst, Operator::Add, lhs, rhs),
            Op::Sub { dst, lhs, rhs } => self.binary(dst, Operator::Sub, lhs, rhs),
            Op::Mul { dst, lhs, rhs } => self.binary(dst, Operator::Mul, lhs, rhs),
            Op::Div { dst, lhs, rhs } => self.binary(dst, Operator::Div, lhs, rhs),
            Op::Rem { dst, lhs, rhs } => self.binary(dst, Operator::Rem, lhs, rhs),
            Op::Neg { dst, src } => self.neg(dst, src),
            Op::Not { dst, src } => self.not(dst, src),
            Op::Eq { dst, lhs, rhs } => self.equality(dst, lhs, rhs, true),
            Op::Ne { dst, lhs, rhs } => self.equality(dst, lhs, rhs, false),
            Op::Lt { dst, lhs, rhs } => self.less(dst, lhs, rhs),
            Op::Le { dst, lhs, rhs } => self.at_most(dst, lhs, rhs),
            Op::Concat { dst, first, count } => self.concat(dst, first, count),
            Op::Is { dst, src, type_id } => self.is(dst, src, type_id),
            Op::LoadCell { dst, cell } => self.load_cell(dst, cell),
            Op::StoreCell { cell, src } => self.store_cell(cell, src),
            Op::LoadCapture { dst, index } => self.load_capture(dst, index),
            Op::StoreCapture { index, src } => self.store_capture(index, src),

            Op::NewArray { dst, first, count } => self.new_array(dst, first, count),
            Op::NewMap { dst, first, pairs } => self.new_map(dst, first, pairs),
            Op::NewInstance { dst, class, first } => self.new_instance(dst, class, first),
            Op::LoadVariant { dst, variant } => self.load_variant(dst, variant),
            Op::NewVariant { dst, variant, first } => self.new_variant(dst, variant, first),
            Op::GetPayload { dst, src, index } => self.get_payload(dst, src, index),
            Op::NewClosure { dst, function } => self.new_closure(dst, function),
            Op::NewRange { dst, first } => self.new_range(dst, first),
            Op::NewCell { dst, src } => self.new_cell(dst, src),
            Op::GetField { dst, object, name } => self.get_field(dst, object, name),
            Op::SetField { object, name, src } => self.set_field(object, name, src),
            Op::GetIndex { dst, object, index } => self.get_index(dst, object, index),
            Op::SetIndex { object, index, src } => self.set_index(object, index, src),

            Op::Jump { target } => self.jump(target),
            Op::JumpIf { cond, target } => self.jump_if(cond, target, true),
            Op::JumpIfNot { cond, target } => self.jump_if(cond, target, false),
            Op::Loop { target } => self.loop_back(target),
            Op::Return { src } => self.return_from(src),
            Op::Throw { src } => self.throw(src),
            Op::PushCatch { dst, target } => self.push_catch(dst, target),
            Op::PushCatchIf { dst, type_id, target } => self.push_catch_if(dst, type_id, target),
            Op::PushFinally { target } => self.push_finally(target),
            Op::PopHandler => self.pop_handler(),
            Op::EnterFinally { target } => self.enter_finally(target),
            Op::EnterFinallyWith { value, target } => self.enter_finally_with(value, target),
            Op::EndFinally => self.end_finally(),
            Op::DropCompletion => self.drop_completion(),

            Op::NewIterator { dst, src } => self.new_iterator(dst, src),
            Op::NextOrJump { dst, iterator, target } => self.next_or_jump(dst, iterator, target),
            Op::EndIfNil { dst, target } => self.end_if_nil(dst, target),
            Op::Call { base, argc } => self.call(base, argc),
            Op::CallMethod { base, name, argc } => self.call_method(base, name, argc),
            Op::CallBuiltin { base, builtin, argc } => self.call_builtin(base, builtin, argc),
            Op::CallStep { base, step } => self.call_step(base, step),

            Op::Spawn { base, argc } => self.spawn(base, argc, false),
            Op::SpawnDetached { base, argc } => self.spawn(base, argc, true),
            Op::Await { dst, src } => self.await_future(dst, src),
            Op::Cancel { src } => self.cancel(src),
            Op::PushGuard { src } => self.push_guard(src),
            Op::PushDeadline { src } => self.push_deadline(src),
            Op::PushSquad { dst } => self.push_squad(dst),
            Op::PopScope => self.pop_scope(),
            Op::JoinSquad { squad } => self.join_squad(squad),
            Op::DrainSquad { squad } => self.drain_squad(squad),
        }
    }
}
