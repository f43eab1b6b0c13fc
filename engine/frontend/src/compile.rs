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
mod pattern;
mod scope;
mod stmt;
mod try_stmt;

pub(crate) use constants::{Constants, MAX_CONSTANTS};

use gcrucible_bytecode::{Class, Enum, Function, Global, LiveMap, Variant};

use crate::ast::{Ast, DeclId, FunctionNodeId};
use crate::compile::emitter::{Emitter, TooLarge};
use crate::diagnostic::Sink;
use crate::link::Linker;
use crate::resolve::{Frame, MAX_REGISTERS, Resolved, Unit};
use crate::source::Places;

/// Adds the functions of a tree that was resolved without errors to the program that is
/// being linked. What is too large for the format is reported to `sink`, and the program is
/// useless then.
pub(crate) fn generate(
    ast: &Ast<'_>,
    resolved: &Resolved,
    unit: &Unit<'_>,
    text: &str,
    linker: &mut Linker<'_>,
    sink: &mut Sink,
) {
    let module = this_module(unit, linker);
    let mut places = Places::new(text);
    linker.constants.begin(&ast.names);
    linker.program.functions.reserve(ast.functions.len());
    for index in 0..ast.functions.len() {
        let id = FunctionNodeId(index as u32);
        let node = ast.function(id);
        let Frame {
            locals,
            captures,
            captured,
        } = &resolved.frames[index];
        let capture_names = captured.iter().map(|&decl| name_of(ast, decl)).collect();
        let mut emitter = Emitter::new(ast, resolved, unit, linker, &mut places, *locals);
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
        linker.program.functions.push(Function {
            name: ast.names.text(node.name).to_owned(),
            module,
            arity: node.parameters.len.min(MAX_REGISTERS) as u8,
            locals: *locals,
            registers,
            captures: captures.clone(),
            capture_names,
            code,
            spans,
            live: LiveMap::default(),
        });
    }
}

/// The name of a variable.
fn name_of(ast: &Ast<'_>, decl: DeclId) -> String {
    ast.names.text(ast.decl(decl).name).to_owned()
}

/// Adds the globals, classes and enums of a tree to the program that is being linked;
/// modules that import them need them even if there is no program in the end.
pub(crate) fn declare(
    ast: &Ast<'_>,
    resolved: &Resolved,
    unit: &Unit<'_>,
    linker: &mut Linker<'_>,
) {
    let module = this_module(unit, linker);
    let globals = resolved.globals.iter().map(|&decl| Global {
        name: name_of(ast, decl),
        module,
    });
    linker.program.globals.extend(globals);
    classes(ast, unit, linker);
    enums(ast, linker);
}

/// The number of the module that is being compiled. That of the library is there before
/// its sources are.
fn this_module(unit: &Unit<'_>, linker: &Linker<'_>) -> u16 {
    (linker.program.modules.len() - usize::from(unit.is_library)) as u16
}

fn classes(ast: &Ast<'_>, unit: &Unit<'_>, linker: &mut Linker<'_>) {
    let text = |symbol| ast.names.text(symbol).to_owned();
    for class in &ast.classes {
        let methods = ast.methods[class.methods.range()].iter();
        let mut methods: Vec<_> = methods
            .map(|method| {
                let function = unit.bases.functions + method.function.index();
                (text(method.name), function as u16)
            })
            .collect();
        methods.sort_unstable();
        let fields = ast.class_fields[class.fields.range()].iter();
        linker.program.classes.push(Class {
            name: text(class.name),
            fields: fields.map(|field| text(field.name)).collect(),
            methods,
        });
    }
}

fn enums(ast: &Ast<'_>, linker: &mut Linker<'_>) {
    let text = |symbol| ast.names.text(symbol).to_owned();
    for found in &ast.enums {
        let of = linker.program.enums.len() as u16;
        linker.program.enums.push(Enum {
            name: text(found.name),
            first: linker.program.variants.len() as u16,
            count: found.variants.len as u16,
        });
        let variants = ast.variants[found.variants.range()].iter();
        let variants = variants.map(|variant| Variant {
            of,
            name: text(variant.name),
            arity: variant.arity.min(255) as u8,
        });
        linker.program.variants.extend(variants);
    }
}

#[cfg(test)]
mod tests;
