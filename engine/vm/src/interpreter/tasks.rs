//! Spawning, awaiting and cancelling; squads, guards and channels: what tasks do to each
//! other.

use gcrucible_bytecode::{ErrorKind, Op, Reg};
use gcrucible_heap::{Acquired, Checks, FutureState, Kind, Received, Sent, Sizes, Value};
use gcrucible_platform::planted;

use super::{Context, Effects, Made, Stop};
use crate::frame::Control;
use crate::roots::ROOTS;
use crate::scope::{ScopeKind, Scopes};
use crate::slice::{Side, SliceEnd};
use crate::stack::Registers;

impl<'p, C: Checks> Context<'p, C> {
    /// Leaves an unscheduled future in the exchange slot. The innermost squad gets a place
    /// for it now, while the instruction can still run again.
    pub(super) fn spawn(
        &self,
        registers: Registers<'_, C>,
        scopes: &Scopes,
        base: Reg,
        argc: u8,
        detached: bool,
    ) -> Stop<'p> {
        let callee = registers.get(&self.m, base);
        if let Err(kind) = self.callable(callee, usize::from(argc)) {
            return kind.into();
        }
        let children = scopes.squad().filter(|_| !detached);
        // The call and a larger array at once: what was made in vain would be made in vain
        // again.
        let grant = children.map(|children| {
            let children = self.m.load_root(children);
            let (len, capacity) = self.m.array_room(children).unwrap_or_default();
            let mut sizes = Sizes::default();
            self.m
                .grant(sizes.unscheduled(argc.into()).growth(len, capacity))
        });
        let _grant = match grant.transpose() {
            Ok(grant) => grant,
            Err(needs) => return needs.into(),
        };
        let future = self.with_values(registers, base, 1 + usize::from(argc), |call| {
            self.m.unscheduled(call[0], &call[1..])
        });
        let future = match future {
            Ok(future) => future,
            Err(needs) => return needs.into(),
        };
        if let Some(children) = children {
            let children = self.m.load_root(children);
            if let Err(needs) = self.m.array_push(children, Value::NIL) {
                return needs.into();
            }
        }
        self.m.store(self.exchange, future);
        // The future comes there; until then it keeps nothing alive.
        registers.slot(base).clear();
        Stop::End(SliceEnd::Spawn { detached })
    }

    /// The value of a future.
    pub(super) fn awaited(&self, future: Value<'p>) -> Made<'p> {
        match self.settled(future)? {
            Some(value) => Ok(value),
            None => {
                self.m.store(self.exchange, future);
                let id = self.m.future_id(future);
                Err(Stop::Wait(SliceEnd::Await {
                    future: id.ok_or(ErrorKind::TypeError)?,
                }))
            }
        }
    }

    /// The value of a future that has one, `None` if it is pending. Throws what an await of
    /// it throws.
    fn settled(&self, future: Value<'p>) -> Result<Option<Value<'p>>, Stop<'p>> {
        let state = self.m.future_state(future);
        match state.ok_or(ErrorKind::TypeError)? {
            (FutureState::Ready, value) => Ok(Some(value)),
            (FutureState::Error, error) => Err(Stop::Throw(error)),
            (FutureState::Cancelled, _) => Err(ErrorKind::Cancelled.into()),
            (FutureState::InternalError, cause) => Err(Stop::Raise(ErrorKind::Internal, cause)),
            (FutureState::Pending, _) => Ok(None),
        }
    }

    fn has_failed(&self, future: Value<'p>) -> bool {
        let state = self.m.future_state(future);
        matches!(
            state,
            Some((FutureState::Error | FutureState::InternalError, _))
        )
    }

    /// The future that `error` comes from, which `op` throws: that which is awaited, or that which
    /// failed first in a squad.
    #[cold]
    pub(super) fn failed_future(
        &self,
        op: Op,
        registers: Registers<'_, C>,
        error: Value<'p>,
    ) -> Option<u64> {
        let of = match op {
            Op::Await { src, .. } => registers.get(&self.m, src),
            Op::JoinSquad { squad } | Op::DrainSquad { squad } => {
                let children = self.elements(registers.get(&self.m, squad));
                let failed = children.filter(|&child| self.has_failed(child));
                failed.min_by_key(|&child| self.m.future_settled_order(child))?
            }
            _ => return None,
        };
        let is_same = match self.m.future_state(of)? {
            (FutureState::Error, payload) => payload == error,
            (FutureState::InternalError, _) => {
                let parts = self.m.error_parts(error);
                parts.is_some_and(|(kind, _, _)| kind == ErrorKind::Internal as u8)
            }
            _ => false,
        };
        is_same.then(|| self.m.future_id(of)).flatten()
    }

    /// Hands a future to the engine to be cancelled.
    pub(super) fn cancel(&self, future: Value<'p>) -> Stop<'p> {
        if self.m.kind(future) != Some(Kind::Future) {
            return ErrorKind::TypeError.into();
        }
        self.m.store(self.exchange, future);
        Stop::End(SliceEnd::Cancel)
    }

    /// Makes the array of children hold their values, or throws what the first failure was,
    /// or waits.
    pub(super) fn join_squad(
        &self,
        children: Value<'p>,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        let len = self.m.array_len(children).ok_or(ErrorKind::TypeError)?;
        self.work.charge_elements(4 * len as usize);
        let mut failed: Option<(u64, Value<'p>)> = None;
        let mut pending = Vec::new();
        for child in self.elements(children) {
            let (state, _) = self.m.future_state(child).ok_or(ErrorKind::TypeError)?;
            if planted!(B56, !pending.is_empty()) {
                break;
            }
            match state {
                FutureState::Pending => pending.extend(self.m.future_id(child)),
                FutureState::Ready => {}
                FutureState::Error | FutureState::Cancelled | FutureState::InternalError => {
                    let order = self.m.future_settled_order(child).unwrap_or(0);
                    if failed.is_none_or(|(first, _)| order < first) {
                        failed = Some((order, child));
                    }
                }
            }
        }
        if let Some((_, child)) = failed {
            self.settled(child)?;
        }
        if !pending.is_empty() {
            // Of a failure the task is told, so one is enough: looking at all of them again
            // whenever one has settled would cost the square of their number.
            effects.awaited.extend(pending.last());
            return Err(Stop::Wait(SliceEnd::AwaitMany { drain: false }));
        }
        for index in 0..len {
            if let Some(child) = self.m.array_get(children, index)
                && let Some(value) = self.settled(child)?
            {
                self.m.array_set(children, index, value);
            }
        }
        Ok(())
    }

    /// The ids of the children that have not settled.
    pub(crate) fn pending(&self, children: Value<'p>) -> impl Iterator<Item = u64> {
        self.elements(children).filter_map(|child| {
            let state = self.m.future_state(child);
            let is_pending = matches!(state, Some((FutureState::Pending, _)));
            self.m.future_id(child).filter(|_| is_pending)
        })
    }

    /// Throws what an await of the child throws that has failed first.
    fn first_failure(&self, children: Value<'p>) -> Result<(), Stop<'p>> {
        let failed = self.elements(children).filter(|&child| {
            let state = self.m.future_state(child);
            state.is_some_and(|(state, _)| {
                !matches!(state, FutureState::Pending | FutureState::Ready)
            })
        });
        let first = failed.min_by_key(|&child| self.m.future_settled_order(child).unwrap_or(0));
        match first {
            Some(child) => self.settled(child).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Asks for the cancellation of the children, once, and waits until all are settled.
    pub(super) fn drain_squad(
        &self,
        children: Value<'p>,
        scopes: &mut Scopes,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        let len = self.m.array_len(children).unwrap_or(0);
        self.work.charge_elements(2 * len as usize);
        let pending: Vec<u64> = self.pending(children).collect();
        if !scopes.set_drained() {
            effects.cancel.extend(&pending);
        }
        if pending.is_empty() {
            // Whatever they failed with, their squad has ended with it.
            let failed = self
                .elements(children)
                .filter(|&child| self.has_failed(child));
            let mut failed = failed
                .filter_map(|child| self.m.future_id(child))
                .peekable();
            if !planted!(B225, failed.peek().is_some()) {
                effects.seen.extend(failed);
            }
            // What a child's failure has ended throws that, whatever its block made of it.
            return match scopes.ends_with_failure() {
                true => self.first_failure(children),
                false => Ok(()),
            };
        }
        if planted!(B53) {
            return Ok(());
        }
        effects.awaited.extend(pending.last());
        Err(Stop::Wait(SliceEnd::AwaitMany { drain: true }))
    }

    /// Acquires a mutex and pushes its guard, or waits.
    pub(super) fn push_guard(
        &self,
        mutex: Value<'p>,
        control: &mut Control,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        let before = self.m.wait_version(mutex);
        match self.m.mutex_try_acquire(mutex, self.task) {
            Some(Acquired::Done) => {
                effects.note_acquired(self, mutex);
                let slot = gcrucible_heap::Slot::nil(ROOTS);
                self.m.store(&slot, mutex);
                control.push_scope(None, ScopeKind::Guard { mutex: slot });
                Ok(())
            }
            Some(Acquired::Held) => Err(self.wait_for(mutex, Side::Take, before)),
            Some(Acquired::Again) => Err(ErrorKind::WouldDeadlock.into()),
            None => Err(ErrorKind::TypeError.into()),
        }
    }

    /// Waits until a channel or mutex changes. Its id and version are those from `before` the look
    /// that found nothing to do: were they read behind it, a change in between would be taken for
    /// one that was seen, and nobody would wake the task for it.
    fn wait_for(&self, object: Value<'p>, side: Side, before: Option<(u64, u64)>) -> Stop<'p> {
        self.m.store(self.exchange, object);
        match before {
            Some((object, version)) => Stop::Wait(SliceEnd::Wait {
                object,
                version,
                side,
            }),
            None => ErrorKind::TypeError.into(),
        }
    }

    /// Appends to a channel; whether there was room.
    pub(crate) fn try_send(
        &self,
        channel: Value<'p>,
        value: Value<'p>,
        effects: &mut Effects,
    ) -> Result<bool, Stop<'p>> {
        match self.m.channel_try_send(channel, value)? {
            Some(Sent::Done) => {
                effects.note_change(self, channel);
                Ok(true)
            }
            Some(Sent::Full) => Ok(false),
            Some(Sent::Closed) => Err(ErrorKind::ChannelClosed.into()),
            None => Err(ErrorKind::TypeError.into()),
        }
    }

    /// Appends to a channel, or waits for room.
    pub(crate) fn send(
        &self,
        channel: Value<'p>,
        value: Value<'p>,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        let before = self.m.wait_version(channel);
        if self.try_send(channel, value, effects)? {
            Ok(())
        } else {
            Err(self.wait_for(channel, Side::Put, before))
        }
    }

    /// The oldest value of a channel; `None` if it is empty and `waits` is false, or if it is
    /// closed and empty. Else waits.
    pub(crate) fn receive(
        &self,
        channel: Value<'p>,
        waits: bool,
        effects: &mut Effects,
    ) -> Result<Option<Value<'p>>, Stop<'p>> {
        let before = self.m.wait_version(channel);
        match self.m.channel_try_receive(channel) {
            Some(Received::Value(value)) => {
                effects.note_change(self, channel);
                Ok(Some(value))
            }
            Some(Received::Empty) if waits => Err(self.wait_for(channel, Side::Take, before)),
            Some(Received::Empty | Received::Closed) => Ok(None),
            None => Err(ErrorKind::TypeError.into()),
        }
    }
}
