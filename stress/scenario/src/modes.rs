//! Modes that scenarios ran under, and what came of each.
//!
//! For each [`Mode`] a campaign counts the scenarios that ran under it and the effect that the
//! mode exists for. A mode without its effect is vacuous.

use std::borrow::Cow;

use gcrucible_trace::{Counters, Mode};
use serde::{Deserialize, Serialize};

/// Scenarios and effects by mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModeCounts(Vec<(Cow<'static, str>, u64, u64)>);

impl ModeCounts {
    /// Counts a scenario that ran under this mode, and what it did.
    pub fn note(&mut self, mode: &'static Mode, counters: &Counters) {
        self.add(Cow::Borrowed(mode.name), 1, (mode.count)(counters));
    }

    /// Each mode by name, with the scenarios that ran under it and its effect, in the order of
    /// their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.0
            .iter()
            .map(|(name, scenarios, effect)| (&**name, *scenarios, *effect))
    }

    fn add(&mut self, name: Cow<'static, str>, scenarios: u64, effect: u64) {
        match self.0.binary_search_by(|entry| entry.0.cmp(&name)) {
            Ok(at) => {
                self.0[at].1 += scenarios;
                self.0[at].2 += effect;
            }
            Err(at) => self.0.insert(at, (name, scenarios, effect)),
        }
    }
}

impl std::ops::AddAssign<&ModeCounts> for ModeCounts {
    fn add_assign(&mut self, other: &ModeCounts) {
        for (name, scenarios, effect) in &other.0 {
            self.add(name.clone(), *scenarios, *effect);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_counted_with_their_effect() {
        static ZOMBIE: Mode = Mode {
            name: "zombie",
            effect: "zombies",
            count: |counters| counters.zombies,
        };
        let counters = Counters {
            zombies: 3,
            ..Counters::default()
        };
        let mut counts = ModeCounts::default();
        counts.note(&ZOMBIE, &counters);
        counts.note(&ZOMBIE, &counters);
        let text = serde_json::to_string(&counts).unwrap();
        let read: ModeCounts = serde_json::from_str(&text).unwrap();
        assert_eq!(read, counts);
        assert_eq!(read.iter().collect::<Vec<_>>(), [("zombie", 2, 6)]);
        let mut sum = counts.clone();
        sum += &read;
        assert_eq!(sum.iter().collect::<Vec<_>>(), [("zombie", 4, 12)]);
    }
}
