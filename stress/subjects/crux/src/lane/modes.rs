//! The heap's modes: which of them a scenario runs under, and what each is there for.

use gcrucible_heap::{CollectMode, HeapDebug, KindMode, PromoteMode, VerifyLevel};
use gcrucible_trace::{Counters, Mode};

fn collections(counters: &Counters) -> u64 {
    counters.collections_minor + counters.collections_major
}

macro_rules! modes {
    ($($variant:ident = $name:literal, $effect:literal, $count:expr;)*) => {
        #[derive(Clone, Copy)]
        enum Name { $($variant,)* }

        /// The modes.
        pub(super) static MODES: &[Mode] = &[$(Mode { name: $name, effect: $effect, count: $count },)*];
    };
}

modes! {
    Zombie = "zombie", "zombies", |c| c.zombies;
    Scribble = "scribble", "bytes_scribbled", |c| c.bytes_scribbled;
    Quarantine = "quarantine", "collections", collections;
    Tags = "tags", "collections", collections;
    VerifyQuick = "verify=quick", "verifications", |c| c.verifications;
    VerifyFull = "verify=full", "verifications", |c| c.verifications;
    CollectAllocations = "collect=alloc", "collections", collections;
    CollectSafepoint = "collect=safepoint", "collections", collections;
    CollectContinuous = "collect=continuous", "objects_moved", |c| c.objects_moved;
    CollectSeeded = "collect=seeded", "collections", collections;
    CollectAt = "collect=at", "collections", collections;
    KindMinor = "kind=minor", "collections_minor", |c| c.collections_minor;
    KindMajor = "kind=major", "objects_moved", |c| c.objects_moved;
    KindAlternate = "kind=alternate", "collections_major", |c| c.collections_major;
    PromoteAlways = "promote=always", "collections", collections;
    PromoteNever = "promote=never", "collections", collections;
    Exhausted = "exhausted", "objects_kept", |c| c.objects_kept;
    PoisonDead = "poison-dead", "registers_poisoned", |c| c.registers_poisoned;
    Fail = "fail=alloc", "faults", |c| c.faults;
}

/// Shows the modes that a scenario with these runs under, failing allocations apart.
fn of_heap(debug: &HeapDebug, mut show: impl FnMut(Name)) {
    let collect = match &debug.collect {
        // Without collections the other modes have nothing to show.
        CollectMode::Never => return,
        CollectMode::Natural => None,
        CollectMode::EveryAllocations(_) => Some(Name::CollectAllocations),
        CollectMode::EverySafepoint => Some(Name::CollectSafepoint),
        CollectMode::Continuous => Some(Name::CollectContinuous),
        CollectMode::Seeded { .. } => Some(Name::CollectSeeded),
        CollectMode::At(_) => Some(Name::CollectAt),
    };
    let kind = match debug.kind {
        KindMode::Natural => None,
        KindMode::Minor => Some(Name::KindMinor),
        KindMode::Major => Some(Name::KindMajor),
        KindMode::Alternate => Some(Name::KindAlternate),
    };
    let promote = match debug.promote {
        PromoteMode::Natural => None,
        PromoteMode::Always => Some(Name::PromoteAlways),
        PromoteMode::Never => Some(Name::PromoteNever),
    };
    let verify = match debug.verify {
        VerifyLevel::Off => None,
        VerifyLevel::Quick => Some(Name::VerifyQuick),
        VerifyLevel::Full => Some(Name::VerifyFull),
    };
    [collect, kind, promote, verify]
        .into_iter()
        .flatten()
        .for_each(&mut show);
    for (on, mode) in [
        (debug.zombie, Name::Zombie),
        (debug.scribble, Name::Scribble),
        (debug.quarantine > 0, Name::Quarantine),
        (debug.tags, Name::Tags),
        (debug.exhausted.is_some(), Name::Exhausted),
    ] {
        if on {
            show(mode);
        }
    }
}

/// Shows the modes that a scenario runs under, which has machines or has not.
pub(super) fn of(
    debug: &HeapDebug,
    has_faults: bool,
    has_machines: bool,
    show: &mut dyn FnMut(&'static Mode),
) {
    of_heap(debug, |name| show(&MODES[name as usize]));
    if debug.poison_dead && has_machines {
        show(&MODES[Name::PoisonDead as usize]);
    }
    if has_faults || !debug.fail.is_empty() {
        show(&MODES[Name::Fail as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(modes: &str) -> Vec<&'static str> {
        let mut names = Vec::new();
        of(&modes.parse().unwrap(), false, true, &mut |mode| {
            names.push(mode.name)
        });
        names.sort_unstable();
        names
    }

    #[test]
    fn a_scenario_runs_under_the_modes_that_it_names() {
        assert_eq!(
            names("zombie,collect=safepoint,kind=major"),
            [
                "collect=safepoint",
                "kind=major",
                "quarantine",
                "tags",
                "zombie"
            ],
            "zombies are kept for a while, and references have tags"
        );
        assert_eq!(names("fail=alloc:3"), ["fail=alloc"]);
    }

    #[test]
    fn without_collections_no_mode_is_expected_to_show() {
        assert!(names("collect=never,zombie,verify=full").is_empty());
    }
}
