//! Sets of scenario numbers, kept as ranges: which ones are done.

use serde::{Deserialize, Serialize};

/// A set of numbers as sorted, disjoint, not adjacent half-open ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `from..to`.
    pub fn insert(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|range| range.1 < from);
        let last = self.0.partition_point(|range| range.0 <= to);
        let (mut low, mut high) = (from, to);
        if first < last {
            low = low.min(self.0[first].0);
            high = high.max(self.0[last - 1].1);
        }
        self.0.splice(first..last, [(low, high)]);
    }

    /// Whether any of `from..to` is in the set.
    pub fn overlaps(&self, from: u64, to: u64) -> bool {
        self.0.iter().any(|range| range.0 < to && from < range.1)
    }

    /// Its ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// The first range from `number` on that is not in the set; it may have no end.
    pub fn free_from(&self, number: u64) -> (u64, u64) {
        let next = self.0.partition_point(|range| range.1 <= number);
        let mut from = number;
        let mut rest = self.0[next..].iter();
        // Ranges are not adjacent, so at most one is in the way.
        let mut following = rest.next();
        if let Some(&(_, end)) = following.filter(|range| range.0 <= number) {
            from = end;
            following = rest.next();
        }
        (from, following.map_or(u64::MAX, |range| range.0))
    }

    /// The ranges below the set's end that are not in it.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let starts = std::iter::once(0).chain(self.0.iter().map(|range| range.1));
        let gaps = starts.zip(self.0.iter().map(|range| range.0));
        gaps.filter(|(from, to)| from < to).collect()
    }

    /// The number after the last one in the set.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |range| range.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_where_they_touch() {
        let mut set = Ranges::default();
        for (from, to) in [(10, 20), (30, 40), (20, 25), (5, 5), (29, 30), (0, 2)] {
            set.insert(from, to);
        }
        assert_eq!(set.0, [(0, 2), (10, 25), (29, 40)]);
        assert_eq!(set.gaps(), [(2, 10), (25, 29)]);
        assert_eq!(set.end(), 40);
        assert_eq!(set.free_from(0), (2, 10));
        assert_eq!(set.free_from(10), (25, 29));
        assert_eq!(set.free_from(26), (26, 29));
        assert_eq!(set.free_from(39), (40, u64::MAX));
        assert_eq!(set.free_from(50), (50, u64::MAX));
        assert!(set.overlaps(24, 26));
        assert!(!set.overlaps(25, 29));
        set.insert(1, 35);
        assert_eq!(set.0, [(0, 40)]);
        assert!(set.gaps().is_empty());
    }
}
