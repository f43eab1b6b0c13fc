//! Weak references: to what lives, to what nothing else holds.

use gcrucible_bytecode::{Builtin, Method};

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let target = match body.c.chance(1, 2) {
        true => body.fresh(2),
        false => body.some_variable(),
    };
    let weak = Expr::Builtin(Builtin::Weak, vec![target]);
    let weak = body.let_in(out, Stem::Shared, Kind::Any, weak);
    match body.c.below(3) {
        0 => out.push(Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![]))),
        1 => body.statements(1, out),
        _ => tasks::pause(body, out),
    }
    let target = Expr::method(Expr::Name(weak), Method::Target, vec![]);
    let name = body.let_in(out, Stem::Local, Kind::Any, target);
    if body.c.chance(1, 2) {
        tasks::use_result(body, out, Expr::Name(name));
    }
    if body.c.chance(1, 3)
        && let Some(list) = body.global(Kind::List)
    {
        // It outlives what it refers to.
        let push = Expr::method(list, Method::Push, vec![Expr::Name(weak)]);
        out.push(Stmt::Expr(push));
    }
    body.spend(2);
}
