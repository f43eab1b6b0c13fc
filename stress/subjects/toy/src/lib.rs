//! The smallest subject, to be copied: tasks that add to one counter.
//!
//! A task reads the counter with its version, and writes the sum if the version is still the
//! same; else it reads again. [`Toy`] does so; `Careless` in the tests does not look at the
//! version, and the harness finds the update that it loses.

use gcrucible_explore::{Driver, ReadyActor, Schedule, StrategyName};
use gcrucible_scenario::{Lane, Plain, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Expectation, Mix, OracleInfo, Subject};
use gcrucible_trace::choices::{Choices as _, SeededChoices};
use gcrucible_trace::{Failure, Refusal, RunOptions, RunReport, Site, Verdict};
use serde::{Deserialize, Serialize};

/// What runs: for each task, what it adds, one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adds(pub Vec<Vec<i64>>);

/// The counter that works.
#[derive(Clone, Copy, Debug)]
pub struct Toy;

const LANE: Lane = Lane::new(Lane::EXTRA, "toy");

impl Subject for Toy {
    type Scenario = Plain<Adds>;

    fn lane(&self) -> Lane {
        LANE
    }

    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> Plain<Adds> {
        let mut c = SeededChoices::new(seed.stream());
        let tasks = c.within(1, 4);
        let adds = (0..tasks).map(|_| (0..c.within(1, 5)).map(|_| i64::from(c.below(9))).collect());
        let adds = Adds(adds.collect());
        let drawn = StrategyName::ALL[c.below(5) as usize];
        let schedule = Schedule::Drawn {
            strategy: mix.strategy.unwrap_or(drawn),
            seed: c.below(1 << 31).into(),
        };
        Plain::new(LANE.name(), seed.into(), schedule, adds)
    }

    fn empty(&self) -> Plain<Adds> {
        Plain::new(
            LANE.name(),
            Default::default(),
            Schedule::Recorded(Vec::new()),
            Adds(Vec::new()),
        )
    }

    fn run(&self, scenario: &Plain<Adds>, options: &RunOptions) -> RunReport {
        run(scenario, options, true)
    }

    fn size(&self, scenario: &Plain<Adds>, verdict: &Verdict) -> Size {
        Size::of_run(scenario.body.0.iter().map(Vec::len).sum(), verdict)
    }

    fn listing(&self, scenario: &Plain<Adds>) -> String {
        let tasks = scenario.body.0.iter().enumerate();
        tasks
            .map(|(task, adds)| format!("task {} adds {adds:?}\n", task + 1))
            .collect()
    }

    fn reduce(&self, search: &mut Search<'_, '_, Plain<Adds>>) -> Result<(), Refusal> {
        search.drop_items(
            |scenario| scenario.body.0.clone(),
            |scenario, tasks| scenario.body.0 = tasks,
        )?;
        for task in 0..search.best().body.0.len() {
            search.drop_items(
                |scenario| scenario.body.0[task].clone(),
                |scenario, adds| scenario.body.0[task] = adds,
            )?;
        }
        Ok(())
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        vec![&[("operations", |counters| counters.operations, 1.0)]]
    }

    fn oracles(&self) -> &'static [OracleInfo] {
        &[OracleInfo {
            name: "nothing_is_lost",
            claim: "the counter is the sum of all that was added",
        }]
    }
}

/// Runs a scenario: each decision lets one task read, or write what it has read.
fn run(scenario: &Plain<Adds>, options: &RunOptions, looks_at_version: bool) -> RunReport {
    let mut report = RunReport::default();
    let mut driver = Driver::new(&scenario.schedule, options, None);
    let (mut value, mut version) = (0, 0);
    let adds = &scenario.body.0;
    // Of each task: how many of its adds are done, and what it has read.
    let mut tasks = vec![(0, None); adds.len()];
    loop {
        let at = |task: usize| ReadyActor {
            site: Site {
                actor: task as u32 + 1,
                at: tasks[task].0 as u32,
                ..Site::default()
            },
        };
        let goes_on = |task: &usize| tasks[*task].0 < adds[*task].len();
        let ready: Vec<_> = (0..tasks.len()).filter(goes_on).map(at).collect();
        let Some((site, _)) = driver.next(&ready, &mut report) else {
            break;
        };
        let task = site.actor as usize - 1;
        let (done, read) = &mut tasks[task];
        let (does, goes_on) = match read.take() {
            None => (format!("reads {value}"), Some((value, version))),
            Some((_, seen)) if looks_at_version && seen != version => {
                ("tries again".to_owned(), None)
            }
            Some((seen, _)) => {
                value = seen + adds[task][*done];
                version += 1;
                *done += 1;
                (format!("writes {value}"), None)
            }
        };
        *read = goes_on;
        report.counters.operations += 1;
        report.timeline.push((site.actor, does));
        driver.ran(1);
    }
    let sum: i64 = adds.iter().flatten().sum();
    let seen = value + i64::from(options.canary);
    let mut all = tasks.iter().zip(adds);
    let is_whole = all.all(|(task, adds)| task.0 == adds.len()) && report.diverged.is_none();
    report.failure = (is_whole && seen != sum).then(|| Failure {
        oracle: "nothing_is_lost".into(),
        check: "sum".into(),
        site: "counter".into(),
        message: format!("the counter is {seen}; {sum} was added"),
    });
    report.hash_timeline(options);
    report
}

#[cfg(test)]
mod tests;
