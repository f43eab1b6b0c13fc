//! Work that one instruction does beyond its own cost, and what it has so far when it does
//! that in steps.
//!
//! Fuel bounds a slice, and an instruction costs one of it. One that goes over something large
//! says how much work that is ([`Work::charge`]), in units of about one instruction's time; the
//! run loop takes that from the slice's fuel, too. So a slice is as short as its fuel says,
//! whatever its instructions do. The number of *instructions* of a slice is not changed by it.
//!
//! An instruction that would do more than [`Work::step`] units stops there
//! ([`Stop::Unfinished`](crate::interpreter::Stop)): the slice ends, and the instruction is
//! executed again in the next one, where it finds its [`Progress`]. It counts as executed when
//! it is done. Everything in it that refers to objects is a root. A throw and the dispatch of an
//! interrupt drop it: then the instruction, if it is executed again, begins anew. One that has failed, and
//! finds no memory for its error, keeps that it has: to begin anew would look like getting further, and in
//! a full heap it would go on like that for ever.

use std::cell::{Cell, RefCell};

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Comparing, Copying, Slot};
use gcrucible_platform::HostValue;
use gcrucible_platform::planted;

use crate::builtins::{Copied, Entries, Find, Range, Search, Split, Trim, Writing};
use crate::display::Displaying;
use crate::host_value::Converting;
use crate::roots::ROOTS;

/// Bytes that are read, written or compared in about one instruction's time.
pub(crate) const BYTES_PER_UNIT: usize = 64;

/// Elements of an array that are moved in about one instruction's time.
pub(crate) const ELEMENTS_PER_UNIT: usize = 4;

/// Units of one instruction that nobody is charged for: what every call of a built-in costs.
const FREE: u32 = 16;

/// What instructions of one slice do beyond their own cost.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Units since they were last taken.
    done: Cell<u32>,
    /// The most units that one instruction does before it lets others go first.
    step: u32,
    /// Whether an instruction got further, though it is not done.
    has_advanced: Cell<bool>,
    progress: RefCell<Option<Box<Progress>>>,
    /// Data that was forgotten and is so much that dropping it takes long.
    discarded: RefCell<Vec<HostValue>>,
}

impl Work {
    /// The same with what the last slice has left.
    pub(crate) fn new(step: u32, progress: Option<Box<Progress>>) -> Self {
        Work {
            step: step.max(1),
            progress: RefCell::new(progress),
            ..Work::default()
        }
    }

    /// Charges so many units for work that was done.
    #[inline]
    pub(crate) fn charge(&self, units: u32) {
        self.done.set(self.done.get().saturating_add(units));
    }

    /// Charges for bytes that were read, written or compared.
    #[inline]
    pub(crate) fn charge_bytes(&self, bytes: usize) {
        self.charge(u32::try_from(bytes / BYTES_PER_UNIT).unwrap_or(u32::MAX));
    }

    /// Charges for elements that were moved.
    #[inline]
    pub(crate) fn charge_elements(&self, elements: usize) {
        self.charge(u32::try_from(elements / ELEMENTS_PER_UNIT).unwrap_or(u32::MAX));
    }

    /// The units that an instruction may do now.
    pub(crate) fn step(&self) -> u32 {
        self.step
    }

    /// The units since the last call, but for those that are free.
    #[inline(always)]
    pub(crate) fn take(&self) -> u32 {
        match self.done.get() {
            0 => 0,
            done => {
                self.done.set(0);
                done.saturating_sub(FREE)
            }
        }
    }

    /// Notes that an instruction got further than before: should it need memory now, it has
    /// not needed it in vain until now.
    pub(crate) fn advance(&self) {
        self.has_advanced.set(true);
    }

    /// Whether the instruction in execution has begun before.
    pub(crate) fn has_progress(&self) -> bool {
        self.progress.borrow().is_some()
    }

    /// What the instruction in execution has so far, if it has begun before.
    pub(crate) fn resume(&self) -> Option<Box<Progress>> {
        self.progress.borrow_mut().take()
    }

    /// Keeps it for when the instruction is executed again.
    pub(crate) fn keep(&self, progress: Box<Progress>) {
        *self.progress.borrow_mut() = Some(progress);
    }

    /// Forgets it: something else comes first.
    pub(crate) fn forget(&self) {
        if let Some(progress) = self.resume() {
            self.discard(*progress);
        }
    }

    /// Drops what an instruction has so far; what takes long is left to the host.
    pub(crate) fn discard(&self, progress: Progress) {
        if let Progress::Converting(converting) = progress {
            self.discarded.borrow_mut().extend(converting.into_large());
        }
    }

    /// Large data that was dropped.
    pub(crate) fn take_discarded(&self) -> Vec<HostValue> {
        self.discarded.take()
    }

    /// Whether an instruction got further in this slice though it is not done; and what it
    /// has.
    pub(crate) fn into_parts(self) -> (bool, Option<Box<Progress>>) {
        (self.has_advanced.get(), self.progress.into_inner())
    }
}

/// What an instruction has so far that works in steps.
#[derive(Debug)]
pub(crate) enum Progress {
    Copying(Copying),
    Comparing(Comparing),
    Search(Search),
    Entries(Entries),
    Split(Split),
    Displaying(Displaying, Copied),
    Writing(Writing),
    Find(Find),
    Trim(Trim),
    Range(Range),
    Converting(Converting),
    /// It is done, and has failed: there was no memory yet for what it is to throw.
    Failed(Failed),
}

/// What an instruction is to throw.
#[derive(Debug)]
pub(crate) struct Failed {
    /// An error of this kind, with the value as its payload; or the value itself.
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) value: Slot,
}

impl Progress {
    /// Bytes that it has outside of the heap: those of a text or of data in the making, which can
    /// be as long as the program wants.
    pub(crate) fn outside_bytes(&self) -> usize {
        match self {
            Progress::Writing(writing) => writing.bytes(),
            Progress::Displaying(displaying, _) => displaying.out.capacity(),
            Progress::Converting(converting) => converting.bytes() as usize,
            _ => 0,
        }
    }

    /// Passes each of its roots on.
    pub(crate) fn roots(&self, root: &mut dyn FnMut(&Slot)) {
        match self {
            Progress::Copying(copying) => copying.roots(ROOTS, root),
            Progress::Comparing(comparing) => comparing.roots(ROOTS, root),
            Progress::Search(_) => {}
            Progress::Entries(entries) => match planted!(B295, entries.out.is_object()) {
                true => {}
                false => root(&entries.out),
            },
            Progress::Split(split) => root(&split.out),
            Progress::Displaying(displaying, copied) => {
                displaying.roots(root);
                root(&copied.string);
            }
            Progress::Writing(writing) => writing.roots(root),
            Progress::Trim(trim) => trim.roots(root),
            Progress::Find(_) | Progress::Range(_) => {}
            Progress::Converting(converting) => converting.roots(ROOTS, root),
            Progress::Failed(failed) => root(&failed.value),
        }
    }

    /// The same roots, listed for the verifier.
    pub(crate) fn audit(&self, root: &mut dyn FnMut(&Slot)) {
        match self {
            Progress::Copying(copying) => copying.audit(ROOTS, root),
            Progress::Comparing(comparing) => comparing.audit(ROOTS, root),
            Progress::Entries(Entries { out, .. }) | Progress::Split(Split { out, .. }) => {
                root(out);
            }
            Progress::Displaying(displaying, Copied { string, .. }) => {
                root(string);
                displaying.roots(root);
            }
            Progress::Writing(writing) => writing.roots(root),
            Progress::Trim(trim) => trim.roots(root),
            Progress::Converting(converting) => converting.roots(ROOTS, root),
            Progress::Failed(failed) => root(&failed.value),
            Progress::Search(_) | Progress::Find(_) | Progress::Range(_) => {}
        }
    }
}
