//! One life of a campaign: opens its folder, runs what is left, judges, reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::findings::{self, Filed};
use super::journal::{Journal, write_json};
use super::plan::{PLAN_VERSION, Plan};
use super::process::WorkerSetup;
use super::progress::Progress;
use super::supervisor::{self, BadCanary, Labour};
use super::totals::{Record, Totals, is_same_finding};
use super::vacuity::{self, Vacuous};
use crate::summary::{self, ImpossiblePair, Summary};
use gcrucible_subject::{Build, Subjects};
use gcrucible_trace::{Advantages, Exit, Failure, Refusal};

/// How a campaign is run; nothing here changes its results.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Workers at a time.
    pub jobs: usize,
    /// The workers' executable.
    pub program: PathBuf,
    /// Show nothing while it runs.
    pub is_silent: bool,
    /// Missing pairs of events are vacuous, and too few of features.
    pub require_pairs: bool,
    /// Findings that are known and not fatal.
    pub known: Vec<Failure>,
    /// Make findings small.
    pub shrinks: bool,
    /// Wall-clock milliseconds after which a scenario hangs.
    pub watchdog_ms: u64,
    /// Resident bytes after which a worker is killed.
    pub memory_bytes: u64,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            program: PathBuf::from("crucible"),
            is_silent: false,
            require_pairs: false,
            known: Vec::new(),
            shrinks: true,
            watchdog_ms: 10_000,
            memory_bytes: 2 << 30,
        }
    }
}

/// What a campaign ends with.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done, over all its lives.
    pub totals: Totals,
    /// The findings' files by id.
    pub filed: std::collections::BTreeMap<String, Filed>,
    /// Counters that should not be zero.
    pub vacuous: Vec<Vacuous>,
    /// Lanes whose canary survived, or failed for another reason.
    pub bad_canaries: Vec<BadCanary>,
    /// Ids of findings that are known.
    pub known: Vec<String>,
    /// Known failures that did not happen.
    pub known_gone: Vec<Failure>,
    /// It was ended from outside.
    pub is_interrupted: bool,
    /// Pairs of features that scenarios had though a rule forbids them.
    pub impossible: Vec<ImpossiblePair>,
    /// The summary, as it is in `summary.json`.
    pub summary: Summary,
}

impl Outcome {
    /// The exit code: harness broken before finding before vacuous.
    pub fn exit(&self) -> Exit {
        let is_fatal = |id: &&String| !self.known.contains(id);
        let has_impossible =
            !self.impossible.is_empty() || !self.totals.pairs.impossible().is_empty();
        if !self.bad_canaries.is_empty() || has_impossible {
            Exit::HarnessBroken
        } else if self.totals.findings.keys().any(|id| is_fatal(&id)) {
            Exit::Finding
        } else if self.is_interrupted {
            Exit::Interrupted
        } else if !self.vacuous.is_empty() {
            Exit::Vacuous
        } else {
            Exit::Clean
        }
    }
}

/// A campaign's folder with what is in it.
#[derive(Debug)]
pub struct Session {
    plan: Plan,
    dir: PathBuf,
    totals: Totals,
    journal: Journal,
    /// Scenarios that were under way when its last life ended.
    under_way: Vec<String>,
}

impl Session {
    /// Begins a campaign in a folder that is new or empty.
    ///
    /// # Errors
    /// A folder that is not empty or cannot be written to.
    pub fn create(dir: &Path, plan: Plan) -> Result<Session, Refusal> {
        let unusable = |error: std::io::Error| {
            Refusal::usage(format!(
                "cannot write to {}: {error}; expected a folder that is new or empty (--out DIR)",
                dir.display()
            ))
        };
        fs::create_dir_all(dir).map_err(unusable)?;
        if fs::read_dir(dir).map_err(unusable)?.next().is_some() {
            return Err(Refusal::usage(format!(
                "{} is not empty; expected a new folder, or --resume to continue the campaign in it",
                dir.display()
            )));
        }
        fs::create_dir(dir.join("workers")).map_err(unusable)?;
        write_json(&dir.join("plan.json"), &plan).map_err(unusable)?;
        Self::open(dir, plan)
    }

    /// Continues a campaign. `None`: none was begun in this folder.
    ///
    /// # Errors
    /// A plan of another version or build, files that cannot be read.
    pub fn resume(dir: &Path, build: &Build) -> Result<Option<Session>, Refusal> {
        let path = dir.join("plan.json");
        if !path.exists() {
            return Ok(None);
        }
        let plan = Plan::read(&path)?;
        let build = build.describe();
        if plan.build != build {
            return Err(Refusal::usage(format!(
                "the campaign in {} was begun by build {}, this is {build}: its scenarios are others; \
                 expected the same build",
                dir.display(),
                plan.build
            )));
        }
        Self::open(dir, plan).map(Some)
    }

    fn open(dir: &Path, plan: Plan) -> Result<Session, Refusal> {
        let unreadable = |error: std::io::Error| {
            Refusal::usage(format!(
                "cannot read the campaign in {}: {error}",
                dir.display()
            ))
        };
        let workers = dir.join("workers");
        let under_way = supervisor::under_way(&plan, &workers);
        fs::create_dir_all(&workers).map_err(unreadable)?;
        let (journal, state, records) = Journal::open::<Totals, Record>(dir).map_err(unreadable)?;
        let mut totals = state.unwrap_or_default();
        for record in &records {
            totals.add(record);
        }
        Ok(Session {
            plan,
            dir: dir.to_owned(),
            totals,
            journal,
            under_way,
        })
    }

    /// Reads what a campaign has done so far, without continuing it.
    ///
    /// # Errors
    /// A folder without a campaign, files that cannot be read.
    pub fn read(dir: &Path) -> Result<(Plan, Totals), Refusal> {
        let session = Plan::read(&dir.join("plan.json")).and_then(|plan| Self::open(dir, plan))?;
        Ok((session.plan, session.totals))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs what is left, until the plan's limit or until `stop` is set, and judges.
    ///
    /// # Errors
    /// Workers that do not start, files that cannot be written.
    pub fn run(
        mut self,
        options: &SessionOptions,
        subjects: Subjects,
        stop: &Arc<AtomicBool>,
    ) -> Result<Outcome, Refusal> {
        let mut progress = Progress::new(&self.plan, options.is_silent);
        for line in &self.under_way {
            progress.note(&format!("under way when the campaign was killed: {line}"));
        }
        let setup = WorkerSetup {
            program: options.program.clone(),
            plan: Some(self.dir.join("plan.json")),
            bug: self.plan.bug.clone(),
            dir: Some(self.dir.join("workers")),
            memory_bytes: options.memory_bytes,
        };
        let labour = Labour {
            jobs: if self.plan.first_finding {
                1
            } else {
                options.jobs.max(1)
            },
            setup,
            watchdog_ms: options.watchdog_ms,
        };
        supervisor::run(
            &self.plan,
            &labour,
            &mut self.totals,
            &mut self.journal,
            &mut progress,
            stop,
            subjects,
        )?;
        let is_interrupted = stop.load(Ordering::Relaxed);
        progress.stage("looking at the canaries");
        let has_canaries =
            !self.plan.first_finding && self.plan.advantages == Advantages::ALL && !is_interrupted;
        let bad_canaries = if has_canaries {
            let findings = self.totals.findings.values();
            let has_findings = |lane| findings.clone().any(|finding| finding.lane == lane);
            supervisor::bad_canaries(&self.plan, &labour, has_findings)?
        } else {
            Vec::new()
        };
        let filed = findings::file_all(
            &self.plan,
            &self.totals,
            &self.dir,
            &labour.setup,
            labour.watchdog_ms,
            options.shrinks,
            subjects,
            &progress,
        )?;
        progress.close();
        self.finish(options, filed, bad_canaries, is_interrupted, subjects)
    }

    fn finish(
        self,
        options: &SessionOptions,
        filed: std::collections::BTreeMap<String, Filed>,
        bad_canaries: Vec<BadCanary>,
        is_interrupted: bool,
        subjects: Subjects,
    ) -> Result<Outcome, Refusal> {
        let vacuous = if is_interrupted || self.plan.first_finding {
            Vec::new()
        } else {
            judge(&self.plan, &self.totals, options.require_pairs, subjects)
        };
        let (known, known_gone) = compare_with_known(&self.totals, &options.known);
        let jobs = options.jobs;
        let summary = Summary::of(
            &self.plan,
            &self.totals,
            &filed,
            &vacuous,
            jobs,
            is_interrupted,
            subjects,
        );
        let impossible = summary::impossible_pairs(&self.plan, &self.totals, subjects);
        write_json(&self.dir.join("summary.json"), &summary).map_err(|error| {
            Refusal::broken(format!(
                "cannot write the summary in {}: {error}",
                self.dir.display()
            ))
        })?;
        Ok(Outcome {
            totals: self.totals,
            filed,
            vacuous,
            bad_canaries,
            known,
            known_gone,
            is_interrupted,
            impossible,
            summary,
        })
    }
}

/// What is vacuous, missing pairs included if they are required.
pub fn judge(
    plan: &Plan,
    totals: &Totals,
    require_pairs: bool,
    subjects: Subjects,
) -> Vec<Vacuous> {
    let mut vacuous = vacuity::judge(plan, totals, subjects);
    if require_pairs {
        vacuous.extend(vacuity::missing_pairs(plan, totals, subjects));
    }
    vacuous
}

fn compare_with_known(totals: &Totals, known: &[Failure]) -> (Vec<String>, Vec<Failure>) {
    let is_known = |failure: &Failure| known.iter().any(|k| is_same_finding(k, failure));
    let ids = totals
        .findings
        .iter()
        .filter(|(_, finding)| is_known(&finding.failure));
    let happened = |k: &&Failure| {
        totals
            .findings
            .values()
            .any(|found| is_same_finding(&found.failure, k))
    };
    let gone = known.iter().filter(|k| !happened(k)).cloned().collect();
    (ids.map(|(id, _)| id.clone()).collect(), gone)
}

/// A plan with everything at its default.
pub fn default_plan(seed: u64, limit: super::plan::Limit, subjects: &Subjects) -> Plan {
    Plan {
        version: PLAN_VERSION,
        build: subjects.build().describe(),
        seed,
        lanes: subjects.lanes(),
        limit,
        shard: crate::shard::Shard::WHOLE,
        strategy: None,
        heap: None,
        program: None,
        advantages: Advantages::ALL,
        bug: None,
        first_finding: false,
    }
}
