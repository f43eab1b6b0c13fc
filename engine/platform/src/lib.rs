//! Everything that the operating system gives the engine: time, threads, timers,
//! chance, locks, memory. Nothing else in the engine reads a clock, spawns a thread or
//! draws a random number.
#![allow(unsafe_code, reason = "address space is reserved with mmap")]

pub mod memory;
pub mod seeded_bugs;
pub mod sync;
