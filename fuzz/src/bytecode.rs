//! What must hold of the verifier for any program.

use std::sync::Arc;

use arbitrary::{Arbitrary as _, Unstructured};
use gcrucible_bytecode::{Program, VerifiedProgram, disassemble};
use gcrucible_crux_subjects::executor::programs;
use gcrucible_crux_subjects::scenario::{Body, Scenario};
use gcrucible_explore::Schedule;
use gcrucible_explore::strategy;
use gcrucible_trace::RunOptions;

/// Makes a program of any bytes, and lists it, and verifies it. An accepted one runs.
///
/// # Panics
/// When a check fails or the engine panics.
pub fn check(input: &[u8]) {
    let Ok(mut program) = Program::arbitrary(&mut Unstructured::new(input)) else {
        return;
    };
    let instructions: usize = program.functions.iter().map(|f| f.code.len()).sum();
    let lines = disassemble(&program).lines().count();
    assert!(lines >= instructions, "{lines} lines list {instructions}");
    program.find_live_registers();
    let Ok(program) = VerifiedProgram::new(program) else {
        return;
    };
    let scenario = Scenario::of_program(String::new());
    let Body::Programs(body) = &scenario.body else {
        unreachable!("a program's scenario is one of programs");
    };
    let options = RunOptions {
        decisions_max: super::DECISIONS_MAX,
        ..RunOptions::default()
    };
    let mut strategy = strategy(&Schedule::Recorded(Vec::new()), options.replay, None);
    let compiled = programs::Compiled {
        entry: Arc::new(program),
        versions: Vec::new(),
    };
    let report = programs::run_under(&scenario, body, &compiled, &mut *strategy, &options);
    super::judge(report.report.failure);
}
