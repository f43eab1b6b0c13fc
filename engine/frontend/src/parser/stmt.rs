//! Statements and blocks.

use super::Parser;
use crate::ast::{
    Arm, BinaryOp, Catch, DeclKind, ExprId, ExprKind, List, StmtId, StmtKind, Try, list_of,
};
use crate::hint::beginning;
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
                self.no_stmt_end(stmt);
            }
            // An error at a token that was reported before is not counted again.
            if self.sink.len() != errors || self.at == before {
                self.skip_to_stmt(before);
            }
        }
        self.finish_stmts(base)
    }

    /// Reports what stands behind a statement. Behind a name alone that is near to another
    /// word, that word was meant.
    fn no_stmt_end(&mut self, stmt: StmtId) {
        const EXPECTED: &str = "a line end or `;`";
        let text = match self.ast.stmt(stmt).kind {
            StmtKind::Expr(expr) => match self.ast.expr(expr).kind {
                ExprKind::Name(name) if self.hints_left > 0 => self.ast.names.text(name),
                _ => "",
            },
            _ => "",
        };
        if text.is_empty() {
            return self.unexpected(EXPECTED);
        }
        let hint = beginning(text);
        self.hints_left -= 1;
        let Some(hint) = hint else {
            return self.unexpected(EXPECTED);
        };
        let message = format!("unexpected `{text}`");
        let span = self.ast.stmt(stmt).span;
        self.sink
            .add(span, message, Some("a statement".to_owned()), Some(hint));
        self.last_error_at = self.at;
        self.ast.stmts[stmt.index()].kind = StmtKind::Error;
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
        match self.ast.stmt(stmt).kind {
            StmtKind::Fn(..)
            | StmtKind::Class(_)
            | StmtKind::Enum(_)
            | StmtKind::Block(_)
            | StmtKind::If(..)
            | StmtKind::While(..)
            | StmtKind::For(..)
            | StmtKind::Try(_)
            | StmtKind::Deadline(..)
            | StmtKind::Sync(..) => true,
            StmtKind::Expr(expr) => matches!(
                self.ast.expr(expr).kind,
                ExprKind::Match(_)
                    | ExprKind::Squad(_)
                    | ExprKind::Step(_)
                    | ExprKind::Schedule(..)
            ),
            _ => false,
        }
    }

    /// After an error in the statement that began at `start`: skips the rest of it. At
    /// least one token is passed.
    pub(super) fn skip_to_stmt(&mut self, start: usize) {
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
    pub(super) fn block(&mut self) -> List {
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
        let is_import = self.is(TokenKind::Import);
        let kind = match self.kind() {
            TokenKind::Let => self.let_stmt(DeclKind::Let),
            TokenKind::Const => self.let_stmt(DeclKind::Const),
            TokenKind::Fn => self.fn_stmt(),
            TokenKind::Class => self.class_stmt(),
            TokenKind::Enum => self.enum_stmt(),
            TokenKind::Import => self.import_stmt(),
            TokenKind::Export => self.export_stmt(),
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
            | TokenKind::Is
            | TokenKind::Arrow
            | TokenKind::BraceClose
            | TokenKind::ParenClose
            | TokenKind::BracketClose => {
                self.unexpected("a statement");
                StmtKind::Error
            }
            TokenKind::Name if self.begins_scope("deadline") => {
                self.bump();
                let time = self.scope_head("the time, as in `deadline 50ms { … }`");
                StmtKind::Deadline(time, self.block())
            }
            TokenKind::Name if self.begins_scope("sync") => {
                self.bump();
                let mutex = self.scope_head("the mutex, as in `sync lock { … }`");
                StmtKind::Sync(mutex, self.block())
            }
            _ => self.expr_stmt(),
        };
        self.has_statements |= !is_import;
        let span = start.to(self.last_span());
        self.add_stmt(kind, span)
    }

    /// Whether the current token is `word` and begins a statement: an expression and a
    /// block follow on its line. Otherwise it is the name of a variable or function.
    fn begins_scope(&self, word: &str) -> bool {
        // Where brackets or a minus follow, both may be meant; a head is short.
        const MAX_HEAD: usize = 256;
        if !self.is_word(word) {
            return false;
        }
        let rest = &self.tokens[self.at + 1..];
        let first = rest[0];
        if first.is_on_new_line {
            return false;
        }
        match first.kind {
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Duration
            | TokenKind::String
            | TokenKind::StringHead
            | TokenKind::Nil
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Await
            | TokenKind::Spawn
            | TokenKind::Match
            | TokenKind::Bang
            | TokenKind::BraceOpen => return true,
            TokenKind::ParenOpen | TokenKind::BracketOpen | TokenKind::Minus => {}
            _ => return false,
        }
        let mut open = 0u32;
        for token in rest.iter().take(MAX_HEAD) {
            match token.kind {
                TokenKind::BraceOpen if open == 0 => return !token.is_on_new_line,
                TokenKind::ParenOpen | TokenKind::BracketOpen | TokenKind::BraceOpen => open += 1,
                TokenKind::ParenClose | TokenKind::BracketClose | TokenKind::BraceClose
                    if open > 0 =>
                {
                    open -= 1;
                }
                TokenKind::Assign | TokenKind::Semicolon | TokenKind::End if open == 0 => {
                    return false;
                }
                _ if open == 0 && token.is_on_new_line => return false,
                _ => {}
            }
        }
        false
    }

    /// The head of a scope, where it may have been forgotten.
    fn scope_head(&mut self, expected: &str) -> ExprId {
        if self.is(TokenKind::BraceOpen) {
            self.unexpected(expected);
            return self.error_expr();
        }
        self.head()
    }

    /// An expression that the body of a statement follows.
    pub(super) fn head(&mut self) -> ExprId {
        let is_in_head = std::mem::replace(&mut self.is_in_head, true);
        let expr = self.expr();
        self.is_in_head = is_in_head;
        expr
    }

    pub(super) fn let_stmt(&mut self, kind: DeclKind) -> StmtKind {
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
        StmtKind::If(list_of(&mut self.ast.arms, arms), otherwise)
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
        let mut catches: Vec<Catch> = Vec::new();
        loop {
            let span = self.token().span;
            if !self.eat(TokenKind::Catch) {
                break;
            }
            if catches.last().is_some_and(|last| last.of.is_none()) {
                self.sink.report_hint(
                    span,
                    "a `catch` behind one that catches everything",
                    Some("put the `catch` without a type last".to_owned()),
                );
            }
            catches.push(self.catch(span));
        }
        let finally = self.eat(TokenKind::Finally).then(|| self.block());
        if catches.is_empty() && finally.is_none() {
            self.unexpected("`catch` or `finally`");
        }
        let catches = list_of(&mut self.ast.catches, catches);
        let id = self.ast.tries.len() as u32;
        self.ast.tries.push(Try {
            body,
            catches,
            finally,
        });
        StmtKind::Try(id)
    }

    /// `e is T { … }`, behind `catch`.
    fn catch(&mut self, span: Span) -> Catch {
        let variable = self.is(TokenKind::Name).then(|| {
            let (name, span) = self.name("the name of a variable");
            self.add_decl(name, DeclKind::Caught, span)
        });
        let of = match variable {
            Some(_) => self.eat(TokenKind::Is).then(|| self.type_name()),
            None => None,
        };
        if variable.is_none() && !self.is(TokenKind::BraceOpen) {
            self.unexpected("the name of a variable or `{`");
        }
        Catch {
            variable,
            of,
            body: self.block(),
            span,
        }
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
