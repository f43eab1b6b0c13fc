//! A world as a subject of the harness.

use gcrucible_explore::{DryRun, KthPoint};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_quarantine::{Fault, watch};
use gcrucible_scenario::{Lane, Plain, ScenarioSeed, Size};
use gcrucible_shrink::Search;
use gcrucible_subject::{Expectation, Mix, OracleInfo, Subject};
use gcrucible_trace::choices::{Choices as _, SeededChoices};
use gcrucible_trace::{Failure, Refusal, RunOptions, RunReport, Verdict};

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

/// The strategies of worlds, with their weights. What is aimed at in the engine is any point here, so the
/// k-th point stands for both.
const STRATEGIES: [(StrategyName, u32); 6] = [
    (StrategyName::Random, 4),
    (StrategyName::Pct2, 2),
    (StrategyName::Pct3, 2),
    (StrategyName::Urw, 4),
    (StrategyName::RoundRobin, 1),
    (StrategyName::KthPoint, 2),
];

/// Indexes that share settings under the k-th point alone, each with another point of the world.
const KTH_POINT_GROUP: u64 = 1024;

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

    /// The world, as it is made for each run.
    pub(crate) fn make(&self) -> &dyn Fn(&World) {
        &*self.make
    }

    /// The scenario of a seed under the k-th point alone: neighbours share settings and base schedule, and take
    /// the points in turn.
    fn kth_point(&self, seed: ScenarioSeed) -> FuturesScenario {
        let k = seed.index % KTH_POINT_GROUP;
        let group = seed.index / KTH_POINT_GROUP;
        let first = ScenarioSeed {
            index: seed.index - k,
            ..seed
        };
        let settings = Settings::draw(&mut SeededChoices::new(first.stream())).undisturbed();
        // Every second group is over a random walk.
        let base = match group.is_multiple_of(2) {
            true => 0,
            false => 1 + (first.stream() >> 34),
        };
        let schedule = Schedule::Drawn {
            strategy: StrategyName::KthPoint,
            seed: KthPoint::seed(base, k),
        };
        let mut scenario = self.scenario(settings, schedule);
        scenario.origin = seed.into();
        scenario
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
        if mix.strategy == Some(StrategyName::KthPoint) {
            return self.kth_point(seed);
        }
        let mut choices = SeededChoices::new(seed.stream());
        let drawn = STRATEGIES[choices.weighted(&STRATEGIES.map(|(_, weight)| weight))].0;
        let strategy = mix.strategy.unwrap_or(drawn);
        let number = choices.below(1 << 31);
        let mut settings = Settings::draw(&mut choices);
        let number = match strategy.dry_run() {
            DryRun::Points => {
                settings = settings.undisturbed();
                let base = if number & 1 == 0 { 0 } else { number >> 16 };
                // One point more often than two: those come first.
                let points = [64, 512, 4096][choices.below(3) as usize];
                KthPoint::seed(base.into(), choices.below(points).into())
            }
            _ => number.into(),
        };
        let schedule = Schedule::Drawn {
            strategy,
            seed: number,
        };
        let mut scenario = self.scenario(settings, schedule);
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
                self.make(),
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
