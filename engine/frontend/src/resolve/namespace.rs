//! Calls and fields whose left side is a class, an enum or a namespace, and calls of what
//! the library has.

use gcrucible_bytecode::Builtin;

use super::types::Named;
use super::{Binding, Resolver};
use crate::ast::{ExprId, ExprKind, List, Symbol};
use crate::library::{self, Item, NAMESPACES};
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    /// What the left side of a `.` stands for, if it is the name of a class, enum or
    /// namespace and not a value.
    pub(super) fn left_of_dot(&mut self, receiver: ExprId) -> Option<Named> {
        let expr = *self.ast.expr(receiver);
        let ExprKind::Name(name) = expr.kind else {
            return None;
        };
        if self.visible[name.index()] != 0 {
            return None;
        }
        match self.look_up(name, expr.span) {
            Some(Binding::Named(named)) => Some(named),
            _ => None,
        }
    }

    /// `E.V(…)` or `math.f(…)`; `id` is the call.
    pub(super) fn dotted_call(&mut self, id: ExprId, named: Named, name: Symbol, arguments: List) {
        let expr = *self.ast.expr(id);
        let name_span = self.member_span(expr.at, name);
        match named {
            Named::Namespace(index) => {
                let namespace = NAMESPACES[usize::from(index)];
                let text = format!("{namespace}.{}", self.ast.names.text(name));
                let binding = match library::builtin(&text, true) {
                    Some(builtin) => Binding::Builtin(builtin),
                    None => match self.linker.catalog.item(&text) {
                        Some(Item::Function(index)) => Binding::Library(index),
                        _ => {
                            return self.unknown_member(named, name, name_span);
                        }
                    },
                };
                self.out.bindings[id.index()] = binding;
                self.check_arguments(binding, arguments.len, expr.span);
            }
            Named::Unknown => {}
            Named::Enum(_) | Named::ImportedEnum(_) | Named::LibraryEnum(_) => {
                let Some(binding) = self.variant(named, name, name_span) else {
                    return;
                };
                if let Binding::Variant { arity, .. } = binding
                    && (u32::from(arity) != arguments.len || arity == 0)
                {
                    self.payload_differs(name, arity, arguments.len, expr.span);
                    return;
                }
                self.out.bindings[id.index()] = binding;
            }
            Named::Class(_) | Named::ImportedClass(_) | Named::LibraryClass(_) => {
                self.class_member(name, name_span);
            }
        }
    }

    /// `E.V`; `id` is the field.
    pub(super) fn dotted_field(&mut self, id: ExprId, named: Named, name: Symbol) {
        let expr = *self.ast.expr(id);
        let name_span = self.member_span(expr.at, name);
        match named {
            Named::Namespace(index) => {
                let namespace = NAMESPACES[usize::from(index)];
                let text = self.ast.names.text(name);
                self.sink.report_expected(
                    expr.span,
                    format!("`{namespace}.{text}` is not a value"),
                    format!("a call, `{namespace}.{text}(…)`"),
                );
            }
            Named::Unknown => {}
            Named::Enum(_) | Named::ImportedEnum(_) | Named::LibraryEnum(_) => {
                let Some(binding) = self.variant(named, name, name_span) else {
                    return;
                };
                match binding {
                    Binding::Variant { arity, .. } if arity > 0 => {
                        self.payload_differs(name, arity, 0, expr.span);
                    }
                    _ => self.out.bindings[id.index()] = binding,
                }
            }
            Named::Class(_) | Named::ImportedClass(_) | Named::LibraryClass(_) => {
                self.class_member(name, name_span);
            }
        }
    }

    fn member_span(&self, at: u32, name: Symbol) -> Span {
        Span::new(at, at + self.ast.names.text(name).len() as u32)
    }

    fn class_member(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        self.sink.report_expected(
            span,
            format!("`{text}` is asked of a class"),
            "an instance before the `.`",
        );
    }

    pub(super) fn payload_differs(&mut self, name: Symbol, arity: u8, given: u32, span: Span) {
        let name = self.ast.names.text(name);
        let values = |count: u32| match count {
            0 => "no values".to_owned(),
            1 => "1 value".to_owned(),
            n => format!("{n} values"),
        };
        let expected = match arity {
            0 => format!("`{name}` without brackets"),
            arity => values(u32::from(arity)),
        };
        self.sink.report_expected(
            span,
            format!("`{name}` is given {}", values(given)),
            expected,
        );
    }

    /// Reports a wrong number of arguments of a built-in or library function.
    pub(super) fn check_arguments(&mut self, binding: Binding, count: u32, span: Span) {
        let (name, min, max) = match binding {
            Binding::Builtin(builtin) => {
                let (min, max) = builtin.arity();
                (builtin.name(), u32::from(min), u32::from(max))
            }
            Binding::Cancel => ("cancel", 1, 1),
            Binding::Library(index) => {
                let entry = &self.linker.catalog.functions[usize::from(index)];
                let min = u32::from(entry.required);
                let max = if entry.has_rest {
                    255
                } else {
                    min + u32::from(entry.optional)
                };
                (entry.name.as_str(), min, max)
            }
            _ => return,
        };
        if count < min || count > max {
            let expected = match (min, max) {
                (1, 1) => "1 argument".to_owned(),
                (min, max) if min == max => format!("{min} arguments"),
                (min, max) => format!("{min} to {max} arguments"),
            };
            self.sink.report_expected(
                span,
                format!("`{name}` is called with {count} arguments"),
                expected,
            );
        }
    }

    /// The functions of a namespace, without its name.
    pub(super) fn namespace_functions(&self, namespace: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{namespace}.");
        let builtins = Builtin::ALL.iter().map(|builtin| builtin.name());
        let library = self.linker.catalog.public_names();
        builtins
            .chain(library)
            .filter_map(move |name| name.strip_prefix(prefix.as_str()))
    }
}
