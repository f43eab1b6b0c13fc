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
mod full_heap;
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
pub(super) mod on_purpose;
mod schedules;
mod squads;
mod steps;
pub(super) mod streams;
mod strings;
mod tasks;
pub(super) mod versions;
mod weak;

use super::Focus;
use super::aims::Aims;
use super::programs::body::Body;
use super::programs::world::Kind;
use super::swarm::{Feature, Swarm};
use crate::scenario::program::{Expr, Stmt};
use gcrucible_trace::choices::Choices;

/// What else there is to say of a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// It waits, or starts what does: for bodies that may.
    Waits,
    /// It is made of few statements.
    Plain,
    /// It is made of nested blocks.
    Nests,
}

macro_rules! topics {
    ($($variant:ident = $module:ident, $weight:literal, $(if $feature:ident)? $(always)? $(: $($fact:ident)*)?;)*) => {
        /// A topic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Topic { $($variant,)* }

        impl Topic {
            /// How many there are.
            pub(super) const COUNT: usize = Self::ALL.len();

            const ALL: &'static [Topic] = &[$(Topic::$variant,)*];

            /// How often it comes up, as a share of the sum of all.
            fn usual_weight(self) -> u32 {
                match self { $(Topic::$variant => $weight,)* }
            }

            /// Whether scenarios with these features have it.
            fn is_in(self, swarm: Swarm) -> bool {
                match self { $(Topic::$variant => true $(&& swarm.has(Feature::$feature))?,)* }
            }

            /// Whether the feature without which it does not come up is one of these.
            fn is_aimed_at(self, aims: Aims) -> bool {
                match self { $(Topic::$variant => false $(|| aims.has(Feature::$feature))?,)* }
            }

            fn is(self, fact: Fact) -> bool {
                let facts: &[Fact] = match self { $(Topic::$variant => &[$($(Fact::$fact,)*)?],)* };
                facts.contains(&fact)
            }

            /// Appends a statement of the topic, or a few that belong together.
            fn append<C: Choices>(self, body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
                match self { $(Topic::$variant => $module::statement(body, out),)* }
            }
        }
    };
}

// A row: the topic, its module, how often it comes up, the feature without which it does not, its
// facts. First what is simplest: choices that ran out take it.
topics! {
    Numbers = numbers, 2, always: Plain;
    Arrays = arrays, 6, if Arrays: Plain;
    Maps = maps, 4, if Maps: Plain;
    Instances = instances, 4, if Instances: Plain;
    Closures = closures, 4, if Closures: Plain;
    Exceptions = exceptions, 5, always: Plain Nests;
    Tasks = tasks, 7, always: Waits Plain;
    Cancellation = cancellation, 4, always: Waits Plain;
    Strings = strings, 2, if Strings: Plain;
    Methods = methods, 3, if Methods;
    Enums = enums, 3, if Enums;
    Handlers = handlers, 4, if TypedCatch: Nests;
    Iteration = iteration, 3, if Iteration;
    Streams = streams, 2, if Streams;
    Channels = channels, 3, if Channels: Waits;
    Squads = squads, 4, if Squads: Waits Nests;
    Schedules = schedules, 3, if Schedules: Waits;
    Deadlines = deadlines, 4, if Deadlines: Waits Nests;
    Steps = steps, 4, if Steps: Nests;
    Guards = guards, 3, if Guards;
    Library = library, 3, if Library;
    Lifecycle = lifecycle, 3, if Hooks: Waits;
    Interrupts = interrupts, 3, if Interrupts;
    Weak = weak, 2, if Weak;
    Finalizers = finalizers, 2, if Finalizers;
    Detached = detached, 2, if Detached: Waits;
    HostOperations = host_operations, 2, if HostOperations: Waits;
    Clients = clients, 2, if Clients: Waits;
    FullHeap = full_heap, 1, if RuntimeErrors: Nests;
}

/// Blocks and closures within each other; in the innermost there are plain statements only.
const NESTING_MAX: u8 = 6;

/// How many times as often a topic comes up that the scenario is made to have.
const AIMED_TIMES: u32 = 3;

/// Draws how strongly each topic is preferred in a scenario.
pub(super) fn draw_weights<C: Choices>(
    c: &mut C,
    swarm: Swarm,
    focus: Focus,
    aims: Aims,
) -> [u32; Topic::COUNT] {
    let mut weights = [0; Topic::COUNT];
    for (weight, &topic) in weights.iter_mut().zip(Topic::ALL) {
        let times = [2, 1, 3, 6][c.weighted(&[4, 3, 2, 1])];
        *weight = match topic.is_in(swarm) {
            false => 0,
            true if topic.is_aimed_at(aims) => {
                AIMED_TIMES * topic.usual_weight() * times * focus.weight(topic)
            }
            true => topic.usual_weight() * times * focus.weight(topic),
        };
    }
    weights
}

/// Starts a task, if the body may.
pub(super) fn start_task<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    tasks::statement_that_starts(body, out);
}

/// Starts a task that sleeps, whatever others cost.
pub(super) fn start_sleeper<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    tasks::spawn_sleeper(body, out);
}

/// Registers a handler for a signal.
pub(super) fn handle_a_signal<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    interrupts::register(body, out);
}

/// Asks the library many things that are at the edges of what it takes. Each is soon answered, and there are many: a statement
/// of the topic now and then would not come to most of them.
pub(super) fn ask_the_library<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>) {
    library::edges(body, out, (6, 14));
}

/// A weak reference to what ends with the version: the host may hold it when that is gone.
pub(super) fn weak_reference_to_a_constant<C: Choices>(body: &mut Body<'_, C>) -> Expr {
    weak::to_a_constant(body)
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
    let (may_wait, may_nest) = (body.may_wait(), body.nesting < 3);
    for (weight, &topic) in weights.iter_mut().zip(Topic::ALL) {
        let is_out = (!may_wait && topic.is(Fact::Waits)) || (!may_nest && topic.is(Fact::Nests));
        if is_out {
            *weight = 0;
        }
    }
    if body.nesting >= NESTING_MAX {
        // Arrays of closures of arrays end somewhere.
        weights = [0; Topic::COUNT];
    }
    let before = body.fuel;
    let topic = Topic::ALL[body.c.weighted(&weights)];
    if !topic.is(Fact::Plain) {
        // They are made of more statements than they say.
        body.spend(2);
    }
    topic.append(body, out);
    if body.fuel == before {
        body.spend(1);
    }
}
