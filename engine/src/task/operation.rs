//! Sleeps and host operations.
//!
//! An operation that an interrupt comes in the middle of goes on while the handler runs, and
//! the handler may begin one of its own: so they are a stack. The machine knows how many
//! operations it still stands at; what is above that was abandoned, and dropping it ends it.
//!
//! A sleep ends with the cancellation of its task. A host operation is told of it by its stop
//! token and may end by itself in the grace time, since the request or its own begin; the task
//! sees the cancellation when it has ended, and at the latest at the end of that. Those that an
//! interrupt handler begins are the handler's, which the cancellation does not reach: they are
//! not told, and the handler's own time bounds them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Charge, Checks, Heap, HeapFault, MemoryAccount, Slot, Value};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{
    DataBudget, DataHolder, HostOperation, HostRequest, HostValue, Task as Timer, planted,
};
use gcrucible_vm::{SliceEnd, SliceOutcome, Vm, host_value};

use super::driver::{Driver, Pending};
use super::ending::BodyEnd;
use super::yield_points;
use crate::cancellation::Watched;
use crate::event::EngineEvent;
use crate::roots::ROOTS;

/// The operations of one task that are under way, innermost last.
#[derive(Default)]
pub(super) struct Operations {
    /// Locked by nobody but its owner: operations cannot be shared between threads, while
    /// the driver can.
    stack: Mutex<Vec<Operation>>,
    /// Whether the machine stands at the innermost one, and it has not ended.
    is_under_way: bool,
}

enum Operation {
    Sleep(Timer),
    Host {
        operation: HostOperation,
        /// None for one of an interrupt handler.
        watch: Option<Watch>,
        /// What it may hold.
        budget: DataBudget,
        /// What it was asked with.
        _request: Option<Charge>,
    },
}

/// Bytes of arguments that count as the task's own.
const SMALL_REQUEST: u64 = 1 << 10;

/// What cancellation means for a host operation.
struct Watch {
    watched: Watched,
    /// When it began, in milliseconds of the engine's time.
    began_ms: u64,
}

/// What an operation came to.
enum Done {
    Slept,
    Host(Result<HostValue, String>),
    /// It waits for memory of so many bytes.
    Lacks(u64),
    /// It panicked, with this message.
    Panicked(String),
}

impl Operation {
    /// What a host operation may hold; nothing for another.
    fn budget(&self) -> DataBudget {
        match self {
            Operation::Sleep(_) => DataBudget::default(),
            Operation::Host { budget, .. } => budget.clone(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        match self {
            Operation::Sleep(timer) => timer.as_mut().poll(cx).map(|()| Done::Slept),
            Operation::Host {
                operation, budget, ..
            } => {
                // What panics is not polled again, so nobody sees what state it is in.
                let polled = catch_unwind(AssertUnwindSafe(|| operation.as_mut().poll(cx)));
                match polled {
                    Ok(Poll::Ready(result)) => Poll::Ready(Done::Host(result)),
                    Ok(Poll::Pending) => match budget.lacks() {
                        Some(bytes) => Poll::Ready(Done::Lacks(bytes)),
                        None => Poll::Pending,
                    },
                    Err(panic) => Poll::Ready(Done::Panicked(message_of(&*panic))),
                }
            }
        }
    }
}

/// The memory of a task that an operation's data counts as.
struct Held {
    heap: Weak<Heap>,
    account: Option<Arc<MemoryAccount>>,
    charge: Mutex<Option<Charge>>,
}

impl DataHolder for Held {
    fn hold(&self, bytes: u64) -> bool {
        let Some(heap) = self.heap.upgrade() else {
            return true;
        };
        let mut charge = self.charge.lock();
        let held = charge.as_ref().map_or(0, Charge::bytes);
        // One that stays beside the new one, as long as that is made.
        let more = heap.charge(self.account.as_ref(), bytes.saturating_sub(held));
        let Ok(mut more) = more else { return false };
        more.set(bytes);
        *charge = Some(more);
        true
    }
}

/// The text that a panic was made with.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> String {
    let fault = panic.downcast_ref::<HeapFault>().map(HeapFault::to_string);
    let text = fault.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

impl Operations {
    /// Whether the machine stands at an operation that has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Whether the machine stands at a host operation that has not ended.
    pub(super) fn is_at_host(&mut self) -> bool {
        let innermost = self.stack.get_mut().last();
        self.is_under_way && matches!(innermost, Some(Operation::Host { .. }))
    }

    /// Drops what the machine abandoned in a slice.
    pub(super) fn after_slice(&mut self, vm: &Vm, outcome: &SliceOutcome) {
        let begins = matches!(outcome.end, SliceEnd::Sleep { .. } | SliceEnd::Host);
        let count = vm.operations() - usize::from(begins);
        // In a handler, and where an error was caught, it stands at no operation; where a handler has ended,
        // at one that may not be over, whether it is waited for by now or not.
        let stack = self.stack.get_mut();
        let is_at_one = vm.is_at_operation() && !begins && count == stack.len();
        self.is_under_way = match planted!(B316, is_at_one && !self.is_under_way) {
            true => false,
            false => is_at_one,
        };
        stack.truncate(count);
    }
}

impl Driver<'_> {
    /// Begins what a slice ended with.
    pub(super) async fn begin_operation(&mut self, outcome: &mut SliceOutcome) {
        if outcome.end == SliceEnd::Host {
            // Before it begins, as before every wait, others may come.
            self.yield_at(yield_points::BEFORE_WAIT).await;
        }
        let platform = &self.engine.inner.platform;
        let request = outcome.host.take();
        let operation = match (outcome.end, request) {
            (SliceEnd::Sleep { ms }, _) => {
                Operation::Sleep(platform.sleep(Duration::from_millis(ms)))
            }
            (_, Some(mut request)) => {
                let Some(charge) = self.charge_request(&request).await else {
                    self.pending = Some(ErrorKind::OutOfMemory.into());
                    return;
                };
                let (stop, budget) = (request.stop.clone(), self.budget());
                request.budget = budget.clone();
                request.capabilities = self.engine.inner.capabilities.clone();
                let begun = catch_unwind(AssertUnwindSafe(|| platform.host(request)));
                self.observe(&EngineEvent::HostBegan {
                    task: self.task.number,
                });
                Operation::Host {
                    // To begin is part of the operation: it panics when it is waited for.
                    operation: begun.unwrap_or_else(|panic| {
                        Box::pin(async move { std::panic::resume_unwind(panic) })
                    }),
                    watch: (!self.task.vm.is_in_handler() || planted!(B220)).then(|| Watch {
                        watched: self.task.token.watch(&stop),
                        began_ms: self.now_ms(),
                    }),
                    budget,
                    _request: charge,
                }
            }
            (_, None) => unreachable!("a slice that ends with a host operation names it"),
        };
        self.operations.stack.get_mut().push(operation);
    }

    /// Charges what an operation is asked with; `None` if there is no memory for that.
    async fn charge_request(&self, request: &HostRequest) -> Option<Option<Charge>> {
        let bytes: u64 = request.args.iter().map(HostValue::bytes).sum();
        let bytes = bytes + request.name.len() as u64;
        if bytes < SMALL_REQUEST {
            // As the task that asks.
            return Some(None);
        }
        let account = self.task.vm().realm().account();
        let mut attempts = 0;
        loop {
            match self.engine.inner.heap.charge(account, bytes) {
                Ok(charge) => return Some(Some(charge)),
                Err(needs) if self.make_room(needs.words, &mut attempts, None).await => {}
                Err(_) => return None,
            }
        }
    }

    /// What an operation of this task may hold.
    fn budget(&self) -> DataBudget {
        let inner = &self.engine.inner;
        let held = Held {
            heap: Arc::downgrade(&inner.heap),
            account: self.task.vm().realm().account().cloned(),
            charge: Mutex::default(),
        };
        DataBudget::new(inner.host_data_max, held)
    }

    /// Waits for the innermost operation, the deadline or other news. The machine gets the
    /// result of an operation that has ended.
    pub(super) async fn operate<C: Checks>(&mut self) {
        if self.pending.is_some() && !planted!(B306) {
            // An error waits, perhaps behind a cancellation that the machine refused. What a
            // handler has interrupted may be under way, which is none of its business.
            return;
        }
        self.operations.is_under_way = true;
        let task = self.task;
        loop {
            // In this order, as in every wait.
            task.signal.reset();
            let grace_end = self.grace_end();
            match grace_end {
                Some(end) if self.dispatchable().is_some() || self.is_passed(end) => {
                    return;
                }
                None if self.has_news() => return,
                _ => {}
            }
            let Some(mut operation) = self.operations.stack.get_mut().pop() else {
                self.operations.is_under_way = false;
                return;
            };
            let deadline = task.vm.deadline();
            let until = [deadline, grace_end.flatten()].into_iter().flatten().min();
            let done = self.pause_until(until, |cx| operation.poll(cx)).await;
            if let Some(Done::Lacks(bytes)) = done {
                let words = u32::try_from(bytes.div_ceil(8)).unwrap_or(u32::MAX >> 1);
                // It asks again at once: everything is collected for it.
                if !self.make_room(words, &mut 1, None).await {
                    operation.budget().refuse();
                }
                self.operations.stack.get_mut().push(operation);
                continue;
            }
            let Some(done) = done else {
                self.operations.stack.get_mut().push(operation);
                // Under a request it goes on until then, whoever wakes the task.
                if self.grace_end().is_some() && !self.is_passed(deadline) {
                    continue;
                }
                return;
            };
            self.operations.is_under_way = false;
            // Held until the machine has the result.
            let budget = operation.budget();
            // A second panic says nothing that the first did not.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(operation)));
            match done {
                Done::Slept | Done::Lacks(_) => {}
                Done::Panicked(message) => self.panicked = Some(message),
                Done::Host(result) => {
                    self.observe(&EngineEvent::HostEnded {
                        task: task.number,
                        result: &result,
                    });
                    self.pending = match budget.is_refused() {
                        true => Some(ErrorKind::OutOfMemory.into()),
                        false => self.place::<C>(result).await,
                    };
                }
            }
            return;
        }
    }

    /// Whether a time has come, if there is one.
    fn is_passed(&self, at: Option<u64>) -> bool {
        at.is_some_and(|at| at <= self.now_ms())
    }

    /// If the innermost operation is one of the host that the task's cancellation concerns, and
    /// that was requested: when the operation is cut off, if ever.
    fn grace_end(&mut self) -> Option<Option<u64>> {
        let requested_ms = self.task.token.requested_ms()?;
        let operation = self.operations.stack.get_mut().last()?;
        let Operation::Host {
            watch: Some(watch), ..
        } = operation
        else {
            return None;
        };
        let begin_ms = match planted!(B214, watch.began_ms > requested_ms) {
            true => requested_ms,
            false => requested_ms.max(watch.began_ms),
        };
        let end = begin_ms.saturating_add(self.engine.inner.grace);
        if planted!(B71) || planted!(B74, watch.watched.is_late()) {
            return Some(None);
        }
        Some(Some(end))
    }

    /// Ends the body because the host has panicked in it: nothing more of it runs, what it
    /// holds is released, and the exchange slot has the message.
    pub(super) async fn fail<C: Checks>(&mut self, message: String) -> BodyEnd {
        let inner = &self.engine.inner;
        self.panicked_at = self.task.vm.trace();
        let changed = {
            let permit = inner.heap.shared().await;
            self.task.vm.abandon::<C>(&permit)
        };
        self.operations = Operations::default();
        self.observe(&EngineEvent::HostPanicked {
            task: self.task.number,
            message: &message,
        });
        // Without memory for the message there is no cause.
        let _ = self.place::<C>(Ok(HostValue::String(message))).await;
        if planted!(B52) {
            self.task.vm.clear_exchange();
        }
        self.wake_changed(&changed).await;
        BodyEnd::Panicked
    }

    /// Leaves the result of a host operation in the exchange slot. Returns the error to
    /// throw instead.
    async fn place<C: Checks>(&self, result: Result<HostValue, String>) -> Option<Pending> {
        let inner = &self.engine.inner;
        let data = match result {
            Ok(data) if data.levels() <= HostValue::LEVELS_MAX => data,
            Ok(_) => {
                let levels = HostValue::LEVELS_MAX;
                let message = format!("the host's answer has over {levels} levels");
                return Some(Pending {
                    kind: ErrorKind::HostError,
                    message: Some(message),
                });
            }
            Err(message) => {
                return Some(Pending {
                    kind: ErrorKind::HostError,
                    message: Some(message),
                });
            }
        };
        if inner.is_large(std::slice::from_ref(&data)) {
            return self.place_in_steps::<C>(data).await;
        }
        let mut attempts = 0;
        loop {
            let unrooted = planted!(B17).then(|| Slot::nil(ROOTS));
            let placed = {
                let permit = inner.heap.shared().await;
                inner.registry.allocate::<C, _>(&permit, |m| {
                    let place = unrooted.as_ref().unwrap_or(self.task.vm.exchange(ROOTS));
                    m.store(place, host_value::build(&data, m)?);
                    Ok(())
                })
            };
            let needs = match (placed, unrooted) {
                (Ok(()), None) => return None,
                (Ok(()), Some(result)) => {
                    self.yield_at(yield_points::BEFORE_WAKE).await;
                    self.task.vm.exchange(ROOTS).take_from(&result);
                    return None;
                }
                (Err(needs), _) => needs,
            };
            if !self.make_room(needs.words, &mut attempts, None).await {
                return Some(ErrorKind::OutOfMemory.into());
            }
        }
    }

    /// The same with a large result, between whose steps others go first.
    async fn place_in_steps<C: Checks>(&self, data: HostValue) -> Option<Pending> {
        let inner = &self.engine.inner;
        let account = self.task.vm.realm().account();
        let built = inner
            .build_in_steps(account, std::slice::from_ref(&data))
            .await;
        inner.platform.discard(data);
        match built {
            Ok(built) => {
                let permit = inner.heap.shared().await;
                let m = permit.reader::<C>();
                let value = built.values(&m).pop().unwrap_or(Value::NIL);
                self.task.vm.store_exchange(&m, value);
                None
            }
            Err(needs) => {
                self.observe(&EngineEvent::MemoryRefused {
                    task: self.task.number,
                    words: needs.words,
                    account_bytes: account.map(|account| account.used()),
                });
                Some(ErrorKind::OutOfMemory.into())
            }
        }
    }
}
