//! Arrays: old ones that get young elements, literals, iteration over what changes.

use gcrucible_bytecode::{Builtin, Method};

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.has(Feature::Loops) && body.affords(8) && body.nesting < 3);
    let removal = u32::from(body.has(Feature::Removal));
    let copies = u32::from(body.has(Feature::DeepCopy) && body.world.copies_left > 0);
    let changes = u32::from(body.has(Feature::IterateAndChange));
    match body.c.weighted(&[
        8,
        5,
        4 * removal,
        3,
        4 * loops,
        3 * loops,
        3 * loops * changes,
        2 * copies,
        2,
    ]) {
        0 => push(body, out),
        1 => set_element(body, out),
        2 => take(body, out),
        3 => literal(body, out),
        4 => fill(body, out),
        5 => walk(body, out),
        6 => walk_and_grow(body, out),
        7 => copy(body, out),
        _ => part(body, out),
    }
}

/// An array, an old one more often than not.
fn some_list<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let old = body.c.chance(2, 3);
    let list = if old { body.global(Kind::List) } else { None };
    list.or_else(|| body.variable(Kind::List))
        .unwrap_or_else(|| Expr::Array(vec![]))
}

fn push<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = some_list(body);
    let value = match body.sometimes(Feature::Cycles, 8) {
        true => list.clone(),
        false => body.any(2),
    };
    let call = match body.c.chance(1, 5) {
        true => Expr::method(list, Method::Insert, vec![Expr::Int(0), value]),
        false => Expr::method(list, Method::Push, vec![value]),
    };
    out.push(Stmt::Expr(call));
}

fn set_element<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let solid = body
        .world
        .globals
        .iter()
        .filter(|g| g.kind == Kind::List && g.elements > 0);
    let solid: Vec<_> = solid
        .filter(|g| !g.shrinks)
        .map(|g| (g.name, g.elements))
        .collect();
    let Some(&(name, elements)) = solid.get(body.below(solid.len())) else {
        return push(body, out);
    };
    let at = body.below(usize::from(elements)) as i64;
    let value = body.any(2);
    out.push(Stmt::Assign(
        Expr::index(Expr::Name(name), Expr::Int(at)),
        value,
    ));
}

/// Takes an element out of an array that may have none.
fn take<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let shrinking = body
        .world
        .globals
        .iter()
        .find(|g| g.kind == Kind::List && g.shrinks);
    let list = match shrinking.map(|global| Expr::Name(global.name)) {
        Some(list) => list,
        None => return literal(body, out),
    };
    let length = Expr::method(list.clone(), Method::Len, vec![]);
    let condition = Expr::binary(BinaryOp::Gt, length, Expr::Int(0));
    let then = body.block(|body, out| {
        let taken = match body.c.below(3) {
            0 => Expr::method(list.clone(), Method::Pop, vec![]),
            1 => Expr::method(list.clone(), Method::Remove, vec![Expr::Int(0)]),
            _ => {
                out.push(Stmt::Expr(Expr::method(
                    list.clone(),
                    Method::Clear,
                    vec![],
                )));
                return;
            }
        };
        let name = body.let_in(out, Stem::Local, Kind::Any, taken);
        match body.c.chance(1, 2) {
            true => body.statements(1, out),
            false => {
                let fresh = body.fresh(1);
                let pair = Expr::Array(vec![Expr::Name(name), fresh]);
                out.push(Stmt::Expr(Expr::method(
                    list.clone(),
                    Method::Push,
                    vec![pair],
                )));
            }
        }
    });
    out.push(Stmt::If(condition, then, vec![]));
    body.spend(2);
}

fn literal<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let elements = (0..body.c.within(1, 4)).map(|_| body.any(2)).collect();
    body.let_in(out, Stem::Local, Kind::List, Expr::Array(elements));
}

/// A loop that puts new objects into an array.
fn fill<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = some_list(body);
    let rounds = body.c.within(2, 6);
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let fresh = body.fresh(1);
        let value = Expr::Array(vec![Expr::Name(name), fresh]);
        out.push(Stmt::Expr(Expr::method(
            list.clone(),
            Method::Push,
            vec![value],
        )));
        body.spend(2);
        if body.affords(4) && body.c.chance(1, 3) {
            body.statements(1, out);
        }
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

fn walk<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = some_list(body);
    let name = body.world.fresh(Stem::Local);
    let counter = body.world.fresh(Stem::Counter);
    let rounds = body.c.within(2, 5);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let value = Expr::Array(vec![Expr::Name(name), body.fresh(0)]);
        let into = body.global(Kind::Dict);
        out.push(match into {
            Some(map) => Stmt::Assign(Expr::index(map, body.key()), value),
            None => Stmt::Expr(Expr::Builtin(Builtin::Print, vec![Expr::Name(name)])),
        });
        body.spend(4);
        if body.affords(4) && body.c.chance(1, 3) {
            body.statements(1, out);
        }
    });
    out.push(Stmt::For {
        name,
        over: list,
        limit: Some((counter, rounds as u8)),
        body: inner,
    });
}

/// Iterates over an array that gets longer meanwhile.
fn walk_and_grow<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = some_list(body);
    let name = body.world.fresh(Stem::Local);
    let counter = body.world.fresh(Stem::Counter);
    let rounds = body.c.within(2, 5);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let value = body.fresh(1);
        out.push(Stmt::Expr(Expr::method(
            list.clone(),
            Method::Push,
            vec![value],
        )));
        body.spend(4);
    });
    out.push(Stmt::For {
        name,
        over: list.clone(),
        limit: Some((counter, rounds as u8)),
        body: inner,
    });
}

/// A copy that only its variable ever holds: copies of what holds copies would double each
/// time.
fn copy<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    body.world.copies_left -= 1;
    let original = body
        .variable(Kind::List)
        .or_else(|| body.variable(Kind::Dict));
    let original = original.unwrap_or_else(|| Expr::Array(vec![]));
    let name = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(
        name,
        Expr::Builtin(Builtin::DeepCopy, vec![original.clone()]),
    ));
    if body.c.chance(1, 2) {
        body.statements(1, out);
    }
    if body.c.chance(1, 3) {
        return nearly_equal(body, out, original, name);
    }
    let equal = Expr::Builtin(Builtin::DeepEquals, vec![original, Expr::Name(name)]);
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![equal])));
    body.spend(2);
}

/// What has two references to one object, and a copy that has two to two, or to one as well; and
/// both the other way round.
fn nearly_equal<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    original: Expr,
    copy: Name,
) {
    let pair = |first: Expr, second: Expr| Expr::Array(vec![first, second]);
    let one = pair(original.clone(), original.clone());
    let other = match body.c.below(3) {
        0 => pair(Expr::Name(copy), Expr::Name(copy)),
        1 => pair(original, Expr::Name(copy)),
        _ => pair(Expr::Name(copy), Expr::Array(vec![Expr::Name(copy)])),
    };
    for sides in [vec![one.clone(), other.clone()], vec![other, one]] {
        let equal = Expr::Builtin(Builtin::DeepEquals, sides);
        out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![equal])));
    }
    body.spend(5);
}

fn part<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let list = some_list(body);
    let value = match body.c.below(3) {
        0 => {
            let len = Expr::method(list.clone(), Method::Len, vec![]);
            let to = if body.c.chance(1, 2) {
                len
            } else {
                Expr::Int(0)
            };
            Expr::method(list, Method::Slice, vec![Expr::Int(0), to])
        }
        1 => {
            let wanted = body.any(0);
            Expr::method(list, Method::Has, vec![wanted])
        }
        // The length alone: texts that hold all texts before them would grow without bounds.
        _ => {
            let joined = Expr::method(list, Method::Join, vec![Expr::text(",")]);
            Expr::method(joined, Method::Len, vec![])
        }
    };
    let value = match body.c.chance(1, 2) {
        true => value,
        false => Expr::Array(vec![value, body.fresh(1)]),
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
}
