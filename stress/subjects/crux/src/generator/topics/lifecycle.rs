//! The end of a run: hooks that see and change its value, fail, block, and are registered
//! where they must not be.

use gcrucible_bytecode::Builtin;

use super::tasks;
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::scenario::program::{Expr, Name, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.role == Role::Entry && tasks::can_spawn(body) && body.c.chance(1, 4) {
        return settling_meanwhile(body, out);
    }
    let (name, params) = [
        ("on_finish", 1),
        ("pre_finish", 2),
        ("on_unsettled", 2),
        ("post_finish", 2),
    ][body.c.weighted(&[4, 4, 2, 2])];
    let pauses = body.c.chance(1, 4);
    let hook = hook(body, params, pauses);
    let call = Expr::library(name, vec![hook]);
    match body.role {
        Role::Entry => out.push(Stmt::Expr(call)),
        // Only the root of a run may do this.
        _ => tasks::try_and_use(body, out, call),
    }
    body.spend(3);
}

/// A task that nobody waits for may settle while the hooks before the end run, or be spawned by one: what
/// they are told, and which of them run, was decided before.
fn settling_meanwhile<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    tasks::spawn_sleeper(body, out);
    let first = body.c.below(2) as usize;
    for at in [first, 1 - first] {
        let name = ["pre_finish", "on_unsettled"][at];
        let pauses = at == 0 || body.c.chance(1, 3);
        let hook = hook(body, 2, pauses);
        out.push(Stmt::Expr(Expr::library(name, vec![hook])));
    }
    body.spend(4);
}

fn hook<C: Choices>(body: &mut Body<'_, C>, params: usize, pauses: bool) -> Expr {
    body.lambda(&vec![Kind::Any; params], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let names: Vec<Name> = body.locals[body.locals.len() - params..]
            .iter()
            .map(|local| local.name)
            .collect();
        if body.c.chance(1, 3) {
            body.statements(1, out);
        }
        if pauses {
            // Tasks of the run may settle meanwhile.
            let ms = Expr::Int(i64::from(body.c.within(1, 4)));
            out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms])));
        }
        let mut parts: Vec<Expr> = names.into_iter().map(Expr::Name).collect();
        parts.push(body.fresh(1));
        let changed = Expr::Array(parts);
        let end = match body.c.weighted(&[5, 2, 2, 1, 1]) {
            0 => Stmt::Return(Expr::library("Hook.Modify", vec![changed])),
            1 => Stmt::Return(Expr::Nil),
            2 if params == 1 => Stmt::Return(changed),
            3 => Stmt::Return(Expr::library("Hook.Block", vec![body.word()])),
            4 => Stmt::Throw(changed),
            _ => {
                tasks::use_result(body, out, changed);
                Stmt::Return(Expr::Nil)
            }
        };
        out.push(end);
        body.role = role;
    })
}
