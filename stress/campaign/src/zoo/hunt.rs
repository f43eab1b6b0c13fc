//! One campaign that looks for one bug.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::event::poll;

use gcrucible_scenario::text;

use super::{Case, ZooPlan};
use crate::findings::Filed;
use crate::process::{WorkerSetup, timespec};
use crate::session::Session;
use crate::summary::Summary;
use crate::trial::{TrialOptions, Trials};
use crate::zoo::budget::Budget;
use gcrucible_trace::Refusal;

/// A hunt to be run.
#[derive(Clone, Debug)]
pub struct Hunt {
    bug: String,
    seed: u64,
    budget: Budget,
    /// The advantage that it does without.
    without: Option<String>,
}

impl Hunt {
    /// The hunt of a case with one of its seeds.
    pub fn new(case: &Case, seed: u64, without: Option<&str>) -> Hunt {
        Hunt {
            bug: case.bug.clone(),
            seed,
            budget: case.budget,
            without: without.map(str::to_owned),
        }
    }

    fn folder(&self) -> String {
        match &self.without {
            Some(name) => format!("{}-seed-{}-without-{name}", self.bug, self.seed),
            None => format!("{}-seed-{}", self.bug, self.seed),
        }
    }
}

/// What a hunt did.
#[derive(Clone, Debug)]
pub struct Hunted {
    /// Its first finding.
    pub found: Option<Found>,
    /// Scenarios of all lanes.
    pub scenarios: u64,
    /// CPU nanoseconds of its worker.
    pub cpu_ns: u64,
    /// Visits of the bug's line.
    pub reached: u64,
    /// Visits that made a difference.
    pub triggered: u64,
}

/// A hunt's finding.
#[derive(Clone, Debug)]
pub struct Found {
    /// The oracle that failed.
    pub oracle: String,
    /// The lane.
    pub lane: String,
    /// Its files and sizes.
    pub filed: Filed,
    /// The engine without the switches passes the scenario.
    pub is_confirmed: bool,
}

/// Runs hunts, as many at a time as the plan says.
///
/// # Errors
/// A hunt that does not run or leaves no results.
pub fn run_all(plan: &ZooPlan, hunts: &[Hunt]) -> Result<Vec<Hunted>, Refusal> {
    let mut running: Vec<(usize, Child)> = Vec::new();
    let mut done: Vec<Option<Hunted>> = vec![None; hunts.len()];
    let mut next = 0;
    while next < hunts.len() || !running.is_empty() {
        while next < hunts.len() && running.len() < plan.jobs {
            running.push((next, start(plan, &hunts[next])?));
            next += 1;
        }
        let mut still = Vec::new();
        for (at, mut child) in running {
            match child.try_wait() {
                Ok(None) => still.push((at, child)),
                Ok(Some(status)) if matches!(status.code(), Some(0 | 1 | 4)) => {
                    done[at] = Some(read(plan, &hunts[at])?);
                }
                other => {
                    return Err(Refusal::broken(format!(
                        "the hunt {} ended with {other:?}; see {}",
                        hunts[at].folder(),
                        plan.dir
                            .join(hunts[at].folder())
                            .with_extension("log")
                            .display()
                    )));
                }
            }
        }
        running = still;
        let _ = poll(&mut [], Some(&timespec(5)));
    }
    Ok(done.into_iter().flatten().collect())
}

fn start(plan: &ZooPlan, hunt: &Hunt) -> Result<Child, Refusal> {
    let dir = plan.dir.join(hunt.folder());
    let broken = |error| Refusal::broken(format!("cannot run a hunt: {error}"));
    let log = File::create(dir.with_extension("log")).map_err(broken)?;
    let mut command = Command::new(&plan.seeded_programs[&hunt.bug]);
    command
        .args(["run", "--first-finding", "--jobs", "1", "--bug", &hunt.bug])
        .args(["--seed", &hunt.seed.to_string()])
        .args(["--parent", &std::process::id().to_string()])
        .arg("--out")
        .arg(&dir);
    match hunt.budget {
        Budget::CpuMs(ms) => command.arg("--cpu-time").arg(format!("{ms}ms")),
        Budget::Scenarios(count) => command.arg("--scenarios").arg(count.to_string()),
    };
    if let Some(name) = &hunt.without {
        command.args(["--without", name, "--no-shrink"]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(broken)
}

fn read(plan: &ZooPlan, hunt: &Hunt) -> Result<Hunted, Refusal> {
    let dir = plan.dir.join(hunt.folder());
    let (_, totals) = Session::read(&dir)?;
    let text = std::fs::read_to_string(dir.join("summary.json"))
        .map_err(|error| Refusal::broken(format!("{}: {error}", dir.display())))?;
    let summary: Summary = serde_json::from_str(&text)
        .map_err(|error| Refusal::broken(format!("{}: {error}", dir.display())))?;
    let found = summary.findings.first().map(|finding| Found {
        oracle: finding.oracle.clone(),
        lane: finding.lane.clone(),
        filed: crate::findings::read_filed(&dir, &finding.id).unwrap_or(Filed {
            scenario: finding.scenario.clone().into(),
            shrunk: finding.shrunk.clone().into(),
            before: None,
            after: None,
        }),
        is_confirmed: false,
    });
    Ok(Hunted {
        found,
        scenarios: totals.scenarios(),
        cpu_ns: totals.worker_cpu_ns(),
        reached: totals.switch.0,
        triggered: totals.switch.1,
    })
}

/// Runs a hunt's finding on the engine without the switches. Returns the scenario if that
/// fails as well.
///
/// # Errors
/// A scenario that cannot be read, a worker that does not start.
pub fn confirm(plan: &ZooPlan, hunted: &mut Hunted) -> Result<Option<PathBuf>, Refusal> {
    let Some(found) = &mut hunted.found else {
        return Ok(None);
    };
    let scenario = text::read(&found.filed.scenario)?;
    let setup = WorkerSetup {
        program: plan.plain_program.clone(),
        plan: None,
        bug: None,
        dir: None,
        memory_bytes: 4 << 30,
    };
    let mut trials = Trials::new(setup, "confirm", 10_000);
    let options = TrialOptions {
        record: false,
        ..TrialOptions::STRICT
    };
    let verdict = trials.run(&scenario, &options);
    trials.close();
    found.is_confirmed = verdict?.failure.is_none();
    Ok((!found.is_confirmed).then(|| found.filed.scenario.clone()))
}

/// Hash over the first scenarios of all lanes, made while the bug is on.
///
/// # Errors
/// The executable does not run.
pub fn stream_hash(plan: &ZooPlan, bug: &str, seed: u64) -> Result<String, Refusal> {
    let broken = |why: String| Refusal::broken(format!("cannot hash the scenarios: {why}"));
    let output = Command::new(&plan.seeded_programs[bug])
        .args(["stream-hash", "--bug", bug, "--seed", &seed.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| broken(error.to_string()))?;
    if !output.status.success() {
        return Err(broken(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
