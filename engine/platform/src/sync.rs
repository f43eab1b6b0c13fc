//! Locks. One seam, so that a model checker can stand in for them.

pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
