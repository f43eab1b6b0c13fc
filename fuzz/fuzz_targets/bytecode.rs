//! Bytecode that no front end would write: the verifier refuses it, or it runs against
//! every oracle. The first byte says whether the others are a whole program, or edits of a
//! generated one.
#![no_main]

use gcrucible_fuzz::{FuzzTarget, bytecode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| match input.first() {
    Some(0) => bytecode::check(&input[1..]),
    _ => gcrucible_fuzz::run(FuzzTarget::Bytecode, input),
});
