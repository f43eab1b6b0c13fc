//! Sizes of a heap.

use serde::{Deserialize, Serialize};

/// Sizes and limits of a heap, in bytes. All are rounded up to powers of two or whole
/// blocks where the heap needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeapConfig {
    /// Size of a block, the unit of spaces; 512 to 1 MiB, a power of two.
    pub block_bytes: u32,
    /// Size of a card, the unit of the remembered set; 64 to `block_bytes`, a power of two.
    pub card_bytes: u32,
    /// Young objects allocated between two minor collections.
    pub nursery_bytes: u32,
    /// First size of an allocation buffer; it doubles with each refill up to a block.
    pub tlab_bytes: u32,
    /// Live and not yet collected bytes after which allocation fails for good.
    pub limit_bytes: u64,
}

impl Default for HeapConfig {
    /// Sizes for production: 64 KiB blocks, 4 MiB nursery, 1 GiB limit.
    fn default() -> Self {
        Self {
            block_bytes: 64 << 10,
            card_bytes: 512,
            nursery_bytes: 4 << 20,
            tlab_bytes: 16 << 10,
            limit_bytes: 1 << 30,
        }
    }
}

impl HeapConfig {
    /// Sizes for stress: everything small, so that boundaries are met often.
    pub fn tiny() -> Self {
        Self {
            block_bytes: 2 << 10,
            card_bytes: 128,
            nursery_bytes: 8 << 10,
            tlab_bytes: 256,
            limit_bytes: 4 << 20,
        }
    }
}
