//! The crate `tokio`, its module `sync`, which needs no runtime.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use gcrucible_futures_subject::{Token, World};
use tokio::sync::{Notify, Semaphore};

use super::shapes;

/// A receiver closes its channel and receives what was sent; senders reserve places, alone and together.
#[cfg(not(feature = "older"))]
pub(super) fn reserve(world: &World) {
    let capacity = 1 + world.below(2) as usize;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Token>(capacity);
    for name in ["first", "second"] {
        let (sender, of_task) = (sender.clone(), world.clone());
        let places = 1 + world.below(capacity as u32) as usize;
        let sends = world.below(2) == 1;
        let task = async move {
            let Ok(permits) = sender.reserve_many(places).await else {
                return;
            };
            of_task.yield_now().await;
            for permit in permits.take(usize::from(sends)) {
                permit.send(of_task.token());
            }
        };
        if name == "second" {
            world.droppable(name, task);
        } else {
            world.task(name, task);
        }
    }
    // The last sender is kept: only the close can end the receiver.
    let kept = RefCell::new(Some(sender));
    let of_task = world.clone();
    world.task("receiver", async move {
        of_task.yield_now().await;
        receiver.close();
        while let Some(token) = receiver.recv().await {
            token.number();
        }
        drop(kept.take());
    });
}

/// A channel whose receiver may go while its sender stays.
pub(super) fn mpsc(world: &World) {
    world.must_let_wakers_go();
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Token>(1 + world.below(2) as usize);
    world.droppable("receiver", async move {
        while let Some(token) = receiver.recv().await {
            token.number();
        }
    });
    let (of_task, kept) = (world.clone(), Rc::new(RefCell::new(Some(sender.clone()))));
    let goes = Rc::clone(&kept);
    world.task("sender", async move {
        of_task.sleep(1).await;
        let _ = sender.send(of_task.token()).await;
        // If the receiver is gone, the other sender stays for longer than all tasks.
        if !sender.is_closed() {
            goes.take();
        }
    });
    world.at_rest(move || drop(kept));
}

/// A channel for one value.
pub(super) fn oneshot(world: &World) {
    let (sender, receiver) = tokio::sync::oneshot::channel::<Token>();
    shapes::late_sender(
        world,
        sender,
        async move { receiver.await.ok() },
        |sender, token| drop(sender.send(token)),
    );
}

pub(super) fn notify(world: &World) {
    let notify = Rc::new(Notify::new());
    let waits = Rc::clone(&notify);
    // One notification for each of those that wait.
    shapes::lock(world, 1, {
        notify.notify_one();
        move || {
            let notify = Rc::clone(&waits);
            async move {
                notify.notified().await;
                Told(notify)
            }
        }
    });
}

/// Tells the next one.
struct Told(Rc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

pub(super) fn semaphore(world: &World) {
    let permits = 1 + world.below(2);
    let semaphore = Arc::new(Semaphore::new(permits as usize));
    shapes::lock(world, permits, move || {
        let semaphore = Arc::clone(&semaphore);
        async move { semaphore.acquire_owned().await.expect("nobody closes it") }
    });
}

pub(super) fn watch(world: &World) {
    let (sender, receiver) = tokio::sync::watch::channel(false);
    shapes::event(
        world,
        move || {
            let mut receiver = receiver.clone();
            async move {
                while !*receiver.borrow() {
                    receiver.changed().await.expect("the sender stays");
                }
            }
        },
        move || {
            sender.send(true).expect("somebody receives");
            std::mem::forget(sender);
        },
    );
}

pub(super) fn broadcast(world: &World) {
    let (sender, _) = tokio::sync::broadcast::channel::<u32>(2);
    let of_waits = sender.clone();
    shapes::event(
        world,
        move || {
            let mut receiver = of_waits.subscribe();
            async move {
                receiver.recv().await.expect("it is sent");
            }
        },
        move || {
            sender.send(1).expect("somebody receives");
        },
    );
}
