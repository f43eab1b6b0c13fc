//! A heap that is full to the last words, and what is tried there: not one allocation that fails,
//! as faults make it, but all of them, until room is made.

use gcrucible_bytecode::{Builtin, Method};

use super::{host_operations, interrupts, tasks};
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

/// Bytes of the first text that fills the heap.
const LONGEST: i64 = 1 << 20;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if !body.affords(24) || body.loops > 0 {
        return tasks::pause(body, out);
    }
    // A signal needs memory as well, and comes between an allocation that failed and its error.
    let signals = body.has(Feature::Interrupts) && body.role == Role::Entry && body.c.chance(2, 3);
    if signals {
        interrupts::register(body, out);
    }
    let parts = (0..body.c.within(1, 4)).map(|_| body.fresh(2)).collect();
    let made = body.let_in(out, Stem::Local, Kind::List, Expr::Array(parts));
    let unfit = (body.has(Feature::HostOperations) && body.may_wait())
        .then(|| host_operations::unfit(body, out, made));
    let hoard = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(hoard, Expr::Array(vec![])));
    // A text that is too long is followed by one of half the length.
    let length = body.world.fresh(Stem::Local);
    out.push(Stmt::Let(length, Expr::Int(LONGEST)));
    let parts = vec![Expr::Name(length)];
    let text = Expr::method(Expr::text("."), Method::Repeat, parts);
    let push = Expr::method(Expr::Name(hoard), Method::Push, vec![text]);
    let half = Expr::binary(BinaryOp::Div, Expr::Name(length), Expr::Int(2));
    let caught = body.world.fresh(Stem::Caught);
    out.push(Stmt::Repeat {
        counter: body.world.fresh(Stem::Counter),
        times: 80,
        condition: Expr::binary(BinaryOp::Gt, Expr::Name(length), Expr::Int(4)),
        body: vec![Stmt::Try {
            body: vec![Stmt::Expr(push)],
            typed: Vec::new(),
            catch: Some((caught, vec![Stmt::Assign(Expr::Name(length), half)])),
            finally: None,
        }],
    });
    let call = |method| Stmt::Expr(Expr::method(Expr::Name(hoard), method, vec![]));
    for _ in 0..body.c.within(1, 2) {
        // A little room, for the first of what is asked for.
        out.extend((0..body.c.below(4)).map(|_| call(Method::Pop)));
        if signals {
            out.push(interrupts::raise(body));
        }
        let tried = tried(body, made, unfit);
        out.push(ignoring_errors(body, tried));
    }
    out.push(call(Method::Clear));
    body.spend(20);
}

/// What needs room: `made` can be copied, `unfit` is refused by the host.
fn tried<C: Choices>(body: &mut Body<'_, C>, made: Name, unfit: Option<Name>) -> Vec<Stmt> {
    let hosts = 3 * u32::from(unfit.is_some());
    let spawns = 2 * u32::from(tasks::can_spawn(body));
    body.block(|body, out| match body.c.weighted(&[2, hosts, spawns, 1]) {
        1 => match unfit.filter(|_| body.c.chance(1, 2)) {
            None => host_operations::ask(body, out),
            Some(unfit) => host_operations::ask_with(body, out, Expr::Name(unfit)),
        },
        2 => {
            if let Some(name) = tasks::spawn_one(body, out) {
                // Room for its stack may be in the making.
                if body.has(Feature::Cancel) && body.c.chance(1, 2) {
                    out.push(Stmt::Cancel(Expr::Name(name)));
                }
                tasks::use_result(body, out, Expr::awaited(Expr::Name(name)));
            }
        }
        3 => tasks::pause(body, out),
        _ => {
            let value = match body.c.chance(1, 3) {
                true => Expr::binary(BinaryOp::Add, body.text(1), body.word()),
                false => Expr::Builtin(Builtin::DeepCopy, vec![Expr::Name(made)]),
            };
            body.let_in(out, Stem::Local, Kind::Any, value);
        }
    })
}

fn ignoring_errors<C: Choices>(body: &mut Body<'_, C>, tried: Vec<Stmt>) -> Stmt {
    let caught = body.world.fresh(Stem::Caught);
    Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, vec![])),
        finally: None,
    }
}
