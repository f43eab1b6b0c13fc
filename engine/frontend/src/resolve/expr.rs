//! The walk over expressions.

use super::{Binding, Resolver};
use crate::ast::{ClassId, ExprId, ExprKind, List, Symbol};
use crate::source::Span;

impl Resolver<'_, '_, '_> {
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
            ExprKind::Neg(operand)
            | ExprKind::Not(operand)
            | ExprKind::Await(operand)
            | ExprKind::Field(operand, _) => self.expr(operand),
            ExprKind::Name(name) => self.value_name(id, name, expr.span),
            ExprKind::Call(callee, arguments) => self.call(callee, arguments, expr.span),
            ExprKind::MethodCall(receiver, _, arguments) => {
                self.expr(receiver);
                self.exprs(arguments);
            }
            ExprKind::Instance(name, _) => self.instance(id, name, expr.span),
            ExprKind::Closure(function) => self.function_body(function),
            ExprKind::Spawn(call) => self.spawn(call),
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
            Some(Binding::Builtin(_) | Binding::Cancel) => self.sink.report_expected(
                span,
                format!("the built-in function `{text}` is not a value"),
                format!("a call, `{text}(…)`"),
            ),
            Some(Binding::Class(_)) => self.sink.report_expected(
                span,
                format!("the class `{text}` is not a value"),
                format!("an instance, `{text} {{ … }}`"),
            ),
            Some(binding) => self.out.bindings[id.index()] = binding,
        }
    }

    fn call(&mut self, callee: ExprId, arguments: List, span: Span) {
        match self.callee_binding(callee) {
            Some(binding @ (Binding::Builtin(_) | Binding::Cancel)) => {
                self.out.bindings[callee.index()] = binding;
                let (name, (min, max)) = match binding {
                    Binding::Builtin(builtin) => (builtin.name(), builtin.arity()),
                    _ => ("cancel", (1, 1)),
                };
                let count = arguments.len;
                if count < u32::from(min) || count > u32::from(max) {
                    let expected = match (min, max) {
                        (1, 1) => "1 argument".to_owned(),
                        (min, max) if min == max => format!("{min} arguments"),
                        (min, max) => format!("{min} to {max} arguments"),
                    };
                    self.sink.report_expected(
                        span,
                        format!("`{name}` is called with {count} arguments"),
                        expected,
                    );
                }
            }
            _ => self.expr(callee),
        }
        self.exprs(arguments);
    }

    fn spawn(&mut self, call: ExprId) {
        if let ExprKind::Call(callee, _) = self.ast.expr(call).kind {
            let binding = self.callee_binding(callee);
            if matches!(binding, Some(Binding::Builtin(_) | Binding::Cancel)) {
                self.sink.report_hint(
                    self.ast.expr(callee).span,
                    "a built-in function cannot be spawned",
                    Some("spawn a closure that calls it, `spawn (|| …)()`".to_owned()),
                );
                return;
            }
        }
        self.expr(call);
    }

    /// The built-in that a callee names, if it names one.
    fn callee_binding(&mut self, callee: ExprId) -> Option<Binding> {
        let expr = *self.ast.expr(callee);
        match expr.kind {
            ExprKind::Name(name)
                if self.visible[name.index()] == 0 && self.classes[name.index()] == 0 =>
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
        let Some(class) = self.classes[name.index()].checked_sub(1).map(ClassId) else {
            return self.unknown_class(name, name_span);
        };
        self.out.bindings[id.index()] = Binding::Class(class);
        let class = &self.ast.classes[class.index()];
        let fields = &self.ast.class_fields[class.fields.range()];
        let class_name = self.ast.names.text(class.name);
        // Sorted lists of names: a literal may be long, all pairs would be too many.
        let mut known: Vec<usize> = fields.iter().map(|field| field.name.index()).collect();
        known.sort_unstable();
        let mut given = vec![false; known.len()];
        for init in inits {
            let text = self.ast.names.text(init.name);
            match known.binary_search(&init.name.index()) {
                Err(_) => self.sink.report_expected(
                    init.span,
                    format!("the class `{class_name}` has no field `{text}`"),
                    format!("one of its fields: {}", self.field_names(fields)),
                ),
                Ok(at) if std::mem::replace(&mut given[at], true) => {
                    self.sink
                        .report(init.span, format!("the field `{text}` is given twice"));
                }
                Ok(_) => {}
            }
        }
        let missing: Vec<_> = fields
            .iter()
            .filter(|field| {
                known
                    .binary_search(&field.name.index())
                    .is_ok_and(|at| !given[at])
            })
            .copied()
            .collect();
        if !missing.is_empty() {
            self.sink.report_expected(
                name_span,
                format!("an instance of `{class_name}` lacks fields"),
                format!("values for {}", self.field_names(&missing)),
            );
        }
    }

    fn field_names(&self, fields: &[crate::ast::ClassField]) -> String {
        const SHOWN: usize = 8;
        let mut text = String::new();
        for (at, field) in fields.iter().enumerate().take(SHOWN) {
            if at > 0 {
                text.push_str(", ");
            }
            text.push('`');
            text.push_str(self.ast.names.text(field.name));
            text.push('`');
        }
        match fields.len() {
            0 => text.push_str("it has none"),
            n if n > SHOWN => text.push_str(", …"),
            _ => {}
        }
        text
    }
}
