//! Sync guards: mutexes that several tasks want, left in every way.

use gcrucible_bytecode::Builtin;

use super::{channels, deadlines, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let deadline = u32::from(body.has(Feature::Deadlines) && body.nesting < 3);
    let loops = u32::from(body.has(Feature::Loops) && body.affords(12) && body.nesting < 3);
    let may_crowd = body.may_wait() && body.tasks >= 3 && body.affords(40);
    let crowd = u32::from(may_crowd && tasks::can_spawn(body));
    match body
        .c
        .weighted(&[4, 3, 2, 2 * deadline, 2 * loops, 1, 2, 6 * crowd])
    {
        0 => held(body, out),
        1 => thrown_through(body, out),
        2 => returned(body, out),
        3 => {
            let mutex = some_mutex(body, out);
            deadlines::within(body, out, |body, out| {
                let block = inside(body);
                out.push(Stmt::Sync(mutex, block));
            });
        }
        4 => in_loop(body, out),
        5 => twice(body, out),
        7 => given_up(body, out),
        _ => nested(body, out),
    }
}

fn some_mutex<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) -> Expr {
    match body.variable(Kind::Mutex) {
        Some(mutex) => mutex,
        None => {
            let mutex = Expr::Builtin(Builtin::Mutex, vec![]);
            Expr::Name(body.let_in(out, Stem::Shared, Kind::Mutex, mutex))
        }
    }
}

/// What runs under a guard: it waits for nobody who could want the mutex.
fn inside<C: Choices>(body: &mut Body<'_, C>) -> Vec<Stmt> {
    let waits = body.may_wait();
    let role = std::mem::replace(&mut body.role, Role::Helper);
    let block = body.block(|body, out| {
        body.statements(1, out);
        if waits && body.c.chance(1, 2) {
            let wait = match body.c.chance(1, 2) {
                true => Expr::Builtin(Builtin::YieldNow, vec![]),
                false => {
                    let ms = i64::from(body.c.below(3));
                    Expr::Builtin(Builtin::Sleep, vec![Expr::Int(ms)])
                }
            };
            out.push(Stmt::Expr(wait));
        }
        if body.c.chance(1, 2) {
            body.statements(1, out);
        }
        body.spend(1);
    });
    body.role = role;
    block
}

fn held<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = some_mutex(body, out);
    let block = inside(body);
    out.push(Stmt::Sync(mutex, block));
    body.spend(2);
}

/// A throw leaves the guard, in this frame or in one above; then the mutex is wanted again.
fn thrown_through<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = some_mutex(body, out);
    let value = body.fresh(1);
    let mut block = inside(body);
    block.push(Stmt::Throw(value));
    let throws = vec![Stmt::Sync(mutex.clone(), block)];
    let tried = match body.c.chance(1, 2) {
        true => {
            let closure = body.lambda(&[], |_, out| out.extend(throws));
            vec![Stmt::Expr(Expr::Call(Box::new(closure), vec![]))]
        }
        false => throws,
    };
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    if body.c.chance(1, 2) {
        let block = inside(body);
        out.push(Stmt::Sync(mutex, block));
    }
    body.spend(3);
}

fn returned<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = some_mutex(body, out);
    let mut block = inside(body);
    let value = body.fresh(1);
    block.push(Stmt::Return(value));
    let closure = body.lambda(&[], |_, out| out.push(Stmt::Sync(mutex, block)));
    let call = Expr::Call(Box::new(closure), vec![]);
    body.let_in(out, Stem::Local, Kind::Any, call);
    body.spend(2);
}

fn in_loop<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = some_mutex(body, out);
    let leave = match body.c.chance(1, 2) {
        true => Stmt::Break,
        false => Stmt::Continue,
    };
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(3, |body, out| {
        let mut block = inside(body);
        let condition = body.coin();
        block.insert(0, Stmt::If(condition, vec![leave], vec![]));
        out.push(Stmt::Sync(mutex, block));
    });
    let rounds = Expr::Int(i64::from(body.c.within(1, 3)));
    out.push(Stmt::For {
        name,
        over: Expr::Range(Box::new(Expr::Int(0)), Box::new(rounds)),
        limit: None,
        body: inner,
    });
}

/// Two guards with hardly anything between them. The second mutex is one's own: nobody takes
/// both in the other order.
fn nested<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let first = some_mutex(body, out);
    let second = Expr::Builtin(Builtin::Mutex, vec![]);
    let second = body.let_in(out, Stem::Shared, Kind::Mutex, second);
    let spawns = tasks::can_spawn(body);
    let block = body.block(|body, out| {
        let spawn = match spawns && body.c.chance(1, 2) {
            true => tasks::spawn(body, 1),
            false => None,
        };
        match spawn {
            // Nobody waits here for a task that may want the mutex.
            Some(spawn) => out.push(Stmt::Expr(spawn)),
            None => channels::touch_shared(body, out),
        }
    });
    let inner = Stmt::Sync(Expr::Name(second), block);
    out.push(Stmt::Sync(first, vec![inner]));
    body.spend(2);
}

/// Several who want what one has, and some of them give up: cancelled, or because their time is over,
/// just when their turn may have come.
fn given_up<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = Expr::Builtin(Builtin::Mutex, vec![]);
    let mutex = body.let_in(out, Stem::Shared, Kind::Mutex, mutex);
    let waiters = body.c.within(2, 4).min(body.tasks as u32);
    let waiting = (1..=waiters).map(|at| {
        let shown = Expr::Builtin(Builtin::Print, vec![Expr::Int(at.into())]);
        let mut inside = vec![Stmt::Expr(shown)];
        match body.c.below(3) {
            0 => {}
            1 => inside.push(Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![]))),
            _ => inside.push(tasks::sleep(1)),
        }
        let wants = vec![Stmt::Sync(Expr::Name(mutex), inside)];
        tasks::spawn_one_that_gives_up(body, out, wants)
    });
    let waiting: Vec<Name> = waiting.collect();
    let ms = body.c.below(4);
    let mut held = vec![tasks::sleep(ms)];
    let cancelled = |body: &mut Body<'_, C>, (part, of), out: &mut Vec<Stmt>| {
        for _ in 0..2 {
            if body.has(Feature::Cancel) && body.c.chance(part, of) {
                let which = waiting[body.below(waiting.len())];
                out.push(Stmt::Cancel(Expr::Name(which)));
            }
        }
    };
    cancelled(body, (1, 2), &mut held);
    out.push(Stmt::Sync(Expr::Name(mutex), held));
    if body.tasks > 0 && body.c.chance(1, 2) {
        // Who let go of it has it again before any of them, and one more comes too late for it.
        let wants = vec![Stmt::Sync(Expr::Name(mutex), vec![])];
        let again = body.block(|body, out| {
            tasks::spawn_one_that_gives_up(body, out, wants);
            out.extend((0..body.c.within(1, 2)).map(|_| tasks::sleep(0)));
            cancelled(body, (2, 3), out);
        });
        out.push(Stmt::Sync(Expr::Name(mutex), again));
    }
    cancelled(body, (1, 2), out);
    body.spend(24);
}

/// Taken by who has it already.
fn twice<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mutex = some_mutex(body, out);
    let block = inside(body);
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
    out.push(Stmt::Try {
        body: vec![Stmt::Sync(mutex.clone(), vec![Stmt::Sync(mutex, block)])],
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(2);
}
