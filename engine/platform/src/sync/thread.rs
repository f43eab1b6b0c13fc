//! Threads, and letting others go first.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the seam that the ban points to"
)]

use std::io;
use std::thread::{Builder, JoinHandle, Scope};

/// Starts a thread with a name, which tools show.
///
/// # Errors
/// When the operating system has none left.
pub fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(run)
}

/// Runs threads that may borrow, and waits for all of them.
pub fn scope<'env, T>(run: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T) -> T {
    std::thread::scope(run)
}

/// Lets other threads go first.
pub fn yield_now() {
    std::thread::yield_now();
}

/// Says that the thread goes round in a loop until another has done something.
#[inline(always)]
pub fn spin_loop() {
    std::hint::spin_loop();
}
