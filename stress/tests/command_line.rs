//! The command line as others use it: what it refuses, what it writes, how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `crucible` in a folder of the test's own.
struct Crucible {
    dir: PathBuf,
}

impl Crucible {
    fn new(test: &str) -> Crucible {
        let dir = std::env::temp_dir().join(format!("crucible-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Crucible { dir }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_crucible"))
            .args(arguments)
            .current_dir(&self.dir)
            .output()
            .unwrap()
    }

    /// Runs a command that must be refused with exit code 2 and these words.
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        for word in words {
            assert!(
                stderr.contains(word),
                "{arguments:?}: expected `{word}` in: {stderr}"
            );
        }
    }

    fn file(&self, name: &str, content: &str) {
        fs::write(self.dir.join(name), content).unwrap();
    }

    fn summary(&self, dir: &str) -> Value {
        let text = fs::read_to_string(self.dir.join(dir).join("summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Crucible {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The summary without what may differ between two runs of the same scenarios.
fn comparable(summary: &Value) -> Value {
    match summary {
        Value::Object(fields) => {
            let varies = |name: &String| {
                ["jobs", "elapsed_s", "cpu_s"].contains(&name.as_str()) || name.ends_with("_per_s")
            };
            let kept = fields.iter().filter(|(name, _)| !varies(name));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), comparable(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

#[test]
fn bad_values_are_refused_with_what_was_expected() {
    let crucible = Crucible::new("values");
    crucible.refuses(
        &["run", "--seed", "seven"],
        &["seven", "expected a whole number"],
    );
    crucible.refuses(&["run", "--seed", "9007199254740992"], &["2^53"]);
    crucible.refuses(
        &["run", "--time", "60"],
        &["expected a duration like 500ms"],
    );
    crucible.refuses(
        &["run", "--lane", "heap"],
        &["expected heap-ops or programs"],
    );
    crucible.refuses(&["run", "--lane", "server"], &["reload or serve"]);
    crucible.refuses(&["run", "--strategy", "best"], &["expected one of random"]);
    crucible.refuses(
        &["run", "--strategy", "exhaustive"],
        &["expected --program"],
    );
    crucible.refuses(&["run", "--preemptions", "1"], &["--strategy exhaustive"]);
    crucible.refuses(
        &["run", "--preemptions", "few"],
        &["expected a number of preemptions"],
    );
    crucible.refuses(&["run", "one.scenario"], &["--strategy exhaustive"]);
    crucible.refuses(&["run", "--heap", "zombi"], &["zombi", "expected"]);
    crucible.refuses(&["run", "--shard", "4/4"], &["0 <= k < n"]);
    crucible.refuses(&["run", "--jobs", "0"], &["from 1 to 1024"]);
    crucible.refuses(&["run", "--nonsense"], &["--nonsense"]);
    crucible.refuses(
        &["run", "--time", "1s", "--scenarios", "5"],
        &["--scenarios"],
    );
    crucible.refuses(&["replay", "heap-ops:7"], &["lane:seed:index"]);
    crucible.refuses(&["replay", "missing.scenario"], &["does not exist"]);
    crucible.refuses(&["zoo", "B-999"], &["no seeded bug"]);
    crucible.refuses(&["frobnicate"], &["frobnicate"]);
    assert!(
        fs::read_dir(&crucible.dir).unwrap().next().is_none(),
        "nothing half-written"
    );
}

#[test]
fn bad_folders_are_refused() {
    let crucible = Crucible::new("folders");
    crucible.file("occupied", "a file");
    fs::create_dir(crucible.dir.join("full")).unwrap();
    crucible.file("full/something", "");
    let run = |out: &'static str| ["run", "--scenarios", "1", "--out", out];
    crucible.refuses(&run("occupied"), &["occupied", "expected"]);
    crucible.refuses(&run("/proc/nowhere"), &["/proc/nowhere", "expected"]);
    crucible.refuses(&run("full"), &["not empty", "--resume"]);
    crucible.refuses(&["run", "--resume", "full"], &["no campaign"]);
    crucible.refuses(&["merge", "full"], &["plan"]);
}

#[test]
fn bad_scenarios_are_refused_with_their_place() {
    let crucible = Crucible::new("scenarios");
    crucible.file("bad.scenario", "(\n  format: 1,\n  colour: 3,\n)");
    crucible.refuses(&["replay", "bad.scenario"], &["bad.scenario:3:", "colour"]);
    crucible.refuses(&["shrink", "bad.scenario"], &["bad.scenario:3:"]);
    crucible.file("cut.scenario", "(\n  format: 1,\n  origin: (");
    crucible.refuses(
        &["replay", "cut.scenario"],
        &["cut.scenario:3:", "too early"],
    );
    crucible.file("new.scenario", "(\n  format: 9,\n)");
    let newer = crucible.run(&["replay", "new.scenario"]);
    assert_eq!(newer.status.code(), Some(6));
    let bisecting = crucible.run(&["replay", "new.scenario", "--bisect"]);
    assert_eq!(bisecting.status.code(), Some(125));
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let crucible = Crucible::new("jobs");
    for (jobs, out) in [("1", "one"), ("2", "two"), ("2", "again")] {
        let output = crucible.run(&[
            "run",
            "--scenarios",
            "300",
            "--seed",
            "7",
            "--jobs",
            jobs,
            "--out",
            out,
            "--no-shrink",
        ]);
        assert!(
            output
                .status
                .code()
                .is_some_and(|code| code != 2 && code != 4),
            "{output:?}"
        );
    }
    let one = crucible.summary("one");
    assert_eq!(one["lanes"]["heap-ops"]["scenarios"], 300);
    assert_eq!(comparable(&one), comparable(&crucible.summary("two")));
    assert_eq!(comparable(&one), comparable(&crucible.summary("again")));
}

#[test]
fn shards_merge_to_the_whole() {
    let crucible = Crucible::new("shards");
    let run = |out: &str, shard: &str| {
        crucible.run(&[
            "run",
            "--scenarios",
            "101",
            "--seed",
            "7",
            "--shard",
            shard,
            "--out",
            out,
            "--no-shrink",
            "--lane",
            "heap-ops",
        ]);
    };
    run("whole", "0/1");
    run("even", "0/2");
    run("odd", "1/2");
    let merged = crucible.run(&["merge", "even", "odd", "--out", "merged"]);
    assert_eq!(merged.status.code(), Some(0), "{merged:?}");
    assert_eq!(
        comparable(&crucible.summary("merged")),
        comparable(&crucible.summary("whole"))
    );
    crucible.refuses(&["merge", "even", "even"], &["each shard once"]);
}

#[test]
fn a_campaign_resumes_where_it_was_and_keeps_its_plan() {
    let crucible = Crucible::new("resume");
    crucible.run(&[
        "run",
        "--scenarios",
        "50",
        "--seed",
        "7",
        "--out",
        "out",
        "--no-shrink",
    ]);
    let before = comparable(&crucible.summary("out"));
    crucible.refuses(
        &["run", "--resume", "out", "--seed", "8"],
        &["--seed differs"],
    );
    let resumed = crucible.run(&["run", "--resume", "out", "--no-shrink"]);
    assert!(resumed.status.success(), "{resumed:?}");
    assert_eq!(comparable(&crucible.summary("out")), before);
}

#[test]
fn a_replay_prints_the_same_bytes_twice() {
    let crucible = Crucible::new("replay");
    for seed in ["programs:7:123", "heap-ops:7:123"] {
        let first = crucible.run(&["replay", seed, "--trace", "trace.json"]);
        assert_eq!(first.status.code(), Some(0), "{first:?}");
        assert!(!first.stdout.is_empty());
        assert_eq!(first.stdout, crucible.run(&["replay", seed]).stdout);
        let trace = fs::read_to_string(crucible.dir.join("trace.json")).unwrap();
        let trace: Value = serde_json::from_str(&trace).unwrap();
        assert!(
            trace["traceEvents"]
                .as_array()
                .is_some_and(|events| !events.is_empty())
        );
    }
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    let crucible = Crucible::new("shrink");
    let output = crucible.run(&["shrink", "heap-ops:7:1"]);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
}

#[test]
fn the_summary_has_all_fields_from_the_first_day() {
    let crucible = Crucible::new("fields");
    crucible.run(&[
        "run",
        "--scenarios",
        "5",
        "--seed",
        "7",
        "--out",
        "out",
        "--junit",
        "j.xml",
    ]);
    let summary = crucible.summary("out");
    for lane in ["heap-ops", "programs", "cancellation", "reload", "serve"] {
        let lane = &summary["lanes"][lane];
        for field in [
            "scenarios",
            "operations",
            "statements",
            "tasks",
            "decisions",
            "safepoints",
            "objects_moved",
            "zombies",
            "bytes_scribbled",
            "calls",
            "cancels",
            "forks",
            "findings",
            "trace_hash",
            "cpu_s",
            "scenarios_per_s",
            "decisions_per_s",
        ] {
            assert!(!lane[field].is_null(), "{field}");
        }
        assert!(lane["collections"]["minor"].is_u64());
        assert!(lane["futures"]["internal_error"].is_u64());
        assert!(lane["reloads"]["deferred"].is_u64());
        assert!(lane["requests"]["disconnected"].is_u64());
    }
    for field in [
        "version",
        "seed",
        "elapsed_s",
        "cpu_s",
        "jobs",
        "interrupted",
        "vacuous",
    ] {
        assert!(!summary[field].is_null(), "{field}");
    }
    assert!(summary["pairs"]["feasible"].as_u64() > Some(0));
    assert!(
        fs::read_to_string(crucible.dir.join("j.xml"))
            .unwrap()
            .contains("<testsuite")
    );
}

#[test]
fn all_schedules_of_one_program() {
    let crucible = Crucible::new("exhaustive");
    let program = |check: &str| {
        format!(
            "class Counter {{ n }}\nconst c = Counter {{ n: 0 }}\nfn task() {{ c.n = c.n + 1 }}\n\
             fn main() {{ let f = spawn task(); c.n = c.n + 1; await f; assert({check}) }}"
        )
    };
    crucible.file("holds.crux", &program("c.n > 0"));
    crucible.file("loses.crux", &program("c.n == 2"));
    let run = |arguments: &[&str]| {
        let all = [&["run", "--strategy", "exhaustive", "--json"], arguments].concat();
        let output = crucible.run(&all);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), json)
    };
    let (code, json) = run(&["--program", "holds.crux"]);
    assert_eq!((code, &json["is_complete"]), (Some(0), &Value::Bool(true)));
    let rounds = json["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3, "none, one, two");
    assert!(rounds[2]["covered"].as_u64() > rounds[2]["schedules"].as_u64());

    let (code, json) = run(&["--program", "loses.crux", "--out", "found"]);
    assert_eq!(code, Some(1));
    let finding = &json["findings"][0];
    assert_eq!(finding["check"], "AssertionFailed");
    let file = finding["scenario"].as_str().unwrap();
    assert_eq!(crucible.run(&["replay", file]).status.code(), Some(1));
    let (code, again) = run(&[file, "--preemptions", "1", "--out", "again"]);
    assert_eq!(
        (code, &again["findings"][0]["site"]),
        (Some(1), &finding["site"])
    );

    let (code, json) = run(&["--program", "loses.crux", "--preemptions", "0"]);
    assert_eq!((code, &json["is_complete"]), (Some(0), &Value::Bool(true)));
    let (code, json) = run(&["--program", "holds.crux", "--scenarios", "2"]);
    assert_eq!((code, &json["is_complete"]), (Some(3), &Value::Bool(false)));
}
