//! Entry points: an executable, a fuzz target, one program.

use std::process::ExitCode;

use gcrucible_scenario::Lane;
use gcrucible_subject::{AnySubject, Build, NoBugs, Subjects};
use gcrucible_trace::choices::ByteChoices;
use gcrucible_trace::{Failure, RunOptions, RunReport};

use super::generator::generate;
use super::lane::{HeapLane, run_apart};
use super::program::Program;
use super::subject::HeapSubject;

/// The whole `main` of an executable that tests a heap: commands `run`, `replay`, `shrink`.
///
/// For a test of cargo's, with `harness = false`. Without a command it runs a campaign of ten
/// seconds; the exit code is 0 if nothing was found.
pub fn heap_main<H: HeapSubject>() -> ExitCode {
    let heap: &'static dyn AnySubject = Box::leak(Box::new(HeapLane::<H>::new(Lane::EXTRA)));
    let build = Box::leak(Box::new(Build {
        version: env!("CARGO_PKG_VERSION"),
        ..Build::default()
    }));
    let list = Box::leak(Box::new([heap]));
    gcrucible_command::main(Subjects::new(list, &NoBugs, build))
}

/// Runs one program in this process.
pub fn run_program<H: HeapSubject>(program: &Program) -> RunReport {
    let options = RunOptions {
        record: true,
        ..RunOptions::default()
    };
    run_apart::<H>(program, &options)
}

/// The body of a fuzz target: bytes to a program, which runs.
///
/// # Panics
/// If a claim does not hold, with the program and what happened.
pub fn heap_fuzz<H: HeapSubject>(bytes: &[u8]) {
    let program = generate(&mut ByteChoices::new(bytes), H::CAPS, None);
    let options = RunOptions::default();
    if let Some(Failure {
        oracle,
        check,
        message,
        ..
    }) = run_apart::<H>(&program, &options).failure
    {
        panic!("{oracle} / {check}: {message}\n{}", program.listing());
    }
}
