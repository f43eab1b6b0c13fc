//! Any bytes as source text: errors or a program, which runs against every oracle.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::SourceText, input));
