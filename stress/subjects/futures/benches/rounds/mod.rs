//! The workload by which schedulers are compared: three tasks, ten rounds each of a yield, a lock with an addition,
//! and a message; then they are joined and the channel is drained. It knows no scheduler: `benches/schedulers` runs it under others.
//!
//! A lock that is free and a channel with room make no task wait, so that only the yields are decisions. Shuttle's
//! own locks and channels decide at each operation: [`Points::Each`] does as they do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};

/// Tasks.
pub(super) const TASKS: u64 = 3;

/// Rounds of each.
pub(super) const ROUNDS: u64 = 10;

/// Where another task may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Points {
    /// At the yield of each round, and where a task must wait.
    Yields,
    /// Before each operation as well: the lock, the addition, the unlock, and the message.
    Each,
}

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
        points: Points,
        yield_now: impl Fn() -> Y,
    ) {
        let operation = async || {
            if points == Points::Each {
                yield_now().await;
            }
        };
        for _ in 0..ROUNDS {
            yield_now().await;
            operation().await;
            self.lock.lock().await;
            operation().await;
            self.sum.set(self.sum.get() + 1);
            operation().await;
            self.lock.unlock();
            operation().await;
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
