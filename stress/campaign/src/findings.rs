//! Findings on disk: the scenario as it was found, as small as it got, and what happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::journal::{write_json, write_whole};
use super::plan::{Plan, Source};
use super::process::WorkerSetup;
use super::progress::Progress;
use super::totals::{Finding, Totals, is_same_finding};
use super::trial::{TrialOptions, Trials};
use gcrucible_report::failure_report;
use gcrucible_scenario::Size;
use gcrucible_shrink::ShrinkBudget;
use gcrucible_subject::{Case, Subjects};
use gcrucible_trace::{Failure, Refusal, ReplayMode};

/// Findings that are shrunk in one campaign; the rest can be shrunk by hand.
const SHRUNK_MAX: usize = 16;

/// Where a finding's files are, and how large it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// The scenario as it was found.
    pub scenario: PathBuf,
    /// The scenario as small as it got; the same file if it was not shrunk.
    pub shrunk: PathBuf,
    /// Its size as found.
    pub before: Option<Size>,
    /// Its size when shrunk.
    pub after: Option<Size>,
}

/// Writes every finding's files into `dir/findings`; what is there stays.
///
/// # Errors
/// Files that cannot be written, workers that do not start.
#[allow(
    clippy::too_many_arguments,
    reason = "each is a part of the session with a life of its own; a bundle would only rename them"
)]
pub fn file_all(
    plan: &Plan,
    totals: &Totals,
    dir: &Path,
    setup: &WorkerSetup,
    watchdog_ms: u64,
    shrinks: bool,
    subjects: Subjects,
    progress: &Progress,
) -> Result<BTreeMap<String, Filed>, Refusal> {
    let folder = dir.join("findings");
    let write_error =
        |error| Refusal::broken(format!("cannot write {}: {error}", folder.display()));
    if !totals.findings.is_empty() {
        std::fs::create_dir_all(&folder).map_err(write_error)?;
    }
    let source = Source::of(plan, subjects)?;
    // Not the plan's workers: these run scenarios that are sent to them.
    let setup = WorkerSetup {
        plan: None,
        ..setup.clone()
    };
    let mut trials = Trials::new(setup, "trial", watchdog_ms);
    let mut filed = BTreeMap::new();
    for (number, (id, finding)) in totals.findings.iter().enumerate() {
        let scenario = scenario_of(plan, &source, finding, subjects);
        let path = folder.join(format!("{id}.scenario"));
        let note = folder.join(format!("{id}.json"));
        if let Some(known) = read_note(&note, &finding.failure, &*scenario, subjects) {
            filed.insert(id.clone(), known);
            continue;
        }
        write_whole(&path, scenario.to_text().as_bytes()).map_err(write_error)?;
        let mut entry = Filed {
            scenario: path.clone(),
            shrunk: path,
            before: None,
            after: None,
        };
        if shrinks && number < SHRUNK_MAX {
            progress.stage(&format!("shrinking {id}"));
            shrink_one(
                plan,
                id,
                &*scenario,
                finding,
                &folder,
                &mut trials,
                &mut entry,
            )?;
        }
        write_json(
            &note,
            &Note {
                scenario: scenario.to_text(),
                filed: entry.clone(),
            },
        )
        .map_err(write_error)?;
        filed.insert(id.clone(), entry);
    }
    trials.close();
    Ok(filed)
}

/// Which scenario the files are of: a later life of the campaign may know an earlier one.
#[derive(Serialize, Deserialize)]
struct Note {
    scenario: String,
    filed: Filed,
}

/// The files of a finding in a campaign's folder.
pub fn read_filed(dir: &Path, id: &str) -> Option<Filed> {
    let path = dir.join("findings").join(format!("{id}.json"));
    let note: Note = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    Some(note.filed)
}

fn read_note(
    path: &Path,
    failure: &Failure,
    scenario: &dyn Case,
    subjects: Subjects,
) -> Option<Filed> {
    let note: Note = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let known = subjects.parse(&note.scenario).ok()?;
    let is_same = known.to_text() == scenario.to_text()
        && known
            .origin()
            .failure
            .as_ref()
            .is_some_and(|f| is_same_finding(f, failure));
    is_same.then_some(note.filed)
}

/// The scenario of a finding, with what it failed in its origin.
pub fn scenario_of(
    plan: &Plan,
    source: &Source,
    finding: &Finding,
    subjects: Subjects,
) -> Box<dyn Case> {
    let mut scenario = if finding.failure.site == "generate" || is_generator_panic(finding) {
        // There is no scenario: the generator itself fell over it.
        let mut scenario = subjects.of(finding.lane).empty();
        scenario.origin_mut().seed = Some(finding.scenario_seed(plan.seed).to_string());
        scenario
    } else {
        source.scenario(finding.lane, finding.index)
    };
    let origin = scenario.origin_mut();
    subjects.build().stamp(origin);
    origin.bug.clone_from(&plan.bug);
    origin.failure = Some(finding.failure.clone());
    scenario
}

fn is_generator_panic(finding: &Finding) -> bool {
    finding.failure.check == "panic" && finding.failure.message.starts_with("the generator")
}

fn shrink_one(
    plan: &Plan,
    id: &str,
    scenario: &dyn Case,
    finding: &Finding,
    folder: &Path,
    trials: &mut Trials,
    entry: &mut Filed,
) -> Result<(), Refusal> {
    let write_error =
        |error| Refusal::broken(format!("cannot write {}: {error}", folder.display()));
    let mut run = |scenario: &str, record: bool, replay: ReplayMode| {
        let wanted = Some(&finding.failure);
        let options = TrialOptions::of_shrinker(wanted, record, replay, plan.advantages);
        trials.run(scenario, &options)
    };
    let shrunk = scenario.shrink(Some(&finding.failure), &mut run, ShrinkBudget::CAMPAIGN);
    let text = match shrunk {
        Ok(Some(shrunk)) => {
            let path = folder.join(format!("{id}.shrunk.scenario"));
            write_whole(&path, shrunk.case.to_text().as_bytes()).map_err(write_error)?;
            entry.before = Some(shrunk.before);
            entry.after = Some(shrunk.after);
            entry.shrunk = path;
            failure_report::render(&*shrunk.case, &shrunk.verdict)
        }
        // A crash that depends on what the process did before, or on chance: the report
        // says so, and the finding stays.
        Ok(None) => format!(
            "{}\n\nThe scenario did not fail again in a fresh process.\n",
            finding.failure.message
        ),
        Err(refusal) => format!("{}\n\n{}\n", finding.failure.message, refusal.message),
    };
    write_whole(&folder.join(format!("{id}.txt")), text.as_bytes()).map_err(write_error)
}

/// Failures of scenario files in a folder that are known and not fatal.
///
/// # Errors
/// A folder or scenario that cannot be read.
pub fn read_known(dir: &Path, subjects: Subjects) -> Result<Vec<Failure>, Refusal> {
    let entries = std::fs::read_dir(dir).map_err(|error| {
        Refusal::usage(format!(
            "cannot read the known findings in {}: {error}",
            dir.display()
        ))
    })?;
    let mut known = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "scenario")
        {
            known.extend(subjects.read(&path)?.origin().failure.clone());
        }
    }
    Ok(known)
}
