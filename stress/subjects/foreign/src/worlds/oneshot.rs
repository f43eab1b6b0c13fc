//! The crate `oneshot`.

use gcrucible_futures_subject::{Token, World};

use super::shapes;

pub(super) fn oneshot(world: &World) {
    let (sender, receiver) = oneshot::channel::<Token>();
    let receive = async move { receiver.await.ok() };
    shapes::once(world, sender, receive, |sender, token| {
        sender.send(token).is_ok()
    });
}
