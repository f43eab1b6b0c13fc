//! What each lane and mode must have done by the end of a campaign.
//!
//! A green run in which a mode did nothing is a lie. So for each lane there is a table of
//! counters with how many, at the least, a scenario of the default mix brings about on
//! average; each mode has the effect that it exists for. A counter is vacuous if it is zero
//! though at least [`EXPECTED_MIN`] were to be expected at this run's size.

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::totals::{LaneTotals, Totals};
use crate::scenario::Lane;
use gcrucible_trace::Counters;

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

/// Name of a counter, its value, and the least count per scenario.
type Expectation = (&'static str, fn(&Counters) -> u64, f64);

/// What the lanes of heap operations count.
const HEAP_OPS: &[Expectation] = &[
    ("operations", |c| c.operations, 5.0),
    ("safepoints", |c| c.safepoints, 1.0),
    ("collections.minor", |c| c.collections_minor, 0.2),
    ("collections.major", |c| c.collections_major, 0.2),
    ("objects_moved", |c| c.objects_moved, 0.5),
    ("objects_kept", |c| c.objects_kept, 0.05),
    ("weak_cleared", |c| c.weak_cleared, 0.01),
    ("finalizers_queued", |c| c.finalizers_queued, 0.01),
    ("zombies", |c| c.zombies, 0.05),
    ("bytes_scribbled", |c| c.bytes_scribbled, 0.5),
    ("futures.ready", |c| c.futures_ready, 0.02),
    ("faults", |c| c.faults, 0.01),
];

/// What the lanes of programs count.
const PROGRAMS: &[Expectation] = &[
    ("operations", |c| c.operations, 5.0),
    ("statements", |c| c.statements, 2.0),
    ("tasks", |c| c.tasks, 0.5),
    ("decisions", |c| c.decisions, 2.0),
    ("safepoints", |c| c.safepoints, 1.0),
    ("collections.minor", |c| c.collections_minor, 0.2),
    ("collections.major", |c| c.collections_major, 0.1),
    ("objects_moved", |c| c.objects_moved, 0.2),
    ("objects_kept", |c| c.objects_kept, 0.05),
    ("weak_cleared", |c| c.weak_cleared, 0.005),
    ("finalizers_queued", |c| c.finalizers_queued, 0.005),
    ("zombies", |c| c.zombies, 0.02),
    ("bytes_scribbled", |c| c.bytes_scribbled, 0.2),
    ("futures.ready", |c| c.futures_ready, 0.1),
    ("futures.error", |c| c.futures_error, 0.005),
    ("futures.cancelled", |c| c.futures_cancelled, 0.005),
    ("calls", |c| c.calls, 0.5),
    ("cancels", |c| c.cancels, 0.02),
    ("faults", |c| c.faults, 0.01),
];

/// What the lane of cancellation counts besides: each place in which a cancellation can meet
/// a task, and all else that ends or interrupts a wait.
const CANCELLATION: &[Expectation] = &[
    ("cancelled.unstarted", |c| c.cancelled_unstarted, 0.01),
    ("cancelled.running", |c| c.cancelled_running, 0.01),
    ("cancelled.awaiting", |c| c.cancelled_awaiting, 0.01),
    ("cancelled.waiting", |c| c.cancelled_waiting, 0.01),
    ("cancelled.in_host", |c| c.cancelled_in_host, 0.01),
    ("cancelled.late", |c| c.cancelled_late, 0.01),
    ("cancelled.aborted", |c| c.cancelled_aborted, 0.002),
    ("drops", |c| c.drops, 0.02),
    ("deadlines", |c| c.deadlines, 0.02),
    ("interrupts", |c| c.interrupts, 0.02),
];

/// What the lane of reloads counts besides.
const RELOAD: &[Expectation] = &[
    ("reloads.begun", |c| c.reloads_begun, 0.2),
    ("reloads.swapped", |c| c.reloads_swapped, 0.05),
    ("reloads.failed", |c| c.reloads_failed, 0.05),
    ("reloads.deferred", |c| c.reloads_deferred, 0.05),
];

/// What the lane of serving forks counts besides.
const SERVE: &[Expectation] = &[
    ("forks", |c| c.forks, 0.2),
    ("forks.refused", |c| c.forks_refused, 0.02),
    ("forks.dropped", |c| c.forks_dropped, 0.05),
    ("forks.calls", |c| c.fork_calls, 0.2),
    ("requests", |c| c.requests, 0.1),
    ("requests.refused", |c| c.requests_refused, 0.002),
    ("disconnects", |c| c.disconnects, 0.02),
];

/// The tables of a lane.
fn expectations(lane: Lane) -> &'static [&'static [Expectation]] {
    match lane {
        Lane::HeapOps => &[HEAP_OPS],
        Lane::Programs => &[PROGRAMS],
        Lane::Reload => &[PROGRAMS, RELOAD],
        Lane::Serve => &[PROGRAMS, SERVE],
        Lane::Cancellation => &[PROGRAMS, CANCELLATION],
    }
}

/// The counters that are zero though they should not be.
pub fn judge(plan: &Plan, totals: &Totals) -> Vec<Vacuous> {
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
        judge_lane(plan, lane, done, &mut vacuous);
    }
    vacuous
}

fn judge_lane(plan: &Plan, lane: Lane, done: &LaneTotals, vacuous: &mut Vec<Vacuous>) {
    let mut say = |counter: String, why: String| {
        vacuous.push(Vacuous {
            lane: lane.name().to_owned(),
            counter,
            why,
        });
    };
    let scenarios = done.counters.scenarios;
    if plan.is_default_mix() {
        for &(counter, value, per_scenario) in expectations(lane).iter().copied().flatten() {
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
        if is_share_below_a_quarter(done.counters.costly, scenarios) {
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
        // Schedules have nobody to choose between in heap programs.
        let applies = lane != Lane::HeapOps || !mode.name().starts_with("strategy");
        if applies && expected >= EXPECTED_MIN && effect == 0 {
            say(
                format!("{} in {}", mode.effect_name(), mode.name()),
                format!("0 in {scenarios} scenarios that ran under it"),
            );
        }
    }
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
    use crate::campaign::modes::ModeSet;
    use crate::campaign::plan::{Limit, PLAN_VERSION};
    use crate::cli::values::Shard;
    use crate::scenario::{Scenario, ScenarioSeed};
    use gcrucible_trace::Advantages;

    fn plan(heap: Option<&str>) -> Plan {
        Plan {
            version: PLAN_VERSION,
            build: String::new(),
            seed: 1,
            lanes: vec![Lane::HeapOps],
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
            Lane::HeapOps,
            LaneTotals {
                counters,
                ..LaneTotals::default()
            },
        );
        judge(plan, &totals)
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
    fn a_mode_without_its_effect_is_vacuous() {
        let seed = ScenarioSeed {
            lane: Lane::HeapOps,
            seed: 1,
            index: 0,
        };
        let mut scenario: Scenario = crate::generator::generate(seed, &Default::default());
        scenario.debug = "scribble".parse().unwrap();
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(Lane::HeapOps).or_default();
        for _ in 0..200 {
            lane.modes
                .note(ModeSet::of(&scenario), &Counters::default());
        }
        let found = judge(&plan(Some("scribble")), &totals);
        assert!(
            found
                .iter()
                .any(|v| v.counter == "bytes_scribbled in scribble"),
            "{found:?}"
        );
    }

    #[test]
    fn a_lane_that_did_not_run_is_vacuous() {
        let found = judge(&plan(None), &Totals::default());
        assert_eq!(found[0].counter, "scenarios");
    }

    #[test]
    fn refused_programs_are_warned_about() {
        let mut totals = Totals::default();
        let lane = totals.lanes.entry(Lane::Programs).or_default();
        lane.counters = Counters {
            scenarios: 1000,
            invalid: 10,
            ..Counters::default()
        };
        assert!(validity_warnings(&totals).is_empty());
        totals
            .lanes
            .entry(Lane::Programs)
            .or_default()
            .counters
            .invalid = 11;
        assert!(validity_warnings(&totals)[0].contains("98.9 %"));
    }
}
