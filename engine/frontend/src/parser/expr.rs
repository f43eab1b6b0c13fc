//! Expressions, by precedence climbing.

use super::Parser;
use crate::ast::{BinaryOp, ExprId, ExprKind, FieldInit, List, Symbol, list_of};
use crate::hint::elsewhere;
use crate::lexer::{Token, TokenKind};
use crate::source::Span;

/// What stands between two operands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Infix {
    Or,
    And,
    Range,
    Is,
    Binary(BinaryOp),
}

/// The operator and how tightly it binds.
fn infix(kind: TokenKind) -> Option<(Infix, u8)> {
    use Infix::{And, Binary, Or, Range};
    Some(match kind {
        TokenKind::PipePipe => (Or, 1),
        TokenKind::AmpAmp => (And, 2),
        TokenKind::Equal => (Binary(BinaryOp::Eq), 3),
        TokenKind::NotEqual => (Binary(BinaryOp::Ne), 3),
        TokenKind::Less => (Binary(BinaryOp::Lt), 4),
        TokenKind::LessEqual => (Binary(BinaryOp::Le), 4),
        TokenKind::Greater => (Binary(BinaryOp::Gt), 4),
        TokenKind::GreaterEqual => (Binary(BinaryOp::Ge), 4),
        TokenKind::Is => (Infix::Is, 4),
        TokenKind::DotDot => (Range, 5),
        TokenKind::Plus => (Binary(BinaryOp::Add), 6),
        TokenKind::Minus => (Binary(BinaryOp::Sub), 6),
        TokenKind::Star => (Binary(BinaryOp::Mul), 7),
        TokenKind::Slash => (Binary(BinaryOp::Div), 7),
        TokenKind::Percent => (Binary(BinaryOp::Rem), 7),
        _ => return None,
    })
}

impl Parser<'_, '_> {
    pub(super) fn expr(&mut self) -> ExprId {
        if !self.enter() {
            return self.error_expr();
        }
        let expr = self.binary(1);
        self.leave();
        expr
    }

    /// An expression of operators that bind at least as tightly as `min`.
    fn binary(&mut self, min: u8) -> ExprId {
        let mut lhs = self.unary();
        loop {
            let token = self.token();
            let Some((op, precedence)) = infix(token.kind) else {
                return lhs;
            };
            if precedence < min || (token.is_on_new_line && !self.is_in_brackets) {
                return lhs;
            }
            // What was reported in place of the operand is no operator.
            if self.last_error_at == self.at {
                return lhs;
            }
            if op == Infix::Range && matches!(self.ast.expr(lhs).kind, ExprKind::Range(..)) {
                self.unexpected("the end of the range; ranges do not chain");
                return lhs;
            }
            self.bump();
            if op == Infix::Is {
                let of = self.type_name();
                let span = self.span(lhs).to(self.last_span());
                let height = self.height(lhs);
                lhs = self.add(ExprKind::Is(lhs, of), span, token.span.start, height);
                continue;
            }
            let rhs = self.binary(precedence + 1);
            let kind = match op {
                Infix::Is => ExprKind::Error,
                Infix::Or => ExprKind::Or(lhs, rhs),
                Infix::And => ExprKind::And(lhs, rhs),
                Infix::Range => ExprKind::Range(lhs, rhs),
                Infix::Binary(op) => ExprKind::Binary(op, lhs, rhs),
            };
            let span = self.span(lhs).to(self.span(rhs));
            let height = self.height(lhs).max(self.height(rhs));
            lhs = self.add(kind, span, token.span.start, height);
        }
    }

    fn unary(&mut self) -> ExprId {
        let token = self.token();
        let make: fn(ExprId) -> ExprKind = match token.kind {
            TokenKind::Minus if self.next_kind() == TokenKind::Int => {
                self.bump();
                let literal = self.int(true, token.span);
                return self.postfix(literal);
            }
            TokenKind::Minus => ExprKind::Neg,
            TokenKind::Bang => ExprKind::Not,
            TokenKind::Await => ExprKind::Await,
            TokenKind::Spawn => return self.spawn(),
            _ => {
                let primary = self.primary();
                return self.postfix(primary);
            }
        };
        self.bump();
        if !self.enter() {
            return self.error_expr();
        }
        let operand = self.unary();
        self.leave();
        let span = token.span.to(self.span(operand));
        let height = self.height(operand);
        self.add(make(operand), span, token.span.start, height)
    }

    fn spawn(&mut self) -> ExprId {
        let token = self.bump();
        // `detached(…)` is a call of a function of this name.
        let next = self.tokens.get(self.at + 1);
        let is_detached = self.is_word("detached")
            && next.is_some_and(|next| next.kind == TokenKind::Name && !next.is_on_new_line);
        if is_detached {
            self.bump();
        }
        let errors = self.sink.len();
        let primary = self.primary();
        let call = self.postfix(primary);
        let is_call = matches!(
            self.ast.expr(call).kind,
            ExprKind::Call(..) | ExprKind::MethodCall(..)
        );
        let span = token.span.to(self.span(call));
        if !is_call {
            if self.sink.len() == errors {
                self.sink.report_expected(
                    self.span(call),
                    "this is not a call",
                    "a call after `spawn`, as in `spawn f(x)`",
                );
            }
            return self.add_leaf(ExprKind::Error, span);
        }
        let height = self.height(call);
        self.add(
            ExprKind::Spawn(call, is_detached),
            span,
            token.span.start,
            height,
        )
    }

    /// Calls, fields, methods and indexes behind an operand.
    fn postfix(&mut self, mut operand: ExprId) -> ExprId {
        loop {
            let token = self.token();
            let height = self.height(operand);
            operand = match token.kind {
                TokenKind::Dot => {
                    self.bump();
                    let (name, name_span) = self.member();
                    if self.is(TokenKind::ParenOpen) && !self.token().is_on_new_line {
                        let (args, args_height) = self.arguments();
                        let span = self.span(operand).to(self.last_span());
                        let kind = ExprKind::MethodCall(operand, name, args);
                        self.add(kind, span, name_span.start, height.max(args_height))
                    } else {
                        let span = self.span(operand).to(name_span);
                        self.add(
                            ExprKind::Field(operand, name),
                            span,
                            name_span.start,
                            height,
                        )
                    }
                }
                TokenKind::ParenOpen if !token.is_on_new_line => {
                    let at = self.ast.expr(operand).at;
                    let (args, args_height) = self.arguments();
                    let span = self.span(operand).to(self.last_span());
                    self.add(
                        ExprKind::Call(operand, args),
                        span,
                        at,
                        height.max(args_height),
                    )
                }
                TokenKind::BracketOpen if !token.is_on_new_line => {
                    self.bump();
                    let index = self.in_brackets(|parser| {
                        let index = parser.expr();
                        parser.close(TokenKind::BracketClose, "`]`");
                        index
                    });
                    let span = self.span(operand).to(self.last_span());
                    let height = height.max(self.height(index));
                    self.add(
                        ExprKind::Index(operand, index),
                        span,
                        token.span.start,
                        height,
                    )
                }
                _ => return operand,
            };
        }
    }

    fn primary(&mut self) -> ExprId {
        let token = self.token();
        let kind = match token.kind {
            TokenKind::Nil => ExprKind::Nil,
            TokenKind::True => ExprKind::Bool(true),
            TokenKind::False => ExprKind::Bool(false),
            TokenKind::Int | TokenKind::Duration => return self.int(false, token.span),
            TokenKind::Float => return self.float(),
            TokenKind::String => return self.string(),
            TokenKind::StringHead => return self.interpolated(),
            TokenKind::Name => return self.name_or_block(),
            TokenKind::Match => return self.match_expr(),
            TokenKind::ParenOpen => {
                self.bump();
                return self.in_brackets(|parser| {
                    let inner = parser.expr();
                    parser.close(TokenKind::ParenClose, "`)`");
                    inner
                });
            }
            TokenKind::BracketOpen => {
                self.bump();
                let (list, height) =
                    self.in_brackets(|parser| parser.exprs(TokenKind::BracketClose, "`,` or `]`"));
                let span = token.span.to(self.last_span());
                return self.add(ExprKind::Array(list), span, span.start, height);
            }
            TokenKind::BraceOpen => return self.map(),
            TokenKind::Pipe | TokenKind::PipePipe => {
                // The height of a closure is that of the tallest tree in it.
                let (function, height) = self.measure(Self::closure);
                let span = token.span.to(self.last_span());
                return self.add(ExprKind::Closure(function), span, span.start, height);
            }
            _ => {
                self.unexpected("an expression");
                return self.error_expr();
            }
        };
        self.bump();
        self.add_leaf(kind, token.span)
    }

    /// A name behind a dot, where keywords are names too.
    fn member(&mut self) -> (Symbol, Span) {
        let token = self.token();
        if token.kind.is_keyword() && !token.is_on_new_line {
            self.bump();
            return (self.ast.names.intern(self.slice(token.span)), token.span);
        }
        self.name("the name of a field or method")
    }

    /// A name, or what a word begins that is a keyword in its place only.
    fn name_or_block(&mut self) -> ExprId {
        let next = self.tokens.get(self.at + 1).copied();
        if let Some(next) = next.filter(|next| !next.is_on_new_line) {
            use TokenKind::{BraceOpen, Duration, Float, Int, Name, String as Text, StringHead};
            // With what no name can be followed by, these are meant, and checked there.
            match (self.slice(self.token().span), next.kind) {
                ("squad", BraceOpen) if !self.is_in_head => return self.squad(),
                ("squad", Name | Int | Float | Duration | Text) => return self.squad(),
                ("step", Name | Int | Float | Duration | Text | StringHead) => return self.step(),
                ("schedule", Name | Int | Float | Duration | Text) => return self.schedule(),
                (word @ ("deadline" | "sync"), Name | Int | Float | Duration | Text) => {
                    let span = self.token().span;
                    let hint = elsewhere(word).map(str::to_owned);
                    self.sink
                        .report_hint(span, format!("unexpected `{word}`"), hint);
                    self.bump();
                    return self.error_expr();
                }
                _ => {}
            }
        }
        self.name_or_instance()
    }

    fn name_or_instance(&mut self) -> ExprId {
        let (name, span) = self.name("a name");
        let brace = self.token();
        if brace.kind != TokenKind::BraceOpen || brace.is_on_new_line {
            return self.add_leaf(ExprKind::Name(name), span);
        }
        if self.is_in_head {
            let inside = |at| {
                self.tokens
                    .get(self.at + at)
                    .map(|token: &Token| token.kind)
            };
            let is_instance =
                inside(1) == Some(TokenKind::Name) && inside(2) == Some(TokenKind::Colon);
            if !is_instance {
                return self.add_leaf(ExprKind::Name(name), span);
            }
            let text = self.slice(span);
            self.sink.report_hint(
                span,
                format!("the brace behind `{text}` would begin the block"),
                Some(format!("put the instance in brackets, `({text} {{ … }})`")),
            );
        }
        self.bump();
        let mut fields = Vec::new();
        let mut height = 0;
        self.in_brackets(|parser| {
            while !parser.is(TokenKind::BraceClose) && !parser.is(TokenKind::End) {
                let (name, span) = parser.name("the name of a field");
                // A field without a value has that of the variable of its name.
                let is_short = parser.is(TokenKind::Comma) || parser.is(TokenKind::BraceClose);
                let value = if name != Symbol::EMPTY && is_short {
                    parser.add_leaf(ExprKind::Name(name), span)
                } else if name != Symbol::EMPTY && parser.expect(TokenKind::Colon, "`:`") {
                    parser.expr()
                } else {
                    break;
                };
                height = height.max(parser.height(value));
                fields.push(FieldInit { name, span, value });
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.close(TokenKind::BraceClose, "`,` or `}`");
        });
        let list = list_of(&mut self.ast.field_inits, fields);
        let whole = span.to(self.last_span());
        self.add(ExprKind::Instance(name, list), whole, span.start, height)
    }

    fn map(&mut self) -> ExprId {
        let start = self.bump().span;
        let base = self.pending_exprs.len();
        let mut height = 0;
        self.in_brackets(|parser| {
            while !parser.is(TokenKind::BraceClose) && !parser.is(TokenKind::End) {
                // `nil`, `true` and `false` are keys of their own.
                let is_word = match parser.kind() {
                    TokenKind::Nil | TokenKind::True | TokenKind::False => false,
                    kind => kind == TokenKind::Name || kind.is_keyword(),
                };
                let key = if is_word && parser.next_kind() == TokenKind::Colon {
                    let span = parser.bump().span;
                    let name = parser.ast.names.intern(parser.slice(span));
                    parser.add_leaf(ExprKind::String(name), span)
                } else {
                    parser.expr()
                };
                if !parser.expect(TokenKind::Colon, "`:`") {
                    break;
                }
                let value = parser.expr();
                height = height.max(parser.height(key)).max(parser.height(value));
                parser.pending_exprs.extend([key, value]);
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.close(TokenKind::BraceClose, "`,` or `}`");
        });
        let list = self.finish_exprs(base);
        let span = start.to(self.last_span());
        self.add(ExprKind::Map(list), span, span.start, height)
    }

    /// `(a, b)`
    fn arguments(&mut self) -> (List, u32) {
        self.bump();
        self.in_brackets(|parser| parser.exprs(TokenKind::ParenClose, "`,` or `)`"))
    }

    /// Expressions up to and with the closing token; the height of the tallest.
    fn exprs(&mut self, end: TokenKind, what: &str) -> (List, u32) {
        let base = self.pending_exprs.len();
        let mut height = 0;
        while !self.is(end) && !self.is(TokenKind::End) {
            let expr = self.expr();
            height = height.max(self.height(expr));
            self.pending_exprs.push(expr);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let list = self.finish_exprs(base);
        self.close(end, what);
        (list, height)
    }

    /// Reads something in which line ends are ignored and a `{` after a name begins an
    /// instance.
    pub(super) fn in_brackets<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let is_in_brackets = std::mem::replace(&mut self.is_in_brackets, true);
        let is_in_head = std::mem::replace(&mut self.is_in_head, false);
        let result = read(self);
        self.is_in_brackets = is_in_brackets;
        self.is_in_head = is_in_head;
        result
    }

    pub(super) fn span(&self, id: ExprId) -> Span {
        self.ast.expr(id).span
    }
}
