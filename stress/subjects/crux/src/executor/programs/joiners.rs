//! Those who wait for the end of a call: the host may have any number of them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use gcrucible_engine::{CallHandle, Outcome};

/// How many wait for each call: one more than the engine itself would notice.
const PER_CALL: usize = 2;

/// Waiters for the ends of calls, by the ids of these.
#[derive(Default)]
pub(super) struct Joiners {
    of: BTreeMap<u32, Vec<Joiner>>,
}

/// One who waits.
struct Joiner {
    /// Gone when it has the outcome.
    end: Option<Pin<Box<dyn Future<Output = Outcome>>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Joiners {
    /// Some begin to wait for the end of a call.
    pub(super) fn begin(&mut self, call: u32, handle: &Arc<CallHandle>) {
        let joiner = || {
            let handle = Arc::clone(handle);
            Joiner {
                end: Some(Box::pin(async move { handle.join().await })),
                woken: Arc::new(Woken(AtomicBool::new(true))),
            }
        };
        self.of
            .insert(call, (0..PER_CALL).map(|_| joiner()).collect());
        self.go_on();
    }

    /// Nobody waits for a call any more, so that its handle drops when its owner drops it.
    pub(super) fn forget(&mut self, call: u32) {
        self.of.remove(&call);
    }

    /// Nobody waits any more.
    pub(super) fn clear(&mut self) {
        self.of.clear();
    }

    /// Lets those look who were woken, until nobody is.
    pub(super) fn go_on(&mut self) {
        let mut has_news = true;
        while std::mem::take(&mut has_news) {
            for joiner in self.of.values_mut().flatten() {
                if !joiner.woken.0.swap(false, Relaxed) {
                    continue;
                }
                has_news = true;
                let waker = Waker::from(Arc::clone(&joiner.woken));
                let mut cx = Context::from_waker(&waker);
                if let Some(end) = &mut joiner.end
                    && end.as_mut().poll(&mut cx).is_ready()
                {
                    joiner.end = None;
                }
            }
        }
    }

    /// The calls of which somebody waits for the end.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        let waits = |joiners: &Vec<Joiner>| joiners.iter().any(|joiner| joiner.end.is_some());
        let of = self.of.iter();
        of.filter(move |(_, joiners)| waits(joiners))
            .map(|(&call, _)| call)
    }
}
