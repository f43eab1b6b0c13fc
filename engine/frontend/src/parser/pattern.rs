//! Patterns of `match`.

use super::Parser;
use crate::ast::{
    DeclKind, ExprKind, FieldPattern, List, Pattern, PatternId, PatternKind, Symbol, TypeName,
    list_of,
};
use crate::lexer::TokenKind;
use crate::source::Span;

impl Parser<'_, '_> {
    /// A pattern, or several with `|` between them.
    pub(super) fn pattern(&mut self) -> PatternId {
        let start = self.token().span;
        if !self.enter() {
            return self.add_pattern(PatternKind::Error, start);
        }
        let first = self.single_pattern();
        let result = if self.is(TokenKind::Pipe) {
            let base = self.pending_patterns.len();
            self.pending_patterns.push(first);
            while self.eat(TokenKind::Pipe) {
                let next = self.single_pattern();
                self.pending_patterns.push(next);
            }
            let list = self.finish_patterns(base);
            let span = start.to(self.last_span());
            self.add_pattern(PatternKind::Or(list), span)
        } else {
            first
        };
        self.leave();
        result
    }

    fn add_pattern(&mut self, kind: PatternKind, span: Span) -> PatternId {
        let id = PatternId(self.ast.patterns.len() as u32);
        self.ast.patterns.push(Pattern { kind, span });
        id
    }

    fn single_pattern(&mut self) -> PatternId {
        let start = self.token().span;
        let kind = match self.kind() {
            TokenKind::Name => self.name_pattern(),
            TokenKind::Is => {
                self.bump();
                PatternKind::Is(None, self.type_name())
            }
            TokenKind::BracketOpen => {
                self.bump();
                PatternKind::Array(self.patterns(TokenKind::BracketClose, "`,` or `]`"))
            }
            TokenKind::Int | TokenKind::Duration => self.int_pattern(false),
            TokenKind::Minus if matches!(self.next_kind(), TokenKind::Int) => {
                self.int_pattern(true)
            }
            TokenKind::Minus if self.next_kind() == TokenKind::Float => {
                self.bump();
                let literal = self.float();
                let span = start.to(self.last_span());
                let height = self.height(literal);
                PatternKind::Literal(self.add(ExprKind::Neg(literal), span, span.start, height))
            }
            TokenKind::Float => PatternKind::Literal(self.float()),
            TokenKind::String | TokenKind::StringHead => {
                match self.plain_string("a plain string as a pattern") {
                    Some((text, span)) => {
                        PatternKind::Literal(self.add_leaf(ExprKind::String(text), span))
                    }
                    None => PatternKind::Error,
                }
            }
            TokenKind::Nil | TokenKind::True | TokenKind::False => {
                let token = self.bump();
                let kind = match token.kind {
                    TokenKind::Nil => ExprKind::Nil,
                    kind => ExprKind::Bool(kind == TokenKind::True),
                };
                PatternKind::Literal(self.add_leaf(kind, token.span))
            }
            _ => {
                self.unexpected("a pattern");
                PatternKind::Error
            }
        };
        let span = start.to(self.last_span());
        self.add_pattern(kind, span)
    }

    /// An int, or a range of ints.
    fn int_pattern(&mut self, is_negative: bool) -> PatternKind {
        let start = self.token().span;
        if is_negative {
            self.bump();
        }
        let Some(first) = self.int_value(is_negative, start) else {
            return PatternKind::Error;
        };
        if !self.eat(TokenKind::DotDot) {
            let span = start.to(self.last_span());
            return PatternKind::Literal(self.add_leaf(ExprKind::Int(first), span));
        }
        let end = self.token().span;
        let is_negative = self.eat(TokenKind::Minus);
        if !matches!(self.kind(), TokenKind::Int | TokenKind::Duration) {
            self.unexpected("the end of the range, an int");
            return PatternKind::Error;
        }
        match self.int_value(is_negative, end) {
            Some(end) => PatternKind::Range(first, end),
            None => PatternKind::Error,
        }
    }

    /// `_`, `name`, `name is T`, `Enum.Variant(…)` or `Class { … }`
    fn name_pattern(&mut self) -> PatternKind {
        let (name, span) = self.name("a pattern");
        let next = self.token();
        if next.kind == TokenKind::Dot {
            self.bump();
            let (variant, variant_span) = self.name("the name of a variant");
            let of = self.add_type(TypeName {
                name,
                variant: Some(variant),
                span: span.to(variant_span),
            });
            let parts =
                (self.is(TokenKind::ParenOpen) && !self.token().is_on_new_line).then(|| {
                    self.bump();
                    self.patterns(TokenKind::ParenClose, "`,` or `)`")
                });
            return PatternKind::Variant(of, parts);
        }
        if next.kind == TokenKind::BraceOpen && !next.is_on_new_line {
            let of = self.add_type(TypeName {
                name,
                variant: None,
                span,
            });
            return PatternKind::Instance(of, self.field_patterns());
        }
        let decl = (name != Symbol::UNDERSCORE).then(|| self.add_decl(name, DeclKind::Bound, span));
        if self.eat(TokenKind::Is) {
            return PatternKind::Is(decl, self.type_name());
        }
        decl.map_or(PatternKind::Any, PatternKind::Bind)
    }

    /// Patterns up to and with the closing token.
    fn patterns(&mut self, end: TokenKind, what: &str) -> List {
        let base = self.pending_patterns.len();
        self.in_brackets(|parser| {
            while !parser.is(end) && !parser.is(TokenKind::End) {
                let pattern = parser.pattern();
                parser.pending_patterns.push(pattern);
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.close(end, what);
        });
        self.finish_patterns(base)
    }

    /// `{ field, field: pattern }`
    fn field_patterns(&mut self) -> List {
        self.bump();
        let mut fields = Vec::new();
        self.in_brackets(|parser| {
            while !parser.is(TokenKind::BraceClose) && !parser.is(TokenKind::End) {
                let (name, span) = parser.name("the name of a field");
                if name == Symbol::EMPTY {
                    break;
                }
                let pattern = if parser.eat(TokenKind::Colon) {
                    parser.pattern()
                } else {
                    let decl = parser.add_decl(name, DeclKind::Bound, span);
                    parser.add_pattern(PatternKind::Bind(decl), span)
                };
                fields.push(FieldPattern {
                    name,
                    span,
                    pattern,
                });
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.close(TokenKind::BraceClose, "`,` or `}`");
        });
        list_of(&mut self.ast.field_patterns, fields)
    }
}
