//! Regions that runs use one after the other: making one costs system calls.

use std::cell::RefCell;
use std::sync::Arc;

use gcrucible_heap::{Heap, HeapConfig, HeapDebug, Region};

/// Largest heap limit for which regions are kept.
const POOLED_LIMIT_BYTES: u64 = 8 << 20;

thread_local! {
    static REGION: RefCell<Option<Region>> = const { RefCell::new(None) };
}

/// A region, of an earlier run if there is one. A heap in such a region is as good as one
/// in a new region.
///
/// # Panics
/// If the operating system has no address space left.
pub fn region(config: &HeapConfig) -> Region {
    REGION.with_borrow_mut(Option::take).unwrap_or_else(|| {
        let limit_bytes = config.limit_bytes.max(POOLED_LIMIT_BYTES);
        // Tables for the smallest block and card sizes, so that all others fit too.
        let widest = HeapConfig {
            block_bytes: 512,
            card_bytes: 64,
            limit_bytes,
            ..*config
        };
        Region::new(&widest).expect("address space for a small heap")
    })
}

/// A heap in a pooled region.
///
/// # Panics
/// If the operating system has no address space left.
pub fn heap(config: HeapConfig, debug: HeapDebug) -> Arc<Heap> {
    Heap::in_region(region(&config), config, debug).expect("address space for a small heap")
}

/// Takes the region of a heap that nobody uses any more. A heap that a failed run still
/// holds on to keeps its region.
pub fn recycle(heap: Arc<Heap>) {
    if let Some(region) = Heap::into_region(heap) {
        REGION.with_borrow_mut(|pool| *pool = Some(region));
    }
}
