//! Decisions of the strategies.

use gcrucible_explore::{
    EventCounts, Exhaustive, InjectionPoint, InjectionPoints, Point, PointEvent, ReadyActor,
    Resource, Strategy, Touched, strategy,
};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_trace::{Injected, ReplayMode, Site};

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

/// Decisions of one run of a search.
const LONG: u32 = 1 << 10;

/// A strategy in the middle of a long run.
pub struct Decisions {
    strategy: Box<dyn Strategy>,
    /// What a step touches, for a strategy that watches.
    touched: Touched,
    ready: Vec<ReadyActor>,
    ordinal: u32,
}

/// A collection of each kind and a failing allocation at each of so many decisions.
fn everywhere(decisions: u32) -> InjectionPoints {
    let events = [
        PointEvent::Minor,
        PointEvent::Major,
        PointEvent::Inject(Injected::AllocationFailure),
    ];
    let at = |ordinal| events.map(|event| InjectionPoint { ordinal, event });
    InjectionPoints::from_points((0..decisions).flat_map(at).collect())
}

impl Decisions {
    /// A run of its own for a strategy.
    pub fn new(name: StrategyName) -> Self {
        let mut counts = EventCounts::default();
        for actor in 0..ACTORS {
            counts.note(actor, EVENTS);
        }
        counts.set_points(everywhere(1000));
        let schedule = Schedule::Drawn {
            strategy: name,
            seed: 1,
        };
        let strategy = strategy(&schedule, ReplayMode::Strict, Some(&counts));
        Self::of(strategy)
    }

    /// Runs of a search through all schedules: one run without an end, all of whose steps
    /// depend on one another, within a new search each time it has become long.
    pub fn exhaustive() -> Self {
        Self::of(Self::search())
    }

    fn search() -> Box<dyn Strategy> {
        let mut search = Exhaustive::new(Some(0), true);
        search.begin();
        Box::new(search)
    }

    fn of(strategy: Box<dyn Strategy>) -> Self {
        let ready = |actor| ReadyActor {
            site: Site {
                actor,
                function: 3,
                at: 0,
                visit: 0,
            },
        };
        Decisions {
            strategy,
            touched: Touched {
                reads: vec![Resource::Of { space: 10, id: 0 }],
                writes: vec![Resource::Of { space: 9, id: 1 }],
                ..Touched::default()
            },
            ready: (0..ACTORS).map(ready).collect(),
            ordinal: 0,
        }
    }

    /// Takes `count` decisions; each chosen actor moves on by one instruction.
    ///
    /// # Panics
    /// If the strategy diverges, which drawn ones never do.
    pub fn take(&mut self, count: u32) {
        // Asked once, as the executor does.
        let is_watching = self.strategy.is_watching();
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
            if is_watching {
                self.strategy.touched(self.touched.clone());
                if self.ordinal.is_multiple_of(LONG) {
                    self.strategy = Self::search();
                }
            }
        }
    }
}
