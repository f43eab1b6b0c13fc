//! Clients: attempts that fail and are made again, fallbacks, turns, nested ones, whatever
//! ends the wait for them; and calls of tasks that are cancelled in the middle of an attempt,
//! of a pause, or before.

use gcrucible_bytecode::Builtin;

use super::{deadlines, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

/// Clients within each other, at most.
const DEPTH_MAX: u32 = 2;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.affords(16) || body.nesting >= 4 || body.loops > 0 {
        return tasks::pause(body, out);
    }
    // Nothing else knows the counter, so that its attempts have an end.
    let attempts = body.world.fresh(Stem::Counter);
    out.push(Stmt::Let(attempts, Expr::Int(0)));
    let client = client(body, attempts, DEPTH_MAX);
    let name = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(name, client));
    body.spend(6);
    for _ in 0..body.c.within(1, 2) {
        let spawns = u32::from(tasks::can_spawn(body));
        let cancels = spawns * u32::from(body.has(Feature::Cancel));
        let deadlines = u32::from(body.has(Feature::Deadlines));
        match body.c.weighted(&[4, 2 * deadlines, 6 * cancels, spawns, 1]) {
            1 => {
                let call = call(body, name);
                deadlines::within(body, out, |body, out| tasks::use_result(body, out, call));
            }
            2 => cancelled(body, out, name),
            3 => {
                spawned(body, out, name);
            }
            4 => after_wait(body, out, name),
            _ => try_call(body, out, name),
        }
        body.spend(6);
    }
    // How many were made, and whose turn it was, shows in what the program does.
    let seen = Expr::Array(vec![Expr::Name(attempts), Expr::Name(name)]);
    body.let_in(out, Stem::Local, Kind::Any, seen);
}

fn call<C: Choices>(body: &mut Body<'_, C>, client: Name) -> Expr {
    let request = body.fresh(0);
    Expr::library("clients.call", vec![Expr::Name(client), request])
}

fn try_call<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, client: Name) {
    let call = call(body, client);
    tasks::try_and_use(body, out, call);
}

/// A call that is made after something that may have been cancelled.
fn after_wait<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, client: Name) {
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.block(|body, out| match body.c.chance(1, 2) {
        true => wait(body, out),
        false => try_call(body, out, client),
    });
    let handler = body.block(|body, out| try_call(body, out, client));
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(1);
}

/// A task that calls a client which others call, too.
fn spawned<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, client: Name) -> Name {
    let task = body.lambda(&[], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Worker);
        let tasks_left = std::mem::take(&mut body.tasks);
        match body.c.chance(1, 2) {
            true => after_wait(body, out, client),
            false => try_call(body, out, client),
        }
        let value = body.fresh(0);
        out.push(Stmt::Return(value));
        body.role = role;
        body.tasks = tasks_left;
    });
    let spawn = Expr::Spawn(Box::new(task), vec![]);
    body.tasks -= 1;
    body.let_in(out, Stem::Future, Kind::Future, spawn)
}

/// The same, and its cancellation.
fn cancelled<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, client: Name) {
    let future = spawned(body, out, client);
    match body.c.below(3) {
        0 => wait(body, out),
        1 => tasks::pause(body, out),
        _ => {}
    }
    out.push(Stmt::Cancel(Expr::Name(future)));
    body.spend(1);
    if body.c.chance(1, 2) {
        tasks::try_and_use(body, out, Expr::awaited(Expr::Name(future)));
    }
}

/// Lets time or others pass.
fn wait<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let ms = Expr::Int(i64::from(body.c.below(3)));
    out.push(Stmt::Expr(match body.has(Feature::Sleep) {
        true => Expr::Builtin(Builtin::Sleep, vec![ms]),
        false => Expr::Builtin(Builtin::YieldNow, vec![]),
    }));
    body.spend(1);
}

fn client<C: Choices>(body: &mut Body<'_, C>, attempts: Name, depth: u32) -> Expr {
    let nested = u32::from(depth > 0);
    match body.c.weighted(&[2, 3 * nested, 2 * nested, 2 * nested]) {
        0 => named(body, attempts),
        1 => {
            let inner = client(body, attempts, depth - 1);
            let count = Expr::Int(i64::from(body.c.within(1, 3)));
            let backoff = Expr::Int(i64::from(body.c.below(3)));
            Expr::library("clients.retry", vec![inner, count, backoff])
        }
        which => {
            let count = body.c.within(1, 2);
            let list = (0..count)
                .map(|_| client(body, attempts, depth - 1))
                .collect();
            let name = match which {
                2 => "clients.fallback",
                _ => "clients.round_robin",
            };
            Expr::library(name, vec![Expr::Array(list)])
        }
    }
}

/// A client that waits or not, and fails its first attempts.
fn named<C: Choices>(body: &mut Body<'_, C>, attempts: Name) -> Expr {
    let fails = i64::from(body.c.below(4));
    let waits = body.c.below(4);
    let ms = Expr::Int(i64::from(body.c.below(3)));
    let word = body.word();
    let call = body.lambda(&[Kind::Any], |body, out| {
        let request = body.locals.last().map(|local| Expr::Name(local.name));
        out.push(Stmt::Update(
            Expr::Name(attempts),
            BinaryOp::Add,
            Expr::Int(1),
        ));
        match waits {
            0 => {}
            1 => out.push(Stmt::Expr(Expr::library("http.get", vec![word.clone()]))),
            _ => out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms]))),
        }
        let too_early = Expr::binary(BinaryOp::Le, Expr::Name(attempts), Expr::Int(fails));
        let value = Expr::Array(request.into_iter().chain([Expr::Name(attempts)]).collect());
        out.push(Stmt::If(
            too_early,
            vec![Stmt::Throw(value.clone())],
            vec![],
        ));
        out.push(Stmt::Return(value));
    });
    Expr::library("clients.named", vec![word, call])
}
