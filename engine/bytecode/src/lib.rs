//! Crux bytecode: a public format that the front end writes, the VM runs and the
//! harness's reference interpreter runs too.
//!
//! ```text
//! Program ─┬─ functions   registers, captures, code, lines     function.rs, opcode.rs
//!          ├─ constants   ints, floats, strings                constant.rs
//!          ├─ classes     name and field names                 class.rs
//!          └─ globals     names, in initialisation order       program.rs
//! ```
//!
//! Nothing runs before [`verify()`] has accepted it.

pub mod builtin;
pub mod disassemble;
pub mod error_kind;
pub mod opcode;
pub mod program;
pub mod verify;

pub use builtin::{Builtin, Method};
pub use disassemble::disassemble;
pub use error_kind::ErrorKind;
pub use opcode::{Op, Reg};
pub use program::{
    Capture, Class, Constant, Function, FunctionId, Global, Module, Program, SourceSpan,
};
pub use verify::{Rule, VerifyError, verify};
