//! Channels: producers and consumers, closing, waits for room, values that only a channel
//! holds.

use gcrucible_bytecode::{Builtin, Method};

use super::{deadlines, methods, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let spawns = u32::from(tasks::can_spawn(body) && body.affords(20));
    let deadline = u32::from(body.has(Feature::Deadlines) && body.nesting < 3);
    let crowd = spawns * u32::from(body.tasks >= 3 && body.affords(40));
    match body
        .c
        .weighted(&[6 * spawns, 4, 2 * deadline, 2, 6 * crowd])
    {
        0 => produce(body, out),
        1 => try_shared(body, out),
        2 => bounded_wait(body, out),
        4 => given_up(body, out),
        _ => own(body, out),
    }
}

fn new_channel<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let capacity = Expr::Int(i64::from(body.c.within(1, 3)));
    Expr::Builtin(Builtin::Channel, vec![capacity])
}

fn close(channel: Name) -> Stmt {
    Stmt::Expr(Expr::method(Expr::Name(channel), Method::Close, vec![]))
}

/// A task that sends, and closes however it ends; this one receives.
fn produce<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let channel = new_channel(body);
    let channel = body.let_in(out, Stem::Shared, Kind::Channel, channel);
    let count = i64::from(body.c.within(1, 4));
    for _ in 0..body.c.within(1, 2).min(body.tasks as u32) {
        let producer = body.lambda(&[], |body, out| {
            let role = std::mem::replace(&mut body.role, Role::Helper);
            let each = body.world.fresh(Stem::Local);
            let value = Expr::Array(vec![Expr::Name(each), body.fresh(1)]);
            let mut sends = vec![Stmt::Expr(Expr::method(
                Expr::Name(channel),
                Method::Send,
                vec![value],
            ))];
            if body.c.chance(1, 4) {
                tasks::pause(body, &mut sends);
            }
            let tried = Stmt::For {
                name: each,
                over: Expr::Range(Box::new(Expr::Int(0)), Box::new(Expr::Int(count))),
                limit: None,
                body: sends,
            };
            out.push(Stmt::Try {
                body: vec![tried],
                typed: Vec::new(),
                catch: None,
                finally: Some(vec![close(channel)]),
            });
            body.role = role;
        });
        let spawn = Expr::Spawn(Box::new(producer), vec![]);
        body.let_in(out, Stem::Future, Kind::Future, spawn);
        body.tasks -= 1;
        body.spend(8);
    }
    let received = body.block(|body, out| match body.c.below(3) {
        0 => {
            let value = Expr::method(Expr::Name(channel), Method::Receive, vec![]);
            tasks::try_and_use(body, out, value);
        }
        // Left early: the producers find the channel closed.
        1 => methods::loop_over(body, out, Expr::Name(channel), 1),
        _ => methods::loop_over(body, out, Expr::Name(channel), 12),
    });
    out.push(Stmt::Try {
        body: received,
        typed: Vec::new(),
        catch: None,
        finally: Some(vec![close(channel)]),
    });
    body.spend(2);
}

/// A channel that everybody finds, without waiting.
fn try_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(channel) = body.variable(Kind::Channel) else {
        return own(body, out);
    };
    let value = match body.c.chance(1, 2) {
        true => Expr::method(channel, Method::TrySend, vec![body.fresh(2)]),
        false => Expr::method(channel, Method::TryReceive, vec![]),
    };
    tasks::try_and_use(body, out, value);
}

/// The same with a value that is no object: nothing is allocated on the way, so that it comes
/// right behind what was before.
pub(super) fn touch_shared<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(channel) = body.variable(Kind::Channel) else {
        return;
    };
    let touch = match body.c.chance(1, 2) {
        true => Expr::method(channel, Method::TrySend, vec![Expr::Int(1)]),
        false => Expr::method(channel, Method::TryReceive, vec![]),
    };
    let caught = body.world.fresh(Stem::Caught);
    out.push(Stmt::Try {
        body: vec![Stmt::Expr(touch)],
        typed: Vec::new(),
        catch: Some((caught, vec![])),
        finally: None,
    });
    body.spend(1);
}

/// A wait on a channel that everybody finds, which time ends.
fn bounded_wait<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(channel) = body.variable(Kind::Channel) else {
        return own(body, out);
    };
    deadlines::within(body, out, |body, out| {
        let value = match body.c.chance(1, 2) {
            true => Expr::method(channel, Method::Send, vec![body.fresh(1)]),
            false => Expr::method(channel, Method::Receive, vec![]),
        };
        tasks::use_result(body, out, value);
    });
}

/// Several who wait to receive, or to send, some of them again and again, and some give up just when their turn may have
/// come. What they wait for comes in bursts, perhaps from two sides, so that several turns are under way at once. At last the
/// channel is closed, so that nobody waits for ever.
fn given_up<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let capacity = body.c.within(1, 3);
    let channel = Expr::Builtin(Builtin::Channel, vec![Expr::Int(capacity.into())]);
    let channel = body.let_in(out, Stem::Shared, Kind::Channel, channel);
    let call = |method, arguments| Expr::method(Expr::Name(channel), method, arguments);
    let sends = body.c.chance(1, 3);
    if sends {
        let fill = |_| Stmt::Expr(call(Method::TrySend, vec![Expr::Int(0)]));
        out.extend((0..capacity).map(fill));
    }
    let helps = body.tasks >= 4 && body.c.chance(1, 2);
    let waiters = body
        .c
        .within(2, 5)
        .min(body.tasks as u32 - u32::from(helps));
    let waiting = (1..=waiters).map(|at| {
        let shown = Expr::Int(at.into());
        let wait = match sends {
            true => call(Method::Send, vec![shown.clone()]),
            false => call(Method::Receive, vec![]),
        };
        let seen = Expr::Array(vec![shown, wait]);
        let mut wants = vec![Stmt::Expr(Expr::Builtin(Builtin::Print, vec![seen]))];
        if body.c.chance(1, 2) {
            let times = Expr::Int(body.c.within(2, 4).into());
            wants = vec![Stmt::For {
                name: body.world.fresh(Stem::Local),
                over: Expr::Range(Box::new(Expr::Int(0)), Box::new(times)),
                limit: None,
                body: wants,
            }];
        }
        tasks::spawn_one_that_gives_up(body, out, wants)
    });
    let waiting: Vec<Name> = waiting.collect();
    let give = |at: i64| {
        Stmt::Expr(match sends {
            true => call(Method::TryReceive, vec![]),
            false => call(Method::TrySend, vec![Expr::Int(at)]),
        })
    };
    if helps {
        let mut acts = Vec::new();
        for at in 0..body.c.within(2, 6) {
            acts.push(match body.c.below(4) {
                0 => tasks::sleep(body.c.below(3)),
                _ => give(i64::from(at) + 20),
            });
        }
        tasks::spawn_one_that_gives_up(body, out, acts);
    }
    let mut acts = Vec::new();
    if body.c.chance(2, 3) {
        // They all wait by now.
        acts.push(tasks::sleep(1));
    }
    for at in 0..body.c.within(2, 8) {
        acts.push(match body.c.below(6) {
            0 if body.has(Feature::Cancel) => {
                let which = waiting[body.below(waiting.len())];
                Stmt::Cancel(Expr::Name(which))
            }
            0 => Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![])),
            1 => tasks::sleep(body.c.below(3)),
            _ => give(i64::from(at) + 10),
        });
    }
    out.push(Stmt::Try {
        body: acts,
        typed: Vec::new(),
        catch: None,
        finally: Some(vec![close(channel)]),
    });
    body.spend(30);
}

/// A channel of one's own, which holds what nothing else does.
fn own<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let channel = new_channel(body);
    let channel = body.let_in(out, Stem::Shared, Kind::Channel, channel);
    let value = body.fresh(2);
    let send = Expr::method(Expr::Name(channel), Method::Send, vec![value]);
    out.push(Stmt::Expr(send));
    body.statements(1, out);
    if body.c.chance(1, 3) {
        out.push(close(channel));
    }
    let take = Expr::method(Expr::Name(channel), Method::TryReceive, vec![]);
    body.let_in(out, Stem::Local, Kind::Any, take);
    body.spend(2);
}
