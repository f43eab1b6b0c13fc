//! Wakers that know whether they are still the right ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Tasks that a world has at the most.
pub(crate) const TASKS_MAX: usize = 64;

/// What wakers and the executor share. Wakers must be `Send`, so all of it is atomic; orderings do not matter
/// where nearly everything is on one thread.
#[derive(Debug)]
pub(crate) struct Wakes {
    /// The thread of the executor.
    owner: usize,
    /// A bit for each task that was woken on that thread, which alone writes here: no locked instruction is needed.
    woken: AtomicU64,
    /// A bit for each task that was woken on another thread.
    woken_elsewhere: AtomicU64,
    /// A bit for each task that a dead waker woke.
    stale: AtomicU64,
    /// The poll that each task's waker must be of.
    latest: [AtomicU32; TASKS_MAX],
    /// Wakers that exist.
    alive: AtomicUsize,
    /// The task being polled, or `u32::MAX`.
    polled: AtomicU32,
    /// Another task than the one being polled was woken.
    progress: AtomicU32,
}

thread_local! {
    /// Its address names the thread, as long as that lives.
    static HERE: u8 = const { 0 };
}

/// Names this thread among those that live.
fn here() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// The waker of one task, or of one poll of it.
struct TaskWaker {
    wakes: Arc<Wakes>,
    task: u32,
    poll: u32,
}

impl Wakes {
    /// What the wakers of a run on this thread share with its executor.
    pub(crate) fn new() -> Arc<Wakes> {
        Arc::new(Wakes {
            owner: here(),
            woken: AtomicU64::new(0),
            woken_elsewhere: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            latest: [const { AtomicU32::new(0) }; TASKS_MAX],
            alive: AtomicUsize::new(0),
            polled: AtomicU32::new(u32::MAX),
            progress: AtomicU32::new(0),
        })
    }

    /// A waker of the task, the only one that is not dead from now on.
    pub(crate) fn waker(self: &Arc<Self>, task: usize) -> Waker {
        let poll = self.latest[task].load(Ordering::Relaxed) + 1;
        self.latest[task].store(poll, Ordering::Relaxed);
        self.alive.fetch_add(1, Ordering::Relaxed);
        Waker::from(Arc::new(TaskWaker {
            wakes: Arc::clone(self),
            task: task as u32,
            poll,
        }))
    }

    /// The tasks that were woken, a bit for each.
    pub(crate) fn woken(&self) -> u64 {
        self.woken.load(Ordering::Relaxed) | self.woken_elsewhere.load(Ordering::Relaxed)
    }

    pub(crate) fn wake(&self, task: usize) {
        let bit = 1 << task;
        if here() == self.owner {
            let woken = self.woken.load(Ordering::Relaxed);
            self.woken.store(woken | bit, Ordering::Relaxed);
        } else {
            self.woken_elsewhere.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(crate) fn begin_poll(&self, task: usize) {
        self.forget(task);
        self.polled.store(task as u32, Ordering::Relaxed);
    }

    pub(crate) fn end_poll(&self) {
        self.polled.store(u32::MAX, Ordering::Relaxed);
    }

    /// As if the task had not been woken. Only the executor calls this.
    pub(crate) fn forget(&self, task: usize) {
        let bit = 1 << task;
        let woken = self.woken.load(Ordering::Relaxed);
        self.woken.store(woken & !bit, Ordering::Relaxed);
        if self.woken_elsewhere.load(Ordering::Relaxed) & bit != 0 {
            self.woken_elsewhere.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether a dead waker has woken the task.
    pub(crate) fn is_stale(&self, task: usize) -> bool {
        self.stale.load(Ordering::Relaxed) & (1 << task) != 0
    }

    /// Wakers that somebody holds.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// How often a task was woken by something else than its own poll.
    pub(crate) fn progress(&self) -> u32 {
        self.progress.load(Ordering::Relaxed)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakes = &self.wakes;
        if wakes.latest[self.task as usize].load(Ordering::Relaxed) != self.poll {
            wakes.stale.fetch_or(1 << self.task, Ordering::Relaxed);
            return;
        }
        wakes.wake(self.task as usize);
        if wakes.polled.load(Ordering::Relaxed) != self.task {
            wakes.progress.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        self.wakes.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_woken_on_another_thread_is_woken_until_it_is_polled() {
        let wakes = Wakes::new();
        let (first, second) = (wakes.waker(0), wakes.waker(1));
        first.wake_by_ref();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                first.wake_by_ref();
                second.wake();
            });
        });
        assert_eq!(wakes.woken(), 0b11);
        wakes.begin_poll(1);
        assert_eq!(wakes.woken(), 0b01);
        wakes.begin_poll(0);
        assert_eq!((wakes.woken(), wakes.alive()), (0, 0));
    }
}
