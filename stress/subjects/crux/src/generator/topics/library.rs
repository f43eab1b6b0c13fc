//! The library: callbacks over collections, texts, numbers, JSON.

use gcrucible_bytecode::{Builtin, Method};

use super::tasks;
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let strings = u32::from(body.has(Feature::Strings));
    let maps = u32::from(body.has(Feature::Maps));
    let callbacks = u32::from(body.affords(12) && body.nesting < 4);
    match body
        .c
        .weighted(&[6 * callbacks, 2 * maps, 3 * strings, 1, 2, 1])
    {
        0 => over_list(body, out),
        1 => over_map(body, out),
        2 => text(body, out),
        4 => bulk(body, out),
        5 => json(body, out),
        _ => number(body, out),
    }
    body.spend(4);
}

/// A callback with parameters; it may run statements of any kind.
fn callback<C: Choices>(
    body: &mut Body<'_, C>,
    params: usize,
    value: impl FnOnce(&mut Body<'_, C>, &[Name]) -> Expr,
) -> Expr {
    body.lambda(&vec![Kind::Any; params], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let names: Vec<Name> = body.locals[body.locals.len() - params..]
            .iter()
            .map(|local| local.name)
            .collect();
        if body.c.chance(1, 4) {
            body.statements(1, out);
        }
        let value = value(body, &names);
        out.push(Stmt::Return(value));
        body.role = role;
    })
}

fn with_parameters<C: Choices>(body: &mut Body<'_, C>, names: &[Name]) -> Expr {
    let mut parts: Vec<Expr> = names.iter().copied().map(Expr::Name).collect();
    parts.push(body.fresh(1));
    Expr::Array(parts)
}

fn over_list<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    // A new array: a callback that lets what it goes over grow would have no end. And a short
    // one: several tasks whose callbacks push six elements for each would take as good as for
    // ever.
    let list = match body.variable(Kind::List) {
        Some(list) if body.c.chance(1, 3) => {
            let length = Expr::method(list.clone(), Method::Len, vec![]);
            let length = Expr::binary(BinaryOp::Rem, length, Expr::Int(5));
            Expr::method(list, Method::Slice, vec![Expr::Int(0), length])
        }
        _ => body.new_list(2),
    };
    let value = match body.c.below(9) {
        0 => {
            let f = callback(body, 2, with_parameters);
            Expr::named(list, "reduce", vec![f, body.fresh(1)])
        }
        1 => {
            let f = callback(body, 1, |body, _| body.coin());
            let name = ["filter", "find", "any", "all"][body.below(4)];
            Expr::named(list, name, vec![f])
        }
        2 => {
            let ints = (0..body.c.below(5)).map(|_| body.literal_int()).collect();
            Expr::named(Expr::Array(ints), "sort", vec![])
        }
        3 => {
            let f = callback(body, 1, |body, _| body.int(0));
            Expr::named(list, "sort_by", vec![f])
        }
        4 => {
            let f = callback(body, 1, |body, _| body.key());
            Expr::named(list, "group_by", vec![f])
        }
        5 => {
            let name = ["enumerate", "flat"][body.below(2)];
            Expr::named(list, name, vec![])
        }
        6 => {
            let other = body.new_list(1);
            Expr::named(list, "zip", vec![other])
        }
        _ => {
            let f = callback(body, 1, with_parameters);
            Expr::named(list, "map", vec![f])
        }
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}

fn over_map<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let entries = (0..body.c.below(4)).map(|_| (body.key(), body.any(1)));
    let map = Expr::Map(entries.collect());
    let value = match body.c.below(3) {
        0 => Expr::named(map, "entries", vec![]),
        1 => {
            let f = callback(body, 1, with_parameters);
            Expr::named(map, "map_values", vec![f])
        }
        _ => {
            let other = Expr::Map(vec![(body.key(), body.fresh(1))]);
            Expr::named(map, "merge", vec![other])
        }
    };
    tasks::try_and_use(body, out, value);
}

fn text<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let text = body.text(2);
    let value = match body.c.below(7) {
        0 => Expr::method(text, Method::Split, vec![body.word()]),
        1 => Expr::method(text, Method::Replace, vec![body.word(), body.word()]),
        2 => Expr::method(text, Method::Upper, vec![]),
        3 => Expr::method(text, Method::IndexOf, vec![body.word()]),
        4 => Expr::named(text, "chars", vec![]),
        5 => Expr::named(text, "pad_start", vec![Expr::Int(6), Expr::text("-")]),
        _ => Expr::method(
            text,
            Method::Repeat,
            vec![Expr::Int(i64::from(body.c.below(3)))],
        ),
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}

fn number<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let value = match body.c.below(6) {
        0 => Expr::Builtin(Builtin::RandomInt, vec![Expr::Int(0), Expr::Int(100)]),
        1 => Expr::Builtin(Builtin::Now, vec![]),
        2 => Expr::library("math.clamp", vec![body.int(1), Expr::Int(0), Expr::Int(5)]),
        3 => Expr::Builtin(
            Builtin::Bits,
            vec![Expr::text("xor"), body.int(0), body.int(0)],
        ),
        4 => Expr::Builtin(Builtin::Int, vec![Expr::text("12")]),
        _ => Expr::Builtin(Builtin::Unsettled, vec![]),
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}

/// Methods that move many elements at once.
fn bulk<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = body.new_list(2);
    let list = body.let_in(out, Stem::Local, Kind::List, list);
    let call = match body.c.below(4) {
        0 => Expr::method(Expr::Name(list), Method::Reverse, vec![]),
        1 => Expr::method(Expr::Name(list), Method::Fill, vec![body.fresh(1)]),
        2 => Expr::method(
            Expr::Name(list),
            Method::Slice,
            vec![Expr::Int(0), Expr::Int(0)],
        ),
        _ => {
            let other = body.new_list(1);
            let old = match body.c.chance(1, 2) {
                true => body.global(Kind::List),
                false => None,
            };
            Expr::method(old.unwrap_or(Expr::Name(list)), Method::Extend, vec![other])
        }
    };
    out.push(Stmt::Expr(call));
}

/// Text made of data, and data made of that again.
fn json<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.affords(20) {
        return number(body, out);
    }
    let number = Expr::binary(BinaryOp::Add, Expr::Int(1), Expr::Int(1));
    let data = Expr::Array(vec![body.word(), number, Expr::Nil]);
    let text = Expr::library("json.stringify", vec![data]);
    let value = match body.c.chance(1, 2) {
        true => Expr::library("json.parse", vec![text]),
        false => text,
    };
    tasks::try_and_use(body, out, value);
    body.spend(10);
}
