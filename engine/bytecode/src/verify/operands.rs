//! The operands of single instructions.

use super::{MAX_MEMBERS, Rule};
use crate::opcode::{Op, Reg};
use crate::program::{Capture, Constant, Function, Program, Variant};

/// Checks the operands of single instructions of one function.
pub(super) struct Operands<'p> {
    pub(super) program: &'p Program,
    pub(super) function: &'p Function,
}

impl Operands<'_> {
    /// Whether `op` at index `at` opens or closes a handler, completion or scope, or the
    /// rule that one of its operands breaks.
    pub(super) fn check(&self, at: usize, op: Op) -> Result<bool, Rule> {
        match op {
            Op::LoadNil { dst } | Op::LoadBool { dst, .. } | Op::LoadInt { dst, .. } => {
                self.register(dst)?;
            }
            Op::Move { dst, src }
            | Op::Neg { dst, src }
            | Op::Not { dst, src }
            | Op::NewCell { dst, src }
            | Op::NewIterator { dst, src }
            | Op::GetPayload { dst, src, .. }
            | Op::Await { dst, src } => {
                self.register(dst)?;
                self.register(src)?;
            }
            Op::Is { dst, src, type_id } => {
                self.register(dst)?;
                self.register(src)?;
                self.type_id(type_id)?;
            }
            Op::LoadConst { dst, constant } => {
                self.register(dst)?;
                self.constant(constant)?;
            }
            Op::LoadFunction { dst, function } => {
                self.register(dst)?;
                if !self.function(function)?.captures.is_empty() {
                    return Err(Rule::FunctionCaptures(function));
                }
            }
            Op::LoadGlobal {
                dst: register,
                global,
            }
            | Op::StoreGlobal {
                global,
                src: register,
            } => {
                self.register(register)?;
                if usize::from(global) >= self.program.globals.len() {
                    return Err(Rule::GlobalIndex(global));
                }
            }
            Op::Add { dst, lhs, rhs }
            | Op::Sub { dst, lhs, rhs }
            | Op::Mul { dst, lhs, rhs }
            | Op::Div { dst, lhs, rhs }
            | Op::Rem { dst, lhs, rhs }
            | Op::Eq { dst, lhs, rhs }
            | Op::Ne { dst, lhs, rhs }
            | Op::Lt { dst, lhs, rhs }
            | Op::Le { dst, lhs, rhs } => {
                self.register(dst)?;
                self.register(lhs)?;
                self.register(rhs)?;
            }
            Op::Concat { dst, first, count } | Op::NewArray { dst, first, count } => {
                self.register(dst)?;
                self.range(first, usize::from(count))?;
            }
            Op::NewMap { dst, first, pairs } => {
                self.register(dst)?;
                self.range(first, 2 * usize::from(pairs))?;
            }
            Op::NewInstance { dst, class, first } => {
                self.register(dst)?;
                let class = self
                    .program
                    .classes
                    .get(usize::from(class))
                    .ok_or(Rule::ClassIndex(class))?;
                self.range(first, class.fields.len())?;
            }
            Op::LoadVariant { dst, variant } => {
                self.register(dst)?;
                if self.variant(variant)?.arity != 0 {
                    return Err(Rule::VariantArity(variant));
                }
            }
            Op::NewVariant {
                dst,
                variant,
                first,
            } => {
                self.register(dst)?;
                let arity = self.variant(variant)?.arity;
                if arity == 0 {
                    return Err(Rule::VariantArity(variant));
                }
                self.range(first, usize::from(arity))?;
            }
            Op::NewClosure { dst, function } => {
                self.register(dst)?;
                self.closure(self.function(function)?)?;
            }
            Op::NewRange { dst, first } => {
                self.register(dst)?;
                self.range(first, 2)?;
            }
            Op::LoadCell {
                dst: register,
                cell,
            }
            | Op::StoreCell {
                cell,
                src: register,
            } => {
                self.register(register)?;
                self.register(cell)?;
            }
            Op::LoadCapture {
                dst: register,
                index,
            }
            | Op::StoreCapture {
                index,
                src: register,
            } => {
                self.register(register)?;
                if usize::from(index) >= self.function.captures.len() {
                    return Err(Rule::CaptureIndex(index));
                }
            }
            Op::GetField {
                dst: register,
                object,
                name,
            }
            | Op::SetField {
                object,
                name,
                src: register,
            } => {
                self.register(register)?;
                self.register(object)?;
                self.name(name)?;
            }
            Op::GetIndex {
                dst: register,
                object,
                index,
            }
            | Op::SetIndex {
                object,
                index,
                src: register,
            } => {
                self.register(register)?;
                self.register(object)?;
                self.register(index)?;
            }
            Op::Jump { target } => self.target(target)?,
            Op::JumpIf { cond, target } | Op::JumpIfNot { cond, target } => {
                self.register(cond)?;
                self.target(target)?;
            }
            Op::Loop { target } => {
                self.target(target)?;
                if target as usize > at {
                    return Err(Rule::LoopForwards(target));
                }
            }
            Op::NextOrJump {
                dst,
                iterator,
                target,
            } => {
                self.register(dst)?;
                self.register(iterator)?;
                self.target(target)?;
                if self.function.code.get(at + 1) != Some(&Op::EndIfNil { dst, target }) {
                    return Err(Rule::NoEndIfNil);
                }
            }
            Op::EndIfNil { dst, target } => {
                self.register(dst)?;
                self.target(target)?;
            }
            Op::Call { base, argc }
            | Op::Spawn { base, argc }
            | Op::SpawnDetached { base, argc } => {
                self.range(base, 1 + usize::from(argc))?;
            }
            Op::CallStep { base, step } => {
                self.register(base)?;
                if usize::from(step) >= self.program.steps.len() {
                    return Err(Rule::StepIndex(step));
                }
            }
            Op::CallMethod { base, name, argc } => {
                self.range(base, 1 + usize::from(argc))?;
                self.name(name)?;
            }
            // The result needs a register even where there is no argument.
            Op::CallBuiltin { base, argc, .. } => self.range(base, usize::from(argc).max(1))?,
            Op::Return { src } | Op::Throw { src } | Op::Cancel { src } => self.register(src)?,
            Op::JoinSquad { squad } | Op::DrainSquad { squad } => self.register(squad)?,
            Op::PushGuard { src: register }
            | Op::PushDeadline { src: register }
            | Op::PushSquad { dst: register } => {
                self.register(register)?;
                return Ok(true);
            }
            Op::PushCatchIf {
                dst,
                type_id,
                target,
            } => {
                self.register(dst)?;
                self.type_id(type_id)?;
                self.target(target)?;
                return Ok(true);
            }
            Op::PushCatch {
                dst: register,
                target,
            }
            | Op::EnterFinallyWith {
                value: register,
                target,
            } => {
                self.register(register)?;
                self.target(target)?;
                return Ok(true);
            }
            Op::PushFinally { target } | Op::EnterFinally { target } => {
                self.target(target)?;
                return Ok(true);
            }
            Op::PopHandler | Op::EndFinally | Op::DropCompletion | Op::PopScope => {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn register(&self, register: Reg) -> Result<(), Rule> {
        if register < self.function.registers {
            Ok(())
        } else {
            Err(Rule::Register(usize::from(register)))
        }
    }

    /// The registers `first .. first + count` lie within the frame.
    fn range(&self, first: Reg, count: usize) -> Result<(), Rule> {
        let end = usize::from(first) + count;
        if end <= usize::from(self.function.registers) {
            Ok(())
        } else {
            Err(Rule::Register(end))
        }
    }

    fn constant(&self, constant: u16) -> Result<&Constant, Rule> {
        self.program
            .constants
            .get(usize::from(constant))
            .ok_or(Rule::ConstantIndex(constant))
    }

    fn name(&self, name: u16) -> Result<(), Rule> {
        match self.constant(name)? {
            Constant::String(_) => Ok(()),
            _ => Err(Rule::NameNotString(name)),
        }
    }

    fn function(&self, function: u16) -> Result<&Function, Rule> {
        self.program
            .functions
            .get(usize::from(function))
            .ok_or(Rule::FunctionIndex(function))
    }

    fn variant(&self, variant: u16) -> Result<&Variant, Rule> {
        self.program
            .variants
            .get(usize::from(variant))
            .ok_or(Rule::VariantIndex(variant))
    }

    fn type_id(&self, type_id: u16) -> Result<(), Rule> {
        if usize::from(type_id) < self.program.types.len() {
            Ok(())
        } else {
            Err(Rule::TypeIndex(type_id))
        }
    }

    /// The function under verification may make a closure of `made`.
    fn closure(&self, made: &Function) -> Result<(), Rule> {
        // More captures than allowed are an error of `made`; looking at all of them
        // again for each closure would not be linear.
        for &capture in made.captures.iter().take(MAX_MEMBERS) {
            let exists = match capture {
                Capture::Register(register) => register < self.function.registers,
                Capture::Outer(index) => usize::from(index) < self.function.captures.len(),
            };
            if !exists {
                return Err(Rule::ClosureCapture(capture));
            }
        }
        Ok(())
    }

    fn target(&self, target: u32) -> Result<(), Rule> {
        if (target as usize) < self.function.code.len() {
            Ok(())
        } else {
            Err(Rule::Target(target))
        }
    }
}
