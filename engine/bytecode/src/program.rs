//! A compiled program: everything the VM needs, nothing of the heap.

use serde::{Deserialize, Serialize};

use crate::opcode::{Op, Reg};

/// Index into [`Program::functions`].
pub type FunctionId = u16;

/// A whole program: its modules compiled and linked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Module-level variables of all modules.
    pub globals: Vec<Global>,
}

/// One source file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The path as imported, `main.crux`.
    pub path: String,
    /// The function that runs its top level.
    pub init: FunctionId,
    /// Globals that other modules and the host may read by name: functions, classes'
    /// constructors are not among them. Sorted by name.
    pub exports: Vec<(String, u16)>,
}

/// A module-level variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// Its name in the source.
    pub name: String,
    /// Index into [`Program::modules`] of the module that owns it.
    pub module: u16,
}

/// A literal or a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Constant {
    /// An integer beyond what [`Op::LoadInt`] holds.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string, or the name of a field or method.
    String(String),
}

/// A class: a fixed list of fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its name in the source.
    pub name: String,
    /// Field names, in order of declaration.
    pub fields: Vec<String>,
}

/// A function, closure body or module body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, `<lambda>` or `<module>`.
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
    /// The instructions. The last one never falls through.
    pub code: Vec<Op>,
    /// For each instruction the place in the source it came from.
    pub spans: Vec<SourceSpan>,
}

/// Where the creating function finds a cell to be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Capture {
    /// In its own register.
    Register(Reg),
    /// Among its own captures.
    Outer(u8),
}

/// A place in a source file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
