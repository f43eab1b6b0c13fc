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
    match body
        .c
        .weighted(&[6, 3 * removal, 3, 3 * loops, 3 * loops, 1])
    {
        0 => set(body, out),
        1 => remove(body, out),
        2 => literal(body, out),
        3 => fill(body, out),
        4 => walk(body, out),
        _ => read(body, out),
    }
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
                let gone = Expr::method(map.clone(), Method::Remove, vec![Expr::Name(name)]);
                out.push(Stmt::Expr(gone));
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
        _ => Expr::Array(vec![fresh, Expr::method(map, Method::Values, vec![])]),
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}
