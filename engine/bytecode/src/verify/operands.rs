//! The operands of single instructions.

use super::{MAX_MEMBERS, Rule};
use crate::opcode::Op;
use crate::operand::Operand;
use crate::program::{Capture, Constant, Function, Program};

/// Checks the operands of single instructions of one function.
pub(super) struct Operands<'p> {
    pub(super) program: &'p Program,
    pub(super) function: &'p Function,
}

impl Operands<'_> {
    /// The rule that one of the operands of `op`, at index `at`, breaks.
    pub(super) fn check(&self, at: usize, op: Op) -> Result<(), Rule> {
        // Of two that are wrong the register is told.
        let mut named = Ok(());
        op.try_operands(|operand| {
            if named.is_ok() {
                named = self.named(operand);
            }
            self.registers(operand)
        })?;
        named?;
        match op {
            Op::Loop { target } if target as usize > at => Err(Rule::LoopForwards(target)),
            Op::NextOrJump { dst, target, .. }
                if self.function.code.get(at + 1) != Some(&Op::EndIfNil { dst, target }) =>
            {
                Err(Rule::NoEndIfNil)
            }
            _ => Ok(()),
        }
    }

    /// The registers that an operand names lie within the frame.
    fn registers(&self, operand: Operand) -> Result<(), Rule> {
        // A class or variant that does not exist is the fault of another operand.
        let Some((first, Some(count))) = operand.registers(self.program) else {
            return Ok(());
        };
        let end = usize::from(first) + count;
        if end <= usize::from(self.function.registers) {
            Ok(())
        } else {
            Err(Rule::Register(end - 1))
        }
    }

    /// What an operand names by number exists, and is of the right sort.
    fn named(&self, operand: Operand) -> Result<(), Rule> {
        let program = self.program;
        match operand {
            Operand::Constant(constant) => self.constant(constant).map(drop),
            Operand::Name(name) => match self.constant(name)? {
                Constant::String(_) => Ok(()),
                _ => Err(Rule::NameNotString(name)),
            },
            Operand::Global(global) => {
                let count = program.globals.len();
                exists(usize::from(global) < count, Rule::GlobalIndex(global))
            }
            Operand::BareFunction(function) => {
                let is_bare = self.function(function)?.captures.is_empty();
                exists(is_bare, Rule::FunctionCaptures(function))
            }
            Operand::Closure(function) => self.closure(self.function(function)?),
            Operand::Class(class) => {
                let count = program.classes.len();
                exists(usize::from(class) < count, Rule::ClassIndex(class))
            }
            Operand::BareVariant(variant) | Operand::Variant(variant) => {
                let found = program.variants.get(usize::from(variant));
                let found = found.ok_or(Rule::VariantIndex(variant))?;
                let is_bare = matches!(operand, Operand::BareVariant(_));
                exists((found.arity == 0) == is_bare, Rule::VariantArity(variant))
            }
            Operand::Type(type_id) => {
                let count = program.types.len();
                exists(usize::from(type_id) < count, Rule::TypeIndex(type_id))
            }
            Operand::Step(step) => {
                let count = program.steps.len();
                exists(usize::from(step) < count, Rule::StepIndex(step))
            }
            Operand::Captured(index) => {
                let count = self.function.captures.len();
                exists(usize::from(index) < count, Rule::CaptureIndex(index))
            }
            Operand::Target(target) => {
                let count = self.function.code.len();
                exists((target as usize) < count, Rule::Target(target))
            }
            _ => Ok(()),
        }
    }

    fn constant(&self, constant: u16) -> Result<&Constant, Rule> {
        self.program
            .constants
            .get(usize::from(constant))
            .ok_or(Rule::ConstantIndex(constant))
    }

    fn function(&self, function: u16) -> Result<&Function, Rule> {
        self.program
            .functions
            .get(usize::from(function))
            .ok_or(Rule::FunctionIndex(function))
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
}

fn exists(exists: bool, rule: Rule) -> Result<(), Rule> {
    if exists { Ok(()) } else { Err(rule) }
}
