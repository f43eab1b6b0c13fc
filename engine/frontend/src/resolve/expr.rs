//! The walk over expressions.

use super::types::Named;
use super::{Binding, Resolver};
use crate::ast::{ExprId, ExprKind, List, Symbol};
use crate::hint;
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn expr(&mut self, id: ExprId) {
        let expr = *self.ast.expr(id);
        match expr.kind {
            ExprKind::Error
            | ExprKind::Nil
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::String(_) => {}
            ExprKind::Concat(list) | ExprKind::Array(list) | ExprKind::Map(list) => {
                self.exprs(list);
            }
            ExprKind::Range(a, b)
            | ExprKind::Binary(_, a, b)
            | ExprKind::And(a, b)
            | ExprKind::Or(a, b)
            | ExprKind::Index(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Neg(operand) | ExprKind::Not(operand) | ExprKind::Await(operand) => {
                self.expr(operand)
            }
            ExprKind::Is(operand, of) => {
                self.expr(operand);
                self.type_name(of);
            }
            ExprKind::Field(operand, name) => match self.left_of_dot(operand) {
                Some(named) => self.dotted_field(id, named, name),
                None => self.expr(operand),
            },
            ExprKind::Name(name) => self.value_name(id, name, expr.span),
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, expr.span),
            ExprKind::MethodCall(receiver, name, arguments) => {
                match self.left_of_dot(receiver) {
                    Some(named) => self.dotted_call(id, named, name, arguments),
                    None => self.expr(receiver),
                }
                self.exprs(arguments);
            }
            ExprKind::Instance(name, _) => self.instance(id, name, expr.span),
            ExprKind::Closure(function) => self.function_body(function),
            ExprKind::Spawn(call, _) => self.spawn(call),
            ExprKind::Match(index) => self.match_expr(index),
            ExprKind::Squad(body) => {
                self.nested(2, expr.span, |resolver| resolver.block(body));
            }
            ExprKind::Step(index) => {
                self.function_body(self.ast.steps[index as usize].body);
            }
            ExprKind::Schedule(every, body) => {
                self.expr(every);
                self.function_body(body);
            }
        }
    }

    fn exprs(&mut self, list: List) {
        for at in list.range() {
            self.expr(self.ast.expr_ids[at]);
        }
    }

    /// A name whose value is wanted.
    fn value_name(&mut self, id: ExprId, name: Symbol, span: Span) {
        let text = self.ast.names.text(name);
        match self.look_up(name, span) {
            None => self.unknown_name(name, span),
            Some(Binding::Builtin(_) | Binding::Cancel | Binding::Library(_)) => {
                self.sink.report_expected(
                    span,
                    format!("the built-in function `{text}` is not a value"),
                    format!("a call, `{text}(…)`"),
                );
            }
            Some(Binding::Named(Named::Unknown)) => {}
            Some(Binding::Named(named)) => {
                let expected = match named.what() {
                    "class" => format!("an instance, `{text} {{ … }}`"),
                    "enum" => format!("one of its values, `{text}.…`"),
                    _ => format!("a call of one of its functions, `{text}.…(…)`"),
                };
                self.sink.report_expected(
                    span,
                    format!("the {} `{text}` is not a value", named.what()),
                    expected,
                );
            }
            Some(binding) => self.out.bindings[id.index()] = binding,
        }
    }

    fn call(&mut self, callee: ExprId, arguments: List, span: Span) {
        match self.callee_binding(callee) {
            Some(binding @ (Binding::Builtin(_) | Binding::Cancel | Binding::Library(_))) => {
                self.out.bindings[callee.index()] = binding;
                self.check_arguments(binding, arguments.len, span);
            }
            _ => self.expr(callee),
        }
        self.exprs(arguments);
    }

    fn spawn(&mut self, call: ExprId) {
        let expr = *self.ast.expr(call);
        let binding = match expr.kind {
            ExprKind::Call(callee, _) => self.callee_binding(callee),
            _ => None,
        };
        let is_builtin = |binding| matches!(binding, Some(Binding::Builtin(_) | Binding::Cancel));
        if !is_builtin(binding) {
            self.expr(call);
        }
        let found = self.out.bindings[call.index()];
        if is_builtin(binding) || is_builtin(Some(found)) {
            self.sink.report_hint(
                expr.span,
                "a built-in function cannot be spawned",
                Some("spawn a closure that calls it, `spawn (|| …)()`".to_owned()),
            );
        } else if matches!(found, Binding::Variant { .. }) {
            self.sink.report_expected(
                expr.span,
                "this is not a call",
                "a call after `spawn`, as in `spawn f(x)`",
            );
        }
    }

    /// The built-in that a callee names, if it names one.
    fn callee_binding(&mut self, callee: ExprId) -> Option<Binding> {
        let expr = *self.ast.expr(callee);
        match expr.kind {
            ExprKind::Name(name)
                if self.visible[name.index()] == 0 && self.named[name.index()].is_none() =>
            {
                self.look_up(name, expr.span)
            }
            _ => None,
        }
    }

    fn instance(&mut self, id: ExprId, name: Symbol, span: Span) {
        let ExprKind::Instance(_, list) = self.ast.expr(id).kind else {
            return;
        };
        let inits = &self.ast.field_inits[list.range()];
        for init in inits {
            self.expr(init.value);
        }
        let name_len = self.ast.names.text(name).len() as u32;
        let name_span = Span::new(span.start, span.start + name_len);
        let named = self.named_type(name);
        let binding = named.and_then(|named| self.class(named));
        let (Some(named), Some(binding)) = (named, binding) else {
            if named != Some(Named::Unknown) {
                self.unknown_class(name, name_span);
            }
            return;
        };
        self.out.bindings[id.index()] = binding;
        // Sorted, with their places in the class: a literal may be long, all pairs would
        // be too many.
        let fields = self.class_fields(named);
        let mut known: Vec<(usize, u8)> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| (field.map_or(usize::MAX, Symbol::index), at as u8))
            .collect();
        known.sort_unstable();
        let mut given = [false; 256];
        for (at, init) in list.range().zip(inits) {
            let index = init.name.index();
            match known.binary_search_by_key(&index, |&(name, _)| name) {
                Err(_) => {
                    self.unknown_member(named, init.name, init.span);
                }
                Ok(found) => {
                    let place = known[found].1;
                    self.out.fields[at] = place;
                    if std::mem::replace(&mut given[usize::from(place)], true) {
                        let text = self.ast.names.text(init.name);
                        self.sink
                            .report(init.span, format!("the field `{text}` is given twice"));
                    }
                }
            }
        }
        let fields = &fields[..fields.len().min(256)];
        if given[..fields.len()].contains(&false) {
            if !self.sink.keeps_more() {
                return self.sink.report(name_span, "");
            }
            let names = self.member_names(named);
            // Of fields with one name, which is an error of the class, one is enough.
            let is_given = |name| (0..fields.len()).any(|at| given[at] && fields[at] == name);
            let missing = names.iter().zip(fields);
            let missing = missing.filter(|&(_, &field)| field.is_none() || !is_given(field));
            let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
            if missing.is_empty() {
                return;
            }
            let class = self.ast.names.text(name);
            self.sink.report_expected(
                name_span,
                format!("an instance of `{class}` lacks fields"),
                format!("values for {}", hint::list(&missing)),
            );
        }
    }
}
