//! Statements, blocks, functions and classes.

use super::Parser;
use crate::ast::{
    Arm, BinaryOp, Class, ClassField, ClassId, DeclKind, ExprKind, Function, FunctionNodeId, List,
    StmtId, StmtKind, Symbol, Try,
};
use crate::lexer::TokenKind;
use crate::source::Span;

impl Parser<'_, '_> {
    /// Statements up to, and not with, a token of kind `end`.
    pub(super) fn stmts(&mut self, end: TokenKind) -> List {
        let base = self.pending_stmts.len();
        loop {
            while self.eat(TokenKind::Semicolon) {}
            if self.is(end) || self.is(TokenKind::End) {
                break;
            }
            let before = self.at;
            let errors = self.sink.len();
            let stmt = self.stmt();
            self.pending_stmts.push(stmt);
            let needs_end = !self.ends_with_block(stmt);
            if self.sink.len() == errors && needs_end && !self.is_at_stmt_end() {
                self.unexpected("a line end or `;`");
            }
            // An error at a token that was reported before is not counted again.
            if self.sink.len() != errors || self.at == before {
                self.skip_to_stmt(before);
            }
        }
        self.finish_stmts(base)
    }

    fn is_at_stmt_end(&self) -> bool {
        let token = self.token();
        token.is_on_new_line
            || matches!(
                token.kind,
                TokenKind::Semicolon | TokenKind::BraceClose | TokenKind::End
            )
    }

    fn ends_with_block(&self, stmt: StmtId) -> bool {
        matches!(
            self.ast.stmt(stmt).kind,
            StmtKind::Fn(..)
                | StmtKind::Class(_)
                | StmtKind::Block(_)
                | StmtKind::If(..)
                | StmtKind::While(..)
                | StmtKind::For(..)
                | StmtKind::Try(_)
        )
    }

    /// After an error in the statement that began at `start`: skips the rest of it. At
    /// least one token is passed.
    fn skip_to_stmt(&mut self, start: usize) {
        let mut open = 0u32;
        loop {
            let token = self.token();
            match token.kind {
                TokenKind::End => return,
                TokenKind::BraceClose if open == 0 => {
                    // The end of the block around, or, at the top level, of nothing.
                    if self.depth == 0 {
                        if self.at == start {
                            self.unexpected("a statement");
                        }
                        self.bump();
                    }
                    return;
                }
                TokenKind::Semicolon if open == 0 => return,
                _ => {}
            }
            if open == 0 && token.is_on_new_line && self.at > start {
                return;
            }
            match token.kind {
                TokenKind::BraceOpen | TokenKind::ParenOpen | TokenKind::BracketOpen => open += 1,
                TokenKind::BraceClose | TokenKind::ParenClose | TokenKind::BracketClose => {
                    open = open.saturating_sub(1);
                }
                _ => {}
            }
            self.bump();
        }
    }

    /// `{ … }`
    fn block(&mut self) -> List {
        if !self.expect(TokenKind::BraceOpen, "`{`") || !self.enter() {
            return List::default();
        }
        let is_in_brackets = std::mem::replace(&mut self.is_in_brackets, false);
        let is_in_head = std::mem::replace(&mut self.is_in_head, false);
        let tallest = std::mem::replace(&mut self.tallest, 0);
        let list = self.stmts(TokenKind::BraceClose);
        self.expect(TokenKind::BraceClose, "`}`");
        self.is_in_brackets = is_in_brackets;
        self.is_in_head = is_in_head;
        self.tallest = tallest.max(self.tallest + 1);
        self.leave();
        list
    }

    fn stmt(&mut self) -> StmtId {
        let start = self.token().span;
        let kind = match self.kind() {
            TokenKind::Let => self.let_stmt(DeclKind::Let),
            TokenKind::Const => self.let_stmt(DeclKind::Const),
            TokenKind::Fn => self.fn_stmt(),
            TokenKind::Class => self.class_stmt(),
            TokenKind::If => self.if_stmt(),
            TokenKind::While => {
                self.bump();
                let cond = self.head();
                StmtKind::While(cond, self.block())
            }
            TokenKind::For => self.for_stmt(),
            TokenKind::Try => self.try_stmt(),
            TokenKind::BraceOpen => StmtKind::Block(self.block()),
            TokenKind::Break => {
                self.bump();
                StmtKind::Break
            }
            TokenKind::Continue => {
                self.bump();
                StmtKind::Continue
            }
            TokenKind::Return => {
                self.bump();
                let value = if self.is_at_stmt_end() {
                    None
                } else {
                    Some(self.expr())
                };
                StmtKind::Return(value)
            }
            TokenKind::Throw => {
                self.bump();
                if self.token().is_on_new_line {
                    self.unexpected("the value to throw, on the same line");
                    StmtKind::Error
                } else {
                    StmtKind::Throw(self.expr())
                }
            }
            TokenKind::Else => {
                self.unexpected("a statement; `else` follows the block of an `if`");
                StmtKind::Error
            }
            TokenKind::Catch | TokenKind::Finally => {
                self.unexpected("a statement; `catch` and `finally` follow the block of a `try`");
                StmtKind::Error
            }
            TokenKind::In
            | TokenKind::BraceClose
            | TokenKind::ParenClose
            | TokenKind::BracketClose
            | TokenKind::Reserved => {
                self.unexpected("a statement");
                StmtKind::Error
            }
            _ => self.expr_stmt(),
        };
        let span = start.to(self.last_span());
        self.add_stmt(kind, span)
    }

    /// An expression that the body of a statement follows.
    fn head(&mut self) -> crate::ast::ExprId {
        let is_in_head = std::mem::replace(&mut self.is_in_head, true);
        let expr = self.expr();
        self.is_in_head = is_in_head;
        expr
    }

    fn let_stmt(&mut self, kind: DeclKind) -> StmtKind {
        self.bump();
        let (name, span) = self.name("the name of a variable");
        let value = if self.eat(TokenKind::Assign) {
            Some(self.expr())
        } else {
            if kind == DeclKind::Const {
                self.unexpected("`=` and the value of the constant");
            }
            None
        };
        StmtKind::Let(self.add_decl(name, kind, span), value)
    }

    fn fn_stmt(&mut self) -> StmtKind {
        let start = self.bump().span;
        let (name, span) = self.name("the name of a function");
        let decl = self.add_decl(name, DeclKind::Function, span);
        let id = self.reserve_function();
        let parameters = if self.expect(TokenKind::ParenOpen, "`(`") {
            self.parameters(TokenKind::ParenClose, "`,` or `)`")
        } else {
            List::default()
        };
        let body = self.block();
        let span = start.to(self.last_span());
        self.ast.functions[id.index()] = Function {
            name,
            parameters,
            body,
            span,
        };
        StmtKind::Fn(decl, id)
    }

    /// Parameters up to and with the closing token.
    pub(super) fn parameters(&mut self, end: TokenKind, what: &str) -> List {
        let start = self.ast.decls.len() as u32;
        while !self.is(end) && !self.is(TokenKind::End) {
            let (name, span) = self.name("the name of a parameter");
            if name != Symbol::EMPTY {
                self.add_decl(name, DeclKind::Parameter, span);
            }
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let len = self.ast.decls.len() as u32 - start;
        self.close(end, what);
        List { start, len }
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

    fn class_stmt(&mut self) -> StmtKind {
        self.bump();
        let (name, span) = self.name("the name of a class");
        let start = self.ast.class_fields.len() as u32;
        if self.expect(TokenKind::BraceOpen, "`{`") {
            while !self.is(TokenKind::BraceClose) && !self.is(TokenKind::End) {
                let (name, span) = self.name("the name of a field");
                self.ast.class_fields.push(ClassField { name, span });
                if !self.eat(TokenKind::Comma) {
                    break;
                }
            }
            self.close(TokenKind::BraceClose, "`,` or `}`");
        }
        let fields = List {
            start,
            len: self.ast.class_fields.len() as u32 - start,
        };
        let id = ClassId(self.ast.classes.len() as u32);
        self.ast.classes.push(Class { name, span, fields });
        StmtKind::Class(id)
    }

    fn if_stmt(&mut self) -> StmtKind {
        // A chain of `else if` is a list and no nesting, so it may be long. Arms of
        // nested statements come in between, hence the list is collected first.
        let mut arms = Vec::new();
        let mut otherwise = List::default();
        loop {
            self.bump();
            let cond = self.head();
            arms.push(Arm {
                cond,
                body: self.block(),
            });
            if !self.eat(TokenKind::Else) {
                break;
            }
            if !self.is(TokenKind::If) {
                otherwise = self.block();
                break;
            }
        }
        let start = self.ast.arms.len() as u32;
        self.ast.arms.extend(arms);
        StmtKind::If(
            List {
                start,
                len: self.ast.arms.len() as u32 - start,
            },
            otherwise,
        )
    }

    fn for_stmt(&mut self) -> StmtKind {
        self.bump();
        let (name, span) = self.name("the name of a variable");
        let decl = self.add_decl(name, DeclKind::LoopVariable, span);
        self.expect(TokenKind::In, "`in`");
        let iterable = self.head();
        StmtKind::For(decl, iterable, self.block())
    }

    fn try_stmt(&mut self) -> StmtKind {
        self.bump();
        let body = self.block();
        let catch = self.eat(TokenKind::Catch).then(|| {
            let variable = self.is(TokenKind::Name).then(|| {
                let (name, span) = self.name("the name of a variable");
                self.add_decl(name, DeclKind::Caught, span)
            });
            if variable.is_none() && !self.is(TokenKind::BraceOpen) {
                self.unexpected("the name of a variable or `{`");
            }
            (variable, self.block())
        });
        let finally = self.eat(TokenKind::Finally).then(|| self.block());
        if catch.is_none() && finally.is_none() {
            self.unexpected("`catch` or `finally`");
        }
        let id = self.ast.tries.len() as u32;
        self.ast.tries.push(Try {
            body,
            catch,
            finally,
        });
        StmtKind::Try(id)
    }

    fn expr_stmt(&mut self) -> StmtKind {
        let target = self.expr();
        let op = match self.kind() {
            TokenKind::Assign => None,
            TokenKind::PlusAssign => Some(BinaryOp::Add),
            TokenKind::MinusAssign => Some(BinaryOp::Sub),
            TokenKind::StarAssign => Some(BinaryOp::Mul),
            TokenKind::SlashAssign => Some(BinaryOp::Div),
            TokenKind::PercentAssign => Some(BinaryOp::Rem),
            _ => return StmtKind::Expr(target),
        };
        if self.token().is_on_new_line {
            return StmtKind::Expr(target);
        }
        let expr = *self.ast.expr(target);
        self.bump();
        if !matches!(
            expr.kind,
            ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Error
        ) {
            let span: Span = expr.span;
            self.sink.report_expected(
                span,
                "this cannot be assigned",
                "a variable, a field or an element on the left",
            );
        }
        let value = self.expr();
        StmtKind::Assign(target, op, value)
    }
}
