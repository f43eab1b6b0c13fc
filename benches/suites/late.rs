//! How late a deadline of 50 ms and a cancellation are, for each built-in on a million elements
//! or ten million bytes: the median of five, in a table. Names given on the command line pick
//! some of them.

#![allow(clippy::print_stdout, reason = "a table for people")]

use gcrucible_benches::workloads::built_ins::{measure, names};

/// What is too late, in milliseconds.
const LATE_MS: i64 = 20;

fn main() {
    let picked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let is_picked = |name: &str| picked.is_empty() || picked.iter().any(|p| name.contains(p));
    println!(
        "{:32} {:>10} {:>14}",
        "built-in", "deadline", "cancellation"
    );
    let mut late = 0;
    for name in names().filter(|name| is_picked(name)) {
        let measured = measure(name);
        let is_late = measured.deadline > LATE_MS || measured.cancellation > LATE_MS;
        late += u32::from(is_late);
        println!(
            "{:32} {:>7} ms {:>11} ms{}",
            measured.name,
            measured.deadline,
            measured.cancellation,
            if is_late { "  late" } else { "" }
        );
    }
    println!("{late} of them are late by more than {LATE_MS} ms");
}
