//! Maps: old ones that get young keys and values, removal, iteration over what changes.

use gcrucible_bytecode::{Builtin, Method};

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.has(Feature::Loops) && body.affords(8) && body.nesting < 3);
    let removal = u32::from(body.has(Feature::Removal));
    let copies = u32::from(body.has(Feature::DeepCopy) && body.world.copies_left > 0);
    match body.c.weighted(&[
        6,
        3 * removal,
        3,
        3 * loops,
        3 * loops,
        2 * loops * copies,
        2 * copies,
        1,
    ]) {
        0 => set(body, out),
        1 => remove(body, out),
        2 => literal(body, out),
        3 => fill(body, out),
        4 => walk(body, out),
        5 => copy(body, out),
        6 => nearly_equal(body, out),
        _ => read(body, out),
    }
}

/// A copy, in which each key of its own is looked up.
fn copy<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    body.world.copies_left -= 1;
    let map = some_map(body);
    if body.c.chance(1, 2) {
        let (key, value) = (body.fresh(0), body.fresh(0));
        out.push(Stmt::Assign(Expr::index(map.clone(), key), value));
    }
    let copied = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(
        copied,
        Expr::Builtin(Builtin::DeepCopy, vec![map]),
    ));
    let name = body.world.fresh(Stem::Local);
    let counter = body.world.fresh(Stem::Counter);
    let rounds = body.c.within(2, 5);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let key = vec![Expr::Name(name), Expr::Nil];
        let found = Expr::method(Expr::Name(copied), Method::Get, key);
        out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![found])));
        body.spend(2);
    });
    out.push(Stmt::For {
        name,
        over: Expr::Name(copied),
        limit: Some((counter, rounds as u8)),
        body: inner,
    });
    body.spend(3);
}

/// Two maps of which one may have another key, another value or another order.
fn nearly_equal<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let part = body.let_in(out, Stem::Local, Kind::Any, Expr::Array(vec![]));
    let entry = |key: i64, value: Expr| (Expr::Int(key), value);
    let shared = || Expr::Name(part);
    let left = vec![entry(1, shared()), entry(2, Expr::Array(vec![shared()]))];
    let right = match body.c.below(4) {
        0 => vec![entry(1, shared()), entry(3, Expr::Array(vec![shared()]))],
        1 => vec![entry(2, Expr::Array(vec![shared()])), entry(1, shared())],
        2 => {
            let other = Expr::Array(vec![Expr::Array(vec![])]);
            vec![entry(1, shared()), entry(2, other)]
        }
        _ => left.clone(),
    };
    let (left, right) = (Expr::Map(left), Expr::Map(right));
    let equal = Expr::Builtin(Builtin::DeepEquals, vec![left, right]);
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![equal])));
    body.spend(4);
}

fn some_map<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let old = body.c.chance(2, 3);
    let map = if old { body.global(Kind::Dict) } else { None };
    map.or_else(|| body.variable(Kind::Dict))
        .unwrap_or_else(|| Expr::Map(vec![]))
}

/// Sets a value, sometimes under a key that is a new object.
fn set<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let map = some_map(body);
    let key = match body.c.chance(1, 6) {
        true => body.fresh(0),
        false => body.key(),
    };
    let value = match body.sometimes(Feature::Cycles, 8) {
        true => map.clone(),
        false => body.any(2),
    };
    out.push(Stmt::Assign(Expr::index(map, key), value));
}

fn remove<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let map = some_map(body);
    if body.c.chance(1, 8) {
        out.push(Stmt::Expr(Expr::method(map, Method::Clear, vec![])));
        return;
    }
    let key = body.key();
    let removed = Expr::method(map.clone(), Method::Remove, vec![key]);
    let name = body.let_in(out, Stem::Local, Kind::Any, removed);
    if body.c.chance(1, 2) {
        let (key, fresh) = (body.key(), body.fresh(1));
        let pair = Expr::Array(vec![Expr::Name(name), fresh]);
        out.push(Stmt::Assign(Expr::index(map, key), pair));
        body.spend(1);
    }
}

fn literal<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let entries = (0..body.c.within(1, 4))
        .map(|_| (body.key(), body.any(2)))
        .collect();
    body.let_in(out, Stem::Local, Kind::Dict, Expr::Map(entries));
}

/// A loop that adds entries, so that the map grows.
fn fill<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let map = some_map(body);
    let rounds = body.c.within(2, 8);
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let key = match body.c.below(3) {
            0 => Expr::Name(name),
            1 => Expr::Interpolation(vec![Expr::text("k"), Expr::Name(name)]),
            _ => Expr::Array(vec![Expr::Name(name)]),
        };
        let value = body.any(1);
        out.push(Stmt::Assign(Expr::index(map.clone(), key), value));
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
}

/// Iterates over keys; the map changes meanwhile if it may.
fn walk<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let map = some_map(body);
    let name = body.world.fresh(Stem::Local);
    let counter = body.world.fresh(Stem::Counter);
    let rounds = body.c.within(2, 5);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let value = Expr::index(map.clone(), Expr::Name(name));
        match body.c.below(3) {
            0 => {
                let args = vec![Expr::Name(name), value];
                out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, args)));
            }
            1 if body.has(Feature::IterateAndChange) => {
                let key = Expr::Array(vec![Expr::Name(name)]);
                let fresh = body.fresh(0);
                out.push(Stmt::Assign(Expr::index(map.clone(), key), fresh));
            }
            2 if body.has(Feature::IterateAndChange) && body.has(Feature::Removal) => {
                if body.c.chance(1, 3) {
                    // What is inserted behind it is still to come.
                    let all = Expr::method(map.clone(), Method::Clear, vec![]);
                    out.push(Stmt::Expr(all));
                    let fresh = body.fresh(0);
                    let next = Expr::index(map.clone(), body.key());
                    out.push(Stmt::Assign(next, fresh));
                } else {
                    let gone = Expr::method(map.clone(), Method::Remove, vec![Expr::Name(name)]);
                    out.push(Stmt::Expr(gone));
                }
            }
            _ => {
                let fresh = body.fresh(0);
                let pair = Expr::Array(vec![value, fresh]);
                out.push(Stmt::Assign(
                    Expr::index(map.clone(), Expr::Name(name)),
                    pair,
                ));
            }
        }
        body.spend(4);
    });
    out.push(Stmt::For {
        name,
        over: map.clone(),
        limit: Some((counter, rounds as u8)),
        body: inner,
    });
}

fn read<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let map = some_map(body);
    let (key, fresh) = (body.key(), body.fresh(1));
    let value = match body.c.below(3) {
        0 => Expr::method(map, Method::Get, vec![key, fresh]),
        1 => Expr::Array(vec![Expr::method(map, Method::Has, vec![key]), fresh]),
        _ => {
            let of_what = match body.c.chance(1, 2) {
                true => Method::Values,
                false => Method::Keys,
            };
            Expr::Array(vec![fresh, Expr::method(map, of_what, vec![])])
        }
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}
