//! The verifier: accepts only programs that no executor can be broken by, whoever
//! wrote them.
//!
//! # Idea
//!
//! Operands are checked one instruction at a time. What remains is the discipline of
//! handlers and completions. Both live on stacks of the task, and a function that
//! pushed or popped a wrong number of them would disturb its callers. So the verifier
//! gives each reachable instruction one *nesting*: the handlers and completions that
//! this frame has open there, as one stack in the order of their opening. All paths to
//! an instruction must agree on it, an instruction that pops must find its own kind on
//! top, and `Return` must find nothing.
//!
//! One stack for both kinds is stricter than two depths: with two depths a block could
//! drop a completion below the level that an open handler remembers, and a throw would
//! then restore a level that no longer exists.
//!
//! A throw goes to a handler's target with the nesting of the push (and the completion
//! in which a `finally` finds the value), so the edge is taken at the push and no
//! instruction in between needs an edge of its own. `EndFinally` goes where its
//! completion says; that place was given the nesting of its `EnterFinally`, which is
//! what lies below the completion. Every instruction is visited once: time and memory
//! are linear in the code.
//!
//! # Not proved here
//!
//! The kinds of values in registers. That a register holds a cell, an iterator or a
//! future is checked by the executor when the instruction runs.

mod nesting;

use std::fmt;

use crate::opcode::{Op, Reg};
use crate::program::{Capture, Constant, Function, Program};

/// The deepest nesting of handlers and completions within one function.
pub const MAX_NESTING: usize = 64;

/// The most instructions of one function.
pub const MAX_CODE: usize = 1 << 24;

/// The most captures of one function and the most fields of one class.
pub const MAX_MEMBERS: usize = 255;

/// Why a program was refused: one rule broken at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Index into [`Program::functions`], if a function broke the rule.
    pub function: Option<usize>,
    /// Index into the function's code, if an instruction broke the rule.
    pub instruction: Option<usize>,
    /// The broken rule.
    pub rule: Rule,
}

/// A rule of the format; the number is the offending operand or count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A program has a module.
    NoModules,
    /// At most 65536 modules, functions, constants, classes and globals each.
    TooManyItems(usize),
    /// A module's initialiser exists.
    InitIndex(u16),
    /// A module's initialiser belongs to that module.
    InitModule(u16),
    /// A module's initialiser has no parameters and no captures.
    InitSignature(u16),
    /// Exports are sorted by name, without duplicates.
    ExportOrder(usize),
    /// An export names a global of its module.
    ExportGlobal(u16),
    /// A global's module exists.
    GlobalModule(u16),
    /// A class has at most [`MAX_MEMBERS`] fields.
    TooManyFields(usize),
    /// The fields of a class differ in name.
    DuplicateField(usize),
    /// A function's module exists.
    FunctionModule(u16),
    /// `arity <= locals`.
    ArityAboveLocals(u8),
    /// `locals <= registers`.
    LocalsAboveRegisters(u8),
    /// A function has at most [`MAX_MEMBERS`] captures.
    TooManyCaptures(usize),
    /// A function has code.
    EmptyCode,
    /// A function has at most [`MAX_CODE`] instructions.
    CodeTooLong(usize),
    /// Each instruction has a span.
    SpanCount(usize),
    /// The last instruction does not fall through.
    FallsThrough,
    /// A register operand, or the end of a range of them, lies within the frame.
    Register(usize),
    /// A constant exists.
    ConstantIndex(u16),
    /// The name of a field or method is a string constant.
    NameNotString(u16),
    /// A global exists.
    GlobalIndex(u16),
    /// A function exists.
    FunctionIndex(u16),
    /// `LoadFunction` loads a function without captures.
    FunctionCaptures(u16),
    /// A class exists.
    ClassIndex(u16),
    /// A captured cell exists.
    CaptureIndex(u8),
    /// What a new closure captures exists in the function that makes it.
    ClosureCapture(Capture),
    /// A target lies within the code.
    Target(u32),
    /// `Loop` goes backwards.
    LoopForwards(u32),
    /// All paths to an instruction agree on its nesting.
    NestingDiffers,
    /// At most [`MAX_NESTING`] handlers and completions are open.
    NestingTooDeep,
    /// `PopHandler` finds a handler of this frame on top.
    NoHandler,
    /// `EndFinally` and `DropCompletion` find a completion of this frame on top.
    NoCompletion,
    /// `Return` leaves no handler and no completion behind.
    ReturnNested,
}

/// Accepts `program` if no executor can be broken by it.
///
/// # Errors
///
/// Every broken rule, at most one per instruction; never an empty list. The flow of
/// control is looked at only in functions whose instructions are right one by one.
pub fn verify(program: &Program) -> Result<(), Vec<VerifyError>> {
    let mut errors = Vec::new();
    check_tables(program, &mut errors);
    for (index, function) in program.functions.iter().enumerate() {
        check_function(program, index, function, &mut errors);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

fn check_tables(program: &Program, errors: &mut Vec<VerifyError>) {
    let mut refuse = |rule| {
        errors.push(VerifyError {
            function: None,
            instruction: None,
            rule,
        })
    };
    if program.modules.is_empty() {
        refuse(Rule::NoModules);
    }
    for count in [
        program.modules.len(),
        program.functions.len(),
        program.constants.len(),
        program.classes.len(),
        program.globals.len(),
    ] {
        if count > usize::from(u16::MAX) + 1 {
            refuse(Rule::TooManyItems(count));
        }
    }
    for (index, module) in program.modules.iter().enumerate() {
        match program.functions.get(usize::from(module.init)) {
            None => refuse(Rule::InitIndex(module.init)),
            Some(init) => {
                if usize::from(init.module) != index {
                    refuse(Rule::InitModule(module.init));
                }
                if init.arity != 0 || !init.captures.is_empty() {
                    refuse(Rule::InitSignature(module.init));
                }
            }
        }
        for (at, pair) in module.exports.windows(2).enumerate() {
            if pair[0].0 >= pair[1].0 {
                refuse(Rule::ExportOrder(at + 1));
            }
        }
        for &(_, global) in &module.exports {
            let owner = program
                .globals
                .get(usize::from(global))
                .map(|g| usize::from(g.module));
            if owner != Some(index) {
                refuse(Rule::ExportGlobal(global));
            }
        }
    }
    for global in &program.globals {
        if usize::from(global.module) >= program.modules.len() {
            refuse(Rule::GlobalModule(global.module));
        }
    }
    for class in &program.classes {
        if class.fields.len() > MAX_MEMBERS {
            refuse(Rule::TooManyFields(class.fields.len()));
            continue;
        }
        // At most 255 fields: comparing all pairs is cheaper than a set.
        for (at, field) in class.fields.iter().enumerate() {
            if class.fields[..at].contains(field) {
                refuse(Rule::DuplicateField(at));
            }
        }
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
        Some(&last) if falls_through(last) => {
            refuse(Some(function.code.len() - 1), Rule::FallsThrough);
        }
        Some(_) => {}
    }
    let mut nests = false;
    let operands = Operands { program, function };
    for (at, &op) in function.code.iter().enumerate() {
        match operands.check(at, op) {
            Ok(op_nests) => nests |= op_nests,
            Err(rule) => refuse(Some(at), rule),
        }
    }
    // Without an instruction that opens or closes something the nesting is empty
    // everywhere; with broken targets it cannot be followed.
    if nests && errors.len() == before {
        nesting::check(&function.code, &mut |at, rule| {
            errors.push(VerifyError {
                function: Some(index),
                instruction: Some(at),
                rule,
            });
        });
    }
}

/// Whether control can go from `op` to the instruction behind it, now or when a
/// completion resumes there.
fn falls_through(op: Op) -> bool {
    !matches!(
        op,
        Op::Jump { .. } | Op::Loop { .. } | Op::Return { .. } | Op::Throw { .. } | Op::EndFinally
    )
}

/// Checks the operands of single instructions of one function.
struct Operands<'p> {
    program: &'p Program,
    function: &'p Function,
}

impl Operands<'_> {
    /// Whether `op` at index `at` opens or closes a handler or completion, or the rule
    /// that one of its operands breaks.
    fn check(&self, at: usize, op: Op) -> Result<bool, Rule> {
        match op {
            Op::LoadNil { dst } | Op::LoadBool { dst, .. } | Op::LoadInt { dst, .. } => {
                self.register(dst)?;
            }
            Op::Move { dst, src }
            | Op::Neg { dst, src }
            | Op::Not { dst, src }
            | Op::NewCell { dst, src }
            | Op::NewIterator { dst, src }
            | Op::Await { dst, src } => {
                self.register(dst)?;
                self.register(src)?;
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
            }
            Op::Call { base, argc } | Op::Spawn { base, argc } => {
                self.range(base, 1 + usize::from(argc))?;
            }
            Op::CallMethod { base, name, argc } => {
                self.range(base, 1 + usize::from(argc))?;
                self.name(name)?;
            }
            // The result needs a register even where there is no argument.
            Op::CallBuiltin { base, argc, .. } => self.range(base, usize::from(argc).max(1))?,
            Op::Return { src } | Op::Throw { src } | Op::Cancel { src } => self.register(src)?,
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
            Op::PopHandler | Op::EndFinally | Op::DropCompletion => return Ok(true),
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

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.function, self.instruction) {
            (Some(function), Some(at)) => write!(f, "function {function}, instruction {at}: ")?,
            (Some(function), None) => write!(f, "function {function}: ")?,
            _ => f.write_str("program: ")?,
        }
        self.rule.fmt(f)
    }
}

impl std::error::Error for VerifyError {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rule::NoModules => write!(f, "expected at least one module"),
            Rule::TooManyItems(n) => write!(f, "{n} items in a table, expected at most 65536"),
            Rule::InitIndex(i) => write!(f, "no function {i} to initialise a module"),
            Rule::InitModule(i) => write!(f, "initialiser {i} belongs to another module"),
            Rule::InitSignature(i) => {
                write!(
                    f,
                    "initialiser {i} has parameters or captures, expected none"
                )
            }
            Rule::ExportOrder(i) => write!(f, "export {i} is not in order of names"),
            Rule::ExportGlobal(i) => write!(f, "exported global {i} is not one of the module"),
            Rule::GlobalModule(i) => write!(f, "no module {i} to own a global"),
            Rule::TooManyFields(n) => {
                write!(f, "{n} fields of a class, expected at most {MAX_MEMBERS}")
            }
            Rule::DuplicateField(i) => write!(f, "field {i} has the name of one before it"),
            Rule::FunctionModule(i) => write!(f, "no module {i} to own the function"),
            Rule::ArityAboveLocals(n) => write!(f, "{n} parameters are more than the locals"),
            Rule::LocalsAboveRegisters(n) => write!(f, "{n} locals are more than the registers"),
            Rule::TooManyCaptures(n) => write!(f, "{n} captures, expected at most {MAX_MEMBERS}"),
            Rule::EmptyCode => write!(f, "no code"),
            Rule::CodeTooLong(n) => write!(f, "{n} instructions, expected at most {MAX_CODE}"),
            Rule::SpanCount(n) => write!(f, "{n} spans, expected one for each instruction"),
            Rule::FallsThrough => write!(f, "control can run past the end of the code"),
            Rule::Register(r) => write!(f, "register {r} is outside the frame"),
            Rule::ConstantIndex(i) => write!(f, "no constant {i}"),
            Rule::NameNotString(i) => write!(f, "constant {i} is no string, expected a name"),
            Rule::GlobalIndex(i) => write!(f, "no global {i}"),
            Rule::FunctionIndex(i) => write!(f, "no function {i}"),
            Rule::FunctionCaptures(i) => {
                write!(f, "function {i} has captures, expected NewClosure")
            }
            Rule::ClassIndex(i) => write!(f, "no class {i}"),
            Rule::CaptureIndex(i) => write!(f, "no captured cell {i}"),
            Rule::ClosureCapture(Capture::Register(r)) => {
                write!(f, "a new closure captures register {r} outside the frame")
            }
            Rule::ClosureCapture(Capture::Outer(i)) => {
                write!(
                    f,
                    "a new closure captures cell {i}, which its maker does not have"
                )
            }
            Rule::Target(t) => write!(f, "target {t} is outside the code"),
            Rule::LoopForwards(t) => write!(f, "a loop goes forwards to {t}"),
            Rule::NestingDiffers => {
                write!(f, "reached with different handlers or completions open")
            }
            Rule::NestingTooDeep => {
                write!(
                    f,
                    "more than {MAX_NESTING} handlers and completions are open"
                )
            }
            Rule::NoHandler => write!(f, "expected a handler of this frame to be innermost"),
            Rule::NoCompletion => write!(f, "expected a completion of this frame to be innermost"),
            Rule::ReturnNested => write!(f, "returns with a handler or completion open"),
        }
    }
}

#[cfg(test)]
mod tests;
