//! Work of the engine's own for a program that takes several steps, with others between them.

use std::future::poll_fn;
use std::task::Poll;

use crate::engine::Inner;

impl Inner {
    /// Lets other tasks of the thread go first, between two steps of what takes several; but for
    /// a debug mode that makes small things take several: what others see of them stays the same.
    pub(crate) async fn give_way(&self) {
        let mut has_yielded = self.heap.debug().steps.is_some();
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
