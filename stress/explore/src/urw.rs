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
//! In every second run births are *eager*: where the walk draws an event of a task that is
//! not yet born, its parent runs until it is, and then that task. Events of tasks are then
//! uniform among each other as if all tasks were there from the start, while the events of
//! a parent before a birth are raced with less: selectively uniform, where what leads to a
//! spawn is not selected. Either kind of run finds bugs that the other hardly does: a long
//! row of spawns next to short tasks, or a race with the parent before it spawns.
//!
//! The counts come from a dry run. Tasks have other numbers in another interleaving, so a
//! task is found in the counts by its descent: the k-th child of its parent, which is whoever
//! ran right before the task was first ready. A task that the dry run did not have, and one
//! that has used up its count, weighs 1.
//!
//! Where we deviate: a slice may run several instructions, so the walk is uniform over
//! interleavings of slices of that run's length. An event of the host or of a timer is one
//! slice, and is weighed as one: its count is multiplied by the mean length of a slice.

use super::counts::EventCounts;
use super::decision::{
    Choice, Divergence, Point, ReadyActor, Strategy, actors_seen, runs_instructions,
};
use super::slices::Slices;
use gcrucible_trace::Site;
use gcrucible_trace::choices::{Choices, SeededChoices};

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
    /// Whether births are eager in this run.
    eager: bool,
    /// The event drawn that has to wait for a birth.
    intent: Option<Intent>,
    /// The actor chosen last, and the events of its slice unless [`Strategy::ran`] tells
    /// better; 0 when it has told.
    last: u32,
    unsettled: u32,
    /// Slices of tasks and instructions that they ran.
    task_slices: u64,
    task_instructions: u64,
}

/// An event that the walk is on its way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// The next one of this actor.
    Next(u32),
    /// One of the descendants that the actor has yet to start: this one of all of theirs,
    /// in order of birth.
    Unborn(u32, u64),
}

impl Intent {
    /// Whether this actor has to run next.
    fn leads_through(self, other: u32) -> bool {
        let (Intent::Next(actor) | Intent::Unborn(actor, _)) = self;
        actor == other
    }
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
        let eager = choices.chance(1, 2);
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
            eager,
            intent: None,
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
        actor.left = actor.left.saturating_sub(u64::from(events.max(1)));
        if actor.left == 0 && self.intent.is_some_and(|intent| intent.leads_through(last)) {
            // It should have spawned by now. Whatever keeps it may need the others to run.
            self.intent = None;
        }
        self.unsettled = 0;
    }

    /// The next task exists: whoever ran last has started it.
    fn bear(&mut self) {
        let (parent, number) = (self.last, self.actors.len() as u32);
        let Actor {
            planned,
            children: nth,
            ..
        } = *self.actor(parent);
        self.actor(parent).children += 1;
        let siblings = planned.map_or(&[][..], |planned| &self.plan[planned as usize].children);
        let child = siblings.get(nth as usize).copied();
        if let Some(child) = child {
            let Planned {
                steps,
                with_descendants,
                ..
            } = self.plan[child as usize];
            self.actor(parent).unborn -= with_descendants;
            if let Some(Intent::Unborn(actor, event)) = self.intent
                && actor == parent
            {
                self.intent = Some(if event < steps {
                    Intent::Next(number)
                } else if event < with_descendants {
                    Intent::Unborn(number, event - steps)
                } else {
                    Intent::Unborn(parent, event - with_descendants)
                });
            }
        }
        let actor = born(&self.plan, child);
        self.actors.push(actor);
    }

    /// Index of the ready actor that leads to the event drawn before; none if it waits.
    fn intended(&mut self, ready: &[ReadyActor]) -> Option<usize> {
        let (Intent::Next(actor) | Intent::Unborn(actor, _)) = self.intent?;
        let index = ready
            .binary_search_by_key(&actor, |ready| ready.site.actor)
            .ok();
        if index.is_none() || self.intent == Some(Intent::Next(actor)) {
            self.intent = None;
        }
        index
    }

    /// Instructions of a task's slice, on average; 1 before the first.
    fn slice_mean(&self) -> u64 {
        (self.task_instructions / self.task_slices.max(1)).max(1)
    }

    /// Weight of an actor's own events, and of those of descendants to be born.
    fn weights(&self, actor: u32) -> (u64, u64) {
        let (actor, events_per_step) = match actor {
            Site::TIMERS => (&self.timers, self.slice_mean()),
            Site::HOST => (&self.actors[0], self.slice_mean()),
            actor => (&self.actors[actor as usize], 1),
        };
        let own = actor.left * events_per_step;
        (if own + actor.unborn > 0 { own } else { 1 }, actor.unborn)
    }

    /// Index of a ready actor, in proportion to the weights.
    fn draw(&mut self, ready: &[ReadyActor]) -> usize {
        let weight = |(own, unborn): (u64, u64)| own + unborn;
        let weights = ready.iter().map(|ready| self.weights(ready.site.actor));
        let total: u64 = weights.map(weight).sum();
        // Multiply-shift, as in `SeededChoices::below`, over 64 bits.
        let mut rest = ((u128::from(self.choices.bits()) * u128::from(total)) >> 64) as u64;
        for (index, ready) in ready.iter().enumerate() {
            let weights = self.weights(ready.site.actor);
            if rest < weight(weights) {
                if self.eager && rest >= weights.0 && weights.0 > 0 {
                    self.intent = Some(Intent::Unborn(ready.site.actor, rest - weights.0));
                }
                return index;
            }
            rest -= weight(weights);
        }
        unreachable!("the draw is below the sum of the weights")
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
        let index = self
            .intended(point.ready)
            .unwrap_or_else(|| self.draw(point.ready));
        let actor = point.ready[index].site.actor;
        let (fuel, collect) = self.slices.next(actor, &mut self.choices);
        self.last = actor;
        self.unsettled = fuel.max(1);
        Ok(Choice {
            index,
            fuel,
            collect,
            inject: None,
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

    fn counts(steps: &[(u32, u32)]) -> EventCounts {
        let mut counts = EventCounts::default();
        for &(actor, steps) in steps {
            counts.note(actor, steps);
        }
        counts
    }

    /// The order in which actors take their steps one by one; task 3 is there once task 1
    /// has taken its first step.
    fn interleaving(mut urw: Urw, mut left: BTreeMap<u32, u32>) -> Vec<u32> {
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

    /// Asserts that each of `count` interleavings turns up about equally often in runs with
    /// these births, where only the actors `from` and up are looked at.
    fn assert_uniform(
        count: usize,
        eager: bool,
        counts: &EventCounts,
        left: &BTreeMap<u32, u32>,
        from: u32,
    ) {
        let mut seen: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for seed in 0..200 * count as u64 {
            let urw = Urw {
                eager,
                ..Urw::new(seed, counts)
            };
            let mut order = interleaving(urw, left.clone());
            order.retain(|&actor| actor >= from);
            *seen.entry(order).or_default() += 1;
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
        for eager in [false, true] {
            let steps = [(1, 4), (2, 2)];
            assert_uniform(15, eager, &counts(&steps), &steps.into(), 0);
            let steps = [(0, 1), (1, 2), (Site::TIMERS, 1)];
            assert_uniform(12, eager, &counts(&steps), &steps.into(), 0);
        }
    }

    /// Task 1 starts task 3 with the first of its two steps.
    fn with_a_birth() -> (EventCounts, BTreeMap<u32, u32>) {
        let steps = [(1, 2), (2, 1), (3, 3)];
        let mut counts = counts(&steps);
        counts.spawned(3, 1);
        (counts, steps.into())
    }

    #[test]
    fn a_task_counts_for_its_parent_until_it_is_born() {
        // Of the 6!/(2!·1!·3!) = 60 interleavings, those in which that step comes before the
        // other four of tasks 1 and 3.
        let (counts, steps) = with_a_birth();
        assert_uniform(24, false, &counts, &steps, 0);
    }

    #[test]
    fn eager_births_make_tasks_uniform_among_each_other() {
        let (counts, steps) = with_a_birth();
        assert_uniform(4, true, &counts, &steps, 2);
    }

    #[test]
    fn eager_births_starve_nobody() {
        // Task 1 started task 3 in the dry run, but now waits for task 2 in a loop.
        let (counts, _) = with_a_birth();
        let ready = [1, 2].map(|actor| ReadyActor {
            site: Site {
                actor,
                ..Site::default()
            },
        });
        for seed in 0..100 {
            let mut urw = Urw {
                eager: true,
                ..Urw::new(seed, &counts)
            };
            let ran = (0..200).any(|ordinal| {
                let point = Point {
                    ready: &ready,
                    ordinal,
                };
                let choice = urw.choose(&point).expect("drawn schedules do not diverge");
                urw.ran(1);
                choice.index == 1
            });
            assert!(ran, "task 2 never ran with seed {seed}");
        }
    }

    #[test]
    fn intents_find_the_task_that_was_drawn() {
        // The host starts 1 and 3; 1 starts 2.
        let mut counts = counts(&[(1, 10), (2, 20), (3, 30)]);
        counts.spawned(2, 1);
        for (event, expected) in [
            (9, Intent::Next(1)),
            (29, Intent::Unborn(1, 19)),
            (30, Intent::Next(2)),
        ] {
            let mut urw = Urw::new(1, &counts);
            urw.intent = Some(Intent::Unborn(Site::HOST, event));
            urw.bear();
            if event >= 30 {
                assert_eq!(urw.intent, Some(Intent::Unborn(Site::HOST, event - 30)));
                urw.bear();
            }
            assert_eq!(urw.intent, Some(expected));
        }
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
        assert_eq!(
            urw.weights(4),
            (1, 0),
            "the dry run had no second child of 1"
        );
    }

    #[test]
    fn events_of_the_host_weigh_as_slices() {
        let mut urw = Urw::new(1, &counts(&[(0, 3), (1, 100)]));
        urw.bear();
        urw.last = 1;
        urw.settle(8);
        assert_eq!((urw.weights(0), urw.weights(1)), ((24, 0), (92, 0)));
        urw.settle(40);
        assert_eq!((urw.weights(0), urw.weights(1)), ((72, 0), (52, 0)));
        urw.settle(1000);
        assert_eq!(urw.weights(1), (1, 0), "used up");
    }
}
