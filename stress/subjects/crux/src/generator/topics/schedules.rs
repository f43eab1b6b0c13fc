//! Schedules: ticks that share state with who started them, are skipped, fail, are cancelled.

use gcrucible_bytecode::Builtin;

use super::tasks;
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::scenario::program::{BinaryOp, Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !tasks::can_spawn(body) {
        return tasks::pause(body, out);
    }
    let every = body.c.within(1, 3);
    let ticks = i64::from(body.c.within(1, 3));
    // No other statement knows the counter, so that the ticks have an end.
    let count = body.world.fresh(Stem::Counter);
    out.push(Stmt::Let(count, Expr::Int(0)));
    let start = body.fresh(1);
    let state = body.let_in(out, Stem::Local, Kind::Any, start);
    let slow = body.c.chance(1, 2);
    let fails = body.c.chance(1, 4);
    let closure = body.lambda(&[Kind::Int, Kind::Int], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let last = body.locals.len();
        let seen = [body.locals[last - 2].name, body.locals[last - 1].name];
        out.push(Stmt::Update(Expr::Name(count), BinaryOp::Add, Expr::Int(1)));
        let mut parts: Vec<Expr> = seen.into_iter().map(Expr::Name).collect();
        parts.push(body.fresh(1));
        parts.push(Expr::Name(state));
        out.push(Stmt::Assign(Expr::Name(state), Expr::Array(parts)));
        if slow {
            let ms = Expr::Int(i64::from(body.c.within(1, 5)));
            out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms])));
        }
        body.statements(1, out);
        let enough = Expr::binary(BinaryOp::Ge, Expr::Name(count), Expr::Int(ticks));
        let end = match fails {
            true => Stmt::Throw(body.fresh(1)),
            false => Stmt::Return(Expr::Bool(false)),
        };
        out.push(Stmt::If(enough, vec![end], vec![]));
        body.role = role;
    });
    let Expr::Lambda(params, ticking) = closure else {
        return;
    };
    let schedule = Expr::Schedule(every, params, ticking);
    let future = body.let_in(out, Stem::Future, Kind::Future, schedule);
    body.tasks -= 1;
    body.spend(10);
    if body.c.chance(1, 3) {
        body.statements(1, out);
    }
    match body.c.below(3) {
        0 => out.push(Stmt::Cancel(Expr::Name(future))),
        1 => {}
        _ => tasks::try_and_use(body, out, Expr::awaited(Expr::Name(future))),
    }
}
