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
        .weighted(&[6 * callbacks, 2 * maps, 3 * strings, 1, 2, 1, 3 * callbacks])
    {
        0 => over_list(body, out),
        1 => over_map(body, out),
        2 => text(body, out),
        4 => bulk(body, out),
        5 => json(body, out),
        6 => at_an_edge(body, out),
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

/// A number, perhaps one that has no order.
fn key_of_sorts<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let zero = || Box::new(Expr::Float(0.0));
    match body.c.below(8) {
        0 if body.has(Feature::Floats) => Expr::Binary(BinaryOp::Div, zero(), zero()),
        1 if body.has(Feature::Floats) => Expr::Float(1.0),
        _ => Expr::Int(i64::from(body.c.below(4))),
    }
}

/// What has few elements, equal ones, none, or more than it should: where functions that go over
/// elements go wrong. Several at a time: there are many edges, and a call is soon made.
fn at_an_edge<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    edges(body, out, (2, 6));
    body.spend(14);
}

/// So many calls at the edges of what they take.
pub(super) fn edges<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    (from, to): (u32, u32),
) {
    for _ in 0..body.c.within(from, to) {
        let value = match body.c.below(4) {
            0 => edge_of_array(body),
            1 => edge_of_text(body),
            2 => edge_of_map(body),
            _ => edge_of_json(body),
        };
        tasks::try_and_use(body, out, value);
    }
}

fn edge_of_array<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let count = body.c.below(8);
    let numbers = Expr::Array((0..count).map(|_| key_of_sorts(body)).collect());
    let pairs = |body: &mut Body<'_, C>| {
        let pair = |at: u32| {
            Expr::Array(vec![
                Expr::Int(i64::from(body.c.below(3))),
                Expr::Int(at.into()),
            ])
        };
        Expr::Array((0..count).map(pair).collect())
    };
    match body.c.below(8) {
        // Which of two with equal keys comes first is seen.
        0 => {
            let pairs = pairs(body);
            let name = ["sort_by", "group_by"][body.below(2)];
            Expr::named(pairs, name, vec![first_of(body)])
        }
        1 => {
            let count = Expr::Int(i64::from(body.c.below(7)) - 2);
            let name = ["take", "skip"][body.below(2)];
            Expr::named(numbers, name, vec![count])
        }
        2 => {
            let name = ["min", "max", "sum", "unique"][body.below(4)];
            Expr::named(numbers, name, vec![])
        }
        3 => {
            let pairs = pairs(body);
            let name = ["flat", "unique", "enumerate"][body.below(3)];
            Expr::named(pairs, name, vec![])
        }
        4 => {
            let pairs = pairs(body);
            Expr::named(numbers, "zip", vec![pairs])
        }
        5 => {
            let taken = i64::from(body.c.below(4));
            let source = Expr::library("stream", vec![numbers]);
            let first = Expr::named(source, "take", vec![Expr::Int(taken)]);
            Expr::named(first, "collect", vec![])
        }
        6 => {
            let name = ["math.min", "math.max"][body.below(2)];
            let (a, b) = (key_of_sorts(body), key_of_sorts(body));
            Expr::library(name, vec![a, b])
        }
        _ => Expr::named(numbers, "sort", vec![]),
    }
}

/// A callback that gives the first element of what it gets.
fn first_of<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    body.lambda(&[Kind::Any], |body, out| {
        let pair = body
            .locals
            .last()
            .map_or(Expr::Nil, |local| Expr::Name(local.name));
        out.push(Stmt::Return(Expr::index(pair, Expr::Int(0))));
    })
}

/// Texts that end in what others look for, or that have characters of several bytes.
const TEXTS: [&str; 8] = [
    "",
    "a",
    "abab",
    "a\r\nb\n",
    "\n\nxa",
    "süß\u{1}\"a",
    "日本",
    "a\tb\\ a",
];

fn edge_of_text<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let text = Expr::text(TEXTS[body.below(TEXTS.len())]);
    match body.c.below(6) {
        0 => Expr::named(text, "lines", vec![]),
        1 => {
            let width = Expr::Int(i64::from(body.c.below(9)));
            let fill = Expr::text(["xyz", "-", "", "日a"][body.below(4)]);
            let name = ["pad_start", "pad_end"][body.below(2)];
            Expr::named(text, name, vec![width, fill])
        }
        2 => Expr::named(text, "chars", vec![]),
        3 => {
            let parts = vec![Expr::text("a"), Expr::text(["", "aa", "-"][body.below(3)])];
            Expr::method(text, Method::Replace, parts)
        }
        4 => Expr::method(
            text,
            Method::Split,
            vec![Expr::text(["a", "\n", "ab"][body.below(3)])],
        ),
        _ => {
            let name = ["shl", "shr", "and"][body.below(3)];
            let by = Expr::Int([0, 1, 63, 64, 65, -1][body.below(6)]);
            Expr::Builtin(Builtin::Bits, vec![Expr::text(name), body.int(0), by])
        }
    }
}

/// A map with keys that others have, too.
fn edge_of_map<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let map = |body: &mut Body<'_, C>| {
        let count = body.c.below(4);
        let entry = |body: &mut Body<'_, C>| {
            let key = Expr::text(["a", "b", "c"][body.below(3)]);
            (key, Expr::Int(i64::from(body.c.below(9))))
        };
        Expr::Map((0..count).map(|_| entry(body)).collect())
    };
    let first = map(body);
    match body.c.below(3) {
        0 => {
            let second = map(body);
            Expr::named(first, "merge", vec![second])
        }
        1 => Expr::named(first, "entries", vec![]),
        _ => {
            let is_it = callback(body, 2, |_, names| {
                let value = names.last().map_or(Expr::Nil, |&name| Expr::Name(name));
                Expr::binary(BinaryOp::Eq, value, Expr::Int(1))
            });
            Expr::named(first, "filter", vec![is_it])
        }
    }
}

/// Texts that are JSON, or nearly.
const NEARLY_JSON: [&str; 8] = [
    "[1, 2.5e1, -0]",
    "{\"a\": 1, \"a\": null}",
    "\"\\ud83d\\ude00\\u0001\"",
    "[1,]",
    "01",
    " [] x",
    "9223372036854775808",
    "\"\\ud83d\"",
];

fn edge_of_json<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    if body.c.chance(1, 2) {
        let text = Expr::text(NEARLY_JSON[body.below(NEARLY_JSON.len())]);
        return Expr::library("json.parse", vec![text]);
    }
    let text = Expr::text(TEXTS[body.below(TEXTS.len())]);
    let data = match body.c.below(3) {
        0 => text,
        1 => Expr::Map(vec![(text, Expr::Array(vec![]))]),
        _ => Expr::Array(vec![text, key_of_sorts(body)]),
    };
    let mut arguments = vec![data];
    if body.c.chance(1, 4) {
        arguments.push(Expr::Int(1));
    }
    Expr::library("json.stringify", arguments)
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
