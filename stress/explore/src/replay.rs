//! Replay of recorded decisions.
//!
//! Strict replay repeats a run: each decision must find its actor at the very site where it
//! was recorded, and the first that does not is named. Lenient replay serves the shrinker,
//! whose programs have lost statements and tasks: sites have moved, so the actor alone is
//! the key, and a decision whose actor cannot go on is left out. In both modes a run that
//! outlives its decisions goes on in turn.

use std::fmt::Write;

use super::decision::{Choice, Divergence, Point, ReadyActor, Strategy};
use super::round_robin::RoundRobin;
use gcrucible_trace::{Decision, ReplayMode, Site};

/// Takes recorded decisions, in order.
#[derive(Debug)]
pub struct Replay {
    decisions: Vec<Decision>,
    /// Index of the next one.
    next: usize,
    mode: ReplayMode,
    rest: RoundRobin,
}

impl Replay {
    /// A replay of these decisions.
    pub fn new(decisions: Vec<Decision>, mode: ReplayMode) -> Self {
        Self {
            decisions,
            next: 0,
            mode,
            rest: RoundRobin::default(),
        }
    }

    fn take(&mut self, index: usize, decision: Decision) -> Choice {
        self.next += 1;
        self.rest.went(decision.site.actor);
        Choice {
            index,
            fuel: decision.fuel,
            collect: decision.collect,
            inject: decision.inject,
        }
    }
}

impl Strategy for Replay {
    fn choose(&mut self, point: &Point<'_>) -> Result<Choice, Divergence> {
        while let Some(&decision) = self.decisions.get(self.next) {
            let found = index_of(decision.site.actor, point.ready);
            match (self.mode, found) {
                (ReplayMode::Lenient, Some(index)) => return Ok(self.take(index, decision)),
                (ReplayMode::Lenient, None) => self.next += 1,
                (ReplayMode::Strict, Some(index)) if point.ready[index].site == decision.site => {
                    return Ok(self.take(index, decision));
                }
                (ReplayMode::Strict, found) => {
                    return Err(differs(point, decision.site, found));
                }
            }
        }
        Ok(self.rest.next(point))
    }

    fn finish(&self) -> Result<(), Divergence> {
        match (self.mode, self.decisions.get(self.next)) {
            (ReplayMode::Strict, Some(decision)) => {
                let ordinal = self.next as u32;
                let expected = place(decision.site);
                let left = self.decisions.len() - self.next;
                let message = format!(
                    "decision {ordinal}: expected {expected}; found that the run is over, with \
                     {left} recorded decision{} left",
                    if left == 1 { "" } else { "s" }
                );
                Err(Divergence { ordinal, message })
            }
            _ => Ok(()),
        }
    }
}

fn index_of(actor: u32, ready: &[ReadyActor]) -> Option<usize> {
    ready
        .binary_search_by_key(&actor, |ready| ready.site.actor)
        .ok()
}

/// The divergence at a point where the recorded actor is elsewhere or not ready.
fn differs(point: &Point<'_>, expected: Site, found: Option<usize>) -> Divergence {
    /// A message names at most this many actors.
    const NAMED_MAX: usize = 8;
    let ordinal = point.ordinal;
    let mut message = format!("decision {ordinal}: expected {}; found ", place(expected));
    match found {
        Some(index) => message += &place(point.ready[index].site),
        None => {
            message += "that it is not ready, only ";
            for (i, ready) in point.ready.iter().take(NAMED_MAX).enumerate() {
                let comma = if i > 0 { ", " } else { "" };
                let _ = write!(message, "{comma}{}", actor(ready.site.actor));
            }
            if let more @ 1.. = point.ready.len().saturating_sub(NAMED_MAX) {
                let _ = write!(message, " and {more} more");
            }
        }
    }
    Divergence { ordinal, message }
}

fn actor(actor: u32) -> String {
    match actor {
        Site::HOST => "the host".to_owned(),
        Site::TIMERS => "the timers".to_owned(),
        task => format!("task {task}"),
    }
}

fn place(site: Site) -> String {
    let Site {
        actor: number,
        function,
        at,
        visit,
    } = site;
    match number {
        Site::HOST | Site::TIMERS => format!("{} at event {at}, visit {visit}", actor(number)),
        _ => format!(
            "{} in function {function} at {at}, visit {visit}",
            actor(number)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divergence_names_who_is_ready_instead() {
        let at = |actor| ReadyActor {
            site: Site {
                actor,
                ..Site::default()
            },
        };
        let decision = Decision {
            site: at(5).site,
            fuel: 1,
            collect: None,
            inject: None,
        };
        let mut replay = Replay::new(vec![decision], ReplayMode::Strict);
        let ready = [at(Site::HOST), at(2), at(Site::TIMERS)];
        let divergence = replay
            .choose(&Point {
                ready: &ready,
                ordinal: 0,
            })
            .expect_err("task 5 is not ready");
        assert_eq!(
            divergence.to_string(),
            "decision 0: expected task 5 in function 0 at 0, visit 0; found that it is not ready, \
             only the host, task 2, the timers"
        );
    }
}
