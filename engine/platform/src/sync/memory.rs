//! Words of memory that threads share: a heap's region and the tables over it.
//!
//! They lie where memory was mapped or zeroed as a whole, so they are as large as what they hold
//! and made of nothing else. A model checker cannot stand in for these; it sees the locks and
//! atomics around them.
#![allow(
    clippy::disallowed_types,
    reason = "this is the seam that the ban points to"
)]

use std::sync::atomic as machine;

use super::atomic::{Ordering, arithmetic, wrapper};

wrapper!(
    /// A byte of memory.
    Byte, machine::AtomicU8, u8
);
wrapper!(
    /// Half a word of memory.
    Half, machine::AtomicU32, u32
);
wrapper!(
    /// A word of memory.
    Word, machine::AtomicU64, u64
);
arithmetic!(Byte, u8);
arithmetic!(Half, u32);
arithmetic!(Word, u64);
