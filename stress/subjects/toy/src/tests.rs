use gcrucible_scenario::ScenarioData as _;
use gcrucible_shrink::{Reduce, ShrinkBudget, shrink};

use super::*;

/// Shrinks as [`Toy`] does.
struct Careless;

impl Reduce<Plain<Adds>> for Careless {
    fn reduce(&self, search: &mut Search<'_, '_, Plain<Adds>>) -> Result<(), Refusal> {
        Toy.reduce(search)
    }
}

fn scenario(index: u64) -> Plain<Adds> {
    Lane::make_known([LANE]);
    let seed = ScenarioSeed {
        lane: LANE,
        seed: 1,
        index,
    };
    Toy.generate(seed, &Mix::default())
}

#[test]
fn the_counter_that_looks_at_versions_loses_nothing() {
    for index in 0..500 {
        let scenario = scenario(index);
        assert_eq!(Toy.run(&scenario, &RunOptions::default()).failure, None);
        assert_eq!(Plain::from_text(&scenario.to_text()), Ok(scenario));
    }
}

#[test]
fn a_canary_dies() {
    let options = RunOptions {
        canary: true,
        ..RunOptions::default()
    };
    assert!(Toy.run(&scenario(0), &options).failure.is_some());
}

#[test]
fn a_lost_update_is_found_and_shrunk_to_two_adds_and_replays() {
    let options = |record, replay| RunOptions {
        record,
        replay,
        ..RunOptions::default()
    };
    let fails = |scenario: &Plain<Adds>| run(scenario, &RunOptions::default(), false).failure;
    let found = (0..100)
        .map(scenario)
        .find(|scenario| fails(scenario).is_some());
    let found = found.expect("some schedule switches between a read and its write");
    let mut runs = |scenario: &Plain<Adds>, record, replay| {
        Ok(run(scenario, &options(record, replay), false).into())
    };
    let small = shrink(&found, None, &Careless, &mut runs, ShrinkBudget::CAMPAIGN);
    let small = small.unwrap().expect("it fails");
    let size = Toy.size(&small.scenario, &small.verdict);
    assert_eq!(size.statements, 2, "{:?}", small.scenario);
    let again = run(&small.scenario, &RunOptions::default(), false);
    assert_eq!((again.failure.is_some(), again.diverged), (true, None));
}
