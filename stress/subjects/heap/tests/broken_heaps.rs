//! Heaps that end, block or refuse their process: each is a finding that says so, and the campaign
//! goes on. This test is the executable whose workers they kill.
#![allow(
    dead_code,
    reason = "of the heaps with bugs only those that do something to their process are used here"
)]

mod marked;

use std::path::Path;
use std::process::{Command, ExitCode};

use gcrucible_campaign::summary::Summary;
use gcrucible_heap_subject::HeapLane;
use gcrucible_scenario::Lane;
use gcrucible_subject::{AnySubject, Build, NoBugs, Subjects};

use marked::*;

static RIGHT: HeapLane<Marked<NONE>> = HeapLane::new(Lane::EXTRA);
static NEW: HeapLane<Marked<NEW_PANICS>> = HeapLane::new(Lane::EXTRA + 1);
static HANG: HeapLane<Marked<HANGS>> = HeapLane::new(Lane::EXTRA + 2);
static ABORT: HeapLane<Marked<ABORTS>> = HeapLane::new(Lane::EXTRA + 3);
static PANIC: HeapLane<Marked<COLLECT_PANICS>> = HeapLane::new(Lane::EXTRA + 4);
static ALLOC: HeapLane<Marked<NEVER_ALLOCATES>> = HeapLane::new(Lane::EXTRA + 5);
static SAME: HeapLane<Marked<NOT_REFLEXIVE>> = HeapLane::new(Lane::EXTRA + 6);
static LIST: [&dyn AnySubject; 7] = [&RIGHT, &NEW, &HANG, &ABORT, &PANIC, &ALLOC, &SAME];
static BUILD: Build = Build {
    version: "0",
    commit: "",
    features: Vec::new(),
};

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|command| command != "--nocapture")
    {
        return gcrucible_command::main(Subjects::new(&LIST, &NoBugs, &BUILD));
    }
    is_found("marked", 500, &[]);
    is_found("new-panics", 20, &["no_crash/panic"]);
    is_found("hangs", 3, &["no_crash/hang"]);
    is_found("aborts", 20, &["no_crash/abort"]);
    is_found("collect-panics", 20, &["no_crash/panic"]);
    is_found(
        "never-allocates",
        20,
        &["heap_keeps_its_contract/alloc_fails"],
    );
    is_found(
        "not-reflexive",
        200,
        &["heap_keeps_its_contract/same_is_not_reflexive"],
    );
    a_finding_replays();
    println!("test heaps that break their process are findings ... ok");
    ExitCode::SUCCESS
}

fn run(out: &Path, args: &[&str]) -> (Option<i32>, String) {
    let program = std::env::current_exe().expect("a test knows its executable");
    let done = Command::new(program)
        .args(args)
        .current_dir(out)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (
        done.status.code(),
        text + &String::from_utf8_lossy(&done.stderr),
    )
}

/// All scenarios of the lane run, and what is found is this.
fn is_found(lane: &str, scenarios: u64, expected: &[&str]) {
    let out = folder(lane);
    let count = scenarios.to_string();
    let common = [
        "--seed",
        "1",
        "--jobs",
        "1",
        "--watchdog",
        "2s",
        "--out",
        "campaign",
    ];
    let (code, text) = run(
        &out,
        &[
            &["run", "--lane", lane, "--scenarios", &count, "--no-shrink"],
            &common[..],
        ]
        .concat(),
    );
    assert_eq!(code, Some(i32::from(!expected.is_empty())), "{text}");
    let summary = std::fs::read_to_string(out.join("campaign/summary.json")).unwrap();
    let summary: Summary = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        summary.lanes[lane].counters.scenarios, scenarios,
        "the campaign goes on: {text}"
    );
    for found in expected {
        let found = found.replace('/', " / ");
        assert!(text.contains(&found), "{found} is not in {text}");
    }
    std::fs::remove_dir_all(out).unwrap();
}

/// A heap that ends its process is shrunk to nothing but the collection, and the file replays.
fn a_finding_replays() {
    let out = folder("replay");
    let (code, text) = run(&out, &["shrink", "aborts:1:0", "--out", "small.scenario"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&out, &["replay", "small.scenario"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("size      0 statements"), "{text}");
    assert!(text.contains("FAILED no_crash / abort"), "{text}");
    std::fs::remove_dir_all(out).unwrap();
}

fn folder(name: &str) -> std::path::PathBuf {
    let name = format!("gcrucible-broken-heaps-{}-{name}", std::process::id());
    let out = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&out).unwrap();
    out
}
