//! Locks, atomics, threads and yields: all that threads do to each other goes through here, so that a
//! model checker can stand in for it. `clippy.toml` bans the rest.
//!
//! ```text
//! Mutex, RwLock, Condvar   locks
//! atomic                   what threads share without a lock
//! memory                   words of memory that are shared: whatever they are, they lie where they lie
//! thread                   threads, and letting others go first
//! ```
//!
//! The one switch is in `atomic.rs` (`machine`) and in this file: what is re-exported and wrapped is
//! the standard library's or `parking_lot`'s, and nothing outside of this module names either.

pub mod atomic;
pub mod memory;
pub mod thread;

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
