//! The crate `async-lock`.

use std::sync::Arc;

use async_lock::{Mutex, Semaphore};
use gcrucible_futures_subject::World;

use super::shapes;

pub(super) fn semaphore(world: &World) {
    let permits = 1 + world.below(2);
    let semaphore = Arc::new(Semaphore::new(permits as usize));
    shapes::lock(world, permits, move || semaphore.acquire_arc());
}

pub(super) fn mutex(world: &World) {
    let mutex = Arc::new(Mutex::new(()));
    shapes::lock(world, 1, move || mutex.lock_arc());
}
