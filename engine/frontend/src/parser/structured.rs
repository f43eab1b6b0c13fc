//! Expressions with blocks: `match`, `squad`, `step`, `schedule`; and names of types.

use gcrucible_bytecode::Boundary;

use super::Parser;
use crate::ast::{
    ArmBody, DeclKind, ExprId, ExprKind, Function, FunctionNodeId, List, Match, MatchArm, Step,
    Symbol, TypeName, TypeNameId, list_of,
};
use crate::lexer::TokenKind;
use crate::source::Span;

impl Parser<'_, '_> {
    /// `match subject { pattern => body … }`
    pub(super) fn match_expr(&mut self) -> ExprId {
        let start = self.bump().span;
        if !self.enter() {
            return self.error_expr();
        }
        self.ast.block_starts.push(start.start);
        let (kind, height) = self.measure(|parser| {
            let subject = parser.head();
            let arms = parser.arms();
            let arms = list_of(&mut parser.ast.match_arms, arms);
            parser.ast.matches.push(Match { subject, arms });
            ExprKind::Match(parser.ast.matches.len() as u32 - 1)
        });
        self.leave();
        let span = start.to(self.last_span());
        self.add(kind, span, start.start, height)
    }

    fn arms(&mut self) -> Vec<MatchArm> {
        let mut arms = Vec::new();
        if !self.expect(TokenKind::BraceOpen, "`{` and the arms of the `match`") {
            return arms;
        }
        let is_in_brackets = std::mem::replace(&mut self.is_in_brackets, false);
        let is_in_head = std::mem::replace(&mut self.is_in_head, false);
        loop {
            while self.eat(TokenKind::Comma) || self.eat(TokenKind::Semicolon) {}
            if self.is(TokenKind::BraceClose) || self.is(TokenKind::End) {
                break;
            }
            let before = self.at;
            let errors = self.sink.len();
            let arm = self.arm();
            let token = self.token();
            let is_at_end = token.is_on_new_line
                || matches!(arm.body, ArmBody::Block(_))
                || matches!(
                    token.kind,
                    TokenKind::Comma
                        | TokenKind::Semicolon
                        | TokenKind::BraceClose
                        | TokenKind::End
                );
            if self.sink.len() == errors && !is_at_end {
                self.unexpected("`,` or a line end behind the arm");
            }
            arms.push(arm);
            // An error at a token that was reported before is not counted again.
            if self.sink.len() != errors || self.at == before {
                self.skip_to_stmt(before);
            }
        }
        self.expect(TokenKind::BraceClose, "`}`");
        self.is_in_brackets = is_in_brackets;
        self.is_in_head = is_in_head;
        arms
    }

    fn arm(&mut self) -> MatchArm {
        let pattern = self.pattern();
        let guard = self.eat(TokenKind::If).then(|| self.expr());
        if self.is(TokenKind::Minus) && self.next_kind() == TokenKind::Greater {
            self.unexpected("`=>`");
            self.at += 2;
        } else {
            self.expect(TokenKind::Arrow, "`=>`");
        }
        let body = if self.is(TokenKind::BraceOpen) {
            ArmBody::Block(self.block())
        } else {
            ArmBody::Expr(self.expr())
        };
        MatchArm {
            pattern,
            guard,
            body,
        }
    }

    /// `squad { … }`
    pub(super) fn squad(&mut self) -> ExprId {
        let start = self.bump().span;
        self.ast.block_starts.push(start.start);
        let (body, height) = self.measure(Self::block);
        let span = start.to(self.last_span());
        self.add(ExprKind::Squad(body), span, start.start, height)
    }

    /// `step "name" (…) { … }`
    pub(super) fn step(&mut self) -> ExprId {
        let start = self.bump().span;
        let name = self.plain_string("the name of the step, a plain string");
        if name.is_none() && !matches!(self.kind(), TokenKind::BraceOpen | TokenKind::ParenOpen) {
            self.bump();
        }
        let mut step = Step {
            name: name.map_or(Symbol::EMPTY, |(name, _)| name),
            instructions: None,
            calls: None,
            time_ms: None,
            boundary: Boundary::Fail,
            body: FunctionNodeId(0),
        };
        if self.is(TokenKind::ParenOpen) {
            self.bump();
            self.in_brackets(|parser| {
                while !parser.is(TokenKind::ParenClose) && !parser.is(TokenKind::End) {
                    parser.step_option(&mut step);
                    if !parser.eat(TokenKind::Comma) {
                        break;
                    }
                }
                parser.close(TokenKind::ParenClose, "`,` or `)`");
            });
        }
        let (body, height) = self.measure(|parser| parser.body("<step>", start));
        step.body = body;
        self.ast.steps.push(step);
        let kind = ExprKind::Step(self.ast.steps.len() as u32 - 1);
        let span = start.to(self.last_span());
        self.add(kind, span, start.start, height)
    }

    fn step_option(&mut self, step: &mut Step) {
        const EXPECTED: &str = "`instructions`, `calls`, `time` or `boundary`";
        let name = self.token();
        let which = self.slice(name.span);
        if !["instructions", "calls", "time", "boundary"].contains(&which) {
            return self.unexpected(EXPECTED);
        }
        self.bump();
        if !self.expect(TokenKind::Colon, "`:`") {
            return;
        }
        if which == "boundary" {
            let boundary = match self.slice(self.token().span) {
                "continue" => Boundary::Continue,
                "escalate" => Boundary::Escalate,
                "fail" => Boundary::Fail,
                _ => return self.unexpected("`continue`, `escalate` or `fail`"),
            };
            self.bump();
            step.boundary = boundary;
            return;
        }
        let token = self.token();
        if !matches!(token.kind, TokenKind::Int | TokenKind::Duration)
            || (token.kind == TokenKind::Duration && which != "time")
        {
            return self.unexpected(if which == "time" {
                "a duration, as in `50ms`"
            } else {
                "an int"
            });
        }
        let Some(value) = self.int_value(false, token.span) else {
            return;
        };
        let Ok(most) = u32::try_from(value) else {
            return self.sink.report_expected(
                token.span,
                "the budget of a step is too large",
                "at most 4294967295",
            );
        };
        let budget = match which {
            "instructions" => &mut step.instructions,
            "calls" => &mut step.calls,
            _ => &mut step.time_ms,
        };
        if budget.replace(most).is_some() {
            let message = format!("`{which}` is given twice");
            self.sink.report(name.span, message);
        }
    }

    /// `schedule every D { … }` or `schedule every D |tick, skipped| { … }`
    pub(super) fn schedule(&mut self) -> ExprId {
        let start = self.bump().span;
        if self.is_word("every") {
            self.bump();
        } else {
            self.unexpected("`every` and the interval, as in `schedule every 50ms { … }`");
        }
        let ((every, body), height) = self.measure(|parser| {
            let every = parser.head();
            let body = parser.body_with("<schedule>", start, |parser| {
                if parser.is(TokenKind::Pipe) {
                    parser.tick_parameters()
                } else {
                    parser.unused_parameters()
                }
            });
            (every, body)
        });
        let span = start.to(self.last_span());
        self.add(ExprKind::Schedule(every, body), span, start.start, height)
    }

    /// `|tick, skipped|`
    fn tick_parameters(&mut self) -> List {
        let pipe = self.bump().span;
        let list = self.parameters(TokenKind::Pipe, "`,` or `|`");
        if list.len != 2 {
            self.sink.report_expected(
                pipe.to(self.last_span()),
                format!("the body of a schedule has {} parameters", list.len),
                "two, as in `|tick, skipped|`, or none",
            );
        }
        list
    }

    /// The parameters of a schedule's body that has none in the source.
    fn unused_parameters(&mut self) -> List {
        let span = self.last_span();
        let start = self.ast.decls.len() as u32;
        for _ in 0..2 {
            self.add_decl(Symbol::UNDERSCORE, DeclKind::Parameter, span);
        }
        List { start, len: 2 }
    }

    /// A block that is a function of its own, without parameters.
    fn body(&mut self, name: &'static str, start: Span) -> FunctionNodeId {
        self.body_with(name, start, |_| List::default())
    }

    fn body_with(
        &mut self,
        name: &'static str,
        start: Span,
        parameters: impl FnOnce(&mut Self) -> List,
    ) -> FunctionNodeId {
        let id = self.reserve_function();
        let parameters = parameters(self);
        let body = self.block();
        let name = self.ast.names.intern(name);
        let span = start.to(self.last_span());
        self.ast.functions[id.index()] = Function {
            name,
            parameters,
            body,
            span,
        };
        id
    }

    /// `Name` or `Enum.Variant`
    pub(super) fn type_name(&mut self) -> TypeNameId {
        let token = self.token();
        let (name, span) = if token.kind == TokenKind::Nil {
            self.bump();
            (self.ast.names.intern("nil"), token.span)
        } else {
            self.name("the name of a class, enum, error kind or kind of values")
        };
        let mut of = TypeName {
            name,
            variant: None,
            span,
        };
        if self.is(TokenKind::Dot) && name != Symbol::EMPTY {
            self.bump();
            let (variant, variant_span) = self.name("the name of a variant");
            of.variant = Some(variant);
            of.span = span.to(variant_span);
        }
        self.add_type(of)
    }
}
