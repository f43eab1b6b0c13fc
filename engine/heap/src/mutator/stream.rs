//! Streams: a function that is called for each element, and can be used once only.

use super::Mutator;
use gcrucible_platform::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::Value;

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StreamState {
    /// Nobody uses it yet.
    Fresh = 0,
    /// Somebody does.
    Taken = 1,
    /// It has no more elements, and its function is gone.
    Ended = 2,
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A fresh stream over a function.
    ///
    /// # Errors
    /// When a collection is due first.
    pub fn stream(&self, source: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Stream, 0, HEADER_WORDS + 2)?;
        self.region()
            .set_raw(at + raw::STREAM_STATE, StreamState::Fresh as u64);
        self.initialise(at, raw::STREAM_SOURCE, &[source]);
        Ok(self.reference(at))
    }

    /// How far a stream is.
    pub fn stream_state(&self, stream: Value<'p>) -> Option<StreamState> {
        let at = self.as_kind(stream, Kind::Stream)?;
        Some(
            match self.region().word(at + raw::STREAM_STATE).load(Acquire) {
                0 => StreamState::Fresh,
                1 => StreamState::Taken,
                _ => StreamState::Ended,
            },
        )
    }

    /// Takes a stream: true if it was fresh, false if somebody took it before.
    pub fn stream_take(&self, stream: Value<'p>) -> Option<bool> {
        let at = self.as_kind(stream, Kind::Stream)?;
        let (fresh, taken) = (StreamState::Fresh as u64, StreamState::Taken as u64);
        let state = self.region().word(at + raw::STREAM_STATE);
        Some(
            state
                .compare_exchange(fresh, taken, AcqRel, Acquire)
                .is_ok(),
        )
    }

    /// The function of a stream; nil when it has ended.
    pub fn stream_source(&self, stream: Value<'p>) -> Option<Value<'p>> {
        self.as_kind(stream, Kind::Stream)
            .map(|at| self.get(at, raw::STREAM_SOURCE))
    }

    /// Ends a stream and lets go of its function; false if it is no stream.
    pub fn stream_end(&self, stream: Value<'p>) -> bool {
        let Some(at) = self.as_kind(stream, Kind::Stream) else {
            return false;
        };
        self.region().slot(at + raw::STREAM_SOURCE).clear();
        let state = self.region().word(at + raw::STREAM_STATE);
        state.store(StreamState::Ended as u64, Release);
        true
    }
}
