//! What the tasks of a fork use of the time.
//!
//! They share their turns: a request gets no more of the processor by having more tasks. All that
//! the polls of a task do is counted, collections that it makes included.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_platform::Platform;
use gcrucible_platform::sync::atomic::{AtomicU64, Ordering::Relaxed};
use gcrucible_platform::turns::Party;

/// Counts for a task, which one thread polls at a time.
#[derive(Debug)]
pub(crate) struct Meter {
    party: Arc<Party>,
    /// Since when time is not counted yet, in nanoseconds of the platform's time.
    since: AtomicU64,
}

impl Meter {
    pub(super) fn new(party: &Arc<Party>) -> Arc<Self> {
        Arc::new(Meter {
            party: Arc::clone(party),
            since: AtomicU64::new(0),
        })
    }

    pub(super) fn party(&self) -> &Arc<Party> {
        &self.party
    }

    /// Time counts from now on.
    fn begin(&self, now: Duration) {
        self.since.store(nanos(now), Relaxed);
    }

    /// Counts the time up to now.
    pub(super) fn count(&self, now: Duration) {
        let now = nanos(now);
        let used = now.saturating_sub(self.since.swap(now, Relaxed));
        self.party.use_time(Duration::from_nanos(used));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A task whose polls are counted.
pub(super) async fn metered(
    platform: Arc<dyn Platform>,
    meter: Arc<Meter>,
    task: impl Future<Output = ()>,
) {
    let mut task = pin!(task);
    poll_fn(|cx| {
        meter.begin(platform.now());
        let polled = task.as_mut().poll(cx);
        meter.count(platform.now());
        polled
    })
    .await;
}
