//! The Crux front end: source text to verified bytecode, or to diagnostics.
//!
//! ```text
//! Source ─ lexer ─► tokens ─ parser ─► tree ─ resolve ─► resolved tree ─ compile ─► Program
//! ```
//!
//! [`compile`] runs them in this order. Nothing in here recurses deeper than
//! the parser's nesting limit, so any text gives a program or diagnostics.

mod ast;
mod compile;
mod diagnostic;
mod lexer;
mod parser;
mod resolve;
mod source;

pub use diagnostic::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS};
pub use source::{MAX_SOURCE_BYTES, Source};

use gcrucible_bytecode::{Program, verify};

use crate::diagnostic::Sink;
use crate::source::Span;

/// Compiles one source file, the entry module, to a verified program.
///
/// Every top-level `fn` and `let` becomes a global that the module exports; functions
/// are set first when the module is initialised, then the variables in order.
///
/// # Errors
///
/// All errors of the source, up to [`MAX_DIAGNOSTICS`]. A source above
/// [`MAX_SOURCE_BYTES`], nesting above a limit, or a function that needs too many
/// registers are errors too.
pub fn compile(source: &Source) -> Result<Program, Diagnostics> {
    let text = source.text.as_str();
    let mut sink = Sink::default();
    match run(&source.path, text, &mut sink) {
        Some(program) if sink.is_empty() => Ok(program),
        _ => Err(sink.finish(text)),
    }
}

fn run(path: &str, text: &str, sink: &mut Sink) -> Option<Program> {
    if text.len() > MAX_SOURCE_BYTES {
        sink.report(
            Span::default(),
            format!("source file too large, the limit is {MAX_SOURCE_BYTES} bytes"),
        );
        return None;
    }
    let ast = parser::parse(text, sink)?;
    let resolved = resolve::resolve(&ast, sink);
    if !sink.is_empty() {
        return None;
    }
    let program = compile::generate(&ast, &resolved, path, text, sink);
    if !sink.is_empty() {
        return None;
    }
    if let Err(errors) = verify(&program) {
        // Never seen by a user unless the compiler is wrong; no executor may see it.
        for error in errors {
            sink.report(
                Span::default(),
                format!("the compiler made wrong code: {error}"),
            );
        }
    }
    Some(program)
}
