//! Exceptions: throws through frames and `finally` blocks, values in flight.

use gcrucible_bytecode::{Builtin, Method};

use crate::generator::programs::body::{Body, Role};
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{BinaryOp, Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let catch = u32::from(body.has(Feature::Catch));
    let throw = u32::from(body.has(Feature::Throw) && body.has(Feature::Catch));
    let finally = u32::from(body.has(Feature::Finally));
    let both = catch * finally;
    let runtime = u32::from(body.has(Feature::RuntimeErrors) && body.has(Feature::Catch));
    let loops = u32::from(body.has(Feature::Loops) && body.affords(12));
    let returns = u32::from(body.may_return && body.nesting < 3);
    let recursion = u32::from(body.has(Feature::Recursion) && !body.world.recursive.is_empty());
    let uncaught = match body.role {
        Role::Worker => 4,
        Role::Entry => 1,
        Role::Helper | Role::Init => 0,
    };
    let uncaught = uncaught * u32::from(body.has(Feature::Throw) && body.may_return);
    match body.c.weighted(&[
        5 * throw,
        3 * finally * throw,
        4 * finally.max(catch) * returns,
        3 * runtime,
        2 * finally * loops,
        2 * both,
        2 * recursion,
        uncaught,
        1,
    ]) {
        0 => throw_and_catch(body, out),
        1 => through_two(body, out),
        2 => return_out_of_try(body, out),
        3 => runtime_error(body, out),
        4 => leave_loop_through_finally(body, out),
        5 => guarded(body, out),
        6 => recurse(body, out),
        7 => fail(body, out),
        _ => branch(body, out),
    }
}

/// What a handler does with what it caught.
fn handle<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, caught: Name, is_error: bool) {
    let value = match is_error && body.c.chance(1, 2) {
        true => {
            let field = [Stem::Kind, Stem::Message, Stem::Payload][body.below(3)];
            Expr::field(Expr::Name(caught), Name::new(field, 0))
        }
        false => Expr::Name(caught),
    };
    match (body.c.chance(1, 2), body.global(Kind::List)) {
        (true, Some(list)) => {
            let pair = Expr::Array(vec![value, body.fresh(1)]);
            out.push(Stmt::Expr(Expr::method(list, Method::Push, vec![pair])));
        }
        _ => out.push(Stmt::Expr(Expr::Builtin(Builtin::Print, vec![value]))),
    }
    body.spend(1);
}

/// A value to throw, and whether it is an error.
fn thrown<C: Choices>(body: &mut Body<'_, C>) -> (Expr, bool) {
    match body.c.chance(1, 2) {
        true => {
            let payload = body.fresh(1);
            (
                Expr::Builtin(Builtin::Error, vec![Expr::text("thrown"), payload]),
                true,
            )
        }
        false => (body.fresh(1), false),
    }
}

fn throw_and_catch<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mut is_error = true;
    let tried = body.block(|body, out| {
        body.statements(1, out);
        let condition = body.condition();
        let (value, error) = thrown(body);
        is_error = error;
        match body.c.chance(1, 3) {
            true => out.push(Stmt::If(condition, vec![Stmt::Throw(value)], vec![])),
            false => out.push(Stmt::Throw(value)),
        }
        body.spend(1);
    });
    // What came before the throw may have thrown an error of its own, but never something
    // else when an error was expected.
    let is_error = is_error && tried.len() == 1;
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| {
        handle(body, out, caught, is_error);
        if body.c.chance(1, 4) {
            body.statements(1, out);
        }
    });
    let finally = body
        .sometimes(Feature::Finally, 3)
        .then(|| body.small_block());
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally,
    });
}

/// A throw through two `finally` blocks, both of which allocate.
fn through_two<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let (value, _) = thrown(body);
    let inner = Stmt::Try {
        body: vec![Stmt::Throw(value)],
        typed: Vec::new(),
        catch: None,
        finally: Some(body.small_block()),
    };
    let outer = Stmt::Try {
        body: vec![inner],
        typed: Vec::new(),
        catch: None,
        finally: Some(body.small_block()),
    };
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| handle(body, out, caught, false));
    out.push(Stmt::Try {
        body: vec![outer],
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(3);
}

/// A `return` out of a `try`: its value is in flight while a `finally` block runs, or it leaves
/// nothing but handlers.
fn return_out_of_try<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let closure = body.lambda(&[Kind::Any], |body, out| {
        let param = body
            .locals
            .last()
            .map_or(Expr::Nil, |local| Expr::Name(local.name));
        let value = Expr::Array(vec![param, body.fresh(1)]);
        let mut block = body.block(|body, out| body.statements(1, out));
        block.push(Stmt::Return(value));
        let is_plain = !body.has(Feature::Finally) || body.sometimes(Feature::Catch, 3);
        let finally = (!is_plain).then(|| body.small_block());
        let catch = match is_plain || body.sometimes(Feature::Catch, 3) {
            true => {
                let caught = body.world.fresh(Stem::Caught);
                let value = Expr::Array(vec![Expr::Name(caught), body.fresh(1)]);
                Some((caught, vec![Stmt::Return(value)]))
            }
            false => None,
        };
        out.push(Stmt::Try {
            body: block,
            typed: Vec::new(),
            catch,
            finally,
        });
        out.push(Stmt::Return(Expr::Nil));
    });
    let name = body.let_in(out, Stem::Local, Kind::Closure, closure);
    let argument = body.fresh(1);
    body.let_in(
        out,
        Stem::Local,
        Kind::Any,
        Expr::call(name, vec![argument]),
    );
    body.spend(2);
    // It is costly to call: the rest of the body shall not.
    body.locals.retain(|local| local.name != name);
}

fn runtime_error<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let caught = body.world.fresh(Stem::Caught);
    // Tasks that initialisation starts may run before stores are refused; calls come after it.
    let may_store = match body.role {
        Role::Entry => true,
        Role::Init => false,
        Role::Helper | Role::Worker => !body.has(Feature::TasksAtInit),
    };
    let late_store = may_store && body.sometimes(Feature::LateGlobalStores, 4);
    let own: Vec<_> = body
        .world
        .globals
        .iter()
        .filter(|global| !global.is_imported)
        .map(|global| global.name)
        .collect();
    let tried = body.block(|body, out| {
        if body.c.chance(1, 2) {
            body.statements(1, out);
        }
        if late_store && !own.is_empty() {
            let global = own[body.below(own.len())];
            let value = body.fresh(1);
            out.push(Stmt::Assign(Expr::Name(global), value));
            return;
        }
        let wrong = match body.c.below(7) {
            0 => Expr::binary(BinaryOp::Div, body.int(0), Expr::Int(0)),
            1 => Expr::index(body.new_list(1), Expr::Int(9)),
            2 => Expr::binary(BinaryOp::Sub, body.word(), Expr::Int(1)),
            3 => Expr::Call(Box::new(Expr::Array(vec![])), vec![body.fresh(1)]),
            4 => Expr::method(body.new_list(1), Method::Keys, vec![]),
            5 => Expr::binary(BinaryOp::Add, Expr::Int(i64::MAX), Expr::Int(1)),
            _ => Expr::Builtin(Builtin::Assert, vec![Expr::Bool(false), body.fresh(1)]),
        };
        // The other element waits as a temporary when the error is thrown.
        let fresh = body.fresh(1);
        body.let_in(
            out,
            Stem::Local,
            Kind::List,
            Expr::Array(vec![fresh, wrong]),
        );
    });
    let handler = body.block(|body, out| handle(body, out, caught, false));
    let finally = body
        .sometimes(Feature::Finally, 4)
        .then(|| body.small_block());
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally,
    });
    body.spend(1);
}

/// A loop left, or gone on with, through a `finally` block.
fn leave_loop_through_finally<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let rounds = body.c.within(2, 4);
    let name = body.world.fresh(Stem::Local);
    let leave = if body.c.chance(1, 2) {
        Stmt::Break
    } else {
        Stmt::Continue
    };
    let at = i64::from(body.c.below(rounds));
    let inner = body.loop_body(rounds as i32, |body, out| {
        let fresh = body.fresh(1);
        body.let_in(out, Stem::Local, Kind::Any, fresh);
        let condition = Expr::binary(BinaryOp::Eq, Expr::Name(name), Expr::Int(at));
        let tried = vec![Stmt::If(condition, vec![leave], vec![])];
        let finally = body.block(|body, out| body.statements(1, out));
        out.push(Stmt::Try {
            body: tried,
            typed: Vec::new(),
            catch: None,
            finally: Some(finally),
        });
        body.spend(3);
    });
    let over = Expr::Range(
        Box::new(Expr::Int(0)),
        Box::new(Expr::Int(i64::from(rounds))),
    );
    out.push(Stmt::For {
        name,
        over,
        limit: None,
        body: inner,
    });
}

/// Ordinary statements with handlers around them.
fn guarded<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let caught = body.world.fresh(Stem::Caught);
    let tried = body.small_block();
    let handler = body.block(|body, out| handle(body, out, caught, false));
    let finally = Some(body.small_block());
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally,
    });
}

fn recurse<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let at = body.below(body.world.recursive.len());
    let function = body.world.recursive[at].clone();
    if body.has(Feature::Catch) && body.nesting < 2 && body.sometimes(Feature::RuntimeErrors, 8) {
        return overflow(body, out, function.name);
    }
    let rounds = body.c.within(1, 5) as i32;
    if !body.affords(function.cost * rounds) {
        return branch(body, out);
    }
    body.spend(function.cost * rounds);
    let argument = body.fresh(1);
    let call = Expr::call(function.name, vec![Expr::Int(rounds.into()), argument]);
    body.let_in(out, Stem::Local, Kind::Any, call);
}

/// Deeper than frames are allowed; the error unwinds all of them.
fn overflow<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, function: Name) {
    let argument = body.fresh(1);
    let call = Expr::call(function, vec![Expr::Int(1000), argument]);
    let tried = body.block(|body, out| {
        body.let_in(out, Stem::Local, Kind::Any, call);
    });
    let caught = body.world.fresh(Stem::Caught);
    let handler = body.block(|body, out| handle(body, out, caught, true));
    out.push(Stmt::Try {
        body: tried,
        typed: Vec::new(),
        catch: Some((caught, handler)),
        finally: None,
    });
    body.spend(1);
}

/// Throws what nothing may catch: the task ends with an error.
fn fail<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let condition = body.condition();
    let (value, _) = thrown(body);
    out.push(Stmt::If(condition, vec![Stmt::Throw(value)], vec![]));
    body.spend(1);
}

fn branch<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let condition = body.condition();
    let then = body.small_block();
    let otherwise = if body.c.chance(1, 2) {
        body.small_block()
    } else {
        vec![]
    };
    out.push(Stmt::If(condition, then, otherwise));
    body.spend(1);
}
