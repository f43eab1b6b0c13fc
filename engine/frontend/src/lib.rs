//! The Crux front end: source text to verified bytecode, or to diagnostics.
//!
//! ```text
//! Source ─ lexer ─► tokens ─ parser ─► tree ─ resolve ─► resolved tree ─ compile ─► Program
//!    ▲                                   │                                  link ──┘   │
//!    └───────────── modules: imports ────┘             library, in Crux ──────┘      verify
//! ```
//!
//! [`compile`] takes one source, [`compile_modules`] a program of several. Nothing in
//! here recurses deeper than the parser's nesting limit, so any text gives a program or
//! diagnostics.

mod ast;
mod compile;
mod diagnostic;
mod hint;
mod lexer;
mod library;
mod link;
mod modules;
mod parser;
mod resolve;
mod source;

pub use diagnostic::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS};
pub use modules::{Listing, Loader, MAX_MODULES, ModuleErrors};
pub use source::{MAX_SOURCE_BYTES, Source};

use gcrucible_bytecode::VerifiedProgram;

/// Compiles one source file, the entry module, to a verified program.
///
/// Every top-level `fn`, `let` and `const` becomes a global that the module exports;
/// functions are set first when the module is initialised, then the variables in order.
/// What the program can reach of the library that is written in Crux is part of it, as a
/// module `<library>` before all others.
///
/// # Errors
///
/// All errors of the source, up to [`MAX_DIAGNOSTICS`]. An `import`, a source above
/// [`MAX_SOURCE_BYTES`], nesting above a limit, or a function that needs too many
/// registers are errors too.
pub fn compile(source: &Source) -> Result<VerifiedProgram, Diagnostics> {
    modules::compile_one(source)
}

/// Compiles the module at the path `entry`, with all that it imports, to a verified
/// program.
///
/// Modules are in the order of their initialisation: each before those that import it,
/// the entry module last. Only exported names of an imported module can be imported, and
/// read by the host; those of the entry module are all exported for the host.
///
/// # Errors
///
/// All errors of all modules, as those of [`compile`]; modules that import one another,
/// that the loader does not have, or more than [`MAX_MODULES`] are errors of the import.
pub fn compile_modules(entry: &str, loader: &dyn Loader) -> Result<VerifiedProgram, ModuleErrors> {
    modules::compile_all(entry, loader)
}

/// The paths of the modules of a program, the entry module first: what a watcher of its files
/// has to watch. Modules that cannot be loaded are among them; what is wrong with the others
/// does not matter here.
pub fn module_paths(entry: &str, loader: &dyn Loader) -> Vec<String> {
    modules::module_paths(entry, loader)
}
