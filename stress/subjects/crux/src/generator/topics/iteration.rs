//! Iteration: iterators as values, over texts too, nested loops that are left in all ways.

use gcrucible_bytecode::{Builtin, Method};

use super::{methods, tasks};
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.affords(12) && body.nesting < 3);
    match body.c.weighted(&[3, 3 * loops, 3 * loops]) {
        0 => by_hand(body, out),
        1 => {
            let over = iterable(body);
            methods::loop_over(body, out, over, 4);
        }
        _ => nested(body, out),
    }
}

fn iterable<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    match body.c.below(4) {
        0 => body.text(1),
        1 => body.list(1),
        2 => body.dict(1),
        _ => {
            let list = body.new_list(2);
            Expr::Builtin(Builtin::Iter, vec![list])
        }
    }
}

/// An iterator in a variable, the only one that holds what it goes over.
fn by_hand<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = body.new_list(2);
    let iterator = Expr::Builtin(Builtin::Iter, vec![list]);
    let iterator = body.let_in(out, Stem::Local, Kind::Any, iterator);
    body.statements(1, out);
    for _ in 0..body.c.within(1, 2) {
        let next = Expr::Builtin(Builtin::Next, vec![Expr::Name(iterator)]);
        body.let_in(out, Stem::Local, Kind::Any, next);
    }
    body.spend(1);
}

/// Two loops; the inner one is left by `break`, `continue` or a throw that is caught between
/// them, while both go over what only their iterators hold.
fn nested<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (first, second) = (body.world.fresh(Stem::Local), body.world.fresh(Stem::Local));
    let over = Expr::Array((0..3).map(|_| body.any(1)).collect());
    let outer = body.loop_body(3, |body, out| {
        let within = match body.c.chance(1, 2) {
            true => Expr::Array((0..2).map(|_| body.any(1)).collect()),
            false => body.text(1),
        };
        let inner = body.loop_body(2, |body, out| {
            let condition = body.coin();
            let leave = match body.c.below(3) {
                0 => Stmt::Break,
                1 => Stmt::Continue,
                _ => Stmt::Throw(Expr::Name(second)),
            };
            out.push(Stmt::If(condition, vec![leave], vec![]));
            let both = Expr::Array(vec![Expr::Name(first), Expr::Name(second)]);
            match body.global(Kind::List) {
                Some(list) if body.c.chance(1, 2) => {
                    out.push(Stmt::Expr(Expr::method(list, Method::Push, vec![both])));
                }
                _ => tasks::use_result(body, out, both),
            }
            body.spend(2);
        });
        let loop_inside = Stmt::For {
            name: second,
            over: within,
            limit: None,
            body: inner,
        };
        let caught = body.world.fresh(Stem::Caught);
        let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
        out.push(Stmt::Try {
            body: vec![loop_inside],
            typed: Vec::new(),
            catch: Some((caught, handler)),
            finally: None,
        });
        let value = Expr::Array(vec![Expr::Name(first), body.fresh(0)]);
        tasks::use_result(body, out, value);
    });
    out.push(Stmt::For {
        name: first,
        over,
        limit: None,
        body: outer,
    });
}
