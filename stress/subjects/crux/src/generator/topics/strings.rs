//! Strings: made at run time, cut, compared, used as temporaries.

use gcrucible_bytecode::{Builtin, Method};

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    match body.c.weighted(&[4, 3, 2, 2, 1]) {
        0 => make(body, out),
        1 => append(body, out),
        2 => cut(body, out),
        3 => compare(body, out),
        _ => show(body, out),
    }
}

fn make<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let text = body.text(2);
    body.let_in(out, Stem::Local, Kind::Text, text);
}

fn append<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(name) = body.assignable(Kind::Text) else {
        return make(body, out);
    };
    let more = match body.c.chance(1, 2) {
        true => body.word(),
        false => Expr::Builtin(Builtin::Str, vec![body.int(0)]),
    };
    out.push(Stmt::Update(Expr::Name(name), BinaryOp::Add, more));
}

/// Cuts a text of known characters at their starts.
fn cut<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let text = Expr::binary(BinaryOp::Add, Expr::text("日本süß"), body.text(1));
    let ends = [0, 3, 6, 7, 9, 11];
    let from = body.below(ends.len());
    let to = from + body.below(ends.len() - from);
    let value = match body.c.chance(1, 3) {
        true => Expr::index(text, Expr::Int(ends[from.min(4)])),
        false => Expr::method(
            text,
            Method::Slice,
            vec![Expr::Int(ends[from]), Expr::Int(ends[to])],
        ),
    };
    body.let_in(out, Stem::Local, Kind::Text, value);
}

fn compare<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let op = [BinaryOp::Lt, BinaryOp::Eq, BinaryOp::Le][body.below(3)];
    let value = Expr::binary(op, body.text(2), body.text(2));
    let value = match body.c.chance(1, 2) {
        true => value,
        false => Expr::method(body.text(1), Method::Has, vec![body.word()]),
    };
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value])));
}

fn show<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.has(Feature::Print) {
        return make(body, out);
    }
    let (first, second) = (body.text(1), body.some_variable());
    out.push(Stmt::Expr(Expr::Builtin(
        Builtin::Print,
        vec![first, second],
    )));
}
