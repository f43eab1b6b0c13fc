//! Weak references: a target that they do not keep alive.
//!
//! The collection that frees the target clears the reference, together with all others to
//! it, before anything else sees the heap: a minor one decides for young targets, a major
//! one for all. An immediate target stays for ever.

use super::Mutator;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{HEADER_WORDS, Kind, raw};
use crate::value::Value;

impl<'p, C: Checks> Mutator<'p, C> {
    /// A weak reference to `target`. Its id is drawn from the counter that channels and
    /// mutexes have theirs from.
    ///
    /// # Errors
    /// When a collection is due first; no id is drawn then.
    pub fn weak(&self, target: Value<'p>) -> Result<Value<'p>, NeedsMemory> {
        let at = self.allocate(Kind::Weak, 0, HEADER_WORDS + 2)?;
        self.region()
            .set_raw(at + raw::WAIT_ID, self.next_wait_id());
        self.initialise(at, raw::WEAK_TARGET, &[target]);
        Ok(self.reference(at))
    }

    /// The id of a weak reference, by which
    /// [`CollectionReport::cleared`](crate::CollectionReport::cleared) names it.
    pub fn weak_id(&self, weak: Value<'p>) -> Option<u64> {
        self.as_kind(weak, Kind::Weak)
            .map(|at| self.region().raw(at + raw::WAIT_ID))
    }

    /// What a weak reference refers to; nil when that was collected.
    pub fn weak_target(&self, weak: Value<'p>) -> Option<Value<'p>> {
        self.as_kind(weak, Kind::Weak)
            .map(|at| self.get(at, raw::WEAK_TARGET))
    }
}
