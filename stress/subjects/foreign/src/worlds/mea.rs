//! The crate `mea`.

use std::sync::Arc;

use gcrucible_futures_subject::World;
use mea::semaphore::Semaphore;

use super::shapes;

pub(super) fn semaphore(world: &World) {
    let permits = 1 + world.below(2);
    let semaphore = Arc::new(Semaphore::new(permits as usize));
    shapes::lock(world, permits, move || {
        Arc::clone(&semaphore).acquire_owned(1)
    });
}
