//! Races of known difficulty, on which the strategies are compared.
//!
//! Each kernel is a few tasks over shared variables, in which some orders of events show a
//! bug: from orders that any strategy meets within ten runs to those that a random walk
//! meets once in 2^100. They are pure state machines, so that what is measured is the
//! strategy alone, one event per decision.
//!
//! The two-stage and reorder kernels are those of SCTBench (Thomson, Donaldson, Betts:
//! "Concurrency testing using controlled schedulers", TOPC 2016).

#[cfg(test)]
mod exploration_tests;
mod machine;

use self::machine::{Grain, Machine, Op, Programs};
use super::{EventCounts, Exhaustive, Found, Next, RoundRobin, strategy};
use crate::{Schedule, StrategyName};
use gcrucible_trace::ReplayMode;
use gcrucible_trace::choices::{Choices, SeededChoices};

/// The kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// Two tasks read a counter and write it back incremented.
    LostUpdate,
    /// Two tasks take two locks in opposite orders.
    Abba,
    /// A task sees that it should wait, and is signalled before it does.
    LostWakeUp,
    /// A store into an object that a marking collector scans between the mutator's look at
    /// the phase and the store.
    MissedBarrier,
    /// An object moves between the load of its address and its use, amid 20 operations of
    /// noise.
    StaleHandle,
    /// Tasks write one variable and then another, under a lock each; one of as many readers
    /// must find the first written and the second not. The number is that of all tasks.
    TwoStage(u32),
    /// Tasks write two variables, and a checker, started last, must find one written and
    /// the other not. The number is that of all tasks.
    Reorder(u32),
    /// One operation must fall between the last two of so many of another task.
    Needle(u32),
}

impl Kernel {
    /// Those in the table of measured anchors.
    pub const ALL: [Kernel; 10] = [
        Kernel::LostUpdate,
        Kernel::Abba,
        Kernel::LostWakeUp,
        Kernel::MissedBarrier,
        Kernel::StaleHandle,
        Kernel::TwoStage(10),
        Kernel::Reorder(10),
        Kernel::Reorder(20),
        Kernel::Needle(25),
        Kernel::Needle(100),
    ];

    /// The name in tables: `needle_25`.
    pub fn name(self) -> String {
        match self {
            Kernel::LostUpdate => "lost_update".to_owned(),
            Kernel::Abba => "abba".to_owned(),
            Kernel::LostWakeUp => "lost_wake_up".to_owned(),
            Kernel::MissedBarrier => "missed_barrier".to_owned(),
            Kernel::StaleHandle => "stale_handle".to_owned(),
            Kernel::TwoStage(tasks) => format!("twostage_{tasks}"),
            Kernel::Reorder(tasks) => format!("reorder_{tasks}"),
            Kernel::Needle(operations) => format!("needle_{operations}"),
        }
    }

    fn programs(self) -> Programs {
        const A: usize = 0;
        const B: usize = 1;
        let programs = |programs: Vec<Vec<Op>>, initial| Programs {
            programs,
            initial,
            at_end: |_| true,
        };
        match self {
            Kernel::LostUpdate => {
                let task = vec![Op::Read(0, A), Op::WriteSum(A, 0, 1)];
                Programs {
                    at_end: |shared| shared.variables[A] == 2,
                    ..programs(vec![task.clone(), task], 2)
                }
            }
            Kernel::Abba => {
                let task = |first, second| {
                    vec![
                        Op::Lock(first),
                        Op::Lock(second),
                        Op::Unlock(second),
                        Op::Unlock(first),
                    ]
                };
                programs(vec![task(A, B), task(B, A)], 2)
            }
            Kernel::LostWakeUp => {
                let waiter = vec![Op::Read(0, A), Op::ExitIf(0, 1), Op::Wait];
                let waker = vec![Op::Write(A, 1), Op::Signal];
                programs(vec![waiter, waker], 2)
            }
            Kernel::MissedBarrier => missed_barrier(),
            Kernel::StaleHandle => {
                let unchanged = Op::Assert(|registers| registers[0] == registers[1]);
                let mut mutator = vec![Op::Noise; 10];
                mutator.extend([Op::Read(0, A), Op::Read(1, A), unchanged]);
                mutator.extend([Op::Noise; 4]);
                let mut collector = vec![Op::Noise; 5];
                collector.extend([Op::Write(A, 1), Op::Noise]);
                programs(vec![mutator, collector], 2)
            }
            Kernel::TwoStage(tasks) => {
                // A start of its own, since a task that is born waiting shows itself late.
                let writer = vec![
                    Op::Noise,
                    Op::Lock(A),
                    Op::Write(A, 1),
                    Op::Unlock(A),
                    Op::Lock(B),
                    Op::Read(0, A),
                    Op::WriteSum(B, 0, 1),
                    Op::Unlock(B),
                ];
                let reader = vec![
                    Op::Noise,
                    Op::Lock(A),
                    Op::Read(0, A),
                    Op::Unlock(A),
                    Op::ExitIf(0, 0),
                    Op::Lock(B),
                    Op::Read(1, B),
                    Op::Assert(|registers| registers[1] == registers[0] + 1),
                    Op::Unlock(B),
                ];
                let readers = tasks / 2;
                programs(vec![main(tasks - readers, readers), writer, reader], 1)
            }
            Kernel::Reorder(tasks) => {
                let writer = vec![Op::Write(A, 1), Op::Write(B, -1)];
                let checker = vec![
                    Op::Read(0, A),
                    Op::Read(1, B),
                    Op::Assert(|registers| matches!(registers, [0, 0] | [1, -1])),
                ];
                programs(vec![main(tasks - 1, 1), writer, checker], 1)
            }
            Kernel::Needle(operations) => {
                let mut long = vec![Op::Noise; operations as usize - 2];
                let untouched = Op::Assert(|registers| registers[0] == registers[1]);
                long.extend([Op::Read(0, A), Op::Read(1, A), untouched]);
                programs(vec![long, vec![Op::Write(A, 1)]], 2)
            }
        }
    }
}

/// Starts tasks that run program 1, then tasks that run program 2, and joins them all.
fn main(first: u32, second: u32) -> Vec<Op> {
    let mut main = vec![Op::Spawn(1); first as usize];
    main.extend(vec![Op::Spawn(2); second as usize]);
    main.extend((2..2 + first + second).map(Op::Join));
    main
}

/// The mutator shades what it stores only if it saw that marking goes on; the collector
/// scans the object once. What is stored and neither shaded nor scanned is lost.
fn missed_barrier() -> Programs {
    const MARKING: usize = 0;
    const FIELD: usize = 1;
    const SHADED: usize = 2;
    const SCANNED: usize = 3;
    let mutator = vec![
        Op::Read(0, MARKING),
        Op::WriteSum(SHADED, 0, 0),
        Op::Write(FIELD, 1),
    ];
    let collector = vec![
        Op::Write(MARKING, 1),
        Op::Read(0, FIELD),
        Op::WriteSum(SCANNED, 0, 0),
    ];
    Programs {
        programs: vec![mutator, collector],
        initial: 2,
        at_end: |shared| shared.variables[SHADED] + shared.variables[SCANNED] > 0,
    }
}

/// Runs a kernel under schedules drawn from `seed` until its bug shows: how many it took,
/// `None` if `cap` did not do. Event counts are those of a dry run in round robin, which is
/// not counted among the schedules.
pub fn schedules_until_bug(
    kernel: Kernel,
    strategy_name: StrategyName,
    seed: u64,
    cap: u32,
) -> Option<u32> {
    measure(kernel, strategy_name, Grain::Event, seed, cap)
}

/// The same where a decision runs as many events as its fuel allows, as in the engine, so
/// that the styles of slices take part.
pub fn schedules_until_bug_in_slices(
    kernel: Kernel,
    strategy_name: StrategyName,
    seed: u64,
    cap: u32,
) -> Option<u32> {
    measure(kernel, strategy_name, Grain::Slice, seed, cap)
}

fn measure(
    kernel: Kernel,
    strategy_name: StrategyName,
    grain: Grain,
    seed: u64,
    cap: u32,
) -> Option<u32> {
    let programs = kernel.programs();
    let mut machine = Machine::new(&programs);
    let mut counts = EventCounts::default();
    machine.run(&mut RoundRobin::default(), Grain::Slice, Some(&mut counts));
    let mut seeds = SeededChoices::new(seed);
    (1..=cap).find(|_| {
        let schedule = Schedule::Drawn {
            strategy: strategy_name,
            seed: seeds.bits(),
        };
        machine.run(
            &mut *strategy(&schedule, ReplayMode::Strict, Some(&counts)),
            grain,
            None,
        )
    })
}

/// What there is to know of a kernel's schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSchedules {
    /// What the search found out.
    pub found: Found,
    /// Schedules run until the bug showed for the first time, if it did.
    pub until_bug: Option<u64>,
    /// Whether all schedules within the bound are covered.
    pub is_complete: bool,
}

/// Explores all schedules of a kernel with at most so many preemptions, or with any number,
/// in at most `runs_max` runs.
pub fn explore(kernel: Kernel, preemptions: Option<u32>, runs_max: u64) -> KernelSchedules {
    explore_programs(&kernel.programs(), preemptions, true, runs_max, |_, _| {})
}

/// Shows `see` each schedule: what the tasks share at its end, and whether the bug showed.
fn explore_programs(
    programs: &Programs,
    preemptions: Option<u32>,
    is_reducing: bool,
    runs_max: u64,
    mut see: impl FnMut(&machine::Shared, bool),
) -> KernelSchedules {
    let mut machine = Machine::new(programs);
    let mut search = Exhaustive::new(preemptions, is_reducing);
    let mut until_bug = None;
    let next = (0..runs_max).find_map(|_| {
        search.begin();
        let shows_bug = machine.run(&mut search, Grain::Event, None);
        let (is_schedule, next) = search.end();
        if is_schedule {
            see(machine.shared(), shows_bug);
            if shows_bug && until_bug.is_none() {
                until_bug = Some(search.found().schedules);
            }
        }
        (next != Next::Run).then_some(next)
    });
    KernelSchedules {
        found: search.found(),
        until_bug,
        is_complete: next == Some(Next::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Median over 20 seeds; a seed that misses counts as above the cap.
    fn median(kernel: Kernel, strategy: StrategyName, cap: u32) -> u32 {
        median_in(Grain::Event, kernel, strategy, cap)
    }

    fn median_in(grain: Grain, kernel: Kernel, strategy: StrategyName, cap: u32) -> u32 {
        let mut found: Vec<u32> = (0..20)
            .map(|seed| measure(kernel, strategy, grain, seed, cap).unwrap_or(cap + 1))
            .collect();
        found.sort_unstable();
        found[found.len() / 2]
    }

    #[test]
    fn every_strategy_finds_the_easy_bugs() {
        let easy = [
            Kernel::LostUpdate,
            Kernel::Abba,
            Kernel::LostWakeUp,
            Kernel::MissedBarrier,
        ];
        let strategies = [
            StrategyName::Random,
            StrategyName::Pct2,
            StrategyName::Pct3,
            StrategyName::Urw,
        ];
        for kernel in easy {
            for strategy in strategies {
                let median = median(kernel, strategy, 100);
                assert!(median <= 15, "{} {strategy:?}: {median}", kernel.name());
            }
        }
    }

    #[test]
    fn urw_finds_what_random_misses() {
        for kernel in [Kernel::Reorder(10), Kernel::Needle(25)] {
            let urw = median(kernel, StrategyName::Urw, 200);
            assert!(urw <= 100, "{}: {urw}", kernel.name());
            let random = median(kernel, StrategyName::Random, 1000);
            assert!(random > 1000, "{}: {random}", kernel.name());
        }
    }

    #[test]
    fn pct_finds_reorder_before_random_does() {
        for strategy in [StrategyName::Pct2, StrategyName::Pct3] {
            let pct = median(Kernel::Reorder(10), strategy, 2000);
            assert!(pct <= 1500, "{strategy:?}: {pct}");
        }
        assert!(median(Kernel::Reorder(10), StrategyName::Random, 2000) > 2000);
    }

    #[test]
    fn urw_beats_random_on_moderate_races() {
        for kernel in [Kernel::StaleHandle, Kernel::TwoStage(10)] {
            let urw = median(kernel, StrategyName::Urw, 1000);
            let random = median(kernel, StrategyName::Random, 1000);
            assert!(
                urw * 3 < random * 2,
                "{}: {urw} against {random}",
                kernel.name()
            );
        }
    }

    #[test]
    fn slices_of_several_events_cost_urw_little() {
        for kernel in [Kernel::Reorder(10), Kernel::Needle(25)] {
            let urw = median_in(Grain::Slice, kernel, StrategyName::Urw, 200);
            assert!(urw <= 100, "{}: {urw}", kernel.name());
        }
    }

    #[test]
    fn measurements_repeat() {
        let measure = || schedules_until_bug(Kernel::Needle(25), StrategyName::Urw, 7, 10_000);
        assert!(measure().is_some());
        assert_eq!(measure(), measure());
    }
}
