//! How scenarios of the engine become smaller.

mod heap_modes;
mod heap_ops;
mod other_schedules;
mod programs;
#[cfg(test)]
mod tests;

use gcrucible_shrink::{Reduce, RunFn, ShrinkBudget, Shrunk};
use gcrucible_trace::{Failure, Refusal};

use crate::scenario::{Body, Fault, Scenario};

/// Shrinks `scenario`. `None`: it does not fail, or not the check of `wanted`.
///
/// # Errors
/// Those of `run`, which is broken then; a failing scenario is no error.
pub fn shrink(
    scenario: &Scenario,
    wanted: Option<&Failure>,
    run: &mut RunFn<'_, Scenario>,
    budget: ShrinkBudget,
) -> Result<Option<Shrunk<Scenario>>, Refusal> {
    gcrucible_shrink::shrink(scenario, wanted, &Passes, run, budget)
}

/// The passes below.
struct Passes;

impl Reduce<Scenario> for Passes {
    fn reduce(&self, search: &mut Search<'_, '_>) -> Result<(), Refusal> {
        reduce(search)
    }

    fn detour(&self, search: &mut Search<'_, '_>) -> Result<(), Refusal> {
        detour(search)
    }

    fn has_schedule(&self, scenario: &Scenario) -> bool {
        has_schedule(scenario)
    }
}

/// Whether the schedule decides anything: operations of a heap are their own.
pub(crate) fn has_schedule(scenario: &Scenario) -> bool {
    matches!(scenario.body, Body::Programs(_))
}

/// A shrinking under way.
pub(crate) type Search<'a, 'r> = gcrucible_shrink::Search<'a, 'r, Scenario>;

/// Every pass once.
pub(crate) fn reduce(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    shrink_faults(search)?;
    match &search.best().body {
        Body::HeapOps(_) => heap_ops::shrink_heap_ops(search)?,
        Body::Programs(_) => programs::shrink_programs(search)?,
    }
    heap_modes::shrink_heap_modes(search)
}

/// Other schedules without heap modes.
pub(crate) fn detour(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    other_schedules::try_other_schedules(search)
}

fn shrink_faults(search: &mut Search<'_, '_>) -> Result<(), Refusal> {
    search.drop_items(
        |scenario| scenario.faults.clone(),
        |scenario, faults| scenario.faults = faults,
    )?;
    // An earlier allocation is easier to follow.
    for index in 0..search.best().faults.len() {
        for at in [0, 1, 2, 4, 8, 16, 32, 64] {
            let mut scenario = search.best().clone();
            let Fault::OutOfMemory { at: now } = &mut scenario.faults[index];
            if at >= *now {
                break;
            }
            *now = at;
            if search.propose(scenario)? {
                break;
            }
        }
    }
    Ok(())
}
