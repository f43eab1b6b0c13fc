//! The topics of generated programs: one file per part of the language or of the host.
//!
//! A topic appends one statement, or a few that belong together, to a body.

mod arrays;
mod cancellation;
mod closures;
mod exceptions;
pub(super) mod host_script;
mod instances;
mod maps;
mod numbers;
mod strings;
mod tasks;

use super::choices::Choices;
use super::programs::body::Body;
use super::programs::world::Kind;
use super::swarm::{Feature, Swarm};
use crate::scenario::program::Stmt;

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Numbers,
    Arrays,
    Maps,
    Instances,
    Closures,
    Exceptions,
    Tasks,
    Cancellation,
    Strings,
}

impl Topic {
    /// How many there are.
    pub(super) const COUNT: usize = 9;

    const ALL: [(Topic, u32, Option<Feature>); Topic::COUNT] = [
        // First what is simplest: choices that ran out take it.
        (Topic::Numbers, 2, None),
        (Topic::Arrays, 6, Some(Feature::Arrays)),
        (Topic::Maps, 4, Some(Feature::Maps)),
        (Topic::Instances, 4, Some(Feature::Instances)),
        (Topic::Closures, 4, Some(Feature::Closures)),
        (Topic::Exceptions, 5, None),
        (Topic::Tasks, 7, None),
        (Topic::Cancellation, 4, None),
        (Topic::Strings, 2, Some(Feature::Strings)),
    ];
}

/// Draws how strongly each topic is preferred in a scenario.
pub(super) fn draw_weights<C: Choices>(c: &mut C, swarm: Swarm) -> [u32; Topic::COUNT] {
    let mut weights = [0; Topic::COUNT];
    for (weight, &(_, usual, feature)) in weights.iter_mut().zip(&Topic::ALL) {
        let times = [2, 1, 3, 6][c.weighted(&[4, 3, 2, 1])];
        *weight = match feature {
            Some(feature) if !swarm.has(feature) => 0,
            _ => usual * times,
        };
    }
    weights
}

/// Starts a task, if the body may.
pub(super) fn start_task<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    tasks::statement_that_starts(body, out);
}

/// Awaits a future that is in scope, if there is one.
pub(super) fn wait_for_future<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    if body.variable(Kind::Future).is_some() {
        tasks::await_one(body, out);
    }
}

/// Appends a statement of a drawn topic.
pub(super) fn statement<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    let mut weights = body.world.topics;
    if !body.may_wait() {
        weights[Topic::Tasks as usize] = 0;
        weights[Topic::Cancellation as usize] = 0;
    }
    if body.nesting >= 3 {
        weights[Topic::Exceptions as usize] = 0;
    }
    let before = body.fuel;
    match Topic::ALL[body.c.weighted(&weights)].0 {
        Topic::Arrays => arrays::statement(body, out),
        Topic::Maps => maps::statement(body, out),
        Topic::Instances => instances::statement(body, out),
        Topic::Closures => closures::statement(body, out),
        Topic::Exceptions => exceptions::statement(body, out),
        Topic::Tasks => tasks::statement(body, out),
        Topic::Cancellation => cancellation::statement(body, out),
        Topic::Strings => strings::statement(body, out),
        Topic::Numbers => numbers::statement(body, out),
    }
    if body.fuel == before {
        body.spend(1);
    }
}
