//! The regression gate: `cargo bench -p gcrucible-benches --bench gate [-- --accept]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gcrucible_benches::gate::main()
}
