//! Values on the command line, each with a parser that says what it expects.

use std::fmt;
use std::str::FromStr;

use gcrucible_heap::HeapDebug;
use gcrucible_platform::seeded_bugs::Bug;
use serde::{Deserialize, Serialize};

use crate::scenario::{Lane, ScenarioSeed};
use gcrucible_trace::StrategyName;

/// Seeds stay below this, so that every tool that reads JSON numbers keeps them exact.
pub const SEED_LIMIT: u64 = 1 << 53;

/// Reads a seed: a whole number below 2^53.
///
/// # Errors
/// Anything else.
pub fn seed(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(seed) if seed < SEED_LIMIT => Ok(seed),
        _ => Err(format!(
            "expected a whole number from 0 to {} (2^53 - 1)",
            SEED_LIMIT - 1
        )),
    }
}

/// Reads a duration in milliseconds: `500ms`, `60s`, `10m`.
///
/// # Errors
/// Anything else, zero, and what does not fit.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let expected = || "expected a duration like 500ms, 60s or 10m".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let number: u64 = text[..digits].parse().map_err(|_| expected())?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err(expected()),
    };
    match number.checked_mul(unit_ms) {
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(expected()),
    }
}

/// Reads heap modes.
///
/// # Errors
/// A text that [`HeapDebug`] does not take.
pub fn heap(text: &str) -> Result<HeapDebug, String> {
    text.parse()
        .map_err(|error: gcrucible_heap::HeapDebugError| error.to_string())
}

/// Reads the name of a lane.
///
/// # Errors
/// Any other name.
pub fn lane(text: &str) -> Result<Lane, String> {
    match Lane::from_name(text) {
        Some(lane) => Ok(lane),
        None => {
            let names = Lane::ALL.map(Lane::name);
            Err(format!("expected {}", names.join(" or ")))
        }
    }
}

/// The strategies with their names.
pub const STRATEGIES: [(StrategyName, &str); 7] = [
    (StrategyName::Random, "random"),
    (StrategyName::Pct2, "pct2"),
    (StrategyName::Pct3, "pct3"),
    (StrategyName::Urw, "urw"),
    (StrategyName::RoundRobin, "round-robin"),
    (StrategyName::KthPoint, "kth-point"),
    (StrategyName::Aimed, "aimed"),
];

/// Reads the name of a strategy.
///
/// # Errors
/// Any other name.
pub fn strategy(text: &str) -> Result<StrategyName, String> {
    let found = STRATEGIES.iter().find(|(_, name)| *name == text);
    found.map(|(strategy, _)| *strategy).ok_or_else(|| {
        format!(
            "expected one of {}",
            STRATEGIES.map(|(_, name)| name).join(", ")
        )
    })
}

/// What `run --strategy` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStrategy {
    /// A campaign under this strategy.
    Drawn(StrategyName),
    /// All schedules of one scenario.
    Exhaustive,
}

/// The name of [`RunStrategy::Exhaustive`].
pub const EXHAUSTIVE: &str = "exhaustive";

/// Reads the name of a strategy, or of all schedules.
///
/// # Errors
/// Any other name.
pub fn run_strategy(text: &str) -> Result<RunStrategy, String> {
    if text == EXHAUSTIVE {
        return Ok(RunStrategy::Exhaustive);
    }
    let drawn = strategy(text).map(RunStrategy::Drawn);
    drawn.map_err(|expected| format!("{expected}, {EXHAUSTIVE}"))
}

/// Reads a bound of preemptions: a number, or `any`.
///
/// # Errors
/// Anything else.
pub fn preemptions(text: &str) -> Result<Preemptions, String> {
    match text {
        "any" => Ok(Preemptions(None)),
        text => text
            .parse()
            .map(|count| Preemptions(Some(count)))
            .map_err(|_| "expected a number of preemptions such as 2, or `any`".to_owned()),
    }
}

/// A bound of preemptions, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemptions(pub Option<u32>);

/// Reads the name of one seeded bug of this harness's catalogue.
///
/// # Errors
/// A name of none, or of several.
pub fn bug(text: &str) -> Result<Bug, String> {
    match Bug::named(text).as_slice() {
        [bug] => Ok(*bug),
        [] => Err("expected the id of a seeded bug, such as B-03; `crucible list` has all".into()),
        several => Err(format!(
            "stands for several switches; expected one of {}",
            several
                .iter()
                .map(|bug| bug.id())
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

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

/// How long the zoo looks for one bug with one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// CPU milliseconds of one worker.
    CpuMs(u64),
    /// Scenarios of each lane.
    Scenarios(u64),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(count) = text.strip_suffix("sc") {
            return match count.parse() {
                Ok(count) if count > 0 => Ok(Budget::Scenarios(count)),
                _ => Err("expected a number of scenarios like 2000sc".into()),
            };
        }
        duration_ms(text)
            .map(Budget::CpuMs)
            .map_err(|_| "expected CPU time like 60s, or scenarios like 2000sc".into())
    }
}

impl FromStr for ScenarioSeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || {
            format!(
                "`{text}` is no scenario seed; expected lane:seed:index, such as heap-ops:7:123"
            )
        };
        let mut parts = text.split(':');
        let (Some(name), Some(first), Some(second), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(expected());
        };
        Ok(ScenarioSeed {
            lane: lane(name).map_err(|error| format!("in `{text}`: {error}"))?,
            seed: seed(first).map_err(|error| format!("in `{text}`: {error}"))?,
            index: second.parse().map_err(|_| expected())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration_ms("500ms"), Ok(500));
        assert_eq!(duration_ms("60s"), Ok(60_000));
        assert_eq!(duration_ms("10m"), Ok(600_000));
        for bad in [
            "",
            "60",
            "s",
            "0s",
            "1h",
            "-1s",
            "1.5s",
            "99999999999999999999s",
        ] {
            assert!(duration_ms(bad).unwrap_err().contains("expected"), "{bad}");
        }
    }

    #[test]
    fn seeds_stay_below_two_to_the_53() {
        assert_eq!(seed("9007199254740991"), Ok(SEED_LIMIT - 1));
        for bad in ["9007199254740992", "-1", "abc", "", "1.0", "0x10"] {
            assert!(seed(bad).is_err(), "{bad}");
        }
    }

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

    #[test]
    fn scenario_seeds_read_what_they_write() {
        let seed = ScenarioSeed {
            lane: Lane::HeapOps,
            seed: 7,
            index: 123,
        };
        assert_eq!(seed.to_string().parse(), Ok(seed));
        for bad in [
            "heap-ops:7",
            "heap:7:1",
            "heap-ops:x:1",
            "heap-ops:7:1:2",
            "reloads:1:1",
        ] {
            assert!(
                bad.parse::<ScenarioSeed>()
                    .unwrap_err()
                    .contains("expected"),
                "{bad}"
            );
        }
    }

    #[test]
    fn budgets_are_cpu_time_or_scenarios() {
        assert_eq!("60s".parse(), Ok(Budget::CpuMs(60_000)));
        assert_eq!("2000sc".parse(), Ok(Budget::Scenarios(2000)));
        assert!("0sc".parse::<Budget>().is_err());
        assert!("many".parse::<Budget>().is_err());
    }

    #[test]
    fn a_bug_is_named_exactly() {
        assert_eq!(bug("B-03"), Ok(Bug::B03));
        assert!(bug("B-04").unwrap_err().contains("B-04a"));
        assert!(bug("B-999").unwrap_err().contains("expected"));
    }
}
