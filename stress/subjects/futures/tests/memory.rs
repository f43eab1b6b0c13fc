//! Memory errors of code under test are told by the allocator that keeps what is freed.

use std::alloc::{Layout, alloc, dealloc};

use gcrucible_explore::Schedule;
use gcrucible_futures_subject::{FuturesLane, Settings, StrategyName, World};
use gcrucible_quarantine::Quarantine;
use gcrucible_scenario::Lane;
use gcrucible_subject::Subject as _;
use gcrucible_trace::RunOptions;

#[global_allocator]
static GLOBAL: Quarantine = Quarantine;

/// What a task does with a block once it has given it back.
fn after_the_free(world: &World, does: unsafe fn(*mut u8, Layout)) {
    let of_task = world.clone();
    world.task("careless", async move {
        let layout = Layout::new::<[u64; 8]>();
        let block = allocates(layout);
        of_task.yield_now().await;
        frees(block, layout, does);
    });
}

#[allow(
    unsafe_code,
    reason = "errors of memory are the bugs that are to be found"
)]
fn allocates(layout: Layout) -> *mut u8 {
    // SAFETY: the layout is not empty.
    unsafe { alloc(layout) }
}

#[allow(
    unsafe_code,
    reason = "errors of memory are the bugs that are to be found"
)]
fn frees(block: *mut u8, layout: Layout, does: unsafe fn(*mut u8, Layout)) {
    // SAFETY: the block is of this layout. What is wrong on purpose meets the quarantine, which keeps the block until the
    // end of the run: a write to it harms nobody, and its second free is refused.
    unsafe {
        dealloc(block, layout);
        does(block, layout);
    }
}

fn check_of(make: fn(&World)) -> Option<(String, String)> {
    let lane = FuturesLane::new(Lane::EXTRA, "careless", make);
    let schedule = Schedule::Drawn {
        strategy: StrategyName::Random,
        seed: 1,
    };
    let scenario = lane.scenario(Settings::default(), schedule);
    let failure = lane.run(&scenario, &RunOptions::default()).failure?;
    Some((failure.oracle, failure.check))
}

fn memory(check: &str) -> Option<(String, String)> {
    Some(("memory_is_sound".to_owned(), check.to_owned()))
}

#[test]
#[allow(
    unsafe_code,
    reason = "errors of memory are the bugs that are to be found"
)]
fn a_second_free_and_a_late_write_are_told() {
    assert_eq!(check_of(|world| after_the_free(world, |_, _| ())), None);
    let twice = check_of(|world| {
        after_the_free(world, |block, layout| {
            // SAFETY: see `frees`.
            unsafe { dealloc(block, layout) }
        })
    });
    assert_eq!(twice, memory("double_free"));
    let late = check_of(|world| {
        after_the_free(world, |block, _| {
            // SAFETY: see `frees`.
            unsafe { block.add(3).write_volatile(7) }
        })
    });
    assert_eq!(late, memory("late_write"));
}
