//! Exhaustive exploration of the schedules of a small scenario, with a bound on preemptions.
//!
//! # Problem and idea
//! Two tasks of n instructions have C(2n, n) interleavings. Musuvathi and Qadeer ("Iterative
//! context bounding for systematic testing of multithreaded programs", PLDI 2007; CHESS)
//! observed that few *preemptions* (switches away from an actor that could have gone on) are
//! enough for most bugs, while switches that an actor brings about by waiting are free. With
//! at most c of them the number of schedules is polynomial in n, and "all of them pass" is a
//! statement that a reader can use.
//!
//! The search is stateless (Godefroid, VeriSoft): it keeps the actors chosen so far, and runs
//! the scenario again from the start for each schedule, along the recorded prefix and then
//! on, depth first. An actor that can go on is tried first.
//!
//! # Reduction
//! Schedules that differ in the order of independent steps alone reach the same state. The
//! classical way not to repeat them are sleep sets (Godefroid 1996), but sleep sets and a
//! preemption bound do not go together: the sibling that a sleeping step relies on may have
//! been cut off by the bound (Coons, Musuvathi, McKinley: "Bounded partial-order reduction",
//! OOPSLA 2013). So this does what CHESS does instead: the partial order of the steps so far
//! stands for the state ([`happens_before`](super::happens_before)), and a prefix is not
//! continued if another one led to the same state, with the same actor in its turn and the
//! same number of preemptions spent. Whatever can follow the one has then followed the
//! other, at the same cost. That is sound with any bound, and it lets the search know how
//! many schedules those it ran stand for.
//!
//! *Local* instructions, which touch an actor's own registers and frames, are no places to
//! switch at: a switch before one can as well come later, before the next that is not, at the
//! same cost. This holds while nobody cancels the actor (that strikes between two of them)
//! and nothing is collected (which sees all registers). When a run does either, the search
//! starts again with a finer grain: those actors, or all of them, are switched at every
//! instruction. Up to the first such event of a schedule the coarse grain misses nothing, so
//! it is met.
//!
//! # Where we deviate
//! A timer counts as an actor of its own that ends when it fires, so a switch away from it is
//! free; so is one away from a task that let others go first. A slice has one instruction.
//! Schedules without end (a task that spins) are cut off, and then the search says that it
//! did not cover all.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::decision::{Choice, Divergence, Point, ReadyActor, Strategy, runs_instructions};
use super::happens_before::HappensBefore;
use super::touched::Touched;
use gcrucible_trace::{Decision, Site};

/// States that are remembered; the search goes on without remembering more.
const STATES_MAX: usize = 4 << 20;

/// A search through all schedules, which as a [`Strategy`] takes the decisions of one run
/// after the other: [`Exhaustive::begin`], run, [`Exhaustive::end`].
#[derive(Debug)]
pub struct Exhaustive {
    preemptions_max: Option<u32>,
    is_reducing: bool,
    /// Choices of the prefix, and what is left to try at each.
    branches: Vec<Branch>,
    /// Schedules that follow each state that was left for good.
    explored: FxHashMap<State, u128>,
    /// Actors that are switched at every instruction.
    fine: BTreeSet<u32>,
    is_all_fine: bool,
    found: Found,
    run: Run,
}

/// What a search found out about the number of schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Schedules that ran to their end.
    pub schedules: u64,
    /// Runs that ended where another one had been.
    pub pruned: u64,
    /// Schedules that the search has covered, whether they ran or not: all that exist, at the
    /// grain of the search, when it is through.
    pub covered: u128,
    /// How often it started again with a finer grain.
    pub restarts: u32,
}

/// All that decides how a run can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    order: u128,
    /// Whom it costs a preemption to switch away from.
    holder: Option<u32>,
    preemptions: u32,
}

#[derive(Debug)]
struct Branch {
    state: State,
    /// The actors to try, with what they cost.
    actors: Vec<(u32, u32)>,
    /// The one being tried.
    at: usize,
    /// Schedules through those that were.
    covered: u128,
}

/// The run in progress.
#[derive(Debug, Default)]
struct Run {
    decisions: Vec<Decision>,
    order: HappensBefore,
    /// Branches passed.
    depth: usize,
    preemptions: u32,
    last: Option<Last>,
    /// Numbers of the actors that were ready at the last decision.
    ready: Vec<u32>,
    changed: Vec<u32>,
    end: RunEnd,
}

#[derive(Debug)]
struct Last {
    actor: u32,
    touched: Option<Touched>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum RunEnd {
    /// It went as far as it could.
    #[default]
    Complete,
    /// So many schedules go on from here, and were covered before.
    Pruned(u128),
    /// The grain is too coarse.
    TooCoarse,
    /// It went another way than the run before it with the same choices.
    Different,
}

/// What comes after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another run.
    Run,
    /// Nothing: all schedules are covered.
    Done,
    /// Nothing: two runs with the same choices went different ways.
    Nondeterministic,
}

impl Exhaustive {
    /// A search through all schedules with at most so many preemptions, or with any number.
    /// Without reduction it runs every interleaving of single instructions.
    pub fn new(preemptions_max: Option<u32>, is_reducing: bool) -> Self {
        Exhaustive {
            preemptions_max,
            is_reducing,
            branches: Vec::new(),
            explored: FxHashMap::default(),
            fine: BTreeSet::new(),
            is_all_fine: !is_reducing,
            found: Found::default(),
            run: Run::default(),
        }
    }

    /// Begins the next run.
    pub fn begin(&mut self) {
        let run = &mut self.run;
        run.decisions.clear();
        run.order.clear();
        run.depth = 0;
        run.preemptions = 0;
        run.last = None;
        run.ready.clear();
        run.end = RunEnd::Complete;
    }

    /// The decisions of the last run.
    pub fn decisions(&self) -> &[Decision] {
        &self.run.decisions
    }

    /// What the search has found out so far.
    pub fn found(&self) -> Found {
        self.found
    }

    /// Ends a run. Returns whether it was a schedule of its own (one that was broken off says
    /// nothing), and what comes next.
    pub fn end(&mut self) -> (bool, Next) {
        // The last step may disturb others, too.
        if self.run.end == RunEnd::Complete && self.settle(&[]) && self.is_reducing {
            let end = State {
                order: self.run.order.sum(),
                holder: None,
                preemptions: 0,
            };
            if self.explored.insert(end, 1).is_some() {
                self.run.end = RunEnd::Pruned(1);
            }
        }
        let is_schedule = self.run.end == RunEnd::Complete;
        (is_schedule, self.advance())
    }

    /// Goes on to the next schedule.
    fn advance(&mut self) -> Next {
        let mut covered = match self.run.end {
            RunEnd::Complete | RunEnd::Pruned(_) if self.run.depth < self.branches.len() => {
                return Next::Nondeterministic;
            }
            RunEnd::Complete => {
                self.found.schedules += 1;
                1
            }
            RunEnd::Pruned(covered) => {
                self.found.pruned += 1;
                covered
            }
            RunEnd::TooCoarse => {
                self.branches.clear();
                self.explored.clear();
                let restarts = self.found.restarts + 1;
                self.found = Found {
                    restarts,
                    ..Found::default()
                };
                return Next::Run;
            }
            RunEnd::Different => return Next::Nondeterministic,
        };
        while let Some(branch) = self.branches.last_mut() {
            branch.covered = branch.covered.saturating_add(covered);
            branch.at += 1;
            if branch.at < branch.actors.len() {
                return Next::Run;
            }
            covered = branch.covered;
            if self.is_reducing && self.explored.len() < STATES_MAX {
                self.explored.insert(branch.state, covered);
            }
            self.branches.pop();
        }
        self.found.covered = covered;
        Next::Done
    }

    /// Takes note of what the last step did. Whether the run can go on.
    fn settle(&mut self, ready: &[ReadyActor]) -> bool {
        let run = &mut self.run;
        let Some(Last { actor, touched }) = &mut run.last else {
            return true;
        };
        // Who is not told what a step touched must take it for everything.
        let touched = touched.get_or_insert_with(Touched::everything);
        run.changed.clear();
        let is_ready = |actor| ready.iter().any(|ready| ready.site.actor == actor);
        for ready in ready {
            if !run.ready.contains(&ready.site.actor) {
                run.changed.push(ready.site.actor);
            }
        }
        for &before in &run.ready {
            if !is_ready(before) {
                run.changed.push(before);
            }
        }
        run.changed.retain(|changed| changed != actor);
        run.order.add(*actor, touched, &run.changed);
        if touched.disturbs_all && !self.is_all_fine {
            self.is_all_fine = true;
            run.end = RunEnd::TooCoarse;
        }
        for &task in &touched.disturbed {
            if !self.is_all_fine && self.fine.insert(task) {
                run.end = RunEnd::TooCoarse;
            }
        }
        run.end == RunEnd::Complete
    }

    /// The actor that has to go on, because what it does next concerns nobody else.
    fn local(&self, ready: &[ReadyActor]) -> Option<usize> {
        let Last { actor, touched } = self.run.last.as_ref()?;
        let is_local = touched
            .as_ref()
            .is_some_and(|touched| touched.is_local_next);
        if !is_local || self.is_all_fine || self.fine.contains(actor) {
            return None;
        }
        ready.iter().position(|ready| ready.site.actor == *actor)
    }

    /// Whom it costs a preemption to switch away from.
    fn holder(&self, ready: &[ReadyActor]) -> Option<u32> {
        let Last { actor, touched } = self.run.last.as_ref()?;
        // Without a bound nothing has a cost, and whose turn it is makes no difference.
        self.preemptions_max?;
        let yields = touched.as_ref().is_some_and(|touched| touched.yields);
        let is_ready = ready.iter().any(|ready| ready.site.actor == *actor);
        (is_ready && !yields && *actor != Site::TIMERS).then_some(*actor)
    }

    /// The actors to try in a state: first the one in its turn.
    fn affordable(&self, state: State, ready: &[ReadyActor]) -> Vec<(u32, u32)> {
        let actors = ready.iter().map(|ready| ready.site.actor);
        let (first, rest): (Vec<u32>, Vec<u32>) =
            actors.partition(|&actor| Some(actor) == state.holder);
        let cost = u32::from(state.holder.is_some());
        let affordable = self
            .preemptions_max
            .is_none_or(|max| state.preemptions + cost <= max);
        let first = first.into_iter().map(|actor| (actor, 0));
        let rest = rest.into_iter().map(|actor| (actor, cost));
        first.chain(rest.filter(|_| affordable)).collect()
    }

    /// The actor of the next branch, along the prefix or beyond it.
    fn branch(&mut self, ready: &[ReadyActor]) -> Option<u32> {
        let state = State {
            order: self.run.order.sum(),
            holder: self.holder(ready),
            preemptions: self.run.preemptions,
        };
        if self.run.depth == self.branches.len() {
            if let Some(&covered) = self.explored.get(&state) {
                self.run.end = RunEnd::Pruned(covered);
                return None;
            }
            let actors = self.affordable(state, ready);
            self.branches.push(Branch {
                state,
                actors,
                at: 0,
                covered: 0,
            });
        }
        let branch = &self.branches[self.run.depth];
        if branch.state != state {
            self.run.end = RunEnd::Different;
            return None;
        }
        let (actor, cost) = branch.actors[branch.at];
        self.run.depth += 1;
        self.run.preemptions += cost;
        Some(actor)
    }
}

impl Strategy for Exhaustive {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        let broken_off = || Divergence {
            ordinal: point.ordinal,
            message: "the search goes on elsewhere".to_owned(),
        };
        if !self.settle(point.ready) {
            return Err(broken_off());
        }
        let index = match self.local(point.ready) {
            Some(index) => index,
            None => {
                let actor = self.branch(point.ready).ok_or_else(broken_off)?;
                let index = point
                    .ready
                    .iter()
                    .position(|ready| ready.site.actor == actor);
                index.ok_or_else(|| {
                    self.run.end = RunEnd::Different;
                    broken_off()
                })?
            }
        };
        let site = point.ready[index].site;
        let fuel = u32::from(runs_instructions(site.actor));
        let run = &mut self.run;
        run.ready.clear();
        run.ready
            .extend(point.ready.iter().map(|ready| ready.site.actor));
        run.last = Some(Last {
            actor: site.actor,
            touched: None,
        });
        run.decisions.push(Decision {
            site,
            fuel,
            collect: None,
            inject: None,
        });
        Ok(Choice {
            index,
            fuel,
            collect: None,
            inject: None,
        })
    }

    fn is_watching(&self) -> bool {
        true
    }

    fn touched(&mut self, touched: Touched) {
        if let Some(last) = &mut self.run.last {
            last.touched = Some(touched);
        }
    }
}
