//! The crate `flume`.

use flume::{Receiver, Sender};
use gcrucible_futures_subject::{Token, World};

use super::shapes;

pub(super) fn channel(world: &World) {
    let (sender, receiver) = flume::bounded::<Token>(world.below(3) as usize);
    shapes::channel(
        world,
        sender,
        receiver,
        |sender: std::rc::Rc<Sender<Token>>, token| async move {
            let send = Sender::clone(&sender).into_send_async(token);
            drop(sender);
            send.await.is_ok()
        },
        |receiver: std::rc::Rc<Receiver<Token>>| async move { receiver.recv_async().await.ok() },
    );
}
