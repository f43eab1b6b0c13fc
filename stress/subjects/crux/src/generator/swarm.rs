//! Swarm testing (Groce et al., ISSTA 2012): each scenario has a random part of all
//! features, so that rare combinations are not drowned by frequent ones.

use gcrucible_trace::choices::Choices;

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// Something that a scenario may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Feature { $($(#[$doc])* $variant,)* }

        impl Feature {
            /// All features.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)*];
        }
    };
}

features! {
    /// Arrays that change.
    Arrays,
    /// Maps.
    Maps,
    /// Arrays and maps that get shorter.
    Removal,
    /// Collections that change while something iterates over them.
    IterateAndChange,
    /// Instances.
    Instances,
    /// Objects that refer to themselves.
    Cycles,
    /// Closures.
    Closures,
    /// Variables that closures share.
    SharedCells,
    /// `catch`.
    Catch,
    /// `finally`.
    Finally,
    /// `throw`.
    Throw,
    /// Errors of the machine.
    RuntimeErrors,
    /// Functions that call themselves.
    Recursion,
    /// Loops.
    Loops,
    /// Tasks that start tasks.
    NestedTasks,
    /// Futures in shared arrays.
    SharedFutures,
    /// Awaits in the middle of expressions.
    AwaitInside,
    /// `cancel`.
    Cancel,
    /// `cancellation_requested`.
    CancellationRequested,
    /// `sleep`.
    Sleep,
    /// `yield_now`.
    Yield,
    /// `collect`.
    Collect,
    /// `deep_copy` and `deep_equals`.
    DeepCopy,
    /// Ints that are boxed.
    BigInts,
    /// Floats.
    Floats,
    /// Strings that are made at run time.
    Strings,
    /// `print` in the middle of everything.
    Print,
    /// Methods of classes.
    Methods,
    /// Enums.
    Enums,
    /// `match`.
    Match,
    /// Typed handlers.
    TypedCatch,
    /// Iterators as values, nested loops.
    Iteration,
    /// Streams.
    Streams,
    /// Channels.
    Channels,
    /// `squad`.
    Squads,
    /// `schedule`.
    Schedules,
    /// `deadline`.
    Deadlines,
    /// `step`.
    Steps,
    /// `sync`.
    Guards,
    /// Several modules.
    Modules,
    /// Functions and methods of the library.
    Library,
    /// Lifecycle hooks.
    Hooks,
    /// Interrupts.
    Interrupts,
    /// Weak references.
    Weak,
    /// Finalizers.
    Finalizers,
    /// `spawn detached`.
    Detached,
    /// Host operations.
    HostOperations,
    /// Tasks that module initialisation starts.
    TasksAtInit,
    /// Stores to globals after initialisation.
    LateGlobalStores,
    /// The host cancels calls.
    HostCancel,
    /// The host drops calls.
    HostDrop,
    /// The host takes call ids twice, or again.
    HostIds,
    /// The host protects results.
    HostProtect,
    /// The host collects.
    HostCollect,
    /// The host lets time pass.
    HostTime,
    /// The host waits between calls.
    HostJoin,
    /// Clients with retries, fallbacks and turns.
    Clients,
}

/// Words of a set of features, a bit for each.
const WORDS: usize = Feature::ALL.len().div_ceil(64);

/// A set of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swarm([u64; WORDS]);

impl Swarm {
    /// Every feature.
    pub const ALL: Swarm = Swarm([u64::MAX; WORDS]);

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
