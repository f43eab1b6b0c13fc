//! Heap programs, chosen by the fuzzer, against the heap and its model.
#![no_main]

use gcrucible_fuzz::FuzzTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| gcrucible_fuzz::run(FuzzTarget::HeapOps, input));
