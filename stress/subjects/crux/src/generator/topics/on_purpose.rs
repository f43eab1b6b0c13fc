//! Features on purpose: statements of the topics that have one, drawn until one of them does.

use gcrucible_bytecode::{Builtin, Method};

use super::{Topic, tasks};
use crate::generator::features;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::Feature;
use crate::scenario::program::{Expr, Stem, Stmt};
use gcrucible_trace::choices::Choices;

/// Statements that are drawn and taken back before a feature is given up.
const TRIES: usize = 24;

/// Appends a statement that has a feature, or a few that belong together, to the body of a function
/// that the host calls. Nothing for features that no statement has, or none that fits here.
pub(in crate::generator) fn append<C: Choices>(
    body: &mut Body<'_, C>,
    out: &mut Vec<Stmt>,
    feature: Feature,
) {
    let topics: &[Topic] = match feature {
        Feature::Arrays | Feature::IterateAndChange => &[Topic::Arrays],
        Feature::Maps => &[Topic::Maps],
        Feature::Removal | Feature::DeepCopy => &[Topic::Arrays, Topic::Maps],
        Feature::Instances => &[Topic::Instances],
        Feature::Cycles => &[Topic::Arrays, Topic::Maps, Topic::Instances],
        Feature::Closures | Feature::SharedCells => &[Topic::Closures],
        Feature::Catch
        | Feature::Finally
        | Feature::Throw
        | Feature::RuntimeErrors
        | Feature::LateGlobalStores => &[Topic::Exceptions],
        Feature::Loops => &[Topic::Numbers, Topic::Arrays],
        Feature::CancellationRequested => &[Topic::Cancellation],
        Feature::Strings => &[Topic::Strings],
        Feature::Methods => &[Topic::Methods],
        Feature::Enums | Feature::Match => &[Topic::Enums],
        Feature::TypedCatch => &[Topic::Handlers],
        Feature::Iteration => &[Topic::Iteration],
        Feature::Streams => &[Topic::Streams],
        Feature::Channels => &[Topic::Channels],
        Feature::Squads => &[Topic::Squads],
        Feature::Schedules => &[Topic::Schedules],
        Feature::Deadlines => &[Topic::Deadlines],
        Feature::Steps => &[Topic::Steps],
        Feature::Guards => &[Topic::Guards],
        Feature::Library => &[Topic::Library],
        Feature::Hooks => &[Topic::Lifecycle],
        Feature::Interrupts => &[Topic::Interrupts],
        Feature::Weak => &[Topic::Weak],
        Feature::Finalizers => &[Topic::Finalizers],
        Feature::HostOperations => &[Topic::HostOperations],
        Feature::Clients => &[Topic::Clients],
        Feature::BigInts
        | Feature::Floats
        | Feature::Print
        | Feature::Sleep
        | Feature::Yield
        | Feature::Collect => return value(body, out, feature),
        Feature::Recursion => return recurse(body, out),
        Feature::NestedTasks
        | Feature::SharedFutures
        | Feature::AwaitInside
        | Feature::Cancel
        | Feature::Detached => return task(body, out, feature),
        // The rest of the module, or the host.
        Feature::Modules
        | Feature::TasksAtInit
        | Feature::HostCancel
        | Feature::HostDrop
        | Feature::HostIds
        | Feature::HostProtect
        | Feature::HostCollect
        | Feature::HostTime
        | Feature::HostJoin
        | Feature::Forks
        | Feature::Requests
        | Feature::Disconnects
        | Feature::Reloads
        | Feature::Preloads => return,
    };
    for &topic in topics.iter().cycle().take(TRIES) {
        let (from, before) = (out.len(), body.mark());
        topic.append(body, out);
        if features::in_statements(&out[from..]).has(feature) {
            body.spend(2);
            return;
        }
        out.truncate(from);
        body.take_back(before);
    }
}

/// A value, or a call that ends a slice.
fn value<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, feature: Feature) {
    let call = |builtin, arguments| Stmt::Expr(Expr::Builtin(builtin, arguments));
    match feature {
        Feature::Sleep => {
            let ms = Expr::Int(i64::from(body.c.below(4)));
            out.push(call(Builtin::Sleep, vec![ms]));
        }
        Feature::Yield => out.push(call(Builtin::YieldNow, vec![])),
        Feature::Collect => out.push(call(Builtin::Collect, vec![])),
        Feature::Print => {
            let value = body.any(1);
            out.push(call(Builtin::Print, vec![value]));
        }
        _ => {
            let value = match feature {
                Feature::Floats => Expr::Float([0.5, 1e300][body.below(2)]),
                _ => Expr::Int((1 << body.c.within(48, 52)) + i64::from(body.c.below(3))),
            };
            let parts = vec![body.fresh(1), value];
            body.let_in(out, Stem::Local, Kind::List, Expr::Array(parts));
        }
    }
    body.spend(1);
}

fn recurse<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let count = body.world.recursive.len();
    let at = body.below(count);
    let Some(function) = body.world.recursive.get(at).cloned() else {
        return;
    };
    let argument = body.fresh(1);
    let call = Expr::call(function.name, vec![Expr::Int(2), argument]);
    tasks::try_and_use(body, out, call);
    body.spend(2 * function.cost);
}

/// A task of the body's own, which whatever else may be started does not stand in the way of.
fn task<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, feature: Feature) {
    let nests = feature == Feature::NestedTasks;
    let callee = body.lambda(&[], |body, out| {
        let inner = body.lambda(&[], |body, out| {
            let value = body.fresh(1);
            out.push(Stmt::Return(value));
        });
        let value = match nests {
            true => Expr::Spawn(Box::new(inner), vec![]),
            false => Expr::Call(Box::new(inner), vec![]),
        };
        let name = body.world.fresh(Stem::Future);
        out.push(Stmt::Let(name, value));
        out.push(Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![])));
        let value = match nests && body.c.chance(1, 2) {
            true => Expr::awaited(Expr::Name(name)),
            false => body.fresh(0),
        };
        out.push(Stmt::Return(value));
    });
    let callee = Box::new(callee);
    body.tasks -= 1 + i32::from(nests);
    body.spend(8);
    let shared = body.world.shared_futures;
    if let (Feature::SharedFutures, Some(table)) = (feature, shared) {
        let spawn = vec![Expr::Spawn(callee, vec![])];
        out.push(Stmt::Expr(Expr::method(
            Expr::Name(table),
            Method::Push,
            spawn,
        )));
        return;
    }
    let spawn = match feature {
        // What is spawned detached is called by its name: a parenthesis there is an argument's.
        Feature::Detached => {
            let closure = body.let_in(out, Stem::Local, Kind::Any, *callee);
            Expr::SpawnDetached(Box::new(Expr::Name(closure)), vec![])
        }
        _ => Expr::Spawn(callee, vec![]),
    };
    let future = body.let_in(out, Stem::Future, Kind::Future, spawn);
    if body.c.chance(1, 2) {
        body.statements(1, out);
    }
    match feature {
        Feature::Cancel => out.push(Stmt::Cancel(Expr::Name(future))),
        Feature::AwaitInside => {
            let parts = vec![body.fresh(1), Expr::awaited(Expr::Name(future))];
            tasks::try_and_use(body, out, Expr::Array(parts));
        }
        _ => {}
    }
}
