//! Programs in several versions, raced with a host that reloads, forces and ticks, both chosen by
//! the fuzzer, against every oracle.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::ReloadRace, input));
