//! The production platform, on a tokio runtime.

mod host;

use std::cell::Cell;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::host::{HostOperation, HostRequest};
use crate::platform::{Place, Platform, Task};

thread_local! {
    /// When a task of this worker last let others go first, by its platform's clock.
    static LAST_TURN: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Runs tasks on a multi-threaded tokio runtime of its own.
#[derive(Debug)]
pub struct TokioPlatform {
    /// Taken by the drop alone.
    runtime: Option<tokio::runtime::Runtime>,
    clock: Clock,
    random: AtomicU64,
    fuel: u32,
    turn: Duration,
    #[cfg(feature = "http")]
    http: host::Http,
}

impl TokioPlatform {
    /// Instructions of a slice: long enough that its costs vanish, short enough that a
    /// loop sees its cancellation within a fraction of a millisecond.
    pub const FUEL: u32 = 10_000;

    /// How long the tasks of a worker run before one of them lets others go first. Doing so
    /// after each slice costs more than the slice: the runtime wakes an idle worker for every
    /// task that goes to the back of the queue, and the task moves to its core.
    const TURN: Duration = Duration::from_millis(1);

    /// A platform with `workers` threads.
    ///
    /// # Errors
    /// When the operating system starts no threads.
    pub fn new(workers: usize) -> std::io::Result<Self> {
        let mut platform = Self::with_fuel(workers, Self::FUEL)?;
        platform.turn = Self::TURN;
        Ok(platform)
    }

    /// The same with another length of slices, after each of which others go first: for
    /// races, not for speed.
    ///
    /// # Errors
    /// When the operating system starts no threads.
    pub fn with_fuel(workers: usize, fuel: u32) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers.max(1))
            .enable_all()
            .thread_name("crux")
            .build()?;
        // The runtime's threads start at addresses and times that differ from run to run;
        // a hasher's random keys are the standard library's source of the same.
        let seed = std::hash::BuildHasher::hash_one(
            &std::collections::hash_map::RandomState::new(),
            std::process::id(),
        );
        Ok(TokioPlatform {
            runtime: Some(runtime),
            clock: Clock::start(),
            random: AtomicU64::new(seed),
            fuel: fuel.max(1),
            turn: Duration::ZERO,
            #[cfg(feature = "http")]
            http: host::Http::default(),
        })
    }

    /// Runs a future on the calling thread until it ends.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
    }

    /// The runtime, for what a host wants to run beside the engine's tasks, on the same threads.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        self.runtime().handle()
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime
            .as_ref()
            .expect("the runtime lives as long as the platform")
    }
}

impl Drop for TokioPlatform {
    /// Stops the threads without waiting for them: the last to know the platform may be a
    /// task on one of them.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Platform for TokioPlatform {
    fn spawn(&self, _number: u32, task: Task) {
        // The engine learns of a task's end from the task itself.
        drop(self.runtime().spawn(task));
    }

    fn sleep(&self, duration: Duration) -> Task {
        let _guard = self.runtime().enter();
        Box::pin(tokio::time::sleep(duration))
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    fn hash_key(&self) -> [u64; 2] {
        // The standard library keys its hashers with the operating system's entropy. What they
        // make of a known number under that key is as good as another key.
        [0, 1].map(|half: u64| {
            std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), half)
        })
    }

    fn random(&self) -> u64 {
        // SplitMix64 over a counter: every caller gets a number of its own.
        let mut x = self
            .random
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn host(&self, request: HostRequest) -> HostOperation {
        let _guard = self.runtime().enter();
        host::begin(
            #[cfg(feature = "http")]
            &self.http,
            request,
        )
    }

    fn fuel(&self, _task: u32) -> u32 {
        self.fuel
    }

    fn survives_panics(&self) -> bool {
        true
    }

    fn is_turn_over(&self) -> bool {
        let now = self.clock.elapsed();
        let last = LAST_TURN.get();
        // A time to come is another platform's, which this thread worked for.
        let is_over = now < last || now - last >= self.turn;
        if is_over {
            LAST_TURN.set(now);
        }
        is_over
    }

    fn poll_yield(&self, place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()> {
        // The engine's own yield points are for simulation.
        if has_yielded || place.function == Place::ENGINE {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_end_by_time_unless_slices_have_a_length_of_their_own() {
        let mut platform = TokioPlatform::new(1).expect("threads start");
        platform.turn = Duration::MAX;
        LAST_TURN.set(Duration::ZERO);
        assert!(!platform.is_turn_over());
        LAST_TURN.set(Duration::MAX);
        assert!(platform.is_turn_over(), "that was another platform's");

        let races = TokioPlatform::with_fuel(1, 7).expect("threads start");
        assert!(races.is_turn_over() && races.is_turn_over());
    }
}
