//! The walk over `match`, and over patterns.

use super::types::Named;
use super::{Binding, Resolver};
use crate::ast::{ArmBody, DeclId, List, PatternId, PatternKind, Symbol, TypeNameId};
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn match_expr(&mut self, index: u32) {
        let found = self.ast.matches[index as usize];
        self.expr(found.subject);
        for arm in &self.ast.match_arms[found.arms.range()] {
            self.open_scope();
            self.pattern(arm.pattern, true);
            if let Some(guard) = arm.guard {
                self.expr(guard);
            }
            match arm.body {
                ArmBody::Expr(value) => self.expr(value),
                ArmBody::Block(body) => self.block(body),
            }
            self.close_scope();
        }
    }

    fn pattern(&mut self, id: PatternId, may_bind: bool) {
        let pattern = *self.ast.pattern(id);
        match pattern.kind {
            PatternKind::Error | PatternKind::Any | PatternKind::Literal(_) => {}
            PatternKind::Bind(decl) => {
                self.not_a_type(decl);
                self.bind(decl, may_bind, pattern.span);
            }
            PatternKind::Is(decl, of) => {
                self.type_name(of);
                if let Some(decl) = decl {
                    self.bind(decl, may_bind, pattern.span);
                }
            }
            PatternKind::Range(first, end) => {
                if first >= end {
                    self.sink.report_expected(
                        pattern.span,
                        "this range is empty",
                        "an end, which does not belong to it, behind its start",
                    );
                }
            }
            PatternKind::Variant(of, parts) => self.variant_pattern(id, of, parts, may_bind),
            PatternKind::Instance(of, fields) => {
                let of = self.ast.types[of.index()];
                if of.name == Symbol::EMPTY {
                    return;
                }
                self.instance_pattern(id, of.name, of.span, fields, may_bind);
            }
            PatternKind::Array(parts) => self.patterns(parts, may_bind),
            PatternKind::Or(parts) => self.patterns(parts, false),
        }
    }

    fn patterns(&mut self, list: List, may_bind: bool) {
        for at in list.range() {
            self.pattern(self.ast.pattern_ids[at], may_bind);
        }
    }

    fn bind(&mut self, decl: DeclId, may_bind: bool, span: Span) {
        if !may_bind {
            self.sink.report_hint(
                span,
                "a name in one of several patterns",
                Some("write `_`, or an arm for each pattern".to_owned()),
            );
        }
        self.define(decl);
    }

    /// A name binds whatever is there, also where somebody meant a class.
    fn not_a_type(&mut self, decl: DeclId) {
        let found = *self.ast.decl(decl);
        if let Some(named) = self.named(found.name) {
            let name = self.ast.names.text(found.name);
            let what = named.what();
            self.sink.report_hint(
                found.span,
                format!("`{name}` is the name of a {what}, as a pattern it would take any value"),
                Some(format!("to ask for the type write `is {name}`")),
            );
        }
    }

    fn variant_pattern(
        &mut self,
        id: PatternId,
        of: TypeNameId,
        parts: Option<List>,
        may_bind: bool,
    ) {
        let found = self.type_name(of);
        if let Some(parts) = parts {
            self.patterns(parts, may_bind);
        }
        let of = self.ast.types[of.index()];
        let (Some(binding), Some(name)) = (found, of.variant) else {
            return;
        };
        let given = parts.map_or(0, |parts| parts.len);
        if let Binding::Variant { arity, .. } = binding {
            if u32::from(arity) != given || (arity == 0 && parts.is_some()) {
                let span = self.ast.pattern(id).span;
                self.payload_differs(name, arity, given, span);
                return;
            }
            self.out.patterns[id.index()] = binding;
        }
    }

    fn instance_pattern(
        &mut self,
        id: PatternId,
        name: Symbol,
        span: Span,
        fields: List,
        may_bind: bool,
    ) {
        let named = self.named_type(name);
        let class = named.and_then(|named| self.class(named));
        if class.is_none() && named != Some(Named::Unknown) {
            self.unknown_class(name, span);
        }
        let known = named.map(|named| self.class_fields(named));
        for at in fields.range() {
            let field = self.ast.field_patterns[at];
            self.pattern(field.pattern, may_bind);
            if let (Some(named), Some(known), true) = (named, &known, class.is_some())
                && !known.contains(&Some(field.name))
            {
                self.unknown_member(named, field.name, field.span);
            }
        }
        if let Some(class) = class {
            self.out.patterns[id.index()] = class;
        }
    }
}
