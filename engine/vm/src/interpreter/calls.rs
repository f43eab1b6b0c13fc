//! Methods, spawning, awaiting, cancelling.

use gcrucible_bytecode::{ErrorKind, Reg};
use gcrucible_heap::{Checks, FutureState, Kind, Value};

use super::{Context, Made, Stop};
use crate::slice::SliceEnd;
use crate::stack::Registers;

impl<'p, C: Checks> Context<'p, C> {
    /// The closure that a method call on an instance calls: that in its field.
    pub(super) fn field_method(&self, receiver: Value<'p>, name: u16) -> Made<'p> {
        let class = self.m.class(receiver).ok_or(ErrorKind::UnknownMethod)?;
        let index = self.program.field(class, name);
        let callee = index.and_then(|index| self.m.field(receiver, index));
        callee.ok_or(ErrorKind::UnknownMethod.into())
    }

    /// Leaves an unscheduled future in the exchange slot.
    pub(super) fn spawn(&self, registers: Registers<'_, C>, base: Reg, argc: u8) -> Stop<'p> {
        if let Err(kind) = self.callable(registers.get(&self.m, base), usize::from(argc)) {
            return kind.into();
        }
        let future = self.with_values(registers, base, 1 + usize::from(argc), |call| {
            self.m.unscheduled(call[0], &call[1..])
        });
        match future {
            Ok(future) => {
                self.m.store(self.exchange, future);
                Stop::End(SliceEnd::Spawn)
            }
            Err(needs) => needs.into(),
        }
    }

    /// The value of a future.
    pub(super) fn awaited(&self, future: Value<'p>) -> Made<'p> {
        if self.is_cancel_requested {
            return Err(ErrorKind::Cancelled.into());
        }
        let state = self.m.future_state(future);
        match state.ok_or(ErrorKind::TypeError)? {
            (FutureState::Ready, value) => Ok(value),
            (FutureState::Error, error) => Err(Stop::Throw(error)),
            (FutureState::Cancelled, _) => Err(ErrorKind::Cancelled.into()),
            (FutureState::InternalError, cause) => Err(Stop::Raise(ErrorKind::Internal, cause)),
            (FutureState::Pending, _) => {
                self.m.store(self.exchange, future);
                let id = self.m.future_id(future);
                Err(Stop::Wait(SliceEnd::Await {
                    future: id.ok_or(ErrorKind::TypeError)?,
                }))
            }
        }
    }

    /// Hands a future to the engine to be cancelled.
    pub(super) fn cancel(&self, future: Value<'p>) -> Stop<'p> {
        if self.m.kind(future) != Some(Kind::Future) {
            return ErrorKind::TypeError.into();
        }
        self.m.store(self.exchange, future);
        Stop::End(SliceEnd::Cancel)
    }
}
