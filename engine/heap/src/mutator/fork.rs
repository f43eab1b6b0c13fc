//! Forking: a copy of everything that can change and that some roots reach, for a program to
//! be served with (I-23).
//!
//! ```text
//! copied   closures with their captured variables, arrays, maps, instances, enum values,
//!          errors, iterators, bound methods, unscheduled futures
//! renewed  mutexes: nobody holds the copy; weak references: to the copy of the target, or to
//!          nothing where the fork has none
//! shared   what never changes; channels and futures, on purpose
//! refused  streams, wherever they are reached (I-24)
//! ```
//!
//! What a shared channel or future holds is shared with it. It is searched for streams all
//! the same: whoever receives or awaits it would have the one that the template has.

use super::Copying;
use super::Mutator;
use super::copy::Reach;
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::{Forked, Kind, raw};
use crate::slot::Slot;
use crate::space::Generation;
use crate::value::{Offset, Word};
use gcrucible_platform::planted;

/// Why a fork was not made. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkStop {
    /// A collection is due first.
    NeedsMemory(NeedsMemory),
    /// A stream is reachable.
    Stream,
}

impl From<NeedsMemory> for ForkStop {
    fn from(needs: NeedsMemory) -> Self {
        ForkStop::NeedsMemory(needs)
    }
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// Fills the root slots `copies` with a fork of what the root slots `originals` reach, one
    /// for one. Objects that several of them reach stay one object. The order in which mutexes
    /// and weak references get their new ids is breadth first. That is in one go, if it takes no
    /// more than so many units of work: what it takes is taken from `units`. False if there is
    /// more to do, for a [`Copying::of_fork`].
    ///
    /// # Errors
    /// See [`ForkStop`]; nothing is copied then.
    ///
    /// # Panics
    /// If there are not as many of one as of the other.
    pub fn fork(
        &self,
        originals: &[Slot],
        copies: &[Slot],
        units: &mut u32,
    ) -> Result<bool, ForkStop> {
        assert_eq!(originals.len(), copies.len(), "one slot for each");
        let roots: Vec<Word> = originals.iter().map(Slot::get).collect();
        let Some(graph) = self.look(roots.iter().copied(), Reach::Fork, units) else {
            return Ok(false);
        };
        let is_copied = |word: Word| graph.has(word.offset());
        if graph.has_stream || self.has_stream_behind(graph.shared.clone(), is_copied) {
            return Err(ForkStop::Stream);
        }
        let made = self.make(&graph)?;
        for (&root, slot) in roots.iter().zip(copies) {
            slot.set(self.linked(&graph, &made, root));
        }
        Ok(true)
    }

    /// Goes on with a fork that takes several steps, with about so many units of work; what it
    /// does is taken from `units`. Whether it is done, and the root slots `copies` are filled.
    ///
    /// # Errors
    /// See [`ForkStop`]: after a lack of memory it goes on, a stream is its end.
    pub fn fork_on(
        &self,
        copying: &mut Copying,
        copies: &[Slot],
        units: &mut u32,
    ) -> Result<bool, ForkStop> {
        let is_done = copying.step(self, units)?;
        if copying.has_stream {
            return Err(ForkStop::Stream);
        }
        if !is_done {
            return Ok(false);
        }
        let shared = copying.shared.iter().map(|slot| slot.get().offset());
        if self.has_stream_behind(shared.collect(), |word| copying.has(self, word)) {
            return Err(ForkStop::Stream);
        }
        copying.renew(self);
        for (index, slot) in copies.iter().enumerate() {
            slot.set(copying.result(self, index).word());
        }
        Ok(true)
    }

    fn is_settled_future(&self, at: Offset) -> bool {
        let is_future = self.region().header(at).kind() == Some(Kind::Future);
        is_future
            && self
                .region()
                .slot(at + raw::FUTURE_PAYLOAD)
                .get()
                .is_object()
    }

    /// Whether what is shared on purpose leads to a stream.
    fn has_stream_behind(&self, shared: Vec<Offset>, is_copied: impl Fn(Word) -> bool) -> bool {
        let mut work = shared;
        let mut seen = std::collections::BTreeSet::new();
        while let Some(at) = work.pop() {
            if !seen.insert(at) || planted!(B281, self.is_settled_future(at)) {
                continue;
            }
            let (first, end) = self.slot_range(at);
            for index in first..end {
                let word = self.region().slot(at + index).get();
                if !word.is_object() || is_copied(word) {
                    continue;
                }
                let next = self.offset(self.checked(word));
                let kind = self.region().header(next).kind();
                if kind.is_some_and(|kind| kind.layout().fork == Forked::Refused) {
                    return true;
                }
                if self.region().block_at(next).generation() != Some(Generation::Immortal) {
                    work.push(next);
                }
            }
        }
        false
    }
}
