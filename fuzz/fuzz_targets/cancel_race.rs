//! Programs about waits and cancellation, raced with a host that cancels, both chosen by the fuzzer,
//! under schedules that aim at what tasks do, against every oracle.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::CancelRace, input));
