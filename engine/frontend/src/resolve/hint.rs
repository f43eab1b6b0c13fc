//! Unknown names.

use gcrucible_bytecode::{Builtin, ErrorKind, ValueKind};

use super::Resolver;
use super::types::Named;
use crate::ast::Symbol;
use crate::hint::{elsewhere, list, nearest};
use crate::library::{NAMESPACES, is_private};
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn unknown_name(&mut self, name: Symbol, span: Span) {
        if name == Symbol::EMPTY {
            return;
        }
        let text = self.ast.names.text(name);
        let ast = self.ast;
        let hint = match elsewhere(text) {
            Some(hint) => Some(hint.to_owned()),
            None if self.take_hint() => {
                let names = self.active.iter().rev();
                let names = names.map(|decl| ast.names.text(ast.decl(*decl).name));
                let builtins = Builtin::ALL.iter().map(|builtin| builtin.name());
                let builtins = builtins.filter(|name| !is_private(name));
                let library = self.linker.catalog.public_names();
                let types = self.type_names();
                let known = names.chain(builtins).chain(library).chain(types);
                nearest(text, known.chain(NAMESPACES.iter().copied()))
            }
            None => None,
        };
        self.sink
            .report_hint(span, format!("unknown name `{text}`"), hint);
    }

    pub(super) fn unknown_class(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let hint = match elsewhere(text) {
            Some(hint) => Some(hint.to_owned()),
            None if self.take_hint() => nearest(text, self.type_names()),
            None => None,
        };
        self.sink
            .report_hint(span, format!("unknown class `{text}`"), hint);
    }

    pub(super) fn unknown_type(&mut self, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        let hint = if self.take_hint() {
            let errors = ErrorKind::ALL.iter().map(|kind| kind.name());
            let kinds = ValueKind::ALL.iter().map(|kind| kind.name());
            nearest(text, self.type_names().chain(errors).chain(kinds))
        } else {
            None
        };
        self.sink.add(
            span,
            format!("unknown type `{text}`"),
            Some("a class, enum, error kind or kind of values".to_owned()),
            hint,
        );
    }

    /// A field, variant or function that a class, enum or namespace does not have.
    pub(super) fn unknown_member(&mut self, named: Named, name: Symbol, span: Span) {
        let what = match named.what() {
            "class" => "field",
            "enum" => "variant",
            _ => "function",
        };
        let title = self.title(named);
        let what = match named {
            Named::Namespace(_) => format!("`{title}` has no {what}"),
            _ => format!("the {} `{title}` has no {what}", named.what()),
        };
        let text = self.ast.names.text(name);
        if !self.sink.keeps_more() {
            return self.sink.report(span, "");
        }
        let names = self.member_names(named);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = if self.take_hint() {
            nearest(text, names.iter().copied())
        } else {
            None
        };
        let expected = match (named.what(), names.is_empty()) {
            (_, true) => None,
            ("class", false) => Some(format!("one of its fields: {}", list(&names))),
            (_, false) => Some(format!("one of {}", list(&names))),
        };
        self.sink
            .add(span, format!("{what} `{text}`"), expected, hint);
    }

    /// The classes and enums that this source defines.
    fn type_names(&self) -> impl Iterator<Item = &str> {
        let ast = self.ast;
        let classes = ast.classes.iter().map(|class| ast.names.text(class.name));
        let enums = ast.enums.iter().map(|of| ast.names.text(of.name));
        let imports = ast.import_names.iter();
        let imports = imports.map(|import| ast.names.text(ast.decl(import.decl).name));
        classes.chain(enums).chain(imports)
    }

    fn take_hint(&mut self) -> bool {
        let has_one = self.hints_left > 0;
        self.hints_left = self.hints_left.saturating_sub(1);
        has_one
    }
}
