//! Resolved tree to bytecode.
//!
//! Functions are compiled one after the other in the order of the source; the resolver
//! has said all that one needs to know of another. In a frame parameters and variables
//! come first, where the resolver put them, and operands wait above them in temporary
//! registers that are taken and given back like a stack.

mod call;
mod constants;
mod control;
mod emitter;
mod expr;
mod literal;
mod stmt;

use gcrucible_bytecode::{Class, Function, Global, Module, Program};

use crate::ast::{Ast, FunctionNodeId};
use crate::compile::constants::Constants;
use crate::compile::emitter::{Emitter, TooLarge};
use crate::diagnostic::Sink;
use crate::resolve::{Frame, MAX_REGISTERS, Resolved};
use crate::source::Places;

/// The program of a tree that was resolved without errors. What is too large for the
/// format is reported to `sink`, and the program is useless then.
pub(crate) fn generate(
    ast: &Ast<'_>,
    resolved: &Resolved,
    path: &str,
    text: &str,
    sink: &mut Sink,
) -> Program {
    let mut constants = Constants::new(ast.names.len());
    let mut places = Places::new(text);
    let mut functions = Vec::with_capacity(ast.functions.len());
    for index in 0..ast.functions.len() {
        let id = FunctionNodeId(index as u32);
        let node = ast.function(id);
        let Frame { locals, captures } = &resolved.frames[index];
        let mut emitter = Emitter::new(ast, resolved, &mut constants, &mut places, *locals);
        emitter.function(id);
        let (code, spans, registers, too_large) = emitter.finish();
        match too_large {
            None => {}
            Some(TooLarge::Registers(at)) => sink.report_hint(
                at,
                format!(
                    "function too large, it needs more than {MAX_REGISTERS} registers for \
                     variables and operands here"
                ),
                Some("split the function, or the call or literal".to_owned()),
            ),
            Some(TooLarge::Code) => sink.report(node.span, "function too large, too much code"),
        }
        functions.push(Function {
            name: ast.names.text(node.name).to_owned(),
            module: 0,
            arity: node.parameters.len.min(MAX_REGISTERS) as u8,
            locals: *locals,
            registers,
            captures: captures.clone(),
            code,
            spans,
        });
    }
    if constants.is_full() {
        sink.report(
            crate::source::Span::default(),
            format!(
                "too many literals and names, the limit is {}",
                constants::MAX_CONSTANTS
            ),
        );
    }
    let name_of = |&decl: &_| ast.names.text(ast.decl(decl).name).to_owned();
    let globals: Vec<Global> = resolved
        .globals
        .iter()
        .map(|decl| Global {
            name: name_of(decl),
            module: 0,
        })
        .collect();
    let mut exports: Vec<(String, u16)> = globals
        .iter()
        .enumerate()
        .map(|(number, global)| (global.name.clone(), number as u16))
        .collect();
    exports.sort_unstable();
    let classes = ast.classes.iter().map(|class| Class {
        name: ast.names.text(class.name).to_owned(),
        fields: ast.class_fields[class.fields.range()]
            .iter()
            .map(|field| ast.names.text(field.name).to_owned())
            .collect(),
        methods: Vec::new(),
    });
    Program {
        modules: vec![Module {
            path: path.to_owned(),
            init: 0,
            exports,
        }],
        functions,
        classes: classes.collect(),
        globals,
        constants: constants.finish(),
        ..Program::default()
    }
}

#[cfg(test)]
mod tests;
