//! The production platform, on a tokio runtime.

mod host;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::host::{HostOperation, HostRequest};
use crate::platform::{Place, Platform, Task};

/// Runs tasks on a multi-threaded tokio runtime of its own.
#[derive(Debug)]
pub struct TokioPlatform {
    /// Taken by the drop alone.
    runtime: Option<tokio::runtime::Runtime>,
    clock: Clock,
    random: AtomicU64,
    fuel: u32,
    #[cfg(feature = "http")]
    http: host::Http,
}

impl TokioPlatform {
    /// Instructions of a slice: long enough that its costs vanish, short enough that a
    /// loop sees its cancellation within a fraction of a millisecond.
    pub const FUEL: u32 = 10_000;

    /// A platform with `workers` threads.
    ///
    /// # Errors
    /// When the operating system starts no threads.
    pub fn new(workers: usize) -> std::io::Result<Self> {
        Self::with_fuel(workers, Self::FUEL)
    }

    /// The same with another length of slices.
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
            #[cfg(feature = "http")]
            http: host::Http::default(),
        })
    }

    /// Runs a future on the calling thread until it ends.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime().block_on(future)
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

    fn poll_yield(&self, place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()> {
        // Between slices other tasks of the worker get their turn; the engine's own yield
        // points are for simulation.
        if has_yielded || place.function == Place::ENGINE {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
