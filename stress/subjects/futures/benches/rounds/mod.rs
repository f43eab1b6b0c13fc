//! The workload by which schedulers are compared: three tasks, ten rounds each of a yield, a lock with an addition,
//! and a message; then they are joined and the channel is drained. It knows no scheduler: `benches/schedulers` runs it under others.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// Tasks.
pub(super) const TASKS: u64 = 3;

/// Rounds of each.
const ROUNDS: u64 = 10;

/// A lock that is handed over in turn.
#[derive(Default)]
struct Lock {
    is_taken: Cell<bool>,
    waiting: RefCell<VecDeque<Waker>>,
}

impl Lock {
    async fn lock(&self) {
        poll_fn(|context| {
            if !self.is_taken.replace(true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push_back(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn unlock(&self) {
        self.is_taken.set(false);
        let next = self.waiting.borrow_mut().pop_front();
        if let Some(next) = next {
            next.wake();
        }
    }
}

/// What the tasks of a run share.
#[derive(Default)]
pub(super) struct Shared {
    lock: Lock,
    sum: Cell<u64>,
    sent: RefCell<VecDeque<u64>>,
}

impl Shared {
    /// What one task does.
    pub(super) async fn rounds<Y: Future<Output = ()>>(
        &self,
        task: u64,
        yield_now: impl Fn() -> Y,
    ) {
        for _ in 0..ROUNDS {
            yield_now().await;
            self.lock.lock().await;
            self.sum.set(self.sum.get() + 1);
            self.lock.unlock();
            self.sent.borrow_mut().push_back(task);
        }
    }

    /// What holds once all tasks have ended.
    pub(super) fn drain(&self) {
        assert_eq!(self.sum.get(), TASKS * ROUNDS);
        let sent = self.sent.borrow_mut().drain(..).count();
        assert_eq!(sent as u64, TASKS * ROUNDS);
    }
}
