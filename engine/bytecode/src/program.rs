//! A compiled program: everything the VM needs, nothing of the heap.

use serde::{Deserialize, Serialize};

use crate::error_kind::ErrorKind;
use crate::live::LiveMap;
use crate::opcode::{Op, Reg};
use crate::value_kind::ValueKind;

/// Index into [`Program::functions`].
pub type FunctionId = u16;

/// A whole program: its modules compiled and linked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Program {
    /// In the order in which they must be initialised (dependencies first); the entry
    /// module is the last one.
    pub modules: Vec<Module>,
    /// All functions; module bodies are functions without parameters.
    pub functions: Vec<Function>,
    /// Pool of literals and of field and method names, without duplicates.
    pub constants: Vec<Constant>,
    /// All classes.
    pub classes: Vec<Class>,
    /// All enums.
    pub enums: Vec<Enum>,
    /// The variants of all enums, those of one enum side by side.
    pub variants: Vec<Variant>,
    /// What `is`, typed handlers and patterns ask for, without duplicates.
    pub types: Vec<Type>,
    /// All steps.
    pub steps: Vec<Step>,
    /// Methods of built-in kinds that are written in Crux, sorted by kind and name. They
    /// take the receiver as their first argument.
    pub library: Vec<LibraryMethod>,
    /// `fn(value)`, run when the root task of a run that registered hooks has returned
    /// `value`; its result is that of the run. There if the program can register hooks.
    pub finish: Option<FunctionId>,
    /// `fn(signal)`, run when a signal is dispatched. There if the program can register
    /// interrupt handlers.
    pub interrupt: Option<FunctionId>,
    /// Module-level variables of all modules.
    pub globals: Vec<Global>,
}

/// One source file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Module {
    /// Its path from where the entry module's begins, `main.crux`, `lib/util.crux`; the
    /// library, which is there if the program uses it and comes first, is `<library>`.
    pub path: String,
    /// The function that runs its top level.
    pub init: FunctionId,
    /// Globals that other modules and the host may read by name: functions, classes'
    /// constructors are not among them. Sorted by name.
    pub exports: Vec<(String, u16)>,
}

/// A module-level variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Global {
    /// Its name in the source.
    pub name: String,
    /// Index into [`Program::modules`] of the module that owns it.
    pub module: u16,
}

/// A literal or a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Constant {
    /// An integer beyond what [`Op::LoadInt`] holds.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string, or the name of a field or method.
    String(String),
}

/// A class: a fixed list of fields, and methods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Class {
    /// Its name in the source.
    pub name: String,
    /// Field names, in order of declaration.
    pub fields: Vec<String>,
    /// Methods, sorted by name. They take the receiver as their first argument and capture
    /// nothing. No name is both a field and a method.
    pub methods: Vec<(String, FunctionId)>,
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Enum {
    /// Its name in the source.
    pub name: String,
    /// Its first variant, an index into [`Program::variants`].
    pub first: u16,
    /// Number of its variants.
    pub count: u16,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Variant {
    /// Index into [`Program::enums`].
    pub of: u16,
    /// Its name in the source.
    pub name: String,
    /// Values that its payload consists of.
    pub arity: u8,
}

/// What a value can be asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Type {
    /// An instance of the class.
    Class(u16),
    /// A value of the enum.
    Enum(u16),
    /// A value of the variant.
    Variant(u16),
    /// An error of the kind.
    Error(ErrorKind),
    /// A value of a built-in kind.
    Kind(ValueKind),
}

/// The budget of a step and what happens when it is spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Most instructions that it and what it calls may execute.
    pub instructions: Option<u32>,
    /// Most calls of Crux functions that it and what it calls may make.
    pub calls: Option<u32>,
    /// Most milliseconds.
    pub time_ms: Option<u32>,
    /// What the step's own frame does when the budget is spent.
    pub boundary: Boundary,
}

/// See [`Op::CallStep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Boundary {
    /// The step's frame returns nil.
    Continue,
    /// The error is marked with step and function.
    Escalate,
    /// The error passes as it is.
    Fail,
}

/// A method of a built-in kind that is written in Crux.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct LibraryMethod {
    /// The kind of its receiver.
    pub receiver: ValueKind,
    /// Its name.
    pub name: String,
    /// The function.
    pub function: FunctionId,
}

/// A function, closure body or module body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Function {
    /// Its name; `Class.name` of a method, `kind.name` or `namespace.name` in the library;
    /// `<lambda>`, `<step>`, `<schedule>` or `<module>`.
    pub name: String,
    /// Index into [`Program::modules`].
    pub module: u16,
    /// Number of parameters; they arrive in registers 0, 1, ….
    pub arity: u8,
    /// Registers that hold parameters and `let` variables: the lower part of the frame.
    pub locals: u8,
    /// Registers of a frame, locals and operand temporaries; at least `locals`.
    pub registers: u8,
    /// Where [`Op::NewClosure`] finds the cells that this function captures, as seen by
    /// the function that creates it. Empty for a function that captures nothing.
    pub captures: Vec<Capture>,
    /// The names of the variables in these cells, for reports. They may be missing.
    #[serde(default)]
    pub capture_names: Vec<String>,
    /// The instructions. The last one never falls through.
    pub code: Vec<Op>,
    /// For each instruction the place in the source it came from.
    pub spans: Vec<SourceSpan>,
    /// Which registers are alive; all, if the map is empty.
    #[serde(default)]
    pub live: LiveMap,
}

/// Where the creating function finds a cell to be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Capture {
    /// In its own register.
    Register(Reg),
    /// Among its own captures.
    Outer(u8),
}

/// A place in a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct SourceSpan {
    /// Line, from 1; 0 for code that no source line stands for.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Program {
    /// The global that module `module` exports as `name`.
    pub fn export(&self, module: usize, name: &str) -> Option<u16> {
        let exports = &self.modules.get(module)?.exports;
        let at = exports
            .binary_search_by(|(n, _)| n.as_str().cmp(name))
            .ok()?;
        Some(exports[at].1)
    }

    /// The global that the entry module exports as `name`; every top-level function and
    /// `let` of the entry module counts as exported.
    pub fn entry_export(&self, name: &str) -> Option<u16> {
        self.export(self.modules.len().checked_sub(1)?, name)
    }
}
