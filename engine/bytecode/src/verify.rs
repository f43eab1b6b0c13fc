//! The verifier: accepts only programs that no executor can be broken by, whoever
//! wrote them.
//!
//! # Idea
//!
//! Operands are checked one instruction at a time. What remains is the discipline of
//! handlers, completions and scopes. All three live on stacks of the task, and a function
//! that pushed or popped a wrong number of them would disturb its callers. So the verifier
//! gives each reachable instruction one *nesting*: the handlers, completions and scopes
//! that this frame has open there, as one stack in the order of their opening. All paths
//! to an instruction must agree on it, an instruction that pops must find its own kind on
//! top, and `Return` must find nothing but scopes, which it pops itself.
//!
//! One stack for all kinds is stricter than a depth for each: with several depths a block
//! could drop a completion or a scope below the level that an open handler remembers, and
//! a throw would then restore a level that no longer exists.
//!
//! A throw goes to a handler's target with the nesting of the push (and the completion
//! in which a `finally` finds the value), so the edge is taken at the push and no
//! instruction in between needs an edge of its own. `EndFinally` goes where its
//! completion says; that place was given the nesting of its `EnterFinally`, which is
//! what lies below the completion. Every instruction is visited once: time and memory
//! are linear in the code.
//!
//! # Dead registers
//!
//! A function may come with a map of the registers that are alive ([`live`](crate::live)). It is
//! right if each row has what its instruction reads, and what the rows of the instructions
//! behind it have and it does not write. That is looked at one instruction at a time: a map that
//! was made by a wrong analysis, or by an enemy, cannot say that a register is dead which is read
//! later.
//!
//! # Not proved here
//!
//! The kinds of values in registers. That a register holds a cell, an iterator, a squad's
//! array or a future is checked by the executor when the instruction runs, and so is the
//! shape of what a call finds: a method's arity, an enum value's payload.

mod liveness;
mod nesting;
mod operands;
mod rule;
mod tables;

pub use rule::{Rule, VerifyError};

use std::fmt;
use std::ops::Deref;

use crate::program::{Function, Program};
use crate::verify::operands::Operands;

/// The deepest nesting of handlers, completions and scopes within one function.
pub const MAX_NESTING: usize = 64;

/// The most instructions of one function.
pub const MAX_CODE: usize = 1 << 24;

/// The most captures of one function and the most fields of one class.
pub const MAX_MEMBERS: usize = 255;

/// A program that the verifier has accepted, and that nobody has changed since: so it need not be
/// verified again by who loads it.
///
/// ```compile_fail,E0596
/// fn nothing_changes_it(mut program: gcrucible_bytecode::VerifiedProgram) {
///     program.functions.clear();
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedProgram(Program);

/// A program that the verifier does not accept.
#[derive(Debug)]
pub struct Refusal {
    /// The program as it was.
    pub program: Program,
    /// Every broken rule, at most one per instruction; never empty.
    pub errors: Vec<VerifyError>,
}

impl VerifiedProgram {
    /// Verifies `program`.
    ///
    /// # Errors
    /// The program with the rules that it breaks, as [`verify()`] tells them.
    pub fn new(program: Program) -> Result<Self, Box<Refusal>> {
        match verify(&program) {
            Ok(()) => Ok(VerifiedProgram(program)),
            Err(errors) => Err(Box::new(Refusal { program, errors })),
        }
    }

    /// The program, to be changed.
    pub fn into_inner(self) -> Program {
        self.0
    }
}

impl Deref for VerifiedProgram {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program breaks the rules of the bytecode")?;
        for error in &self.errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Accepts `program` if no executor can be broken by it.
///
/// # Errors
///
/// Every broken rule, at most one per instruction; never an empty list. The flow of
/// control is looked at only in functions whose instructions are right one by one.
pub fn verify(program: &Program) -> Result<(), Vec<VerifyError>> {
    let mut errors = Vec::new();
    tables::check(program, &mut |rule| {
        errors.push(VerifyError {
            function: None,
            instruction: None,
            rule,
        });
    });
    for (index, function) in program.functions.iter().enumerate() {
        check_function(program, index, function, &mut errors);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn check_function(
    program: &Program,
    index: usize,
    function: &Function,
    errors: &mut Vec<VerifyError>,
) {
    let before = errors.len();
    let mut refuse = |instruction, rule| {
        errors.push(VerifyError {
            function: Some(index),
            instruction,
            rule,
        });
    };
    if usize::from(function.module) >= program.modules.len() {
        refuse(None, Rule::FunctionModule(function.module));
    }
    if function.arity > function.locals {
        refuse(None, Rule::ArityAboveLocals(function.arity));
    }
    if function.locals > function.registers {
        refuse(None, Rule::LocalsAboveRegisters(function.locals));
    }
    if function.captures.len() > MAX_MEMBERS {
        refuse(None, Rule::TooManyCaptures(function.captures.len()));
    }
    if function.spans.len() != function.code.len() {
        refuse(None, Rule::SpanCount(function.spans.len()));
    }
    if function.code.len() > MAX_CODE {
        refuse(None, Rule::CodeTooLong(function.code.len()));
    }
    match function.code.last() {
        None => refuse(None, Rule::EmptyCode),
        Some(last) if !last.facts().ends => {
            refuse(Some(function.code.len() - 1), Rule::FallsThrough);
        }
        Some(_) => {}
    }
    let mut nests = false;
    let operands = Operands { program, function };
    for (at, &op) in function.code.iter().enumerate() {
        nests |= op.facts().nests;
        if let Err(rule) = operands.check(at, op) {
            refuse(Some(at), rule);
        }
    }
    if errors.len() > before {
        // With broken targets the flow of control cannot be followed.
        return;
    }
    let mut refuse = |at, rule| {
        errors.push(VerifyError {
            function: Some(index),
            instruction: at,
            rule,
        });
    };
    if !function.live.fits(function) {
        refuse(None, Rule::LiveMapSize);
        return;
    }
    liveness::check(program, function, &mut |at, rule| refuse(Some(at), rule));
    // Without an instruction that opens or closes something the nesting is empty everywhere.
    if nests {
        nesting::check(&function.code, &mut |at, rule| refuse(Some(at), rule));
    }
}

#[cfg(test)]
mod tests;
