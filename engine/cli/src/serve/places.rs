//! Places for requests under way, and who gets one when all are taken.
//!
//! Handlers that wait for something can take all places, and would keep everybody else out until
//! their time is over. So no route gets all of them: one may have seven times as many as are
//! free, which is seven eighths if no other route has any. And while somebody waits for a place, a
//! handler that has been under way for longer than the time for busy hours gives up its own: the
//! one that is under way for longest, of the same route if only that has too many.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gcrucible_platform::sync::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

/// So many times what is free a route may have.
const SHARE: usize = 7;

/// The places.
#[derive(Debug)]
pub(crate) struct Places {
    count: usize,
    /// `None`: nobody waits, and nobody gives way.
    busy_timeout: Option<Duration>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    /// Places that are not free, those of handlers included that were asked to give way.
    count: usize,
    of_route: HashMap<Arc<str>, usize>,
    /// Who may be asked to give way, in order of their beginning.
    by_number: BTreeMap<u64, Holder>,
    /// Those who wait, in order.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Holder {
    route: Arc<str>,
    since: Instant,
    gives_way: Arc<Notify>,
}

#[derive(Debug)]
struct Waiting {
    route: Arc<str>,
    place: oneshot::Sender<Place>,
}

/// A place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    route: Arc<str>,
    number: u64,
    gives_way: Arc<Notify>,
}

impl Places {
    pub(crate) fn new(count: usize, busy_timeout: Option<Duration>) -> Arc<Self> {
        Arc::new(Places {
            count,
            busy_timeout,
            taken: Mutex::default(),
        })
    }

    /// A place for a request of a route, at once or when another one gives it up; `None` if that
    /// takes too long.
    pub(super) async fn take(self: &Arc<Self>, route: &str) -> Option<Place> {
        let mut place = {
            let mut taken = self.taken.lock();
            let route: Arc<str> = route.into();
            if self.is_free_for(&taken, &route) {
                return Some(self.place(&mut taken, route));
            }
            self.busy_timeout?;
            taken.waiting.retain(|waiting| !waiting.place.is_closed());
            if taken.waiting.len() >= self.count {
                return None;
            }
            let (sender, place) = oneshot::channel();
            let sender = Waiting {
                route,
                place: sender,
            };
            taken.waiting.push_back(sender);
            place
        };
        let patience = self.busy_timeout?;
        // Once the time of those is over that came just before, there is a place.
        let until = Instant::now() + 2 * patience;
        let mut is_asked = false;
        loop {
            // When the next one has had its time.
            let next = match is_asked {
                true => until,
                false => self
                    .oldest_since(route)
                    .map_or(until, |since| since + patience),
            };
            if let Ok(place) = timeout_at(next.min(until), &mut place).await {
                return place.ok();
            }
            if next >= until {
                return None;
            }
            // Those who came first get the first place: each of them has asked one, too.
            is_asked = self.ask_oldest(route, patience);
        }
    }

    fn is_free_for(&self, taken: &Taken, route: &str) -> bool {
        let free = self.count - taken.count;
        let has = taken.of_route.get(route).copied().unwrap_or(0);
        free > 0 && has <= SHARE * free
    }

    fn place(self: &Arc<Self>, taken: &mut Taken, route: Arc<str>) -> Place {
        taken.last += 1;
        taken.count += 1;
        *taken.of_route.entry(Arc::clone(&route)).or_default() += 1;
        let number = taken.last;
        let gives_way = Arc::new(Notify::new());
        let holder = Holder {
            route: Arc::clone(&route),
            since: Instant::now(),
            gives_way: Arc::clone(&gives_way),
        };
        taken.by_number.insert(number, holder);
        Place {
            places: Arc::clone(self),
            route,
            number,
            gives_way,
        }
    }

    /// Who would give way to a request of a route.
    fn oldest(&self, taken: &Taken, route: &str) -> Option<u64> {
        let is_full = taken.count == self.count;
        let mut holders = taken.by_number.iter();
        let oldest = holders.find(|(_, holder)| is_full || *holder.route == *route);
        oldest.map(|(&number, _)| number)
    }

    fn oldest_since(&self, route: &str) -> Option<Instant> {
        let taken = self.taken.lock();
        let oldest = self.oldest(&taken, route)?;
        taken.by_number.get(&oldest).map(|holder| holder.since)
    }

    /// Asks the oldest to give way if it has had its time; nobody asks it again.
    fn ask_oldest(&self, route: &str, patience: Duration) -> bool {
        let mut taken = self.taken.lock();
        let Some(number) = self.oldest(&taken, route) else {
            return false;
        };
        let oldest = taken.by_number.get(&number);
        if oldest.is_none_or(|oldest| oldest.since.elapsed() < patience) {
            return false;
        }
        if let Some(oldest) = taken.by_number.remove(&number) {
            oldest.gives_way.notify_one();
        }
        true
    }

    /// Gives what is free to those who wait.
    fn hand_over(self: &Arc<Self>) {
        loop {
            let (waiting, place) = {
                let mut taken = self.taken.lock();
                taken.waiting.retain(|waiting| !waiting.place.is_closed());
                let mut waiting = taken.waiting.iter();
                let first = waiting.position(|it| self.is_free_for(&taken, &it.route));
                let Some(waiting) = first.and_then(|first| taken.waiting.remove(first)) else {
                    return;
                };
                let place = self.place(&mut taken, Arc::clone(&waiting.route));
                (waiting, place)
            };
            // One that has left just now gives it back, without the lock.
            drop(waiting.place.send(place));
        }
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
        {
            let mut taken = self.places.taken.lock();
            taken.count -= 1;
            taken.by_number.remove(&self.number);
            if let Some(has) = taken.of_route.get_mut(&self.route) {
                *has -= 1;
                if *has == 0 {
                    taken.of_route.remove(&self.route);
                }
            }
        }
        self.places.hand_over();
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
            let first = places.take("a").await.expect("it is free");
            assert!(places.take("a").await.is_none());
            drop(first);
            assert!(places.take("a").await.is_some());
        });
    }

    #[test]
    fn the_oldest_gives_way_when_its_time_is_over() {
        runtime().block_on(async {
            let places = Places::new(2, Some(Duration::from_millis(20)));
            let first = places.take("a").await.expect("it is free");
            let second = places.take("a").await.expect("it is free");
            let third = async {
                let third = places.take("a").await.expect("the first gives way");
                // It has not had its time; the second has.
                let fourth = places.take("a").await.expect("the second gives way");
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
            let first = places.take("a").await.expect("it is free");
            // Nobody listens to the request.
            assert!(places.take("a").await.is_none());
            drop(first);
            assert!(places.take("a").await.is_some());
        });
    }

    #[test]
    fn a_route_leaves_something_to_the_others() {
        runtime().block_on(async {
            let places = Places::new(64, Some(Duration::from_millis(5)));
            let mut held = Vec::new();
            while let Some(place) = places.take("a").await {
                held.push(place);
                assert!(held.len() < 64);
            }
            assert!(held.len() > 48, "{}", held.len());
            let other = places.take("b").await.expect("it has none");
            // Of the free places, the first route may have no more because of that.
            drop(other);
            held.pop();
            held.push(places.take("a").await.expect("one was given back"));
            assert!(places.take("b").await.is_some());
        });
    }

    #[test]
    fn who_waits_for_its_own_route_keeps_nobody_waiting() {
        runtime().block_on(async {
            let places = Places::new(16, Some(Duration::from_secs(60)));
            let mut held = Vec::new();
            for _ in 0..15 {
                held.push(places.take("a").await.expect("it is free"));
            }
            let mut waiting = std::pin::pin!(places.take("a"));
            let polled = std::future::poll_fn(|cx| {
                std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())
            });
            assert!(polled.await, "one is left to the others");
            drop(places.take("b").await.expect("it is free"));
            held.pop();
            assert!(waiting.await.is_some(), "there are two free ones now");
        });
    }
}
