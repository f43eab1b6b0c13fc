//! The register stack of a machine.
//!
//! ```text
//! … | callee | r0 r1 … of the caller | callee | r0 r1 … of the top frame | unused …
//!            base                            base
//! ```
//!
//! Register access in the run loop has no bounds check. What pays for that is not the
//! verifier alone: a register number is a byte, and behind the base of every frame there
//! are always slots for all 256 of them ([`REACH`]). So no operand, verified or not,
//! reaches outside the stack; that it stays within its own frame is what the verifier
//! proves, and what the checked copy checks.
#![allow(
    unsafe_code,
    reason = "registers are read and written without a bounds check"
)]

use std::marker::PhantomData;
use std::ptr::NonNull;

use gcrucible_bytecode::Reg;
use gcrucible_heap::{Checks, Mutator, Slot, Value};

use crate::roots::ROOTS;

/// Slots that are there from the base of any frame on: the callee and 256 registers.
const REACH: usize = 257;

/// Slots of a new stack: a few small frames, for what most tasks do.
const FIRST_SLOTS: usize = 304;

/// Slots that a stack keeps once it has them.
const KEPT_SLOTS: usize = 16 << 10;

/// The slots of all frames, one frame after the other.
///
/// # Invariants
/// 1. `top + REACH <= slots.len()`, and every frame's base is at most `top`.
#[derive(Debug)]
pub(crate) struct Stack {
    slots: Box<[Slot]>,
    /// One behind the last slot of the top frame.
    top: usize,
}

impl Stack {
    pub(crate) fn new() -> Self {
        Stack {
            slots: nils(FIRST_SLOTS),
            top: 0,
        }
    }

    /// Whether a frame with so many registers fits without growing.
    #[inline(always)]
    pub(crate) fn has_room(&self, registers: u8) -> bool {
        self.top + 1 + usize::from(registers) + REACH <= self.slots.len()
    }

    /// Makes room for a frame and returns its base. Its callee and its registers are
    /// nil, but for the callee and the `argc` arguments that are copied from slot `from`
    /// of the stack, if that is given.
    #[inline(always)]
    pub(crate) fn push(&mut self, registers: u8, from: Option<(usize, u8)>) -> u32 {
        let base = self.top;
        let top = base + 1 + usize::from(registers);
        if top + REACH > self.slots.len() {
            self.grow(top + REACH);
        }
        self.top = top;
        let (below, frame) = self.slots.split_at(base);
        let frame = &frame[..1 + usize::from(registers)];
        let mut set = 0;
        if let Some((from, argc)) = from {
            set = 1 + usize::from(argc);
            for (slot, value) in frame[..set].iter().zip(&below[from..from + set]) {
                slot.copy_from(value);
            }
        }
        for slot in &frame[set..] {
            slot.clear();
        }
        base as u32
    }

    /// Copies `count` slots in use from slot `from` on to slot `to` and behind.
    pub(crate) fn copy(&self, from: usize, to: usize, count: usize) {
        for index in 0..count {
            self.slots[to + index].copy_from(&self.slots[from + index]);
        }
    }

    /// Drops all frames from the one with this base on.
    #[inline(always)]
    pub(crate) fn truncate(&mut self, base: usize) {
        // Slots above the top are never read before a push has cleared them.
        debug_assert!(base <= self.top, "frames go from the top");
        self.top = self.top.min(base);
    }

    /// The frame with this base and so many registers.
    #[inline(always)]
    pub(crate) fn registers<C: Checks>(&self, base: usize, registers: u8) -> Registers<'_, C> {
        assert!(base <= self.top, "a frame lies below the top");
        // The pointer comes from the whole slice: it must be good for all of the reach.
        let first = NonNull::from(&*self.slots).cast::<Slot>();
        // SAFETY: by the assertion and invariant 1 there are slots at `base` and behind.
        let callee = unsafe { first.add(base) };
        Registers {
            callee,
            count: registers,
            stack: PhantomData,
        }
    }

    /// All slots of the frame with this base: callee, then registers.
    pub(crate) fn frame(&self, base: usize, registers: u8) -> &[Slot] {
        &self.slots[base..=base + usize::from(registers)]
    }

    /// All slots in use.
    pub(crate) fn used(&self) -> &[Slot] {
        &self.slots[..self.top]
    }

    #[cold]
    fn grow(&mut self, least: usize) {
        self.resize(least.max(self.slots.len() * 2));
    }

    fn resize(&mut self, count: usize) {
        let resized = nils(count);
        for (slot, old) in resized.iter().zip(&self.slots) {
            slot.copy_from(old);
        }
        self.slots = resized;
    }

    /// Bytes that it has beyond those of a new stack. One that was much larger is not kept.
    pub(crate) fn trim(&mut self) -> usize {
        let half = self.slots.len() / 2;
        if half > KEPT_SLOTS && self.top + REACH < half / 2 {
            self.resize(half);
        }
        (self.slots.len() - FIRST_SLOTS.min(self.slots.len())) * size_of::<Slot>()
    }
}

fn nils(count: usize) -> Box<[Slot]> {
    (0..count).map(|_| Slot::nil(ROOTS)).collect()
}

/// The registers of one frame.
///
/// # Invariants
/// 1. `callee` points to [`REACH`] slots that live, unmoved, for `'s`.
#[derive(Debug)]
pub(crate) struct Registers<'s, C> {
    callee: NonNull<Slot>,
    count: u8,
    stack: PhantomData<(&'s [Slot], C)>,
}

impl<C> Clone for Registers<'_, C> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Registers<'_, C> {}

impl<'s, C: Checks> Registers<'s, C> {
    /// A register.
    #[inline(always)]
    pub(crate) fn slot(self, register: Reg) -> &'s Slot {
        if C::ENABLED {
            assert!(register < self.count, "a register of this frame");
        }
        // SAFETY: invariant 1; 1 + 255 is less than the reach.
        unsafe { self.callee.add(1 + usize::from(register)).as_ref() }
    }

    /// The closure that the frame runs.
    #[inline(always)]
    pub(crate) fn callee(self) -> &'s Slot {
        // SAFETY: invariant 1.
        unsafe { self.callee.as_ref() }
    }

    /// `count` registers from `first` on.
    #[inline(always)]
    pub(crate) fn range(self, first: Reg, count: usize) -> &'s [Slot] {
        let end = usize::from(first) + count;
        assert!(end < REACH, "operands lie within the reach of a frame");
        if C::ENABLED {
            assert!(end <= usize::from(self.count), "registers of this frame");
        }
        // SAFETY: invariant 1, and `1 + end` is at most the reach.
        unsafe {
            let first = self.callee.add(1 + usize::from(first));
            std::slice::from_raw_parts(first.as_ptr(), count)
        }
    }

    /// Reads a register.
    #[inline(always)]
    pub(crate) fn get<'p>(self, m: &Mutator<'p, C>, register: Reg) -> Value<'p> {
        m.load_root(self.slot(register))
    }

    /// Writes a register.
    #[inline(always)]
    pub(crate) fn set<'p>(self, m: &Mutator<'p, C>, register: Reg, value: Value<'p>) {
        m.store(self.slot(register), value);
    }
}
