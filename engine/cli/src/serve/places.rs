//! Places for requests under way, and who gets one when all are taken.
//!
//! Handlers that wait for something can take all places, and would keep everybody else out until
//! their time is over. So while somebody waits for a place, a handler that has been under way for
//! longer than the time for busy hours gives up its own: the one that is under way for longest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_platform::sync::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The places.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// Who may wait for one at once.
    waiting: Semaphore,
    /// `None`: nobody waits, and nobody gives way.
    busy_timeout: Option<Duration>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    /// In order of their beginning.
    by_number: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    since: Instant,
    gives_way: Arc<Notify>,
}

/// A place. Dropping it gives it back.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    gives_way: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(count: usize, busy_timeout: Option<Duration>) -> Arc<Self> {
        Arc::new(Places {
            free: Arc::new(Semaphore::new(count)),
            waiting: Semaphore::new(count),
            busy_timeout,
            taken: Mutex::default(),
        })
    }

    /// A place, at once or when another one gives it up; `None` if that takes too long.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Place> {
        let free = Arc::clone(&self.free);
        if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            return Some(self.place(permit));
        }
        let patience = self.busy_timeout?;
        let _waiting = self.waiting.try_acquire().ok()?;
        // Once the time of those is over that came just before, there is a place.
        let until = Instant::now() + 2 * patience;
        let mut permit = std::pin::pin!(free.acquire_owned());
        loop {
            // When the next one has had its time.
            let next = self.oldest_since().map_or(until, |since| since + patience);
            if let Ok(permit) = timeout_at(next.min(until), &mut permit).await {
                return Some(self.place(permit.ok()?));
            }
            if next > until {
                return None;
            }
            if self.ask_oldest(patience) {
                // Those who came first get the first place: each of them has asked one, too.
                let permit = timeout_at(until, permit).await.ok()?;
                return Some(self.place(permit.ok()?));
            }
        }
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let mut taken = self.taken.lock();
        taken.last += 1;
        let number = taken.last;
        let gives_way = Arc::new(Notify::new());
        let holder = Holder {
            since: Instant::now(),
            gives_way: Arc::clone(&gives_way),
        };
        taken.by_number.insert(number, holder);
        Place {
            places: Arc::clone(self),
            number,
            gives_way,
            _permit: permit,
        }
    }

    fn oldest_since(&self) -> Option<Instant> {
        let taken = self.taken.lock();
        taken.by_number.values().next().map(|oldest| oldest.since)
    }

    /// Asks the oldest to give way if it has had its time; nobody asks it again.
    fn ask_oldest(&self, patience: Duration) -> bool {
        let mut taken = self.taken.lock();
        let Some(oldest) = taken.by_number.first_entry() else {
            return false;
        };
        let is_due = oldest.get().since.elapsed() >= patience;
        if is_due {
            oldest.remove().gives_way.notify_one();
        }
        is_due
    }
}

impl Place {
    /// Waits until somebody needs the place more.
    pub(super) async fn is_needed(&self) {
        self.gives_way.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let builder = tokio::runtime::Builder::new_current_thread();
        { builder }.enable_all().build().expect("a runtime")
    }

    #[test]
    fn without_a_time_nobody_waits() {
        runtime().block_on(async {
            let places = Places::new(1, None);
            let first = places.take().await.expect("it is free");
            assert!(places.take().await.is_none());
            drop(first);
            assert!(places.take().await.is_some());
        });
    }

    #[test]
    fn the_oldest_gives_way_when_its_time_is_over() {
        runtime().block_on(async {
            let places = Places::new(2, Some(Duration::from_millis(20)));
            let first = places.take().await.expect("it is free");
            let second = places.take().await.expect("it is free");
            let third = async {
                let third = places.take().await.expect("the first gives way");
                // It has not had its time; the second has.
                let fourth = places.take().await.expect("the second gives way");
                drop((third, fourth));
            };
            let giving = async {
                first.is_needed().await;
                drop(first);
                second.is_needed().await;
                drop(second);
            };
            tokio::join!(third, giving);
            assert!(places.taken.lock().by_number.is_empty());
        });
    }

    #[test]
    fn who_gives_up_waiting_takes_nothing() {
        runtime().block_on(async {
            let places = Places::new(1, Some(Duration::from_millis(5)));
            let first = places.take().await.expect("it is free");
            // Nobody listens to the request.
            assert!(places.take().await.is_none());
            drop(first);
            assert!(places.take().await.is_some());
        });
    }
}
