//! The topics of generated programs: one file per part of the language or of the host.
//!
//! A topic appends one statement, or a few that belong together, to a body.

mod arrays;
mod cancellation;
mod channels;
mod clients;
mod closures;
mod deadlines;
mod detached;
mod enums;
mod exceptions;
mod finalizers;
mod guards;
mod handlers;
pub(super) mod host_operations;
pub(super) mod host_script;
mod instances;
mod interrupts;
mod iteration;
mod library;
mod lifecycle;
mod maps;
mod methods;
mod numbers;
mod schedules;
mod squads;
mod steps;
pub(super) mod streams;
mod strings;
mod tasks;
pub(super) mod versions;
mod weak;

use super::Focus;
use super::programs::body::Body;
use super::programs::world::Kind;
use super::swarm::{Feature, Swarm};
use crate::scenario::program::Stmt;
use gcrucible_trace::choices::Choices;

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
    Methods,
    Enums,
    Handlers,
    Iteration,
    Streams,
    Channels,
    Squads,
    Schedules,
    Deadlines,
    Steps,
    Guards,
    Library,
    Lifecycle,
    Interrupts,
    Weak,
    Finalizers,
    Detached,
    HostOperations,
    Clients,
}

impl Topic {
    /// How many there are.
    pub(super) const COUNT: usize = 28;

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
        (Topic::Methods, 3, Some(Feature::Methods)),
        (Topic::Enums, 3, Some(Feature::Enums)),
        (Topic::Handlers, 4, Some(Feature::TypedCatch)),
        (Topic::Iteration, 3, Some(Feature::Iteration)),
        (Topic::Streams, 2, Some(Feature::Streams)),
        (Topic::Channels, 3, Some(Feature::Channels)),
        (Topic::Squads, 4, Some(Feature::Squads)),
        (Topic::Schedules, 1, Some(Feature::Schedules)),
        (Topic::Deadlines, 4, Some(Feature::Deadlines)),
        (Topic::Steps, 4, Some(Feature::Steps)),
        (Topic::Guards, 3, Some(Feature::Guards)),
        (Topic::Library, 3, Some(Feature::Library)),
        (Topic::Lifecycle, 3, Some(Feature::Hooks)),
        (Topic::Interrupts, 3, Some(Feature::Interrupts)),
        (Topic::Weak, 2, Some(Feature::Weak)),
        (Topic::Finalizers, 2, Some(Feature::Finalizers)),
        (Topic::Detached, 1, Some(Feature::Detached)),
        (Topic::HostOperations, 1, Some(Feature::HostOperations)),
        (Topic::Clients, 2, Some(Feature::Clients)),
    ];
}

impl Topic {
    /// Those that wait, or start what does: for bodies that may.
    const WAITING: [Topic; 10] = [
        Topic::Tasks,
        Topic::Cancellation,
        Topic::Channels,
        Topic::Squads,
        Topic::Schedules,
        Topic::Deadlines,
        Topic::Lifecycle,
        Topic::Detached,
        Topic::HostOperations,
        Topic::Clients,
    ];

    /// Those that are made of few statements.
    const PLAIN: [Topic; 9] = [
        Topic::Numbers,
        Topic::Arrays,
        Topic::Maps,
        Topic::Instances,
        Topic::Closures,
        Topic::Exceptions,
        Topic::Tasks,
        Topic::Cancellation,
        Topic::Strings,
    ];

    /// Those that are made of nested blocks.
    const NESTED: [Topic; 5] = [
        Topic::Exceptions,
        Topic::Handlers,
        Topic::Squads,
        Topic::Deadlines,
        Topic::Steps,
    ];
}

/// Blocks and closures within each other; in the innermost there are plain statements only.
const NESTING_MAX: u8 = 6;

/// Draws how strongly each topic is preferred in a scenario.
pub(super) fn draw_weights<C: Choices>(
    c: &mut C,
    swarm: Swarm,
    focus: Focus,
) -> [u32; Topic::COUNT] {
    let mut weights = [0; Topic::COUNT];
    for (weight, &(topic, usual, feature)) in weights.iter_mut().zip(&Topic::ALL) {
        let times = [2, 1, 3, 6][c.weighted(&[4, 3, 2, 1])];
        *weight = match feature {
            Some(feature) if !swarm.has(feature) => 0,
            _ => usual * times * focus.weight(topic),
        };
    }
    weights
}

/// Starts a task, if the body may.
pub(super) fn start_task<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    tasks::statement_that_starts(body, out);
}

/// Registers a handler for a signal.
pub(super) fn handle_a_signal<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    interrupts::register(body, out);
}

/// Uses something that others left, with nothing allocated before.
pub(super) fn use_at_once<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    match body.c.below(3) {
        0 => tasks::await_first_shared(body, out),
        1 => channels::touch_shared(body, out),
        _ => streams::next_of_shared(body, out),
    }
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
        for waiting in Topic::WAITING {
            weights[waiting as usize] = 0;
        }
    }
    if body.nesting >= 3 {
        for nested in Topic::NESTED {
            weights[nested as usize] = 0;
        }
    }
    if body.nesting >= NESTING_MAX {
        // Arrays of closures of arrays end somewhere.
        weights = [0; Topic::COUNT];
    }
    let before = body.fuel;
    let topic = Topic::ALL[body.c.weighted(&weights)].0;
    if !Topic::PLAIN.contains(&topic) {
        // They are made of more statements than they say.
        body.spend(2);
    }
    match topic {
        Topic::Arrays => arrays::statement(body, out),
        Topic::Maps => maps::statement(body, out),
        Topic::Instances => instances::statement(body, out),
        Topic::Closures => closures::statement(body, out),
        Topic::Exceptions => exceptions::statement(body, out),
        Topic::Tasks => tasks::statement(body, out),
        Topic::Cancellation => cancellation::statement(body, out),
        Topic::Strings => strings::statement(body, out),
        Topic::Numbers => numbers::statement(body, out),
        Topic::Methods => methods::statement(body, out),
        Topic::Enums => enums::statement(body, out),
        Topic::Handlers => handlers::statement(body, out),
        Topic::Iteration => iteration::statement(body, out),
        Topic::Streams => streams::statement(body, out),
        Topic::Channels => channels::statement(body, out),
        Topic::Squads => squads::statement(body, out),
        Topic::Schedules => schedules::statement(body, out),
        Topic::Deadlines => deadlines::statement(body, out),
        Topic::Steps => steps::statement(body, out),
        Topic::Guards => guards::statement(body, out),
        Topic::Library => library::statement(body, out),
        Topic::Lifecycle => lifecycle::statement(body, out),
        Topic::Interrupts => interrupts::statement(body, out),
        Topic::Weak => weak::statement(body, out),
        Topic::Finalizers => finalizers::statement(body, out),
        Topic::Detached => detached::statement(body, out),
        Topic::HostOperations => host_operations::statement(body, out),
        Topic::Clients => clients::statement(body, out),
    }
    if body.fuel == before {
        body.spend(1);
    }
}
