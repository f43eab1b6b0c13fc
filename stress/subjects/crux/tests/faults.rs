//! Injected allocation failures: each is thrown once, as an `OutOfMemory` that the program
//! can catch, wherever in the program it comes.

use gcrucible_crux_subjects::executor;
use gcrucible_crux_subjects::scenario::{Fault, Scenario};
use gcrucible_trace::{RunOptions, RunReport};

/// Counts the errors that it catches: in itself, and in what it spawns.
const COUNTS: &str = r#"
fn leaf(n) { return [n, [n, "${n}"]] }

fn attempt(n) {
  try {
    let t = spawn leaf(n)
    let map = {n: [n]}
    let found = await t
    let copy = deep_copy([found, map])
    return 0
  } catch e {
    assert(e.kind == "OutOfMemory")
    return 1
  }
}

fn main() {
  let caught = 0
  for n in 0..8 { caught = caught + attempt(n) }
  assert(caught <= 1)
  return caught
}
"#;

fn run(scenario: &Scenario) -> RunReport {
    let options = RunOptions {
        record: true,
        ..RunOptions::default()
    };
    executor::run(scenario, &options).report
}

fn scenario(fault: u32, modes: &str) -> Scenario {
    Scenario {
        debug: modes.parse().unwrap(),
        faults: vec![Fault::OutOfMemory { at: fault }],
        ..Scenario::of_program(COUNTS.to_owned())
    }
}

#[test]
fn each_allocation_of_a_program_may_fail() {
    let mut delivered = 0;
    for modes in [
        "natural",
        "collect=safepoint,kind=major,zombie",
        "verify=full",
    ] {
        for fault in 0..120 {
            let report = run(&scenario(fault, modes));
            assert_eq!(report.failure, None, "allocation {fault} under {modes}");
            assert!(report.counters.faults <= 1);
            delivered += report.counters.faults;
        }
    }
    assert!(delivered > 200, "{delivered} of 360 failed");
}

#[test]
fn a_fault_has_a_mode_of_its_own() {
    let by_fault = run(&scenario(9, "natural"));
    let mut by_mode = scenario(0, "fail=alloc:9");
    by_mode.faults.clear();
    let by_mode = run(&by_mode);
    assert_eq!(by_fault.counters.faults, 1);
    assert_eq!(by_fault.trace_hash, by_mode.trace_hash);
    let lines = by_fault.timeline.iter();
    let refused = lines.filter(|(_, line)| line.contains("as the scenario says"));
    assert_eq!(refused.count(), 1);
}
