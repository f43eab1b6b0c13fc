//! What each lane and mode must have done by the end of a campaign.
//!
//! A green run in which a mode did nothing is a lie. So for each lane there is a table of
//! counters with how many, at the least, a scenario of the default mix brings about on
//! average; each mode has the effect that it exists for. A counter is vacuous if it is zero
//! though at least [`EXPECTED_MIN`] were to be expected at this run's size.

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::totals::{LaneTotals, Totals};
use gcrucible_explore::StrategyName;
use gcrucible_subject::{AnySubject, Subjects};

/// Expected count from which on zero is vacuous.
pub const EXPECTED_MIN: f64 = 20.0;

/// A mode's effect per scenario that runs under it, at the least, on average.
const EFFECT_PER_SCENARIO: f64 = 0.1;

/// Share of valid programs below which a generator is warned about.
const VALID_MIN: f64 = 0.99;

/// A counter that should not be zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacuous {
    /// The lane.
    pub lane: String,
    /// The counter.
    pub counter: String,
    /// What was expected.
    pub why: String,
}

/// The counters that are zero though they should not be.
pub fn judge(plan: &Plan, totals: &Totals, subjects: Subjects) -> Vec<Vacuous> {
    // A person's own program owes nobody a zombie.
    if plan.program.is_some() {
        return Vec::new();
    }
    let mut vacuous = Vec::new();
    for &lane in &plan.lanes {
        let Some(done) = totals.lanes.get(&lane) else {
            vacuous.push(Vacuous {
                lane: lane.name().to_owned(),
                counter: "scenarios".to_owned(),
                why: "no scenario of this lane ran".to_owned(),
            });
            continue;
        };
        judge_lane(plan, subjects.of(lane), done, &mut vacuous);
    }
    vacuous
}

fn judge_lane(
    plan: &Plan,
    subject: &dyn AnySubject,
    done: &LaneTotals,
    vacuous: &mut Vec<Vacuous>,
) {
    let lane = subject.lane();
    let mut say = |counter: String, why: String| {
        vacuous.push(Vacuous {
            lane: lane.name().to_owned(),
            counter,
            why,
        });
    };
    let scenarios = done.counters.scenarios;
    if plan.is_default_mix() {
        for &(counter, value, per_scenario) in subject.expectations().into_iter().flatten() {
            let expected = scenarios as f64 * per_scenario;
            if expected >= EXPECTED_MIN && value(&done.counters) == 0 {
                say(
                    counter.to_owned(),
                    format!(
                        "0, at least {expected:.0} were to be expected of {scenarios} scenarios"
                    ),
                );
            }
        }
        if subject.is_costly() && is_share_below_a_quarter(done.counters.costly, scenarios) {
            say(
                "costly".to_owned(),
                format!(
                    "{} of {scenarios} scenarios ran in a costly mode (collect at every safepoint, \
                     move all, full verification); at least a quarter should",
                    done.counters.costly
                ),
            );
        }
    }
    if !plan.advantages.heap_modes || !plan.advantages.verifier {
        return;
    }
    for (mode, scenarios, effect) in done.modes.iter() {
        let expected = scenarios as f64 * EFFECT_PER_SCENARIO;
        if expected >= EXPECTED_MIN && effect == 0 {
            let mut modes = subject.modes().iter().chain(StrategyName::modes());
            let known = modes.find(|known| known.name == mode);
            let effect = known.map_or("effects", |known| known.effect);
            say(
                format!("{effect} in {mode}"),
                format!("0 in {scenarios} scenarios that ran under it"),
            );
        }
    }
}

/// Share of the feasible feature pairs that a lane must have where they are required.
const FEATURE_PAIRS_MIN: f64 = 0.95;

/// Pairs of events that did not happen, and lanes whose scenarios had too few pairs of features:
/// those of the default mix, with at least [`EXPECTED_MIN`] scenarios for each feasible pair.
pub fn missing_pairs(plan: &Plan, totals: &Totals, subjects: Subjects) -> Vec<Vacuous> {
    let (_, missing) = totals.pairs.missing();
    let events = missing.iter().map(|(first, second)| Vacuous {
        lane: "all".to_owned(),
        counter: format!("pair {} {}", first.name(), second.name()),
        why: "the pair is feasible and did not happen (--require-pairs)".to_owned(),
    });
    let mut vacuous: Vec<Vacuous> = events.collect();
    let lanes = totals
        .lanes
        .iter()
        .filter(|(lane, _)| plan.lanes.contains(lane) && plan.is_default_mix());
    for (&lane, done) in lanes {
        let (feasible, missing) = done.features.missing(&subjects.of(lane).features());
        let (feasible, covered) = (feasible as f64, (feasible - missing.len()) as f64);
        let scenarios = done.counters.scenarios;
        let is_expected = scenarios as f64 >= EXPECTED_MIN * feasible;
        if is_expected && covered < FEATURE_PAIRS_MIN * feasible {
            vacuous.push(Vacuous {
                lane: lane.name().to_owned(),
                counter: "feature pairs".to_owned(),
                why: format!(
                    "{covered} of {feasible} feasible pairs in {scenarios} scenarios; at least 95 % \
                     should be (--require-pairs)"
                ),
            });
        }
    }
    vacuous
}

/// Whether fewer than a quarter is more than chance: three standard deviations below it.
fn is_share_below_a_quarter(count: u64, of: u64) -> bool {
    let of = of as f64;
    let deviation = (of * 0.25 * 0.75).sqrt();
    of * 0.25 >= EXPECTED_MIN && (count as f64) < of * 0.25 - 3.0 * deviation
}

/// Lanes whose generator makes too many programs that the front end refuses, with a
/// sentence for people.
pub fn validity_warnings(totals: &Totals) -> Vec<String> {
    let lanes = totals.lanes.iter().filter_map(|(lane, done)| {
        let (invalid, all) = (done.counters.invalid, done.counters.scenarios);
        let valid = 1.0 - invalid as f64 / (all.max(1)) as f64;
        (valid < VALID_MIN).then(|| {
            format!(
                "warning: only {:.1} % of the generated programs of {} are valid: the front end \
                 refused {invalid} of {all}",
                valid * 100.0,
                lane.name()
            )
        })
    });
    lanes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::plan::{Limit, PLAN_VERSION};
    use crate::shard::Shard;
    use gcrucible_scenario::ScenarioSeed;
    use gcrucible_subject::Mix;
    use gcrucible_trace::{Advantages, Counters, FeatureSet};

    fn plan(heap: Option<&str>) -> Plan {
        Plan {
            version: PLAN_VERSION,
            build: String::new(),
            seed: 1,
            lanes: vec![fake::LANE],
            limit: Limit::Scenarios(1000),
            shard: Shard::WHOLE,
            strategy: None,
            heap: heap.map(str::to_owned),
            program: None,
            advantages: Advantages::ALL,
            bug: None,
            first_finding: false,
        }
    }

    fn lively(scenarios: u64) -> Counters {
        Counters {
            scenarios,
            operations: 1,
            safepoints: 1,
            collections_minor: 1,
            collections_major: 1,
            objects_moved: 1,
            objects_kept: 1,
            weak_cleared: 1,
            finalizers_queued: 1,
            zombies: 1,
            bytes_scribbled: 1,
            futures_ready: 1,
            faults: 1,
            costly: scenarios,
            ..Counters::default()
        }
    }

    fn counters_of(plan: &Plan, counters: Counters) -> Vec<String> {
        let mut totals = Totals::default();
        totals.lanes.insert(
            fake::LANE,
            LaneTotals {
                counters,
                ..LaneTotals::default()
            },
        );
        judge(plan, &totals, fake::subjects())
            .into_iter()
            .map(|vacuous| vacuous.counter)
            .collect()
    }

    #[test]
    fn a_lively_run_is_not_vacuous() {
        assert!(counters_of(&plan(None), lively(100_000)).is_empty());
    }

    #[test]
    fn a_counter_at_zero_is_vacuous_once_twenty_were_to_be_expected() {
        let dead = |scenarios| Counters {
            zombies: 0,
            ..lively(scenarios)
        };
        assert_eq!(counters_of(&plan(None), dead(100_000)), ["zombies"]);
        assert_eq!(counters_of(&plan(None), dead(400)), ["zombies"]);
        assert!(counters_of(&plan(None), dead(399)).is_empty());
        assert!(counters_of(&plan(Some("natural")), dead(100_000)).is_empty());
    }

    #[test]
    fn a_quarter_of_the_scenarios_must_be_costly() {
        let costly = |costly| Counters {
            costly,
            ..lively(10_000)
        };
        assert!(counters_of(&plan(None), costly(2_490)).is_empty());
        assert_eq!(counters_of(&plan(None), costly(2_000)), ["costly"]);
    }

    #[test]
    fn feature_pairs_are_required_where_there_were_scenarios_enough() {
        let missing = |scenarios, both| {
            let mut totals = Totals::default();
            let lane = totals.lanes.entry(fake::LANE).or_default();
            lane.counters.scenarios = scenarios;
            lane.features.note(FeatureSet::NONE.with(0));
            if both {
                lane.features.note(FeatureSet::NONE.with(0).with(1));
            }
            let missing = missing_pairs(&plan(None), &totals, fake::subjects());
            let of_lane = missing.iter().filter(|vacuous| vacuous.lane == "fake");
            of_lane.count()
        };
        assert_eq!(missing(19, false), 0);
        assert_eq!(missing(20, false), 1);
        assert_eq!(missing(20, true), 0);
    }

    #[test]
    fn a_mode_without_its_effect_is_vacuous() {
        let seed = ScenarioSeed {
            lane: fake::LANE,
            seed: 1,
            index: 0,
        };
        let scenario = fake::subjects()
            .of(fake::LANE)
            .generate(seed, &Mix::default());
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(fake::LANE).or_default();
        for _ in 0..200 {
            scenario.note_modes(&mut lane.modes, &Counters::default());
        }
        let found = judge(&plan(Some("scribble")), &totals, fake::subjects());
        assert!(
            found
                .iter()
                .any(|v| v.counter == "bytes_scribbled in scribble"),
            "{found:?}"
        );
    }

    #[test]
    fn a_lane_that_did_not_run_is_vacuous() {
        let found = judge(&plan(None), &Totals::default(), fake::subjects());
        assert_eq!(found[0].counter, "scenarios");
    }

    #[test]
    fn refused_programs_are_warned_about() {
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(fake::LANE).or_default();
        lane.counters = Counters {
            scenarios: 1000,
            invalid: 10,
            ..Counters::default()
        };
        assert!(validity_warnings(&totals).is_empty());
        totals.lanes.entry(fake::LANE).or_default().counters.invalid = 11;
        assert!(validity_warnings(&totals)[0].contains("98.9 %"));
    }
}
