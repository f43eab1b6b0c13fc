//! Everything that the operating system gives the engine: time, threads, timers,
//! chance, locks, memory. Nothing else in the engine reads a clock, spawns a thread or
//! draws a random number.

pub mod seeded_bugs;
