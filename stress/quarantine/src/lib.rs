//! An allocator that notices memory errors of what is tested, without a sanitizer and on stable Rust.
//!
//! While a thread *watches* ([`watch`]), what it frees is not given back: it is filled with a
//! pattern and kept. So a read after the free sees the pattern, which as a pointer leads nowhere and
//! as a probe is none; a write after it shows when the memory is given back at last, at the end of
//! the watch; a second free is one of memory that is kept already. Fresh memory is filled with
//! another pattern. The idea is that of Electric Fence's and jemalloc's junk filling and quarantine.
//!
//! ```
//! use gcrucible_quarantine::{Quarantine, watch};
//!
//! #[global_allocator]
//! static GLOBAL: Quarantine = Quarantine;
//!
//! let (sum, faults) = watch(|| vec![1, 2, 3].iter().sum::<i32>());
//! assert_eq!((sum, faults), (6, None));
//! ```
#![allow(
    unsafe_code,
    reason = "an allocator has no safe form: each function here hands out or takes raw memory"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Fills memory that was freed: as a pointer it is no address of any system.
const FREED: u8 = 0xDF;
/// Fills memory that nobody wrote yet.
const FRESH: u8 = 0xAA;
/// Blocks that a thread keeps at the most; the oldest is given back then.
const KEPT_MAX: usize = 1 << 14;
/// Bytes that a thread keeps at the most.
const BYTES_MAX: usize = 64 << 20;

/// The allocator: the system's, with a quarantine in threads that watch.
#[derive(Clone, Copy, Debug)]
pub struct Quarantine;

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Memory of so many bytes was freed twice.
    DoubleFree {
        /// Its size.
        size: usize,
    },
    /// Memory was written to after it was freed.
    LateWrite {
        /// Its size.
        size: usize,
        /// The first byte that differs.
        at: usize,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::DoubleFree { size } => write!(f, "a block of {size} bytes is freed twice"),
            Fault::LateWrite { size, at } => {
                write!(
                    f,
                    "byte {at} of a block of {size} bytes is written to after its free"
                )
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Kept {
    block: *mut u8,
    size: usize,
    align: usize,
}

/// Blocks that a thread keeps: a ring of those in order of their free, and a table to find one.
///
/// # Invariants
/// 1. Each block of `ring[..]` that is not null came from [`System`] with its layout, and nobody owns it but this.
/// 2. Only the thread that it belongs to touches it, and never while it is touched already: nothing here
///    allocates from the allocator that this is.
/// 3. All zero bytes is one that keeps nothing.
struct Store {
    ring: UnsafeCell<[Kept; KEPT_MAX]>,
    /// Open addressing; null is empty.
    table: UnsafeCell<[*mut u8; KEPT_MAX * 2]>,
    first: Cell<usize>,
    count: Cell<usize>,
    bytes: Cell<usize>,
}

const NOTHING: Kept = Kept {
    block: std::ptr::null_mut(),
    size: 0,
    align: 0,
};

/// The store of a thread, made when it is first needed: it is too large for every thread's own memory.
///
/// # Invariants
/// 1. The pointer is null, or of a store from [`System`] that nobody else has.
struct ThreadStore(Cell<*mut Store>);

impl ThreadStore {
    /// The store; `None` if the system has no memory for it.
    fn get(&self) -> Option<&Store> {
        if self.0.get().is_null() {
            // SAFETY: a store is not of size zero.
            let fresh = unsafe { System.alloc_zeroed(Layout::new::<Store>()) };
            self.0.set(fresh.cast());
        }
        self.known()
    }

    /// The store, if it was needed yet.
    fn known(&self) -> Option<&Store> {
        // SAFETY: invariant 1, and invariant 3 of the store for a fresh one.
        unsafe { self.0.get().as_ref() }
    }
}

impl Drop for ThreadStore {
    fn drop(&mut self) {
        let store = self.0.get();
        if !store.is_null() {
            // SAFETY: invariant 1; it was made with this layout. The end of the watch emptied it.
            unsafe { System.dealloc(store.cast(), Layout::new::<Store>()) };
        }
    }
}

thread_local! {
    /// Zero: the thread does not watch.
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static STORE: ThreadStore = const { ThreadStore(Cell::new(std::ptr::null_mut())) };
}

/// Watches what `does` frees, on this thread; the first thing that is wrong, beside its result. Watches
/// do not nest: the inner one is part of the outer one.
pub fn watch<T>(does: impl FnOnce() -> T) -> (T, Option<Fault>) {
    /// Ends the watch, also if it unwinds.
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            WATCHING.set(self.0);
            if !self.0 {
                let _ = STORE.try_with(|store| store.known().map(Store::give_all_back));
            }
        }
    }
    let was_watching = WATCHING.replace(true);
    if !was_watching {
        FAULT.set(None);
    }
    let end = End(was_watching);
    let done = does();
    drop(end);
    let fault = if was_watching { None } else { FAULT.take() };
    (done, fault)
}

impl Store {
    /// Keeps a block. Returns false if it is kept already.
    fn keep(&self, block: *mut u8, layout: Layout) -> bool {
        // SAFETY: invariant 2.
        let (ring, table) = unsafe { (&mut *self.ring.get(), &mut *self.table.get()) };
        if find(table, block).is_ok() {
            return false;
        }
        while self.count.get() == KEPT_MAX || self.bytes.get() > BYTES_MAX {
            self.give_one_back();
        }
        // SAFETY: the caller frees the block: it is all ours, as long as its layout says.
        unsafe { block.write_bytes(FREED, layout.size()) };
        ring[(self.first.get() + self.count.get()) % KEPT_MAX] = Kept {
            block,
            size: layout.size(),
            align: layout.align(),
        };
        self.count.set(self.count.get() + 1);
        self.bytes.set(self.bytes.get() + layout.size());
        if let Err(slot) = find(table, block) {
            table[slot] = block;
        }
        true
    }

    fn give_all_back(&self) {
        while self.count.get() > 0 {
            self.give_one_back();
        }
    }

    /// Gives the oldest block back, and looks whether somebody wrote to it.
    fn give_one_back(&self) {
        // SAFETY: invariant 2.
        let (ring, table) = unsafe { (&mut *self.ring.get(), &mut *self.table.get()) };
        let Kept { block, size, align } = std::mem::replace(&mut ring[self.first.get()], NOTHING);
        self.first.set((self.first.get() + 1) % KEPT_MAX);
        self.count.set(self.count.get() - 1);
        self.bytes.set(self.bytes.get() - size);
        remove(table, block);
        // SAFETY: invariant 1: the block is ours, readable and of this size.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        if let Some(at) = bytes.iter().position(|&byte| byte != FREED) {
            note(Fault::LateWrite { size, at });
        }
        // SAFETY: size and align are those of a layout. Invariant 1: the block came from the system with
        // it, and is given back once.
        unsafe { System.dealloc(block, Layout::from_size_align_unchecked(size, align)) };
    }
}

fn note(fault: Fault) {
    FAULT.set(FAULT.get().or(Some(fault)));
}

/// Where a block is in the table, or the empty slot where it would be.
fn find(table: &[*mut u8; KEPT_MAX * 2], block: *mut u8) -> Result<usize, usize> {
    let mut slot = slot_of(block);
    loop {
        if table[slot] == block {
            return Ok(slot);
        }
        if table[slot].is_null() {
            return Err(slot);
        }
        slot = (slot + 1) % table.len();
    }
}

/// Takes a block out, and moves up those that only passed by its slot (Knuth 6.4, algorithm R).
fn remove(table: &mut [*mut u8; KEPT_MAX * 2], block: *mut u8) {
    let Ok(mut hole) = find(table, block) else {
        return;
    };
    let size = table.len();
    let mut next = hole;
    loop {
        table[hole] = std::ptr::null_mut();
        loop {
            next = (next + 1) % size;
            if table[next].is_null() {
                return;
            }
            let home = slot_of(table[next]);
            // Whether `home` lies cyclically in (hole, next]: then it may stay.
            let stays = (next + size - home) % size < (next + size - hole) % size;
            if !stays {
                break;
            }
        }
        table[hole] = table[next];
        hole = next;
    }
}

fn slot_of(block: *mut u8) -> usize {
    (block.addr() >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> (usize::BITS - (KEPT_MAX * 2).ilog2())
}

// SAFETY: memory comes from the system's allocator with the caller's layout, and goes back to it with
// the same one, once: at the free, or when the quarantine gives it back.
unsafe impl GlobalAlloc for Quarantine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() && WATCHING.try_with(Cell::get) == Ok(true) {
            // SAFETY: the block is fresh and of this size.
            unsafe { block.write_bytes(FRESH, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHING.try_with(Cell::get) != Ok(true) {
            // SAFETY: the caller's contract is the same.
            unsafe { System.dealloc(block, layout) };
            return;
        }
        let kept = STORE.try_with(|store| Some(store.get()?.keep(block, layout)));
        match kept {
            Ok(Some(true)) => {}
            Ok(Some(false)) => note(Fault::DoubleFree {
                size: layout.size(),
            }),
            // SAFETY: the caller's contract is the same; nothing is kept that could be freed twice.
            Ok(None) | Err(_) => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if WATCHING.try_with(Cell::get) != Ok(true) {
            // SAFETY: the caller's contract is the same.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: the caller says that `new_size` with this alignment is a layout, not zero.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: as above.
        let moved = unsafe { self.alloc(new) };
        if !moved.is_null() {
            // SAFETY: both are as long as the smaller of the two, and apart: `moved` is new.
            unsafe {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static GLOBAL: Quarantine = Quarantine;

    #[test]
    fn what_is_right_is_not_complained_about() {
        let ((), fault) = watch(|| {
            for size in 0..40_000_usize {
                drop(std::hint::black_box(vec![1_u8; size % 97]));
            }
        });
        assert_eq!(fault, None);
    }

    #[test]
    fn a_read_after_the_free_sees_the_pattern() {
        let (seen, fault) = watch(|| {
            let block = Box::into_raw(Box::new(7_u64));
            // SAFETY: the block is freed as it was made; the quarantine keeps it readable after that.
            unsafe {
                drop(Box::from_raw(block));
                block.read_volatile()
            }
        });
        assert_eq!((seen, fault), (u64::from_ne_bytes([FREED; 8]), None));
    }

    #[test]
    fn a_write_after_the_free_is_noticed() {
        let ((), fault) = watch(|| {
            let block = Box::into_raw(Box::new([7_u8; 32]));
            // SAFETY: the quarantine keeps the block writable after its free.
            unsafe {
                drop(Box::from_raw(block));
                block.cast::<u8>().add(5).write_volatile(1);
            }
        });
        assert_eq!(fault, Some(Fault::LateWrite { size: 32, at: 5 }));
    }

    #[test]
    fn a_second_free_is_noticed_and_does_no_harm() {
        let ((), fault) = watch(|| {
            let layout = Layout::new::<[u64; 3]>();
            // SAFETY: the layout is not of size zero; the second free goes to the quarantine.
            unsafe {
                let block = std::hint::black_box(std::alloc::alloc(layout));
                std::alloc::dealloc(block, layout);
                std::alloc::dealloc(std::hint::black_box(block), layout);
            }
        });
        assert_eq!(fault, Some(Fault::DoubleFree { size: 24 }));
    }

    #[test]
    fn a_table_whose_slots_collide_forgets_nothing() {
        let mut table = [std::ptr::null_mut(); KEPT_MAX * 2];
        let blocks: Vec<*mut u8> = (1..3000)
            .map(|n| std::ptr::without_provenance_mut(n << 4))
            .collect();
        for &block in &blocks {
            let slot = find(&table, block).unwrap_err();
            table[slot] = block;
        }
        for (at, &block) in blocks.iter().enumerate() {
            remove(&mut table, block);
            assert!(find(&table, block).is_err());
            assert!(
                blocks[at + 1..]
                    .iter()
                    .step_by(97)
                    .all(|&b| find(&table, b).is_ok())
            );
        }
        assert!(table.iter().all(|slot| slot.is_null()));
    }
}
