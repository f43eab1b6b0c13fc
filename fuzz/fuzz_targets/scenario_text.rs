//! Any bytes as the text of a scenario: an error or a scenario, which runs against every oracle.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run_text(input));
