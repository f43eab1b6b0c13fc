//! Tests the channel of this crate.

#[test]
fn a_send_that_is_dropped_holds_nobody_up() {
    gcrucible_futures_subject::check(|world| {
        let (sender, mut receiver) = own_channel::channel();
        for name in ["first", "second", "third"] {
            let (sender, token) = (sender.clone(), world.token());
            let send = async move {
                sender.send(token).await.ok();
            };
            if name == "second" {
                world.droppable(name, send);
            } else {
                world.task(name, send);
            }
        }
        drop(sender);
        world.task("receiver", async move {
            while let Some(token) = receiver.receive().await {
                assert!(token.number() < 3);
            }
        });
    });
}
