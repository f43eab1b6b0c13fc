//! Detached tasks: nobody waits for them at the end of a run.

use super::tasks;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let Some(name) = tasks::spawn_one(body, out) else {
        return;
    };
    // The task that was spawned last becomes a detached one.
    let spawned = out.iter_mut().rev().find_map(|stmt| match stmt {
        Stmt::Let(found, value) if *found == name => Some(value),
        _ => None,
    });
    if let Some(value) = spawned
        && let Expr::Spawn(callee, arguments) = value
    {
        *value = Expr::SpawnDetached(callee.clone(), std::mem::take(arguments));
    }
    if body.sometimes(Feature::Cancel, 3) {
        if body.c.chance(1, 2) {
            tasks::pause(body, out);
        }
        out.push(Stmt::Cancel(Expr::Name(name)));
        body.spend(1);
    }
    if body.c.chance(1, 3) {
        tasks::try_and_use(body, out, Expr::awaited(Expr::Name(name)));
    }
    if body.c.chance(1, 4) {
        let kept = body.fresh(1);
        body.let_in(out, Stem::Local, Kind::Any, kept);
    }
}
