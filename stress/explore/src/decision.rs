//! What is shown at a decision, and what is chosen.

use gcrucible_trace::CollectionKind;

use super::touched::Touched;
use gcrucible_trace::{Injected, Site};

/// What the executor shows at a decision.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The actors that can go on, sorted by their number: the host first, then tasks in
    /// order of creation, [`Site::TIMERS`] last. Never empty.
    pub ready: &'a [ReadyActor],
    /// Number of this decision in the run, from 0.
    pub ordinal: u32,
}

/// An actor that can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyActor {
    /// Where it stands.
    pub site: Site,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index into [`Point::ready`].
    pub index: usize,
    /// Instructions that the slice may run; 0 for actors that run none.
    pub fuel: u32,
    /// A collection right before the slice.
    pub collect: Option<CollectionKind>,
    /// What else happens right before it, after that collection.
    pub inject: Option<Injected>,
}

/// Takes the decisions of one run.
pub trait Strategy {
    /// Chooses among the ready actors. Drawn schedules never fail; a strict replay fails
    /// at the first recorded decision that cannot be taken.
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence>;

    /// The task of the last choice ran this many instructions. Strategies that count
    /// events take the whole fuel if they are not told; host and timers count one each.
    fn ran(&mut self, _instructions: u32) {}

    /// Whether it is to be told what each step touched, which costs some time.
    fn is_watching(&self) -> bool {
        false
    }

    /// What the step of the last choice touched, if the strategy watches.
    fn touched(&mut self, _touched: Touched) {}

    /// The run is over: a strict replay fails if it still expects a decision.
    fn finish(&self) -> Result<(), Divergence> {
        Ok(())
    }

    /// Events that it injected for their own sake.
    fn injected(&self) -> u32 {
        0
    }

    /// What a reader of the run should know about how its decisions were taken.
    fn note(&self) -> Option<&'static str> {
        None
    }
}

/// A strategy that somebody else keeps: a search, which goes on with the next run.
impl<S: Strategy + ?Sized> Strategy for &mut S {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        (**self).choose(point)
    }

    fn ran(&mut self, instructions: u32) {
        (**self).ran(instructions);
    }

    fn is_watching(&self) -> bool {
        (**self).is_watching()
    }

    fn touched(&mut self, touched: Touched) {
        (**self).touched(touched);
    }

    fn finish(&self) -> Result<(), Divergence> {
        (**self).finish()
    }

    fn injected(&self) -> u32 {
        (**self).injected()
    }

    fn note(&self) -> Option<&'static str> {
        (**self).note()
    }
}

/// The first recorded decision that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Its number in the run, from 0.
    pub ordinal: u32,
    /// What was expected and what was found.
    pub message: String,
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Divergence {}

/// Whether the actor runs instructions: host and timers do not.
pub(super) fn runs_instructions(actor: u32) -> bool {
    actor != Site::HOST && actor != Site::TIMERS
}

/// How many tasks exist as far as the ready actors show: one more than the highest number.
pub(super) fn actors_seen(ready: &[ReadyActor]) -> usize {
    let task = ready
        .iter()
        .rev()
        .find(|ready| ready.site.actor != Site::TIMERS);
    task.map_or(0, |ready| ready.site.actor as usize + 1)
}
