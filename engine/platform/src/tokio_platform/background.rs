//! Tasks that have had their turn.
//!
//! The runtime's queues are first come, first served: a task that yields to go on computing would
//! go to their end, and whoever comes after a thousand such tasks would wait for a turn of each.
//! So these wait in a queue of their own. A releaser for each worker lets one of them go on, and
//! then yields itself, which the runtime takes for "when nothing else is ready, or now and then":
//! who has something small to do comes first, and no core is idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::Notify;

use crate::sync::Mutex;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Background {
    waiting: Mutex<VecDeque<Waker>>,
    news: Notify,
}

impl Background {
    /// A task waits for its next turn.
    pub(super) fn wait(&self, task: &Waker) {
        self.waiting.lock().push_back(task.clone());
        self.news.notify_one();
    }

    /// Lets one after the other go on, for as long as the runtime lives.
    pub(super) async fn release(self: Arc<Self>) {
        loop {
            let first = self.waiting.lock().pop_front();
            match first {
                Some(task) => {
                    task.wake();
                    tokio::task::yield_now().await;
                }
                None => self.news.notified().await,
            }
        }
    }
}
