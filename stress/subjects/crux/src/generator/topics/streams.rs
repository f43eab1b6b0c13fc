//! Streams: elements made on demand, used once, chained, ended early.

use super::{channels, methods, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.affords(16) || body.nesting >= 4 {
        return tasks::pause(body, out);
    }
    let source = source(body, out);
    let stream = Expr::library("stream", vec![source]);
    let mut name = body.let_in(out, Stem::Shared, Kind::Stream, stream);
    for _ in 0..body.c.below(3) {
        let chained = chained(body, name);
        name = body.let_in(out, Stem::Shared, Kind::Stream, chained);
    }
    body.spend(4);
    match body.c.below(6) {
        5 => first_ones(body, out, name),
        0 => {
            let all = Expr::named(Expr::Name(name), "collect", vec![]);
            tasks::try_and_use(body, out, all);
        }
        1 => {
            let next = Expr::named(Expr::Name(name), "next", vec![]);
            tasks::try_and_use(body, out, next);
        }
        2 => pump(body, out, name),
        _ => methods::loop_over(body, out, Expr::Name(name), 4),
    }
    if body.c.chance(1, 3) {
        // It was taken, more often than not.
        let again = Expr::named(Expr::Name(name), "collect", vec![]);
        tasks::try_and_use(body, out, again);
    }
}

/// The first elements of a stream, which leave the rest where it is.
fn first_ones<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, stream: Name) {
    let count = Expr::Int(i64::from(body.c.below(3)));
    let first = Expr::named(Expr::Name(stream), "take", vec![count]);
    tasks::try_and_use(body, out, Expr::named(first, "collect", vec![]));
    let next = Expr::named(Expr::Name(stream), "next", vec![]);
    tasks::try_and_use(body, out, next);
}

/// The next element of a stream that everybody finds: an int, so that nothing is allocated.
pub(super) fn next_of_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(stream) = body.global(Kind::Stream) else {
        return;
    };
    out.push(next(stream));
    body.spend(2);
}

/// A stream of a few ints, for [`next`] to draw from.
pub(in crate::generator) fn of_ints<C: Choices>(c: &mut C) -> Expr {
    let end = Expr::Int(i64::from(c.within(2, 6)));
    Expr::library(
        "stream",
        vec![Expr::Range(Box::new(Expr::Int(0)), Box::new(end))],
    )
}

/// The next element as a statement.
pub(in crate::generator) fn next(stream: Expr) -> Stmt {
    Stmt::Expr(Expr::named(stream, "next", vec![]))
}

/// A loop over a stream that uses a channel for each element.
fn pump<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, stream: Name) {
    let name = body.world.fresh(Stem::Local);
    let limit = Some((body.world.fresh(Stem::Counter), 4));
    let inner = body.loop_body(3, |body, out| {
        channels::touch_shared(body, out);
        body.spend(1);
    });
    out.push(Stmt::For {
        name,
        over: Expr::Name(stream),
        limit,
        body: inner,
    });
    body.spend(1);
}

/// What a stream draws from: a function that ends by itself, or a collection.
fn source<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) -> Expr {
    match body.c.below(4) {
        0 => body.new_list(1),
        1 => Expr::Range(
            Box::new(Expr::Int(0)),
            Box::new(Expr::Int(i64::from(body.c.below(4)))),
        ),
        _ => {
            // No other statement knows the counter, so that the elements have an end.
            let count = body.world.fresh(Stem::Counter);
            out.push(Stmt::Let(count, Expr::Int(0)));
            let last = i64::from(body.c.within(1, 4));
            body.lambda(&[], |body, out| {
                let role = std::mem::replace(&mut body.role, Role::Helper);
                out.push(Stmt::Update(Expr::Name(count), BinaryOp::Add, Expr::Int(1)));
                let ended = Expr::binary(BinaryOp::Gt, Expr::Name(count), Expr::Int(last));
                out.push(Stmt::If(ended, vec![Stmt::Return(Expr::Nil)], vec![]));
                if body.c.chance(1, 3) {
                    body.statements(1, out);
                }
                let value = Expr::Array(vec![Expr::Name(count), body.fresh(1)]);
                out.push(Stmt::Return(value));
                body.role = role;
            })
        }
    }
}

fn chained<C: Choices>(body: &mut Body<'_, C>, stream: Name) -> Expr {
    let stream = Expr::Name(stream);
    match body.c.below(3) {
        0 => Expr::named(stream, "take", vec![Expr::Int(i64::from(body.c.below(4)))]),
        1 => {
            let keep = body.lambda(&[Kind::Any], |body, out| {
                let value = body.coin();
                out.push(Stmt::Return(value));
            });
            Expr::named(stream, "filter", vec![keep])
        }
        _ => {
            let change = body.new_closure(1);
            Expr::named(stream, "map", vec![change])
        }
    }
}
