//! Host operations: data that goes out and comes in, failures, time that passes meanwhile.

use gcrucible_bytecode::Builtin;

use super::{channels, deadlines, streams, tasks};
use crate::executor::programs::GRACE_MS;
use crate::generator::Focus;
use crate::generator::programs::body::Body;
use crate::generator::programs::world::Kind;
use crate::generator::swarm::{Feature, Swarm};
use crate::scenario::program::{Expr, Name, Stem, Stmt};
use crate::scenario::{Data, HostAnswer};
use gcrucible_trace::choices::Choices;

pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    // What a failure of the host comes right behind.
    let streams = u32::from(body.has(Feature::Streams));
    match body.c.weighted(&[5, 1, streams]) {
        0 => {}
        1 => channels::touch_shared(body, out),
        _ => {
            let elements = streams::of_ints(body.c);
            let elements = body.let_in(out, Stem::Shared, Kind::Stream, elements);
            out.push(streams::next(Expr::Name(elements)));
            body.spend(2);
        }
    }
    let call = match body.c.below(3) {
        0 => Expr::library("fs.read", vec![body.word()]),
        1 => Expr::library("http.get", vec![body.word()]),
        _ => {
            let data = data(body);
            Expr::Builtin(Builtin::Host, vec![Expr::text("operation"), data])
        }
    };
    match body.has(Feature::Deadlines) && body.c.chance(1, 3) {
        true => deadlines::within(body, out, |body, out| tasks::use_result(body, out, call)),
        false => tasks::try_and_use(body, out, call),
    }
    body.spend(2);
}

/// What an operation is asked with: data, or what is none, alone or in the middle of data.
fn data<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    let inner = match body.c.below(6) {
        0 => body.new_closure(0),
        1 => body.some_variable(),
        2 => body.fresh(2),
        3 => Expr::Map(vec![(body.key(), body.word()), (body.key(), body.any(1))]),
        4 if body.has(Feature::Floats) => Expr::Float(0.5),
        _ => Expr::Array(vec![body.literal_int(), body.word(), Expr::Nil]),
    };
    match body.c.below(3) {
        0 => inner,
        1 => Expr::Array(vec![body.literal_int(), inner]),
        _ => Expr::Map(vec![(Expr::text("key"), inner)]),
    }
}

/// An operation whose failure nobody minds.
pub(super) fn ask<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let asked = Expr::library("http.get", vec![body.word()]);
    try_to_ask(body, out, asked);
}

/// The same with this as its data.
pub(super) fn ask_with<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, data: Expr) {
    let args = vec![Expr::text("operation"), data];
    try_to_ask(body, out, Expr::Builtin(Builtin::Host, args));
}

/// Makes a list that is no data, which shows in its last part: `made` and some numbers come first.
pub(super) fn unfit<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, made: Name) -> Name {
    let mut parts = vec![Expr::Name(made)];
    parts.extend((0..body.c.below(12)).map(|at| Expr::Int(i64::from(at))));
    parts.push(body.new_closure(0));
    body.let_in(out, Stem::Local, Kind::List, Expr::Array(parts))
}

fn try_to_ask<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, asked: Expr) {
    let caught = body.world.fresh(Stem::Caught);
    let shown = Stmt::Expr(Expr::Builtin(Builtin::Print, vec![Expr::Name(caught)]));
    out.push(Stmt::Try {
        body: vec![Stmt::Expr(asked)],
        typed: Vec::new(),
        catch: Some((caught, vec![shown])),
        finally: None,
    });
    body.spend(3);
}

/// How an exchange fails: before it began, in its middle, before its end.
const FAILURES: [&str; 3] = [
    "refused",
    "connection reset by peer",
    "the body is incomplete",
];

const STATUSES: [i64; 3] = [200, 404, 503];

/// Empty, part of one, and all of it, as JSON.
const BODIES: [&str; 3] = ["", "[1, ", "[1, 2]"];

/// Bytes of texts that the host answers: none, what fits beside others, what fills a buffer, what
/// has blocks of its own.
const LENGTHS: [usize; 6] = [0, 3, 16, 70, 260, 1800];

/// Data of some parts, which are made one after the other: any of them may be the one for which there
/// is no room.
fn answered<C: Choices>(c: &mut C, parts: &mut u32, depth: u32) -> Data {
    *parts = parts.saturating_sub(1);
    let text = |c: &mut C| {
        let length = LENGTHS[c.weighted(&[1, 3, 3, 3, 2, 1])];
        "t".repeat(length)
    };
    let inner = u32::from(depth > 0 && *parts > 0);
    match c.weighted(&[3, 2, 1, 3 * inner, 3 * inner]) {
        0 => Data::Text(text(c)),
        // Some are too large for a small int.
        1 => Data::Int(i64::from(c.below(9)) << (c.below(8) * 8)),
        2 => Data::Nil,
        3 => {
            let count = c.below(6);
            Data::List((0..count).map(|_| answered(c, parts, depth - 1)).collect())
        }
        _ => {
            let entry = |c: &mut C, parts: &mut u32, at: u32| {
                let key = format!("{at}{}", text(c));
                (key, answered(c, parts, depth - 1))
            };
            let count = c.below(5);
            Data::Map((0..count).map(|at| entry(c, parts, at)).collect())
        }
    }
}

/// What the host answers.
pub(in crate::generator) fn answers<C: Choices>(
    c: &mut C,
    swarm: Swarm,
    focus: Focus,
) -> Vec<HostAnswer> {
    if !swarm.has(Feature::HostOperations) {
        return Vec::new();
    }
    let (count_max, ms_max) = focus.answers();
    let count = c.below(count_max + 1);
    let grace_ms = GRACE_MS as u32;
    let answer = |c: &mut C| HostAnswer {
        // Some take longer than what is cancelled may.
        after_ms: match c.chance(1, 4) {
            true => grace_ms - 1 + c.below(2 * grace_ms),
            false => c.below(ms_max + 1),
        },
        result: match c.below(5) {
            0 => Err(FAILURES[c.below(3) as usize].to_owned()),
            1 => Ok(Data::Text("text".to_owned())),
            2 => Ok(Data::List(vec![Data::Int(1), Data::Nil, Data::Bool(true)])),
            3 => Ok(answered(c, &mut 24, 3)),
            _ => Ok(Data::Map(vec![
                (
                    "status".to_owned(),
                    Data::Int(STATUSES[c.below(3) as usize]),
                ),
                (
                    "body".to_owned(),
                    Data::Text(BODIES[c.below(3) as usize].to_owned()),
                ),
            ])),
        },
        panics: c.chance(1, 8).then(|| "broken".to_owned()),
        stops_after_ms: c.chance(1, 2).then(|| c.below(grace_ms + 2)),
    };
    (0..count).map(|_| answer(c)).collect()
}
