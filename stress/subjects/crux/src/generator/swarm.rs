//! Swarm testing (Groce et al., ISSTA 2012): each scenario has a random part of all
//! features, so that rare combinations are not drowned by frequent ones.
//!
//! What is on may come up; what a scenario has in the end is found in it (`features.rs`).

use gcrucible_trace::choices::Choices;

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Something that a scenario may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Feature { $($(#[$doc])* $variant,)* }

        impl Feature {
            /// All features.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)*];

            /// Their names in reports.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

features! {
    /// Arrays that change.
    Arrays = "arrays",
    /// Maps.
    Maps = "maps",
    /// Arrays and maps that get shorter.
    Removal = "removal",
    /// Collections that change while something iterates over them.
    IterateAndChange = "iterate_and_change",
    /// Instances.
    Instances = "instances",
    /// Objects that refer to themselves.
    Cycles = "cycles",
    /// Closures.
    Closures = "closures",
    /// Variables that closures share.
    SharedCells = "shared_cells",
    /// `catch`.
    Catch = "catch",
    /// `finally`.
    Finally = "finally",
    /// `throw`.
    Throw = "throw",
    /// Errors of the machine.
    RuntimeErrors = "runtime_errors",
    /// Functions that call themselves.
    Recursion = "recursion",
    /// Loops.
    Loops = "loops",
    /// Tasks that start tasks.
    NestedTasks = "nested_tasks",
    /// Futures in shared arrays.
    SharedFutures = "shared_futures",
    /// Awaits in the middle of expressions.
    AwaitInside = "await_inside",
    /// `cancel`.
    Cancel = "cancel",
    /// `cancellation_requested`.
    CancellationRequested = "cancellation_requested",
    /// `sleep`.
    Sleep = "sleep",
    /// `yield_now`.
    Yield = "yield",
    /// `collect`.
    Collect = "collect",
    /// `deep_copy` and `deep_equals`.
    DeepCopy = "deep_copy",
    /// Ints that are boxed.
    BigInts = "big_ints",
    /// Floats.
    Floats = "floats",
    /// Strings that are made at run time.
    Strings = "strings",
    /// `print` in the middle of everything.
    Print = "print",
    /// Methods of classes.
    Methods = "methods",
    /// Enums.
    Enums = "enums",
    /// `match`.
    Match = "match",
    /// Typed handlers.
    TypedCatch = "typed_catch",
    /// Iterators as values, nested loops.
    Iteration = "iteration",
    /// Streams.
    Streams = "streams",
    /// Channels.
    Channels = "channels",
    /// `squad`.
    Squads = "squads",
    /// `schedule`.
    Schedules = "schedules",
    /// `deadline`.
    Deadlines = "deadlines",
    /// `step`.
    Steps = "steps",
    /// `sync`.
    Guards = "guards",
    /// Several modules.
    Modules = "modules",
    /// Functions and methods of the library.
    Library = "library",
    /// Lifecycle hooks.
    Hooks = "hooks",
    /// Interrupts.
    Interrupts = "interrupts",
    /// Weak references.
    Weak = "weak",
    /// Finalizers.
    Finalizers = "finalizers",
    /// `spawn detached`.
    Detached = "detached",
    /// Host operations.
    HostOperations = "host_operations",
    /// Tasks that module initialisation starts.
    TasksAtInit = "tasks_at_init",
    /// Stores to globals after initialisation.
    LateGlobalStores = "late_global_stores",
    /// The host cancels calls.
    HostCancel = "host_cancel",
    /// The host drops calls.
    HostDrop = "host_drop",
    /// The host takes call ids twice, or again.
    HostIds = "host_ids",
    /// The host protects results.
    HostProtect = "host_protect",
    /// The host collects.
    HostCollect = "host_collect",
    /// The host lets time pass.
    HostTime = "host_time",
    /// The host waits between calls.
    HostJoin = "host_join",
    /// Clients with retries, fallbacks and turns.
    Clients = "clients",
    /// The host forks the program.
    Forks = "forks",
    /// The host serves requests.
    Requests = "requests",
    /// Clients of the host go away.
    Disconnects = "disconnects",
    /// The host reloads.
    Reloads = "reloads",
    /// The host runs programs before the entry.
    Preloads = "preloads",
}

impl Feature {
    /// What only a host does that forks and reloads.
    pub const OF_VERSIONS: [Feature; 5] = [
        Feature::Forks,
        Feature::Requests,
        Feature::Disconnects,
        Feature::Reloads,
        Feature::Preloads,
    ];
}

/// Words of a set of features, a bit for each.
const WORDS: usize = Feature::ALL.len().div_ceil(64);

/// A set of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swarm([u64; WORDS]);

impl Swarm {
    /// Every feature.
    pub const ALL: Swarm = Swarm([u64::MAX; WORDS]);

    /// No feature.
    pub const NONE: Swarm = Swarm([0; WORDS]);

    /// Draws which features a scenario has: half of them, three quarters, or all.
    pub fn draw<C: Choices>(c: &mut C) -> Self {
        let first: [u64; WORDS] = std::array::from_fn(|_| c.bits());
        let second: [u64; WORDS] = std::array::from_fn(|_| c.bits());
        match c.weighted(&[5, 3, 2]) {
            0 => Swarm(std::array::from_fn(|word| first[word] | second[word])),
            1 => Swarm(first),
            _ => Swarm::ALL,
        }
    }

    /// The word of a feature, and its bit there.
    fn place(feature: Feature) -> (usize, u64) {
        (feature as usize / 64, 1 << (feature as usize % 64))
    }

    /// The set with a feature on.
    pub fn with(mut self, feature: Feature) -> Swarm {
        let (word, bit) = Self::place(feature);
        self.0[word] |= bit;
        self
    }

    /// The set with a feature off.
    pub fn without(mut self, feature: Feature) -> Swarm {
        let (word, bit) = Self::place(feature);
        self.0[word] &= !bit;
        self
    }

    /// Its features.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL
            .iter()
            .copied()
            .filter(move |&one| self.has(one))
    }

    /// Whether a feature is on.
    pub fn has(self, feature: Feature) -> bool {
        let (word, bit) = Self::place(feature);
        self.0[word] & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcrucible_trace::choices::{ByteChoices, SeededChoices};

    #[test]
    fn each_feature_is_on_in_some_scenarios_and_off_in_others() {
        let mut c = SeededChoices::new(3);
        let swarms: Vec<Swarm> = (0..64).map(|_| Swarm::draw(&mut c)).collect();
        for &feature in Feature::ALL {
            let on = swarms.iter().filter(|swarm| swarm.has(feature)).count();
            assert!((24..64).contains(&on), "{feature:?}: {on} of 64");
        }
    }

    #[test]
    fn without_choices_there_are_no_features() {
        let swarm = Swarm::draw(&mut ByteChoices::new(&[]));
        assert!(Feature::ALL.iter().all(|&feature| !swarm.has(feature)));
    }
}
