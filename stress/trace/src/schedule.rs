//! Who runs when: the decisions of a run as data.

use serde::{Deserialize, Serialize};

use super::mode::Mode;

/// Which generations a collection goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CollectionKind {
    /// The young ones.
    Minor,
    /// All of them.
    Major,
}

/// Who runs when, and where collections happen besides those of the heap modes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// A strategy draws the decisions.
    Drawn {
        /// Which one.
        strategy: StrategyName,
        /// Its seed.
        seed: u64,
    },
    /// Recorded decisions, taken in order.
    Recorded(Vec<Decision>),
}

macro_rules! strategies {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, file $file:literal, $effect:ident;)*) => {
        /// The strategies.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum StrategyName { $($(#[$doc])* #[serde(rename = $file)] $variant,)* }

        impl StrategyName {
            /// All strategies.
            pub const ALL: [StrategyName; [$($name,)*].len()] = [$(StrategyName::$variant,)*];

            /// The name on the command line and in reports.
            pub fn name(self) -> &'static str {
                match self { $(StrategyName::$variant => $name,)* }
            }
        }

        /// The strategies as modes, in their order.
        static MODES: [Mode; StrategyName::ALL.len()] = [$(Mode {
            name: concat!("strategy ", $name),
            effect: stringify!($effect),
            count: |counters| counters.$effect,
        },)*];
    };
}

// A row: the name on the command line, that in files, and the counter that a campaign under this
// strategy must move.
strategies! {
    /// Uniform choice of the next ready actor.
    Random = "random", file "random", decisions;
    /// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010), depth 2.
    Pct2 = "pct2", file "pct2", decisions;
    /// The same with depth 3.
    Pct3 = "pct3", file "pct3", decisions;
    /// Uniform random walk over interleavings (Zhao et al., ASPLOS 2025).
    Urw = "urw", file "urw", decisions;
    /// Each ready actor in turn, one long slice each.
    RoundRobin = "round-robin", file "round_robin", decisions;
    /// One event, or two, at the place with this number among all those of a schedule.
    KthPoint = "kth-point", file "kth_point", injections;
    /// Cancellations, drops and interrupts right before and right after a transition of the
    /// task they are meant for, one or two of them.
    Aimed = "aimed", file "aimed", injections;
}

impl StrategyName {
    /// All strategies as modes.
    pub fn modes() -> &'static [Mode] {
        &MODES
    }
}

impl Schedule {
    /// The mode that a drawn schedule's strategy is.
    pub fn mode(&self) -> Option<&'static Mode> {
        match self {
            Schedule::Drawn { strategy, .. } => Some(&MODES[*strategy as usize]),
            Schedule::Recorded(_) => None,
        }
    }
}

/// One decision of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the chosen actor stands: the key by which a shrunk program still finds it.
    pub site: Site,
    /// Instructions that the slice may run (1 is allowed); 0 for actors that run none.
    pub fuel: u32,
    /// A collection right before the slice.
    pub collect: Option<CollectionKind>,
    /// What else happens right before it, after that collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<Injected>,
}

/// An event that a schedule brings about by itself. One whose target is not there has no
/// effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Injected {
    /// The next allocation fails, whatever is collected for it.
    AllocationFailure,
    /// Of the allocations to come so many succeed, and the one after them fails.
    LaterAllocationFailure(u32),
    /// Cancellation of the call with this id is requested.
    CancelCall(u32),
    /// Cancellation of the future with this id is requested.
    CancelFuture(u64),
    /// The host drops its future of the call with this id.
    DropCall(u32),
    /// The signal `INT` is raised for the call with this id.
    Interrupt(u32),
    /// The program is forked for serving.
    Fork,
    /// The fork that was made last is dropped.
    DropFork,
    /// A new version is asked for, of this number from 0; one that there is not does not compile.
    Reload(u32),
    /// The host looks at the promise of the entry.
    Tick,
    /// The task with this number is dropped where it stands, if it may be.
    DropTask(u32),
    /// The task with this number is polled, though nobody need have woken it.
    PollTask(u32),
    /// The task with this number panics at the next place at which it may.
    PanicTask(u32),
}

/// A stable place of an actor in a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Site {
    /// The actor: 0 is the host script, tasks count from 1 in order of creation, and
    /// timers are at [`Site::TIMERS`].
    pub actor: u32,
    /// Function of the instruction it will run next.
    pub function: u16,
    /// Index of that instruction, or of the yield point or host event.
    pub at: u32,
    /// How often the actor had stood there before.
    pub visit: u32,
}

impl Site {
    /// The actor number of the virtual clock: choosing it fires the next timer.
    pub const TIMERS: u32 = u32::MAX;
    /// The actor number of the host script.
    pub const HOST: u32 = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_in_their_order() {
        for strategy in StrategyName::ALL {
            let schedule = Schedule::Drawn { strategy, seed: 0 };
            let mode = schedule.mode().expect("it is drawn");
            assert_eq!(mode.name, format!("strategy {}", strategy.name()));
        }
    }

    #[test]
    fn files_name_strategies_as_they_always_did() {
        let names = serde_json::to_string(&StrategyName::ALL).expect("they are plain");
        assert_eq!(
            names,
            r#"["random","pct2","pct3","urw","round_robin","kth_point","aimed"]"#
        );
    }
}
