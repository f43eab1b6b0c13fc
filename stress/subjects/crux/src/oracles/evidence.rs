//! What there is to judge when nobody can go on any more.

use std::collections::BTreeMap;

use gcrucible_bytecode::Program;
use gcrucible_engine::{Deadlock, Engine};

use super::matches_reference::{Happening, Limits};
use crate::executor::trace::Event;

/// A run at its end: its trace, and the engine at rest.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// What ran.
    pub program: &'a Program,
    /// What it was reloaded to; none of those that did not compile.
    pub versions: &'a [Option<&'a Program>],
    /// The trace.
    pub events: &'a [Event],
    /// The engine, with everything that is still in it.
    pub engine: &'a Engine,
    /// What it says of who waits for whom.
    pub deadlock: Option<&'a Deadlock>,
    /// Calls that have ended, of which somebody still waits for the end.
    pub unjoined: &'a [u32],
    /// Timers that are still to fire.
    pub timers: usize,
    /// Allocations that were made to fail.
    pub faults: usize,
    /// Requests that may be under way at once.
    pub requests_max: usize,
    /// What the host holds, by kind of object.
    pub held_by_host: BTreeMap<&'static str, u64>,
    /// Nobody waits, and the host went through its script: everything is over.
    pub is_over: bool,
    /// The limits of the model; none if it is not to be asked.
    pub model: Option<Limits>,
    /// Whether all that happened is in the program and its host script, so that it can be held
    /// against the program.
    pub is_own: bool,
    /// Whether collections come when memory is short, and no allocation was made to fail.
    pub collects: bool,
}

/// What oracles find out besides: counters and coverage take it.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What happened inside slices, as far as the model says.
    pub happened: Vec<Happening>,
    /// Statements of Crux executed.
    pub statements: u64,
}
