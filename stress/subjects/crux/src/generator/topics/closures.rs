//! Closures: captured variables, cells that several closures and tasks share.

use gcrucible_bytecode::{Builtin, Method};

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.has(Feature::Loops) && body.affords(16) && body.nesting < 3);
    let shared = u32::from(body.has(Feature::SharedCells));
    match body.c.weighted(&[4, 4, 3 * shared, 3 * shared, 2 * loops]) {
        0 => call(body, out),
        1 => new(body, out),
        2 => counter(body, out),
        3 => pair(body, out),
        _ => one_per_round(body, out),
    }
}

/// Calls a closure, an old one if there is one.
fn call<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let closure = body
        .global(Kind::Closure)
        .or_else(|| body.variable(Kind::Closure));
    let Some(closure) = closure else {
        return new(body, out);
    };
    let argument = body.fresh(1);
    let call = Expr::Call(Box::new(closure), vec![argument]);
    let value = match body.c.chance(1, 3) {
        // A temporary that waits while the closure allocates.
        true => Expr::Array(vec![body.fresh(1), call]),
        false => call,
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
    body.spend(2);
}

fn new<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.has(Feature::SharedCells) && body.assignable(Kind::Any).is_none() {
        let fresh = body.fresh(1);
        body.let_in(out, Stem::Local, Kind::Any, fresh);
    }
    let closure = body.new_closure(1);
    body.let_in(out, Stem::Local, Kind::Closure, closure);
}

/// A counter in a captured variable.
fn counter<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let start = body.literal_int();
    let count = body.let_in(out, Stem::Local, Kind::Int, start);
    let step = body.c.within(1, 3);
    let closure = body.lambda(&[], |_, out| {
        let step = Expr::Int(i64::from(step));
        out.push(Stmt::Update(Expr::Name(count), BinaryOp::Add, step));
        out.push(Stmt::Return(Expr::Name(count)));
    });
    let name = body.let_in(out, Stem::Local, Kind::Any, closure);
    let calls = (0..body.c.within(1, 3))
        .map(|_| Expr::call(name, vec![]))
        .collect();
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, calls)));
    body.spend(7);
}

/// Two closures over one variable: one writes what the other reads.
fn pair<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let start = body.fresh(1);
    let shared = body.let_in(out, Stem::Local, Kind::Any, start);
    let writer = body.lambda(&[Kind::Any], |body, out| {
        let param = body
            .locals
            .last()
            .map_or(Expr::Nil, |local| Expr::Name(local.name));
        out.push(Stmt::Assign(Expr::Name(shared), Expr::Array(vec![param])));
        out.push(Stmt::Return(Expr::Name(shared)));
    });
    let writer = body.let_in(out, Stem::Local, Kind::Closure, writer);
    let reader = body.lambda(&[], |body, out| {
        let fresh = body.fresh(0);
        out.push(Stmt::Return(Expr::Array(vec![Expr::Name(shared), fresh])));
    });
    let reader = body.let_in(out, Stem::Local, Kind::Any, reader);
    if let Some(list) = body.global(Kind::List) {
        let both = Expr::Array(vec![Expr::Name(writer), Expr::Name(reader)]);
        out.push(Stmt::Expr(Expr::method(list, Method::Push, vec![both])));
        body.spend(1);
    }
    let fresh = body.fresh(1);
    out.push(Stmt::Expr(Expr::call(writer, vec![fresh])));
    body.let_in(out, Stem::Local, Kind::Any, Expr::call(reader, vec![]));
    body.spend(4);
}

/// Closures that capture a variable of each round of a loop, called afterwards.
fn one_per_round<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let all = body.let_in(out, Stem::Local, Kind::List, Expr::Array(vec![]));
    let rounds = body.c.within(2, 4);
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let fresh = body.fresh(1);
        let own = body.let_in(out, Stem::Local, Kind::Any, fresh);
        let closure = body.lambda(&[], |_, out| {
            let both = Expr::Array(vec![Expr::Name(own), Expr::Name(name)]);
            out.push(Stmt::Assign(Expr::Name(own), both));
            out.push(Stmt::Return(Expr::Name(own)));
        });
        out.push(Stmt::Expr(Expr::method(
            Expr::Name(all),
            Method::Push,
            vec![closure],
        )));
        body.spend(2);
    });
    let over = Expr::Range(
        Box::new(Expr::Int(0)),
        Box::new(Expr::Int(i64::from(rounds))),
    );
    out.push(Stmt::For {
        name,
        over,
        limit: None,
        body: inner,
    });
    let each = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let call = Expr::call(each, vec![]);
        out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![call])));
        body.spend(4);
    });
    out.push(Stmt::For {
        name: each,
        over: Expr::Name(all),
        limit: None,
        body: inner,
    });
    // Others may push what is no closure: nobody shall see the array as one of anything.
    body.locals.retain(|local| local.name != all);
}
