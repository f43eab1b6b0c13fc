//! Runs single scenarios in a worker process, for replay and shrinking: what the scenario
//! does to the process stays there.

use super::process::{WorkerProcess, WorkerSetup};
use super::watchdog::Patience;
use super::worker::{Attempt, Command, Reply};
use gcrucible_trace::{Advantages, Counters, Failure, Refusal, ReplayMode, RunOptions, Verdict};

/// How a scenario is tried.
#[derive(Clone, Copy, Debug)]
pub struct TrialOptions {
    /// Keep decisions and timeline.
    pub record: bool,
    /// How recorded decisions are followed.
    pub replay: ReplayMode,
    /// What the harness may use.
    pub advantages: Advantages,
    /// CPU milliseconds after which it hangs, if not those of [`Trials::new`].
    pub cpu_limit_ms: Option<u64>,
    /// Decisions after which it is cut off.
    pub decisions_max: u32,
}

impl TrialOptions {
    /// A run as a campaign would do it, recorded, with strict replay.
    pub const STRICT: TrialOptions = TrialOptions {
        record: true,
        replay: ReplayMode::Strict,
        advantages: Advantages::ALL,
        cpu_limit_ms: None,
        decisions_max: RunOptions::DECISIONS_MAX,
    };

    /// How a proposal of the shrinker is tried. Proposals for a scenario that hangs or never
    /// ends mostly do the same, so they get less time; what is kept is confirmed (strictly)
    /// with all of it.
    pub fn of_shrinker(
        wanted: Option<&Failure>,
        record: bool,
        replay: ReplayMode,
        advantages: Advantages,
    ) -> TrialOptions {
        let shortens = |check: &str| {
            replay == ReplayMode::Lenient && wanted.is_some_and(|failure| failure.check == check)
        };
        TrialOptions {
            record,
            replay,
            advantages,
            cpu_limit_ms: shortens("hang").then_some(300),
            decisions_max: if shortens("endless") {
                RunOptions::DECISIONS_MAX / 20
            } else {
                RunOptions::DECISIONS_MAX
            },
        }
    }
}

/// A worker for single scenarios, started anew whenever one has killed it.
#[derive(Debug)]
pub struct Trials {
    setup: WorkerSetup,
    worker: Option<WorkerProcess>,
    name: String,
    patience: Patience,
}

impl Trials {
    /// Trials with this worker; a scenario that takes longer than `timeout_ms`, or a tenth of
    /// that on the CPU, hangs.
    pub fn new(setup: WorkerSetup, name: &str, timeout_ms: u64) -> Trials {
        Trials {
            setup,
            worker: None,
            name: name.to_owned(),
            patience: Patience::of_timeout(timeout_ms),
        }
    }

    /// Runs the scenario of a text. The death of the worker is a failure of the scenario.
    ///
    /// # Errors
    /// The worker does not start, or does not understand the scenario.
    pub fn run(&mut self, scenario: &str, options: &TrialOptions) -> Result<Verdict, Refusal> {
        let mut patience = self.patience;
        if let Some(ms) = options.cpu_limit_ms {
            patience.cpu_ns = ms * 1_000_000;
        }
        let attempt = Attempt {
            scenario: scenario.to_owned(),
            record: options.record,
            replay: options.replay,
            advantages: options.advantages,
            decisions_max: options.decisions_max,
        };
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => WorkerProcess::start(&self.setup, &self.name)
                .map_err(|error| Refusal::broken(format!("cannot start a worker: {error}")))?,
        };
        worker.send(&Command::Try(Box::new(attempt)));
        match worker.wait_for_reply(patience) {
            Some(Reply::Tried(verdict)) => {
                self.worker = Some(worker);
                Ok(*verdict)
            }
            Some(Reply::Refused(why)) => {
                self.worker = Some(worker);
                Err(Refusal::broken(format!("the worker refused: {why}")))
            }
            Some(_) => Err(Refusal::broken("the worker answered something else")),
            None => Ok(Verdict {
                failure: Some(crash(&worker.bury())),
                counters: Counters {
                    scenarios: 1,
                    ..Counters::default()
                },
                ..Verdict::default()
            }),
        }
    }

    /// Ends the worker.
    pub fn close(mut self) {
        if let Some(worker) = self.worker.take() {
            worker.dismiss();
        }
    }
}

/// The failure that a worker's death is.
pub fn crash(death: &super::process::Death) -> Failure {
    let words = match death.last_words.as_str() {
        "" => String::new(),
        words => format!(": {words}"),
    };
    Failure {
        oracle: "no_crash".into(),
        check: death.check.clone(),
        site: death.site(),
        message: format!("the scenario ended its process ({}){words}", death.check),
    }
}
