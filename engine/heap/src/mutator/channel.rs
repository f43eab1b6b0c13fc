//! Channels: a bounded queue in a ring, whose storage grows up to the capacity.
//!
//! Nobody waits here: a send to a full channel and a receive from an empty one say so, and
//! who wants to wait waits for the [version](Mutator::wait_version) to change.

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::{Offset, Value};

const CHANNEL_WORDS: u32 = 7;
/// Values that a channel's first storage has room for, if its capacity is as large.
const FIRST_ROOM: u32 = 4;
const CLOSED: u64 = 1 << 32;

/// What became of a value that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The channel has it.
    Done,
    /// There is no room.
    Full,
    /// The channel is closed.
    Closed,
}

/// What a receive gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'p> {
    /// The oldest value, which the channel has no longer.
    Value(Value<'p>),
    /// There is none, for now.
    Empty,
    /// There is none, and there will be none.
    Closed,
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// An open, empty channel that holds at most `capacity` values, at least 1. Its id is
    /// drawn from a counter that all channels, mutexes and weak references of the heap share.
    ///
    /// # Errors
    /// When a collection is due first; no id is drawn then.
    pub fn channel(&self, capacity: u32) -> Result<Value<'p>, NeedsMemory> {
        let room = capacity.clamp(1, FIRST_ROOM);
        let _grant = self.grant([CHANNEL_WORDS, HEADER_WORDS + room])?;
        let storage = self.storage(room)?;
        let at = self.allocate(Kind::Channel, 0, CHANNEL_WORDS)?;
        self.region()
            .set_raw(at + raw::WAIT_ID, self.next_wait_id());
        self.region().set_raw(at + raw::WAIT_VERSION, 0);
        self.region()
            .set_raw(at + raw::CHANNEL_LIMITS, u64::from(capacity.max(1)));
        self.region().set_raw(at + raw::CHANNEL_RING, 0);
        self.initialise(at, raw::CHANNEL_STORAGE, &[storage]);
        Ok(self.reference(at))
    }

    pub(super) fn next_wait_id(&self) -> u64 {
        self.heap.waited_on.fetch_add(1, Relaxed) + 1
    }

    /// Says that what waits for the object should look again. Last of a change, so that who
    /// sees the version sees the change.
    pub(super) fn bump_version(&self, at: Offset) {
        let version = self.region().word(at + raw::WAIT_VERSION);
        version.fetch_add(1, Release);
    }

    /// Id and version of a channel or mutex. The version changes with every change that
    /// somebody may wait for: who found nothing to do registers as a waiter, looks whether
    /// the version is still the same, and only then waits.
    pub fn wait_version(&self, object: Value<'p>) -> Option<(u64, u64)> {
        let at = self
            .as_kind(object, Kind::Channel)
            .or_else(|| self.as_kind(object, Kind::Mutex))?;
        let version = self.region().word(at + raw::WAIT_VERSION).load(Acquire);
        Some((self.region().raw(at + raw::WAIT_ID), version))
    }

    /// Position of the oldest value, and number of values.
    fn ring(&self, channel: Offset) -> (u32, u32) {
        let ring = self.region().raw(channel + raw::CHANNEL_RING);
        (ring as u32, (ring >> 32) as u32)
    }

    fn set_ring(&self, channel: Offset, head: u32, len: u32) {
        let ring = u64::from(head) | u64::from(len) << 32;
        self.region().set_raw(channel + raw::CHANNEL_RING, ring);
    }

    fn channel_storage(&self, channel: Offset) -> (Offset, u32) {
        let at = self.offset(self.get(channel, raw::CHANNEL_STORAGE));
        (at, self.region().header(at).size_words() - HEADER_WORDS)
    }

    /// Number of values in a channel.
    pub fn channel_len(&self, channel: Value<'p>) -> Option<u32> {
        let at = self.as_kind(channel, Kind::Channel)?;
        Some(self.ring(at).1)
    }

    /// Most values that a channel holds.
    pub fn channel_capacity(&self, channel: Value<'p>) -> Option<u32> {
        let at = self.as_kind(channel, Kind::Channel)?;
        Some(self.region().raw(at + raw::CHANNEL_LIMITS) as u32)
    }

    /// Whether a channel was closed.
    pub fn channel_is_closed(&self, channel: Value<'p>) -> Option<bool> {
        let at = self.as_kind(channel, Kind::Channel)?;
        Some(self.region().raw(at + raw::CHANNEL_LIMITS) & CLOSED != 0)
    }

    /// Value `index` of a channel, from the oldest on, which stays there.
    pub fn channel_peek(&self, channel: Value<'p>, index: u32) -> Option<Value<'p>> {
        let at = self.as_kind(channel, Kind::Channel)?;
        let _locked = self.lock(at);
        let (head, len) = self.ring(at);
        let (storage, room) = self.channel_storage(at);
        (index < len).then(|| self.get(storage, raw::STORAGE_FIRST + (head + index) % room))
    }

    /// Appends a value to a channel, if there is room; `None` if it is no channel.
    ///
    /// # Errors
    /// When a collection is due first; nothing has changed then.
    pub fn channel_try_send(
        &self,
        channel: Value<'p>,
        value: Value<'p>,
    ) -> Result<Option<Sent>, NeedsMemory> {
        let Some(at) = self.as_kind(channel, Kind::Channel) else {
            return Ok(None);
        };
        let _locked = self.lock(at);
        let limits = self.region().raw(at + raw::CHANNEL_LIMITS);
        if limits & CLOSED != 0 {
            return Ok(Some(Sent::Closed));
        }
        if self.ring(at).1 >= limits as u32 {
            return Ok(Some(Sent::Full));
        }
        self.make_room(at, limits as u32)?;
        let (head, len) = self.ring(at);
        let (storage, room) = self.channel_storage(at);
        let index = raw::STORAGE_FIRST + (head + len) % room;
        if !planted!(B11a, self.needs_mark(storage, value.word())) {
            self.will_store_range(storage, index, 1);
        }
        self.set_after_barrier(storage, index, value);
        self.set_ring(at, head, len + 1);
        self.bump_version(at);
        Ok(Some(Sent::Done))
    }

    /// Storage with room for one more value, the oldest value first in it if it is new.
    fn make_room(&self, channel: Offset, capacity: u32) -> Result<(), NeedsMemory> {
        let (head, len) = self.ring(channel);
        let (old, room) = self.channel_storage(channel);
        if len < room {
            return Ok(());
        }
        let grown = self.storage((room * 2).min(capacity))?;
        let at = self.offset(grown);
        let head = if planted!(B296, head > 0) { 0 } else { head };
        for index in 0..len {
            let value = self.get(old, raw::STORAGE_FIRST + (head + index) % room);
            // The new storage is young: a plain store.
            self.initialise(at, raw::STORAGE_FIRST + index, &[value]);
        }
        self.set(channel, raw::CHANNEL_STORAGE, grown);
        self.set_ring(channel, 0, len);
        Ok(())
    }

    /// Takes the oldest value out of a channel; `None` if it is no channel.
    pub fn channel_try_receive(&self, channel: Value<'p>) -> Option<Received<'p>> {
        let at = self.as_kind(channel, Kind::Channel)?;
        let _locked = self.lock(at);
        let (head, len) = self.ring(at);
        if len == 0 {
            let is_closed = self.region().raw(at + raw::CHANNEL_LIMITS) & CLOSED != 0;
            return Some(if is_closed {
                Received::Closed
            } else {
                Received::Empty
            });
        }
        let (storage, room) = self.channel_storage(at);
        let value = self.get(storage, raw::STORAGE_FIRST + head);
        if !planted!(B265, value.is_object()) {
            self.region()
                .slot(storage + raw::STORAGE_FIRST + head)
                .clear();
        }
        self.set_ring(at, (head + 1) % room, len - 1);
        self.bump_version(at);
        Some(Received::Value(value))
    }

    /// Closes a channel; says whether it was open, `None` if it is no channel.
    pub fn channel_close(&self, channel: Value<'p>) -> Option<bool> {
        let at = self.as_kind(channel, Kind::Channel)?;
        let _locked = self.lock(at);
        let limits = self.region().raw(at + raw::CHANNEL_LIMITS);
        if limits & CLOSED != 0 {
            return Some(false);
        }
        self.region()
            .set_raw(at + raw::CHANNEL_LIMITS, limits | CLOSED);
        self.bump_version(at);
        Some(true)
    }
}
