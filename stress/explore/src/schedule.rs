//! Who runs when, as scenarios say it, and what follows from the table of strategies.

use gcrucible_trace::{Decision, Mode};
use serde::{Deserialize, Serialize};

use crate::StrategyName;

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

impl Schedule {
    /// The mode that a drawn schedule's strategy is.
    pub fn mode(&self) -> Option<&'static Mode> {
        match self {
            Schedule::Drawn { strategy, .. } => Some(&StrategyName::modes()[*strategy as usize]),
            Schedule::Recorded(_) => None,
        }
    }

    /// The dry run that it is made from.
    pub fn dry_run(&self) -> DryRun {
        match self {
            Schedule::Drawn { strategy, .. } => strategy.dry_run(),
            Schedule::Recorded(_) => DryRun::Nothing,
        }
    }
}

/// What a strategy is told of a run of the same scenario that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Nothing: it needs none.
    Nothing,
    /// How long the run was; it can guess that.
    Length,
    /// The events of each actor, in a run without races.
    Events,
    /// The points of its base schedule, in that very run.
    Points,
}

/// Makes [`StrategyName`] and `drawn` of the table in `lib.rs`.
macro_rules! strategies {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal, file $file:literal, $effect:ident, dry $dry:ident, $make:expr;
    )*) => {
        /// The strategies.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum StrategyName { $($(#[$doc])* #[serde(rename = $file)] $variant,)* }

        impl StrategyName {
            /// All strategies.
            pub const ALL: [StrategyName; [$($name,)*].len()] = [$(StrategyName::$variant,)*];

            /// The name on the command line and in reports.
            pub fn name(self) -> &'static str {
                match self { $(StrategyName::$variant => $name,)* }
            }

            /// The dry run that it is made from.
            pub fn dry_run(self) -> DryRun {
                match self { $(StrategyName::$variant => DryRun::$dry,)* }
            }

            /// All strategies as modes, in their order.
            pub fn modes() -> &'static [gcrucible_trace::Mode] {
                static MODES: [gcrucible_trace::Mode; StrategyName::ALL.len()] =
                    [$(gcrucible_trace::Mode {
                        name: concat!("strategy ", $name),
                        effect: stringify!($effect),
                        count: |counters| counters.$effect,
                    },)*];
                &MODES
            }
        }

        /// The strategy of that name.
        fn drawn(
            name: StrategyName,
            seed: u64,
            counts: Option<&EventCounts>,
        ) -> Box<dyn Strategy> {
            let make: fn(u64, Option<&EventCounts>) -> Box<dyn Strategy> = match name {
                $(StrategyName::$variant => $make,)*
            };
            make(seed, counts)
        }
    };
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
        let old = r#"["random","pct2","pct3","urw","round_robin","kth_point","aimed""#;
        assert!(names.starts_with(old), "{names}");
    }
}
