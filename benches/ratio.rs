//! Ratios of two workloads that take turns in one run: what a busy machine does to one, it
//! does to the other.

use std::time::Duration;

use gcrucible_platform::clock::Clock;

/// Turns that each of the two gets.
const TURNS: u32 = 25;

/// Prints how many times the least time of `ours` is that of `theirs`. Each is given as
/// its name and one turn's work; a turn should take some milliseconds.
pub fn print(ours: (&str, impl FnMut()), theirs: (&str, impl FnMut())) {
    let ((our_name, mut ours), (their_name, mut theirs)) = (ours, theirs);
    let (mut our_least, mut their_least) = (Duration::MAX, Duration::MAX);
    for _ in 0..TURNS {
        our_least = our_least.min(time(&mut ours));
        their_least = their_least.min(time(&mut theirs));
    }
    let ratio = our_least.as_secs_f64() / their_least.as_secs_f64();
    println!(
        "ratio {our_name} / {their_name}: {ratio:.2} ({our_least:.2?} against {their_least:.2?})"
    );
}

fn time(work: &mut impl FnMut()) -> Duration {
    let clock = Clock::start();
    work();
    clock.elapsed()
}
