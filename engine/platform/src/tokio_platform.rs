//! The production platform, on a tokio runtime.

mod content;
mod host;

use std::cell::Cell;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::host::{HostOperation, HostRequest, HostValue};
use crate::platform::{Place, Platform, Task};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::turns::Turns;

thread_local! {
    /// Whose turn it is on this worker, and since when by its platform's clock, if that is known.
    static TURN: Cell<(u32, Option<Duration>)> = const { Cell::new((0, None)) };
}

/// Runs tasks on a multi-threaded tokio runtime of its own.
#[derive(Debug)]
pub struct TokioPlatform {
    /// Taken when it is shut down.
    runtime: Mutex<Option<tokio::runtime::Runtime>>,
    /// The way to it that takes no lock.
    handle: tokio::runtime::Handle,
    clock: Clock,
    random: AtomicU64,
    fuel: u32,
    turn: Duration,
    /// Those whose turns are over; none if each slice is one.
    turns: Option<Arc<Turns>>,
    #[cfg(feature = "http")]
    http: host::Http,
}

impl TokioPlatform {
    /// Instructions of a slice: long enough that its costs vanish, short enough that a
    /// loop sees its cancellation within a fraction of a millisecond.
    pub const FUEL: u32 = 10_000;

    /// How long a task runs before it lets others go first. Doing so after each slice costs more
    /// than the slice: the runtime wakes an idle worker for every
    /// task that goes to the back of the queue, and the task moves to its core.
    const TURN: Duration = Duration::from_millis(1);

    /// The most threads of a platform.
    pub const WORKERS_MAX: usize = 1024;

    /// A platform with `workers` threads, at least one.
    ///
    /// # Errors
    /// When there would be more than [`Self::WORKERS_MAX`], or the operating system starts no
    /// threads.
    pub fn new(workers: usize) -> std::io::Result<Self> {
        Self::with_turns(workers, Self::FUEL, Self::TURN)
    }

    /// The same with another length of slices, after each of which others go first: for
    /// races, not for speed.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn with_fuel(workers: usize, fuel: u32) -> std::io::Result<Self> {
        Self::with_turns(workers, fuel, Duration::ZERO)
    }

    fn with_turns(workers: usize, fuel: u32, turn: Duration) -> std::io::Result<Self> {
        if workers > Self::WORKERS_MAX {
            let message = format!("{workers} workers: at most {} can be", Self::WORKERS_MAX);
            return Err(std::io::Error::new(ErrorKind::InvalidInput, message));
        }
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
        let turns = (!turn.is_zero()).then(|| Turns::new(turn, workers.max(1)));
        for _ in 0..workers.max(1) {
            // The runtime takes the pause for "when nothing else is ready, or now and then".
            let release = |turns| Turns::release(turns, tokio::task::yield_now);
            drop(turns.clone().map(|turns| runtime.spawn(release(turns))));
        }
        Ok(TokioPlatform {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            clock: Clock::start(),
            random: AtomicU64::new(seed),
            fuel: fuel.max(1),
            turn,
            turns,
            #[cfg(feature = "http")]
            http: host::Http::default(),
        })
    }

    /// Runs a future on the calling thread until it ends.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Stops the threads without waiting for them: this may be one of them. Every task is dropped,
    /// one that runs at the end of its slice; what is spawned later never runs.
    pub fn shut_down(&self) {
        let runtime = self.runtime.lock().take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    /// The runtime, for what a host wants to run beside the engine's tasks, on the same threads.
    pub fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }
}

impl Drop for TokioPlatform {
    /// The last to know the platform may be a task on one of its threads.
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Platform for TokioPlatform {
    fn spawn(&self, _number: u32, task: Task) {
        // The engine learns of a task's end from the task itself.
        drop(self.handle.spawn(task));
    }

    fn sleep(&self, duration: Duration) -> Task {
        let _guard = self.handle.enter();
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

    fn discard(&self, data: HostValue) {
        /// Parts that are dropped in about a tenth of a millisecond.
        const FEW: usize = 4096;
        if data.has_more_parts_than(FEW) {
            // The runtime's own threads are those that others wait for.
            drop(self.handle.spawn_blocking(move || drop(data)));
        }
    }

    fn host(&self, request: HostRequest) -> HostOperation {
        let _guard = self.handle.enter();
        let begun = host::begin(
            #[cfg(feature = "http")]
            &self.http,
            &request,
        );
        request.args.into_iter().for_each(|arg| self.discard(arg));
        begun
    }

    fn fuel(&self, task: u32) -> u32 {
        if TURN.get().0 != task {
            TURN.set((task, None));
        }
        self.fuel
    }

    fn survives_panics(&self) -> bool {
        true
    }

    fn is_turn_over(&self) -> bool {
        if self.turn.is_zero() {
            return true;
        }
        let now = self.clock.elapsed();
        let (task, since) = TURN.get();
        // The clock is not read for a task that runs one slice only.
        let since = since.unwrap_or(now);
        // A time to come is another platform's, which this thread worked for.
        let is_over = now < since || now - since >= self.turn;
        TURN.set((task, (!is_over).then_some(since)));
        is_over
    }

    fn turns(&self) -> Option<&Arc<Turns>> {
        self.turns.as_ref()
    }

    fn poll_yield(&self, place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()> {
        // The engine's own yield points are for simulation.
        if has_yielded || place.function == Place::ENGINE {
            return Poll::Ready(());
        }
        match &self.turns {
            None => cx.waker().wake_by_ref(),
            Some(turns) => turns.wait(cx.waker()),
        }
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
        platform.fuel(1);
        assert!(!platform.is_turn_over() && !platform.is_turn_over());
        TURN.set((1, Some(Duration::MAX)));
        assert!(platform.is_turn_over(), "that was another platform's");

        // A task that begins does not pay for the one before it.
        platform.turn = Duration::from_nanos(1);
        platform.fuel(2);
        assert!(!platform.is_turn_over());
        platform.fuel(3);
        assert!(!platform.is_turn_over());
        while !platform.is_turn_over() {}

        let races = TokioPlatform::with_fuel(1, 7).expect("threads start");
        assert!(races.is_turn_over() && races.is_turn_over());
    }

    #[test]
    fn the_host_uses_the_heap_beside_the_only_worker() {
        assert!(
            TokioPlatform::new(1)
                .expect("a thread starts")
                .is_parallel()
        );
        assert!(!crate::VirtualPlatform::new(1).is_parallel());
    }

    #[test]
    fn who_computes_for_long_does_not_hold_up_who_does_not() {
        // One thread, a thousand tasks that never end, and one that begins again and again: each
        // time it waits for a few turns of the others, not for one of each.
        let platform = Arc::new(TokioPlatform::new(1).expect("threads start"));
        let turns = Arc::new(AtomicU64::new(0));
        for task in 1..=1_000 {
            let (mine, turns) = (Arc::clone(&platform), Arc::clone(&turns));
            let endless = async move {
                loop {
                    turns.fetch_add(1, Ordering::Relaxed);
                    let place = Place {
                        task,
                        function: 0,
                        at: 0,
                    };
                    crate::yield_point(&*mine, place).await;
                }
            };
            platform.spawn(task, Box::pin(endless));
        }
        let handle = platform.handle().clone();
        let measured = platform.handle().spawn(async move {
            // All have had their first turn.
            while turns.load(Ordering::Relaxed) < 1_000 {
                tokio::task::yield_now().await;
            }
            let before = turns.load(Ordering::Relaxed);
            for _ in 0..20 {
                handle.spawn(async {}).await.expect("it ends");
            }
            turns.load(Ordering::Relaxed) - before
        });
        let between = platform.block_on(measured).expect("it ends");
        assert!(between < 1_000, "{between} turns");
    }

    #[test]
    fn more_workers_than_can_be_are_refused() {
        for workers in [
            TokioPlatform::WORKERS_MAX + 1,
            u32::MAX as usize,
            usize::MAX,
        ] {
            let refused = TokioPlatform::new(workers).expect_err("too many");
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{workers}");
        }
    }

    #[test]
    fn tasks_are_dropped_when_it_is_shut_down() {
        let platform = TokioPlatform::new(1).expect("threads start");
        let (held, dropped) = std::sync::mpsc::channel::<()>();
        platform.spawn(
            1,
            Box::pin(async move {
                let _held = held;
                std::future::pending::<()>().await;
            }),
        );
        platform.shut_down();
        assert!(dropped.recv().is_err(), "nobody holds the other end");
        let (held, dropped) = std::sync::mpsc::channel::<()>();
        platform.spawn(2, Box::pin(async move { drop(held) }));
        assert!(dropped.recv().is_err(), "it is dropped at once");
        platform.shut_down();
    }
}
