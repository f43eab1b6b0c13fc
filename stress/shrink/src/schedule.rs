//! Passes over recorded decisions: fewer switches, fewer collections, shorter lists.

use gcrucible_scenario::ScenarioData;

use super::Search;
use gcrucible_explore::Schedule;
use gcrucible_trace::{Decision, Refusal, ReplayMode};

impl<S: ScenarioData> Search<'_, '_, S> {
    /// Drops decisions and collections and merges neighbouring slices of one actor.
    pub(super) fn shrink_schedule(&mut self) -> Result<(), Refusal> {
        self.drop_items(decisions, set_decisions)?;
        self.simplify_items(decisions, set_decisions, simpler)?;
        self.merge_slices()
    }

    /// Writes the decisions as a strict replay needs them: with the sites at which they are
    /// taken now, and no more of them than it takes to fail.
    pub(super) fn rewrite_schedule(&mut self) -> Result<(), Refusal> {
        /// Lists up to here are tried in each length.
        const SHORT: usize = 64;
        if !matches!(self.best.schedule(), Schedule::Recorded(_)) {
            return Ok(());
        }
        self.accept(self.best.clone(), true, ReplayMode::Lenient)?;
        let taken = std::mem::take(&mut self.verdict.decisions);
        let least = decisions(&self.best).len().min(taken.len());
        let lengths = (0..least.min(SHORT)).chain([least, taken.len()]);
        for length in lengths {
            let schedule = Schedule::Recorded(taken[..length].to_vec());
            let scenario = self.with_schedule(schedule);
            if self.accept(scenario, false, ReplayMode::Strict)? {
                break;
            }
        }
        Ok(())
    }

    /// Makes one slice of two neighbouring ones of the same actor.
    fn merge_slices(&mut self) -> Result<(), Refusal> {
        let mut at = 1;
        while at < decisions(&self.best).len() && !self.is_spent() {
            let mut merged = decisions(&self.best);
            let (first, second) = (merged[at - 1], merged[at]);
            let same = first.site.actor == second.site.actor && second.collect.is_none();
            if same {
                merged[at - 1].fuel = first.fuel.saturating_add(second.fuel).min(LONG);
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

fn decisions<S: ScenarioData>(scenario: &S) -> Vec<Decision> {
    match scenario.schedule() {
        Schedule::Recorded(decisions) => decisions.clone(),
        Schedule::Drawn { .. } => Vec::new(),
    }
}

fn set_decisions<S: ScenarioData>(scenario: &mut S, decisions: Vec<Decision>) {
    *scenario.schedule_mut() = Schedule::Recorded(decisions);
}

/// Instructions of a slice that ends by itself, in most programs.
const LONG: u32 = 1_000_000;

/// The decision without its collection, and with a slice that goes on as long as it can,
/// which saves the switches that would follow.
fn simpler(decision: &Decision) -> Vec<Decision> {
    let mut simpler = Vec::new();
    if decision.collect.is_some() {
        simpler.push(Decision {
            collect: None,
            ..*decision
        });
    }
    if decision.inject.is_some() {
        simpler.push(Decision {
            inject: None,
            ..*decision
        });
    }
    if (1..LONG).contains(&decision.fuel) {
        simpler.push(Decision {
            fuel: LONG,
            ..*decision
        });
    }
    simpler
}
