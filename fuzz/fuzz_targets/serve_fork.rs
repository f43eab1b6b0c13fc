//! Programs whose globals lead to much and to the same, raced with a host that forks them for serving,
//! calls into forks and drops them, all chosen by the fuzzer, against every oracle.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::ServeFork, input));
