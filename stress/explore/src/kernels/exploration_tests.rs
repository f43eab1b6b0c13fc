//! The exhaustive search on kernels and on random little programs.

use std::collections::BTreeSet;

use super::machine::{Op, Programs, Shared};
use super::{Kernel, explore, explore_programs};
use gcrucible_trace::choices::{Choices, SeededChoices};

/// Interleavings of actors with so many events left, of which `last` ran last, with at most
/// so many switches away from one that has events left.
fn interleavings(left: &mut [u32], last: Option<usize>, preemptions: u32) -> u128 {
    if left.iter().all(|&left| left == 0) {
        return 1;
    }
    let holder = last.filter(|&last| left[last] > 0);
    let mut count = 0;
    for next in 0..left.len() {
        let cost = u32::from(holder.is_some_and(|holder| holder != next));
        if left[next] > 0 && cost <= preemptions {
            left[next] -= 1;
            count += interleavings(left, Some(next), preemptions - cost);
            left[next] += 1;
        }
    }
    count
}

/// Any number of them.
const ANY: u32 = 1000;

fn plain(programs: Vec<Vec<Op>>) -> Programs {
    Programs {
        initial: programs.len() as u32,
        programs,
        at_end: |_| true,
    }
}

#[test]
fn the_count_of_interleavings_is_right_where_it_is_known() {
    assert_eq!(interleavings(&mut [2, 2], None, ANY), 6);
    assert_eq!(interleavings(&mut [3, 3, 3], None, ANY), 1680);
    assert_eq!(interleavings(&mut [5, 5], None, 0), 2);
    assert_eq!(interleavings(&mut [2, 2], None, 1), 4);
}

#[test]
fn as_many_schedules_exist_as_a_count_says() {
    let sizes: [&[u32]; 5] = [&[1], &[2, 2], &[3, 2], &[2, 2, 2], &[1, 2, 3]];
    for sizes in sizes {
        let programs = |op: fn(usize) -> Op| {
            let program = |(task, &size): (usize, &u32)| vec![op(task); size as usize];
            plain(sizes.iter().enumerate().map(program).collect())
        };
        let conflicting = programs(|task| Op::Write(0, task as i32));
        let independent = programs(|_| Op::Noise);
        for preemptions in [Some(0), Some(1), Some(2), None] {
            let expected = interleavings(&mut sizes.to_vec(), None, preemptions.unwrap_or(ANY));
            for programs in [&conflicting, &independent] {
                let all = explore_programs(programs, preemptions, false, u64::MAX, |_, _| {});
                assert!(all.is_complete);
                assert_eq!(
                    u128::from(all.found.schedules),
                    expected,
                    "{sizes:?} {preemptions:?}"
                );
                let reduced = explore_programs(programs, preemptions, true, u64::MAX, |_, _| {});
                assert!(reduced.is_complete);
                assert_eq!(reduced.found.covered, expected, "{sizes:?} {preemptions:?}");
            }
        }
        let one = explore_programs(&independent, None, true, u64::MAX, |_, _| {});
        assert_eq!(one.found.schedules, 1, "{sizes:?}: all orders are one");
    }
}

/// Two or three tasks of a few events over two variables, a lock and signals.
fn little_programs(choices: &mut SeededChoices) -> Programs {
    let op = |choices: &mut SeededChoices| {
        let variable = choices.below(2) as usize;
        match choices.below(6) {
            0 => Op::Noise,
            1 | 2 => Op::Read(variable, variable),
            3 => Op::Write(variable, choices.below(3) as i32),
            4 => Op::WriteSum(variable, choices.below(2) as usize, 1),
            _ => Op::Signal,
        }
    };
    let tasks = choices.within(2, 3);
    let program = |choices: &mut SeededChoices| {
        let mut ops: Vec<Op> = (0..choices.within(1, 3)).map(|_| op(choices)).collect();
        if choices.chance(1, 3) {
            ops.insert(0, Op::Lock(0));
            ops.push(Op::Unlock(0));
        }
        if choices.chance(1, 6) {
            ops.push(Op::Wait);
        }
        ops
    };
    plain((0..tasks).map(|_| program(choices)).collect())
}

#[test]
fn reduction_loses_no_outcome() {
    let mut choices = SeededChoices::new(11);
    let (mut ran, mut existing) = (0, 0);
    for index in 0..150 {
        let programs = little_programs(&mut choices);
        for preemptions in [Some(0), Some(1), Some(2), None] {
            let outcomes = |is_reducing| {
                let mut outcomes: BTreeSet<(Shared, bool)> = BTreeSet::new();
                let see = |shared: &Shared, shows_bug| {
                    outcomes.insert((shared.clone(), shows_bug));
                };
                let explored = explore_programs(&programs, preemptions, is_reducing, u64::MAX, see);
                assert!(explored.is_complete);
                (outcomes, explored.found)
            };
            let (all, every) = outcomes(false);
            let (reduced, found) = outcomes(true);
            assert_eq!(reduced, all, "{index} {preemptions:?}: {programs:?}");
            assert_eq!(
                found.covered,
                every.schedules.into(),
                "{index} {preemptions:?}"
            );
            ran += found.schedules + found.pruned;
            existing += every.schedules;
        }
    }
    assert!(ran * 3 < existing, "{ran} runs for {existing} schedules");
}

#[test]
fn each_kernel_is_found_with_its_least_bound() {
    let kernels = [
        (Kernel::LostUpdate, 1),
        (Kernel::Abba, 1),
        (Kernel::LostWakeUp, 1),
        (Kernel::MissedBarrier, 1),
        (Kernel::StaleHandle, 1),
        (Kernel::TwoStage(3), 1),
        (Kernel::Reorder(4), 1),
        (Kernel::Needle(25), 1),
        (Kernel::Needle(100), 1),
    ];
    for (kernel, least) in kernels {
        for preemptions in 0..=2 {
            let schedules = explore(kernel, Some(preemptions), u64::MAX);
            assert!(schedules.is_complete);
            let is_found = schedules.until_bug.is_some();
            assert_eq!(
                is_found,
                preemptions >= least,
                "{} {preemptions}: {schedules:?}",
                kernel.name()
            );
        }
    }
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let stopped = explore(Kernel::MissedBarrier, None, 3);
    assert!(!stopped.is_complete);
    assert_eq!(stopped.found.schedules + stopped.found.pruned, 3);
}
