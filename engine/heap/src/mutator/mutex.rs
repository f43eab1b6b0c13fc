//! Mutexes: who holds it, and a version that says when to try again.

use super::Mutator;
use gcrucible_platform::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Kind, raw};
use crate::value::Value;

const MUTEX_WORDS: u32 = 5;

/// What became of an attempt to acquire a mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The task holds it from now on.
    Done,
    /// Another task holds it.
    Held,
    /// The task itself holds it already.
    Again,
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// A mutex that nobody holds. Its id is drawn from a counter that all channels,
    /// mutexes and weak references of the heap share.
    ///
    /// # Errors
    /// When a collection is due first; no id is drawn then.
    pub fn mutex(&self) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Mutex, 0, MUTEX_WORDS)?;
        self.region()
            .set_raw(at + raw::WAIT_ID, self.next_wait_id());
        self.region().set_raw(at + raw::WAIT_VERSION, 0);
        self.region().set_raw(at + raw::MUTEX_HOLDER, 0);
        Ok(self.reference(at))
    }

    /// Acquires a mutex for `task`, if it is free; `None` if it is no mutex.
    pub fn mutex_try_acquire(&self, mutex: Value<'p>, task: u32) -> Option<Acquired> {
        let at = self.as_kind(mutex, Kind::Mutex)?;
        let mine = u64::from(task) + 1;
        let holder = self.region().word(at + raw::MUTEX_HOLDER);
        Some(match holder.compare_exchange(0, mine, AcqRel, Acquire) {
            Ok(_) => Acquired::Done,
            Err(other) if other == mine => Acquired::Again,
            Err(_) => Acquired::Held,
        })
    }

    /// Releases a mutex that `task` holds, which changes its
    /// [version](Mutator::wait_version); false if it does not hold it.
    pub fn mutex_release(&self, mutex: Value<'p>, task: u32) -> bool {
        let Some(at) = self.as_kind(mutex, Kind::Mutex) else {
            return false;
        };
        let mine = u64::from(task) + 1;
        let holder = self.region().word(at + raw::MUTEX_HOLDER);
        let is_released = holder.compare_exchange(mine, 0, AcqRel, Acquire).is_ok();
        if is_released {
            self.bump_version(at);
        }
        is_released
    }

    /// The task that holds a mutex, if any does; `None` outside if it is no mutex.
    pub fn mutex_holder(&self, mutex: Value<'p>) -> Option<Option<u32>> {
        let at = self.as_kind(mutex, Kind::Mutex)?;
        let holder = self.region().word(at + raw::MUTEX_HOLDER).load(Acquire);
        Some(holder.checked_sub(1).map(|task| task as u32))
    }
}
