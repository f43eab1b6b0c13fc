//! Waiting for futures, channels, mutexes and time.
//!
//! Each wait goes the same way: forget old news, look for what would make waiting pointless,
//! register, look again at what is waited for, wait for news or the deadline. What comes
//! after the forgetting is not missed (I-12, I-16). Afterwards the machine's instruction runs
//! again and finds out for itself what has happened.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::Checks;
use gcrucible_platform::planted;

use super::driver::Driver;
use super::yield_points;
use crate::event::EngineEvent;
use crate::futures::Wait;
use crate::wait_lists::Place;

impl Driver<'_> {
    /// Whether a slice would do more than run into the same wait again: a cancellation is to
    /// be delivered, an interrupt to be dispatched, or the block of a squad to be ended.
    pub(super) fn has_news(&self) -> bool {
        let is_cancel_due = self.task.token.is_undelivered() && !self.is_cancel_refused;
        is_cancel_due || self.task.vm.has_failed_squad() || self.has_news_when_draining()
    }

    /// The same while a squad drains, which takes no cancellation.
    fn has_news_when_draining(&self) -> bool {
        self.dispatchable().is_some() || !self.task.failed_squads.lock().is_empty()
    }

    /// Waits until a future is settled or there is other news; the machine's await then runs
    /// again. Returns an error to throw instead, if the id makes no sense.
    pub(super) async fn wait_for(&self, future: u64) -> Option<ErrorKind> {
        let inner = &self.engine.inner;
        let task = self.task;
        self.yield_at(yield_points::BEFORE_WAIT).await;
        task.signal.reset();
        if self.has_news() {
            return None;
        }
        let is_checked = planted!(B42, inner.registry.look_up(future) == Wait::Waiting);
        if is_checked {
            self.yield_at(yield_points::BEFORE_WAIT).await;
        }
        let (answer, ticket) = (inner.registry).wait_any(&[future], task.number, &task.signal);
        let answer = if is_checked { Wait::Waiting } else { answer };
        match answer {
            Wait::Waiting => {
                self.pause(task.vm.deadline()).await;
                if !planted!(B213, task.token.is_undelivered()) {
                    inner.registry.stop_waiting(&[future], ticket);
                }
                None
            }
            // Nobody completes once more what is resolved.
            Wait::Resolved if planted!(B49) => {
                self.pause(task.vm.deadline()).await;
                None
            }
            Wait::Resolved => {
                self.observe(&EngineEvent::AwaitResolved {
                    task: task.number,
                    future,
                });
                None
            }
            Wait::NotFound => Some(ErrorKind::FutureNotFound),
        }
    }

    /// The same for the first of several futures. While a squad drains, neither cancellation
    /// nor a deadline ends the wait.
    pub(super) async fn wait_for_any(&self, futures: &[u64], drain: bool) -> Option<ErrorKind> {
        let inner = &self.engine.inner;
        let task = self.task;
        self.yield_at(yield_points::BEFORE_WAIT).await;
        task.signal.reset();
        let has_news = match drain {
            true => self.has_news_when_draining(),
            false => self.has_news(),
        };
        if has_news {
            return None;
        }
        let (answer, ticket) = inner.registry.wait_any(futures, task.number, &task.signal);
        match answer {
            Wait::Waiting => {
                self.pause(task.vm.deadline().filter(|_| !drain)).await;
                inner.registry.stop_waiting(futures, ticket);
                None
            }
            Wait::Resolved => {
                self.observe(&EngineEvent::AwaitManyResolved { task: task.number });
                None
            }
            Wait::NotFound => Some(ErrorKind::FutureNotFound),
        }
    }

    /// Waits until the channel or mutex in the exchange slot has changed since the machine
    /// saw `version`, or there is other news.
    pub(super) async fn wait_for_change<C: Checks>(&mut self, place: Place, version: u64) {
        let (object, _) = place;
        let inner = &self.engine.inner;
        let task = self.task;
        self.yield_at(yield_points::BEFORE_WAIT).await;
        task.signal.reset();
        if self.has_news() {
            return;
        }
        let had_turn = self.turn.take().is_some();
        let waiter = (task.number, &task.signal);
        let at = inner.wait_lists.add(place, waiter, version, had_turn);
        let now = {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<C>();
            m.wait_version(task.vm.load_exchange(&m))
        };
        let is_same = now == Some((object, version));
        if is_same {
            self.observe(&EngineEvent::WaitBegan {
                task: task.number,
                object,
            });
            self.pause(task.vm.deadline()).await;
        } else {
            self.observe(&EngineEvent::WaitResolved {
                task: task.number,
                object,
            });
        }
        let stays = planted!(B315, is_same && task.token.is_undelivered());
        if !stays && !inner.wait_lists.remove(place, at, had_turn && !is_same) {
            self.turn = Some(place);
        }
    }

    /// Waits for the task's signal, or until `deadline`, in milliseconds of the engine's
    /// time.
    pub(super) async fn pause(&self, deadline: Option<u64>) {
        // Without a time there is nothing but the signal that could end it.
        let is_all = deadline.is_none();
        self.pause_for::<Infallible>(deadline, is_all, |_| Poll::Pending)
            .await;
    }

    /// The same, or until `other` is ready. Of several that have come, the signal goes first
    /// and the deadline second.
    pub(super) async fn pause_until<T>(
        &self,
        deadline: Option<u64>,
        other: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        self.pause_for(deadline, false, other).await
    }

    /// The same; `is_all` says that it waits for the signal and for nothing else.
    async fn pause_for<T>(
        &self,
        deadline: Option<u64>,
        is_all: bool,
        mut other: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let task = self.task;
        let mut timer = deadline.map(|deadline| {
            let platform = &self.engine.inner.platform;
            let left = Duration::from_millis(deadline).saturating_sub(platform.now());
            platform.sleep(left)
        });
        task.signal.begin_wait(is_all);
        let (is_notified, done) = poll_fn(|cx| {
            if task.signal.poll(cx.waker()).is_ready() {
                return Poll::Ready((true, None));
            }
            if let Some(timer) = &mut timer
                && timer.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready((false, None));
            }
            other(cx).map(|done| (false, Some(done)))
        })
        .await;
        task.signal.end_wait();
        // Who notifies says so itself.
        if !is_notified {
            self.observe(&EngineEvent::Woken { task: task.number });
        }
        done
    }
}
