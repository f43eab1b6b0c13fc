//! Finalizers: of what dies at once or lives on, that bring their objects back to life, fail,
//! wait, or do anything else.

use gcrucible_bytecode::{Builtin, Method};

use super::tasks;
use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    // A finalizer that registers another for each that ran would have no end: what finalizers
    // can call registers none.
    if matches!(body.role, Role::Helper | Role::Init) {
        return tasks::pause(body, out);
    }
    let part = body.fresh(1);
    let object = Expr::Array(vec![part]);
    for _ in 0..=body.c.below(2) {
        let function = function(body);
        match body.c.weighted(&[3, 2, 1, 1]) {
            0 => register(out, object.clone(), function),
            3 => {
                // Only a map leads to it, which gives it up.
                let map = Expr::Map(vec![(Expr::Int(0), object.clone())]);
                let map = body.let_in(out, Stem::Shared, Kind::Any, map);
                let held = Expr::index(Expr::Name(map), Expr::Int(0));
                register(out, held, function);
                let gone = Expr::method(Expr::Name(map), Method::Remove, vec![Expr::Int(0)]);
                out.push(Stmt::Expr(gone));
                body.spend(2);
            }
            1 => {
                let kept = body.let_in(out, Stem::Local, Kind::Any, object.clone());
                register(out, Expr::Name(kept), function);
                if body.c.chance(1, 2) {
                    out.push(Stmt::Assign(Expr::Name(kept), Expr::Nil));
                }
            }
            _ => {
                // It may be anything, that has no finalizers too.
                let object = body.some_variable();
                let mut registers = Vec::new();
                register(&mut registers, object, function);
                let caught = body.world.fresh(Stem::Local);
                out.push(Stmt::Try {
                    body: registers,
                    typed: Vec::new(),
                    catch: Some((caught, Vec::new())),
                    finally: None,
                });
            }
        }
    }
    match body.c.below(3) {
        0 => out.push(Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![]))),
        1 => body.statements(1, out),
        _ => tasks::pause(body, out),
    }
    body.spend(3);
}

fn register(out: &mut Vec<Stmt>, object: Expr, function: Expr) {
    let arguments = vec![object, function];
    out.push(Stmt::Expr(Expr::Builtin(Builtin::Finalizer, arguments)));
}

fn function<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    body.lambda(&[Kind::Any], |body, out| {
        let role = std::mem::replace(&mut body.role, Role::Helper);
        let object = body
            .locals
            .last()
            .map_or(Expr::Nil, |local| Expr::Name(local.name));
        match body.c.weighted(&[3, 3, 2, 2, 1]) {
            0 => out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![object]))),
            1 => match body.global(Kind::List) {
                // It comes back to life.
                Some(list) => {
                    let push = Expr::method(list, Method::Push, vec![object]);
                    out.push(Stmt::Expr(push));
                }
                None => tasks::use_result(body, out, object),
            },
            2 => {
                body.statements(1, out);
                tasks::use_result(body, out, object);
            }
            3 => {
                let ms = Expr::Int(i64::from(body.c.below(4)));
                out.push(Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms])));
                tasks::use_result(body, out, object);
            }
            _ => out.push(Stmt::Throw(object)),
        }
        body.role = role;
    })
}
