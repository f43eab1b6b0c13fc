//! Tasks: spawn and await, several tasks on one future, what is reachable through a future
//! alone, temporaries that wait with their task.

use gcrucible_bytecode::{Builtin, Method};

use super::streams;
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::{Kind, Signature};
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let spawns = u32::from(can_spawn(body));
    let loops = u32::from(body.has(Feature::Loops) && body.tasks >= 2 && body.loops == 0);
    let closures = u32::from(body.has(Feature::Closures) && body.has(Feature::SharedCells));
    let futures = u32::from(body.locals.iter().any(|local| local.kind == Kind::Future));
    let shared = u32::from(body.has(Feature::SharedFutures) && body.world.shared_futures.is_some());
    let entry = u32::from(body.role == Role::Entry);
    let waiters = body
        .world
        .workers
        .iter()
        .any(|worker| worker.params.contains(&Kind::Future));
    let waiters = u32::from(waiters && body.tasks >= 3);
    match body.c.weighted(&[
        6 * spawns,
        7 * futures,
        3 * spawns * loops,
        3 * spawns * closures,
        3 * spawns * shared,
        3 * shared * entry,
        6 * spawns * waiters,
        2,
    ]) {
        0 => {
            spawn_one(body, out);
        }
        1 => await_one(body, out),
        2 => fan_out(body, out),
        3 => spawn_closure(body, out),
        4 => share(body, out),
        5 => await_shared(body, out),
        6 => crowd(body, out),
        _ => pause(body, out),
    }
}

/// Starts a task, for everybody to find or not; something else if the body may not.
pub(super) fn statement_that_starts<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.world.shared_futures.is_some() && can_spawn(body) && body.c.chance(1, 2) {
        share(body, out);
    } else {
        spawn_one(body, out);
    }
}

/// Whether the body may start a task here.
pub(super) fn can_spawn<C: Choices>(body: &Body<'_, C>) -> bool {
    let may = match body.role {
        Role::Entry => true,
        Role::Worker => body.has(Feature::NestedTasks),
        Role::Init => body.has(Feature::TasksAtInit),
        Role::Helper => false,
    };
    may && body.tasks > 0 && !body.world.workers.is_empty()
}

/// A worker that can be afforded so many times, and of which `fits` is true.
fn some_worker_that<C: Choices>(
    body: &mut Body<'_, C>,
    times: i32,
    fits: impl Fn(&Signature) -> bool,
) -> Option<Signature> {
    let fits: Vec<usize> = (0..body.world.workers.len())
        .filter(|&at| {
            let worker = &body.world.workers[at];
            body.affords(worker.cost * times)
                && (worker.tasks + 1) * times <= body.tasks
                && fits(worker)
        })
        .collect();
    let &at = fits.get(body.below(fits.len()))?;
    Some(body.world.workers[at].clone())
}

/// Spends what a worker costs.
fn charge<C: Choices>(body: &mut Body<'_, C>, worker: &Signature, times: i32) {
    body.spend(worker.cost * times);
    body.tasks -= (worker.tasks + 1) * times;
}

/// An expression that starts a task.
pub(super) fn spawn<C: Choices>(body: &mut Body<'_, C>, times: i32) -> Option<Expr> {
    let has_future = body.locals.iter().any(|local| local.kind == Kind::Future);
    let fits = |worker: &Signature| has_future || !worker.params.contains(&Kind::Future);
    let worker = some_worker_that(body, times, fits)?;
    charge(body, &worker, times);
    let arguments = body.arguments(&worker.params, 1);
    Some(Expr::spawn(worker.name, arguments))
}

/// Starts a task and keeps its future in a variable.
pub(super) fn spawn_one<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) -> Option<Name> {
    if !can_spawn(body) {
        pause(body, out);
        return None;
    }
    let Some(spawn) = spawn(body, 1) else {
        pause(body, out);
        return None;
    };
    let name = body.let_in(out, Stem::Future, Kind::Future, spawn);
    if body.c.chance(1, 3) {
        await_one(body, out);
    }
    Some(name)
}

/// Starts a task that sleeps for a while, and perhaps goes on when it is cancelled; its future is in a
/// variable.
pub(super) fn spawn_sleeper<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
) -> Option<Name> {
    if !can_spawn(body) {
        pause(body, out);
        return None;
    }
    let ms = i64::from(body.c.within(2, 12));
    let sleeper = body.lambda(&[], |body, out| {
        let sleep = Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![Expr::Int(ms)]));
        let caught = body.world.fresh(Stem::Caught);
        let shown = Stmt::Expr(Expr::Builtin(Builtin::Print, vec![Expr::Name(caught)]));
        out.push(match body.c.below(4) {
            0 => Stmt::Try {
                body: vec![sleep],
                typed: Vec::new(),
                catch: Some((caught, vec![shown])),
                finally: None,
            },
            1 => Stmt::Try {
                body: vec![sleep],
                typed: Vec::new(),
                catch: None,
                finally: Some(vec![Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![]))]),
            },
            _ => sleep,
        });
        let value = body.literal_int();
        out.push(match body.c.chance(1, 5) {
            true => Stmt::Throw(value),
            false => Stmt::Return(value),
        });
    });
    let spawn = Expr::Spawn(Box::new(sleeper), vec![]);
    let name = body.let_in(out, Stem::Future, Kind::Future, spawn);
    body.tasks -= 1;
    body.spend(5);
    Some(name)
}

/// Waits for so many milliseconds.
pub(super) fn sleep(ms: u32) -> Stmt {
    Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![Expr::Int(ms.into())]))
}

/// Starts a task that does what it `wants` to, perhaps in a bounded time; that it could not is of
/// no interest to anybody.
pub(super) fn spawn_one_that_gives_up<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    wants: Vec<Stmt>,
) -> Name {
    let caught = body.world.fresh(Stem::Caught);
    let time = body.c.below(4);
    let is_bounded = body.has(Feature::Deadlines) && body.c.chance(1, 3);
    let tried = match is_bounded {
        true => vec![Stmt::Deadline(Expr::Int(time.into()), wants)],
        false => wants,
    };
    let waiter = body.lambda(&[], |_, out| {
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: Some((caught, vec![])),
            finally: None,
        });
    });
    body.tasks -= 1;
    let spawn = Expr::Spawn(Box::new(waiter), vec![]);
    body.let_in(out, Stem::Future, Kind::Future, spawn)
}

/// Awaits a future; the tasks of others may end with an error.
pub(super) fn await_one<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(future) = body.variable(Kind::Future) else {
        return pause(body, out);
    };
    let awaited = Expr::awaited(future);
    let value = match body.has(Feature::AwaitInside) && body.c.chance(1, 2) {
        // Objects that only waiting registers refer to.
        true => {
            let mut parts = vec![body.fresh(1), awaited];
            if body.c.chance(1, 2) {
                parts.push(body.fresh(1));
            }
            Expr::Array(parts)
        }
        false => awaited,
    };
    if body.has(Feature::Catch) && body.c.chance(1, 2) {
        let caught = body.world.fresh(Stem::Caught);
        let tried = body.block(|body, out| {
            let name = body.let_in(out, Stem::Local, Kind::Any, value);
            use_result(body, out, Expr::Name(name));
        });
        let handler = body.block(|body, out| use_result(body, out, Expr::Name(caught)));
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: Some((caught, handler)),
            finally: None,
        });
        body.spend(2);
    } else {
        let name = body.let_in(out, Stem::Local, Kind::Any, value);
        if body.c.chance(1, 2) {
            use_result(body, out, Expr::Name(name));
        }
    }
}

/// Evaluates something that may throw, and uses what comes of it.
pub(super) fn try_and_use<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, value: Expr) {
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.block(|body, out| {
        let name = body.let_in(out, Stem::Local, Kind::Any, value);
        use_result(body, out, Expr::Name(name));
    });
    let handler = body.block(|body, out| use_result(body, out, Expr::Name(caught)));
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(1);
}

/// Prints a value or puts it where it lives long.
pub(super) fn use_result<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, value: Expr) {
    out.push(match (body.c.below(3), body.global(Kind::List)) {
        (1, Some(list)) => {
            let pair = Expr::Array(vec![value, body.fresh(0)]);
            Stmt::Expr(Expr::method(list, Method::Push, vec![pair]))
        }
        (2, _) => match body.global(Kind::Dict) {
            Some(map) => Stmt::Assign(Expr::index(map, body.key()), value),
            None => Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value])),
        },
        _ => Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value])),
    });
    body.spend(1);
}

/// Several tasks that wait for one future, awaited in turn.
fn crowd<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(first) = spawn_one(body, out) else {
        return;
    };
    let mut waiting = Vec::new();
    for _ in 0..body.c.within(1, 3) {
        let fits = |worker: &Signature| worker.params.contains(&Kind::Future);
        let Some(waiter) = some_worker_that(body, 1, fits) else {
            break;
        };
        charge(body, &waiter, 1);
        let arguments = waiter.params.iter().map(|&kind| match kind {
            Kind::Future => Expr::Name(first),
            kind => body.expr(kind, 1),
        });
        let spawn = Expr::spawn(waiter.name, arguments.collect());
        waiting.push(body.let_in(out, Stem::Future, Kind::Future, spawn));
    }
    if body.c.chance(1, 3) {
        body.statements(1, out);
    }
    if body.c.chance(2, 3) {
        let awaited = waiting
            .into_iter()
            .map(|future| Expr::awaited(Expr::Name(future)));
        let mut parts: Vec<Expr> = awaited.collect();
        parts.insert(0, body.fresh(1));
        body.let_in(out, Stem::Local, Kind::List, Expr::Array(parts));
    }
}

/// Several tasks, all awaited afterwards.
fn fan_out<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let rounds = body.c.within(2, 3) as i32;
    let Some(spawn) = spawn(body, rounds) else {
        spawn_one(body, out);
        return;
    };
    let all = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(all, Expr::Array(vec![])));
    let name = body.world.fresh(Stem::Local);
    let push = Expr::method(Expr::Name(all), Method::Push, vec![spawn]);
    let over = Expr::Range(Box::new(Expr::Int(0)), Box::new(Expr::Int(rounds.into())));
    out.push(Stmt::For {
        name,
        over,
        limit: None,
        body: vec![Stmt::Expr(push)],
    });
    let each = body.world.fresh(Stem::Future);
    let inner = body.loop_body(rounds, |body, out| {
        let awaited = Expr::awaited(Expr::Name(each));
        if body.has(Feature::Catch) {
            let caught = body.world.fresh(Stem::Caught);
            let tried = body.block(|body, out| use_result(body, out, awaited));
            let handler = body.block(|body, out| use_result(body, out, Expr::Name(caught)));
            out.push(Stmt::Try {
                body: tried,
                typed: Vec::new(),
                catch: Some((caught, handler)),
                finally: None,
            });
        } else {
            use_result(body, out, awaited);
        }
        body.spend(1);
    });
    out.push(Stmt::For {
        name: each,
        over: Expr::Name(all),
        limit: None,
        body: inner,
    });
    body.spend(2 + rounds);
}

/// A task that shares a captured variable with this one.
fn spawn_closure<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let start = body.fresh(1);
    let shared = body.let_in(out, Stem::Local, Kind::Any, start);
    let closure = body.lambda(&[], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let count = body.c.within(0, 2);
        body.statements(count, out);
        let fresh = body.fresh(1);
        let both = Expr::Array(vec![Expr::Name(shared), fresh]);
        out.push(Stmt::Assign(Expr::Name(shared), both));
        out.push(Stmt::Return(Expr::Name(shared)));
        body.role = role;
    });
    let spawn = Expr::Spawn(Box::new(closure), vec![]);
    body.let_in(out, Stem::Future, Kind::Future, spawn);
    body.tasks -= 1;
    let fresh = body.fresh(1);
    out.push(Stmt::Assign(Expr::Name(shared), fresh));
    body.spend(4);
    if body.c.chance(1, 2) {
        await_one(body, out);
    }
}

/// A task whose future everybody can find.
fn share<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.sometimes(Feature::Streams, 12)
        && let Some(table) = body.world.shared_futures
    {
        return share_stream(body, out, table);
    }
    let (Some(table), Some(spawn)) = (body.world.shared_futures, spawn(body, 1)) else {
        return pause(body, out);
    };
    out.push(Stmt::Expr(Expr::method(
        Expr::Name(table),
        Method::Push,
        vec![spawn],
    )));
    body.spend(1);
}

/// A task whose result is a stream, or what has one in it: whoever finds its future finds that.
fn share_stream<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, table: Name) {
    let stream = streams::of_ints(body.c);
    let result = match body.c.below(3) {
        0 => stream,
        1 => Expr::Array(vec![body.literal_int(), stream]),
        _ => Expr::Map(vec![(Expr::text("key"), stream)]),
    };
    let task = body.lambda(&[], |_, out| out.push(Stmt::Return(result)));
    let spawn = Expr::Spawn(Box::new(task), vec![]);
    out.push(Stmt::Expr(Expr::method(
        Expr::Name(table),
        Method::Push,
        vec![spawn],
    )));
    body.tasks -= 1;
    body.spend(3);
}

/// Awaits the futures that everybody can find. Only calls do that: among tasks it could
/// end in a circle of waiting.
fn await_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(table) = body.world.shared_futures else {
        return pause(body, out);
    };
    let each = body.world.fresh(Stem::Future);
    let counter = body.world.fresh(Stem::Counter);
    let inner = body.loop_body(2, |body, out| {
        let caught = body.world.fresh(Stem::Caught);
        let awaited = Expr::awaited(Expr::Name(each));
        let tried = body.block(|body, out| use_result(body, out, awaited));
        let handler = body.block(|body, out| use_result(body, out, Expr::Name(caught)));
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: Some((caught, handler)),
            finally: None,
        });
        body.spend(3);
    });
    let limit = Some((counter, body.c.within(1, 4) as u8));
    out.push(Stmt::For {
        name: each,
        over: Expr::Name(table),
        limit,
        body: inner,
    });
}

/// Awaits the first of them, if there is one, and allocates nothing for it.
pub(super) fn await_first_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(table) = body.world.shared_futures else {
        return;
    };
    let length = Expr::method(Expr::Name(table), Method::Len, vec![]);
    let condition = Expr::binary(BinaryOp::Gt, length, Expr::Int(0));
    let awaited = Expr::awaited(Expr::index(Expr::Name(table), Expr::Int(0)));
    let caught = body.world.fresh(Stem::Caught);
    let tried = Stmt::Try {
        body: vec![Stmt::Expr(awaited)],
        typed: Vec::new(),
        catch: Some((caught, vec![])),
        finally: None,
    };
    out.push(Stmt::If(condition, vec![tried], vec![]));
    body.spend(2);
}

/// Lets others run.
pub(super) fn pause<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let sleep = u32::from(body.has(Feature::Sleep) && body.may_wait());
    let yields = u32::from(body.has(Feature::Yield));
    let collect = u32::from(body.has(Feature::Collect));
    out.push(match body.c.weighted(&[2 * yields, sleep, collect, 1]) {
        0 if yields > 0 => Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![])),
        1 => {
            let ms = i64::from(body.c.below(4));
            Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![Expr::Int(ms)]))
        }
        2 => Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![])),
        _ => {
            let value = body.some_variable();
            Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value]))
        }
    });
    body.spend(1);
}
