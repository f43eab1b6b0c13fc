//! How many steps each actor of a scenario takes.

use super::injection::InjectionPoints;
use gcrucible_trace::Site;

/// Steps of each actor in a dry run, and who started whom: what URW weighs actors by and
/// PCT places its change points in.
///
/// A step is an instruction of a task, an event of the host, or a timer that fires. Tasks
/// that nobody is said to have started count as started by the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// By number; the host is at 0.
    actors: Vec<Counted>,
    timers: u32,
    points: Option<InjectionPoints>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    steps: u32,
    parent: u32,
}

impl EventCounts {
    /// The actor took `steps` more steps.
    pub fn note(&mut self, actor: u32, steps: u32) {
        let count = match actor {
            Site::TIMERS => &mut self.timers,
            actor => &mut self.entry(actor).steps,
        };
        *count = count.saturating_add(steps);
    }

    /// The actor was started by this one, which is older. What timers start counts as
    /// started by the host.
    ///
    /// # Panics
    /// If `by` is not older.
    pub fn spawned(&mut self, actor: u32, by: u32) {
        let by = if by == Site::TIMERS { Site::HOST } else { by };
        assert!(
            by < actor,
            "actor {actor} cannot be started by the younger {by}"
        );
        self.entry(actor).parent = by;
    }

    /// The run had these points at which something can be injected.
    pub fn set_points(&mut self, points: InjectionPoints) {
        self.points = Some(points);
    }

    /// The points at which something can be injected, if the dry run was asked for them.
    pub fn points(&self) -> Option<&InjectionPoints> {
        self.points.as_ref()
    }

    /// Steps of all actors together: the k of PCT.
    pub fn steps(&self) -> u64 {
        self.actors
            .iter()
            .map(|actor| u64::from(actor.steps))
            .sum::<u64>()
            + u64::from(self.timers)
    }

    /// Actors that took a step: the n of PCT.
    pub fn actors(&self) -> u32 {
        let counted = self.actors.iter().filter(|actor| actor.steps > 0).count() as u32;
        counted + u32::from(self.timers > 0)
    }

    /// Steps of one actor.
    pub fn of(&self, actor: u32) -> u32 {
        match actor {
            Site::TIMERS => self.timers,
            actor => self
                .actors
                .get(actor as usize)
                .map_or(0, |actor| actor.steps),
        }
    }

    /// Each task in order of creation, with who started it.
    pub(super) fn tasks(&self) -> impl DoubleEndedIterator<Item = (u32, u32)> {
        let tasks = self.actors.iter().enumerate().skip(1);
        tasks.map(|(actor, counted)| (actor as u32, counted.parent))
    }

    fn entry(&mut self, actor: u32) -> &mut Counted {
        let index = actor as usize;
        if index >= self.actors.len() {
            self.actors.resize(index + 1, Counted::default());
        }
        &mut self.actors[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut counts = EventCounts::default();
        counts.note(Site::HOST, 2);
        counts.note(2, 5);
        counts.spawned(2, 1);
        counts.note(2, 5);
        counts.note(Site::TIMERS, 1);
        assert_eq!((counts.steps(), counts.actors()), (13, 3));
        assert_eq!((counts.of(2), counts.of(1), counts.of(77)), (10, 0, 0));
        assert_eq!(counts.tasks().collect::<Vec<_>>(), [(1, 0), (2, 1)]);
    }
}
