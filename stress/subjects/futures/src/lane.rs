//! A world as a subject of the harness.

use gcrucible_quarantine::{Fault, watch};
use gcrucible_scenario::{Lane, Plain, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Expectation, Mix, OracleInfo, Subject};
use gcrucible_trace::choices::{Choices as _, SeededChoices};
use gcrucible_trace::{Failure, Refusal, RunOptions, RunReport, Schedule, StrategyName, Verdict};

use super::executor;
use super::settings::{Disturbance, Settings};
use super::world::World;

/// A scenario of a world.
pub type FuturesScenario = Plain<Settings>;

/// A world as a subject: one lane.
pub struct FuturesLane {
    lane: Lane,
    make: Box<dyn Fn(&World) + Send + Sync>,
}

impl std::fmt::Debug for FuturesLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FuturesLane").field(&self.lane).finish()
    }
}

/// The strategies of worlds: those that need no points to inject events at, since such events are
/// decisions here.
pub(crate) const STRATEGIES: [StrategyName; 5] = [
    StrategyName::Random,
    StrategyName::Pct2,
    StrategyName::Pct3,
    StrategyName::Urw,
    StrategyName::RoundRobin,
];

impl FuturesLane {
    /// The lane of a world, at this place of the order of all lanes ([`Lane::EXTRA`] and above). The
    /// world is made anew for each run.
    pub fn new(
        order: u16,
        name: &'static str,
        make: impl Fn(&World) + Send + Sync + 'static,
    ) -> FuturesLane {
        FuturesLane {
            lane: Lane::new(order, name),
            make: Box::new(make),
        }
    }

    /// A scenario of settings and a schedule.
    pub fn scenario(&self, settings: Settings, schedule: Schedule) -> FuturesScenario {
        Plain::new(self.lane.name(), Default::default(), schedule, settings)
    }
}

impl Subject for FuturesLane {
    type Scenario = FuturesScenario;

    fn lane(&self) -> Lane {
        self.lane
    }

    fn generate(&self, seed: ScenarioSeed, mix: &Mix) -> FuturesScenario {
        let mut choices = SeededChoices::new(seed.stream());
        let drawn = STRATEGIES[choices.weighted(&[4, 2, 2, 4, 1])];
        let schedule = Schedule::Drawn {
            strategy: mix.strategy.unwrap_or(drawn),
            seed: choices.below(1 << 31).into(),
        };
        let mut scenario = self.scenario(Settings::draw(&mut choices), schedule);
        scenario.origin = seed.into();
        scenario
    }

    fn empty(&self) -> FuturesScenario {
        self.scenario(Settings::default(), Schedule::Recorded(Vec::new()))
    }

    fn run(&self, scenario: &FuturesScenario, options: &RunOptions) -> RunReport {
        let run = || {
            executor::run(
                self.lane,
                &*self.make,
                &scenario.body,
                &scenario.schedule,
                options,
            )
        };
        let (mut report, fault) = watch(run);
        if let Some(fault) = fault {
            report.failure.get_or_insert_with(|| memory_fault(fault));
        }
        report
    }

    /// Tasks, and the switches that the schedule forces: after its last decision tasks run in turn.
    fn size(&self, scenario: &FuturesScenario, verdict: &Verdict) -> Size {
        let tasks = verdict.counters.tasks as usize;
        match &scenario.schedule {
            Schedule::Drawn { .. } => Size::of_run(tasks, verdict),
            Schedule::Recorded(decisions) => {
                let forced = Verdict {
                    decisions: decisions.clone(),
                    ..Verdict::default()
                };
                Size::of_run(tasks, &forced)
            }
        }
    }

    fn listing(&self, scenario: &FuturesScenario) -> String {
        let Settings {
            droppables,
            spurious,
            fresh_wakers,
            panic_at,
            seed,
        } = &scenario.body;
        let mut out = String::new();
        for (number, what) in (1..).zip(droppables) {
            if *what != Disturbance::None {
                out.push_str(&format!("droppable {number}: {what:?}\n"));
            }
        }
        let lines = [
            (
                *spurious > 0,
                format!("{spurious} polls that nobody asked for\n"),
            ),
            (
                *fresh_wakers,
                "a new waker at each poll, the old ones dead\n".to_owned(),
            ),
            (*panic_at > 0, format!("a panic at point {panic_at}\n")),
            (*seed > 0, format!("the world's own choices: seed {seed}\n")),
        ];
        out.extend(
            lines
                .into_iter()
                .filter(|(is_on, _)| *is_on)
                .map(|(_, line)| line),
        );
        out
    }

    fn reduce(&self, search: &mut Search<'_, '_, FuturesScenario>) -> Result<(), Refusal> {
        let simpler: [fn(&mut Settings); 5] = [
            |settings| settings.panic_at = 0,
            |settings| settings.spurious = 0,
            |settings| settings.fresh_wakers = false,
            |settings| settings.seed = 0,
            |settings| settings.spurious = settings.spurious.min(1),
        ];
        for simpler in simpler {
            let mut scenario = search.best().clone();
            simpler(&mut scenario.body);
            search.propose(scenario)?;
        }
        for seed in 1..4 {
            if seed < search.best().body.seed {
                let mut scenario = search.best().clone();
                scenario.body.seed = seed;
                search.propose(scenario)?;
            }
        }
        search.simplify_items(
            |scenario| scenario.body.droppables.clone(),
            |scenario, droppables| scenario.body.droppables = droppables,
            |what| match what {
                Disturbance::None => Vec::new(),
                Disturbance::Drop => vec![Disturbance::None],
                Disturbance::DropWoken | Disturbance::Forget => {
                    vec![Disturbance::None, Disturbance::Drop]
                }
            },
        )?;
        let mut scenario = search.best().clone();
        while scenario.body.droppables.last() == Some(&Disturbance::None) {
            scenario.body.droppables.pop();
        }
        search.propose(scenario)?;
        Ok(())
    }

    fn expectations(&self) -> Vec<&'static [Expectation]> {
        vec![&[
            ("operations", |counters| counters.operations, 1.0),
            ("decisions", |counters| counters.decisions, 1.0),
        ]]
    }

    fn oracles(&self) -> &'static [OracleInfo] {
        &ORACLES
    }
}

fn memory_fault(fault: Fault) -> Failure {
    let check = match fault {
        Fault::DoubleFree { .. } => "double_free",
        Fault::LateWrite { .. } => "late_write",
    };
    Failure {
        oracle: "memory_is_sound".into(),
        check: check.into(),
        site: "run".into(),
        message: fault.to_string(),
    }
}

const ORACLES: [OracleInfo; 6] = [
    OracleInfo {
        name: "everything_ends",
        claim: "each task ends that is not dropped: nobody forgets to wake it",
    },
    OracleInfo {
        name: "progress_is_made",
        claim: "tasks do not wake themselves again and again while nothing happens",
    },
    OracleInfo {
        name: "invariants_hold",
        claim: "what the world asserts at rest holds",
    },
    OracleInfo {
        name: "nothing_leaks",
        claim: "each token is dropped by the end, and wakers are let go where the world asks for that",
    },
    OracleInfo {
        name: "tokens_drop_once",
        claim: "no token is dropped twice or used after its drop",
    },
    OracleInfo {
        name: "memory_is_sound",
        claim: "nothing is freed twice or written to after its free, as far as the quarantine sees",
    },
];
