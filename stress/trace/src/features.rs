//! What scenarios have, and which pairs of it: coverage of a generator.
//!
//! Bugs hide where features meet. So a campaign counts, for each pair of a subject's features, the
//! scenarios that had both. What a feature is, and which of them a scenario has, is the subject's
//! business: here they are numbers, with a name for each ([`FeatureTable`]).

use serde::{Deserialize, Serialize};

/// A set of features, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet(u128);

impl FeatureSet {
    /// Features that a subject has at most.
    pub const MAX: usize = 128;

    /// No feature.
    pub const NONE: FeatureSet = FeatureSet(0);

    /// All features.
    pub const ALL: FeatureSet = FeatureSet(u128::MAX);

    /// The set with one feature more.
    #[must_use]
    pub const fn with(self, feature: usize) -> FeatureSet {
        FeatureSet(self.0 | 1 << feature)
    }

    /// Adds a feature.
    #[inline]
    pub fn insert(&mut self, feature: usize) {
        self.0 |= 1 << feature;
    }

    /// Whether a feature is in it.
    pub const fn has(self, feature: usize) -> bool {
        self.0 >> feature & 1 != 0
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its features, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            next
        })
    }
}

/// A rule that forbids pairs: its name, and two sets, each of the first with each of the second.
/// A feature that a rule forbids with itself is never there.
pub type FeatureRule = (&'static str, FeatureSet, FeatureSet);

/// The features of a subject: their names, and which of them never come together.
#[derive(Clone, Copy, Debug)]
pub struct FeatureTable {
    /// A name for each, at most [`FeatureSet::MAX`].
    pub names: &'static [&'static str],
    /// Why pairs cannot be. Observing one of them means that the generator (or the rule) is wrong.
    pub rules: &'static [FeatureRule],
}

impl FeatureTable {
    /// That of a subject without features.
    pub const EMPTY: FeatureTable = FeatureTable {
        names: &[],
        rules: &[],
    };

    /// The rule that forbids a pair, if one does.
    pub fn forbidding_rule(&self, a: usize, b: usize) -> Option<&'static str> {
        let forbids = |rule: &&FeatureRule| {
            let (_, one, other) = rule;
            one.has(a) && other.has(b) || one.has(b) && other.has(a)
        };
        self.rules.iter().find(forbids).map(|rule| rule.0)
    }

    /// All pairs of two features, the smaller number first, feasible or not.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.names.len();
        (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
    }

    /// The pairs that can be.
    pub fn feasible(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = self.pairs();
        pairs.filter(|&(a, b)| self.forbidding_rule(a, b).is_none())
    }

    /// The pairs that cannot be, each with the rule that forbids it.
    pub fn infeasible(&self) -> impl Iterator<Item = (usize, usize, &'static str)> {
        let pairs = self.pairs();
        pairs.filter_map(|(a, b)| Some((a, b, self.forbidding_rule(a, b)?)))
    }
}

/// In how many scenarios each feature was, and each two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeaturePairs {
    /// Row by row, each up to its own feature, as far as one was seen.
    counts: Vec<u64>,
}

/// Where the row of a feature begins.
const fn row(feature: usize) -> usize {
    feature * (feature + 1) / 2
}

impl FeaturePairs {
    /// Counts a scenario that has these features.
    pub fn note(&mut self, set: FeatureSet) {
        let Some(last) = set.iter().last() else {
            return;
        };
        if self.counts.len() < row(last + 1) {
            self.counts.resize(row(last + 1), 0);
        }
        for a in set.iter() {
            let counts = &mut self.counts[row(a)..=row(a) + a];
            for b in set.iter().take_while(|&b| b <= a) {
                counts[b] += 1;
            }
        }
    }

    /// In how many scenarios both were; of one feature twice, in how many that was.
    pub fn count(&self, a: usize, b: usize) -> u64 {
        let at = row(a.max(b)) + a.min(b);
        self.counts.get(at).copied().unwrap_or(0)
    }

    /// Feasible pairs: how many there are, and those that were in no scenario.
    pub fn missing(&self, table: &FeatureTable) -> (usize, Vec<(usize, usize)>) {
        let mut feasible = 0;
        let pairs = table.feasible().inspect(|_| feasible += 1);
        let missing = pairs.filter(|&(a, b)| self.count(a, b) == 0).collect();
        (feasible, missing)
    }

    /// The feasible pairs that were in the fewest scenarios, but in some: so many of them.
    pub fn rarest(&self, table: &FeatureTable, most: usize) -> Vec<(usize, usize, u64)> {
        let counted = table.feasible().map(|(a, b)| (a, b, self.count(a, b)));
        let mut seen: Vec<_> = counted.filter(|pair| pair.2 > 0).collect();
        seen.sort_by_key(|&(a, b, count)| (count, a, b));
        seen.truncate(most);
        seen
    }

    /// Features and pairs that were in a scenario though a rule forbids them.
    pub fn impossible(&self, table: &FeatureTable) -> Vec<(usize, usize, &'static str)> {
        let alone = (0..table.names.len()).map(|a| (a, a));
        let forbidden = alone
            .filter_map(|(a, b)| Some((a, b, table.forbidding_rule(a, b)?)))
            .chain(table.infeasible());
        forbidden
            .filter(|&(a, b, _)| self.count(a, b) > 0)
            .collect()
    }
}

impl std::ops::AddAssign<&FeaturePairs> for FeaturePairs {
    fn add_assign(&mut self, other: &FeaturePairs) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: FeatureTable = FeatureTable {
        names: &["a", "b", "c", "d"],
        rules: &[
            ("no d here", FeatureSet::NONE.with(3), FeatureSet::ALL),
            (
                "b needs a place of its own",
                FeatureSet::NONE.with(1),
                FeatureSet::NONE.with(2),
            ),
        ],
    };

    fn set(features: &[usize]) -> FeatureSet {
        let all = features.iter().copied();
        all.fold(FeatureSet::NONE, FeatureSet::with)
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = set(&[0, 5, 127]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 127]);
        assert!(set.has(5) && !set.has(4));
        assert_eq!(FeatureSet::NONE.iter().next(), None);
        assert_eq!(FeatureSet::ALL.iter().count(), FeatureSet::MAX);
    }

    #[test]
    fn scenarios_are_counted_by_feature_and_by_pair() {
        let mut pairs = FeaturePairs::default();
        for features in [&[0, 2][..], &[0], &[0, 1], &[]] {
            pairs.note(set(features));
        }
        assert_eq!((pairs.count(0, 0), pairs.count(1, 1)), (3, 1));
        assert_eq!((pairs.count(0, 2), pairs.count(2, 0)), (1, 1));
        assert_eq!((pairs.count(1, 2), pairs.count(3, 0)), (0, 0));
        let text = serde_json::to_string(&pairs).unwrap();
        let mut sum = FeaturePairs::default();
        sum += &serde_json::from_str(&text).unwrap();
        sum += &pairs;
        assert_eq!((sum.count(0, 0), sum.count(1, 0)), (6, 2));
    }

    #[test]
    fn rules_say_what_is_missing_and_what_is_wrong() {
        let mut pairs = FeaturePairs::default();
        pairs.note(set(&[0, 2]));
        assert_eq!(pairs.missing(&TABLE), (2, vec![(0, 1)]));
        assert_eq!(TABLE.infeasible().count(), 4);
        assert!(pairs.impossible(&TABLE).is_empty());
        assert_eq!(pairs.rarest(&TABLE, 9), [(0, 2, 1)]);
        pairs.note(set(&[1, 2]));
        pairs.note(set(&[3]));
        let wrong = [(3, 3, "no d here"), (1, 2, "b needs a place of its own")];
        assert_eq!(pairs.impossible(&TABLE), wrong);
    }
}
