//! What a lane of programs is about.

use super::swarm::{Feature, Swarm};
use super::topics::Topic;
use gcrucible_explore::KthPoint;
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_trace::choices::Choices;

/// What a generator of programs prefers. All of them draw from the same language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Nothing: the lane `programs`.
    Everything,
    /// Cancellation: waits of all sorts, what bounds and interrupts them, a host that cancels,
    /// drops and interrupts, and schedules that aim at what tasks do.
    Cancellation,
    /// Hot reload: a host that has several versions of the program, and asks for them.
    Reload,
    /// Forks for serving: globals that lead to much and to the same, a host that forks, calls
    /// functions of forks and drops them.
    Serve,
}

/// What there is to be cancelled, and what cancels.
const OF_CANCELLATION: [Feature; 15] = [
    Feature::Catch,
    Feature::Finally,
    Feature::NestedTasks,
    Feature::SharedFutures,
    Feature::Cancel,
    Feature::Sleep,
    Feature::Channels,
    Feature::Squads,
    Feature::Deadlines,
    Feature::Interrupts,
    Feature::HostOperations,
    Feature::Clients,
    Feature::HostCancel,
    Feature::HostDrop,
    Feature::HostIds,
];

/// What versions differ in, and what goes on while they change.
const OF_RELOAD: [Feature; 11] = [
    Feature::Channels,
    Feature::Deadlines,
    Feature::Streams,
    Feature::Guards,
    Feature::Interrupts,
    Feature::Modules,
    Feature::SharedFutures,
    Feature::TasksAtInit,
    Feature::HostJoin,
    Feature::HostCollect,
    Feature::Yield,
];

/// What forks copy, and what tells a copy from the original.
const OF_SERVING: [Feature; 12] = [
    Feature::Streams,
    Feature::Guards,
    Feature::Interrupts,
    Feature::Arrays,
    Feature::Maps,
    Feature::Instances,
    Feature::Closures,
    Feature::SharedCells,
    Feature::Cycles,
    Feature::Channels,
    Feature::HostIds,
    Feature::HostCollect,
];

/// Numbers of runs among which an aimed schedule takes one: by turns a single event, and a pair.
const AIMS: u32 = 1 << 14;

/// Points of a program among which one is taken; most have fewer, and begin anew then.
const KTH_POINTS: u32 = 4096;

impl Focus {
    /// The swarm of a scenario: what the focus is about is on in most.
    pub(super) fn swarm<C: Choices>(self, c: &mut C, drawn: Swarm) -> Swarm {
        match self {
            Focus::Everything => drawn,
            Focus::Reload => {
                let missing = |swarm: Swarm, feature| match c.chance(1, 3) {
                    true => swarm,
                    false => swarm.with(feature),
                };
                OF_RELOAD.into_iter().fold(drawn, missing)
            }
            Focus::Cancellation => {
                let missing = |swarm: Swarm, feature| match c.chance(1, 3) {
                    true => swarm,
                    false => swarm.with(feature),
                };
                OF_CANCELLATION.into_iter().fold(drawn, missing)
            }
            Focus::Serve => {
                let missing = |swarm: Swarm, feature| match c.chance(1, 4) {
                    true => swarm,
                    false => swarm.with(feature),
                };
                OF_SERVING.into_iter().fold(drawn, missing)
            }
        }
    }

    /// Whether the host forks the program, and serves requests.
    pub(super) fn forks(self) -> bool {
        matches!(self, Focus::Reload | Focus::Serve)
    }

    /// The features that its scenarios may have.
    pub(super) fn features(self) -> impl Iterator<Item = Feature> {
        let all = Feature::ALL.iter().copied();
        all.filter(move |feature| self.forks() || !Feature::OF_VERSIONS.contains(feature))
    }

    /// How many times as often as usual a topic comes up.
    pub(super) fn weight(self, topic: Topic) -> u32 {
        match (self, topic) {
            (
                Focus::Cancellation,
                Topic::Tasks
                | Topic::Cancellation
                | Topic::Squads
                | Topic::Deadlines
                | Topic::Channels
                | Topic::Guards
                | Topic::Streams
                | Topic::Interrupts,
            ) => 3,
            (Focus::Cancellation, Topic::HostOperations | Topic::Clients) => 6,
            (Focus::Cancellation, Topic::FullHeap) => 3,
            (Focus::Serve, Topic::Closures | Topic::Instances | Topic::Arrays | Topic::Maps) => 2,
            (Focus::Serve | Focus::Reload, Topic::Streams | Topic::Channels) => 4,
            (Focus::Serve | Focus::Reload, Topic::Guards | Topic::Deadlines) => 2,
            _ => 1,
        }
    }

    /// Host operations that get an answer, at most, and milliseconds that one takes, at most.
    pub(super) fn answers(self) -> (u32, u32) {
        match self {
            Focus::Everything | Focus::Reload | Focus::Serve => (5, 3),
            Focus::Cancellation => (12, 6),
        }
    }

    /// Whether a function that the host calls begins with a handler for signals.
    pub(super) fn handles_signals<C: Choices>(self, c: &mut C, swarm: Swarm) -> bool {
        match self {
            Focus::Everything => false,
            Focus::Cancellation | Focus::Reload | Focus::Serve => {
                swarm.has(Feature::Interrupts) && c.chance(1, 3)
            }
        }
    }

    /// The schedule of a scenario, under this strategy if there is one.
    pub(super) fn schedule<C: Choices>(self, c: &mut C, fixed: Option<StrategyName>) -> Schedule {
        let aimed = match self {
            Focus::Everything => 3,
            Focus::Cancellation => 22,
            Focus::Reload | Focus::Serve => 12,
        };
        let drawn = [
            StrategyName::Urw,
            StrategyName::Random,
            StrategyName::Pct2,
            StrategyName::Pct3,
            StrategyName::RoundRobin,
            StrategyName::Aimed,
            // Nothing else makes allocations fail at places that a schedule chooses.
            StrategyName::KthPoint,
        ][c.weighted(&[7, 6, 4, 4, 1, aimed, 2])];
        let strategy = fixed.unwrap_or(drawn);
        let seed = match strategy {
            StrategyName::Aimed => {
                // Every second goes instruction by instruction.
                let walk = u64::from(c.below(1 << 30));
                let base = if c.chance(1, 2) { 0 } else { walk + 1 };
                KthPoint::seed(base, u64::from(c.below(AIMS)))
            }
            StrategyName::KthPoint => {
                let walk = u64::from(c.below(1 << 30));
                let base = if c.chance(1, 2) { 0 } else { walk + 1 };
                KthPoint::seed(base, u64::from(c.below(KTH_POINTS)))
            }
            _ => u64::from(c.below(1 << 31)),
        };
        Schedule::Drawn { strategy, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcrucible_trace::choices::{ByteChoices, SeededChoices};

    #[test]
    fn most_scenarios_of_a_focus_have_what_it_is_about() {
        let mut c = SeededChoices::new(5);
        for feature in OF_CANCELLATION {
            let has = (0..300).filter(|_| {
                let drawn = Swarm::draw(&mut c);
                Focus::Cancellation.swarm(&mut c, drawn).has(feature)
            });
            let has = has.count();
            assert!((220..300).contains(&has), "{feature:?}: {has} of 300");
        }
    }

    #[test]
    fn half_of_its_schedules_aim() {
        let mut c = SeededChoices::new(6);
        let aims = (0..400).filter(|_| {
            let schedule = Focus::Cancellation.schedule(&mut c, None);
            matches!(
                schedule,
                Schedule::Drawn {
                    strategy: StrategyName::Aimed,
                    ..
                }
            )
        });
        assert!((160..240).contains(&aims.count()));
    }

    #[test]
    fn the_lane_without_a_focus_takes_no_choices_for_one() {
        let mut c = ByteChoices::new(&[]);
        assert_eq!(Focus::Everything.swarm(&mut c, Swarm::ALL), Swarm::ALL);
        assert_eq!(Focus::Everything.weight(Topic::Squads), 1);
    }
}
