//! Typed handlers: what is thrown passes those that do not match, through frames, loops and
//! `finally` blocks.

use gcrucible_bytecode::{Builtin, ErrorKind};

use super::{enums, tasks};
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Name, Stem, Stmt, TypeName};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let loops = u32::from(body.has(Feature::Loops) && body.affords(16) && body.nesting < 3);
    match body.c.weighted(&[5, 3, 3 * loops]) {
        0 => typed(body, out),
        1 => through_frames(body, out),
        _ => in_loop(body, out),
    }
}

/// Something to throw, and a type that it has.
fn thrown<C: Choices>(body: &mut Body<'_, C>) -> (Expr, TypeName) {
    let enums = u32::from(!body.world.enums.is_empty());
    let classes = u32::from(!body.world.classes.is_empty());
    match body.c.weighted(&[3, 5 * enums, 3 * classes, 2, 2]) {
        1 => {
            let (of, variant, arity) = body.some_variant();
            let payload = (0..arity).map(|_| body.any(1)).collect();
            let value = Expr::Variant(of, variant, payload);
            match body.c.chance(1, 2) {
                true => (value, TypeName::Enum(of)),
                false => (value, TypeName::Variant(of, variant)),
            }
        }
        2 => {
            let class = body.below(body.world.classes.len()) as u8;
            let name = body.world.classes[usize::from(class)].name;
            (body.new_object(class, 1), TypeName::Class(name))
        }
        3 => {
            let zero = Expr::binary(
                crate::scenario::program::BinaryOp::Div,
                body.int(0),
                Expr::Int(0),
            );
            (zero, TypeName::Error(ErrorKind::DivideByZero))
        }
        4 => (
            body.text(1),
            TypeName::Kind(gcrucible_bytecode::ValueKind::String),
        ),
        _ => {
            let payload = body.fresh(1);
            let error = Expr::Builtin(Builtin::Error, vec![Expr::text("typed"), payload]);
            (error, TypeName::Error(ErrorKind::User))
        }
    }
}

/// Handlers for other types before one that matches, or none that does.
fn handlers<C: Choices>(
    body: &mut Body<'_, C>,
    matching: TypeName,
) -> Vec<(Name, TypeName, Vec<Stmt>)> {
    let mut handlers = Vec::new();
    for _ in 0..body.c.below(3) {
        handlers.push(enums::some_type(body));
    }
    if body.c.chance(1, 4) {
        handlers.push(TypeName::Error(ErrorKind::Cancelled));
    }
    if body.c.chance(2, 3) {
        handlers.push(matching);
    }
    let handlers = handlers.into_iter().map(|of| {
        let name = body.world.fresh(Stem::Caught);
        let block = body.block(|body, out| {
            let value = Expr::Array(vec![Expr::Name(name), body.fresh(1)]);
            tasks::use_result(body, out, value);
        });
        (name, of, block)
    });
    handlers.collect()
}

fn untyped<C: Choices>(body: &mut Body<'_, C>) -> Option<(Name, Vec<Stmt>)> {
    let name = body.world.fresh(Stem::Caught);
    let block = body.block(|body, out| tasks::use_result(body, out, Expr::Name(name)));
    Some((name, block))
}

fn typed<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (value, of) = thrown(body);
    let tried = body.block(|body, out| {
        if body.c.chance(1, 3) {
            body.statements(1, out);
        }
        out.push(Stmt::Throw(value));
        body.spend(1);
    });
    let inner_typed = handlers(body, of);
    let finally = body
        .sometimes(Feature::Finally, 3)
        .then(|| body.small_block());
    let has_handler = !inner_typed.is_empty() || finally.is_some();
    let inner = Stmt::Try {
        body: tried,
        typed: inner_typed,
        catch: None,
        finally: finally.or((!has_handler).then(Vec::new)),
    };
    // Whatever passes ends here.
    let outer_typed = match body.c.chance(1, 3) {
        true => handlers(body, of),
        false => Vec::new(),
    };
    let catch = untyped(body);
    out.push(Stmt::Try {
        body: vec![inner],
        typed: outer_typed,
        catch,
        finally: None,
    });
    body.spend(3);
}

/// The throw leaves closures that have handlers of their own, none of which matches.
fn through_frames<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (value, of) = thrown(body);
    let mut call = body.lambda(&[], |_, out| out.push(Stmt::Throw(value)));
    for _ in 0..body.c.within(1, 2) {
        let caught = body.world.fresh(Stem::Caught);
        let other = enums::some_type(body);
        let callee = call;
        call = body.lambda(&[], |body, out| {
            let handler = vec![Stmt::Return(Expr::Name(caught))];
            let kept = body.fresh(1);
            let name = body.let_in(out, Stem::Local, Kind::Any, kept);
            let called = Expr::Call(Box::new(callee), vec![]);
            out.push(Stmt::Try {
                body: vec![Stmt::Expr(called)],
                typed: vec![(caught, other, handler)],
                catch: None,
                finally: None,
            });
            out.push(Stmt::Return(Expr::Name(name)));
        });
    }
    let called = body.block(|body, out| {
        let value = Expr::Call(Box::new(call), vec![]);
        body.let_in(out, Stem::Local, Kind::Any, value);
    });
    let typed = handlers(body, of);
    let catch = untyped(body);
    out.push(Stmt::Try {
        body: called,
        typed,
        catch,
        finally: None,
    });
    body.spend(4);
}

/// A throw out of an inner loop; the outer one goes on.
fn in_loop<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (outer, inner) = (body.world.fresh(Stem::Local), body.world.fresh(Stem::Local));
    let over = Expr::Array((0..3).map(|_| body.any(0)).collect());
    let within = Expr::Array((0..2).map(|_| body.any(0)).collect());
    let body_of_outer = body.loop_body(3, |body, out| {
        let (value, of) = thrown(body);
        let condition = body.coin();
        let leave = Stmt::If(condition, vec![Stmt::Throw(value)], vec![]);
        let tried = Stmt::For {
            name: inner,
            over: within,
            limit: None,
            body: vec![leave],
        };
        let typed = handlers(body, of);
        let catch = untyped(body);
        out.push(Stmt::Try {
            body: vec![tried],
            typed,
            catch,
            finally: None,
        });
        let both = Expr::Array(vec![Expr::Name(outer), body.fresh(0)]);
        tasks::use_result(body, out, both);
        body.spend(3);
    });
    out.push(Stmt::For {
        name: outer,
        over,
        limit: None,
        body: body_of_outer,
    });
    body.spend(1);
}
