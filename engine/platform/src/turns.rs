//! Turns of tasks that compute for long.
//!
//! The queues of a runtime of threads are first come, first served: a task that yields to go on
//! computing would go to their end, and whoever comes after a thousand such tasks would wait for
//! a turn of each. So these wait here, and a releaser for each thread lets one of them go on when
//! nothing else is ready, or now and then: who has something small to do comes first, and no core
//! is idle.
//!
//! Tasks of one [`Party`] share what it gets: next is the party that has had the least time,
//! however many tasks it has. A party that comes, or has waited for something else, begins with
//! what those who wait have had by then: neither does it pay for the time before, nor is that owed
//! to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Tasks that share the turns of one.
#[derive(Debug)]
pub struct Party {
    number: u64,
    /// Nanoseconds that its tasks have used, and what it began with.
    used: AtomicU64,
    /// Nanoseconds since its last turn began.
    turn: AtomicU64,
}

/// Parties of the process so far.
static PARTIES: AtomicU64 = AtomicU64::new(0);

impl Default for Party {
    fn default() -> Self {
        Party {
            number: PARTIES.fetch_add(1, Relaxed),
            used: AtomicU64::new(0),
            turn: AtomicU64::new(0),
        }
    }
}

impl Party {
    /// One of its tasks has used so much time.
    pub fn use_time(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.used.fetch_add(nanos, Relaxed);
        self.turn.fetch_add(nanos, Relaxed);
    }
}

/// The ticket of those who have none.
const UNKNOWN: u64 = 0;

/// Those who wait for their turns.
#[derive(Debug)]
pub struct Turns {
    /// How long one is.
    length: Duration,
    /// Of those who had to wait, so many may be about to run at once.
    runners_max: usize,
    /// What tasks of no party wait as.
    nobody: Arc<Party>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ticket: u64,
    /// By what their parties had used when that was looked at last, and by their numbers.
    queues: BTreeMap<(u64, u64), Queue>,
    /// The first half of a party's key there, by the second.
    keys: BTreeMap<u64, u64>,
    /// What the party had used that was let go last.
    used: u64,
    /// Tickets of those who may go on and do not know it.
    released: BTreeSet<u64>,
    runners: usize,
    /// Releasers that wait for news.
    idle: Vec<Waker>,
}

#[derive(Debug)]
struct Queue {
    party: Arc<Party>,
    waiting: VecDeque<(u64, Waker)>,
}

/// The turn of a task that had to wait for it. It drops this when it has begun to work: until then
/// it may wait for what it needs for that, and no others are sent to wait beside it.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
}

impl Turns {
    /// Turns of a length, for so many threads.
    pub fn new(length: Duration, threads: usize) -> Arc<Self> {
        Arc::new(Turns {
            length,
            runners_max: threads,
            nobody: Arc::default(),
            state: Mutex::default(),
        })
    }

    /// How long one is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Whether a party has used up its turn.
    pub fn is_over(&self, party: &Party) -> bool {
        u128::from(party.turn.load(Relaxed)) >= self.length.as_nanos()
    }

    /// Waits for a turn.
    pub async fn take(self: &Arc<Self>, party: Option<&Arc<Party>>) -> Turn {
        let ticket = None;
        Wait {
            turns: self,
            party: party.unwrap_or(&self.nobody),
            ticket,
        }
        .await
    }

    /// A task of no party waits for a turn, and begins to work as soon as it is woken.
    pub(crate) fn wait(&self, task: &Waker) {
        let mut state = self.state.lock();
        state.queue(&self.nobody, UNKNOWN, task.clone());
        drop(state);
        self.tell();
    }

    /// Lets one after the other go on, for as long as it is polled. `pause` is when nothing else
    /// is ready, or now and then.
    pub(crate) async fn release<F: Future<Output = ()>>(self: Arc<Self>, pause: impl Fn() -> F) {
        loop {
            poll_fn(|cx| self.poll_release(cx)).await.wake();
            pause().await;
        }
    }

    fn poll_release(&self, cx: &mut Context<'_>) -> Poll<Waker> {
        let mut state = self.state.lock();
        if state.runners < self.runners_max
            && let Some(next) = state.next(&self.nobody, self.length)
        {
            return Poll::Ready(next);
        }
        if !state.idle.iter().any(|idle| idle.will_wake(cx.waker())) {
            state.idle.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// There may be somebody to let go.
    fn tell(&self) {
        let idle = self.state.lock().idle.pop();
        if let Some(idle) = idle {
            idle.wake();
        }
    }
}

impl State {
    fn enter(&mut self, party: &Arc<Party>, waker: Waker) -> u64 {
        self.ticket += 1;
        self.queue(party, self.ticket, waker);
        self.ticket
    }

    fn queue(&mut self, party: &Arc<Party>, ticket: u64, waker: Waker) {
        let place = (ticket, waker);
        if let Some(&used) = self.keys.get(&party.number)
            && let Some(queue) = self.queues.get_mut(&(used, party.number))
        {
            queue.waiting.push_back(place);
            return;
        }
        let used = party.used.fetch_max(self.used, Relaxed).max(self.used);
        let queue = Queue {
            party: Arc::clone(party),
            waiting: VecDeque::from([place]),
        };
        self.keys.insert(party.number, used);
        self.queues.insert((used, party.number), queue);
    }

    /// Takes the first task of the party that has had least.
    fn next(&mut self, nobody: &Arc<Party>, length: Duration) -> Option<Waker> {
        loop {
            let ((seen, number), mut queue) = self.queues.pop_first()?;
            let used = queue.party.used.load(Relaxed);
            if used > seen {
                // It has run since.
                self.keys.insert(number, used);
                self.queues.insert((used, number), queue);
                continue;
            }
            self.keys.remove(&number);
            let Some((ticket, waker)) = queue.waiting.pop_front() else {
                continue;
            };
            self.used = self.used.max(used);
            if ticket != UNKNOWN {
                self.released.insert(ticket);
                self.runners += 1;
            }
            queue.party.turn.store(0, Relaxed);
            if Arc::ptr_eq(&queue.party, nobody) {
                // Nobody measures these.
                queue.party.use_time(length);
            }
            if !queue.waiting.is_empty() {
                self.keys.insert(number, used);
                self.queues.insert((used, number), queue);
            }
            return Some(waker);
        }
    }

    /// Who has that ticket does not wait any more.
    fn leave(&mut self, party: &Party, ticket: u64) {
        let Some(&used) = self.keys.get(&party.number) else {
            return;
        };
        let key = (used, party.number);
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.waiting.retain(|&(it, _)| it != ticket);
            if queue.waiting.is_empty() {
                self.queues.remove(&key);
                self.keys.remove(&party.number);
            }
        }
    }
}

/// The wait for a turn.
struct Wait<'t> {
    turns: &'t Arc<Turns>,
    party: &'t Arc<Party>,
    ticket: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let turns = self.turns;
        let mut state = turns.state.lock();
        let Some(ticket) = self.ticket else {
            let ticket = state.enter(self.party, cx.waker().clone());
            drop(state);
            self.ticket = Some(ticket);
            turns.tell();
            return Poll::Pending;
        };
        // Nothing but its release wakes it: so the waker that is known is the right one.
        if !state.released.remove(&ticket) {
            return Poll::Pending;
        }
        self.ticket = None;
        let turns = Arc::clone(turns);
        Poll::Ready(Turn { turns })
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.turns.state.lock();
        if state.released.remove(&ticket) {
            drop(state);
            drop(Turn {
                turns: Arc::clone(self.turns),
            });
        } else {
            state.leave(self.party, ticket);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.state.lock().runners -= 1;
        self.turns.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Waiting<'t> = Pin<Box<dyn Future<Output = Turn> + 't>>;

    const TURN: Duration = Duration::from_millis(1);

    fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn release(turns: &Turns) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        turns.poll_release(&mut cx).is_ready()
    }

    #[test]
    fn a_party_gets_no_more_by_having_more_tasks() {
        let turns = Turns::new(TURN, 1);
        let parties: [Arc<Party>; 2] = Default::default();
        // Nine tasks of one, one of the other.
        let owners = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let wait = |owner: usize| -> Waiting<'_> { Box::pin(turns.take(Some(&parties[owner]))) };
        let mut waiting: Vec<Waiting<'_>> = owners.into_iter().map(wait).collect();
        for task in &mut waiting {
            assert!(poll(task.as_mut()).is_pending());
        }
        let mut got = [0; 2];
        for _ in 0..100 {
            assert!(release(&turns));
            let mut polled = waiting.iter_mut().map(|task| poll(task.as_mut()));
            let at = polled.position(|polled| polled.is_ready());
            let at = at.expect("one was let go");
            let party = &parties[owners[at]];
            assert!(!turns.is_over(party));
            party.use_time(TURN);
            assert!(turns.is_over(party));
            got[owners[at]] += 1;
            waiting[at] = wait(owners[at]);
            assert!(poll(waiting[at].as_mut()).is_pending());
        }
        assert_eq!(got, [50, 50]);
        // Who comes late pays for nothing, and is owed nothing.
        let late = Arc::default();
        let mut first = Box::pin(turns.take(Some(&late)));
        assert!(poll(first.as_mut()).is_pending());
        let used = late.used.load(Relaxed);
        assert!((48_000_000..=50_000_000).contains(&used), "{used}");
    }

    #[test]
    fn who_was_let_go_and_waits_for_something_holds_the_others_back() {
        let turns = Turns::new(TURN, 1);
        let mut waiting: [Waiting<'_>; 3] =
            std::array::from_fn(|_| -> Waiting<'_> { Box::pin(turns.take(None)) });
        for task in &mut waiting {
            assert!(poll(task.as_mut()).is_pending());
        }
        let [first, second, third] = waiting;
        assert!(release(&turns));
        assert!(!release(&turns), "the first is to begin before that");
        let mut first = first;
        let Poll::Ready(turn) = poll(first.as_mut()) else {
            panic!("it was let go");
        };
        drop(turn);
        assert!(release(&turns));
        // The second was let go and does not come; the third does not wait any more.
        drop(third);
        drop(second);
        assert!(!release(&turns), "nobody waits");
        let state = turns.state.lock();
        assert_eq!((state.runners, state.queues.len()), (0, 0));
        assert!(state.released.is_empty() && state.keys.is_empty());
    }
}
