//! Lanes, and the seeds of their scenarios.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A lane: a kind of scenario that a campaign runs beside others. Each belongs to a subject.
///
/// Lanes are ordered as reports list them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    order: u16,
    name: &'static str,
}

/// The lanes of this process.
static KNOWN: OnceLock<Vec<Lane>> = OnceLock::new();

impl Lane {
    /// The lane with this name, at this place of the order.
    pub const fn new(order: u16, name: &'static str) -> Lane {
        Lane { order, name }
    }

    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether campaigns run it unless told otherwise: those beyond [`Lane::EXTRA`] run on demand.
    pub fn is_default(self) -> bool {
        self.order < Self::EXTRA
    }

    /// Places from here on are those of lanes that run only where they are named.
    pub const EXTRA: u16 = 1000;

    /// Place in the order of all lanes; no two lanes of a process have the same.
    pub fn order(self) -> u16 {
        self.order
    }

    /// Makes lanes known, so that their names can be read. The first call of a process counts.
    pub fn make_known(lanes: impl IntoIterator<Item = Lane>) {
        KNOWN.get_or_init(|| {
            let mut lanes: Vec<Lane> = lanes.into_iter().collect();
            lanes.sort_unstable();
            lanes
        });
    }

    /// All known lanes, in their order.
    pub fn known() -> &'static [Lane] {
        KNOWN.get().map_or(&[], Vec::as_slice)
    }

    /// The known lane with this name.
    pub fn named(name: &str) -> Option<Lane> {
        Self::known().iter().copied().find(|lane| lane.name == name)
    }

    /// Reads the name of a lane.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Lane, String> {
        Self::named(name).ok_or_else(|| {
            let names: Vec<_> = Self::known().iter().map(|lane| lane.name).collect();
            format!("expected {}", names.join(" or "))
        })
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Lane {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Lane::parse(&name).map_err(D::Error::custom)
    }
}

/// The seed of one generated scenario, `lane:seed:index` as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScenarioSeed {
    /// Its lane.
    pub lane: Lane,
    /// The campaign's seed, below 2^53.
    pub seed: u64,
    /// Its index in the lane.
    pub index: u64,
}

impl ScenarioSeed {
    /// The seed of the scenario's own stream of choices.
    pub fn stream(self) -> u64 {
        let lane = u64::from(self.lane.order());
        mix(mix(self.seed ^ (lane + 1) << 56) ^ self.index)
    }
}

/// Step and finalizer of SplitMix64.
fn mix(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl From<ScenarioSeed> for super::Origin {
    /// The origin of the scenario that is generated from the seed.
    fn from(seed: ScenarioSeed) -> Self {
        super::Origin {
            seed: Some(seed.to_string()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..super::Origin::default()
        }
    }
}

impl std::fmt::Display for ScenarioSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.lane.name(), self.seed, self.index)
    }
}

/// Seeds stay below this, so that every tool that reads JSON numbers keeps them exact.
pub const SEED_LIMIT: u64 = 1 << 53;

/// Reads a seed: a whole number below 2^53.
///
/// # Errors
/// Anything else.
pub fn parse_seed(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(seed) if seed < SEED_LIMIT => Ok(seed),
        _ => Err(format!(
            "expected a whole number from 0 to {} (2^53 - 1)",
            SEED_LIMIT - 1
        )),
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
            lane: Lane::parse(name).map_err(|error| format!("in `{text}`: {error}"))?,
            seed: parse_seed(first).map_err(|error| format!("in `{text}`: {error}"))?,
            index: second.parse().map_err(|_| expected())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_stay_below_two_to_the_53() {
        assert_eq!(parse_seed("9007199254740991"), Ok(SEED_LIMIT - 1));
        for bad in ["9007199254740992", "-1", "abc", "", "1.0", "0x10"] {
            assert!(parse_seed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scenario_seeds_read_what_they_write() {
        const HEAP_OPS: Lane = Lane::new(0, "heap-ops");
        Lane::make_known([HEAP_OPS]);
        let seed = ScenarioSeed {
            lane: HEAP_OPS,
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
}
