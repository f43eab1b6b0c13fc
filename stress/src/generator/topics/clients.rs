//! Clients: attempts that fail and are made again, fallbacks, turns, nested ones, whatever
//! ends the wait for them.

use gcrucible_bytecode::Builtin;

use super::{deadlines, tasks};
use crate::generator::choices::Choices;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};

/// Clients within each other, at most.
const DEPTH_MAX: u32 = 2;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.affords(30) || body.nesting >= 4 || body.loops > 0 {
        return tasks::pause(body, out);
    }
    // Nothing else knows the counter, so that its attempts have an end.
    let attempts = body.world.fresh(Stem::Counter);
    out.push(Stmt::Let(attempts, Expr::Int(0)));
    let client = client(body, attempts, DEPTH_MAX);
    let name = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(name, client));
    body.spend(6);
    for _ in 0..body.c.within(1, 2) {
        let request = body.fresh(0);
        let call = Expr::library("clients.call", vec![Expr::Name(name), request]);
        match body.has(Feature::Deadlines) && body.c.chance(1, 3) {
            true => deadlines::within(body, out, |body, out| tasks::use_result(body, out, call)),
            false => tasks::try_and_use(body, out, call),
        }
        body.spend(10);
    }
    // How many were made, and whose turn it was, shows in what the program does.
    let seen = Expr::Array(vec![Expr::Name(attempts), Expr::Name(name)]);
    body.let_in(out, Stem::Local, Kind::Any, seen);
}

fn client<C: Choices>(body: &mut Body<'_, C>, attempts: Name, depth: u32) -> Expr {
    let nested = u32::from(depth > 0);
    match body.c.weighted(&[2, 3 * nested, 2 * nested, 2 * nested]) {
        0 => named(body, attempts),
        1 => {
            let inner = client(body, attempts, depth - 1);
            let count = Expr::Int(i64::from(body.c.within(1, 3)));
            let backoff = Expr::Int(i64::from(body.c.below(3)));
            Expr::library("clients.retry", vec![inner, count, backoff])
        }
        which => {
            let count = body.c.within(1, 2);
            let list = (0..count)
                .map(|_| client(body, attempts, depth - 1))
                .collect();
            let name = match which {
                2 => "clients.fallback",
                _ => "clients.round_robin",
            };
            Expr::library(name, vec![Expr::Array(list)])
        }
    }
}

/// A client that waits or not, and fails its first attempts.
fn named<C: Choices>(body: &mut Body<'_, C>, attempts: Name) -> Expr {
    let fails = i64::from(body.c.below(4));
    let waits = body.c.below(4);
    let ms = Expr::Int(i64::from(body.c.below(3)));
    let word = body.word();
    let call = body.lambda(&[Kind::Any], |body, out| {
        let request = body.locals.last().map(|local| Expr::Name(local.name));
        out.push(Stmt::Update(
            Expr::Name(attempts),
            BinaryOp::Add,
            Expr::Int(1),
        ));
        match waits {
            0 => {}
            1 => out.push(Stmt::Expr(Expr::library("http.get", vec![word.clone()]))),
            _ => out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms]))),
        }
        let too_early = Expr::binary(BinaryOp::Le, Expr::Name(attempts), Expr::Int(fails));
        let value = Expr::Array(request.into_iter().chain([Expr::Name(attempts)]).collect());
        out.push(Stmt::If(
            too_early,
            vec![Stmt::Throw(value.clone())],
            vec![],
        ));
        out.push(Stmt::Return(value));
    });
    Expr::library("clients.named", vec![word, call])
}
