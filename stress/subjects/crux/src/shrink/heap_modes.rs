//! Passes over heap modes and sizes.

use gcrucible_heap::{CollectMode, HeapConfig, HeapDebug};

use super::Search;
use crate::scenario::Scenario;
use gcrucible_trace::Refusal;

/// Ordinals that are written out at most when a mode becomes a list.
const ORDINALS_MAX: u64 = 4096;

/// Turns modes off one at a time; what remains of collections becomes a list.
pub(super) fn shrink_heap_modes(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    search.propose(Scenario {
        debug: HeapDebug::default(),
        ..search.best().clone()
    })?;
    for turn_off in HeapDebug::OFF {
        let mut scenario = search.best().clone();
        turn_off(&mut scenario.debug);
        search.propose(scenario)?;
    }
    lower_verification(search)?;
    list_collections(search)?;
    search.drop_items(listed, set_listed)?;
    search.propose(Scenario {
        heap: HeapConfig::tiny(),
        ..search.best().clone()
    })?;
    Ok(())
}

/// Tries less verification, where it cannot be off.
fn lower_verification(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    use gcrucible_heap::VerifyLevel::{Full, Quick};
    for level in [Quick, Full] {
        if level >= search.best().debug.verify {
            break;
        }
        let mut scenario = search.best().clone();
        scenario.debug.verify = level;
        if search.propose(scenario)? {
            break;
        }
    }
    Ok(())
}

/// Replaces a mode that collects again and again by the list of all safepoints, of which
/// single ones can be dropped.
fn list_collections(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    let repeats = matches!(
        search.best().debug.collect,
        CollectMode::EveryAllocations(_)
            | CollectMode::EverySafepoint
            | CollectMode::Continuous
            | CollectMode::Seeded { .. }
    );
    let safepoints = search.verdict().counters.safepoints;
    if repeats && (1..=ORDINALS_MAX).contains(&safepoints) {
        let mut scenario = search.best().clone();
        scenario.debug.collect = CollectMode::At((0..safepoints).collect());
        search.propose(scenario)?;
    }
    Ok(())
}

fn listed(scenario: &Scenario) -> Vec<u64> {
    match &scenario.debug.collect {
        CollectMode::At(list) => list.clone(),
        _ => Vec::new(),
    }
}

fn set_listed(scenario: &mut Scenario, list: Vec<u64>) {
    scenario.debug.collect = if list.is_empty() {
        CollectMode::Natural
    } else {
        CollectMode::At(list)
    };
}
