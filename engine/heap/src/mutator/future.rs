//! Futures as objects: id, state, payload.
//!
//! A future leaves `pending` exactly once. The completer that wins the step from pending
//! to *settling* (which everybody else sees as pending) stores the payload and then
//! publishes the final state; a loser touches nothing (I-11).

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::Value;

const FUTURE_WORDS: u32 = 6;
/// Claimed by a completer; not visible outside this file.
const SETTLING: u64 = 5;

/// What everybody can see of a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FutureState {
    /// Not settled.
    Pending = 0,
    /// Settled with a value.
    Ready = 1,
    /// Settled with an error.
    Error = 2,
    /// Cancelled.
    Cancelled = 3,
    /// The engine failed.
    InternalError = 4,
}

impl FutureState {
    fn from_number(number: u64) -> FutureState {
        match number {
            1 => FutureState::Ready,
            2 => FutureState::Error,
            3 => FutureState::Cancelled,
            4 => FutureState::InternalError,
            _ => FutureState::Pending,
        }
    }
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A pending future.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn future(&self, id: u64) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Future, 0, FUTURE_WORDS)?;
        self.region().set_raw(at + raw::FUTURE_ID, id);
        self.region()
            .set_raw(at + raw::FUTURE_STATE, FutureState::Pending as u64);
        self.region().set_raw(at + raw::FUTURE_ORDER, 0);
        self.initialise(at, raw::FUTURE_PAYLOAD, &[Value::NIL]);
        Ok(self.reference(at))
    }

    /// The id of a future.
    #[inline]
    pub fn future_id(&self, future: Value<'p>) -> Option<u64> {
        self.as_kind(future, Kind::Future)
            .map(|at| self.region().raw(at + raw::FUTURE_ID))
    }

    /// State and payload of a future; the payload is nil while it is pending.
    #[inline]
    pub fn future_state(&self, future: Value<'p>) -> Option<(FutureState, Value<'p>)> {
        let at = self.as_kind(future, Kind::Future)?;
        let state =
            FutureState::from_number(self.region().word(at + raw::FUTURE_STATE).load(Acquire));
        let payload = match state {
            FutureState::Pending => Value::NIL,
            _ => self.get(at, raw::FUTURE_PAYLOAD),
        };
        Some((state, payload))
    }

    /// When a future settled: its position, from 1, among all of the heap that have; `None`
    /// while it has not.
    pub fn future_settled_order(&self, future: Value<'p>) -> Option<u64> {
        let at = self.as_kind(future, Kind::Future)?;
        let state = self.region().word(at + raw::FUTURE_STATE).load(Acquire);
        (FutureState::from_number(state) != FutureState::Pending)
            .then(|| self.region().raw(at + raw::FUTURE_ORDER))
    }

    /// Settles a future. Returns false, and changes nothing, if it was settled before or
    /// is no future.
    ///
    /// # Panics
    /// If `state` is `Pending`.
    pub fn future_settle(&self, future: Value<'p>, state: FutureState, payload: Value<'p>) -> bool {
        assert_ne!(
            state,
            FutureState::Pending,
            "a future settles to a final state"
        );
        let Some(at) = self.as_kind(future, Kind::Future) else {
            return false;
        };
        let word = self.region().word(at + raw::FUTURE_STATE);
        let pending = FutureState::Pending as u64;
        if word
            .compare_exchange(pending, SETTLING, Acquire, Relaxed)
            .is_err()
            && !planted!(B40)
            && !planted!(B51, state == FutureState::Cancelled)
        {
            return false;
        }
        let order = self.heap.settled.fetch_add(1, Relaxed) + 1;
        self.region().set_raw(at + raw::FUTURE_ORDER, order);
        self.set(at, raw::FUTURE_PAYLOAD, payload);
        word.store(state as u64, Release);
        true
    }
}
