//! Deadlines: waits that time ends, deadlines left in every way, and time that passes behind
//! them.

use gcrucible_bytecode::{Builtin, ErrorKind};

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt, TypeName};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let spawns = u32::from(tasks::can_spawn(body));
    let loops = u32::from(body.has(Feature::Loops) && body.affords(12) && body.nesting < 3);
    match body
        .c
        .weighted(&[4, 3, 3, 3 * spawns, 3 * loops, 2, 3 * loops, 3 * spawns])
    {
        0 => within(body, out, |body, out| {
            body.statements(1, out);
            sleep(body, out);
        }),
        1 => caught_inside(body, out),
        2 => returned(body, out),
        3 => with_children(body, out),
        4 => left_in_loop(body, out),
        5 => thrown_through(body, out),
        7 => nested(body, out),
        _ => within(body, out, |body, out| caught_in_loop(body, out, 10)),
    }
    if body.c.chance(1, 2) {
        // One that is still armed would end this.
        sleep(body, out);
    }
}

fn ms<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    Expr::Int(i64::from(body.c.below(5)))
}

fn sleep<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let ms = Expr::Int(i64::from(body.c.within(1, 6)));
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms])));
    body.spend(1);
}

/// A deadline around statements, with a handler around it.
pub(super) fn within<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    fill: impl FnOnce(&mut Body<'_, C>, &mut Vec<Stmt>),
) {
    let time = ms(body);
    let inner = body.block(fill);
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
    let late = TypeName::Error(ErrorKind::DeadlineExceeded);
    let typed = match body.has(Feature::TypedCatch) && body.c.chance(1, 2) {
        true => vec![(caught, late, handler.clone())],
        false => Vec::new(),
    };
    let finally = body
        .sometimes(Feature::Finally, 4)
        .then(|| body.small_block());
    out.push(Stmt::Try {
        body: vec![Stmt::Deadline(time, inner)],
        typed,
        catch: Some((caught, handler)),
        finally,
    });
    body.spend(2);
}

/// The deadline is caught inside of itself, and each further wait meets it again.
fn caught_inside<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    within(body, out, |body, out| {
        let tried = body.block(|body, out| {
            sleep(body, out);
            body.statements(1, out);
        });
        let caught = body.world.fresh(Stem::Caught);
        let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: Some((caught, handler)),
            finally: None,
        });
        if body.c.chance(1, 2) {
            sleep(body, out);
        }
    });
}

/// Whatever it meets, it goes on: up to the end of its grace time, or of its rounds.
pub(super) fn caught_in_loop<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, rounds: i32) {
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds, |body, out| {
        let tried = body.block(|body, out| {
            sleep(body, out);
            if body.c.chance(1, 3) {
                body.statements(1, out);
            }
        });
        let caught = body.world.fresh(Stem::Caught);
        let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
        let finally = body
            .sometimes(Feature::Finally, 4)
            .then(|| body.small_block());
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: Some((caught, handler)),
            finally,
        });
    });
    let rounds = Expr::Int(rounds.into());
    out.push(Stmt::For {
        name,
        over: Expr::Range(Box::new(Expr::Int(0)), Box::new(rounds)),
        limit: None,
        body: inner,
    });
}

/// A closure that returns out of a deadline.
fn returned<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let time = Expr::Int(i64::from(body.c.within(1, 4)));
    let closure = body.lambda(&[], |body, out| {
        let inner = body.block(|body, out| {
            if body.c.chance(1, 2) {
                body.statements(1, out);
            }
            let value = body.fresh(1);
            out.push(Stmt::Return(value));
        });
        let inner = match body.sometimes(Feature::Finally, 3) {
            true => vec![Stmt::Try {
                body: inner,
                typed: Vec::new(),
                catch: None,
                finally: Some(body.small_block()),
            }],
            false => inner,
        };
        out.push(Stmt::Deadline(time, inner));
    });
    let call = Expr::Call(Box::new(closure), vec![]);
    body.let_in(out, Stem::Local, Kind::Any, call);
    body.spend(3);
}

/// A deadline in a closure that a throw leaves; the handler is outside.
fn thrown_through<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let time = Expr::Int(i64::from(body.c.within(1, 4)));
    let value = body.fresh(1);
    let throws = vec![Stmt::Deadline(time, vec![Stmt::Throw(value)])];
    match body.c.chance(1, 2) {
        true => {
            let closure = body.lambda(&[], |_, out| out.extend(throws));
            tasks::try_and_use(body, out, Expr::Call(Box::new(closure), vec![]));
        }
        false => {
            let caught = body.world.fresh(Stem::Caught);
            let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
            out.push(Stmt::Try {
                body: throws,
                typed: Vec::new(),
                catch: Some((caught, handler)),
                finally: None,
            });
        }
    }
    body.spend(3);
}

/// Tasks that inherit a deadline, and are cancelled with it.
fn with_children<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    within(body, out, |body, out| {
        for _ in 0..body.c.within(1, 2) {
            tasks::spawn_one(body, out);
        }
        match body.c.chance(1, 2) {
            true => sleep(body, out),
            false => tasks::await_one(body, out),
        }
    });
}

/// Scopes within each other, with tasks that are started before the inner one, in it and behind it: each
/// is told of those that are its own.
fn nested<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    within(body, out, |body, out| {
        if body.c.chance(1, 2) {
            tasks::spawn_sleeper(body, out);
        }
        let inner = body.block(|body, out| {
            tasks::spawn_sleeper(body, out);
            match body.c.below(3) {
                0 => {}
                1 => sleep(body, out),
                _ => tasks::await_one(body, out),
            }
        });
        let caught = body.world.fresh(Stem::Caught);
        let scope = match body.c.below(3) {
            0 => {
                let squad = Expr::Squad(inner);
                vec![Stmt::Expr(squad)]
            }
            _ => vec![Stmt::Deadline(ms(body), inner)],
        };
        out.push(match body.c.chance(1, 2) {
            true => Stmt::Try {
                body: scope,
                typed: Vec::new(),
                catch: Some((caught, vec![])),
                finally: None,
            },
            false => scope.into_iter().next().unwrap_or(Stmt::Expr(Expr::Nil)),
        });
        if body.c.chance(1, 2) {
            tasks::spawn_sleeper(body, out);
        }
        sleep(body, out);
        body.spend(3);
    });
}

/// A loop that `break` or `continue` takes out of a deadline.
fn left_in_loop<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let leave = match body.c.chance(1, 2) {
        true => Stmt::Break,
        false => Stmt::Continue,
    };
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(3, |body, out| {
        let condition = body.coin();
        let time = Expr::Int(i64::from(body.c.within(1, 4)));
        let block = body.block(|body, out| {
            out.push(Stmt::If(condition, vec![leave], vec![]));
            body.statements(1, out);
        });
        out.push(Stmt::Deadline(time, block));
        body.spend(2);
    });
    let rounds = Expr::Int(i64::from(body.c.within(1, 3)));
    out.push(Stmt::For {
        name,
        over: Expr::Range(Box::new(Expr::Int(0)), Box::new(rounds)),
        limit: None,
        body: inner,
    });
}
