//! Passes over programs and host scripts.

use super::Search;
use crate::cli::exit::Refusal;
use crate::scenario::program::Place;
use crate::scenario::{Body, HostEvent, ModuleSource, Scenario};

impl Search<'_, '_> {
    /// Shrinks the module by its structure, then the host script. A module that a person
    /// wrote as text stays as it is.
    pub(super) fn shrink_programs(&mut self) -> Result<(), Refusal> {
        self.drop_items(host, set_host)?;
        self.simplify_items(host, set_host, simpler)?;
        self.reduce_module()
    }

    /// Takes the first of the module's reductions that still fails, again and again.
    fn reduce_module(&mut self) -> Result<(), Refusal> {
        let mut start = Place::default();
        'smaller: while !self.is_spent() {
            let Body::Programs(programs) = &self.best.body else {
                return Ok(());
            };
            let ModuleSource::Tree(module) = &programs.entry else {
                return Ok(());
            };
            let module = module.clone();
            // Those before the last success failed a moment ago, on a module that was
            // hardly larger: try them last.
            for is_first_half in [true, false] {
                let mut reductions = match is_first_half {
                    true => module.reductions_from(start),
                    false => module.reductions(),
                };
                while let Some(smaller) = reductions.next() {
                    if !is_first_half && reductions.place() >= start {
                        return Ok(());
                    }
                    let mut scenario = self.best.clone();
                    if let Body::Programs(programs) = &mut scenario.body {
                        programs.entry = ModuleSource::Tree(smaller);
                    }
                    if self.propose(scenario)? {
                        start = reductions.place();
                        continue 'smaller;
                    }
                }
            }
            return Ok(());
        }
        Ok(())
    }
}

fn host(scenario: &Scenario) -> Vec<HostEvent> {
    match &scenario.body {
        Body::Programs(programs) => programs.host.clone(),
        Body::HeapOps(_) => Vec::new(),
    }
}

fn set_host(scenario: &mut Scenario, host: Vec<HostEvent>) {
    if let Body::Programs(programs) = &mut scenario.body {
        programs.host = host;
    }
}

/// The event with smaller numbers.
fn simpler(event: &HostEvent) -> Vec<HostEvent> {
    match event {
        HostEvent::Call {
            call,
            function,
            args,
        } => {
            let zeroed = |at: usize| {
                let mut args = args.clone();
                args[at] = 0;
                HostEvent::Call {
                    call: *call,
                    function: function.clone(),
                    args,
                }
            };
            (0..args.len())
                .filter(|&at| args[at] != 0)
                .map(zeroed)
                .collect()
        }
        HostEvent::AdvanceTime { ms } => {
            let smaller = [1, ms / 2].into_iter().filter(|n| (1..*ms).contains(n));
            smaller.map(|ms| HostEvent::AdvanceTime { ms }).collect()
        }
        _ => Vec::new(),
    }
}
