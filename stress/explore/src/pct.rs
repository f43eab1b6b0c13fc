//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte:
//! "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
//!
//! Each actor gets a random priority when it shows itself, and the ready actor of the
//! highest priority runs. At d-1 events, drawn uniformly from the k of the run, the actor
//! about to run falls below all others. A bug that needs d ordering constraints among n
//! actors is found with probability at least 1/(n k^(d-1)) per run: [`pct_bound`].
//!
//! An event is an instruction of a task, an event of the host, or a timer: a slice ends
//! early where a change point falls into it, so that the bound counts instructions and not
//! slices. k comes from a dry run. Where there was none, or where the run outlives it, k
//! doubles, and each change point is drawn again in the new half with probability 1/2, as
//! uniform points over the longer run would fall. This also frees a run in which a task of
//! high priority spins on something that only a lower one can do.

use super::counts::EventCounts;
use super::decision::{
    Choice, Divergence, Point, ReadyActor, Strategy, actors_seen, runs_instructions,
};
use super::slices::Slices;
use gcrucible_trace::Site;
use gcrucible_trace::choices::{Choices, SeededChoices};

/// Events that a run is taken to have while nothing is known of it.
const EVENTS_GUESS: u64 = 64;

/// The least probability with which one run under [`Pct`] of depth `d` finds a bug of that
/// depth, in a scenario of `n` actors and `k` events.
pub fn pct_bound(n: u32, k: u64, d: u32) -> f64 {
    let changes = i32::try_from(d.saturating_sub(1)).unwrap_or(i32::MAX);
    1.0 / (f64::from(n.max(1)) * (k.max(1) as f64).powi(changes))
}

/// Priorities and change points.
#[derive(Debug)]
pub struct Pct {
    choices: SeededChoices,
    slices: Slices,
    /// Of host and tasks, by number. Those that were lowered are negative, and distinct.
    priorities: Vec<i64>,
    timers_priority: i64,
    /// The d-1 change points.
    changes: Vec<Change>,
    /// Event of the next one; `u64::MAX` when none is to come.
    change_next: u64,
    /// Events run so far.
    position: u64,
    /// Events that the run is taken to have.
    length: u64,
    /// Lower than every priority in use.
    floor: i64,
    /// Whether the last choice was a task.
    task_chosen: bool,
    /// Events of the last choice, unless [`Strategy::ran`] tells better; 0 when it has told.
    unsettled: u32,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// The event before which it comes; `u64::MAX` when it has been.
    at: u64,
    /// The priority that the actor gets.
    lowered: i64,
}

impl Pct {
    /// PCT of depth `d`, over the events of a dry run if there was one.
    pub fn new(seed: u64, d: u32, counts: Option<&EventCounts>) -> Self {
        let mut choices = SeededChoices::new(seed);
        let slices = Slices::draw(&mut choices);
        let length = counts.map_or(EVENTS_GUESS, EventCounts::steps).max(2);
        let tasks = counts.map_or(0, |counts| counts.tasks().count()).max(15);
        let changes = d.saturating_sub(1);
        let mut pct = Self {
            timers_priority: priority(&mut choices),
            choices,
            slices,
            priorities: Vec::with_capacity(tasks + 1),
            changes: Vec::with_capacity(changes as usize),
            change_next: u64::MAX,
            position: 0,
            length,
            floor: -i64::from(changes) - 1,
            task_chosen: false,
            unsettled: 0,
        };
        for lowered in 1..=i64::from(changes) {
            let at = pct.event_of(1, length);
            pct.changes.push(Change {
                at,
                lowered: -lowered,
            });
        }
        pct.find_next_change();
        pct
    }

    /// An event of `from..to`.
    fn event_of(&mut self, from: u64, to: u64) -> u64 {
        let events = u32::try_from(to - from).unwrap_or(u32::MAX);
        from + u64::from(self.choices.below(events))
    }

    fn find_next_change(&mut self) {
        self.change_next = self
            .changes
            .iter()
            .map(|change| change.at)
            .min()
            .unwrap_or(u64::MAX);
    }

    /// The run is longer than it was taken to be.
    fn lengthen(&mut self) {
        let from = self.length;
        self.length = from.saturating_mul(2);
        for i in 0..self.changes.len() {
            if self.choices.chance(1, 2) {
                let at = self.event_of(from, self.length);
                self.changes[i] = Change {
                    at,
                    lowered: self.floor,
                };
                self.floor -= 1;
            }
        }
        self.find_next_change();
    }

    fn priority_of(&mut self, actor: u32) -> &mut i64 {
        match actor {
            Site::TIMERS => &mut self.timers_priority,
            actor => &mut self.priorities[actor as usize],
        }
    }

    fn highest(&self, ready: &[ReadyActor]) -> usize {
        let mut highest = (0, i64::MIN);
        for (index, ready) in ready.iter().enumerate() {
            let priority = match ready.site.actor {
                Site::TIMERS => self.timers_priority,
                actor => self.priorities[actor as usize],
            };
            if priority > highest.1 {
                highest = (index, priority);
            }
        }
        highest.0
    }

    /// The change points up to here lower those who would run.
    fn change(&mut self, ready: &[ReadyActor]) {
        while self.change_next <= self.position {
            let index = self.highest(ready);
            let due = self
                .changes
                .iter()
                .position(|change| change.at == self.change_next);
            let Some(due) = due else { break };
            *self.priority_of(ready[index].site.actor) = self.changes[due].lowered;
            self.changes[due].at = u64::MAX;
            self.find_next_change();
        }
    }

    fn settle(&mut self, events: u32) {
        self.position += u64::from(events);
        self.unsettled = 0;
    }
}

/// A priority that no change point gives.
fn priority(choices: &mut SeededChoices) -> i64 {
    (choices.bits() >> 1) as i64
}

impl Strategy for Pct {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        self.settle(self.unsettled);
        while self.position >= self.length {
            self.lengthen();
        }
        while self.priorities.len() < actors_seen(point.ready) {
            let priority = priority(&mut self.choices);
            self.priorities.push(priority);
        }
        self.change(point.ready);
        let index = self.highest(point.ready);
        let actor = point.ready[index].site.actor;
        let (drawn, collect) = self.slices.next(actor, &mut self.choices);
        let until_change = u32::try_from(self.change_next - self.position).unwrap_or(u32::MAX);
        let fuel = drawn.min(until_change);
        self.task_chosen = runs_instructions(actor);
        self.unsettled = fuel.max(1);
        Ok(Choice {
            index,
            fuel,
            collect,
            inject: None,
        })
    }

    fn ran(&mut self, instructions: u32) {
        if self.unsettled > 0 && self.task_chosen {
            self.settle(instructions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(count: u32) -> Vec<ReadyActor> {
        (1..=count)
            .map(|actor| ReadyActor {
                site: Site {
                    actor,
                    ..Site::default()
                },
            })
            .collect()
    }

    /// The actors that run one event each, for `events` events.
    fn walk(pct: &mut Pct, ready: &[ReadyActor], events: u32) -> Vec<u32> {
        let mut actors = Vec::new();
        for ordinal in 0..events {
            let choice = pct.choose(&Point { ready, ordinal });
            let choice = choice.expect("drawn schedules do not diverge");
            actors.push(ready[choice.index].site.actor);
            pct.ran(1);
        }
        actors
    }

    fn counts(steps: u32) -> EventCounts {
        let mut counts = EventCounts::default();
        counts.note(1, steps);
        counts
    }

    #[test]
    fn bound_is_that_of_the_paper() {
        assert_eq!(pct_bound(4, 10, 1), 0.25);
        assert_eq!(pct_bound(4, 10, 3), 1.0 / 400.0);
    }

    #[test]
    fn depth_bounds_the_switches() {
        let counts = counts(100);
        for d in 1..=3 {
            let mut switches_max = 0;
            for seed in 0..50 {
                let mut pct = Pct::new(seed, d, Some(&counts));
                let actors = walk(&mut pct, &tasks(5), 100);
                let switches = actors.windows(2).filter(|pair| pair[0] != pair[1]).count();
                switches_max = switches_max.max(switches as u32);
            }
            assert_eq!(switches_max, d - 1);
        }
    }

    #[test]
    fn change_points_fall_everywhere() {
        let counts = counts(40);
        let mut seen = [false; 40];
        for seed in 0..1000 {
            let mut pct = Pct::new(seed, 2, Some(&counts));
            let actors = walk(&mut pct, &tasks(3), 40);
            if let Some(at) = actors.windows(2).position(|pair| pair[0] != pair[1]) {
                seen[at + 1] = true;
            }
        }
        assert!(seen[1..].iter().all(|seen| *seen), "{seen:?}");
    }

    #[test]
    fn slices_end_at_the_change_point() {
        let counts = counts(5000);
        for seed in 0..20 {
            let mut pct = Pct::new(seed, 2, Some(&counts));
            let change = pct.change_next;
            let (ready, mut ordinal) = (tasks(2), 0);
            while pct.position < change {
                pct.choose(&Point {
                    ready: &ready,
                    ordinal,
                })
                .expect("no divergence");
                pct.settle(pct.unsettled);
                ordinal += 1;
            }
            assert_eq!(pct.position, change);
        }
    }

    #[test]
    fn a_longer_run_than_expected_still_changes() {
        for seed in 0..20 {
            let mut pct = Pct::new(seed, 2, None);
            let actors = walk(&mut pct, &tasks(2), 1 << 16);
            assert!(actors[1 << 10..].contains(&1) && actors[1 << 10..].contains(&2));
        }
    }
}
