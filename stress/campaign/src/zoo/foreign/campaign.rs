//! One campaign of one lane in an executable with published crates, up to its first finding.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;

use crate::summary::Summary;
use crate::watch::{Watch, wait};
use crate::zoo::budget::Budget;
use gcrucible_trace::{Exit, Refusal};

/// A campaign to be run.
#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) program: PathBuf,
    pub(super) lane: String,
    pub(super) seed: u64,
    pub(super) budget: Budget,
    pub(super) out: PathBuf,
}

/// How a campaign ended.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    /// It ran its budget, or to its first finding.
    Whole(Hunted),
    /// It did not, for this reason.
    Broken(String),
    /// Somebody wanted everything to end.
    Stopped,
}

/// What a campaign found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hunted {
    /// The oracle of its first finding.
    pub(super) oracle: Option<String>,
    /// CPU seconds of its worker.
    pub(super) cpu_s: f64,
    /// Statements and switches of the finding, if it was shrunk.
    pub(super) size: Option<(u64, u64)>,
}

impl Campaign {
    /// Runs it, and reads what it found.
    pub(super) fn run(&self, what: &str, watch: &mut Watch<'_>) -> Result<Ended, Refusal> {
        let broken = |error| {
            let program = self.program.display();
            Refusal::broken(format!("{what}: cannot run {program}: {error}"))
        };
        let log = self.log();
        let mut child = self.command(File::create(&log).map_err(broken)?);
        let mut child = child.spawn().map_err(broken)?;
        let status = wait(&mut child, what, watch).map_err(broken)?;
        if watch.stop.load(Ordering::Relaxed) {
            return Ok(Ended::Stopped);
        }
        let read = read(&self.out, &self.lane, status);
        Ok(read.map_or_else(
            |why| Ended::Broken(format!("{why}; see {}", log.display())),
            Ended::Whole,
        ))
    }

    /// Where it writes what it says.
    fn log(&self) -> PathBuf {
        let mut name = self.out.clone().into_os_string();
        name.push(".log");
        name.into()
    }

    fn command(&self, log: File) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args([
                "run",
                "--first-finding",
                "--jobs",
                "1",
                "--lane",
                &self.lane,
            ])
            .args(["--seed", &self.seed.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .arg("--out")
            .arg(&self.out);
        match self.budget {
            Budget::CpuMs(ms) => command.arg("--cpu-time").arg(format!("{ms}ms")),
            Budget::Scenarios(count) => command.arg("--scenarios").arg(count.to_string()),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }
}

/// Reads what a campaign has left in its folder. One that did not end by itself has nothing to say, even if it left
/// a summary: it might have found something yet.
fn read(out: &Path, lane: &str, status: ExitStatus) -> Result<Hunted, String> {
    let (clean, finding) = (Exit::Clean as i32, Exit::Finding as i32);
    if ![Some(clean), Some(finding)].contains(&status.code()) {
        return Err(format!("the campaign ended with {status}"));
    }
    let path = out.join("summary.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("the campaign left no {}: {error}", path.display()))?;
    // The lanes are not known to this executable: what it reads has them as text.
    let summary: Summary = serde_json::from_str(&text)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if summary.interrupted {
        return Err("the campaign was interrupted".to_owned());
    }
    let Some(done) = summary.lanes.get(lane) else {
        return Err(format!("the campaign ran no scenario of {lane}"));
    };
    let first = summary.findings.first();
    let filed = first.and_then(|first| crate::findings::read_filed(out, &first.id));
    Ok(Hunted {
        oracle: first.map(|first| first.oracle.clone()),
        cpu_s: done.cpu_s,
        size: filed
            .and_then(|filed| filed.after)
            .map(|after| (after.statements, after.switches)),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;
    use crate::findings::Filed;
    use gcrucible_scenario::Size;

    /// A folder of a test, which is gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("gcrucible-foreign-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(path.join("findings")).unwrap();
            Folder(path)
        }

        /// Writes the summary of a campaign of the lane `pool`, with so many findings.
        fn summary(&self, findings: &[&str], is_interrupted: bool) {
            let findings: Vec<String> = findings
                .iter()
                .map(|id| {
                    format!(
                        r#"{{"id":"{id}","oracle":"everything_ends","lane":"pool","seed":"pool:1:3",
                        "scenario":"","shrunk":"","replay":""}}"#
                    )
                })
                .collect();
            let counters = serde_json::to_string(&crate::summary::LaneSummary {
                cpu_s: 1.5,
                ..Default::default()
            });
            let text = format!(
                r#"{{"version":1,"seed":1,"elapsed_s":2.0,"cpu_s":1.5,"jobs":1,
                "interrupted":{is_interrupted},"lanes":{{"pool":{}}},
                "pairs":{{"feasible":0,"covered":0,"missing":[],"infeasible":[]}},
                "vacuous":[],"findings":[{}]}}"#,
                counters.unwrap(),
                findings.join(",")
            );
            std::fs::write(self.0.join("summary.json"), text).unwrap();
        }
    }

    impl Folder {
        /// Files a finding that shrank to four statements with two switches.
        fn file(&self, id: &str) {
            let filed = Filed {
                scenario: PathBuf::from("a.scenario"),
                shrunk: PathBuf::from("a.shrunk.scenario"),
                before: None,
                after: Some(Size {
                    statements: 4,
                    switches: 2,
                    collections: 0,
                }),
            };
            let filed = serde_json::to_string(&filed).unwrap();
            let note = format!(r#"{{"scenario":"","filed":{filed}}}"#);
            let path = self.0.join("findings").join(format!("{id}.json"));
            std::fs::write(path, note).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_campaign_with_findings_is_its_first_one_and_one_without_is_clean() {
        let folder = Folder::new("read");
        folder.summary(&["first", "second"], false);
        let found = read(&folder.0, "pool", exited(1)).unwrap();
        assert_eq!(found.oracle.as_deref(), Some("everything_ends"));
        assert_eq!((found.cpu_s, found.size), (1.5, None), "it was not filed");
        folder.file("first");
        let found = read(&folder.0, "pool", exited(1)).unwrap();
        assert_eq!(found.size, Some((4, 2)));
        folder.summary(&[], false);
        let clean = read(&folder.0, "pool", exited(0)).unwrap();
        assert_eq!((clean.oracle, clean.cpu_s), (None, 1.5));
    }

    #[test]
    fn a_campaign_that_was_killed_or_interrupted_is_not_clean() {
        let folder = Folder::new("killed");
        folder.summary(&[], false);
        let killed = ExitStatus::from_raw(9);
        let why = read(&folder.0, "pool", killed).unwrap_err();
        assert!(why.contains("signal: 9"), "{why}");
        let why = read(&folder.0, "pool", exited(4)).unwrap_err();
        assert!(why.contains("exit status: 4"), "{why}");
        folder.summary(&[], true);
        let why = read(&folder.0, "pool", exited(0)).unwrap_err();
        assert_eq!(why, "the campaign was interrupted");
    }

    #[test]
    fn a_summary_that_is_missing_or_torn_or_of_another_lane_is_said() {
        let folder = Folder::new("missing");
        let why = read(&folder.0, "pool", exited(0)).unwrap_err();
        assert!(
            why.contains("left no") && why.contains("summary.json"),
            "{why}"
        );
        std::fs::write(folder.0.join("summary.json"), "{\"version\":1,").unwrap();
        let why = read(&folder.0, "pool", exited(0)).unwrap_err();
        assert!(why.contains("cannot be read"), "{why}");
        folder.summary(&[], false);
        let why = read(&folder.0, "lock", exited(0)).unwrap_err();
        assert_eq!(why, "the campaign ran no scenario of lock");
    }
}
