//! Crux bytecode: a public format that the front end writes, the VM runs and the
//! harness's reference interpreter runs too.
//!
//! ```text
//! Program ─┬─ functions   registers, captures, code, lines     program.rs
//!          │   ├─ code     instructions.rs (the table), opcode.rs, operand.rs
//!          │   └─ live     which registers are alive                live.rs
//!          ├─ constants   ints, floats, strings
//!          ├─ classes     fields and methods; enums and variants; types; steps
//!          ├─ globals     names, in initialisation order
//!          └─ library     methods of built-in kinds, written in Crux
//! built-ins               functions and methods that the machine has     builtin.rs
//! kinds of errors, kinds of values               error_kind.rs, value_kind.rs
//! ```
//!
//! Nothing runs before [`verify()`] has accepted it.

pub mod builtin;
pub mod disassemble;
pub mod error_kind;
pub mod instructions;
pub mod live;
pub mod opcode;
pub mod operand;
pub mod program;
pub mod value_kind;
pub mod verify;

pub use builtin::{Builtin, Method};
pub use disassemble::disassemble;
pub use error_kind::ErrorKind;
pub use live::{LiveMap, RegisterSet};
pub use opcode::{Facts, Op, Reg};
pub use operand::Operand;
pub use program::{
    Boundary, Capture, Class, Constant, Enum, Function, FunctionId, Global, LibraryMethod, Module,
    Program, SourceSpan, Step, Type, Variant,
};
pub use value_kind::ValueKind;
pub use verify::{Refusal, Rule, VerifiedProgram, VerifyError, verify};
