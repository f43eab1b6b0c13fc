//! The crate `tokio-util`.

use gcrucible_futures_subject::World;
use tokio_util::sync::CancellationToken;

use super::shapes;

pub(super) fn cancellation(world: &World) {
    let token = CancellationToken::new();
    let waits = token.clone();
    let has_children = world.below(2) == 1;
    shapes::event(
        world,
        move || {
            let token = if has_children {
                waits.child_token()
            } else {
                waits.clone()
            };
            async move { token.cancelled().await }
        },
        move || token.cancel(),
    );
}
