//! The crate `embassy-sync`.

use std::rc::Rc;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use gcrucible_futures_subject::{Token, World};

/// A channel of one place, whose receiver takes values one by one or throws away what is there.
pub(super) fn channel(world: &World) {
    let channel = Rc::new(Channel::<NoopRawMutex, Token, 1>::new());
    let (of_task, to) = (world.clone(), Rc::clone(&channel));
    let values = 2 + world.below(2);
    world.task("sender", async move {
        for _ in 0..values {
            to.send(of_task.token()).await;
        }
    });
    let of_task = world.clone();
    let clears = world.below(2) == 1;
    world.background("receiver", async move {
        loop {
            channel.receive().await.number();
            of_task.yield_now().await;
            if clears {
                channel.clear();
            }
        }
    });
}
