//! Every finding of the past: one scenario and one sentence of cause each, in
//! `stress/regressions`. They pass today and must go on passing.

use gcrucible_scenario::ScenarioData as _;
use std::path::{Path, PathBuf};

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::scenario::Scenario;
use gcrucible_trace::{ReplayMode, RunOptions};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../regressions");
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "scenario")
        })
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn past_findings_stay_fixed() {
    let files = files();
    assert!(!files.is_empty());
    for path in files {
        let name = path.display();
        let scenario = Scenario::read(&path).unwrap_or_else(|error| panic!("{error}"));
        // A recorded schedule keeps its meaning as far as it can: the engine may take other
        // steps today than on the day of the finding.
        let options = RunOptions {
            replay: ReplayMode::Lenient,
            ..RunOptions::default()
        };
        let report = executor::run(&scenario, &options);
        assert_eq!(report.failure, None, "{name}");
        assert_eq!(report.counters.invalid, 0, "{name}: {:?}", report.timeline);
    }
}

#[test]
fn every_finding_says_its_cause() {
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a file of text");
        let cause = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("// cause: "));
        let is_said = cause.is_some_and(|cause| cause.split_whitespace().count() >= 4);
        assert!(
            is_said,
            "{}: the first line must be `// cause: …`",
            path.display()
        );
    }
}
