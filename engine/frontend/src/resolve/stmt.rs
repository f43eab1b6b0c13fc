//! The walk over statements.

use super::{Binding, Resolver};
use crate::ast::{DeclId, DeclKind, ExprId, ExprKind, FunctionNodeId, List, StmtId, StmtKind};
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn stmts(&mut self, list: List) {
        for at in list.range() {
            self.stmt(self.ast.stmt_ids[at]);
        }
    }

    pub(super) fn block(&mut self, list: List) {
        self.open_scope();
        self.stmts(list);
        self.close_scope();
    }

    fn stmt(&mut self, id: StmtId) {
        let stmt = *self.ast.stmt(id);
        match stmt.kind {
            StmtKind::Error | StmtKind::Import => {}
            StmtKind::Expr(expr) => self.expr(expr),
            StmtKind::Let(decl, value) => {
                // The value is walked first: in it the name means what it meant before.
                if let Some(value) = value {
                    self.expr(value);
                }
                if self.is_global(decl) {
                    self.out.variables[decl.index()].is_defined = true;
                } else {
                    self.define(decl);
                }
            }
            StmtKind::Fn(decl, function) => {
                let is_library = self.unit.is_library && self.scopes.len() == 1;
                if !is_library && !self.is_global(decl) {
                    self.define(decl);
                }
                self.function_body(function);
            }
            StmtKind::Class(class) => {
                let class = self.ast.classes[class.index()];
                if self.scopes.len() > 1 {
                    self.sink.report(
                        class.span,
                        "a class must be defined at the top level of a file",
                    );
                    return;
                }
                for method in &self.ast.methods[class.methods.range()] {
                    self.function_body(method.function);
                }
            }
            StmtKind::Enum(of) => {
                if self.scopes.len() > 1 {
                    let span = self.ast.enums[of.index()].span;
                    self.sink
                        .report(span, "an enum must be defined at the top level of a file");
                }
            }
            StmtKind::Deadline(head, body) | StmtKind::Sync(head, body) => {
                self.expr(head);
                self.nested(1, stmt.span, |resolver| resolver.block(body));
            }
            StmtKind::Assign(target, op, value) => {
                let _ = op;
                self.assign_target(target);
                self.expr(value);
            }
            StmtKind::Block(body) => self.block(body),
            StmtKind::If(arms, otherwise) => {
                for at in arms.range() {
                    let arm = self.ast.arms[at];
                    self.expr(arm.cond);
                    self.block(arm.body);
                }
                self.block(otherwise);
            }
            StmtKind::While(cond, body) => {
                self.expr(cond);
                self.function().loops += 1;
                self.block(body);
                self.function().loops -= 1;
            }
            StmtKind::For(decl, iterable, body) => {
                self.expr(iterable);
                self.function().loops += 1;
                self.open_scope();
                self.define(decl);
                self.block(body);
                self.close_scope();
                self.function().loops -= 1;
            }
            StmtKind::Break => self.jump("break", stmt.span),
            StmtKind::Continue => self.jump("continue", stmt.span),
            StmtKind::Return(value) => {
                if self.level() == 0 {
                    self.sink
                        .report(stmt.span, "`return` outside of a function");
                }
                if let Some(value) = value {
                    self.expr(value);
                }
            }
            StmtKind::Throw(value) => self.expr(value),
            StmtKind::Try(index) => self.try_stmt(index, stmt.span),
        }
    }

    fn is_global(&self, decl: DeclId) -> bool {
        self.out.variables[decl.index()].global.is_some()
    }

    fn jump(&mut self, what: &str, span: Span) {
        if self.function().loops == 0 {
            self.sink
                .report(span, format!("`{what}` outside of a loop"));
        }
    }

    fn try_stmt(&mut self, index: u32, span: Span) {
        let stmt = self.ast.tries[index as usize];
        let around = usize::from(stmt.finally.is_some());
        let inside = around + stmt.catches.len as usize;
        self.nested(inside, span, |resolver| resolver.block(stmt.body));
        for catch in &self.ast.catches[stmt.catches.range()] {
            if let Some(of) = catch.of {
                self.type_name(of);
            }
            // Until they are popped the handlers behind this one are open too.
            self.nested(around, span, |resolver| {
                resolver.open_scope();
                if let Some(variable) = catch.variable {
                    resolver.define(variable);
                }
                resolver.block(catch.body);
                resolver.close_scope();
            });
        }
        if let Some(body) = stmt.finally {
            self.nested(1, span, |resolver| resolver.block(body));
        }
    }

    /// Parameters and statements of a function share one scope.
    pub(super) fn function_body(&mut self, function: FunctionNodeId) {
        self.open_function(function);
        for parameter in self.ast.parameters(function) {
            self.define(parameter);
        }
        self.stmts(self.ast.function(function).body);
        self.close_function();
    }

    fn assign_target(&mut self, target: ExprId) {
        let expr = *self.ast.expr(target);
        let ExprKind::Name(name) = expr.kind else {
            self.expr(target);
            if matches!(self.out.bindings[target.index()], Binding::Variant { .. }) {
                self.sink.report_expected(
                    expr.span,
                    "this cannot be assigned",
                    "a variable, a field or an element on the left",
                );
            }
            return;
        };
        let text = self.ast.names.text(name);
        // Assigning is a use too: a global may not have been defined yet.
        let binding = self.look_up(name, expr.span);
        let decl = self.visible[name.index()].checked_sub(1).map(DeclId);
        let refused = match (binding, decl) {
            (None, _) => return self.unknown_name(name, expr.span),
            (Some(Binding::Builtin(_) | Binding::Cancel | Binding::Library(_)), _) => {
                "a built-in function"
            }
            (Some(Binding::Named(named)), _) => match named.what() {
                "class" => "a class",
                "enum" => "an enum",
                "namespace" => "a namespace",
                _ => "imported",
            },
            (Some(_), Some(decl)) => match self.kind(decl) {
                DeclKind::Const => "a constant",
                DeclKind::Function => "a function",
                DeclKind::Receiver => "the receiver",
                DeclKind::Import => "imported",
                _ => "",
            },
            (Some(_), None) => "",
        };
        if refused.is_empty() {
            self.out.bindings[target.index()] = binding.unwrap_or(Binding::None);
        } else {
            self.sink.report_expected(
                expr.span,
                format!("`{text}` is {refused} and cannot be assigned"),
                "a variable defined by `let`",
            );
        }
    }
}
