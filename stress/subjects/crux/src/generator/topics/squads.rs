//! Squads: children that are joined, failures among them, squads left early, squads in loops.

use super::{deadlines, host_operations, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !tasks::can_spawn(body) {
        return tasks::pause(body, out);
    }
    let deadline = u32::from(body.has(Feature::Deadlines) && body.nesting < 3);
    let loops = u32::from(body.has(Feature::Loops) && body.tasks >= 3 && body.nesting < 3);
    match body.c.weighted(&[4, 4, 2 * deadline, 2 * loops]) {
        0 => {
            let squad = squad(body, false);
            body.let_in(out, Stem::Local, Kind::List, squad);
        }
        1 => {
            let fails = body.c.chance(2, 3);
            let squad = squad(body, fails);
            tasks::try_and_use(body, out, squad);
        }
        2 => deadlines::within(body, out, |body, out| {
            let squad = squad(body, false);
            tasks::use_result(body, out, squad);
        }),
        _ => left_in_loop(body, out),
    }
}

fn squad<C: Choices>(body: &mut Body<'_, C>, fails: bool) -> Expr {
    let block = body.block(|body, out| children(body, out, fails));
    body.spend(2);
    Expr::Squad(block)
}

fn children<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, fails: bool) {
    for _ in 0..body.c.within(1, 3) {
        if !tasks::can_spawn(body) {
            break;
        }
        match body.c.chance(1, 2) {
            true => closure_child(body, out, fails),
            false => {
                tasks::spawn_one(body, out);
            }
        }
        if body.c.chance(1, 4) {
            tasks::pause(body, out);
        }
    }
    // The block waits, too, while a child may fail.
    if fails && body.may_wait() && body.affords(14) && body.c.chance(1, 2) {
        match body.has(Feature::Loops) && body.nesting < 4 && body.c.chance(1, 2) {
            true => deadlines::caught_in_loop(body, out, 3),
            false => body.statements(1, out),
        }
    }
    if fails && body.c.chance(1, 3) {
        let condition = body.coin();
        let value = body.fresh(1);
        out.push(Stmt::If(condition, vec![Stmt::Throw(value)], vec![]));
    }
}

/// A child that waits a little, and may fail.
fn closure_child<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, fails: bool) {
    let child = body.lambda(&[], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Worker);
        let tasks_left = std::mem::take(&mut body.tasks);
        match body.sometimes(Feature::HostOperations, 3) {
            // It may go on for as long as a cancelled operation may.
            true => host_operations::ask(body, out),
            false => tasks::pause(body, out),
        }
        body.role = Role::Helper;
        body.statements(1, out);
        let value = body.fresh(1);
        match fails && body.c.chance(1, 2) {
            true => out.push(Stmt::Throw(value)),
            false => out.push(Stmt::Return(value)),
        }
        body.role = role;
        body.tasks = tasks_left;
    });
    out.push(Stmt::Expr(Expr::Spawn(Box::new(child), vec![])));
    body.tasks -= 1;
    body.spend(4);
}

/// A squad in a loop that `break`, `continue` or `return` leaves; its children are joined.
fn left_in_loop<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let rounds = 2;
    let tasks_left = body.tasks;
    body.tasks /= rounds;
    let name = body.world.fresh(Stem::Local);
    let inner = body.loop_body(rounds, |body, out| {
        let mut block = body.block(|body, out| children(body, out, false));
        let condition = body.coin();
        let leave = match body.c.below(3) {
            0 if body.may_return => Stmt::Return(body.fresh(0)),
            1 => Stmt::Continue,
            _ => Stmt::Break,
        };
        block.push(Stmt::If(condition, vec![leave], vec![]));
        tasks::try_and_use(body, out, Expr::Squad(block));
    });
    let used = tasks_left / rounds - body.tasks;
    body.tasks = tasks_left - used * rounds;
    let over = Expr::Range(Box::new(Expr::Int(0)), Box::new(Expr::Int(rounds.into())));
    out.push(Stmt::For {
        name,
        over,
        limit: None,
        body: inner,
    });
    body.spend(2);
}
