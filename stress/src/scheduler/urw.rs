//! URW: a uniform random walk over interleavings (Zhao, Wolff, Mathur, Roychoudhury:
//! "Selectively uniform concurrency testing", ASPLOS 2025).
//!
//! If actors have r1, r2, … events to go, the interleavings that start with an event of
//! actor i are a share r_i / (r1 + r2 + …) of all. So choosing the next actor in
//! proportion to what it has left makes every interleaving equally likely, where a uniform
//! choice of the actor prefers those in which short actors run early. What an actor has
//! left includes all of the tasks that it has yet to start: a task counts for its parent
//! until it is born.
//!
//! The counts come from a dry run. Tasks have other numbers in another interleaving, so a
//! task is found in the counts by its descent: the k-th child of its parent. A task that
//! the dry run did not have, and one that has used up its count, weighs 1.
//!
//! Where we deviate: a slice may run several instructions, so the walk is uniform over
//! interleavings of slices of that run's length. An event of the host or of a timer is one
//! slice, and is weighed as one: its count is multiplied by the mean length of a slice.
//! Which events matter is not selected: all do.

use super::counts::EventCounts;
use super::decision::{Choice, Divergence, Point, Strategy, actors_seen, runs_instructions};
use super::slices::Slices;
use crate::generator::choices::{Choices, SeededChoices};
use crate::scenario::Site;

/// A uniform random walk over interleavings.
#[derive(Debug)]
pub struct Urw {
    choices: SeededChoices,
    slices: Slices,
    /// What the dry run had, by its own numbers.
    plan: Vec<Planned>,
    /// Host and tasks of this run, by number.
    actors: Vec<Actor>,
    timers: Actor,
    /// The actor chosen last, and the events of its slice unless [`Strategy::ran`] tells
    /// better; 0 when it has told.
    last: u32,
    unsettled: u32,
    /// Slices of tasks and instructions that they ran.
    task_slices: u64,
    task_instructions: u64,
}

/// An actor of the dry run.
#[derive(Clone, Debug, Default)]
struct Planned {
    /// Its own steps.
    steps: u64,
    /// Its own and those of its descendants.
    with_descendants: u64,
    /// The tasks it started, in order.
    children: Vec<u32>,
}

/// An actor of this run.
#[derive(Clone, Copy, Debug, Default)]
struct Actor {
    /// Who it was in the dry run.
    planned: Option<u32>,
    /// Its own steps to go.
    left: u64,
    /// Steps of the descendants that it has yet to start.
    unborn: u64,
    /// Children started.
    children: u32,
}

impl Urw {
    /// The walk of a seed, over the events of a dry run.
    pub fn new(seed: u64, counts: &EventCounts) -> Self {
        let mut choices = SeededChoices::new(seed);
        let slices = Slices::draw(&mut choices);
        let plan = plan(counts);
        let mut actors = Vec::with_capacity(plan.len().max(16));
        actors.push(born(&plan, Some(Site::HOST)));
        let timers = Actor {
            left: u64::from(counts.of(Site::TIMERS)),
            ..Actor::default()
        };
        Self {
            choices,
            slices,
            plan,
            actors,
            timers,
            last: Site::HOST,
            unsettled: 0,
            task_slices: 0,
            task_instructions: 0,
        }
    }

    fn actor(&mut self, actor: u32) -> &mut Actor {
        match actor {
            Site::TIMERS => &mut self.timers,
            actor => &mut self.actors[actor as usize],
        }
    }

    fn settle(&mut self, events: u32) {
        let last = self.last;
        if runs_instructions(last) {
            self.task_slices += 1;
            self.task_instructions += u64::from(events);
        }
        let actor = self.actor(last);
        actor.left = actor.left.saturating_sub(u64::from(events));
        self.unsettled = 0;
    }

    /// The next task exists: whoever ran last has started it.
    fn bear(&mut self) {
        let parent = self.last;
        let parent = self.actor(parent);
        let (planned, nth) = (parent.planned, parent.children as usize);
        parent.children += 1;
        let child =
            planned.and_then(|parent| self.plan[parent as usize].children.get(nth).copied());
        if let Some(child) = child {
            let moved = self.plan[child as usize].with_descendants;
            let parent = self.last;
            self.actor(parent).unborn -= moved;
        }
        let actor = born(&self.plan, child);
        self.actors.push(actor);
    }

    /// Instructions of a task's slice, on average; 1 before the first.
    fn slice_mean(&self) -> u64 {
        (self.task_instructions / self.task_slices.max(1)).max(1)
    }

    fn weight(&self, actor: u32, slice_mean: u64) -> u64 {
        let (actor, events_per_step) = match actor {
            Site::TIMERS => (&self.timers, slice_mean),
            Site::HOST => (&self.actors[0], slice_mean),
            actor => (&self.actors[actor as usize], 1),
        };
        (actor.left * events_per_step + actor.unborn).max(1)
    }

    /// Index of a ready actor, in proportion to the weights.
    fn draw(&mut self, point: &Point<'_>) -> usize {
        let mean = self.slice_mean();
        let total: u64 = point
            .ready
            .iter()
            .map(|ready| self.weight(ready.site.actor, mean))
            .sum();
        // Multiply-shift, as in `SeededChoices::below`, over 64 bits.
        let mut rest = ((u128::from(self.choices.bits()) * u128::from(total)) >> 64) as u64;
        for (index, ready) in point.ready.iter().enumerate() {
            let weight = self.weight(ready.site.actor, mean);
            if rest < weight {
                return index;
            }
            rest -= weight;
        }
        0
    }
}

fn plan(counts: &EventCounts) -> Vec<Planned> {
    let mut plan = vec![Planned::default()];
    plan.extend(counts.tasks().map(|_| Planned::default()));
    for (actor, planned) in plan.iter_mut().enumerate() {
        planned.steps = u64::from(counts.of(actor as u32));
        planned.with_descendants = planned.steps;
    }
    for (actor, parent) in counts.tasks() {
        plan[parent as usize].children.push(actor);
    }
    // Parents are older, so each task is complete when it is added to its parent.
    for (actor, parent) in counts.tasks().rev() {
        plan[parent as usize].with_descendants += plan[actor as usize].with_descendants;
    }
    plan
}

fn born(plan: &[Planned], planned: Option<u32>) -> Actor {
    let Some(index) = planned else {
        return Actor::default();
    };
    let Planned {
        steps,
        with_descendants,
        ..
    } = plan[index as usize];
    Actor {
        planned,
        left: steps,
        unborn: with_descendants - steps,
        children: 0,
    }
}

impl Strategy for Urw {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        if self.unsettled > 0 {
            self.settle(self.unsettled);
        }
        while self.actors.len() < actors_seen(point.ready) {
            self.bear();
        }
        let index = self.draw(point);
        let actor = point.ready[index].site.actor;
        let (fuel, collect) = self.slices.next(actor, &mut self.choices);
        self.last = actor;
        self.unsettled = fuel.max(1);
        Ok(Choice {
            index,
            fuel,
            collect,
        })
    }

    fn ran(&mut self, instructions: u32) {
        if self.unsettled > 0 && runs_instructions(self.last) {
            self.settle(instructions);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scheduler::ReadyActor;

    fn counts(steps: &[(u32, u32)]) -> EventCounts {
        let mut counts = EventCounts::default();
        for &(actor, steps) in steps {
            counts.note(actor, steps);
        }
        counts
    }

    /// The order in which actors take their steps one by one; task 3 is there once task 1
    /// has taken its first step.
    fn interleaving(seed: u64, counts: &EventCounts, mut left: BTreeMap<u32, u32>) -> Vec<u32> {
        let mut urw = Urw::new(seed, counts);
        let (mut order, first) = (Vec::new(), left[&1]);
        while left.values().any(|&left| left > 0) {
            let ready: Vec<_> = (left.iter())
                .filter(|&(&actor, &steps)| steps > 0 && (actor != 3 || left[&1] < first))
                .map(|(&actor, _)| ReadyActor {
                    site: Site {
                        actor,
                        ..Site::default()
                    },
                })
                .collect();
            let point = Point {
                ready: &ready,
                ordinal: order.len() as u32,
            };
            let choice = urw.choose(&point).expect("drawn schedules do not diverge");
            let actor = ready[choice.index].site.actor;
            *left.get_mut(&actor).expect("a ready actor") -= 1;
            urw.ran(1);
            order.push(actor);
        }
        order
    }

    /// Asserts that each of `count` interleavings turns up about equally often.
    fn assert_uniform(count: usize, counts: &EventCounts, left: &BTreeMap<u32, u32>) {
        let mut seen: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for seed in 0..200 * count as u64 {
            *seen
                .entry(interleaving(seed, counts, left.clone()))
                .or_default() += 1;
        }
        assert_eq!(seen.len(), count);
        // The standard deviation is 14: 70 is five of it.
        assert!(
            seen.values().all(|times| (130..270).contains(times)),
            "{seen:?}"
        );
    }

    #[test]
    fn all_interleavings_are_equally_likely() {
        let steps = [(1, 4), (2, 2)];
        assert_uniform(15, &counts(&steps), &steps.into());
        let steps = [(0, 1), (1, 2), (Site::TIMERS, 1)];
        assert_uniform(12, &counts(&steps), &steps.into());
    }

    #[test]
    fn a_task_counts_for_its_parent_until_it_is_born() {
        // Task 1 starts task 3 with its first step: of the 6!/(2!·1!·3!) = 60 interleavings,
        // those in which that comes first among the five steps of 1 and 3.
        let steps = [(1, 2), (2, 1), (3, 3)];
        let mut counts = counts(&steps);
        counts.spawned(3, 1);
        assert_uniform(24, &counts, &steps.into());
    }

    #[test]
    fn tasks_are_known_by_their_descent() {
        // In the dry run the host started 1 and 2, and 1 started 3; here 1 is faster.
        let mut counts = counts(&[(0, 2), (1, 10), (2, 20), (3, 30)]);
        counts.spawned(3, 1);
        let mut urw = Urw::new(1, &counts);
        for parent in [Site::HOST, 1, Site::HOST, 1] {
            urw.last = parent;
            urw.bear();
        }
        let left: Vec<_> = urw
            .actors
            .iter()
            .map(|actor| (actor.left, actor.unborn))
            .collect();
        assert_eq!(left, [(2, 0), (10, 0), (30, 0), (20, 0), (0, 0)]);
        assert_eq!(urw.weight(4, 1), 1, "the dry run had no second child of 1");
    }

    #[test]
    fn events_of_the_host_weigh_as_slices() {
        let mut urw = Urw::new(1, &counts(&[(0, 3), (1, 100)]));
        urw.bear();
        assert_eq!((urw.weight(0, 8), urw.weight(1, 8)), (24, 100));
        urw.last = 1;
        urw.settle(40);
        assert_eq!((urw.slice_mean(), urw.weight(1, 8)), (40, 60));
        urw.settle(1000);
        assert_eq!(urw.weight(1, 8), 1, "used up");
    }
}
