//! Weak references: to what lives, to what nothing else holds.

use gcrucible_bytecode::{Builtin, Method};

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.c.chance(1, 3) {
        return given_up(body, out);
    }
    let target = match body.c.below(5) {
        // A constant, which ends with its version.
        0 => body.word(),
        1 | 2 => body.some_variable(),
        _ => body.fresh(2),
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

/// A weak reference to a constant, in something that is no constant.
pub(super) fn to_a_constant<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let target = body.word();
    Expr::Array(vec![Expr::Builtin(Builtin::Weak, vec![target])])
}

/// A weak reference to what only a container holds, which gives it up: nothing leads to it then.
fn given_up<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let value = Expr::Array(vec![body.fresh(1)]);
    let value = body.let_in(out, Stem::Local, Kind::Any, value);
    let (made, put, taken) = match body.c.below(3) {
        0 => {
            let entry = (Expr::Int(1), Expr::Int(1));
            let remove = (Method::Remove, vec![Expr::Int(2)]);
            (Expr::Map(vec![entry]), None, remove)
        }
        1 => {
            let capacity = Expr::Int(i64::from(body.c.within(1, 3)));
            let channel = Expr::Builtin(Builtin::Channel, vec![capacity]);
            (channel, Some(Method::TrySend), (Method::TryReceive, vec![]))
        }
        _ => {
            let taken = match body.c.chance(1, 2) {
                true => (Method::Pop, vec![]),
                false => (Method::Remove, vec![Expr::Int(0)]),
            };
            (Expr::Array(vec![]), Some(Method::Push), taken)
        }
    };
    let container = body.let_in(out, Stem::Shared, Kind::Any, made);
    out.push(match put {
        Some(put) => {
            let arguments = vec![Expr::Name(value)];
            Stmt::Expr(Expr::method(Expr::Name(container), put, arguments))
        }
        None => Stmt::Assign(
            Expr::index(Expr::Name(container), Expr::Int(2)),
            Expr::Name(value),
        ),
    });
    let weak = Expr::Builtin(Builtin::Weak, vec![Expr::Name(value)]);
    let weak = body.let_in(out, Stem::Shared, Kind::Any, weak);
    out.push(Stmt::Assign(Expr::Name(value), Expr::Nil));
    if body.c.chance(1, 3) {
        // Where it is held it gets old.
        out.push(Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![])));
    }
    let (method, arguments) = taken;
    let taken = Expr::method(Expr::Name(container), method, arguments);
    out.push(Stmt::Expr(taken));
    match body.c.chance(2, 3) {
        true => out.push(Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![]))),
        false => tasks::pause(body, out),
    }
    let target = Expr::method(Expr::Name(weak), Method::Target, vec![]);
    let used = Expr::Array(vec![target, Expr::Name(container)]);
    tasks::use_result(body, out, used);
    body.spend(8);
}
