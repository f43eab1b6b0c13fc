//! Bytecode that no front end would write: the verifier refuses it, or it runs against
//! every oracle.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::Bytecode, input));
