//! The part of a campaign that one of several machines runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The part of a campaign's scenarios that one of several machines runs: those whose
/// index is `part` modulo `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The remainder, below `of`.
    pub part: u64,
    /// How many shards there are; at least 1.
    pub of: u64,
}

impl Shard {
    /// All scenarios.
    pub const WHOLE: Shard = Shard { part: 0, of: 1 };

    /// Index of the shard's `position`-th scenario.
    pub fn index(self, position: u64) -> u64 {
        self.part + position * self.of
    }

    /// How many of the indexes below `total` belong to the shard.
    pub fn positions(self, total: u64) -> u64 {
        total.saturating_sub(self.part).div_ceil(self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('/')
            .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((part, of)) if part < of => Ok(Shard { part, of }),
            _ => Err("expected k/n with 0 <= k < n, such as 0/4".into()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_partition_the_indexes() {
        let total = 11;
        let mut seen: Vec<u64> = (0..4)
            .flat_map(|part| {
                let shard = Shard { part, of: 4 };
                (0..shard.positions(total)).map(move |position| shard.index(position))
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..total).collect::<Vec<_>>());
        assert_eq!("3/4".parse(), Ok(Shard { part: 3, of: 4 }));
        for bad in ["4/4", "0/0", "1", "a/b", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
