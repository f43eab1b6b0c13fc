//! A worker process: takes commands from its parent, runs scenarios, answers.
//!
//! One JSON value per line in each direction. The worker dies with its parent, whatever
//! kills that. Panics of a scenario are caught here; everything worse ends the process,
//! and the parent reads from the slot which scenario it was.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use gcrucible_trace::{
    Advantages, Exit, Failure, Refusal, ReplayMode, RunOptions, RunReport, Verdict,
};

use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::plan::{Plan, Source};
use super::process::NEXT_SCENARIO;
use super::slot::Slot;
use super::totals::ChunkResult;
use gcrucible_scenario::Lane;
use gcrucible_subject::{Case, Subjects};
use gcrucible_trace::clock;

/// What a parent asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Run scenarios of the plan.
    Chunk(Chunk),
    /// Run a scenario of this lane that must fail.
    Canary(Lane),
    /// Run one scenario.
    Try(Box<Attempt>),
}

/// Scenarios of one lane, by position within the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Number of the chunk.
    pub chunk: u64,
    /// The lane.
    pub lane: Lane,
    /// First position.
    pub from: u64,
    /// The position after the last one.
    pub to: u64,
    /// Whether it is run out of turn.
    #[serde(default)]
    pub is_ahead: bool,
}

/// One scenario to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// The scenario as text.
    pub scenario: String,
    /// Keep decisions and timeline.
    pub record: bool,
    /// How recorded decisions are followed.
    pub replay: ReplayMode,
    /// What the harness may use.
    pub advantages: Advantages,
    /// Decisions after which it is cut off.
    pub decisions_max: u32,
}

/// What a worker answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// A chunk is done, or done up to its first failure.
    Chunk(Box<ChunkResult>),
    /// How the canary ended.
    Canary(CanaryEnd),
    /// How the scenario went.
    Tried(Box<Verdict>),
    /// The command makes no sense to this worker.
    Refused(String),
}

/// How a lane's canary ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CanaryEnd {
    /// An oracle noticed what was falsified, in a scenario that passes as it is.
    Killed,
    /// None did.
    Survived,
    /// Its scenarios failed, but not because of what was falsified: as they are they fail too, or it
    /// was a panic. So nobody knows whether an oracle would have noticed.
    FailedOtherwise(Failure),
}

/// How a worker is started.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkerArgs {
    /// Process id of the parent; the worker ends when its parent is another.
    #[arg(long)]
    pub parent: i32,
    /// The campaign's plan.
    #[arg(long)]
    pub plan: Option<PathBuf>,
    /// The worker's slot.
    #[arg(long)]
    pub slot: Option<PathBuf>,
    /// Seeded bug to turn on.
    #[arg(long)]
    pub bug: Option<String>,
}

/// Address space that a worker may use, in bytes: far above what its parent allows it to
/// touch, so that only a runaway meets it.
const ADDRESS_SPACE_BYTES: u64 = 64 << 30;

/// The oracle that a panic fails.
const NO_CRASH: &str = "no_crash";

/// Scenarios among which a lane's canary is looked for.
const CANARY_TRIES: u64 = 20;

/// Runs a worker until its parent closes the pipe.
///
/// # Errors
/// A plan or slot that cannot be read.
pub fn serve(args: &WorkerArgs, subjects: Subjects) -> Result<Exit, Refusal> {
    die_with_parent(args.parent)?;
    subjects.bugs().activate(args.bug.as_deref());
    remember_panics(subjects);
    let (plan, source) = match &args.plan {
        Some(path) => {
            let plan = Plan::read(path)?;
            let source = Source::of(&plan, subjects)?;
            (Some(plan), Some(source))
        }
        None => (None, None),
    };
    let slot = match &args.slot {
        Some(path) => Some(Slot::open(path).map_err(|error| {
            Refusal::broken(format!("cannot map the slot {}: {error}", path.display()))
        })?),
        None => None,
    };
    let mut worker = Worker {
        plan,
        source,
        slot,
        subjects,
        cpu_ns: 0,
        switch: (0, 0),
    };
    let stdin = std::io::stdin().lock();
    let mut stdout = std::io::stdout().lock();
    for line in stdin.lines() {
        let Ok(line) = line else { break };
        let reply = match serde_json::from_str(&line) {
            Ok(command) => worker.answer(&command),
            Err(error) => Reply::Refused(error.to_string()),
        };
        let mut text = serde_json::to_string(&reply)
            .map_err(|error| Refusal::broken(format!("a reply cannot be written: {error}")))?;
        text.push('\n');
        if stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .is_err()
        {
            break;
        }
    }
    Ok(Exit::Clean)
}

/// Binds this process's life to its parent's, and bounds what it may use.
///
/// # Errors
/// The parent is gone already, or the system refuses.
pub fn die_with_parent(parent: i32) -> Result<(), Refusal> {
    let broken = |what: &str, error: rustix::io::Errno| Refusal::broken(format!("{what}: {error}"));
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| broken("cannot bind the worker's life to its parent's", error))?;
    // The parent may have died before the line above; then another process adopted us.
    if rustix::process::getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return Err(Refusal::broken("the campaign is gone".to_owned()));
    }
    let limits = [(Resource::Core, 0), (Resource::As, ADDRESS_SPACE_BYTES)];
    for (resource, bytes) in limits {
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        rustix::process::setrlimit(resource, limit)
            .map_err(|error| broken("cannot limit the worker", error))?;
    }
    Ok(())
}

struct Worker {
    plan: Option<Plan>,
    source: Option<Source>,
    slot: Option<Slot>,
    subjects: Subjects,
    /// CPU time that was reported so far.
    cpu_ns: u64,
    /// Counts of the seeded bug that were reported so far.
    switch: (u64, u64),
}

impl Worker {
    fn answer(&mut self, command: &Command) -> Reply {
        match command {
            Command::Try(attempt) => match self.subjects.parse(&attempt.scenario) {
                Ok(scenario) => Reply::Tried(Box::new(try_it(&*scenario, attempt))),
                Err(error) => Reply::Refused(format!("the scenario: {error}")),
            },
            Command::Chunk(chunk) => match (&self.plan, &self.source, &self.slot) {
                (Some(plan), Some(source), Some(slot)) => {
                    let mut result = run_chunk(plan, source, slot, chunk);
                    self.account(&mut result);
                    Reply::Chunk(Box::new(result))
                }
                _ => Reply::Refused("chunks need a plan and a slot".into()),
            },
            Command::Canary(lane) => match (&self.plan, &self.source) {
                (Some(_), Some(source)) => Reply::Canary(canary(source, *lane)),
                _ => Reply::Refused("a canary needs a plan".into()),
            },
        }
    }

    /// Adds what the worker used since its last result.
    fn account(&mut self, result: &mut ChunkResult) {
        let cpu_ns = clock::process_cpu_ns();
        result.cpu_ns = cpu_ns - self.cpu_ns;
        self.cpu_ns = cpu_ns;
        let switch = self.subjects.bugs().counts();
        result.switch = (switch.0 - self.switch.0, switch.1 - self.switch.1);
        self.switch = switch;
    }
}

fn try_it(scenario: &dyn Case, attempt: &Attempt) -> Verdict {
    let options = RunOptions {
        record: attempt.record,
        advantages: attempt.advantages,
        replay: attempt.replay,
        decisions_max: attempt.decisions_max,
        ..RunOptions::default()
    };
    run_caught(scenario, &options).into()
}

/// Runs a chunk's scenarios in rising order; up to the first failure if the plan says so.
fn run_chunk(plan: &Plan, source: &Source, slot: &Slot, chunk: &Chunk) -> ChunkResult {
    let options = RunOptions {
        advantages: plan.advantages,
        ..RunOptions::default()
    };
    let mut result = ChunkResult::new(chunk.chunk, chunk.lane, chunk.from);
    result.is_ahead = chunk.is_ahead;
    while result.to < chunk.to {
        let index = plan.shard.index(result.to);
        slot.begin(chunk.chunk, result.to);
        let (scenario, report) = run_numbered(source, slot, chunk.lane, index, &options);
        slot.idle();
        result.counters += &report.counters;
        // What a broken engine did says nothing of which events can follow which.
        if report.failure.is_none() {
            result.pairs += &report.pairs;
            if let Some(scenario) = &scenario {
                result.features.note(scenario.features());
            }
        }
        result.trace_hash = result.trace_hash.wrapping_add(report.trace_hash);
        if let Some(scenario) = scenario {
            scenario.note_modes(&mut result.modes, &report.counters);
        }
        result.to += 1;
        if let Some(failure) = report.failure {
            result.fail(index, failure);
            if plan.first_finding {
                break;
            }
        }
    }
    result
}

/// Runs one scenario of the plan; a scenario counts as one whatever its report says.
fn run_numbered(
    source: &Source,
    slot: &Slot,
    lane: Lane,
    index: u64,
    options: &RunOptions,
) -> (Option<Box<dyn Case>>, RunReport) {
    forget_panic();
    let scenario = catch_unwind(AssertUnwindSafe(|| source.scenario(lane, index)));
    let (scenario, mut report) = match scenario {
        Ok(scenario) => {
            slot.running();
            let report = run_caught(&*scenario, options);
            (Some(scenario), report)
        }
        Err(_) => (None, panicked("generator", &last_panic())),
    };
    report.counters.scenarios = 1;
    (scenario, report)
}

/// Runs a scenario; a panic becomes a failure.
fn run_caught(scenario: &dyn Case, options: &RunOptions) -> RunReport {
    forget_panic();
    let mut report = catch_unwind(AssertUnwindSafe(|| scenario.run(options)))
        .unwrap_or_else(|_| panicked("subject", &last_panic()));
    report.failure = report
        .failure
        .filter(|failure| !options.advantages.silences(&failure.oracle));
    report
}

fn panicked(part: &str, panic: &PanicNote) -> RunReport {
    let failure = Failure {
        oracle: NO_CRASH.into(),
        check: "panic".into(),
        site: panic.place.clone(),
        message: format!("the {part} panicked at {}: {}", panic.place, panic.message),
    };
    RunReport {
        failure: Some(failure),
        ..RunReport::default()
    }
}

/// Runs falsified scenarios until an oracle notices, which it should at the first. That it is for
/// what was falsified is known by running the scenario as it is.
fn canary(source: &Source, lane: Lane) -> CanaryEnd {
    canary_among(CANARY_TRIES, &|index, options| {
        run_caught(&*source.scenario(lane, index), options)
    })
}

fn canary_among(tries: u64, run: &dyn Fn(u64, &RunOptions) -> RunReport) -> CanaryEnd {
    let falsified = RunOptions {
        canary: true,
        ..RunOptions::default()
    };
    let mut end = CanaryEnd::Survived;
    for index in 0..tries {
        let Some(failure) = run(index, &falsified).failure else {
            continue;
        };
        let fails_anyway = || run(index, &RunOptions::default()).failure.is_some();
        if failure.oracle == NO_CRASH || fails_anyway() {
            end = CanaryEnd::FailedOtherwise(failure);
        } else {
            return CanaryEnd::Killed;
        }
    }
    end
}

/// Where and how a panic began.
#[derive(Clone, Debug, Default)]
struct PanicNote {
    place: String,
    message: String,
}

thread_local! {
    static PANIC: RefCell<Option<PanicNote>> = const { RefCell::new(None) };
    static HAS_PRINTED: Cell<bool> = const { Cell::new(false) };
}

/// Installs a hook that notes each panic instead of printing it; the last one counts, since
/// lanes catch some. From the second of a scenario on they are printed as well: one of them
/// may end the process, and its parent reads what it says.
fn remember_panics(subjects: Subjects) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(String::new, |at| {
            format!("{}:{}", short_path(at.file()), at.line())
        });
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .or_else(|| {
                let mut known = subjects.all().iter();
                known.find_map(|subject| subject.panic_text(payload))
            })
            .unwrap_or_else(|| "a value that is no text".to_owned());
        PANIC.with_borrow_mut(|last| {
            if last.is_some() {
                eprintln!("panicked at {place}: {message}");
                HAS_PRINTED.set(true);
            }
            *last = Some(PanicNote { place, message });
        });
    }));
}

/// Begins a scenario: what happened before it does not count.
fn forget_panic() {
    PANIC.with_borrow_mut(|last| *last = None);
    if HAS_PRINTED.replace(false) {
        eprintln!("{NEXT_SCENARIO}");
    }
}

fn last_panic() -> PanicNote {
    PANIC.with_borrow_mut(Option::take).unwrap_or_default()
}

/// A source path without what depends on the machine: `engine/heap/src/space.rs`, or from
/// the last `src` folder's parent on for other packages.
fn short_path(path: &str) -> &str {
    for root in ["engine/", "stress/"] {
        if let Some(at) = path.rfind(&format!("/{root}")) {
            return &path[at + 1..];
        }
    }
    if path.starts_with('/')
        && let Some(at) = path.rfind("/src/")
    {
        let parent = path[..at].rfind('/').map_or(0, |slash| slash + 1);
        return &path[parent..];
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::plan::{Limit, PLAN_VERSION};
    use crate::shard::Shard;
    use gcrucible_trace::EventKind;

    fn plan(first_finding: bool) -> Plan {
        Plan {
            version: PLAN_VERSION,
            build: String::new(),
            seed: 1,
            lanes: vec![fake::LANE],
            limit: Limit::Scenarios(1000),
            shard: Shard { part: 1, of: 3 },
            strategy: None,
            heap: None,
            program: None,
            advantages: Advantages::ALL,
            bug: None,
            first_finding,
        }
    }

    fn chunk_result(first_finding: bool, from: u64, to: u64) -> ChunkResult {
        let plan = plan(first_finding);
        let name = format!(
            "crucible-chunk-{}-{first_finding}-{from}",
            std::process::id()
        );
        let path = std::env::temp_dir().join(name);
        let slot = Slot::create(&path).unwrap();
        let chunk = Chunk {
            chunk: 1,
            lane: fake::LANE,
            from,
            to,
            is_ahead: false,
        };
        let source = Source::of(&plan, fake::subjects()).unwrap();
        let result = run_chunk(&plan, &source, &slot, &chunk);
        assert_eq!(slot.state().position, result.to - 1);
        std::fs::remove_file(path).unwrap();
        result
    }

    #[test]
    fn a_chunk_sums_its_scenarios_and_keeps_first_failures() {
        let result = chunk_result(false, 10, 60);
        assert_eq!((result.from, result.to), (10, 60));
        assert_eq!(result.counters.scenarios, 50);
        assert_eq!(result.counters.decisions, 100);
        let indexes = (10..60).map(|position| 1 + 3 * position);
        assert_eq!(result.trace_hash, indexes.sum::<u64>());
        assert_eq!(result.failures.len(), 1);
        assert_eq!(
            (result.failures[0].index, result.failures[0].count),
            (100, 27)
        );
        let pairs = result.pairs.count(EventKind::Spawn, EventKind::Await);
        assert_eq!(pairs, 50 - 27, "those of runs that passed");
        let features = &result.features;
        assert_eq!(features.count(0, 0), 11, "even ones that passed");
        assert_eq!(features.count(0, 1), 5, "those that are fours, too");
    }

    #[test]
    fn a_chunk_ends_at_the_first_finding_if_asked_to() {
        let result = chunk_result(true, 10, 60);
        assert_eq!((result.to, result.failures[0].index), (34, 100));
    }

    #[test]
    fn a_panic_is_a_failure_of_its_scenario() {
        let result = chunk_result(false, 0, 6);
        assert_eq!(result.counters.scenarios, 6);
        assert_eq!(result.failures[0].index, 13);
        assert_eq!(result.failures[0].failure.check, "panic");
    }

    #[test]
    fn the_canary_must_fail() {
        let source = Source::of(&plan(false), fake::subjects()).unwrap();
        assert_eq!(canary(&source, fake::LANE), CanaryEnd::Killed);
    }

    #[test]
    fn a_canary_that_fails_for_another_reason_says_nothing() {
        let wrong = |falsified| RunReport {
            failure: Some(Failure {
                oracle: "fake".into(),
                check: "wrong".into(),
                site: String::new(),
                message: format!("falsified: {falsified}"),
            }),
            ..RunReport::default()
        };
        let ends = |run: fn(&RunOptions, &dyn Fn(bool) -> RunReport) -> RunReport| {
            canary_among(1, &|_, options| run(options, &wrong))
        };
        let always = ends(|options, wrong| wrong(options.canary));
        assert!(matches!(always, CanaryEnd::FailedOtherwise(failure) if failure.check == "wrong"));
        let never = ends(|_, _| RunReport::default());
        assert_eq!(never, CanaryEnd::Survived);
        let noticed = ends(|options, wrong| match options.canary {
            true => wrong(true),
            false => RunReport::default(),
        });
        assert_eq!(noticed, CanaryEnd::Killed);
        let crashed = ends(|options, _| match options.canary {
            true => panicked("run", &PanicNote::default()),
            false => RunReport::default(),
        });
        assert!(
            matches!(crashed, CanaryEnd::FailedOtherwise(failure) if failure.oracle == NO_CRASH)
        );
    }

    #[test]
    fn paths_in_sites_do_not_depend_on_the_machine() {
        assert_eq!(
            short_path("/home/me/gc/engine/heap/src/space.rs"),
            "engine/heap/src/space.rs"
        );
        assert_eq!(
            short_path("engine/heap/src/space.rs"),
            "engine/heap/src/space.rs"
        );
        assert_eq!(
            short_path("/r/registry/src/ron-0.12.3/src/de.rs"),
            "ron-0.12.3/src/de.rs"
        );
    }
}
