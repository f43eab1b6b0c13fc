//! Memory of a process in which the same is done again and again: it must be flat.
//!
//! ```text
//! cargo bench -p gcrucible-benches --bench resident [-- NAME …]
//! ```
//!
//! Each goes in a process of its own, and is done as often before memory is looked at: pages that
//! are touched for the first time, and what the allocator keeps of its highest tide, are no leaks.
//! Ends with exit code 1 when one has more than 5 % more memory in RAM at the end than after a
//! tenth of its times. (10,000 reloads have a bench of their own:
//! `cargo bench -p gcrucible-cli --bench reloads_under_load`.)

#![allow(clippy::print_stdout, reason = "a table for people")]

use std::process::{Command, ExitCode};

use gcrucible_benches::workloads::resident::{Process, Repeated};

const MOST_GROWTH: f64 = 1.05;

/// Says to a process that it is the one in which something is done.
const INSIDE: &str = "--inside";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_inside = args.iter().any(|arg| arg == INSIDE);
    let named = |what: &Repeated| args.iter().any(|arg| arg == what.name());
    let has_names = Repeated::ALL.iter().any(named);
    let picked = Repeated::ALL.into_iter();
    let picked = picked.filter(|what| !has_names || named(what));
    if is_inside {
        let grew = picked.map(measure).filter(|growth| *growth > MOST_GROWTH);
        return ExitCode::from(u8::from(grew.count() > 0));
    }
    let mut failed = 0;
    for what in picked {
        let own = std::env::current_exe().expect("the bench has a file");
        let status = Command::new(own).args([INSIDE, what.name()]).status();
        failed += u32::from(!status.expect("it starts").success());
    }
    ExitCode::from(u8::from(failed > 0))
}

/// Does it; by how much the memory has grown.
fn measure(what: Repeated) -> f64 {
    let process = Process::new();
    let times = what.times();
    let mut seen = Vec::new();
    process.repeat(what, times, |_| {});
    process.repeat(what, times, |_| seen.push(resident_mib()));
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    let growth = last / first;
    println!(
        "{:22} {times:>9} times: {first:.2} MiB after a tenth, {last:.2} MiB at the end, {growth:.3}",
        what.name()
    );
    growth
}

/// Memory of the process that is in RAM.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
    kib / 1024.0
}
