//! The seam for scheduling: everything that time, threads and chance can do to the engine
//! goes through one trait. `tokio_platform` implements it for production; a harness
//! implements it to decide itself who runs when.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::host::{self, HostOperation, HostRequest, HostValue};
use crate::turns::Turns;

/// A task of the engine.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A place at which a task lets others go first: what a scheduler sees of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the task.
    pub task: u32,
    /// Function that the task runs; [`Place::ENGINE`] for a yield point of the engine's own.
    pub function: u16,
    /// Index of its next instruction, or the number of the yield point.
    pub at: u32,
}

impl Place {
    /// Stands for the engine instead of a function of the program.
    pub const ENGINE: u16 = u16::MAX;
    /// Stands for a task of the engine's own that asks again and again, and so must let
    /// others go first on every platform.
    pub const COLLECTOR: u16 = u16::MAX - 1;
}

/// What the engine needs from the world.
pub trait Platform: Send + Sync + 'static {
    /// Whether tasks and hosts use the heap on several threads at once. Without that, changes of
    /// arrays and maps take no locks, so only a platform of one thread says no.
    fn is_parallel(&self) -> bool {
        true
    }

    /// Runs a task. `number` is unique in the engine; tasks are numbered from 1 in order of
    /// creation.
    fn spawn(&self, number: u32, task: Task);

    /// Ends after this much time.
    fn sleep(&self, duration: Duration) -> Task;

    /// Time since the platform's start.
    fn now(&self) -> Duration;

    /// A random number.
    fn random(&self) -> u64;

    /// A key that decides where keys lie in hash tables. It comes from what strangers cannot
    /// know, and never from [`Platform::random`], whose numbers programs hand out; in a
    /// simulation from the seed.
    fn hash_key(&self) -> [u64; 2];

    /// Begins a host operation. It waits and works on its own; the engine polls it, fires the
    /// request's stop token when the task that asked is cancelled, and drops it when it has not
    /// ended within the grace time after that, or when the task is out of time. A platform
    /// without any refuses all.
    fn host(&self, request: HostRequest) -> HostOperation {
        host::unknown_operation(&request)
    }

    /// Drops data. A platform with threads drops large data where it holds nobody up.
    fn discard(&self, data: HostValue) {
        drop(data);
    }

    /// How many instructions the next slice of a task may run; at least 1.
    fn fuel(&self, task: u32) -> u32;

    /// Whether a task that has run a slice lets others go first, asked between slices. A
    /// platform that decides on each turn itself says yes, and no in
    /// [`poll_yield`](Self::poll_yield).
    fn is_turn_over(&self) -> bool {
        true
    }

    /// Whether a task in which the engine itself panics ends with an internal error, and the
    /// engine goes on. Otherwise the panic reaches whoever polls the task: to a harness it is a
    /// finding.
    fn survives_panics(&self) -> bool {
        false
    }

    /// Where tasks that compute for long wait for their turns, on platforms of threads. Who wants
    /// others to go first waits there instead of [yielding](Self::poll_yield).
    fn turns(&self) -> Option<&Arc<Turns>> {
        None
    }

    /// Whether others go first now. Called again, with `has_yielded` true, when the task
    /// is polled after that; returns `Ready` then. A platform that needs no yielding is
    /// always ready.
    fn poll_yield(&self, place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()>;
}

/// Lets others go first, if the platform wants to. Every step between which another task
/// may see a state of its own has one of these before it, so that a simulated platform can
/// try all orders of steps.
pub async fn yield_point(platform: &dyn Platform, place: Place) {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        let poll = platform.poll_yield(place, has_yielded, cx);
        has_yielded = true;
        poll
    })
    .await;
}
