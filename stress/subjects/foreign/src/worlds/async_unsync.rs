//! The crate `async-unsync`: channels and a semaphore for one thread.

use std::cell::RefCell;
use std::rc::Rc;

use async_unsync::bounded::{self, Receiver, Sender};
use async_unsync::semaphore::Semaphore;
use gcrucible_futures_subject::{Token, World};

use super::shapes;

pub(super) fn channel(world: &World) {
    let (sender, receiver) = bounded::channel::<Token>(1 + world.below(2) as usize).into_split();
    shapes::channel(
        world,
        sender,
        RefCell::new(receiver),
        |sender: Rc<Sender<Token>>, token| async move { sender.send(token).await.is_ok() },
        |receiver: Rc<RefCell<Receiver<Token>>>| async move {
            std::future::poll_fn(|context| receiver.borrow_mut().poll_recv(context)).await
        },
    );
}

pub(super) fn semaphore(world: &World) {
    let semaphore = Rc::new(Semaphore::new(1 + world.below(2) as usize));
    shapes::borrowing_lock(world, |world, yields| {
        let (semaphore, world) = (Rc::clone(&semaphore), world.clone());
        async move {
            #[cfg(feature = "bad")]
            let permit = semaphore.acquire_one().await.expect("nobody closes it");
            #[cfg(feature = "good")]
            let permit = semaphore.acquire().await.expect("nobody closes it");
            shapes::holds(&world, yields).await;
            drop(permit);
        }
    });
}
