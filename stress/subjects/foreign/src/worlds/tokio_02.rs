//! The crate `tokio` in its second series.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use gcrucible_futures_subject::{Token, World};
use tokio_02::sync::Mutex;

use super::shapes;

/// A lock whose guard borrows it.
pub(super) fn mutex(world: &World) {
    let mutex = Arc::new(Mutex::new(()));
    shapes::borrowing_lock(world, |world, yields| {
        let (mutex, world) = (Arc::clone(&mutex), world.clone());
        async move {
            let guard = mutex.lock().await;
            shapes::holds(&world, yields).await;
            drop(guard);
        }
    });
}

pub(super) fn mpsc(world: &World) {
    let (sender, receiver) = tokio_02::sync::mpsc::channel::<Token>(1 + world.below(2) as usize);
    let receiver = RefCell::new(receiver);
    shapes::channel(
        world,
        sender,
        receiver,
        |sender, token| async move { (*sender).clone().send(token).await.is_ok() },
        |receiver: Rc<RefCell<tokio_02::sync::mpsc::Receiver<Token>>>| async move {
            std::future::poll_fn(|context| receiver.borrow_mut().poll_recv(context)).await
        },
    );
}
