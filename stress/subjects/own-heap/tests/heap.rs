//! The engine's heap is not complained about.

use gcrucible_own_heap_subject::lane;
use gcrucible_scenario::{Lane, ScenarioSeed};
use gcrucible_subject::{Mix, Subject as _};
use gcrucible_trace::{Counters, RunOptions, RunReport};

fn reports(programs: u64) -> impl Iterator<Item = (u64, RunReport)> {
    let lane = lane(Lane::EXTRA);
    (0..programs).map(move |index| {
        let seed = ScenarioSeed {
            lane: lane.lane(),
            seed: 1,
            index,
        };
        let scenario = lane.generate(seed, &Mix::default());
        (index, lane.run(&scenario, &RunOptions::default()))
    })
}

#[test]
fn the_heap_is_not_complained_about_and_all_that_it_can_do_happens() {
    let mut all = Counters::default();
    for (index, report) in reports(1_500) {
        assert_eq!(report.failure, None, "program {index}");
        all += &report.counters;
    }
    for (what, count) in [
        ("minor collections", all.collections_minor),
        ("major collections", all.collections_major),
        ("finalizers", all.finalizers_queued),
        ("resurrections", all.zombies),
        ("weak references that are dead", all.weak_cleared),
        ("failed allocations", all.faults),
        ("drops", all.drops),
    ] {
        assert!(count > 0, "no {what}");
    }
}

/// A finalizer that panics in the middle of a chain takes the chain's local roots with it: the
/// model counted them on, and the heap was blamed for what was dropped.
#[test]
fn a_panic_in_a_chain_is_no_complaint() {
    let lane = lane(Lane::EXTRA + 1);
    let seed = ScenarioSeed {
        lane: lane.lane(),
        seed: 1_848_539_191_067_992,
        index: 1482,
    };
    let scenario = lane.generate(seed, &Mix::default());
    let report = lane.run(&scenario, &RunOptions::default());
    assert_eq!(report.failure, None);
}
