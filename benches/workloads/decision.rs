//! Decisions of the strategies.

use gcrucible_stress::executor::ReplayMode;
use gcrucible_stress::scenario::{Schedule, Site, StrategyName};
use gcrucible_stress::scheduler::{EventCounts, Point, ReadyActor, Strategy, strategy};

/// The strategies, with their names.
pub const STRATEGIES: [(&str, StrategyName); 6] = [
    ("random", StrategyName::Random),
    ("pct2", StrategyName::Pct2),
    ("pct3", StrategyName::Pct3),
    ("urw", StrategyName::Urw),
    ("round-robin", StrategyName::RoundRobin),
    ("kth-point", StrategyName::KthPoint),
];

/// Actors that are ready at each decision: the host and tasks.
const ACTORS: u32 = 6;

/// Events that each actor has, as far as a dry run told.
const EVENTS: u32 = 1 << 20;

/// A strategy in the middle of a long run.
pub struct Decisions {
    strategy: Box<dyn Strategy>,
    ready: Vec<ReadyActor>,
    ordinal: u32,
}

impl Decisions {
    /// A run of its own for a strategy.
    pub fn new(name: StrategyName) -> Self {
        let mut counts = EventCounts::default();
        for actor in 0..ACTORS {
            counts.note(actor, EVENTS);
        }
        let schedule = Schedule::Drawn {
            strategy: name,
            seed: 1,
        };
        let ready = |actor| ReadyActor {
            site: Site {
                actor,
                function: 3,
                at: 0,
                visit: 0,
            },
        };
        Decisions {
            strategy: strategy(&schedule, ReplayMode::Strict, Some(&counts)),
            ready: (0..ACTORS).map(ready).collect(),
            ordinal: 0,
        }
    }

    /// Takes `count` decisions; each chosen actor moves on by one instruction.
    ///
    /// # Panics
    /// If the strategy diverges, which drawn ones never do.
    pub fn take(&mut self, count: u32) {
        for _ in 0..count {
            let point = Point {
                ready: &self.ready,
                ordinal: self.ordinal,
            };
            let choice = self
                .strategy
                .choose(&point)
                .expect("drawn schedules never diverge");
            self.ready[choice.index].site.at += 1;
            self.strategy.ran(1);
            self.ordinal += 1;
        }
    }
}
