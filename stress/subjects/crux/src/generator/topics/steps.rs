//! Steps: budgets of instructions, calls and time that are spent in the step's own frame or
//! in one that it calls.

use gcrucible_bytecode::{Boundary, Builtin, ErrorKind};

use super::{deadlines, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Budget, Expr, Stem, Stmt, TypeName};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let step = step(body, 2);
    match body.c.chance(1, 3) {
        true => {
            body.let_in(out, Stem::Local, Kind::Any, step);
        }
        false => tasks::try_and_use(body, out, step),
    }
}

fn budget<C: Choices>(body: &mut Body<'_, C>) -> Budget {
    let boundary = [Boundary::Continue, Boundary::Escalate, Boundary::Fail][body.below(3)];
    let (instructions, calls, time_ms) = match body.c.weighted(&[4, 3, 2, 1, 1]) {
        0 => (Some(body.c.within(1, 40)), None, None),
        1 => (None, Some(body.c.below(4)), None),
        2 => (None, None, Some(body.c.within(1, 4))),
        3 => (Some(body.c.within(5, 60)), Some(body.c.below(5)), None),
        _ => (None, None, None),
    };
    Budget {
        instructions,
        calls,
        time_ms,
        boundary,
    }
}

fn step<C: Choices>(body: &mut Body<'_, C>, depth: u32) -> Expr {
    let budget = budget(body);
    let waits = body.may_wait();
    let closure = body.lambda(&[], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let kept = body.fresh(1);
        let kept = body.let_in(out, Stem::Local, Kind::Any, kept);
        let loops = u32::from(waits && body.has(Feature::Loops) && body.affords(12));
        match body.c.weighted(&[3, 3, 2, 2, 3 * loops]) {
            0 => body.statements(2, out),
            1 => in_callee(body, out),
            2 if depth > 0 && body.nesting < 4 => {
                let inner = step(body, depth - 1);
                body.let_in(out, Stem::Local, Kind::Any, inner);
            }
            4 => deadlines::caught_in_loop(body, out, 4),
            _ => caught_inside(body, out),
        }
        if waits && budget.time_ms.is_some() {
            let ms = Expr::Int(i64::from(body.c.within(1, 5)));
            out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms])));
        }
        out.push(Stmt::Return(Expr::Name(kept)));
        body.role = role;
    });
    body.spend(3);
    match closure {
        Expr::Lambda(_, block) => Expr::Step(budget, block),
        other => other,
    }
}

/// Calls that spend the budget below the step's own frame.
fn in_callee<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let recursive = body.world.recursive.first().cloned();
    match recursive.filter(|function| body.affords(function.cost * 3)) {
        Some(function) => {
            body.spend(function.cost * 3);
            let argument = body.fresh(1);
            let call = Expr::call(function.name, vec![Expr::Int(3), argument]);
            body.let_in(out, Stem::Local, Kind::Any, call);
        }
        None => {
            let callee = body.lambda(&[], |body, out| {
                body.statements(1, out);
                let value = body.fresh(1);
                out.push(Stmt::Return(value));
            });
            let call = Expr::Call(Box::new(callee), vec![]);
            let parts = vec![body.fresh(1), call];
            body.let_in(out, Stem::Local, Kind::List, Expr::Array(parts));
        }
    }
}

/// A handler between the throw and the step.
fn caught_inside<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let tried = body.block(|body, out| {
        in_callee(body, out);
        body.statements(1, out);
    });
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
    let spent = TypeName::Error(ErrorKind::StepExhausted);
    let typed = match body.has(Feature::TypedCatch) && body.c.chance(1, 2) {
        true => vec![(caught, spent, handler)],
        false => Vec::new(),
    };
    let finally = body
        .sometimes(Feature::Finally, 2)
        .then(|| body.small_block());
    let catch = typed.is_empty().then(|| {
        let caught = body.world.fresh(Stem::Caught);
        let handler = body.block(|body, out| tasks::use_result(body, out, Expr::Name(caught)));
        (caught, handler)
    });
    out.push(Stmt::Try {
        body: tried,
        typed,
        catch,
        finally,
    });
}
