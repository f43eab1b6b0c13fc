//! A right heap is never complained about, and each oracle notices the bug that it is there for.

mod marked;

use gcrucible_heap_subject::{HeapLane, HeapScenario, HeapSubject, Op, generate, heap_fuzz};
use gcrucible_scenario::{Lane, ScenarioData as _, ScenarioSeed};
use gcrucible_shrink::{Reduce, Search, ShrinkBudget, shrink};
use gcrucible_subject::{Mix, Subject};
use gcrucible_trace::choices::{ByteChoices, SeededChoices};
use gcrucible_trace::{Failure, Refusal, RunOptions};

use marked::*;

const ORDER: u16 = Lane::EXTRA;

fn scenario<H: HeapSubject>(lane: &HeapLane<H>, index: u64) -> HeapScenario {
    let seed = ScenarioSeed {
        lane: lane.lane(),
        seed: 1,
        index,
    };
    lane.generate(seed, &Mix::default())
}

/// The first of so many programs that fails a check that is `wanted`.
fn first_failure<const BUG: u8>(
    programs: u64,
    wanted: impl Fn(&Failure) -> bool,
) -> Option<(HeapScenario, Failure)> {
    let lane = HeapLane::<Marked<BUG>>::new(ORDER);
    (0..programs).find_map(|index| {
        let scenario = scenario(&lane, index);
        let failure = lane.run(&scenario, &RunOptions::default()).failure?;
        wanted(&failure).then_some((scenario, failure))
    })
}

struct Passes<const BUG: u8>(HeapLane<Marked<BUG>>);

impl<const BUG: u8> Reduce<HeapScenario> for Passes<BUG> {
    fn reduce(&self, search: &mut Search<'_, '_, HeapScenario>) -> Result<(), Refusal> {
        self.0.reduce(search)
    }

    fn has_schedule(&self, scenario: &HeapScenario) -> bool {
        self.0.has_schedule(scenario)
    }
}

/// The bug is found by this check, and shrinks to so many operations.
fn is_found_by<const BUG: u8>(oracle: &str, check: &str, operations_max: usize) {
    let is_it = |failure: &Failure| (&*failure.oracle, &*failure.check) == (oracle, check);
    let (scenario, failure) = first_failure::<BUG>(3000, is_it).expect("the bug is found");
    let passes = Passes(HeapLane::<Marked<BUG>>::new(ORDER));
    let mut run = |scenario: &HeapScenario, record, replay| {
        let options = RunOptions {
            record,
            replay,
            ..RunOptions::default()
        };
        Ok(passes.0.run(scenario, &options).into())
    };
    let budget = ShrinkBudget {
        runs: 5000,
        ms: u64::MAX,
    };
    let small = shrink(&scenario, None, &passes, &mut run, budget);
    let small = small.unwrap().expect("it fails").scenario;
    let listing = small.body.listing();
    assert!(small.body.size() <= operations_max, "{listing}");
    let again = passes.0.run(&small, &RunOptions::default()).failure;
    assert_eq!(
        again.map(|again| again.check),
        Some(failure.check),
        "{listing}"
    );
}

#[test]
fn a_right_heap_is_not_complained_about() {
    let found = first_failure::<NONE>(3000, |_| true);
    assert!(found.is_none(), "{found:#?}");
}

/// What a drop lets go while everything is collected may stay for the next collection.
#[test]
fn garbage_that_a_callback_makes_is_due_at_the_next_collection() {
    let found = first_failure::<NO_FINALIZERS>(3000, |_| true);
    assert!(found.is_none(), "{found:#?}");
}

#[test]
fn a_root_that_does_not_count_is_a_node_dropped_while_reachable() {
    is_found_by::<ONE_ROOT_COUNTS>("reachable_nodes_live", "dropped_while_reachable", 4);
}

#[test]
fn a_cycle_that_stays_is_a_leak() {
    is_found_by::<SELF_REFERENCE_LEAKS>("garbage_is_collected", "leak", 3);
}

#[test]
fn a_weak_reference_that_finds_another_node_is_told() {
    is_found_by::<WEAK_FINDS_ANOTHER>("weak_references_tell_the_truth", "upgrade_of_dropped", 6);
}

#[test]
fn a_weak_reference_that_dies_early_is_told() {
    is_found_by::<WEAK_DIES_EARLY>("weak_references_tell_the_truth", "upgrade_refused", 4);
}

#[test]
fn fields_that_overlap_are_told() {
    is_found_by::<FIELDS_OVERLAP>("fields_hold_what_was_stored", "field", 8);
}

#[test]
fn a_second_drop_is_told() {
    is_found_by::<DROPS_TWICE>("nodes_drop_once", "double_drop", 2);
}

#[test]
fn a_field_that_is_not_traced_is_a_node_dropped_while_reachable() {
    is_found_by::<TRACES_ONE_FIELD>("reachable_nodes_live", "dropped_while_reachable", 6);
}

#[test]
fn a_resurrected_node_that_is_freed_is_told() {
    is_found_by::<RESURRECTED_IS_FREED>("reachable_nodes_live", "dropped_while_reachable", 4);
}

#[test]
fn a_drop_that_sees_the_dropped_is_told() {
    is_found_by::<SHOWS_THE_DROPPED>("reachable_nodes_live", "callback_sees_dropped", 8);
}

#[test]
fn a_drop_that_takes_the_dropped_is_told() {
    is_found_by::<TAKES_THE_DROPPED>("reachable_nodes_live", "callback_takes_dropped", 8);
}

#[test]
fn a_weak_field_that_is_lost_or_stays_is_told() {
    is_found_by::<WEAK_FIELD_IS_LOST>("fields_hold_what_was_stored", "weak_field", 6);
    is_found_by::<WEAK_FIELD_STAYS>("fields_hold_what_was_stored", "weak_field", 8);
}

#[test]
fn roots_of_two_nodes_that_are_said_to_be_the_same_are_told() {
    is_found_by::<ALL_ARE_THE_SAME>("fields_hold_what_was_stored", "same", 4);
}

#[test]
fn a_field_that_holds_another_node_or_one_that_is_gone_is_told() {
    is_found_by::<FIELDS_OVERLAP>("reachable_nodes_live", "identity", 9);
    is_found_by::<GETS_THE_DROPPED>("reachable_nodes_live", "use_after_drop", 7);
    is_found_by::<GETS_GARBAGE>("reachable_nodes_live", "use_after_free", 7);
}

#[test]
fn a_node_that_is_finalized_or_traced_after_its_drop_is_told() {
    is_found_by::<FINALIZES_THE_DROPPED>("reachable_nodes_live", "finalized_after_drop", 2);
    is_found_by::<TRACES_THE_DROPPED>("reachable_nodes_live", "traced_after_drop", 2);
}

#[test]
fn a_heap_that_takes_strangers_is_told() {
    is_found_by::<TAKES_STRANGERS>("strangers_are_refused", "accepted", 2);
}

#[test]
fn a_heap_that_never_allocates_is_told() {
    is_found_by::<NEVER_ALLOCATES>("heap_keeps_its_contract", "alloc_fails", 1);
}

#[test]
fn a_root_that_differs_from_itself_is_told() {
    is_found_by::<NOT_REFLEXIVE>("heap_keeps_its_contract", "same_is_not_reflexive", 3);
}

#[test]
fn what_the_heaps_own_checker_says_is_told() {
    is_found_by::<VERIFY_COMPLAINS>("the_heap_verifies", "verify", 4);
}

#[test]
fn an_ephemeron_that_is_forgotten_is_told() {
    is_found_by::<EPHEMERON_FORGOTTEN>("reachable_nodes_live", "dropped_while_reachable", 6);
}

#[test]
fn a_panic_that_leaves_work_half_done_is_told() {
    is_found_by::<PANIC_SWEEPS_AGAIN>("nodes_drop_once", "double_drop", 3);
}

#[test]
fn a_heap_that_panics_is_told_and_so_is_one_that_cannot_be_made() {
    is_found_by::<COLLECT_PANICS>("no_crash", "panic", 2);
    is_found_by::<NEW_PANICS>("no_crash", "panic", 0);
}

#[test]
fn a_canary_dies() {
    let lane = HeapLane::<Marked<NONE>>::new(ORDER);
    let options = RunOptions {
        canary: true,
        ..RunOptions::default()
    };
    assert!(lane.run(&scenario(&lane, 0), &options).failure.is_some());
}

#[test]
fn equal_seeds_make_equal_runs_and_scenarios_are_read_as_they_are_written() {
    let lane = HeapLane::<Marked<NONE>>::new(ORDER);
    for index in 0..300 {
        let one = scenario(&lane, index);
        let [first, second] = [(), ()].map(|()| lane.run(&one, &RunOptions::default()));
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.counters, second.counters);
        assert_eq!(HeapScenario::from_text(&one.to_text()), Ok(one));
    }
}

#[test]
fn any_bytes_are_a_program() {
    heap_fuzz::<Marked<NONE>>(&[]);
    heap_fuzz::<Marked<NONE>>(&[7; 300]);
    let bytes: Vec<u8> = (0..=255).cycle().take(900).collect();
    let program = generate(&mut ByteChoices::new(&bytes), Marked::<NONE>::CAPS, None);
    assert!(program.ops.len() > 3);
    heap_fuzz::<Marked<NONE>>(&bytes);
}

#[test]
#[should_panic(expected = "nodes_drop_once / double_drop")]
fn a_fuzz_target_panics_with_the_claim_that_does_not_hold() {
    for seed in 0..20 {
        let bytes: Vec<u8> = (seed..=255).cycle().take(900).collect();
        heap_fuzz::<Marked<DROPS_TWICE>>(&bytes);
    }
}

#[test]
fn every_operation_is_generated() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let program = generate(&mut SeededChoices::new(seed), Marked::<NONE>::CAPS, None);
        seen.extend(program.ops.iter().map(Op::name));
    }
    // No threads, no generations.
    assert_eq!(seen.len(), 18, "{seen:?}");
}
