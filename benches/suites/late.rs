//! How late a deadline of 50 ms and a cancellation are, for each built-in and operator on a
//! million elements or ten million bytes: the median of five and the worst, in a table. Names
//! given on the command line pick some of them. It fails if a median is too late.

#![allow(clippy::print_stdout, reason = "a table for people")]

use std::process::ExitCode;

use gcrucible_benches::workloads::built_ins::{measure, names};

/// What is too late, in milliseconds.
const LATE_MS: i64 = 20;

fn main() -> ExitCode {
    let picked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let is_picked = |name: &str| picked.is_empty() || picked.iter().any(|p| name.contains(p));
    println!(
        "{:32} {:>20} {:>20}",
        "median (worst) of five", "after a deadline", "after a cancellation"
    );
    let mut wrong = 0;
    for name in names().filter(|name| is_picked(name)) {
        let late = match measure(name) {
            Ok(late) => late,
            Err(error) => {
                println!("{name:32} {error}");
                wrong += 1;
                continue;
            }
        };
        let is_late = late.deadline[0] > LATE_MS || late.cancellation[0] > LATE_MS;
        wrong += u32::from(is_late);
        let shown = |[median, worst]: [i64; 2]| format!("{median} ({worst}) ms");
        println!(
            "{:32} {:>20} {:>20}{}",
            late.name,
            shown(late.deadline),
            shown(late.cancellation),
            if is_late { "  late" } else { "" }
        );
    }
    println!("{wrong} of them are late by more than {LATE_MS} ms, or failed");
    match wrong {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
