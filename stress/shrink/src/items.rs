//! Dropping items of a list: delta debugging (Zeller and Hildebrandt, TSE 2002), without
//! the complements, which the next round covers.

use super::Search;
use gcrucible_scenario::ScenarioData;
use gcrucible_trace::Refusal;

impl<S: ScenarioData> Search<'_, '_, S> {
    /// Drops what it can of a list in the scenario: halves first, then smaller parts, single
    /// items last; from the end, since what comes later depends on what came before.
    ///
    /// # Errors
    /// Those of the runs.
    pub fn drop_items<T: Clone>(
        &mut self,
        get: impl Fn(&S) -> Vec<T>,
        set: impl Fn(&mut S, Vec<T>),
    ) -> Result<(), Refusal> {
        let mut part = get(&self.best).len();
        while part > 0 && !self.is_spent() {
            let mut end = get(&self.best).len();
            while end > 0 {
                let items = get(&self.best);
                end = end.min(items.len());
                let from = end.saturating_sub(part);
                let mut fewer = items;
                fewer.drain(from..end);
                let mut scenario = self.best.clone();
                set(&mut scenario, fewer);
                self.propose(scenario)?;
                end = from;
            }
            part /= 2;
        }
        Ok(())
    }

    /// Replaces each item of a list by the simpler ones that `simpler` knows, the simplest
    /// first, as long as that works.
    ///
    /// # Errors
    /// Those of the runs.
    pub fn simplify_items<T: Clone + PartialEq>(
        &mut self,
        get: impl Fn(&S) -> Vec<T>,
        set: impl Fn(&mut S, Vec<T>),
        simpler: impl Fn(&T) -> Vec<T>,
    ) -> Result<(), Refusal> {
        let mut at = 0;
        while at < get(&self.best).len() && !self.is_spent() {
            let items = get(&self.best);
            let mut replaced = false;
            for item in simpler(&items[at]) {
                let mut changed = items.clone();
                changed[at] = item;
                let mut scenario = self.best.clone();
                set(&mut scenario, changed);
                if self.propose(scenario)? {
                    replaced = true;
                    break;
                }
            }
            // The same place again: what is simpler may become simpler still.
            if !replaced {
                at += 1;
            }
        }
        Ok(())
    }
}
