//! The rules of the format, and how a broken one is told.

use std::fmt;

use super::{MAX_CODE, MAX_MEMBERS, MAX_NESTING};
use crate::program::Capture;

/// Why a program was refused: one rule broken at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Index into [`Program::functions`](crate::Program::functions), if a function broke the rule.
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
    /// At most 65536 items in each table.
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
    /// The methods of a class are sorted by name, without duplicates.
    MethodOrder(usize),
    /// No method of a class has the name of a field.
    MethodIsField(usize),
    /// The function of a method, of a class or of the library, exists.
    MethodIndex(u16),
    /// The function of a method has a parameter for the receiver and no captures.
    MethodSignature(u16),
    /// The variants of an enum follow those of the enum before it.
    EnumVariants(usize),
    /// A variant belongs to the enum among whose variants it is.
    VariantEnum(usize),
    /// The variants of all enums are all variants.
    VariantCount(usize),
    /// What a type names exists.
    TypeOf(usize),
    /// The library is sorted by kind and name, without duplicates.
    LibraryOrder(usize),
    /// The functions that finish and interrupt a run exist.
    RunIndex(u16),
    /// The functions that finish and interrupt a run have one parameter and no captures.
    RunSignature(u16),
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
    /// A register operand, or the last of a range of them, lies within the frame.
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
    /// A variant exists.
    VariantIndex(u16),
    /// `LoadVariant` loads a variant without payload, `NewVariant` makes one with.
    VariantArity(u16),
    /// A type exists.
    TypeIndex(u16),
    /// A step exists.
    StepIndex(u16),
    /// `NextOrJump` is followed by an `EndIfNil` of the same register and target.
    NoEndIfNil,
    /// A captured cell exists.
    CaptureIndex(u8),
    /// What a new closure captures exists in the function that makes it.
    ClosureCapture(Capture),
    /// A map of live registers has a row for each instruction.
    LiveMapSize,
    /// A register that is read later is alive.
    DeadRegister(u8),
    /// A target lies within the code.
    Target(u32),
    /// `Loop` goes backwards.
    LoopForwards(u32),
    /// All paths to an instruction agree on its nesting.
    NestingDiffers,
    /// At most [`MAX_NESTING`] handlers, completions and scopes are open.
    NestingTooDeep,
    /// `PopHandler` finds a handler of this frame on top.
    NoHandler,
    /// `EndFinally` and `DropCompletion` find a completion of this frame on top.
    NoCompletion,
    /// `PopScope` finds a scope of this frame on top.
    NoScope,
    /// `Return` leaves no handler and no completion behind.
    ReturnNested,
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
            Rule::MethodOrder(i) => write!(f, "method {i} of a class is not in order of names"),
            Rule::MethodIsField(i) => write!(f, "method {i} of a class has the name of a field"),
            Rule::MethodIndex(i) => write!(f, "no function {i} to be a method"),
            Rule::MethodSignature(i) => write!(
                f,
                "method {i} has no parameter or captures, expected a receiver and none"
            ),
            Rule::EnumVariants(i) => {
                write!(f, "the variants of enum {i} do not follow those before it")
            }
            Rule::VariantEnum(i) => write!(f, "variant {i} belongs to another enum"),
            Rule::VariantCount(n) => write!(f, "{n} variants belong to enums, expected all"),
            Rule::TypeOf(i) => write!(f, "what type {i} names does not exist"),
            Rule::LibraryOrder(i) => {
                write!(f, "library method {i} is not in order of kinds and names")
            }
            Rule::RunIndex(i) => write!(f, "no function {i} to finish or interrupt a run"),
            Rule::RunSignature(i) => write!(
                f,
                "function {i} finishes or interrupts a run, expected one parameter and no captures"
            ),
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
            Rule::VariantIndex(i) => write!(f, "no variant {i}"),
            Rule::VariantArity(i) => {
                write!(
                    f,
                    "variant {i}: expected LoadVariant without a payload, NewVariant with one"
                )
            }
            Rule::TypeIndex(i) => write!(f, "no type {i}"),
            Rule::StepIndex(i) => write!(f, "no step {i}"),
            Rule::NoEndIfNil => {
                write!(
                    f,
                    "expected an EndIfNil of the same register and target behind it"
                )
            }
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
            Rule::LiveMapSize => {
                write!(f, "expected a row of live registers for each instruction")
            }
            Rule::DeadRegister(r) => write!(f, "register {r} is read later, but called dead"),
            Rule::Target(t) => write!(f, "target {t} is outside the code"),
            Rule::LoopForwards(t) => write!(f, "a loop goes forwards to {t}"),
            Rule::NestingDiffers => {
                write!(
                    f,
                    "reached with different handlers, completions or scopes open"
                )
            }
            Rule::NestingTooDeep => {
                write!(
                    f,
                    "more than {MAX_NESTING} handlers, completions and scopes are open"
                )
            }
            Rule::NoHandler => write!(f, "expected a handler of this frame to be innermost"),
            Rule::NoCompletion => write!(f, "expected a completion of this frame to be innermost"),
            Rule::NoScope => write!(f, "expected a scope of this frame to be innermost"),
            Rule::ReturnNested => write!(f, "returns with a handler or completion open"),
        }
    }
}
