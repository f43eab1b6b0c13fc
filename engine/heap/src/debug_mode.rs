//! Debug modes: all chosen at run time in one value, freely combined.
//!
//! The text form, as in `GCRUCIBLE_GC` and `--heap`, is a comma-separated list:
//! `zombie,scribble,collect=alloc:3,verify=full`. See [`HeapDebug::from_str`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which generations a collection evacuates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CollectionKind {
    /// Both young generations.
    Minor,
    /// All generations.
    Major,
}

/// When to collect, besides when memory is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollectMode {
    /// Only when memory is needed.
    #[default]
    Natural,
    /// At every n-th allocation.
    EveryAllocations(u32),
    /// At every safepoint.
    EverySafepoint,
    /// A task that always asks for the next collection.
    Continuous,
    /// At safepoint ordinals whose hash with the seed falls below `per_mille` of 1000.
    Seeded {
        /// Seed of the hash.
        seed: u64,
        /// Rate in thousandths.
        per_mille: u16,
    },
    /// At exactly these safepoint ordinals (from 0), in rising order.
    At(Vec<u64>),
    /// Never, not even when the nursery is full (until the limit).
    Never,
}

/// Which kind a mode's or the nursery's collection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KindMode {
    /// Minor, and major when the old generation has grown enough.
    #[default]
    Natural,
    /// Always minor (major only when memory is short).
    Minor,
    /// Always major: every survivor moves each time.
    Major,
    /// In turn.
    Alternate,
}

/// Which survivors of a collection become old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromoteMode {
    /// Those that survived twice.
    #[default]
    Natural,
    /// All.
    Always,
    /// None.
    Never,
}

/// How much the verifier checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VerifyLevel {
    /// Nothing.
    #[default]
    Off,
    /// All that the roots lead to; constants of programs when versions have come or gone, and now and then.
    Quick,
    /// Every object of every space, reachable or not, cards and side tables.
    Full,
}

/// When the verifier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerifyWhen {
    /// Before and after each collection.
    #[default]
    Both,
    /// Before each collection.
    Before,
    /// After each collection.
    After,
}

macro_rules! modes {
    ($($(#[doc = $doc:literal])* $(#[serde($($serde:tt)*)])? $field:ident: $type:ty;)*) => {
        /// All debug modes of a heap. The default is everything off.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct HeapDebug {
            $($(#[doc = $doc])* $(#[serde($($serde)*)])? pub $field: $type,)*
        }

        impl HeapDebug {
            /// What turns a single mode off, in the order in which a shrinker tries them.
            pub const OFF: &'static [fn(&mut HeapDebug)] =
                &[$(|debug| debug.$field = Default::default(),)*];
        }
    };
}

modes! {
    /// When to collect.
    collect: CollectMode;
    /// Minor or major.
    kind: KindMode;
    /// Who becomes old.
    promote: PromoteMode;
    /// Dead objects become zombies: they keep their header, and every access names them.
    zombie: bool;
    /// Freed memory is filled with patterns that tell what it was.
    scribble: bool;
    /// Collections for which retired blocks are kept from reuse.
    quarantine: u16;
    /// A generation tag in each reference, checked on every access.
    tags: bool;
    /// Copies that each collection finds room for; what it should move after them stays
    /// where it is, as if memory were exhausted. `None`: as many as memory really holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    exhausted: Option<u32>;
    /// Units of work that a built-in does at a time; `None`: as many as in production.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u32>;
    /// Whenever a machine stands still, its dead registers are overwritten with poison, whether
    /// there is a collection or not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    poison_dead: bool;
    /// How much the verifier checks.
    verify: VerifyLevel;
    /// When it runs.
    verify_when: VerifyWhen;
    /// Allocation requests (from 0, in rising order) for which there is no memory, whatever
    /// is free: each ends as at the heap's limit, once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fail: Vec<u32>;
}

impl HeapDebug {
    /// Whether the checked copy of heap and VM is needed: some mode looks at accesses.
    pub fn needs_checks(&self) -> bool {
        self.zombie || self.scribble || self.tags || self.quarantine > 0 || self.poison_dead
    }

    /// Units of work that a built-in does at a time in production.
    pub const STEPS_IN_PRODUCTION: u32 = 10_000;

    /// Units of work of step number `taken` of one built-in. A mode that makes steps small would take
    /// thousands for something large, one like the other: after so many they are twice as large, and so on.
    pub fn units_of_step(&self, taken: u32) -> u32 {
        const ALIKE: u32 = 64;
        let Some(units) = self.steps else {
            return Self::STEPS_IN_PRODUCTION;
        };
        let most = units.max(Self::STEPS_IN_PRODUCTION);
        let doublings = (taken / ALIKE).min(u64::BITS / 2 - 1);
        let units = u64::from(units.max(1)) << doublings;
        units.min(most.into()) as u32
    }

    /// What the text form takes, for help texts.
    pub const SYNTAX: &'static str = "\
natural | collect=natural|safepoint|continuous|never|alloc:N|seeded:SEED:PERMILLE|at:A:B:… | kind=natural|minor|major|alternate | \
promote=natural|always|never | zombie | scribble | quarantine=N | tags | move | exhausted=N | steps=N | poison-dead | \
verify=off|quick|full | verify-when=both|before|after | fail=alloc:A:B:…";
}

impl fmt::Display for HeapDebug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        match &self.collect {
            CollectMode::Natural => {}
            CollectMode::EveryAllocations(n) => parts.push(format!("collect=alloc:{n}")),
            CollectMode::EverySafepoint => parts.push("collect=safepoint".into()),
            CollectMode::Continuous => parts.push("collect=continuous".into()),
            CollectMode::Seeded { seed, per_mille } => {
                parts.push(format!("collect=seeded:{seed}:{per_mille}"));
            }
            CollectMode::At(list) => {
                let list: Vec<String> = list.iter().map(u64::to_string).collect();
                parts.push(format!("collect=at:{}", list.join(":")));
            }
            CollectMode::Never => parts.push("collect=never".into()),
        }
        match self.kind {
            KindMode::Natural => {}
            KindMode::Minor => parts.push("kind=minor".into()),
            KindMode::Major => parts.push("kind=major".into()),
            KindMode::Alternate => parts.push("kind=alternate".into()),
        }
        match self.promote {
            PromoteMode::Natural => {}
            PromoteMode::Always => parts.push("promote=always".into()),
            PromoteMode::Never => parts.push("promote=never".into()),
        }
        if self.zombie {
            parts.push("zombie".into());
        }
        if self.scribble {
            parts.push("scribble".into());
        }
        if self.quarantine > 0 {
            parts.push(format!("quarantine={}", self.quarantine));
        }
        if self.tags {
            parts.push("tags".into());
        }
        if let Some(copies) = self.exhausted {
            parts.push(format!("exhausted={copies}"));
        }
        if let Some(units) = self.steps {
            parts.push(format!("steps={units}"));
        }
        if self.poison_dead {
            parts.push("poison-dead".into());
        }
        match self.verify {
            VerifyLevel::Off => {}
            VerifyLevel::Quick => parts.push("verify=quick".into()),
            VerifyLevel::Full => parts.push("verify=full".into()),
        }
        match self.verify_when {
            VerifyWhen::Both => {}
            VerifyWhen::Before => parts.push("verify-when=before".into()),
            VerifyWhen::After => parts.push("verify-when=after".into()),
        }
        if !self.fail.is_empty() {
            let list: Vec<String> = self.fail.iter().map(u32::to_string).collect();
            parts.push(format!("fail=alloc:{}", list.join(":")));
        }
        if parts.is_empty() {
            parts.push("natural".into());
        }
        f.write_str(&parts.join(","))
    }
}

/// What is wrong with a text of heap modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapDebugError(String);

impl fmt::Display for HeapDebugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; expected {}", self.0, HeapDebug::SYNTAX)
    }
}

impl std::error::Error for HeapDebugError {}

impl FromStr for HeapDebug {
    type Err = HeapDebugError;

    /// Reads the text form. `zombie` alone also turns on a quarantine of one collection
    /// and tags, without which zombies would be overwritten before anybody meets them;
    /// `move` is short for `kind=major`.
    ///
    /// # Errors
    /// An unknown mode, or a value that is not of the mode's form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |part: &str| HeapDebugError(format!("`{part}` is no heap mode"));
        let mut modes = HeapDebug::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (part, None),
            };
            match (name, value) {
                ("natural", None) => {}
                ("zombie", None) => {
                    modes.zombie = true;
                    modes.tags = true;
                    modes.quarantine = modes.quarantine.max(1);
                }
                ("scribble", None) => modes.scribble = true,
                ("tags", None) => modes.tags = true,
                ("poison-dead", None) => modes.poison_dead = true,
                ("move", None) => modes.kind = KindMode::Major,
                ("quarantine", Some(n)) => {
                    modes.quarantine = n.parse().map_err(|_| bad(part))?;
                }
                ("exhausted", Some(n)) => {
                    modes.exhausted = Some(n.parse().map_err(|_| bad(part))?);
                }
                ("steps", Some(n)) => {
                    let units = n.parse().ok().filter(|&units| units > 0);
                    modes.steps = Some(units.ok_or_else(|| bad(part))?);
                }
                ("collect", Some(value)) => {
                    modes.collect = parse_collect(value).ok_or_else(|| bad(part))?;
                }
                ("kind", Some("natural")) => modes.kind = KindMode::Natural,
                ("kind", Some("minor")) => modes.kind = KindMode::Minor,
                ("kind", Some("major")) => modes.kind = KindMode::Major,
                ("kind", Some("alternate")) => modes.kind = KindMode::Alternate,
                ("promote", Some("natural")) => modes.promote = PromoteMode::Natural,
                ("promote", Some("always")) => modes.promote = PromoteMode::Always,
                ("promote", Some("never")) => modes.promote = PromoteMode::Never,
                ("verify", Some("off")) => modes.verify = VerifyLevel::Off,
                ("verify", Some("quick")) => modes.verify = VerifyLevel::Quick,
                ("verify", Some("full")) => modes.verify = VerifyLevel::Full,
                ("verify-when", Some("both")) => modes.verify_when = VerifyWhen::Both,
                ("verify-when", Some("before")) => modes.verify_when = VerifyWhen::Before,
                ("verify-when", Some("after")) => modes.verify_when = VerifyWhen::After,
                ("fail", Some(value)) => {
                    let list = value.strip_prefix("alloc:").and_then(rising);
                    modes.fail = list.ok_or_else(|| bad(part))?;
                }
                _ => return Err(bad(part)),
            }
        }
        Ok(modes)
    }
}

fn parse_collect(value: &str) -> Option<CollectMode> {
    let (name, rest) = match value.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (value, None),
    };
    Some(match (name, rest) {
        ("natural", None) => CollectMode::Natural,
        ("safepoint", None) => CollectMode::EverySafepoint,
        ("continuous", None) => CollectMode::Continuous,
        ("never", None) => CollectMode::Never,
        ("alloc", Some(n)) => match n.parse().ok()? {
            0 => return None,
            n => CollectMode::EveryAllocations(n),
        },
        ("seeded", Some(rest)) => {
            let (seed, per_mille) = rest.split_once(':')?;
            CollectMode::Seeded {
                seed: seed.parse().ok()?,
                per_mille: per_mille.parse().ok()?,
            }
        }
        ("at", Some(rest)) => CollectMode::At(rising(rest)?),
        _ => return None,
    })
}

/// Numbers with colons between, each greater than the one before.
fn rising<N: FromStr + PartialOrd>(text: &str) -> Option<Vec<N>> {
    let list: Option<Vec<N>> = text.split(':').map(|n| n.parse().ok()).collect();
    list.filter(|list| list.windows(2).all(|pair| pair[0] < pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_grow_up_to_those_of_production() {
        let natural = HeapDebug::default();
        assert_eq!(natural.units_of_step(0), HeapDebug::STEPS_IN_PRODUCTION);
        assert_eq!(
            natural.units_of_step(u32::MAX),
            HeapDebug::STEPS_IN_PRODUCTION
        );
        let small: HeapDebug = "steps=3".parse().unwrap();
        let units = [0, 63, 64, 128, 10_000, u32::MAX].map(|taken| small.units_of_step(taken));
        let most = HeapDebug::STEPS_IN_PRODUCTION;
        assert_eq!(units, [3, 3, 6, 12, most, most]);
        let large: HeapDebug = "steps=20000".parse().unwrap();
        assert_eq!(large.units_of_step(1000), 20_000);
    }

    #[test]
    fn modes_read_what_they_write() {
        for text in [
            "natural",
            "collect=alloc:3,kind=alternate,promote=never,quarantine=2",
            "collect=seeded:9:50,zombie,scribble,quarantine=1,tags,verify=full",
            "collect=at:1:5:9,verify=quick,verify-when=after",
            "collect=safepoint,kind=major",
            "kind=major,exhausted=7,verify=full",
            "steps=1,poison-dead,verify=quick",
            "tags,fail=alloc:0:7",
        ] {
            let modes: HeapDebug = text.parse().unwrap();
            assert_eq!(modes.to_string(), text);
        }
    }

    #[test]
    fn each_mode_can_be_turned_off() {
        let all = "collect=never,kind=minor,promote=never,zombie,scribble,quarantine=2,tags,\
                   exhausted=7,steps=1,poison-dead,verify=full,verify-when=after,fail=alloc:3";
        let mut modes: HeapDebug = all.parse().unwrap();
        assert_eq!(modes.to_string(), all, "every mode is on");
        for off in HeapDebug::OFF {
            let before = modes.clone();
            off(&mut modes);
            assert_ne!(modes, before);
        }
        assert_eq!(modes, HeapDebug::default());
    }

    #[test]
    fn a_bad_mode_says_what_was_expected() {
        for text in [
            "zombi",
            "collect=alloc:0",
            "collect=at:5:1",
            "verify",
            "quarantine=x",
            "exhausted=-1",
            "steps=0",
            "fail=alloc",
            "fail=alloc:",
            "fail=alloc:7:7",
        ] {
            let error = text.parse::<HeapDebug>().unwrap_err().to_string();
            assert!(
                error.contains(text) && error.contains("expected"),
                "{error}"
            );
        }
    }
}
