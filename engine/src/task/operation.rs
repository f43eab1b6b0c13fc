//! Sleeps and host operations.
//!
//! An operation that an interrupt comes in the middle of goes on while the handler runs, and
//! the handler may begin one of its own: so they are a stack. The machine knows how many
//! operations it still stands at; what is above that was abandoned, and dropping it ends it.

use std::task::{Context, Poll};
use std::time::Duration;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::Checks;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{HostOperation, HostValue, Task as Timer};
use gcrucible_vm::{SliceEnd, SliceOutcome, Vm, host_value};

use super::driver::{Driver, Pending};
use crate::event::EngineEvent;

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
    Host(HostOperation),
}

/// What an operation came to.
enum Done {
    Slept,
    Host(Result<HostValue, String>),
}

impl Operation {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        match self {
            Operation::Sleep(timer) => timer.as_mut().poll(cx).map(|()| Done::Slept),
            Operation::Host(operation) => operation.as_mut().poll(cx).map(Done::Host),
        }
    }
}

impl Operations {
    /// Whether the machine stands at an operation that has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Drops what the machine abandoned in a slice.
    pub(super) fn after_slice(&mut self, vm: &Vm, outcome: &SliceOutcome) {
        let begins = matches!(outcome.end, SliceEnd::Sleep { .. } | SliceEnd::Host);
        let count = vm.operations() - usize::from(begins);
        // In a handler, and where an error was caught, it stands at no operation.
        let stack = self.stack.get_mut();
        self.is_under_way &= count == stack.len() && !outcome.interrupted;
        stack.truncate(count);
    }
}

impl Driver<'_> {
    /// Begins what a slice ended with.
    pub(super) fn begin_operation(&mut self, outcome: &SliceOutcome) {
        let platform = &self.engine.inner.platform;
        let operation = match (outcome.end, &outcome.host) {
            (SliceEnd::Sleep { ms }, _) => {
                Operation::Sleep(platform.sleep(Duration::from_millis(ms)))
            }
            (_, Some(request)) => Operation::Host(platform.host(request.clone())),
            (_, None) => unreachable!("a slice that ends with a host operation names it"),
        };
        self.operations.stack.get_mut().push(operation);
    }

    /// Waits for the innermost operation, the deadline or other news. The machine gets the
    /// result of an operation that has ended.
    pub(super) async fn operate<C: Checks>(&mut self) {
        self.operations.is_under_way = true;
        let task = self.task;
        // In this order, as in every wait.
        task.signal.reset();
        if self.has_news() {
            return;
        }
        let Some(mut operation) = self.operations.stack.get_mut().pop() else {
            // Its error waits behind a cancellation that the machine refused.
            self.operations.is_under_way = false;
            return;
        };
        let done = self
            .pause_until(task.vm.deadline(), |cx| operation.poll(cx))
            .await;
        match done {
            None => self.operations.stack.get_mut().push(operation),
            Some(done) => {
                self.operations.is_under_way = false;
                drop(operation);
                if let Done::Host(result) = done {
                    self.observe(&EngineEvent::HostEnded {
                        task: task.number,
                        result: &result,
                    });
                    self.pending = self.place::<C>(result).await;
                }
            }
        }
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
        let mut attempts = 0;
        loop {
            let needs = {
                let permit = inner.heap.shared().await;
                let placed = inner.registry.allocate::<C, _>(&permit, |m| {
                    m.store(self.task.vm.exchange(), host_value::build(&data, m)?);
                    Ok(())
                });
                match placed {
                    Ok(()) => return None,
                    Err(needs) => needs,
                }
            };
            if !self.make_room(needs.words, &mut attempts).await {
                return Some(ErrorKind::OutOfMemory.into());
            }
        }
    }
}
