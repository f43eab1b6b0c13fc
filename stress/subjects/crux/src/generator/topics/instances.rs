//! Instances: fields of old ones that get young values, chains, cycles, closures in fields.

use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.world.classes.is_empty() {
        body.let_in(out, Stem::Local, Kind::List, Expr::Array(vec![]));
        return;
    }
    let loops = u32::from(body.has(Feature::Loops) && body.affords(8) && body.nesting < 3);
    match body.c.weighted(&[6, 3, 3 * loops, 2, 2]) {
        0 => set_field(body, out),
        1 => new(body, out),
        2 => chain(body, out),
        3 => call_field(body, out),
        _ => read(body, out),
    }
}

fn some_class<C: Choices>(body: &mut Body<'_, C>) -> u8 {
    body.below(body.world.classes.len()) as u8
}

fn some_object<C: Choices>(body: &mut Body<'_, C>, class: u8) -> Option<Expr> {
    let old = body.c.chance(2, 3);
    let object = if old {
        body.global(Kind::Object(class))
    } else {
        None
    };
    object.or_else(|| body.variable(Kind::Object(class)))
}

fn new<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let class = some_class(body);
    let object = body.new_object(class, 2);
    body.let_in(out, Stem::Local, Kind::Object(class), object);
}

fn set_field<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let class = some_class(body);
    let Some(object) = some_object(body, class) else {
        return new(body, out);
    };
    let fields = &body.world.classes[usize::from(class)].fields;
    let (count, fields) = (fields.len(), fields.clone());
    let (field, kind) = fields[body.below(count)];
    let value = match kind {
        Kind::Any if body.sometimes(Feature::Cycles, 4) => object.clone(),
        Kind::Any => body.any(2),
        kind => body.expr(kind, 2),
    };
    out.push(Stmt::Assign(Expr::field(object, field), value));
}

/// A linked list: each new node holds the one before.
fn chain<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let class = some_class(body);
    let info = body.world.classes[usize::from(class)].clone();
    let Some(&(link, _)) = info.fields.iter().find(|(_, kind)| *kind == Kind::Any) else {
        return new(body, out);
    };
    let start = body.any(1);
    let head = body.let_in(out, Stem::Local, Kind::Any, start);
    let rounds = body.c.within(2, 5);
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let mut node = body.new_object(class, 1);
        if let Expr::Instance(_, fields) = &mut node {
            for (field, value) in fields {
                if *field == link {
                    *value = Expr::Name(head);
                }
            }
        }
        out.push(Stmt::Assign(Expr::Name(head), node));
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
    if let Some(old) = some_object(body, class) {
        out.push(Stmt::Assign(Expr::field(old, link), Expr::Name(head)));
        body.spend(1);
    }
}

fn call_field<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let class = some_class(body);
    let info = body.world.classes[usize::from(class)].clone();
    let closure = info.fields.iter().find(|(_, kind)| *kind == Kind::Closure);
    let (Some(object), Some(&(field, _))) = (some_object(body, class), closure) else {
        return set_field(body, out);
    };
    let argument = body.fresh(1);
    let call = Expr::CallField(Box::new(object), field, vec![argument]);
    body.let_in(out, Stem::Local, Kind::Any, call);
    body.spend(2);
}

fn read<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let field = body.field_of_any(Kind::Any).unwrap_or(Expr::Nil);
    let value = Expr::Array(vec![field, body.fresh(1)]);
    body.let_in(out, Stem::Local, Kind::List, value);
}
