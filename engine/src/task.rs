//! One task: slices of its machine, and what the engine does between them.
//!
//! A slice never waits and never calls up; it returns why it ended, and the task acts on
//! that, without a permit in hand whenever it waits. Before every step that others could
//! come before, there is a yield point.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Checks, CollectMode, CollectionKind, FutureState, Slot};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{Place, yield_point};
use gcrucible_vm::{SliceEnd, SliceInput, Vm};

use crate::call::{CallGuard, Outcome};
use crate::cancellation::Token;
use crate::engine::Engine;
use crate::event::EngineEvent;
use crate::futures::{Signal, Wait};

/// The engine's own yield points, as [`Place::at`] names them.
pub mod yield_points {
    /// A task is about to start.
    pub const START: u32 = 1;
    /// Between a machine's await and the engine's answer.
    pub const BEFORE_WAIT: u32 = 2;
    /// Between the end of a body and the future's settling.
    pub const BEFORE_SETTLE: u32 = 3;
    /// Between the settling and the removal from the registry.
    pub const BEFORE_REMOVE: u32 = 4;
    /// Between the removal and the waking of who waits.
    pub const BEFORE_WAKE: u32 = 5;
    /// Between the end of a call's body and the call's end.
    pub const BEFORE_CALL_END: u32 = 6;
    /// The collector of `collect=continuous`.
    pub const CONTINUOUS_COLLECTION: u32 = 7;

    /// The name of a yield point, for timelines.
    pub fn name(at: u32) -> &'static str {
        match at {
            START => "start",
            BEFORE_WAIT => "before wait",
            BEFORE_SETTLE => "before settle",
            BEFORE_REMOVE => "before remove",
            BEFORE_WAKE => "before wake",
            BEFORE_CALL_END => "before call end",
            CONTINUOUS_COLLECTION => "continuous collection",
            _ => "yield point",
        }
    }
}

/// What a task is for.
#[derive(Debug)]
pub(crate) enum Runs {
    /// A call of the host.
    Call(CallGuard),
    /// The body of a future.
    Future(u64),
}

/// A task's state that others reach.
#[derive(Debug)]
pub(crate) struct Task {
    number: u32,
    vm: Arc<Vm>,
    token: Arc<Token>,
    signal: Arc<Signal>,
}

impl Task {
    pub(crate) fn new(number: u32, vm: Arc<Vm>, token: Arc<Token>) -> Self {
        Task {
            number,
            vm,
            token,
            signal: Arc::default(),
        }
    }

    pub(crate) fn vm(&self) -> &Vm {
        &self.vm
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }
}

/// The live tasks by number.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    tasks: Mutex<BTreeMap<u32, Weak<Task>>>,
}

impl Tasks {
    pub(crate) fn add(&self, task: &Arc<Task>) {
        let mut tasks = self.tasks.lock();
        tasks.retain(|_, task| task.strong_count() > 0);
        tasks.insert(task.number, Arc::downgrade(task));
    }

    pub(crate) fn find(&self, number: u32) -> Option<Arc<Task>> {
        self.tasks.lock().get(&number)?.upgrade()
    }
}

/// Runs a task to its end.
pub(crate) async fn drive<C: Checks>(engine: Engine, task: Arc<Task>, runs: Runs) {
    let driver = Driver {
        engine: &engine,
        task: &task,
    };
    driver.yield_at(yield_points::START).await;
    // A call or future that is cancelled before it starts never runs.
    let end = if !task.token.is_requested() {
        driver.start::<C>(&runs).await;
        driver.run::<C>().await
    } else if matches!(runs, Runs::Call(_)) && seeded_bugs::is_on(Bug::B62) {
        // B-62: a call that was cancelled before it started runs and returns its value.
        seeded_bugs::note_triggered(Bug::B62);
        task.token.set_delivered();
        driver.start::<C>(&runs).await;
        driver.run::<C>().await
    } else {
        BodyEnd::NeverStarted
    };
    match runs {
        Runs::Call(guard) => driver.end_call::<C>(guard, end).await,
        Runs::Future(id) => driver.settle::<C>(id, end).await,
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    Returned,
    Threw,
    NeverStarted,
}

struct Driver<'e> {
    engine: &'e Engine,
    task: &'e Arc<Task>,
}

impl Driver<'_> {
    async fn yield_at(&self, at: u32) {
        let place = Place {
            task: self.task.number,
            function: Place::ENGINE,
            at,
        };
        yield_point(&*self.engine.inner.platform, place).await;
    }

    /// Lets others go first, between two slices.
    async fn turn(&self) {
        let (function, at) = self.task.vm.position();
        let place = Place {
            task: self.task.number,
            function,
            at,
        };
        yield_point(&*self.engine.inner.platform, place).await;
    }

    fn observe(&self, event: &EngineEvent<'_>) {
        self.engine.inner.observe(event);
    }

    /// Gives the machine of a future its callee and arguments.
    async fn start<C: Checks>(&self, runs: &Runs) {
        let Runs::Future(id) = *runs else { return };
        let inner = &self.engine.inner;
        let permit = inner.heap.shared().await;
        let unscheduled = Slot::nil();
        inner.registry.start(id, &unscheduled);
        let m = permit.mutator::<C>(inner.registry.tlab());
        let call = m.load_root(&unscheduled);
        let count = m.unscheduled_args(call).unwrap_or(0);
        let part = |index: u32| {
            let slot = Slot::nil();
            if let Some(value) = m.unscheduled_part(call, index) {
                m.store(&slot, value);
            }
            slot
        };
        let args: Vec<Slot> = (1..=count).map(part).collect();
        self.task.vm.start_call(&part(0), &args);
    }

    /// Runs slices until the body ends.
    async fn run<C: Checks>(&self) -> BodyEnd {
        let inner = &self.engine.inner;
        let task = self.task;
        let mut attempts = 0;
        let mut pending_error = None;
        let mut is_turn_over = false;
        let mut has_run = false;
        loop {
            if std::mem::replace(&mut is_turn_over, true) {
                self.turn().await;
            }
            let is_cancel_due = task.token.is_undelivered();
            if is_cancel_due && !has_run {
                return BodyEnd::NeverStarted;
            }
            let deliver = match pending_error {
                // Making the error of a cancellation needs memory: that there is none must
                // not wait for it.
                Some(ErrorKind::OutOfMemory) => pending_error,
                _ if is_cancel_due => Some(ErrorKind::Cancelled),
                _ => pending_error,
            };
            let input = SliceInput {
                fuel: inner.platform.fuel(task.number).max(1),
                deliver,
                cancel_requested: task.token.is_requested(),
            };
            let (outcome, cancelling) = {
                let permit = inner.heap.shared().await;
                let outcome = task.vm.run_slice::<C>(&permit, input);
                let cancelling = (outcome.end == SliceEnd::Cancel)
                    .then(|| {
                        let m = permit.mutator::<C>(inner.registry.tlab());
                        m.future_id(m.load_root(task.vm.exchange()))
                    })
                    .flatten();
                (outcome, cancelling)
            };
            if outcome.delivered {
                if deliver == Some(ErrorKind::Cancelled) {
                    task.token.set_delivered();
                } else {
                    pending_error = None;
                }
            }
            self.observe(&EngineEvent::Slice {
                task: task.number,
                delivered: deliver.filter(|_| outcome.delivered),
                printed: &outcome.printed,
                thrown_and_caught: (outcome.thrown, outcome.caught),
                instructions: outcome.instructions,
                end: outcome.end,
                cancelling,
            });
            if outcome.instructions > 0 || outcome.delivered {
                attempts = 0;
            }
            // A slice that got no further than a safepoint has not begun the body.
            has_run |= outcome.instructions > 0
                || !matches!(
                    outcome.end,
                    SliceEnd::Safepoint | SliceEnd::NeedsMemory { .. }
                );
            match outcome.end {
                SliceEnd::Fuel | SliceEnd::Yielded => {}
                SliceEnd::Safepoint => self.safepoint().await,
                SliceEnd::NeedsMemory { words } => {
                    if let Some(error) = self.make_room(words, &mut attempts).await {
                        pending_error = Some(error);
                    }
                    // The room is for this task: nobody else goes first.
                    is_turn_over = false;
                }
                SliceEnd::Spawn => {
                    if let Some(error) = self.register::<C>().await {
                        pending_error = Some(error);
                    }
                }
                SliceEnd::Await { future } => {
                    if let Some(error) = self.wait_for(future).await {
                        pending_error = Some(error);
                    }
                }
                SliceEnd::Cancel => {
                    if let Some(future) = cancelling {
                        let slot = task.vm.exchange();
                        inner.cancel_future::<C>(self.engine, future, slot).await;
                    }
                }
                SliceEnd::Sleep { ms } => self.sleep(Duration::from_millis(ms)).await,
                SliceEnd::Collect => {
                    inner.collect(CollectionKind::Major).await;
                }
                SliceEnd::Returned => return BodyEnd::Returned,
                SliceEnd::Threw => return BodyEnd::Threw,
            }
        }
    }

    /// At a safepoint the heap's modes say whether to collect.
    async fn safepoint(&self) {
        let heap = &self.engine.inner.heap;
        // Under `continuous` the collector task asks, not each safepoint.
        if heap.debug().collect != CollectMode::Continuous
            && let Some(kind) = heap.at_safepoint()
        {
            self.engine.inner.collect(kind).await;
        }
    }

    /// Collects for an allocation that found no memory: first as usual, then everything.
    /// When even that leaves no room within the heap's limit, the task gets an
    /// `OutOfMemory` error. A nursery that other tasks filled up again in the meantime is
    /// no reason for one. A heap that the verifier refuses is: it is not collected, so there
    /// would never be room.
    async fn make_room(&self, words: u32, attempts: &mut u32) -> Option<ErrorKind> {
        let inner = &self.engine.inner;
        *attempts += 1;
        let is_sound = if *attempts == 1 {
            inner.collect(inner.heap.kind_to_collect()).await
        } else {
            inner.collect(CollectionKind::Major).await
        };
        let has_room = *attempts == 1 || inner.heap.has_room_within_limit(words);
        if is_sound && has_room {
            return None;
        }
        self.observe(&EngineEvent::MemoryRefused {
            task: self.task.number,
            words,
        });
        Some(ErrorKind::OutOfMemory)
    }

    /// Registers the future that the machine spawned, and starts its task. Without memory
    /// for the future nothing was spawned.
    async fn register<C: Checks>(&self) -> Option<ErrorKind> {
        let inner = &self.engine.inner;
        let exchange = self.task.vm.exchange();
        let token: Arc<Token> = Arc::default();
        let mut attempts = 0;
        let (id, runner) = loop {
            let registered = {
                let permit = inner.heap.shared().await;
                let new_task = || inner.new_task();
                inner
                    .registry
                    .register::<C>(&permit, exchange, new_task, Arc::clone(&token))
            };
            match registered {
                Ok(registered) => break registered,
                Err(needs) => {
                    if let Some(error) = self.make_room(needs.words, &mut attempts).await {
                        exchange.clear();
                        return Some(error);
                    }
                }
            }
        };
        self.observe(&EngineEvent::Registered {
            task: self.task.number,
            future: id,
            runner,
        });
        self.engine
            .spawn(runner, inner.new_vm(runner), token, Runs::Future(id));
        None
    }

    /// Waits until a future is settled or the task is cancelled; the machine's await then
    /// runs again. Returns an error to throw instead, if the id makes no sense.
    async fn wait_for(&self, future: u64) -> Option<ErrorKind> {
        let inner = &self.engine.inner;
        let task = self.task;
        self.yield_at(yield_points::BEFORE_WAIT).await;
        // Forget old news before looking for a request: the news of one that comes after
        // the look must not be forgotten, or the task would wait on (I-16).
        task.signal.reset();
        if task.token.is_undelivered() {
            return None;
        }
        let answer = if seeded_bugs::is_on(Bug::B42) {
            // B-42: the check and the registration are two steps.
            let answer = inner.registry.look_up(future);
            if answer == Wait::Waiting {
                self.yield_at(yield_points::BEFORE_WAIT).await;
                if inner.registry.wait(future, task.number, &task.signal) != Wait::Waiting {
                    seeded_bugs::note_triggered(Bug::B42);
                }
            }
            answer
        } else {
            inner.registry.wait(future, task.number, &task.signal)
        };
        match answer {
            Wait::Waiting => {
                task.signal.set_waited(true);
                task.signal.wait().await;
                task.signal.set_waited(false);
                inner.registry.stop_waiting(future, task.number);
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

    /// The host operation `sleep`: ends when the time is over or the task is cancelled.
    async fn sleep(&self, duration: Duration) {
        let task = self.task;
        // In this order, as in `wait_for`.
        task.signal.reset();
        if task.token.is_undelivered() {
            return;
        }
        let mut timer = self.engine.inner.platform.sleep(duration);
        task.signal.set_waited(true);
        let is_over = std::future::poll_fn(|cx| {
            if task.signal.poll(cx.waker()).is_ready() {
                return Poll::Ready(false);
            }
            timer.as_mut().poll(cx).map(|()| true)
        })
        .await;
        task.signal.set_waited(false);
        if is_over {
            self.observe(&EngineEvent::Woken { task: task.number });
        }
    }

    /// Settles the future of this task, takes it out of the registry, then wakes who
    /// waits for it: in this order, each of which somebody can come between.
    async fn settle<C: Checks>(&self, id: u64, end: BodyEnd) {
        let inner = &self.engine.inner;
        // A request that comes after the body has ended changes nothing any more.
        let state = match end {
            BodyEnd::Returned => FutureState::Ready,
            BodyEnd::Threw if !self.task.token.is_requested() => FutureState::Error,
            BodyEnd::Threw | BodyEnd::NeverStarted => FutureState::Cancelled,
        };
        self.yield_at(yield_points::BEFORE_SETTLE).await;
        let Some(future) = inner.registry.future(id) else {
            return;
        };
        let removed_early = if seeded_bugs::is_on(Bug::B41) {
            // B-41: the entry goes before the state is stored.
            let removed = inner.registry.remove(id);
            self.yield_at(yield_points::BEFORE_REMOVE).await;
            seeded_bugs::note_triggered(Bug::B41);
            removed
        } else {
            None
        };
        let is_settled = {
            let permit = inner.heap.shared().await;
            let m = permit.mutator::<C>(inner.registry.tlab());
            let payload = match state {
                FutureState::Cancelled => gcrucible_heap::Value::NIL,
                _ => m.load_root(self.task.vm.exchange()),
            };
            m.future_settle(m.load_root(&future), state, payload)
        };
        self.task.vm.exchange().clear();
        if is_settled {
            self.observe(&EngineEvent::Settled { future: id, state });
        } else {
            self.observe(&EngineEvent::SettleRefused { future: id });
        }
        self.yield_at(yield_points::BEFORE_REMOVE).await;
        let removed = removed_early.or_else(|| inner.registry.remove(id));
        self.yield_at(yield_points::BEFORE_WAKE).await;
        let mut waiters = removed.map(|removed| removed.waiters).unwrap_or_default();
        if seeded_bugs::is_on(Bug::B43) && waiters.len() > 1 {
            // B-43: only the first waiter is woken.
            seeded_bugs::note_triggered(Bug::B43);
            waiters.truncate(1);
        }
        for (waiter, signal) in waiters {
            if signal.notify() {
                self.observe(&EngineEvent::Woken { task: waiter });
            }
        }
    }

    /// Ends a call: its value moves to the call, its id becomes free.
    async fn end_call<C: Checks>(&self, guard: CallGuard, end: BodyEnd) {
        let inner = &self.engine.inner;
        let outcome = match end {
            BodyEnd::Returned => Outcome::Returned,
            BodyEnd::Threw if !self.task.token.is_requested() => Outcome::Threw,
            BodyEnd::Threw | BodyEnd::NeverStarted => Outcome::Cancelled,
        };
        self.yield_at(yield_points::BEFORE_CALL_END).await;
        if outcome != Outcome::Cancelled {
            let permit = inner.heap.shared().await;
            let m = permit.mutator::<C>(inner.registry.tlab());
            m.store(guard.call().value(), m.load_root(self.task.vm.exchange()));
        }
        self.task.vm.exchange().clear();
        if guard.call().id() == Engine::INIT_CALL {
            inner.program.freeze();
        }
        let call = guard.end(outcome);
        self.observe(&EngineEvent::CallEnded {
            call: &call,
            outcome,
        });
    }
}
