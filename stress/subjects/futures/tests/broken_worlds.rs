//! Worlds that cannot be made, block, or end their process: each is a finding that says so, and the campaign goes
//! on. This test is the executable whose workers they kill.

use std::path::Path;
use std::process::{Command, ExitCode};

use gcrucible_campaign::summary::Summary;
use gcrucible_futures_subject::{NamedWorld, World, futures_main};

const WORLDS: &[NamedWorld] = &[
    ("right", right),
    ("unmade", |_| panic!("there is no world")),
    ("panics", |world| {
        world.task("panics", async { panic!("it cannot go on") });
    }),
    ("hangs", |world| {
        world.task("hangs", async {
            loop {
                std::hint::spin_loop();
            }
        });
    }),
    ("aborts", |world| {
        world.task("aborts", async { std::process::abort() });
    }),
    ("exits", |world| {
        world.task("exits", async { std::process::exit(0) });
    }),
];

fn right(world: &World) {
    for name in ["first", "second"] {
        let of_task = world.clone();
        world.droppable(name, async move { of_task.yield_now().await });
    }
}

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    if command.is_some_and(|command| command != "--nocapture") {
        return futures_main(WORLDS);
    }
    is_found("right", 500, None);
    is_found("unmade", 20, Some("no_crash / panic"));
    is_found("panics", 20, Some("no_crash / panic"));
    is_found("hangs", 3, Some("no_crash / hang"));
    is_found("aborts", 20, Some("no_crash / abort"));
    is_found("exits", 20, Some("no_crash / "));
    println!("test worlds that break their process are findings ... ok");
    ExitCode::SUCCESS
}

/// All scenarios of the world run, and what is found is this.
fn is_found(world: &str, scenarios: u64, expected: Option<&str>) {
    let name = format!("gcrucible-broken-worlds-{}-{world}", std::process::id());
    let out = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&out).unwrap();
    let count = scenarios.to_string();
    let (code, text) = run(
        &out,
        &[
            "run",
            "--lane",
            world,
            "--scenarios",
            &count,
            "--no-shrink",
            "--seed",
            "1",
            "--jobs",
            "1",
            "--watchdog",
            "2s",
            "--out",
            "campaign",
        ],
    );
    assert_eq!(code, Some(i32::from(expected.is_some())), "{world}: {text}");
    let summary = std::fs::read_to_string(out.join("campaign/summary.json")).unwrap();
    let summary: Summary = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        summary.lanes[world].counters.scenarios, scenarios,
        "the campaign goes on: {text}"
    );
    if let Some(expected) = expected {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    std::fs::remove_dir_all(out).unwrap();
}

fn run(out: &Path, args: &[&str]) -> (Option<i32>, String) {
    let program = std::env::current_exe().expect("a test knows its executable");
    let done = Command::new(program)
        .args(args)
        .current_dir(out)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let text = text + &String::from_utf8_lossy(&done.stderr);
    (done.status.code(), text)
}
