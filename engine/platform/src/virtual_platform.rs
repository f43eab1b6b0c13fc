//! A platform of one thread and virtual time, for tests: nothing depends on the machine's
//! speed, and the same program takes the same steps each time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::host::{self, HostOperation, HostRequest};
use crate::platform::{Place, Platform, Task};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Answers host operations of a [`VirtualPlatform`].
pub type HostFunction = dyn Fn(HostRequest) -> HostOperation + Send + Sync;

/// Runs tasks one after the other, in the order in which they became ready. When none is
/// ready, the clock jumps to the next timer.
pub struct VirtualPlatform {
    tasks: Mutex<BTreeMap<u32, Option<Task>>>,
    ready: Arc<Mutex<VecDeque<u32>>>,
    timers: Arc<Mutex<Timers>>,
    random: AtomicU64,
    seed: u64,
    fuel: u32,
    host: Option<Box<HostFunction>>,
}

#[derive(Default)]
struct Timers {
    now: Duration,
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl VirtualPlatform {
    /// A platform at time zero whose slices have `fuel` instructions (at least one), without
    /// host operations.
    pub fn new(fuel: u32) -> Self {
        VirtualPlatform {
            tasks: Mutex::default(),
            ready: Arc::default(),
            timers: Arc::default(),
            random: AtomicU64::new(1),
            seed: 1,
            fuel: fuel.max(1),
            host: None,
        }
    }

    /// The same with host operations.
    pub fn with_host(
        fuel: u32,
        host: impl Fn(HostRequest) -> HostOperation + Send + Sync + 'static,
    ) -> Self {
        VirtualPlatform {
            host: Some(Box::new(host)),
            ..Self::new(fuel)
        }
    }

    /// Random numbers of another sequence.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        VirtualPlatform {
            random: AtomicU64::new(seed),
            seed,
            ..self
        }
    }

    /// Takes up to `steps_max` steps; each lets one task run until it lets others go first.
    /// Returns whether nothing is left to do: no task is ready and no timer is set. Tasks may
    /// wait still, for what never comes.
    pub fn run(&self, steps_max: u64) -> bool {
        for _ in 0..steps_max {
            if !self.step() && !self.fire_next_timer() {
                return true;
            }
        }
        false
    }

    /// Runs a future of the host's to its end, and the tasks as long as it waits.
    ///
    /// # Panics
    /// If it waits for what never comes.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            // One that has woken itself only lets the tasks go first.
            let is_woken = woken.0.swap(false, Relaxed);
            let goes_on = self.step() || is_woken || self.fire_next_timer();
            assert!(goes_on, "the host waits for what never comes");
        }
    }

    /// Lets the first ready task run. Returns whether there was one.
    pub fn step(&self) -> bool {
        let Some(number) = self.ready.lock().pop_front() else {
            return false;
        };
        let Some(mut task) = self.tasks.lock().get_mut(&number).and_then(Option::take) else {
            return true;
        };
        let waker = Waker::from(Arc::new(Wakeup {
            number,
            ready: Arc::clone(&self.ready),
        }));
        match task.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                self.tasks.lock().insert(number, Some(task));
            }
            Poll::Ready(()) => {
                self.tasks.lock().remove(&number);
            }
        }
        true
    }

    /// When the next timer is due, if one is set.
    pub fn next_timer(&self) -> Option<Duration> {
        let timers = self.timers.lock();
        timers.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// Goes on to the next timer and fires it. Returns whether there was one.
    pub fn fire_next_timer(&self) -> bool {
        let first = {
            let mut timers = self.timers.lock();
            let first = timers.waiting.pop_first();
            if let Some(((at, _), _)) = &first {
                timers.now = timers.now.max(*at);
            }
            first
        };
        first.map(|(_, waker)| waker.wake()).is_some()
    }

    /// Drops all tasks, as the end of the process would.
    pub fn clear(&self) {
        drop(std::mem::take(&mut *self.tasks.lock()));
        self.ready.lock().clear();
    }
}

/// Whether the host's future was woken since it was polled.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Platform for VirtualPlatform {
    fn is_parallel(&self) -> bool {
        false
    }

    fn spawn(&self, number: u32, task: Task) {
        self.tasks.lock().insert(number, Some(task));
        self.ready.lock().push_back(number);
    }

    fn sleep(&self, duration: Duration) -> Task {
        let mut timers = self.timers.lock();
        let key = (timers.now + duration, timers.next);
        timers.next += 1;
        drop(timers);
        Box::pin(Sleep {
            timers: Arc::clone(&self.timers),
            key,
        })
    }

    fn now(&self) -> Duration {
        self.timers.lock().now
    }

    fn hash_key(&self) -> [u64; 2] {
        [self.seed, !self.seed]
    }

    fn random(&self) -> u64 {
        // A Weyl sequence: any numbers do, as long as they are the same each time.
        self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed)
    }

    fn host(&self, request: HostRequest) -> HostOperation {
        match &self.host {
            Some(host) => host(request),
            None => host::unknown_operation(&request),
        }
    }

    fn fuel(&self, _task: u32) -> u32 {
        self.fuel
    }

    fn poll_yield(&self, _place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()> {
        if has_yielded {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl fmt::Debug for VirtualPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualPlatform")
            .field("now", &self.now())
            .field("tasks", &self.tasks.lock().len())
            .finish_non_exhaustive()
    }
}

/// Puts a task at the end of the ready ones, unless it is among them.
struct Wakeup {
    number: u32,
    ready: Arc<Mutex<VecDeque<u32>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock();
        if !ready.contains(&self.number) {
            ready.push_back(self.number);
        }
    }
}

/// A timer; dropping it takes it out.
struct Sleep {
    timers: Arc<Mutex<Timers>>,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.timers.lock();
        if timers.now >= self.key.0 {
            timers.waiting.remove(&self.key);
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timers.lock().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_only_when_nobody_is_ready() {
        let platform = Arc::new(VirtualPlatform::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        for (number, ms) in [(1, 20), (2, 10), (3, 0)] {
            let (seen, clock) = (Arc::clone(&order), Arc::clone(&platform));
            let timer = platform.sleep(Duration::from_millis(ms));
            platform.spawn(
                number,
                Box::pin(async move {
                    timer.await;
                    seen.lock().push((number, clock.now().as_millis()));
                }),
            );
        }
        assert!(platform.run(100));
        assert_eq!(*order.lock(), [(3, 0), (2, 10), (1, 20)]);
    }

    #[test]
    fn a_dropped_timer_does_not_fire() {
        let platform = VirtualPlatform::new(1);
        let timer = platform.sleep(Duration::from_secs(1));
        platform.spawn(1, timer);
        assert!(platform.step());
        platform.clear();
        assert!(platform.run(10));
        assert_eq!(platform.now(), Duration::ZERO);
    }
}
