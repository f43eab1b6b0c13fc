//! Classes with methods: calls, bound methods as values, instances as iterators, methods as
//! tasks.

use gcrucible_bytecode::{Builtin, Method};

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::{ClassInfo, Kind};
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let spawns = u32::from(tasks::can_spawn(body));
    match body.c.weighted(&[4, 3, 3, 2 * spawns, 1]) {
        0 => call(body, out),
        1 => bind(body, out),
        2 => iterate(body, out),
        3 => spawn(body, out),
        _ => wrong(body, out),
    }
}

/// An instance of a class that has methods.
fn receiver<C: Choices>(body: &mut Body<'_, C>) -> Option<(Expr, ClassInfo)> {
    let with_methods: Vec<usize> = (0..body.world.classes.len())
        .filter(|&class| !body.world.classes[class].methods.is_empty())
        .collect();
    let &class = with_methods.get(body.below(with_methods.len()))?;
    let info = body.world.classes[class].clone();
    let object = body.object(class as u8, 1);
    Some((object, info))
}

fn call<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some((object, info)) = receiver(body) else {
        return super::instances::statement(body, out);
    };
    let method = info.methods[body.below(info.methods.len())];
    let argument = body.fresh(1);
    let call = Expr::CallField(Box::new(object), method, vec![argument]);
    let value = match body.c.chance(1, 3) {
        true => Expr::Array(vec![body.fresh(1), call]),
        false => call,
    };
    body.let_in(out, Stem::Local, Kind::Any, value);
    body.spend(3);
}

/// A bound method: the receiver lives through it alone.
fn bind<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some((object, info)) = receiver(body) else {
        return super::instances::statement(body, out);
    };
    let method = info.methods[body.below(info.methods.len())];
    let bound = Expr::field(object, method);
    let name = body.let_in(out, Stem::Local, Kind::Closure, bound);
    let argument = body.fresh(1);
    let call = Expr::call(name, vec![argument]);
    body.let_in(out, Stem::Local, Kind::Any, call);
    body.spend(3);
}

/// A loop over an instance, whose `next` the loop calls.
fn iterate<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let iterable = body
        .world
        .classes
        .iter()
        .position(|info| info.counter.is_some());
    let Some(class) = iterable.filter(|_| body.affords(16) && body.nesting < 3) else {
        return call(body, out);
    };
    let Some(counter) = body.world.classes[class].counter else {
        return;
    };
    let mut object = body.new_object(class as u8, 1);
    let rounds = i64::from(body.c.below(4));
    if let Expr::Instance(_, fields) = &mut object {
        for (field, value) in fields {
            if *field == counter {
                *value = Expr::Int(rounds);
            }
        }
    }
    let over = body.let_in(out, Stem::Local, Kind::Object(class as u8), object);
    loop_over(body, out, Expr::Name(over), 4);
}

/// A loop over something that yields objects.
pub(super) fn loop_over<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    over: Expr,
    rounds: u8,
) {
    let name = body.world.fresh(Stem::Local);
    let limit = Some((body.world.fresh(Stem::Counter), rounds));
    let inner = body.loop_body(3, |body, out| {
        let value = Expr::Array(vec![Expr::Name(name), body.fresh(1)]);
        match body.global(Kind::List) {
            Some(list) if body.c.chance(1, 3) => {
                out.push(Stmt::Expr(Expr::method(list, Method::Push, vec![value])));
            }
            _ => out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value]))),
        }
        if body.c.chance(1, 3) {
            body.statements(1, out);
        }
        body.spend(2);
    });
    out.push(Stmt::For {
        name,
        over,
        limit,
        body: inner,
    });
    body.spend(1);
}

fn spawn<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some((object, info)) = receiver(body).filter(|_| body.tasks > 0) else {
        return tasks::pause(body, out);
    };
    let method = info.methods[body.below(info.methods.len())];
    let name = body.let_in(out, Stem::Local, Kind::Any, object);
    let callee = Expr::field(Expr::Name(name), method);
    let argument = body.fresh(1);
    let spawn = Expr::Spawn(Box::new(callee), vec![argument]);
    body.let_in(out, Stem::Future, Kind::Future, spawn);
    body.tasks -= 1;
    body.spend(4);
}

/// A method that is not there, or wants other arguments.
fn wrong<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some((object, info)) = receiver(body) else {
        return super::instances::statement(body, out);
    };
    let method = info.methods[body.below(info.methods.len())];
    let call = match body.c.chance(1, 2) {
        true => Expr::CallField(Box::new(object), method, vec![]),
        false => Expr::named(object, "absent", vec![]),
    };
    tasks::try_and_use(body, out, call);
}
