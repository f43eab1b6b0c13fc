//! The audit of the books: what the heap's tables say, against what is really there.
//!
//! The collector and the allocator keep lists, counts and tables beside the objects. A wrong one
//! breaks no reference, so whoever follows references never sees it: the heap leaks, collects too
//! late, or refuses memory that it has. The audit counts everything again.

use crate::heap::Heap;
use crate::object::{HEADER_WORDS, Kind, Slots, raw};
use crate::space::{BlockUse, Generation, Region};
use crate::value::{Offset, Word};
use crate::verifier::Violation;

/// Compares the books with what is there. The world is stopped, and the buffers are flushed.
pub(crate) fn audit(heap: &Heap, is_after_major: bool) -> Vec<Violation> {
    let region = heap.region();
    let mut wrong = heap.allocator.lock().audit(region);
    wrong.extend(audit_starts(region).map(|message| ("start table", message)));
    wrong.extend(audit_free_places(region).map(|message| ("free places", message)));
    wrong.extend(
        heap.handles
            .audit()
            .map(|message| ("handle table", message)),
    );
    let accounts = heap.audit_accounts(is_after_major);
    wrong.extend(accounts.map(|message| ("accounts", message)));
    let violation =
        |(site, message): (&str, String)| Violation::new("books", site.to_owned(), message);
    wrong.into_iter().map(violation).collect()
}

/// Calls `visit` with each object of the old generation until it says something.
fn find_old(
    region: &Region,
    mut visit: impl FnMut(Offset, u32) -> Option<String>,
) -> Option<String> {
    for block in 0..region.used_end() {
        let mut found = None;
        match region.block(block).usage() {
            BlockUse::Objects(Generation::Old) => {
                // What cannot be walked is reported by who walks it for its objects' sake.
                let _ = region.walk_block(block, |at, header| {
                    if found.is_none() {
                        found = visit(at, header.size_words());
                    }
                });
            }
            BlockUse::LargeHead(Generation::Old) => {
                found = visit(region.block_start(block), region.block(block).top());
            }
            _ => {}
        }
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The table that dirty cards are scanned by names, for each card of an old object but the one
/// that it begins in, the object that covers its first word.
fn audit_starts(region: &Region) -> Option<String> {
    let cards = &region.cards;
    find_old(region, |at, words| {
        let first = cards.card_of(at + cards.card_words() - 1);
        let mut covered = (first..).take_while(|&card| cards.card_start(card) < at + words);
        let wrong = covered.find(|&card| cards.object_at(card) != at);
        wrong.map(|card| {
            let named = cards.object_at(card);
            format!("card {card} begins in the object at {at:x}, and names {named:x}")
        })
    })
}

/// Places of containers that hold nothing refer to nothing: what nobody can reach must not be kept
/// alive by them.
fn audit_free_places(region: &Region) -> Option<String> {
    for block in 0..region.used_end() {
        let mut found = None;
        let mut look = |at: Offset, kind: Option<Kind>| {
            if found.is_none() {
                found = match kind {
                    Some(Kind::MapStorage) => left_in_map(region, at),
                    Some(Kind::Channel) => left_in_channel(region, at),
                    _ => None,
                };
            }
        };
        match region.block(block).usage() {
            BlockUse::Objects(_) => {
                let _ = region.walk_block(block, |at, header| look(at, header.kind()));
            }
            BlockUse::LargeHead(_) => {
                let at = region.block_start(block);
                look(at, region.header(at).kind());
            }
            _ => {}
        }
        if found.is_some() {
            return found;
        }
    }
    None
}

fn left_in_map(region: &Region, at: Offset) -> Option<String> {
    debug_assert!(matches!(
        Kind::MapStorage.layout().slots,
        Slots::Counted { .. }
    ));
    let capacity = region.raw(at + raw::MAP_CAPACITY) as u32;
    let used = region.raw(at + raw::MAP_USED) as u32;
    (0..capacity).find_map(|entry| {
        let key = at + raw::MAP_FIRST + entry * 2;
        let is_removed = Word(region.raw(key)) == Word::HOLE;
        let held = [key, key + 1].map(|offset| Word(region.raw(offset)));
        let is_left = (entry >= used || is_removed) && held.iter().any(|word| word.is_object());
        is_left.then(|| format!("entry {entry} of a map of {used} holds an object"))
    })
}

fn left_in_channel(region: &Region, at: Offset) -> Option<String> {
    let storage = Word(region.raw(at + raw::CHANNEL_STORAGE));
    if !storage.is_object() {
        return None;
    }
    let ring = region.raw(at + raw::CHANNEL_RING);
    let (head, len) = (ring as u32, (ring >> 32) as u32);
    let storage = storage.offset();
    if !matches!(
        region.block_at(storage).usage(),
        BlockUse::Objects(_) | BlockUse::LargeHead(_)
    ) {
        return None;
    }
    let header = region.header(storage);
    if header.kind() != Some(Kind::ArrayStorage) {
        return None;
    }
    let room = header.size_words() - HEADER_WORDS;
    (len..room).find_map(|index| {
        let place = (head + index) % room;
        let word = Word(region.raw(storage + raw::STORAGE_FIRST + place));
        word.is_object()
            .then(|| format!("place {place} of a channel of {len} values holds an object"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checks::Checked;
    use crate::config::HeapConfig;
    use crate::debug_mode::CollectionKind;
    use crate::holder::Holder;
    use crate::mutator::Mutator;
    use crate::value::Value;

    fn heap() -> (Arc<Heap>, Holder) {
        let debug = "promote=always".parse().expect("a mode that exists");
        let heap = Heap::new(HeapConfig::tiny(), debug).expect("address space");
        let holder = Holder::new(&heap, "test", 2);
        (heap, holder)
    }

    fn make(heap: &Heap, holder: &Holder, make: impl FnOnce(&Mutator<'_, Checked>)) {
        let permit = heap.try_shared().expect("nobody collects");
        make(&permit.mutator::<Checked>(holder.tlab()));
    }

    fn collect(heap: &Heap, kind: CollectionKind) {
        let mut permit = heap.try_exclusive().expect("no permit is held");
        assert_eq!(permit.collect(kind).violations, []);
    }

    fn wrong(heap: &Heap) -> Vec<String> {
        let violations = audit(heap, true);
        violations.into_iter().map(|it| it.site).collect()
    }

    #[test]
    fn a_wrong_start_is_found() {
        let (heap, holder) = heap();
        make(&heap, &holder, |m| {
            let long = m.array(&[Value::NIL; 100]).expect("room");
            m.store(&holder.registers()[0], long);
        });
        collect(&heap, CollectionKind::Minor);
        assert_eq!(wrong(&heap), [""; 0]);
        let cards = &heap.region().cards;
        let block = heap.allocator.lock().blocks(Generation::Old)[0];
        let second = cards.card_of(heap.region().block_start(block)) + 1;
        let start = cards.object_at(second);
        cards.note_object(cards.card_start(second) - 1, 2);
        assert_ne!(cards.object_at(second), start);
        assert_eq!(wrong(&heap), ["start table"]);
    }

    #[test]
    fn what_a_container_no_longer_holds_is_not_kept() {
        let (heap, holder) = heap();
        make(&heap, &holder, |m| {
            let map = m.map().expect("room");
            m.store(&holder.registers()[0], map);
            let key = Value::int32(1);
            m.map_set(map, key, map).expect("room");
            m.map_remove(map, key).expect("it is there");
            let channel = m.channel(3).expect("room");
            m.store(&holder.registers()[1], channel);
            m.channel_try_send(channel, map).expect("room");
            m.channel_try_receive(channel).expect("a channel");
        });
        assert_eq!(wrong(&heap), [""; 0]);
        let region = heap.region();
        let slot_of = |register: usize, at: u32| {
            let object = holder.registers()[register].of(heap.id()).get();
            Word(region.raw(object.offset() + at)).offset()
        };
        let itself = holder.registers()[0].of(heap.id()).get();
        let removed = slot_of(0, raw::MAP_STORAGE) + raw::MAP_FIRST + 1;
        let before = region.raw(removed);
        region.set_raw(removed, itself.0);
        assert_eq!(wrong(&heap), ["free places"]);
        region.set_raw(removed, before);
        let received = slot_of(1, raw::CHANNEL_STORAGE) + raw::STORAGE_FIRST;
        region.set_raw(received, itself.0);
        assert_eq!(wrong(&heap), ["free places"]);
    }

    #[test]
    fn what_a_major_collection_has_kept_for_nothing_is_found() {
        use crate::debug_mode::VerifyLevel;
        use crate::verifier::verify_sampled;
        let (heap, holder) = heap();
        for count in [1, 300] {
            make(&heap, &holder, |m| {
                m.instance(1, &vec![Value::NIL; count]).expect("room");
            });
            heap.flush_tlabs();
            assert_eq!(verify_sampled(&heap, VerifyLevel::Full, false), []);
            let found = verify_sampled(&heap, VerifyLevel::Full, true);
            assert_eq!(found[0].check, "kept_dead");
            collect(&heap, CollectionKind::Major);
            assert_eq!(verify_sampled(&heap, VerifyLevel::Full, true), []);
        }
    }

    #[test]
    fn what_an_account_adds_to_a_major_collection_is_found() {
        let (heap, _holder) = heap();
        let account = heap.open_account(1 << 16);
        account.note_allocated(8);
        collect(&heap, CollectionKind::Major);
        assert_eq!(wrong(&heap), [""; 0], "nobody has allocated for it");
        account.note_reached(0, heap.collections());
        assert_eq!(wrong(&heap), [""; 0]);
        account.note_allocated(8);
        assert_eq!(wrong(&heap), ["accounts"]);
        assert_eq!(audit(&heap, false), []);
    }
}
