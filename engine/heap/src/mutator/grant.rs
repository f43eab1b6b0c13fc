//! Operations that allocate several objects: they ask for all of them before they make the
//! first.
//!
//! An operation that found no memory in its middle would start again after a collection,
//! and find none at the same object, however often it is tried: what a collection gives
//! back it uses up on its way there. So memory is refused when it is asked for, or not at
//! all.

use crate::allocator::NeedsMemory;
use crate::checks::Checks;
use crate::demand::Demand;
use crate::tlab::Buffer;

use super::Mutator;

/// While it lives, the objects that were asked for can be allocated: neither a full
/// nursery nor a mode refuses them, and there was room for them within the limit. Only when
/// another thread has taken that in between is an allocation refused; it is tried again
/// like any other.
#[derive(Debug)]
#[must_use = "the grant ends when it is dropped"]
pub struct Grant<'p> {
    /// The buffer that it is noted in; a demand that fits in one chunk has it already.
    buffer: Option<&'p Buffer>,
}

impl Drop for Grant<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer {
            buffer.end_grant();
        }
    }
}

impl<'p, C: Checks> Mutator<'p, C> {
    /// Makes sure that objects of these sizes in words, large ones among them, can be
    /// allocated without a collection between, in any order. Within an operation that was
    /// granted its objects it does nothing: they were asked for.
    ///
    /// # Errors
    /// When a collection is due first, or the heap would be over its limit with them.
    #[inline]
    pub fn grant(&self, sizes: impl IntoIterator<Item = u32>) -> Result<Grant<'p>, NeedsMemory> {
        if self.tlab.is_granted() {
            return Ok(Grant { buffer: None });
        }
        let demand = Demand::new(self.region(), sizes);
        if let Some(words) = demand.chunk_words() {
            self.reserve(words)?;
            return Ok(Grant { buffer: None });
        }
        self.heap.grant(self.tlab, &demand)?;
        Ok(Grant {
            buffer: Some(self.tlab),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checks::Checked;
    use crate::config::HeapConfig;
    use crate::debug_mode::CollectionKind;
    use crate::heap::Heap;
    use crate::holder::Holder;
    use crate::object::Kind;

    fn heap(config: HeapConfig, modes: &str) -> Arc<Heap> {
        let debug = modes.parse().expect("the test names modes that exist");
        Heap::new(config, debug).expect("address space for a tiny heap")
    }

    fn with<R>(heap: &Heap, holder: &Holder, act: impl FnOnce(&Mutator<'_, Checked>) -> R) -> R {
        let permit = heap.try_shared().expect("nobody collects");
        act(&permit.mutator::<Checked>(holder.tlab()))
    }

    /// Allocates a string object of so many words that nothing reads.
    fn allocate(m: &Mutator<'_, Checked>, words: u32) -> Result<(), NeedsMemory> {
        let at = m.allocate(Kind::String, 0, words)?;
        m.region().fill(at + 2, at + words, 0);
        Ok(())
    }

    /// Orders of object sizes: equal ones, and those that leave the most unused.
    fn demands(block: u32) -> Vec<Vec<u32>> {
        let sizes = [
            3,
            4,
            block / 4,
            block / 2 - 1,
            block / 2,
            block / 2 + 1,
            block,
            block * 3,
        ];
        let pairs = sizes
            .iter()
            .flat_map(|&first| sizes.map(|second| [first, second]));
        pairs
            .flat_map(|pair| [1, 2, 3, 8].map(|count| pair.repeat(count)))
            .collect()
    }

    fn on_each_heap(limit_bytes: u64, check: impl Fn(&Heap, &[u32])) {
        for (block_bytes, tlab_bytes) in [(512, 128), (512, 4096), (2048, 256)] {
            for nursery_bytes in [256, 1024, 16 << 10] {
                for modes in [
                    "natural",
                    "verify=quick",
                    "collect=alloc:1",
                    "fail=alloc:900000",
                ] {
                    let config = HeapConfig {
                        block_bytes,
                        card_bytes: 128,
                        nursery_bytes,
                        tlab_bytes,
                        limit_bytes,
                    };
                    let heap = heap(config, modes);
                    for sizes in demands(block_bytes / 8) {
                        check(&heap, &sizes);
                    }
                    let mut permit = heap.try_exclusive().expect("no permit is held");
                    assert_eq!(permit.audit(), [], "{modes}, {block_bytes}");
                }
            }
        }
    }

    fn about(heap: &Heap, sizes: &[u32]) -> String {
        format!("{sizes:?}, {}, {:?}", heap.debug(), heap.config())
    }

    #[test]
    fn what_is_granted_is_not_refused_and_what_is_refused_has_no_room() {
        on_each_heap(64 << 10, |heap, sizes| {
            let holder = Holder::new(heap, "test", 0);
            for kind in [CollectionKind::Minor, CollectionKind::Major] {
                let before = heap.stats().used_bytes;
                let granted = with(heap, &holder, |m| {
                    let _grant = m.grant(sizes.iter().copied())?;
                    for &words in sizes {
                        assert_eq!(allocate(m, words), Ok(()), "{}", about(heap, sizes));
                    }
                    Ok::<(), NeedsMemory>(())
                });
                if granted.is_ok() {
                    let demand = Demand::new(heap.region(), sizes.iter().copied());
                    let opened =
                        (heap.stats().used_bytes - before) / u64::from(heap.config().block_bytes);
                    assert!(opened <= demand.blocks(), "{}", about(heap, sizes));
                }
                let mut permit = heap.try_exclusive().expect("no permit is held");
                assert_eq!(permit.collect(kind).violations, []);
                if granted.is_ok() {
                    return;
                }
            }
            let refused = with(heap, &holder, |m| m.grant(sizes.iter().copied()).map(drop));
            if let Err(needs) = refused {
                assert!(
                    !heap.has_room_within_limit(needs.words),
                    "{}",
                    about(heap, sizes)
                );
            }
        });
    }

    #[test]
    fn what_others_take_in_between_is_not_taken_from_a_grant() {
        on_each_heap(4 << 20, |heap, sizes| {
            let holders = ["first", "second"].map(|name| Holder::new(heap, name, 0));
            let is_made = || {
                let mut permit = heap.try_exclusive().expect("no permit is held");
                permit.collect(CollectionKind::Minor);
                drop(permit);
                with(heap, &holders[0], |m| {
                    let Ok(_grant) = m.grant(sizes.iter().copied()) else {
                        return false;
                    };
                    for &words in sizes {
                        // Refused when the nursery is full: it was not granted anything.
                        let _ = with(heap, &holders[1], |m| allocate(m, 3));
                        assert_eq!(allocate(m, words), Ok(()), "{}", about(heap, sizes));
                    }
                    true
                })
            };
            // The first attempt may be held up by a mode.
            assert!(is_made() || is_made(), "{}", about(heap, sizes));
        });
    }

    #[test]
    fn a_grant_ends() {
        let config = HeapConfig {
            block_bytes: 512,
            nursery_bytes: 512,
            ..HeapConfig::tiny()
        };
        let heap = heap(config, "natural");
        let holder = Holder::new(&heap, "test", 0);
        with(&heap, &holder, |m| {
            let grant = m
                .grant([30, 30, 30])
                .expect("an empty nursery gives any number");
            for _ in 0..3 {
                assert_eq!(allocate(m, 30), Ok(()));
            }
            drop(grant);
            let needs = NeedsMemory { words: 30 };
            let refused = std::iter::repeat_with(|| allocate(m, 30)).take(3);
            assert!(refused.into_iter().any(|made| made == Err(needs)));
            assert!(m.grant([30, 30, 30]).is_err());
        });
    }
}
