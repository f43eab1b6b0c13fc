//! Work of the engine's own for a program that takes several steps, with others between them.

use std::future::poll_fn;
use std::task::Poll;

/// Lets other tasks of the thread go first, on any platform.
pub(crate) async fn give_way() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
