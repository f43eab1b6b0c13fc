//! A plain holder of roots: registers and an allocation buffer.

use std::fmt;
use std::sync::Arc;

use crate::heap::Heap;
use crate::identity::{HeapId, Home};
use crate::roots::{RootAudit, RootKind, RootProvider, RootTracer};
use crate::slot::{RootRight, Slot};
use crate::tlab::Tlab;

/// Registers and an allocation buffer, for tests, benches and the heap-operations lane; virtual
/// machines have their own providers. It is a handle: its clones have the same registers, which
/// are roots as long as one of them lives.
#[derive(Clone)]
pub struct Holder(Arc<Registered>);

struct Registered {
    name: String,
    registers: Box<[Register]>,
    tlab: Tlab,
    home: Home,
    is_registry: bool,
}

/// A register of a holder: a root that knows its heap.
#[derive(Debug)]
pub struct Register {
    slot: Slot,
    heap: HeapId,
}

impl Register {
    /// Makes it hold nil, at any time.
    pub fn clear(&self) {
        self.slot.clear();
    }

    /// Whether it holds nil.
    pub fn is_nil(&self) -> bool {
        self.slot.is_nil()
    }

    #[inline(always)]
    pub(crate) fn of(&self, heap: HeapId) -> &Slot {
        if self.heap != heap {
            foreign();
        }
        &self.slot
    }
}

#[cold]
#[inline(never)]
fn foreign() -> ! {
    panic!("the register is one of another heap");
}

impl Holder {
    /// A holder with `registers` registers, all nil, registered with the heap.
    pub fn new(heap: &Heap, name: &str, registers: usize) -> Holder {
        Self::with_hashes(heap, name, registers, 0)
    }

    /// The same, whose identity hashes start at `first_hash`.
    pub fn with_hashes(heap: &Heap, name: &str, registers: usize, first_hash: u32) -> Holder {
        Self::register(heap, name, registers, first_hash, false)
    }

    /// A holder that stands for the engine's registry.
    pub fn registry(heap: &Heap, name: &str, registers: usize) -> Holder {
        Self::register(heap, name, registers, 1 << 29, true)
    }

    fn register(
        heap: &Heap,
        name: &str,
        registers: usize,
        first_hash: u32,
        is_registry: bool,
    ) -> Holder {
        let register = |_| Register {
            slot: Slot::nil(RootRight::OWN),
            heap: heap.id(),
        };
        let holder = Arc::new(Registered {
            name: name.to_owned(),
            registers: (0..registers).map(register).collect(),
            tlab: Tlab::new(heap, first_hash),
            home: Home::new(heap),
            is_registry,
        });
        heap.add_provider(&holder);
        Holder(holder)
    }

    /// Its registers.
    #[inline]
    pub fn registers(&self) -> &[Register] {
        &self.0.registers
    }

    /// Its allocation buffer.
    #[inline]
    pub fn tlab(&self) -> &Tlab {
        &self.0.tlab
    }
}

// SAFETY: rule 1: both walks pass all registers on. Rule 2: a register refuses mutators of other
// heaps, and is in a holder, which nothing is taken out of. Rule 3: neither does anything else.
unsafe impl RootProvider for Registered {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        for register in &self.registers {
            tracer.slot(RootKind::Register, &register.slot);
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        for index in 0..self.registers.len() {
            audit.root(RootKind::Register, &self.registers[index].slot);
        }
    }

    fn tlab(&self) -> Option<&Tlab> {
        Some(&self.tlab)
    }

    fn is_registry(&self) -> bool {
        self.is_registry
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}
