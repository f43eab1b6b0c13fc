//! Enums and `match`: payloads, patterns of all kinds, arms that take nothing.

use gcrucible_bytecode::ValueKind;

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Arm, BinaryOp, Expr, Name, Pattern, Stem, Stmt, TypeName};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let matches = u32::from(body.has(Feature::Match) && body.nesting < 4);
    match body.c.weighted(&[4, 5 * matches, 2]) {
        0 => {
            let value = body.enum_value(2);
            body.let_in(out, Stem::Local, Kind::Any, value);
        }
        1 => matching(body, out),
        _ => {
            let value = body.any(1);
            let of = some_type(body);
            let is = Expr::Is(Box::new(value), of);
            body.let_in(out, Stem::Local, Kind::Any, is);
        }
    }
}

/// A type that the module knows.
pub(super) fn some_type<C: Choices>(body: &mut Body<'_, C>) -> TypeName {
    const KINDS: [ValueKind; 6] = [
        ValueKind::Int,
        ValueKind::String,
        ValueKind::Array,
        ValueKind::Map,
        ValueKind::Error,
        ValueKind::Function,
    ];
    let enums = u32::from(!body.world.enums.is_empty());
    let classes = u32::from(!body.world.classes.is_empty());
    match body.c.weighted(&[2, 3 * enums, 2 * enums, 2 * classes]) {
        1 => {
            let at = body.below(body.world.enums.len());
            TypeName::Enum(body.world.enums[at].0)
        }
        2 => {
            let (of, variant, _) = body.some_variant();
            TypeName::Variant(of, variant)
        }
        3 => {
            let at = body.below(body.world.classes.len());
            TypeName::Class(body.world.classes[at].name)
        }
        _ => TypeName::Kind(KINDS[body.below(KINDS.len())]),
    }
}

fn matching<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let subject = match body.c.chance(1, 2) && !body.world.enums.is_empty() {
        true => body.enum_value(2),
        false => body.any(1),
    };
    let mut arms = Vec::new();
    for _ in 0..body.c.within(1, 3) {
        arms.push(arm(body));
    }
    let is_complete = body.c.chance(3, 4);
    if is_complete {
        let pattern = match body.c.chance(1, 2) {
            true => Pattern::Any,
            false => Pattern::Bind(body.world.fresh(Stem::Local)),
        };
        let body = vec![Stmt::Expr(body.fresh(1))];
        arms.push(Arm {
            pattern,
            guard: None,
            body,
        });
    }
    let value = Expr::Match(Box::new(subject), arms);
    match is_complete {
        true => {
            body.let_in(out, Stem::Local, Kind::Any, value);
        }
        false => tasks::try_and_use(body, out, value),
    }
    body.spend(2);
}

fn arm<C: Choices>(body: &mut Body<'_, C>) -> Arm {
    let outer = body.locals.len();
    let mut bound = Vec::new();
    let pattern = pattern(body, 2, &mut bound);
    let guard = (body.c.chance(1, 4)).then(|| body.condition());
    let block = match body.c.chance(1, 2) {
        true => {
            let mut parts: Vec<Expr> = bound.into_iter().map(Expr::Name).collect();
            parts.push(body.fresh(1));
            vec![Stmt::Expr(Expr::Array(parts))]
        }
        false => body.block(|body, out| {
            let value = bound
                .first()
                .map_or_else(|| body.fresh(1), |&name| Expr::Name(name));
            tasks::use_result(body, out, value);
            body.statements(1, out);
        }),
    };
    body.locals.truncate(outer);
    Arm {
        pattern,
        guard,
        body: block,
    }
}

fn pattern<C: Choices>(body: &mut Body<'_, C>, depth: u32, bound: &mut Vec<Name>) -> Pattern {
    let enums = u32::from(!body.world.enums.is_empty());
    let classes = u32::from(!body.world.classes.is_empty());
    let deep = u32::from(depth > 0);
    match body.c.weighted(&[
        2,
        1,
        2,
        5 * enums * deep,
        2 * classes * deep,
        2,
        2 * deep,
        1,
        1,
    ]) {
        1 => {
            let from = i64::from(body.c.below(4));
            Pattern::Range(from, from + i64::from(body.c.within(1, 5)))
        }
        2 => {
            let name = body.world.fresh(Stem::Local);
            bound.push(name);
            Pattern::Bind(name)
        }
        3 => {
            let (of, variant, arity) = body.some_variant();
            let parts = (0..arity).map(|_| pattern(body, depth - 1, bound));
            Pattern::Variant(of, variant, parts.collect())
        }
        4 => {
            let at = body.below(body.world.classes.len());
            let (class, field) = {
                let info = &body.world.classes[at];
                (info.name, info.fields[0].0)
            };
            let part = pattern(body, depth - 1, bound);
            Pattern::Class(class, vec![(field, part)])
        }
        5 => {
            let of = some_type(body);
            let name = body.c.chance(1, 2).then(|| body.world.fresh(Stem::Local));
            bound.extend(name);
            Pattern::Is(name, of)
        }
        6 => {
            let count = body.c.below(3);
            let parts = (0..count).map(|_| pattern(body, depth - 1, bound));
            Pattern::Array(parts.collect())
        }
        7 => Pattern::Any,
        8 => Pattern::Or(vec![
            Pattern::Literal(Expr::Int(i64::from(body.c.below(5)))),
            Pattern::Literal(body.word()),
        ]),
        _ => Pattern::Literal(match body.c.below(3) {
            0 => Expr::Int(i64::from(body.c.below(6)) - 1),
            1 => body.word(),
            _ => Expr::Nil,
        }),
    }
}

impl<C: Choices> Body<'_, C> {
    /// An enum, one of its variants, and how many values that holds.
    pub(in crate::generator) fn some_variant(&mut self) -> (Name, Name, u8) {
        let at = self.below(self.world.enums.len());
        let (of, variants) = self.world.enums[at].clone();
        let (variant, arity) = variants[self.below(variants.len())];
        (of, variant, arity)
    }

    /// A value of some enum.
    pub(in crate::generator) fn enum_value(&mut self, depth: u32) -> Expr {
        if self.world.enums.is_empty() {
            return self.fresh(depth);
        }
        let (of, variant, arity) = self.some_variant();
        let payload = (0..arity).map(|_| self.any(depth.saturating_sub(1)));
        Expr::Variant(of, variant, payload.collect())
    }

    /// A comparison that is true about half of the time.
    pub(in crate::generator) fn coin(&mut self) -> Expr {
        let limit = Expr::Int(i64::from(self.c.below(6)));
        Expr::binary(BinaryOp::Lt, self.int(0), limit)
    }
}
