//! The `crucible` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    gcrucible_stress::cli::main().into()
}
