//! Guidance: what a campaign has not covered yet decides what it runs next.
//!
//! Scenario *i* of a lane is a pure function of seed, lane, *i* and build, guided or not: guidance
//! only chooses among indexes. A subject says which of them it makes for a pair of features
//! ([`gcrucible_subject::Subject::aims_at`]), and which features are behind an event. When a lane has
//! run another epoch, the next indexes of the pairs that are missing are run out of turn. So a finding
//! is replayed by its seed as always. Campaigns of a number of scenarios are not guided: which
//! scenarios those are is known before.

use std::collections::BTreeMap;

use super::lane_queue::LaneQueue;
use super::plan::{Limit, Plan};
use super::shard::Shard;
use super::totals::Totals;
use gcrucible_scenario::Lane;
use gcrucible_subject::{Aim, AnySubject, Subjects};

/// Scenarios of a lane after which it is looked at again.
const EPOCH: u64 = 4096;

/// Scenarios that are run out of turn for an epoch, at most: few enough that most stay those of
/// everybody.
const WANTED_MAX: usize = 128;

/// Looks at what is missing, epoch by epoch.
#[derive(Debug)]
pub struct Guide {
    subjects: Subjects,
    is_on: bool,
    seed: u64,
    shard: Shard,
    /// Scenarios of each lane when it was last looked at, and how often it was.
    looked: BTreeMap<Lane, (u64, u64)>,
}

impl Guide {
    /// The guide of a campaign; it does nothing where results must not depend on time.
    pub fn new(plan: &Plan, subjects: Subjects) -> Guide {
        Guide {
            subjects,
            is_on: matches!(plan.limit, Limit::TimeMs(_))
                && plan.is_default_mix()
                && !plan.first_finding,
            seed: plan.seed,
            shard: plan.shard,
            looked: BTreeMap::new(),
        }
    }

    /// Makes the queue of a lane run what it should out of turn, if an epoch is over.
    pub fn steer(&mut self, lane: Lane, totals: &Totals, queue: &mut LaneQueue) {
        let scenarios = match totals.lanes.get(&lane) {
            Some(done) if self.is_on => done.counters.scenarios,
            _ => return,
        };
        let (last, epochs) = self.looked.entry(lane).or_default();
        if scenarios < *last + EPOCH {
            return;
        }
        *last = scenarios;
        *epochs += 1;
        let subject = self.subjects.of(lane);
        let mut wanted = missing(subject, lane, totals, *epochs);
        // Each epoch begins with others, should there be too many.
        let count = wanted.len().max(1);
        wanted.rotate_left(*epochs as usize * WANTED_MAX % count);
        for pair in wanted.into_iter().take(WANTED_MAX) {
            let Some(aim) = subject.aims_at(self.seed, pair) else {
                continue;
            };
            let from = self.shard.index(queue.frontier());
            if let Some(index) = next_index(aim, from, self.shard) {
                queue.want((index - self.shard.part) / self.shard.of);
            }
        }
    }
}

/// The pairs of features that a lane should have: those that it never had, and those behind pairs
/// of events that no lane had.
fn missing(
    subject: &dyn AnySubject,
    lane: Lane,
    totals: &Totals,
    epochs: u64,
) -> Vec<(usize, usize)> {
    let table = subject.features();
    let Some(done) = totals.lanes.get(&lane) else {
        return Vec::new();
    };
    let (_, mut wanted) = done.features.missing(&table);
    let (_, events) = totals.pairs.missing();
    for (first, second) in events {
        for a in subject.features_behind(first).iter() {
            for b in subject.features_behind(second).iter() {
                // What comes right after its like needs no second feature: another one each time.
                let b = match a == b {
                    true => epochs as usize % table.names.len(),
                    false => b,
                };
                let pair = (a.min(b), a.max(b));
                let is_feasible = a != b && table.forbidding_rule(a, b).is_none();
                if is_feasible && !wanted.contains(&pair) {
                    wanted.push(pair);
                }
            }
        }
    }
    wanted
}

/// The first index from `from` on that is made for something and belongs to the shard, if there is
/// one.
fn next_index(aim: Aim, from: u64, shard: Shard) -> Option<u64> {
    let turns = from.saturating_sub(aim.first).div_ceil(aim.every);
    let first = aim.first + turns * aim.every;
    (0..shard.of)
        .map(|turn| first + turn * aim.every)
        .find(|index| index % shard.of == shard.part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::ranges::Ranges;
    use crate::session::default_plan;
    use gcrucible_trace::{EventKind, FeatureSet};

    fn totals(scenarios: u64) -> Totals {
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(fake::LANE).or_default();
        lane.counters.scenarios = scenarios;
        totals
    }

    fn wanted(limit: Limit, totals: &Totals) -> Vec<u64> {
        let plan = default_plan(1, limit, &fake::subjects());
        let mut guide = Guide::new(&plan, fake::subjects());
        let mut done = Ranges::default();
        done.insert(0, 25);
        let mut queue = LaneQueue::new(&done, &Ranges::default(), u64::MAX, 0, 0);
        guide.steer(fake::LANE, totals, &mut queue);
        guide.steer(fake::LANE, totals, &mut queue);
        std::iter::from_fn(|| queue.take_wanted().map(|(range, _)| range.0)).collect()
    }

    #[test]
    fn what_is_missing_is_run_next_once_for_each_epoch() {
        let time = Limit::TimeMs(1000);
        assert_eq!(wanted(time, &totals(5000)), [34]);
        assert!(wanted(time, &totals(4000)).is_empty(), "too early");
        let by_number = Limit::Scenarios(10_000);
        assert!(wanted(by_number, &totals(5000)).is_empty());
    }

    #[test]
    fn the_features_behind_missing_events_are_wanted_too() {
        let mut totals = totals(5000);
        let subject = fake::subjects().of(fake::LANE);
        let lane = totals.lanes.entry(fake::LANE).or_default();
        lane.features.note(FeatureSet::NONE.with(0).with(1));
        let pairs = |totals: &Totals| missing(subject, fake::LANE, totals, 1);
        assert_eq!(
            pairs(&totals),
            [(0, 1)],
            "a fork beside a fork and another feature"
        );
        for (first, second) in totals.pairs.missing().1 {
            totals.pairs.add(first, second, 1);
        }
        assert_eq!(pairs(&totals), []);
        assert!(totals.pairs.count(EventKind::Fork, EventKind::Fork) > 0);
    }

    #[test]
    fn shards_take_what_is_theirs() {
        let aim = Aim {
            first: 3,
            every: 10,
        };
        let shard = |part, of| Shard { part, of };
        assert_eq!(next_index(aim, 0, Shard::WHOLE), Some(3));
        assert_eq!(next_index(aim, 4, Shard::WHOLE), Some(13));
        assert_eq!(next_index(aim, 4, shard(2, 3)), Some(23));
        assert_eq!(next_index(aim, 4, shard(0, 2)), None, "all are odd");
    }
}
