//! The crate `futures-intrusive`.

use std::rc::Rc;

use futures_intrusive::channel::shared;
use futures_intrusive::sync::{LocalManualResetEvent, Mutex, Semaphore};
use gcrucible_futures_subject::{Token, World};

use super::shapes;

/// A lock whose guard borrows it.
pub(super) fn mutex(world: &World) {
    let mutex = Rc::new(Mutex::new((), world.below(2) == 1));
    shapes::borrowing_lock(world, |world, yields| {
        let (mutex, world) = (Rc::clone(&mutex), world.clone());
        async move {
            let guard = mutex.lock().await;
            shapes::holds(&world, yields).await;
            drop(guard);
        }
    });
}

/// A semaphore whose permits borrow it.
pub(super) fn semaphore(world: &World) {
    let permits = 1 + world.below(2) as usize;
    let semaphore = Rc::new(Semaphore::new(world.below(2) == 1, permits));
    shapes::borrowing_lock(world, |world, yields| {
        let (semaphore, world) = (Rc::clone(&semaphore), world.clone());
        async move {
            let permit = semaphore.acquire(1).await;
            shapes::holds(&world, yields).await;
            drop(permit);
        }
    });
}

pub(super) fn event(world: &World) {
    let event = Rc::new(LocalManualResetEvent::new(false));
    let waits = Rc::clone(&event);
    shapes::event(
        world,
        move || {
            let event = Rc::clone(&waits);
            async move { event.wait().await }
        },
        move || event.set(),
    );
}

pub(super) fn channel(world: &World) {
    let (sender, receiver) = shared::channel::<Token>(world.below(3) as usize);
    shapes::channel(
        world,
        sender,
        receiver,
        |sender: Rc<shared::Sender<Token>>, token| async move { sender.send(token).await.is_ok() },
        |receiver: Rc<shared::Receiver<Token>>| async move { receiver.receive().await },
    );
}
