//! Passes over recorded decisions: fewer switches, fewer collections, shorter lists.

use super::Search;
use crate::cli::exit::Refusal;
use crate::scenario::{Decision, Scenario, Schedule};

impl Search<'_, '_> {
    /// Drops decisions and collections and merges neighbouring slices of one actor.
    pub(super) fn shrink_schedule(&mut self) -> Result<(), Refusal> {
        self.drop_items(decisions, set_decisions)?;
        self.simplify_items(decisions, set_decisions, without_collection)?;
        self.merge_slices()
    }

    /// Makes one slice of two neighbouring ones of the same actor.
    fn merge_slices(&mut self) -> Result<(), Refusal> {
        let mut at = 1;
        while at < decisions(&self.best).len() && !self.is_spent() {
            let mut merged = decisions(&self.best);
            let (first, second) = (merged[at - 1], merged[at]);
            let same = first.site.actor == second.site.actor && second.collect.is_none();
            if same {
                merged[at - 1].fuel = first.fuel.saturating_add(second.fuel);
                merged.remove(at);
                let mut scenario = self.best.clone();
                set_decisions(&mut scenario, merged);
                if self.propose(scenario)? {
                    continue;
                }
            }
            at += 1;
        }
        Ok(())
    }
}

fn decisions(scenario: &Scenario) -> Vec<Decision> {
    match &scenario.schedule {
        Schedule::Recorded(decisions) => decisions.clone(),
        Schedule::Drawn { .. } => Vec::new(),
    }
}

fn set_decisions(scenario: &mut Scenario, decisions: Vec<Decision>) {
    scenario.schedule = Schedule::Recorded(decisions);
}

fn without_collection(decision: &Decision) -> Vec<Decision> {
    match decision.collect {
        Some(_) => vec![Decision {
            collect: None,
            ..*decision
        }],
        None => Vec::new(),
    }
}
