//! The crate `async-oneshot-channel`.

use async_oneshot_channel::oneshot;
use gcrucible_futures_subject::{Token, World};

use super::shapes;

pub(super) fn channel(world: &World) {
    let (sender, receiver) = oneshot::<Token>();
    shapes::late_sender(
        world,
        sender,
        async move { receiver.recv().await },
        |sender, token| drop(sender.send(token)),
    );
}
