//! Numbers: ints around the end of what a word holds, floats, sums over loops.

use gcrucible_bytecode::Builtin;

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.has(Feature::Loops) && body.affords(10) && body.nesting < 3);
    let floats = u32::from(body.has(Feature::Floats));
    match body.c.weighted(&[4, 3, 3 * loops, 2 * floats, 1]) {
        0 => compute(body, out),
        1 => update(body, out),
        2 => sum(body, out),
        3 => float(body, out),
        _ => branch(body, out),
    }
}

fn compute<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let value = body.int(2);
    body.let_in(out, Stem::Local, Kind::Int, value);
}

fn update<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(name) = body.assignable(Kind::Int) else {
        return compute(body, out);
    };
    let op = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Rem][body.c.weighted(&[4, 3, 1])];
    let value = match op {
        BinaryOp::Rem => Expr::Int(i64::from(body.c.within(2, 9))),
        _ => body.int(1),
    };
    out.push(Stmt::Update(Expr::Name(name), op, value));
}

fn sum<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let start = body.literal_int();
    let sum = body.let_in(out, Stem::Local, Kind::Int, start);
    let counter = body.world.fresh(Stem::Counter);
    let rounds = body.c.within(2, 6);
    let condition = match body.c.chance(1, 2) {
        true => Expr::Bool(true),
        false => Expr::binary(BinaryOp::Lt, Expr::Name(sum), Expr::Int(1 << 50)),
    };
    let inner = body.loop_body(rounds as i32, |body, out| {
        let step = body.literal_int();
        out.push(Stmt::Update(Expr::Name(sum), BinaryOp::Add, step));
        body.spend(3);
        if body.affords(4) && body.c.chance(1, 2) {
            body.statements(1, out);
        }
    });
    out.push(Stmt::Repeat {
        counter,
        times: rounds as u8,
        condition,
        body: inner,
    });
}

fn float<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let op = [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Sub][body.below(4)];
    let left = Expr::Float([0.5, 3.0, -0.0, 1e308, 0.1][body.below(5)]);
    let right = match body.c.chance(1, 2) {
        true => Expr::Float([2.0, 0.0, 0.3, 1e308][body.below(4)]),
        false => Expr::Int(i64::from(body.c.below(3))),
    };
    let value = Expr::binary(op, left, right);
    let name = body.let_in(out, Stem::Local, Kind::Any, value);
    if body.has(Feature::Print) {
        out.push(Stmt::Expr(Expr::Builtin(
            Builtin::Print,
            vec![Expr::Name(name)],
        )));
        body.spend(1);
    }
}

fn branch<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let condition = body.condition();
    let then = body.small_block();
    out.push(Stmt::If(condition, then, vec![]));
    body.spend(1);
}
