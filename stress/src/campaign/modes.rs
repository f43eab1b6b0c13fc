//! Which modes a scenario runs under, and what each is there for.
//!
//! For each mode a campaign counts the scenarios that ran under it and the effect that the
//! mode exists for. A mode without its effect is vacuous.

use gcrucible_heap::{CollectMode, HeapDebug, KindMode, PromoteMode, VerifyLevel};
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;
use gcrucible_trace::Counters;
use gcrucible_trace::{Schedule, StrategyName};

macro_rules! modes {
    ($($variant:ident = $name:literal, $effect:literal, $count:expr;)*) => {
        /// A mode of the heap, or a strategy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each has the name of the mode that it counts")]
        pub enum Mode { $($variant,)* }

        impl Mode {
            /// All of them.
            pub const ALL: &'static [Mode] = &[$(Mode::$variant,)*];

            /// The mode as it is given on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Mode::$variant => $name,)* }
            }

            /// What the mode is there for, as the name of a counter.
            pub fn effect_name(self) -> &'static str {
                match self { $(Mode::$variant => $effect,)* }
            }

            fn effect(self, counters: &Counters) -> u64 {
                match self { $(Mode::$variant => $count(counters),)* }
            }
        }
    };
}

fn collections(counters: &Counters) -> u64 {
    counters.collections_minor + counters.collections_major
}

modes! {
    Zombie = "zombie", "zombies", |c: &Counters| c.zombies;
    Scribble = "scribble", "bytes_scribbled", |c: &Counters| c.bytes_scribbled;
    Quarantine = "quarantine", "collections", collections;
    Tags = "tags", "collections", collections;
    VerifyQuick = "verify=quick", "verifications", |c: &Counters| c.verifications;
    VerifyFull = "verify=full", "verifications", |c: &Counters| c.verifications;
    CollectAllocations = "collect=alloc", "collections", collections;
    CollectSafepoint = "collect=safepoint", "collections", collections;
    CollectContinuous = "collect=continuous", "objects_moved", |c: &Counters| c.objects_moved;
    CollectSeeded = "collect=seeded", "collections", collections;
    CollectAt = "collect=at", "collections", collections;
    KindMinor = "kind=minor", "collections_minor", |c: &Counters| c.collections_minor;
    KindMajor = "kind=major", "objects_moved", |c: &Counters| c.objects_moved;
    KindAlternate = "kind=alternate", "collections_major", |c: &Counters| c.collections_major;
    PromoteAlways = "promote=always", "collections", collections;
    PromoteNever = "promote=never", "collections", collections;
    Exhausted = "exhausted", "objects_kept", |c: &Counters| c.objects_kept;
    Fail = "fail=alloc", "faults", |c: &Counters| c.faults;
    StrategyRandom = "strategy random", "decisions", |c: &Counters| c.decisions;
    StrategyPct2 = "strategy pct2", "decisions", |c: &Counters| c.decisions;
    StrategyPct3 = "strategy pct3", "decisions", |c: &Counters| c.decisions;
    StrategyUrw = "strategy urw", "decisions", |c: &Counters| c.decisions;
    StrategyRoundRobin = "strategy round-robin", "decisions", |c: &Counters| c.decisions;
    StrategyKthPoint = "strategy kth-point", "injections", |c: &Counters| c.injections;
    StrategyAimed = "strategy aimed", "injections", |c: &Counters| c.injections;
}

impl Mode {
    const COUNT: usize = Self::ALL.len();
}

/// The modes of one scenario, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeSet(u32);

impl ModeSet {
    /// The modes that a scenario runs under.
    pub fn of(scenario: &Scenario) -> ModeSet {
        let mut set = Self::of_heap(&scenario.debug);
        if !scenario.debug.fail.is_empty() || !scenario.faults.is_empty() {
            set.add(Mode::Fail);
        }
        if let Schedule::Drawn { strategy, .. } = &scenario.schedule {
            set.add(match strategy {
                StrategyName::Random => Mode::StrategyRandom,
                StrategyName::Pct2 => Mode::StrategyPct2,
                StrategyName::Pct3 => Mode::StrategyPct3,
                StrategyName::Urw => Mode::StrategyUrw,
                StrategyName::RoundRobin => Mode::StrategyRoundRobin,
                StrategyName::KthPoint => Mode::StrategyKthPoint,
                StrategyName::Aimed => Mode::StrategyAimed,
            });
        }
        set
    }

    fn of_heap(debug: &HeapDebug) -> ModeSet {
        let mut set = ModeSet(0);
        let collect = match &debug.collect {
            // Without collections the other modes have nothing to show.
            CollectMode::Never => return set,
            CollectMode::Natural => None,
            CollectMode::EveryAllocations(_) => Some(Mode::CollectAllocations),
            CollectMode::EverySafepoint => Some(Mode::CollectSafepoint),
            CollectMode::Continuous => Some(Mode::CollectContinuous),
            CollectMode::Seeded { .. } => Some(Mode::CollectSeeded),
            CollectMode::At(_) => Some(Mode::CollectAt),
        };
        let kind = match debug.kind {
            KindMode::Natural => None,
            KindMode::Minor => Some(Mode::KindMinor),
            KindMode::Major => Some(Mode::KindMajor),
            KindMode::Alternate => Some(Mode::KindAlternate),
        };
        let promote = match debug.promote {
            PromoteMode::Natural => None,
            PromoteMode::Always => Some(Mode::PromoteAlways),
            PromoteMode::Never => Some(Mode::PromoteNever),
        };
        let verify = match debug.verify {
            VerifyLevel::Off => None,
            VerifyLevel::Quick => Some(Mode::VerifyQuick),
            VerifyLevel::Full => Some(Mode::VerifyFull),
        };
        [collect, kind, promote, verify]
            .into_iter()
            .flatten()
            .for_each(|mode| set.add(mode));
        for (on, mode) in [
            (debug.zombie, Mode::Zombie),
            (debug.scribble, Mode::Scribble),
            (debug.quarantine > 0, Mode::Quarantine),
            (debug.tags, Mode::Tags),
            (debug.exhausted.is_some(), Mode::Exhausted),
        ] {
            if on {
                set.add(mode);
            }
        }
        set
    }

    fn add(&mut self, mode: Mode) {
        self.0 |= 1 << mode as u32;
    }

    fn iter(self) -> impl Iterator<Item = Mode> {
        Mode::ALL
            .iter()
            .copied()
            .filter(move |&mode| self.0 & 1 << mode as u32 != 0)
    }
}

/// Scenarios and effects by mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, u64, u64)>", into = "Vec<(String, u64, u64)>")]
pub struct ModeCounts([(u64, u64); Mode::COUNT]);

impl Default for ModeCounts {
    fn default() -> Self {
        ModeCounts([(0, 0); Mode::COUNT])
    }
}

impl ModeCounts {
    /// Counts a scenario and what it did.
    pub fn note(&mut self, modes: ModeSet, counters: &Counters) {
        for mode in modes.iter() {
            let count = &mut self.0[mode as usize];
            count.0 += 1;
            count.1 += mode.effect(counters);
        }
    }

    /// Each mode with the scenarios that ran under it and its effect.
    pub fn iter(&self) -> impl Iterator<Item = (Mode, u64, u64)> + '_ {
        Mode::ALL
            .iter()
            .zip(&self.0)
            .map(|(&mode, &(scenarios, effect))| (mode, scenarios, effect))
    }
}

impl std::ops::AddAssign<&ModeCounts> for ModeCounts {
    fn add_assign(&mut self, other: &ModeCounts) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }
}

impl From<Vec<(String, u64, u64)>> for ModeCounts {
    /// Modes that this build does not know are left out.
    fn from(list: Vec<(String, u64, u64)>) -> Self {
        let mut counts = ModeCounts::default();
        for (name, scenarios, effect) in list {
            if let Some(mode) = Mode::ALL.iter().find(|mode| mode.name() == name) {
                counts.0[*mode as usize] = (scenarios, effect);
            }
        }
        counts
    }
}

impl From<ModeCounts> for Vec<(String, u64, u64)> {
    fn from(counts: ModeCounts) -> Self {
        let used = counts.iter().filter(|(_, scenarios, _)| *scenarios > 0);
        used.map(|(mode, scenarios, effect)| (mode.name().to_owned(), scenarios, effect))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_counted_with_their_effect() {
        let set = ModeSet::of_heap(&"zombie,collect=safepoint,kind=major".parse().unwrap());
        let counters = Counters {
            zombies: 3,
            collections_major: 5,
            ..Counters::default()
        };
        let mut counts = ModeCounts::default();
        counts.note(set, &counters);
        counts.note(set, &counters);
        let text = serde_json::to_string(&counts).unwrap();
        let read: ModeCounts = serde_json::from_str(&text).unwrap();
        assert_eq!(read, counts);
        let found = |mode: Mode| read.iter().find(|entry| entry.0 == mode).unwrap();
        assert_eq!(found(Mode::Zombie), (Mode::Zombie, 2, 6));
        assert_eq!(
            found(Mode::CollectSafepoint),
            (Mode::CollectSafepoint, 2, 10)
        );
        assert_eq!(found(Mode::KindMajor), (Mode::KindMajor, 2, 0));
        assert_eq!(found(Mode::Scribble), (Mode::Scribble, 0, 0));
    }

    #[test]
    fn without_collections_no_mode_is_expected_to_show() {
        let set = ModeSet::of_heap(&"collect=never,zombie,verify=full".parse().unwrap());
        assert_eq!(set, ModeSet(0));
    }
}
