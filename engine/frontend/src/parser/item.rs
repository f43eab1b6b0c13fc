//! Functions, classes, enums, imports and exports.

use gcrucible_bytecode::ValueKind;

use super::{Dialect, Parser};
use crate::ast::{
    Class, ClassField, ClassId, DeclKind, Enum, EnumId, EnumVariant, Function, FunctionNodeId,
    Import, ImportName, LibraryFunction, List, Method, StmtKind, Symbol, list_of,
};
use crate::lexer::TokenKind;
use crate::source::Span;

/// The marks behind parameters of a library function.
#[derive(Clone, Copy, Default)]
struct Marks {
    optional: u8,
    has_rest: bool,
}

impl Parser<'_, '_> {
    pub(super) fn fn_stmt(&mut self) -> StmtKind {
        let start = self.bump().span;
        let (name, span) = self.name("the name of a function");
        let is_library = self.dialect == Dialect::Library && self.depth == 0;
        let (name, receiver) = if is_library {
            self.library_name(name, span)
        } else {
            (name, None)
        };
        let decl = self.add_decl(name, DeclKind::Function, span);
        let (id, marks) = self.function(name, start, receiver.is_some());
        if is_library {
            self.ast.library_functions.push(LibraryFunction {
                name,
                receiver,
                function: id,
                optional: marks.optional,
                has_rest: marks.has_rest,
            });
        }
        StmtKind::Fn(decl, id)
    }

    /// The name of a library function with what stands before it, and for a method the
    /// kind of its receiver.
    fn library_name(&mut self, first: Symbol, span: Span) -> (Symbol, Option<(ValueKind, Symbol)>) {
        if !self.eat(TokenKind::Dot) {
            return (first, None);
        }
        let kind = ValueKind::from_name(self.slice(span));
        let (name, name_span) = self.name("the name of a function");
        let whole = self.ast.names.intern(self.slice(span.to(name_span)));
        (whole, kind.map(|kind| (kind, name)))
    }

    /// Parameters and body of a function whose text began at `start`.
    fn function(&mut self, name: Symbol, start: Span, is_method: bool) -> (FunctionNodeId, Marks) {
        let id = self.reserve_function();
        let first = self.ast.decls.len() as u32;
        if is_method {
            let span = self.last_span();
            self.add_decl(Symbol::SELF, DeclKind::Receiver, span);
        }
        let mut marks = Marks::default();
        if self.expect(TokenKind::ParenOpen, "`(`") {
            marks = self.marked_parameters(TokenKind::ParenClose, "`,` or `)`");
        }
        let parameters = List {
            start: first,
            len: self.ast.decls.len() as u32 - first,
        };
        let body = self.block();
        let span = start.to(self.last_span());
        self.ast.functions[id.index()] = Function {
            name,
            parameters,
            body,
            span,
        };
        (id, marks)
    }

    /// Parameters up to and with the closing token.
    pub(super) fn parameters(&mut self, end: TokenKind, what: &str) -> List {
        let start = self.ast.decls.len() as u32;
        self.marked_parameters(end, what);
        List {
            start,
            len: self.ast.decls.len() as u32 - start,
        }
    }

    fn marked_parameters(&mut self, end: TokenKind, what: &str) -> Marks {
        let mut marks = Marks::default();
        let is_library = self.dialect == Dialect::Library;
        self.in_brackets(|parser| {
            while !parser.is(end) && !parser.is(TokenKind::End) {
                let (name, span) = parser.name("the name of a parameter");
                if name != Symbol::EMPTY {
                    parser.add_decl(name, DeclKind::Parameter, span);
                }
                if is_library && parser.eat(TokenKind::Question) {
                    marks.optional += 1;
                } else if is_library && parser.eat(TokenKind::Ellipsis) {
                    marks.has_rest = true;
                }
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.close(end, what);
        });
        marks
    }

    /// `|a, b| expr` or `|a, b| { … }`; the current token is the first `|` or `||`.
    pub(super) fn closure(&mut self) -> FunctionNodeId {
        let start = self.bump();
        let id = self.reserve_function();
        let parameters = if start.kind == TokenKind::PipePipe {
            List::default()
        } else {
            self.parameters(TokenKind::Pipe, "`,` or `|`")
        };
        let body = if self.is(TokenKind::BraceOpen) {
            self.block()
        } else {
            let value = self.expr();
            let span = self.ast.expr(value).span;
            let stmt = self.add_stmt(StmtKind::Return(Some(value)), span);
            let base = self.pending_stmts.len();
            self.pending_stmts.push(stmt);
            self.finish_stmts(base)
        };
        let name = self.ast.names.intern("<lambda>");
        let span = start.span.to(self.last_span());
        self.ast.functions[id.index()] = Function {
            name,
            parameters,
            body,
            span,
        };
        id
    }

    /// `class C { a, b  fn m() { … } }`
    pub(super) fn class_stmt(&mut self) -> StmtKind {
        self.bump();
        let (name, span) = self.name("the name of a class");
        let mut fields = Vec::new();
        let mut methods = Vec::new();
        if self.expect(TokenKind::BraceOpen, "`{`") {
            self.in_brackets(|parser| parser.members(name, &mut fields, &mut methods));
            let what = if methods.is_empty() {
                "`,`, `fn` or `}`"
            } else {
                "`fn` or `}`"
            };
            self.close(TokenKind::BraceClose, what);
        }
        let fields = list_of(&mut self.ast.class_fields, fields);
        let methods = list_of(&mut self.ast.methods, methods);
        let id = ClassId(self.ast.classes.len() as u32);
        self.ast.classes.push(Class {
            name,
            span,
            fields,
            methods,
            is_exported: false,
        });
        StmtKind::Class(id)
    }

    /// Fields, then methods, up to what is neither.
    fn members(&mut self, class: Symbol, fields: &mut Vec<ClassField>, methods: &mut Vec<Method>) {
        if !self.enter() {
            return;
        }
        loop {
            while self.is(TokenKind::Fn) {
                methods.push(self.method(class));
                while self.eat(TokenKind::Semicolon) {}
            }
            if matches!(self.kind(), TokenKind::BraceClose | TokenKind::End) {
                break;
            }
            if let (false, TokenKind::Name) = (methods.is_empty(), self.kind()) {
                self.unexpected("`fn` or `}`; fields come before methods");
            }
            let (name, span) = self.name("the name of a field");
            fields.push(ClassField { name, span });
            if !self.eat(TokenKind::Comma) && !self.is(TokenKind::Fn) {
                break;
            }
        }
        self.leave();
    }

    fn method(&mut self, class: Symbol) -> Method {
        let start = self.bump().span;
        let (name, span) = self.name("the name of a method");
        let text = |symbol| self.ast.names.text(symbol);
        let whole = format!("{}.{}", text(class), text(name));
        let whole = self.ast.names.intern_owned(whole);
        let (function, _) = self.function(whole, start, true);
        Method {
            name,
            span,
            function,
        }
    }

    /// `enum E { A, B(x, y) }`
    pub(super) fn enum_stmt(&mut self) -> StmtKind {
        self.bump();
        let (name, span) = self.name("the name of an enum");
        let mut variants = Vec::new();
        if self.expect(TokenKind::BraceOpen, "`{`") {
            self.in_brackets(|parser| {
                while !parser.is(TokenKind::BraceClose) && !parser.is(TokenKind::End) {
                    let (name, span) = parser.name("the name of a variant");
                    let arity = if parser.is(TokenKind::ParenOpen) {
                        parser.payload()
                    } else {
                        0
                    };
                    variants.push(EnumVariant { name, span, arity });
                    if !parser.eat(TokenKind::Comma) {
                        break;
                    }
                }
                parser.close(TokenKind::BraceClose, "`,` or `}`");
            });
        }
        let variants = list_of(&mut self.ast.variants, variants);
        let id = EnumId(self.ast.enums.len() as u32);
        self.ast.enums.push(Enum {
            name,
            span,
            variants,
            is_exported: false,
        });
        StmtKind::Enum(id)
    }

    /// `(x, y)` behind the name of a variant: how many. The names are for people.
    fn payload(&mut self) -> u32 {
        let start = self.bump().span;
        let mut count = 0;
        while !self.is(TokenKind::ParenClose) && !self.is(TokenKind::End) {
            self.name("the name of a value");
            count += 1;
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.close(TokenKind::ParenClose, "`,` or `)`");
        if count == 0 {
            self.sink.report_hint(
                start.to(self.last_span()),
                "empty brackets behind the name of a variant",
                Some("leave them out".to_owned()),
            );
        }
        count
    }

    /// `import { a, b as c } from "path"` or `import "path"`
    pub(super) fn import_stmt(&mut self) -> StmtKind {
        let start = self.bump().span;
        if self.depth > 0 {
            self.sink.report_expected(
                start,
                "`import` in a block",
                "it at the top level of the file",
            );
        } else if self.has_statements {
            self.sink.report_expected(
                start,
                "`import` behind other statements",
                "it at the beginning of the file",
            );
        }
        let mut names = Vec::new();
        if self.eat(TokenKind::BraceOpen) {
            self.in_brackets(|parser| {
                while !parser.is(TokenKind::BraceClose) && !parser.is(TokenKind::End) {
                    let (name, span) = parser.name("the name of something to import");
                    let (local, local_span) = if parser.is_word("as") {
                        parser.bump();
                        parser.name("the name of it in this file")
                    } else {
                        (name, span)
                    };
                    let decl = parser.add_decl(local, DeclKind::Import, local_span);
                    names.push(ImportName { name, span, decl });
                    if !parser.eat(TokenKind::Comma) {
                        break;
                    }
                }
                parser.close(TokenKind::BraceClose, "`,` or `}`");
            });
            if self.is_word("from") {
                self.bump();
            } else {
                self.unexpected("`from` and the path of the module");
            }
        }
        let what = "the path of a module, as in `\"./util.crux\"`";
        if let Some((path, span)) = self.plain_string(what) {
            let names = list_of(&mut self.ast.import_names, names);
            self.ast.imports.push(Import {
                path,
                span,
                names,
                is_misplaced: self.depth > 0 || self.has_statements,
            });
        }
        StmtKind::Import
    }

    /// `export` before a definition.
    pub(super) fn export_stmt(&mut self) -> StmtKind {
        let start = self.bump().span;
        if self.depth > 0 {
            self.sink.report_expected(
                start,
                "`export` in a block",
                "it at the top level of the file",
            );
        }
        let kind = match self.kind() {
            TokenKind::Fn => self.fn_stmt(),
            TokenKind::Let => self.let_stmt(DeclKind::Let),
            TokenKind::Const => self.let_stmt(DeclKind::Const),
            TokenKind::Class => self.class_stmt(),
            TokenKind::Enum => self.enum_stmt(),
            _ => {
                self.unexpected("`fn`, `let`, `const`, `class` or `enum`");
                return StmtKind::Error;
            }
        };
        match kind {
            StmtKind::Fn(decl, _) | StmtKind::Let(decl, _) => {
                self.ast.decls[decl.index()].is_exported = true;
            }
            StmtKind::Class(class) => self.ast.classes[class.index()].is_exported = true,
            StmtKind::Enum(of) => self.ast.enums[of.index()].is_exported = true,
            _ => {}
        }
        kind
    }
}
