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

use super::Mutator;
use super::copy::{Graph, Reach};
use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::object::Kind;
use crate::space::Generation;
use crate::value::{Offset, Slot, Word};

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
    /// and weak references get their new ids is breadth first.
    ///
    /// # Errors
    /// See [`ForkStop`]; nothing is copied then.
    ///
    /// # Panics
    /// If there are not as many of one as of the other.
    pub fn fork(&self, originals: &[Slot], copies: &[Slot]) -> Result<(), ForkStop> {
        assert_eq!(originals.len(), copies.len(), "one slot for each");
        let roots: Vec<Word> = originals.iter().map(Slot::get).collect();
        let mut units = u32::MAX;
        let graph = self
            .look(roots.iter().copied(), Reach::Fork, &mut units)
            .expect("there is no end to the units");
        if graph.has_stream || self.has_stream_behind(&graph) {
            return Err(ForkStop::Stream);
        }
        let made = self.make(&graph)?;
        for (&root, slot) in roots.iter().zip(copies) {
            slot.set(self.linked(&graph, &made, root, None)?);
        }
        Ok(())
    }

    /// Whether what is shared on purpose leads to a stream.
    fn has_stream_behind(&self, graph: &Graph) -> bool {
        let mut work: Vec<Offset> = graph.shared.clone();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(at) = work.pop() {
            if !seen.insert(at) {
                continue;
            }
            let (first, end) = self.slot_range(at);
            for index in first..end {
                let word = self.region().slot(at + index).get();
                if !word.is_object() || graph.has(word.offset()) {
                    continue;
                }
                let next = self.offset(self.checked(word));
                if self.region().header(next).kind() == Some(Kind::Stream) {
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
