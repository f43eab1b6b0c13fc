//! Cancellation: of futures before and after they settled, caught and ignored, seen by
//! loops, met in `finally` blocks.

use gcrucible_bytecode::{Builtin, Method};

use super::{channels, streams, tasks};
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let cancel = u32::from(body.has(Feature::Cancel));
    let futures = u32::from(body.locals.iter().any(|local| local.kind == Kind::Future));
    let spawns = u32::from(tasks::can_spawn(body));
    let shared = u32::from(body.world.shared_futures.is_some());
    let asks = u32::from(body.has(Feature::CancellationRequested) && body.affords(12));
    let finally = u32::from(body.has(Feature::Finally));
    let catch = u32::from(body.has(Feature::Catch));
    let guards = catch * u32::from(body.has(Feature::Guards) && body.may_wait());
    match body.c.weighted(&[
        5 * cancel * futures,
        4 * cancel * spawns,
        4 * cancel * shared,
        3 * asks,
        2 * catch,
        2 * finally,
        2 * catch * futures,
        guards,
        1,
        4 * guards * cancel * spawns,
    ]) {
        0 => cancel_one(body, out),
        1 => spawn_and_cancel(body, out),
        2 => cancel_shared(body, out),
        3 => until_requested(body, out),
        4 => survive(body, out),
        5 => clean_up(body, out),
        6 => wrap(body, out),
        7 if guards > 0 => survive_with_a_guard(body, out),
        9 => abort_a_holder(body, out),
        _ => tasks::pause(body, out),
    }
}

fn cancel_one<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(future) = body.variable(Kind::Future) else {
        return tasks::pause(body, out);
    };
    out.push(Stmt::Cancel(future.clone()));
    body.spend(1);
    if body.c.chance(1, 5) {
        out.push(Stmt::Cancel(future.clone()));
        body.spend(1);
    }
    if body.has(Feature::Catch) && body.c.chance(1, 3) {
        await_cancelled(body, out, future);
    }
}

/// Awaits a future that was cancelled, or perhaps had settled before.
fn await_cancelled<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, future: Expr) {
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.block(|body, out| tasks::use_result(body, out, Expr::awaited(future)));
    let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(1);
}

fn spawn_and_cancel<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(name) = tasks::spawn_one(body, out) else {
        return;
    };
    if body.c.chance(2, 3) {
        match body.c.chance(1, 2) {
            true => tasks::pause(body, out),
            false => body.statements(1, out),
        }
    }
    out.push(Stmt::Cancel(Expr::Name(name)));
    body.spend(1);
    if body.has(Feature::Catch) && body.c.chance(1, 2) {
        await_cancelled(body, out, Expr::Name(name));
    }
}

/// Cancels one of the futures that everybody can find, perhaps the canceller's own.
fn cancel_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(table) = body.world.shared_futures else {
        return tasks::pause(body, out);
    };
    let at = i64::from(body.c.below(4));
    let length = Expr::method(Expr::Name(table), Method::Len, vec![]);
    let condition = Expr::binary(BinaryOp::Gt, length, Expr::Int(at));
    let future = Expr::index(Expr::Name(table), Expr::Int(at));
    out.push(Stmt::If(condition, vec![Stmt::Cancel(future)], vec![]));
    body.spend(2);
}

/// A loop that looks whether it should stop.
fn until_requested<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let rounds = body.c.within(2, 5);
    let counter = body.world.fresh(Stem::Counter);
    let asked = Expr::Builtin(Builtin::CancellationRequested, vec![]);
    let inner = body.loop_body(rounds as i32, |body, out| {
        let value = body.fresh(1);
        tasks::use_result(body, out, value);
        if body.c.chance(1, 2) {
            tasks::pause(body, out);
        }
        body.spend(2);
    });
    out.push(Stmt::Repeat {
        counter,
        times: rounds as u8,
        condition: Expr::Not(Box::new(asked)),
        body: inner,
    });
}

/// Something that cancellation ends, caught: the task goes on and waits once more.
fn survive<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let elements = body.sometimes(Feature::Streams, 3).then(|| {
        let elements = streams::of_ints(body.c);
        body.let_in(out, Stem::Shared, Kind::Stream, elements)
    });
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.block(wait);
    let handler = body.block(|body, out| {
        tasks::use_result(body, out, Expr::Name(caught));
        let spawns = 2 * u32::from(tasks::can_spawn(body));
        match body.c.weighted(&[2, 2, 2, spawns]) {
            0 => {}
            1 => wait(body, out),
            // What is started by one that is cancelled is cancelled.
            3 => _ = tasks::spawn_sleeper(body, out),
            // Asked again meanwhile, it still does what does not wait.
            _ => match elements {
                Some(elements) => out.extend((0..3).map(|_| streams::next(Expr::Name(elements)))),
                None => (0..4).for_each(|_| channels::touch_shared(body, out)),
            },
        }
    });
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(1);
}

/// An await whose error comes out as the payload of another one.
fn wrap<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(future) = body.variable(Kind::Future) else {
        return tasks::pause(body, out);
    };
    if body.has(Feature::Cancel) && body.c.chance(1, 2) {
        out.push(Stmt::Cancel(future.clone()));
        body.spend(1);
    }
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.block(|body, out| tasks::use_result(body, out, Expr::awaited(future)));
    let mut wrapped = Expr::Name(caught);
    for _ in 0..body.c.within(1, 2) {
        let message = body.word();
        wrapped = Expr::Builtin(Builtin::Error, vec![message, wrapped]);
    }
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, vec![Stmt::Throw(wrapped)])),
        finally: None,
    });
    body.spend(2);
}

/// A wait under a guard that cancellation ends, caught under the guard: it is released as
/// always. Nobody who could want the mutex is waited for.
fn survive_with_a_guard<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(mutex) = body.variable(Kind::Mutex) else {
        return tasks::pause(body, out);
    };
    let ms = Expr::Int(i64::from(body.c.below(4)));
    let caught = body.world.fresh(Stem::Caught);
    let tried = Stmt::Try {
        body: vec![Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms]))],
        typed: Vec::new(),
        catch: Some((caught, vec![])),
        finally: None,
    };
    out.push(Stmt::Sync(mutex, vec![tried]));
    body.spend(3);
}

/// A task that holds a mutex which another one wants, and does not end when it is cancelled: in the
/// end it is aborted, and the mutex is free.
fn abort_a_holder<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.tasks < 2 || !body.affords(30) {
        return spawn_and_cancel(body, out);
    }
    let mutex = Expr::Builtin(Builtin::Mutex, vec![]);
    let mutex = body.let_in(out, Stem::Shared, Kind::Mutex, mutex);
    let caught = body.world.fresh(Stem::Caught);
    let counter = body.world.fresh(Stem::Counter);
    // Ready all the time, or waiting when its grace ends.
    let goes_on = match body.c.chance(1, 2) {
        true => tasks::sleep(1),
        false => Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![])),
    };
    let holder = body.lambda(&[], |_, out| {
        let stubborn = Stmt::Repeat {
            counter,
            times: 40,
            condition: Expr::Bool(true),
            body: vec![goes_on],
        };
        let tried = Stmt::Try {
            body: vec![tasks::sleep(50)],
            typed: Vec::new(),
            catch: Some((caught, vec![stubborn])),
            finally: None,
        };
        out.push(Stmt::Sync(Expr::Name(mutex), vec![tried]));
    });
    let holder = Expr::Spawn(Box::new(holder), vec![]);
    let holder = body.let_in(out, Stem::Future, Kind::Future, holder);
    out.push(tasks::sleep(1));
    let shown = body.word();
    let wanting = body.lambda(&[], |_, out| {
        let print = Stmt::Expr(Expr::Builtin(Builtin::Print, vec![shown]));
        out.push(Stmt::Sync(Expr::Name(mutex), vec![print]));
    });
    let wanting = Expr::Spawn(Box::new(wanting), vec![]);
    let wanting = body.let_in(out, Stem::Future, Kind::Future, wanting);
    out.push(tasks::sleep(1));
    out.push(Stmt::Cancel(Expr::Name(holder)));
    // So that time passes while it goes on.
    for _ in 0..3 {
        out.push(tasks::sleep(3));
    }
    tasks::try_and_use(body, out, Expr::awaited(Expr::Name(wanting)));
    body.tasks -= 2;
    body.spend(25);
}

/// Something that cancellation ends, with work to be done in any case.
fn clean_up<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let tried = body.block(wait);
    let finally = body.block(|body, out| {
        let value = body.fresh(1);
        tasks::use_result(body, out, value);
        if body.c.chance(1, 3) {
            wait(body, out);
        }
    });
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: None,
        finally: Some(finally),
    });
    body.spend(1);
}

/// Waits for a future or for time.
fn wait<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    match body.variable(Kind::Future) {
        Some(future) if body.c.chance(2, 3) => {
            let value = Expr::Array(vec![body.fresh(1), Expr::awaited(future)]);
            body.let_in(out, Stem::Local, Kind::List, value);
        }
        _ => tasks::pause(body, out),
    }
}
