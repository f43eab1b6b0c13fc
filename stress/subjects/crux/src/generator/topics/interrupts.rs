//! Interrupts: handlers that run in the middle of whatever the root waits for, fail, overrun,
//! and signals that programs raise themselves.

use gcrucible_bytecode::Builtin;

use super::{channels, host_operations, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stmt};
use gcrucible_trace::choices::Choices;

/// The signals that host and programs raise.
pub(in crate::generator) const SIGNALS: [&str; 2] = ["INT", "TERM"];

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    // A handler that raises its own signal would have no end: what handlers can call raises
    // none.
    if matches!(body.role, Role::Helper | Role::Init) {
        return tasks::pause(body, out);
    }
    let registers = 4 * u32::from(body.role == Role::Entry);
    let holds_up = u32::from(registers > 0 && body.affords(20));
    match body.c.weighted(&[registers, 3, 2 * holds_up]) {
        0 if registers > 0 => register(body, out),
        2 => hold_up(body, out),
        _ => {
            let raise = raise(body);
            out.push(raise);
            body.spend(3);
        }
    }
}

/// Raises a signal.
pub(super) fn raise<C: Choices>(body: &mut Body<'_, C>) -> Stmt {
    let signal = Expr::text(SIGNALS[body.below(2)]);
    Stmt::Expr(Expr::Builtin(Builtin::Interrupt, vec![signal]))
}

/// Registers a handler, for once or for every time.
pub(super) fn register<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let signal = Expr::text(SIGNALS[body.below(2)]);
    let handler = handler(body);
    let mut arguments = vec![signal, handler];
    if body.c.chance(1, 2) {
        arguments.push(Expr::Bool(true));
    }
    out.push(Stmt::Expr(Expr::library("on_interrupt", arguments)));
    body.spend(3);
}

/// A handler that waits, and its own signal again meanwhile, twice: that one is held up until the
/// handler has ended, and the other signal behind it is not.
fn hold_up<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (first, other) = match body.c.chance(1, 2) {
        true => (SIGNALS[0], SIGNALS[1]),
        false => (SIGNALS[1], SIGNALS[0]),
    };
    let raise = |signal| Stmt::Expr(Expr::Builtin(Builtin::Interrupt, vec![Expr::text(signal)]));
    let says = |word: Expr| Stmt::Expr(Expr::Builtin(Builtin::Print, vec![word]));
    let ms = body.c.below(3);
    for (signal, waits) in [(first, true), (other, body.c.chance(1, 3))] {
        let (began, ended) = (body.word(), body.word());
        let handler = body.lambda(&[], |_, out| {
            out.push(says(began));
            if waits {
                out.extend([tasks::sleep(2), says(ended)]);
            }
        });
        let arguments = vec![Expr::text(signal), handler];
        out.push(Stmt::Expr(Expr::library("on_interrupt", arguments)));
    }
    out.extend([first, first, other].map(raise));
    out.extend([tasks::sleep(ms), tasks::sleep(3)]);
    body.spend(16);
}

fn handler<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    body.lambda(&[], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        match body.c.chance(1, 3) {
            true => channels::touch_shared(body, out),
            false => body.statements(1, out),
        }
        match body.c.weighted(&[4, 2, 2, 2, 2, 4]) {
            0 => {}
            1 => {
                out.push(tasks::sleep(body.c.below(4)));
                let value = body.fresh(1);
                tasks::use_result(body, out, value);
            }
            2 => {
                let value = body.fresh(1);
                out.push(Stmt::Throw(value));
            }
            // What is in flight there is of no interest to what it interrupts.
            4 => {
                let value = body.fresh(1);
                let sleep = tasks::sleep([1, 1500][body.below(2)]);
                let last = match body.c.chance(1, 2) {
                    true => vec![sleep],
                    false => vec![sleep, Stmt::Throw(body.fresh(1))],
                };
                out.push(Stmt::Try {
                    body: vec![Stmt::Throw(value)],
                    typed: Vec::new(),
                    catch: None,
                    finally: Some(last),
                });
            }
            // Cancellation is not its business.
            5 if body.has(Feature::HostOperations) => host_operations::ask(body, out),
            // Longer than a handler may run.
            _ => out.push(tasks::sleep(1500)),
        }
        body.role = role;
    })
}
